//! Several namespaces on one client.

use eio_core::DisconnectReason;
use eio_core::packet::WebSocketMessage;
use eio_embassy::SendError;
use eio_embassy::socketio::{Incoming, Namespaces, Pending, Recovery, SocketError};

use crate::fakes::{self, Reader, Sent, Server, TestClient, Writer, done, open, text, waits};

pub(crate) type Two<'c> = Namespaces<'c, 'static, Reader, Writer, 2>;

/// A client that has joined `/a` and `/b`.
pub(crate) fn both<'c>(client: &'c mut TestClient, server: &mut Server) -> Two<'c> {
    let mut namespaces = Two::new(client);
    for (namespace, answer) in [("/a", r#"40/a,{"sid":"1"}"#), ("/b", r#"40/b,{"sid":"2"}"#)] {
        assert_eq!(done(namespaces.join(namespace, "")), Ok(()));
        server.text(answer);
        assert_eq!(done(namespaces.recv()), Ok((namespace, Incoming::Connected { recovered: false })));
    }
    server.take();
    namespaces
}

#[test]
fn two_namespaces_are_joined_and_what_arrives_says_where() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut namespaces = Two::new(&mut client);
    assert_eq!(done(namespaces.join("/a?room=1", r#"{"token":"t"}"#)), Ok(()));
    assert_eq!(done(namespaces.join("/", "")), Ok(()));
    assert_eq!(server.take(), [text(r#"40/a?room=1,{"token":"t"}"#), text("40")]);
    assert_eq!(namespaces.socket("/a").err(), Some(SocketError::NotJoined), "the server has not answered");

    // What arrives on one while the other is being joined is not lost.
    server.text(r#"40{"sid":"2"}"#);
    server.text(r#"42["early",1]"#);
    server.text(r#"40/a,{"sid":"1"}"#);
    server.text(r#"42/a,7["led"]"#);
    server.text(r#"42/c,["not","ours"]"#);
    server.text(r#"43/a,["without a number"]"#);
    server.text(r#"43/a,1["ok"]"#);
    assert_eq!(done(namespaces.recv()), Ok(("/", Incoming::Connected { recovered: false })));
    assert!(matches!(done(namespaces.recv()), Ok(("/", Incoming::Event { event, .. })) if event.is("early")));
    assert_eq!(done(namespaces.recv()), Ok(("/a", Incoming::Connected { recovered: false })));
    assert!(matches!(done(namespaces.recv()), Ok(("/a", Incoming::Event { ack: Some(7), .. }))));
    assert!(matches!(done(namespaces.recv()), Ok(("/a", Incoming::Ack { id: 1, .. }))));
    waits(namespaces.recv());

    assert_eq!(done(namespaces.socket("/a").expect("joined").ack(7, "\"on\"")), Ok(()));
    assert_eq!(done(namespaces.socket("/").expect("joined").emit("reading", "1")), Ok(()));
    assert_eq!(server.take(), [text(r#"43/a,7["on"]"#), text(r#"42["reading",1]"#)]);
}

#[test]
fn numbers_of_events_differ_across_namespaces() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut namespaces = both(&mut client, &mut server);
    assert_eq!(done(namespaces.socket("/a").expect("joined").emit_with_ack("x", "")), Ok(1));
    assert_eq!(done(namespaces.socket("/b").expect("joined").emit_binary_with_ack("x", "", &[])), Ok(2));
    let timeout = core::time::Duration::from_millis(100);
    let pending = done(namespaces.socket("/a").expect("joined").emit_with_timeout("x", "", timeout));
    assert_eq!(pending.map(Pending::id), Ok(3));
    assert_eq!(server.take(), [text(r#"42/a,1["x"]"#), text(r#"42/b,2["x"]"#), text(r#"42/a,3["x"]"#)]);
}

#[test]
fn a_namespace_is_asked_for_once_and_only_as_many_as_there_are_places() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut namespaces = Two::new(&mut client);
    assert_eq!(done(namespaces.join("/a", "")), Ok(()));
    assert_eq!(done(namespaces.join("/a?again", "")), Err(SocketError::AlreadyJoined));
    assert!(matches!(done(namespaces.join("no slash", "")), Err(SocketError::Packet(_))));
    assert!(matches!(done(namespaces.join("/b", "no json")), Err(SocketError::Packet(_))));
    assert_eq!(done(namespaces.join("/b", "")), Ok(()), "a failed request takes no place");
    assert_eq!(done(namespaces.join("/c", "")), Err(SocketError::TooManyNamespaces { max: 2 }));
    assert_eq!(server.take(), [text("40/a,"), text("40/b,")]);

    let mut nowhere = Namespaces::<_, _, 0>::new(namespaces.client());
    assert_eq!(done(nowhere.join("/a", "")), Err(SocketError::TooManyNamespaces { max: 0 }));
    server.text(r#"42/a,["x"]"#);
    waits(nowhere.recv());
}

#[test]
fn leaving_one_keeps_the_other_and_what_still_arrives_is_ignored() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut namespaces = both(&mut client, &mut server);
    assert_eq!(done(namespaces.leave("/a")), Ok(()));
    assert_eq!(done(namespaces.leave("/a")), Err(SocketError::NotJoined));
    assert_eq!(namespaces.socket("/a").err(), Some(SocketError::NotJoined));
    assert!(!namespaces.is_joined("/a") && namespaces.is_joined("/b"));
    server.text(r#"451-/a,["x",{"_placeholder":true,"num":0}]"#);
    server.binary(b"late");
    server.text(r#"42/b,["y"]"#);
    assert!(matches!(done(namespaces.recv()), Ok(("/b", Incoming::Event { event, .. })) if event.is("y")));
    assert_eq!(done(namespaces.join("/a", "")), Ok(()), "its place is free");
    assert_eq!(server.take(), [text("41/a,"), text("40/a,")]);
}

/// The reference server ends the session of a client that leaves a namespace before it is let in.
#[test]
fn a_request_to_join_that_is_taken_back_is_left_when_the_server_has_answered() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut namespaces = Two::new(&mut client);
    assert_eq!(done(namespaces.join("/a", "")), Ok(()));
    assert_eq!(done(namespaces.leave("/a")), Ok(()));
    assert_eq!(done(namespaces.leave("/a")), Err(SocketError::NotJoined));
    assert_eq!(done(namespaces.join("/a", "")), Err(SocketError::AlreadyJoined));
    waits(namespaces.recv());
    assert_eq!(server.take(), [text("40/a,")], "it waits for the answer");

    // There is no room to tell the server, and so the next call does.
    server.set_window(0);
    server.text(r#"40/a,{"sid":"1"}"#);
    server.text(r#"42/a,["x"]"#);
    waits(namespaces.recv());
    server.set_window(4096);
    waits(namespaces.recv());
    assert!(!namespaces.is_joined("/a"));
    assert_eq!(server.take(), [text("41/a,")]);
    assert_eq!(done(namespaces.join("/a", "")), Ok(()), "its place is free");

    assert_eq!(done(namespaces.leave("/a")), Ok(()));
    server.text(r#"44/a,{"message":"no"}"#);
    waits(namespaces.recv());
    assert_eq!(done(namespaces.join("/a", "")), Ok(()), "a refusal frees it, too");
    assert_eq!(server.take(), [text("40/a,"), text("40/a,")]);
}

#[test]
fn a_namespace_that_is_no_longer_wanted_is_left_after_the_rest_of_a_binary_event() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut namespaces = Two::new(&mut client);
    assert_eq!(done(namespaces.join("/a", "")), Ok(()));
    assert_eq!(done(namespaces.join("/b", "")), Ok(()));
    server.text("40/a,");
    assert!(done(namespaces.recv()).is_ok());
    assert_eq!(done(namespaces.leave("/b")), Ok(()));
    server.take();
    server.set_window(8);
    waits(namespaces.socket("/a").expect("joined").emit_binary("x", "", &[b"one"]));
    server.text("40/b,");
    waits(namespaces.recv());
    server.set_window(4096);
    waits(namespaces.recv());
    assert_eq!(done(namespaces.socket("/a").expect("joined").emit_binary("x", "", &[b"one"])), Ok(()));
    waits(namespaces.recv());
    assert_eq!(server.take().last(), Some(&text("41/b,")));
}

#[test]
fn a_server_may_disconnect_or_refuse_one_and_the_other_lives_on() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut namespaces = both(&mut client, &mut server);
    server.text("41/a,");
    assert_eq!(done(namespaces.recv()), Ok(("/a", Incoming::Disconnected)));
    assert_eq!(namespaces.socket("/a").err(), Some(SocketError::NotJoined));
    assert_eq!(done(namespaces.socket("/b").expect("joined").emit("x", "")), Ok(()));

    assert_eq!(done(namespaces.join("/a", "")), Ok(()));
    server.text(r#"44/a,{"message":"no"}"#);
    assert_eq!(done(namespaces.recv()), Ok(("/a", Incoming::Refused { data: r#"{"message":"no"}"# })));
    assert_eq!(done(namespaces.join("/a", "")), Ok(()));
    server.text("44/c,");
    server.text("41/c,");
    server.text("2");
    waits(namespaces.recv());
    assert_eq!(server.take(), [text(r#"42/b,["x"]"#), text("40/a,"), text("40/a,"), text("3")]);
}

#[test]
fn attachments_belong_to_the_namespace_of_their_event() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut namespaces = both(&mut client, &mut server);
    for (namespace, bytes) in [("/a", b"one"), ("/b", b"two")] {
        server.text(&format!(r#"451-{namespace},["x",{{"_placeholder":true,"num":0}}]"#));
        server.binary(bytes);
    }
    for (namespace, data) in [("/a", b"one"), ("/b", b"two")] {
        assert!(
            matches!(done(namespaces.recv()), Ok((at, Incoming::Event { attachments: 1, .. })) if at == namespace)
        );
        assert_eq!(
            done(namespaces.recv()),
            Ok((namespace, Incoming::Attachment { num: 0, data, last: true }))
        );
    }
}

#[test]
fn an_attachment_of_a_namespace_that_was_left_is_not_one_of_the_namespace_that_has_its_place() {
    let _clock = fakes::clock();
    let event = r#"451-/a,["x",{"_placeholder":true,"num":0}]"#;
    for next in ["/a", "/c"] {
        // The namespace is left when its event has arrived, or before the server has answered the request to join it.
        for joined in [true, false] {
            let (mut client, mut server) = open();
            let mut namespaces = Two::new(&mut client);
            assert_eq!(done(namespaces.join("/a", "")), Ok(()));
            if joined {
                server.text("40/a,");
                assert!(matches!(done(namespaces.recv()), Ok(("/a", Incoming::Connected { .. }))));
                server.text(event);
                assert!(matches!(
                    done(namespaces.recv()),
                    Ok(("/a", Incoming::Event { attachments: 1, .. }))
                ));
                assert_eq!(done(namespaces.leave("/a")), Ok(()));
            } else {
                assert_eq!(done(namespaces.leave("/a")), Ok(()));
                // There is no room to tell the server until its event has begun.
                server.set_window(0);
                assert_eq!(done(namespaces.client().send(WebSocketMessage::Text("x"))), Ok(()));
                server.text("40/a,");
                server.text(event);
                waits(namespaces.recv());
                server.set_window(4096);
                waits(namespaces.recv());
            }
            assert_eq!(done(namespaces.join(next, "")), Ok(()));
            server.binary(b"of the namespace that was left");
            server.text(&format!("40{next},"));
            assert_eq!(done(namespaces.recv()), Ok((next, Incoming::Connected { recovered: false })));
        }
    }
}

#[test]
fn a_binary_event_of_one_namespace_is_finished_before_anything_is_sent_on_another() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut namespaces = both(&mut client, &mut server);
    server.set_window(8);
    waits(namespaces.socket("/a").expect("joined").emit_binary("x", "", &[b"one"]));
    let unfinished = Err(SocketError::Send(SendError::Unfinished));
    assert_eq!(done(namespaces.socket("/b").expect("joined").emit("y", "")), unfinished);
    let another = done(namespaces.socket("/b").expect("joined").emit_binary("y", "", &[b"two"]));
    assert_eq!(another, unfinished, "it has as many attachments, and is another event");
    assert_eq!(done(namespaces.leave("/b")), unfinished);
    server.set_window(4096);
    waits(namespaces.recv());
    assert_eq!(done(namespaces.socket("/a").expect("joined").emit_binary("x", "", &[b"one"])), Ok(()));
    assert_eq!(done(namespaces.leave("/b")), Ok(()));
    assert_eq!(server.take().len(), 3);
}

/// The server waits for the attachments that were announced, also after it has closed the namespace.
#[test]
fn a_binary_event_whose_namespace_is_closed_meanwhile_does_not_hold_up_the_others() {
    let _clock = fakes::clock();
    for (window, end) in [(8, "41/a,"), (100, "41/a,"), (300, "44/a,")] {
        let (mut client, mut server) = open();
        let mut namespaces = both(&mut client, &mut server);
        server.set_window(window);
        let attachments: [&[u8]; 2] = [&[1; 700], &[2; 30]];
        waits(namespaces.socket("/a").expect("joined").emit_binary("x", "", &attachments));
        server.text(end);
        assert!(done(namespaces.recv()).is_ok());
        let unfinished = Err(SocketError::Send(SendError::Unfinished));
        assert_eq!(done(namespaces.socket("/b").expect("joined").emit("y", "")), unfinished);
        let mut other = namespaces.socket("/b").expect("joined");
        assert_eq!(done(other.emit_binary("y", "", &attachments)), unfinished, "another event");
        let mut sent = server.take();
        server.set_window(4096);
        server.text("2");
        waits(namespaces.recv());
        assert_eq!(done(namespaces.socket("/b").expect("joined").emit("y", "")), Ok(()));
        assert_eq!(done(namespaces.join("/a", "")), Ok(()));
        sent.extend(server.take());
        sent.retain(|sent| *sent != text("3"));
        let [Sent::Text(_), Sent::Binary(first), Sent::Binary(second), rest @ ..] = &sent[..] else {
            panic!("{sent:?}");
        };
        assert!(
            attachments[0].starts_with(first) && second.is_empty(),
            "{} and {}",
            first.len(),
            second.len()
        );
        assert_eq!(rest, [text(r#"42/b,["y"]"#), text("40/a,")]);
    }
}

#[test]
fn each_namespace_is_recovered_with_its_own_position() {
    let _clock = fakes::clock();
    let (mut a, mut b) = (Recovery::new(), Recovery::new());
    {
        let (mut client, mut server) = open();
        let mut namespaces = Namespaces::<_, _, 2, _>::new(&mut client);
        assert_eq!(done(namespaces.join_with_recovery("/a", "", &mut a)), Ok(()));
        assert_eq!(done(namespaces.join_with_recovery("/b", "", &mut b)), Ok(()));
        assert_eq!(server.take(), [text("40/a,"), text("40/b,")]);
        server.text(r#"40/a,{"pid":"pa"}"#);
        server.text(r#"40/b,{"pid":"pb"}"#);
        server.text(r#"42/b,["x","ob"]"#);
        server.text(r#"451-/a,["x",{"_placeholder":true,"num":0},"oa"]"#);
        for _ in 0..4 {
            assert!(done(namespaces.recv()).is_ok());
        }
        server.reset();
    }
    assert_eq!((b.pid(), b.offset()), ("pb", "ob"));
    assert_eq!((a.pid(), a.offset()), ("pa", ""), "its attachment has not arrived");

    let (mut client, mut server) = open();
    let mut namespaces = Namespaces::<_, _, 2, _>::new(&mut client);
    assert_eq!(done(namespaces.join_with_recovery("/b", r#"{"t":1}"#, &mut b)), Ok(()));
    assert_eq!(server.take(), [text(r#"40/b,{"pid":"pb","offset":"ob","t":1}"#)]);
    server.text(r#"42/b,["missed","oc"]"#);
    server.text(r#"40/b,{"pid":"pb"}"#);
    assert!(
        matches!(done(namespaces.recv()), Ok(("/b", Incoming::Event { event, .. })) if event.is("missed"))
    );
    assert_eq!(done(namespaces.recv()), Ok(("/b", Incoming::Connected { recovered: true })));
    assert_eq!(b.offset(), "oc");
}

/// Whose message it is, nobody knows.
#[test]
fn after_a_message_that_the_board_cannot_take_no_namespace_is_recovered() {
    let _clock = fakes::clock();
    for message in [format!(r#"42/a,["long","{}"]"#, "x".repeat(1_200)), "42/a,{}".to_owned()] {
        let (mut a, mut b) = (Recovery::new(), Recovery::new());
        {
            let (mut client, mut server) = open();
            let mut namespaces = Namespaces::<_, _, 2, _>::new(&mut client);
            assert_eq!(done(namespaces.join_with_recovery("/a", "", &mut a)), Ok(()));
            assert_eq!(done(namespaces.join_with_recovery("/b", "", &mut b)), Ok(()));
            for message in [r#"40/a,{"pid":"pa"}"#, r#"40/b,{"pid":"pb"}"#, &message] {
                server.text(message);
            }
            for _ in 0..2 {
                assert!(done(namespaces.recv()).is_ok());
            }
            assert!(done(namespaces.recv()).is_err());
        }
        let (mut client, mut server) = open();
        let mut namespaces = Namespaces::<_, _, 2, _>::new(&mut client);
        assert_eq!(done(namespaces.join_with_recovery("/a", "", &mut a)), Ok(()));
        assert_eq!(done(namespaces.join_with_recovery("/b", "", &mut b)), Ok(()));
        assert_eq!(server.take(), [text("40/a,"), text("40/b,")]);
    }
}

#[test]
fn a_packet_that_cannot_be_read_closes_the_session_of_all_namespaces() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut namespaces = both(&mut client, &mut server);
    server.text("42/b,{}");
    assert!(matches!(done(namespaces.recv()), Err(SocketError::Packet(_))));
    waits(namespaces.recv());
    assert_eq!(server.take(), [Sent::Close(None)]);
    server.hang_up();
    let end = done(namespaces.recv()).map(drop);
    assert!(matches!(end, Err(SocketError::Session(end)) if end.reason == DisconnectReason::LocalClose));
}

#[test]
fn what_ends_the_session_ends_all() {
    let _clock = fakes::clock();
    let after = |message: &str| {
        let (mut client, mut server) = open();
        let mut namespaces = both(&mut client, &mut server);
        server.text(message);
        done(namespaces.recv()).expect_err("an end")
    };
    assert!(matches!(after("1"), SocketError::Session(end) if end.reason == DisconnectReason::PeerClose));
    assert!(matches!(after("4nonsense"), SocketError::Packet(_)));
    assert!(matches!(after("451-/a,[\"x\",{\"_placeholder\":true,\"num\":1}]"), SocketError::Packet(_)));
}
