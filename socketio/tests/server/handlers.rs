//! Handlers: their order, their errors and their panics.

use std::collections::BTreeMap;
use std::time::Duration;

use eio_socketio::{
    Ack, Auth, Binary, Data, EmitError, HandlerError, Namespace, Refusal, Reply, Server, Socket, State,
};

use crate::support::{Diary, Raw, build, serve, settle};

#[tokio::test(start_paused = true)]
async fn handlers_start_in_the_order_of_the_events_and_do_not_wait_for_each_other() {
    let diary = Diary::default();
    let notes = diary.clone();
    let server = serve(Namespace::new().on("work", move |Data(number): Data<u64>| {
        notes.note(format!("begin {number}"));
        let diary = notes.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(100 - 10 * number)).await;
            diary.note(format!("end {number}"));
        }
    }));
    let client = Raw::join(&server).await;
    for number in 0..4 {
        client.send(&format!("2[\"work\",{number}]")).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let lines = |word: &str, numbers: [u64; 4]| numbers.map(|number| format!("{word} {number}"));
    assert_eq!(diary.lines(), [lines("begin", [0, 1, 2, 3]), lines("end", [3, 2, 1, 0])].concat());
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_wait_for_an_answer_of_the_client_whose_event_it_handles() {
    async fn ask(socket: Socket) -> Result<Reply<String>, eio_socketio::AckError> {
        let name: String = socket.emit_with_ack("name?", ()).await?;
        Ok(Reply(format!("hello {name}")))
    }
    let server = serve(Namespace::new().on("hello", ask));
    let mut client = Raw::join(&server).await;
    client.send("27[\"hello\"]").await;
    client.expect("20[\"name?\"]").await;
    client.send("30[\"Ada\"]").await;
    client.expect("37[\"hello Ada\"]").await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_or_an_error_of_a_handler_ends_that_handler_and_is_told() {
    async fn panics() {
        panic!("a bug");
    }
    async fn fails() -> Result<(), &'static str> {
        Err("a mistake")
    }
    let diary = Diary::default();
    let (errors, ends) = (diary.clone(), diary.of_ends());
    let server = serve(
        ends.on("panics", panics)
            .on("fails", fails)
            .on("reads", |Data(_): Data<u32>| async {})
            .on("works", || async { Reply("done") })
            .on("pages", || async { Reply(vec![Binary::from(vec![1]); 11]) })
            .on("by hand", |ack: Ack| async move { ack.send(vec![Binary::from(vec![1]); 11]) })
            .on_error(move |_, event, error: &HandlerError| errors.note(format!("{event}: {error}"))),
    );
    let mut client = Raw::join(&server).await;
    for event in ["panics", "fails"] {
        client.send(&format!("2[\"{event}\"]")).await;
    }
    client.send("2[\"reads\",\"text\"]").await;
    client.send("20[\"pages\"]").await;
    client.send("20[\"by hand\"]").await;
    client.send("21[\"works\"]").await;
    client.expect("31[\"done\"]").await;
    let lines = diary.lines();
    assert_eq!(lines[..2], ["panics: the handler panicked: a bug", "fails: a mistake"]);
    assert!(
        lines[2].starts_with("reads: argument 1: invalid type: string \"text\", expected u32"),
        "{lines:?}"
    );
    let too_many = |event| format!("{event}: 11 attachments in one packet: expected at most 10");
    assert_eq!(lines[3..], ["pages", "by hand"].map(too_many));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_on_disconnecting_does_not_keep_on_disconnect_from_running() {
    async fn panics() {
        panic!("a bug");
    }
    let diary = Diary::default();
    let notes = diary.clone();
    let server = serve(Namespace::new().on_disconnecting(panics).on_disconnect(move || {
        notes.note("left");
        core::future::ready(())
    }));
    let client = Raw::join(&server).await;
    drop(client);
    settle().await;
    assert_eq!(diary.lines(), ["left"]);
}

#[tokio::test(start_paused = true)]
async fn middlewares_ask_in_their_order_and_the_first_refusal_is_the_answer() {
    #[derive(serde::Deserialize)]
    struct Login {
        name: String,
    }
    async fn first(socket: Socket, Auth(login): Auth<Login>) -> Result<(), Refusal> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        socket.insert(login.name);
        Ok(())
    }
    async fn second(socket: Socket, State(banned): State<String>) -> Result<(), Refusal> {
        match socket.get::<String>() {
            Some(name) if name == banned => Err(Refusal::new("banned").with_data(name)?),
            Some(name) if name == "odd" => Err(Refusal::new("odd").with_data(BTreeMap::from([((), 1)]))?),
            Some(name) if name == "bug" => panic!("a bug"),
            _ => Ok(()),
        }
    }
    let namespace = Namespace::new().middleware(first).middleware(second);
    let server = build(Server::with_state("Eve".to_owned()).namespace("/", namespace));
    for (auth, answer) in [
        (r#"{"name":"Eve"}"#, r#"4{"message":"banned","data":"Eve"}"#),
        (r#"{"name":"bug"}"#, r#"4{"message":"Internal server error"}"#),
        (r#"{"name":"odd"}"#, r#"4{"message":"the argument cannot be written"#),
        ("", r#"4{"message":"auth data: invalid type: null, expected an object"}"#),
        ("{}", r#"4{"message":"auth data: missing field `name`"}"#),
        (r#"{"name":"Ada"}"#, r#"0{"sid":"#),
    ] {
        let mut client = Raw::open(&server).await;
        client.send(&format!("0{auth}")).await;
        let got = client.next().await;
        assert!(got.starts_with(answer), "{auth}: {got}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_by_hand_is_sent_once_and_only_to_a_client_that_asked() {
    async fn answer(ack: Ack, Data(number): Data<u64>) -> Result<(), EmitError> {
        ack.send(number + 1)
    }
    let server = serve(
        Namespace::new().on("next", answer).on_any(|ack: Option<Ack>| async move { Reply(ack.is_some()) }),
    );
    let mut client = Raw::join(&server).await;
    client.send("2[\"next\",1]").await;
    client.send("25[\"next\",2]").await;
    client.expect("35[3]").await;
    client.send("26[\"other\"]").await;
    client.expect("36[true]").await;
}
