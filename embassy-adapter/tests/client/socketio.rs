//! Socket.IO on top: joining, events, answers, attachments, refusals.

use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use eio_core::DisconnectReason;
use eio_embassy::socketio::{Incoming, Socket, SocketError, refusal};
use eio_embassy::{ClientSettings, Protocol, SendError};

use crate::fakes::{
    self, OPEN, Reader, Sent, Server, Task, TestClient, Writer, done, open, open_with, text, waits,
};

const TIMEOUT: Duration = Duration::from_millis(400);

/// Joins a namespace of a server that answers like this.
pub(crate) fn join<'c>(
    client: &'c mut TestClient,
    server: &mut Server,
    namespace: &'c str,
    auth: &str,
    answer: &str,
) -> Result<Socket<'c, 'static, Reader, Writer>, SocketError> {
    let task = Task::new();
    let mut join = Box::pin(Socket::join(client, namespace, auth, TIMEOUT));
    if let Poll::Ready(result) = task.poll(join.as_mut()) {
        return result;
    }
    server.text(answer);
    match task.poll(join.as_mut()) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn a_client_joins_emits_and_answers() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut socket =
        join(&mut client, &mut server, "/", r#"{"token":"t"}"#, r#"40{"sid":"x"}"#).expect("joined");
    assert_eq!(done(socket.emit("reading", "21.5,true")), Ok(()));
    assert_eq!(done(socket.emit_with_ack("hello", "")), Ok(1));
    assert_eq!(done(socket.emit_with_ack("hello", "")), Ok(2));
    assert_eq!(
        server.take(),
        [
            text(r#"40{"token":"t"}"#),
            text(r#"42["reading",21.5,true]"#),
            text(r#"421["hello"]"#),
            text(r#"422["hello"]"#)
        ]
    );
    server.text(r#"42/other,["not","ours"]"#);
    server.text(r#"427["led","on"]"#);
    server.text(r#"431["done"]"#);
    server.text("2");
    match done(socket.recv()) {
        Ok(Incoming::Event { event, ack: Some(7), attachments: 0 }) if event.is("led") => {
            assert_eq!(event.args().iter().collect::<Vec<_>>(), ["\"on\""]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(done(socket.ack(7, "null")), Ok(()));
    match done(socket.recv()) {
        Ok(Incoming::Ack { id: 1, args, attachments: 0 }) => assert_eq!(args.as_str(), "\"done\""),
        other => panic!("{other:?}"),
    }
    waits(socket.recv());
    assert_eq!(done(socket.leave()), Ok(()));
    assert_eq!(server.take(), [text("437[null]"), text("3"), text("41")]);
    assert!(client.is_open());
}

#[test]
fn another_namespace_is_named_in_every_packet_and_its_query_once() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut socket =
        join(&mut client, &mut server, "/chat?room=1", "", r#"40/chat,{"sid":"x"}"#).expect("joined");
    assert_eq!(done(socket.emit("x", "")), Ok(()));
    server.text(r#"42["main"]"#);
    server.text(r#"42/chat,["ours"]"#);
    assert!(matches!(done(socket.recv()), Ok(Incoming::Event { event, .. }) if event.is("ours")));
    assert_eq!(done(socket.leave()), Ok(()));
    assert_eq!(server.take(), [text("40/chat?room=1,"), text(r#"42/chat,["x"]"#), text("41/chat,")]);
}

#[test]
fn attachments_follow_their_event_and_those_of_others_are_skipped() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut socket = join(&mut client, &mut server, "/", "", "40").expect("joined");
    server.text(r#"451-/other,["x",{"_placeholder":true,"num":0}]"#);
    server.binary(b"not ours");
    server.text(r#"452-["y",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#);
    server.binary(b"one");
    server.binary(b"two");
    assert!(matches!(done(socket.recv()), Ok(Incoming::Event { attachments: 2, .. })));
    assert_eq!(done(socket.recv()), Ok(Incoming::Attachment { num: 0, data: b"one", last: false }));
    assert_eq!(done(socket.recv()), Ok(Incoming::Attachment { num: 1, data: b"two", last: true }));
}

#[test]
fn an_answer_without_a_number_is_ignored() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut socket = join(&mut client, &mut server, "/", "", "40").expect("joined");
    server.text(r#"43["of nobody"]"#);
    server.text(r#"431["ok"]"#);
    assert!(matches!(done(socket.recv()), Ok(Incoming::Ack { id: 1, .. })));
}

#[test]
fn a_refusal_keeps_its_words() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let refused = join(&mut client, &mut server, "/", "", r#"44{"message":"not authorized"}"#).err();
    assert_eq!(refused, Some(SocketError::Refused));
    assert_eq!(refusal(&client), r#"{"message":"not authorized"}"#);
}

#[test]
fn nothing_is_sent_to_a_namespace_that_the_server_has_closed() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut socket = join(&mut client, &mut server, "/", "", "40").expect("joined");
    server.text("41");
    assert_eq!(done(socket.recv()).err(), Some(SocketError::Disconnected));
    server.take();
    assert_eq!(done(socket.emit("reading", "1")), Err(SocketError::Disconnected));
    assert_eq!(server.take(), []);
}

#[test]
fn nothing_is_heard_of_a_namespace_that_the_server_has_closed() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut socket = join(&mut client, &mut server, "/", "", "40").expect("joined");
    for late in ["41", r#"42["late"]"#, "431[]", r#"451-["late",{"_placeholder":true,"num":0}]"#] {
        server.text(late);
    }
    server.binary(b"late");
    server.text("40");
    assert_eq!(done(socket.recv()).err(), Some(SocketError::Disconnected));
    waits(socket.recv());
    server.text("1");
    assert!(matches!(done(socket.recv()), Err(SocketError::Session(_))));
}

#[test]
fn every_end_says_which() {
    let _clock = fakes::clock();
    let after = |message: &str| {
        let (mut client, mut server) = open();
        let mut socket = join(&mut client, &mut server, "/", "", "40").expect("joined");
        server.text(message);
        done(socket.recv()).expect_err("an end")
    };
    assert_eq!(after("41"), SocketError::Disconnected);
    assert!(matches!(after("4nonsense"), SocketError::Packet(_)));
    assert!(matches!(after("1"), SocketError::Session(end) if end.reason == DisconnectReason::PeerClose));

    let (mut client, mut server) = open();
    let mut socket = join(&mut client, &mut server, "/", "", "40").expect("joined");
    assert!(matches!(done(socket.emit("connect", "")), Err(SocketError::Packet(_))));
    assert!(matches!(done(socket.emit("x", "no json")), Err(SocketError::Packet(_))));
    let long = format!("\"{}\"", "x".repeat(600));
    let Err(SocketError::Send(SendError::BufferTooSmall { needed })) = done(socket.emit("x", &long)) else {
        panic!("it fits");
    };
    let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, 512, needed, OPEN);
    let mut socket = join(&mut client, &mut server, "/", "", "40").expect("joined");
    assert_eq!(done(socket.emit("x", &long)), Ok(()));
}

#[test]
fn a_packet_that_cannot_be_read_closes_the_session() {
    let _clock = fakes::clock();
    let attachment = r#"451-["x",{"_placeholder":true,"num":0}]"#;
    for packets in [&["4nonsense"][..], &["42{}"], &["42[]"], &["43"], &["47"], &[attachment, r#"42["x"]"#]] {
        let (mut client, mut server) = open();
        let mut socket = join(&mut client, &mut server, "/", "", "40").expect("joined");
        for packet in packets {
            server.text(packet);
        }
        server.text(r#"42["not","heard"]"#);
        let mut received = done(socket.recv()).map(drop);
        if packets.len() == 2 {
            assert_eq!(received, Ok(()), "the event, of which the attachment does not come");
            received = done(socket.recv()).map(drop);
        }
        assert!(matches!(received, Err(SocketError::Packet(_))), "{packets:?}: {received:?}");
        server.take();
        waits(socket.recv());
        assert_eq!(server.take(), [Sent::Close(None)], "{packets:?}");
        server.hang_up();
        let next = done(socket.recv()).map(drop);
        let Err(SocketError::Session(end)) = next else { panic!("{packets:?}: {next:?}") };
        assert_eq!(end.reason, DisconnectReason::LocalClose, "{packets:?}");
    }
}

#[test]
fn a_server_that_does_not_answer_is_not_waited_for() {
    let _clock = fakes::clock();
    let (mut client, _server) = open();
    let task = Task::new();
    let mut join = pin!(Socket::join(&mut client, "/", "", TIMEOUT));
    assert!(task.poll(join.as_mut()).is_pending());
    fakes::advance(400_000);
    assert!(matches!(task.poll(join.as_mut()), Poll::Ready(Err(SocketError::Timeout))));
}

#[test]
fn a_server_of_socket_io_2_joins_its_clients_by_itself() {
    let _clock = fakes::clock();
    let settings = ClientSettings { protocol: Protocol::V3, ..ClientSettings::DEFAULT };
    let (mut client, mut server) = open_with(&settings, 512, 512, OPEN);
    let mut socket = join(&mut client, &mut server, "/", "{}", "40").expect("joined");
    assert_eq!(done(socket.emit("x", "1")), Ok(()));
    assert_eq!(server.take(), [text(r#"42["x",1]"#)]);
}
