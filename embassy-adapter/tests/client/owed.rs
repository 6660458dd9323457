//! What the namespaces of a client owe the server is sent while the application receives, and does not hold it up: the rest
//! of a binary event whose namespace the server has closed, and the leaving of a namespace that was joined too late.

use eio_core::DisconnectReason;
use eio_embassy::socketio::{Incoming, SocketError};

use crate::fakes::{self, Sent, Server, done, impatient, open, text, waits};
use crate::namespaces::{Two, both};

/// Receives a ping and an event of `/b` every 50 ms, for longer than an interval and a timeout.
fn receive_news(namespaces: &mut Two<'_>, server: &mut Server) {
    for _ in 0..12 {
        server.text("2");
        server.text(r#"42/b,["news"]"#);
        let received = done(namespaces.recv());
        assert!(matches!(received, Ok(("/b", Incoming::Event { .. }))), "{received:?}");
        waits(namespaces.recv());
        fakes::advance(50_000);
    }
}

/// Rule 14: an application that receives does not stall. A server may read only once its own writes have been taken, so a
/// client that wrote first would wait for it forever.
#[test]
fn what_arrives_is_received_while_the_rest_of_a_binary_event_finds_no_room() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut namespaces = both(&mut client, &mut server);
    server.set_window(8);
    waits(namespaces.socket("/a").expect("joined").emit_binary("x", "", &[&[1; 700], &[2]]));
    server.text("41/a,");
    assert_eq!(done(namespaces.recv()), Ok(("/a", Incoming::Disconnected)));
    receive_news(&mut namespaces, &mut server);
    let mut sent = server.take();
    server.set_window(4096);
    for _ in 0..2 {
        server.text(r#"42/b,["news"]"#);
        assert!(matches!(done(namespaces.recv()), Ok(("/b", Incoming::Event { .. }))));
    }
    assert_eq!(done(namespaces.socket("/b").expect("joined").emit("y", "")), Ok(()), "nothing is owed");
    sent.extend(server.take());
    let [Sent::Text(_), pong, Sent::Binary(first), Sent::Binary(second), last] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert_eq!((pong, first.len(), second.len(), last), (&text("3"), 0, 0, &text(r#"42/b,["y"]"#)));
}

#[test]
fn what_arrives_is_received_while_the_request_to_leave_finds_no_room() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut namespaces = Two::new(&mut client);
    assert_eq!(done(namespaces.join("/a", "")), Ok(()));
    assert_eq!(done(namespaces.join("/b", "")), Ok(()));
    server.text("40/b,");
    assert_eq!(done(namespaces.recv()), Ok(("/b", Incoming::Connected { recovered: false })));
    assert_eq!(done(namespaces.leave("/a")), Ok(()));
    server.take();
    server.set_window(0);
    assert_eq!(done(namespaces.socket("/b").expect("joined").emit("x", "")), Ok(()));
    server.text("40/a,");
    receive_news(&mut namespaces, &mut server);
    server.set_window(4096);
    waits(namespaces.recv());
    assert_eq!(server.take(), [text(r#"42/b,["x"]"#), text("3"), text("41/a,")]);
}

/// A closing session and one whose writes fail send no rest.
#[test]
fn what_is_owed_does_not_keep_a_session_from_its_end() {
    let _clock = fakes::clock();
    for fails in [false, true] {
        let (mut client, mut server) = open();
        let mut namespaces = both(&mut client, &mut server);
        server.set_window(8);
        waits(namespaces.socket("/a").expect("joined").emit_binary("x", "", &[&[1; 700]]));
        server.text("41/a,");
        assert_eq!(done(namespaces.recv()), Ok(("/a", Incoming::Disconnected)));
        let reason = if fails {
            server.refuse_writes();
            DisconnectReason::TransportReset
        } else {
            server.text("4nonsense");
            assert!(matches!(done(namespaces.recv()), Err(SocketError::Packet(_))));
            server.set_window(4096);
            waits(namespaces.recv());
            server.hang_up();
            DisconnectReason::LocalClose
        };
        let end = done(namespaces.recv()).map(drop);
        assert!(matches!(end, Err(SocketError::Session(end)) if end.reason == reason), "{end:?}");
        let sent = server.take();
        assert!(!sent.iter().any(|sent| matches!(sent, Sent::Binary(_))), "{sent:?}");
    }
}

#[test]
fn receiving_may_be_dropped_at_any_poll_while_the_rest_of_a_binary_event_is_sent() {
    let _clock = fakes::clock();
    for patience in 1..6 {
        for window in [1, 7, 1_000] {
            let (mut client, mut server) = open();
            let mut namespaces = both(&mut client, &mut server);
            server.set_window(8);
            waits(namespaces.socket("/a").expect("joined").emit_binary("x", "", &[&[1; 700], &[2], &[3]]));
            server.text("41/a,");
            assert!(done(namespaces.recv()).is_ok());
            server.set_stutters();
            let mut sent = server.take();
            server.set_window(window);
            for number in 0..20 {
                server.text(&format!("42/b,[\"n\",{number}]"));
            }
            let mut numbers = Vec::new();
            for _ in 0..1_000 {
                if let Some(received) = impatient(namespaces.recv(), patience) {
                    let Ok(("/b", Incoming::Event { event, .. })) = received else { panic!("{received:?}") };
                    numbers.push(event.args().as_str().to_owned());
                }
                sent.extend(server.take());
            }
            assert_eq!(numbers, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
            let [Sent::Text(_), rest @ ..] = &sent[..] else { panic!("{sent:?}") };
            let empty = Sent::Binary(Vec::new());
            assert_eq!(rest, [empty.clone(), empty.clone(), empty], "{patience} polls, window {window}");
        }
    }
}
