//! Events, their data and their order.

use bytes::Bytes;
use eio_socketio::{
    Args, Binary, Data, EmitError, EventName, Namespace, RawArgs, Server, Socket, State, Value,
};

use crate::support::{Journal, World, ms};

#[tokio::test(start_paused = true)]
async fn an_event_of_text_comes_back() {
    let world = World::suite();
    let mut client = world.init().await;
    client.send(r#"2["message",1,"2",{"3":[true]}]"#).await;
    client.expect(r#"2["message-back",1,"2",{"3":[true]}]"#).await;
}

#[tokio::test(start_paused = true)]
async fn an_event_with_attachments_comes_back() {
    let world = World::suite();
    let mut client = world.init().await;
    let placeholders = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    client.send(&format!(r#"52-["message",{placeholders}]"#)).await;
    client.send_bytes(&[1, 2, 3]).await;
    client.send_bytes(&[4, 5, 6]).await;
    client.expect(&format!(r#"52-["message-back",{placeholders}]"#)).await;
    client.expect_bytes(&[1, 2, 3]).await;
    client.expect_bytes(&[4, 5, 6]).await;
}

async fn tell(EventName(event): EventName, args: RawArgs, State(journal): State<Journal>) {
    journal.note(format!("{event}: {:?}", args.values().unwrap()));
}

fn telling() -> Namespace<Journal> {
    Namespace::new().on_any(tell)
}

#[tokio::test(start_paused = true)]
async fn the_name_of_an_event_may_be_a_number_and_there_may_be_no_arguments() {
    let world = World::of(telling());
    let mut client = world.join().await;
    for packet in
        [r#"2["a"]"#, "2[1]", r#"2[1.5,"x"]"#, r#"2["caf\u00e9",null]"#, r#"2["\"quoted\""]"#, r#"2[""]"#]
    {
        client.send(packet).await;
    }
    let expected =
        ["a: []", "1: []", r#"1.5: [String("x")]"#, "caf\u{e9}: [Null]", r#""quoted": []"#, ": []"];
    assert_eq!(world.journal.read().await, expected);
}

#[tokio::test(start_paused = true)]
async fn names_that_only_sockets_of_the_reference_use_are_events_and_others_close_the_connection() {
    let world = World::of(telling());
    let mut client = world.join().await;
    for name in ["connection", "error", "message", "ping", "__proto__", "constructor"] {
        client.send(&format!(r#"2["{name}"]"#)).await;
        assert_eq!(world.journal.read().await, [format!("{name}: []")]);
    }
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"] {
        let mut client = world.join().await;
        client.send(&format!(r#"2["{name}"]"#)).await;
        client.expect_end().await;
        assert_eq!(world.journal.read().await, [""; 0], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn attachments_are_where_their_placeholders_are_at_any_depth_and_in_any_order() {
    let world = World::of(telling());
    let mut client = world.join().await;
    let list = r#"["x",{"a":[{"_placeholder":true,"num":1},{"b":{"num":0,"_placeholder":true}}]},{"_placeholder":true,"num":1}]"#;
    client.send(&format!("52-{list}")).await;
    client.send_bytes(b"zero").await;
    assert_eq!(world.journal.read().await, [""; 0]);
    client.send_bytes(b"one").await;
    let bytes = |text: &'static str| Value::Binary(Bytes::from_static(text.as_bytes()));
    let inner = Value::from_iter([("b", bytes("zero"))]);
    let first = Value::from_iter([("a", Value::Array(vec![bytes("one"), inner]))]);
    assert_eq!(world.journal.read().await, [format!("x: {:?}", [first, bytes("one")])]);
}

#[tokio::test(start_paused = true)]
async fn without_attachments_an_object_that_looks_like_a_placeholder_is_itself() {
    let world = World::suite();
    let mut client = world.init().await;
    client.send(r#"2["message",{"_placeholder":true,"num":0}]"#).await;
    client.expect(r#"2["message-back",{"_placeholder":true,"num":0}]"#).await;
}

#[tokio::test(start_paused = true)]
async fn text_arrives_as_it_was_sent() {
    let world = World::suite();
    let mut client = world.init().await;
    let long = "x".repeat(100_000);
    for text in
        ["", "\u{e9}\u{4e2d}\u{1f600}", r"\u0000\n\ud83d\ude00", &long, "4[\\\"no packet\\\"]", r"\u001e"]
    {
        client.send(&format!(r#"2["message","{text}"]"#)).await;
        let packet = client.packet().await;
        let arrived: (String, String) = serde_json::from_str(packet.strip_prefix('2').unwrap()).unwrap();
        let sent: String = serde_json::from_str(&format!(r#""{text}""#)).unwrap();
        assert_eq!(arrived, ("message-back".to_owned(), sent));
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_without_a_handler_is_ignored() {
    let world = World::suite();
    let mut client = world.init().await;
    client.send(r#"2["nobody listens",1]"#).await;
    client.send(r#"27["nobody answers",1]"#).await;
    client.expect_nothing().await;
    client.send(r#"2["message"]"#).await;
    client.expect(r#"2["message-back"]"#).await;
}

async fn slow(socket: Socket, Data(number): Data<u32>) -> Result<(), EmitError> {
    socket.emit("begun", number)?;
    if number == 1 {
        tokio::time::sleep(ms(50)).await;
    }
    socket.emit("done", number)
}

#[tokio::test(start_paused = true)]
async fn handlers_start_in_the_order_of_events_and_one_that_waits_keeps_no_other_from_starting() {
    let world = World::of(Namespace::new().on("slow", slow));
    let mut client = world.join().await;
    for number in 1..=3 {
        client.send(&format!(r#"2["slow",{number}]"#)).await;
    }
    for (event, number) in [("begun", 1), ("begun", 2), ("done", 2), ("begun", 3), ("done", 3), ("done", 1)] {
        client.expect(&format!(r#"2["{event}",{number}]"#)).await;
    }
    assert_eq!(world.elapsed(), ms(50));
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_events_come_back_in_their_order() {
    let world = World::suite();
    let mut client = world.init().await;
    for hundred in 0..100 {
        for number in 100 * hundred..100 * (hundred + 1) {
            client.send(&format!(r#"2["message",{number}]"#)).await;
        }
        for number in 100 * hundred..100 * (hundred + 1) {
            client.expect(&format!(r#"2["message-back",{number}]"#)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_of_the_server_is_written_as_the_reference_writes_it() {
    let world = World::suite();
    let mut client = world.init().await;
    let [socket] = &world.server.of("/").sockets()[..] else { panic!("expected one socket") };
    socket.emit("none", ()).unwrap();
    socket.emit("one", [1, 2]).unwrap();
    socket.emit("several", Args((1, "two", Value::Null))).unwrap();
    socket.emit("bytes", Args((Binary(Bytes::from_static(b"abc")), "text"))).unwrap();
    socket.emit("quoted \"name\"", ()).unwrap();
    client.expect(r#"2["none"]"#).await;
    client.expect(r#"2["one",[1,2]]"#).await;
    client.expect(r#"2["several",1,"two",null]"#).await;
    client.expect(r#"51-["bytes",{"_placeholder":true,"num":0},"text"]"#).await;
    client.expect_bytes(b"abc").await;
    client.expect(r#"2["quoted \"name\""]"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_reserved_name_is_not_sent() {
    let world = World::suite();
    let mut client = world.init().await;
    let server: &Server = &world.server;
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"] {
        assert!(matches!(server.emit(name, ()), Err(EmitError::Encode(_))), "{name}");
    }
    client.expect_nothing().await;
}
