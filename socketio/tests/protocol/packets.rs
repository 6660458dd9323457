//! Packets that cannot be read.

use eio_socketio::{Disconnect, Namespace, Reason, State};

use crate::support::{Journal, World, ms, noting};

/// What is no packet, or none that a client may send. Each is text, unless it is empty: then it is an attachment.
const BAD: &[&[&str]] = &[
    // The protocol's suite.
    &["abc"],
    &["2{}"],
    &[r#"2abc["message-with-ack",1,"2",{"3":[false]}]"#],
    // Types.
    &["7"],
    &["9[]"],
    &["-1"],
    // Events.
    &["2[]"],
    &["2[true]"],
    &["2[null]"],
    &[r#"2["a""#],
    &[r#"2["a"]x"#],
    &[r#"2-1["a"]"#],
    &[r#"21.5["a"]"#],
    &[r#"2"a""#],
    // Others.
    &["1{}"],
    &["30{}"],
    &[r#"4{"message":"only servers send this"}"#],
    // Attachments.
    &["5-[\"a\"]"],
    &["50-[\"a\"]"],
    &["51[\"a\"]"],
    &["5x1-[\"a\"]"],
    &["511-[\"a\"]"],
    &["5999999999999999999999-[\"a\"]"],
    &["53"],
    &[""],
    &[r#"51-["a",{"_placeholder":true,"num":0}]"#, r#"2["b"]"#],
    &[r#"51-["a",{"_placeholder":true,"num":1}]"#, ""],
    &[r#"51-["a",{"_placeholder":true,"num":-1}]"#, ""],
    &[r#"51-["a",{"_placeholder":true,"num":"0"}]"#, ""],
    &[r#"51-["a",{"_placeholder":true}]"#, ""],
    &[r#"51-[{"_placeholder":true,"num":0}]"#, ""],
    &[r#"51-["a",{"_placeholder":true,"num":0}]"#, "", ""],
];

async fn note_reason(end: Disconnect, State(journal): State<Journal>) {
    journal.note(match end.reason {
        Reason::InvalidPacket(error) => format!("invalid packet: {error}"),
        reason => format!("unexpected packet: {reason}"),
    });
}

#[tokio::test(start_paused = true)]
async fn each_closes_the_connection_at_once_and_tells_the_application_why() {
    for messages in BAD {
        let world = World::of(Namespace::new().on_disconnect(note_reason));
        let mut client = world.join().await;
        for message in *messages {
            if message.is_empty() {
                client.send_bytes(b"abc").await;
            } else {
                client.send(message).await;
            }
        }
        client.expect_end().await;
        assert_eq!(world.elapsed(), ms(0), "{messages:?}");
        let notes = world.journal.read().await;
        assert_eq!(notes.len(), 1, "{messages:?}: {notes:?}");
        let expected = if messages[0].starts_with('4') { "unexpected packet: " } else { "invalid packet: " };
        assert!(notes[0].starts_with(expected) && notes[0].len() > expected.len(), "{messages:?}: {notes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_others_of_the_server_notice_nothing() {
    let world = World::suite();
    let mut other = world.init().await;
    let mut client = world.init().await;
    client.send("abc").await;
    client.expect_end().await;
    other.expect_nothing().await;
    other.send(r#"2["message",1]"#).await;
    other.expect(r#"2["message-back",1]"#).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_client_sends_after_a_bad_packet_is_not_looked_at() {
    let world = World::new(|builder| builder.namespace("/", noting()).namespace("/a", noting()));
    let mut client = world.join().await;
    for packet in ["abc", "0/a", "1"] {
        client.send(packet).await;
    }
    client.expect_end().await;
    let expected = ["/ joined", "/ leaves []: forced close", "/ left []: forced close"];
    assert_eq!(world.journal.read().await, expected);
}

#[tokio::test(start_paused = true)]
async fn attachments_that_never_come_do_not_keep_a_silent_client() {
    let world = World::of(noting());
    let mut client = world.join().await;
    client.send(r#"52-["a",{"_placeholder":true,"num":0}]"#).await;
    client.send_bytes(b"one of two").await;
    world.at(500).await;
    let expected = ["/ joined", "/ leaves []: ping timeout", "/ left []: ping timeout"];
    assert_eq!(world.journal.read().await, expected);
}
