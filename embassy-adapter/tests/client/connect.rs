//! Opening: the request, the response, the handshake, and everything that can be wrong with them.

use core::pin::pin;
use core::task::Poll;
use std::collections::HashSet;

use eio_core::handshake::HandshakeErrorKind;
use eio_core::packet::WebSocketMessage;
use eio_core::session::Violation;
use eio_core::ws::Key;
use eio_core::ws::opening::ResponseError;
use eio_core::{DisconnectReason, Heartbeat};
use eio_embassy::{
    Buffers, Client, ClientSettings, ConnectError, Endpoint, LongMessages, Protocol, SendError,
};

use crate::fakes::{self, OPEN, Server, Task, buffers, connect_with, done, open, rng, waits};

fn failure(settings: &ClientSettings, answer: impl FnOnce(&mut Server, String)) -> ConnectError {
    connect_with(settings, buffers(512, 512), answer).map(drop).expect_err("no session")
}

fn answered(answer: impl FnOnce(String) -> String) -> ConnectError {
    failure(&ClientSettings::DEFAULT, |server, switch| {
        server.raw(answer(switch).as_bytes());
        server.text(OPEN);
        server.hang_up();
    })
}

#[test]
fn the_request_is_what_a_server_expects() {
    let _clock = fakes::clock();
    let (mut server, reader, writer) = Server::new();
    let endpoint = Endpoint {
        query: "device=7&x=%20",
        headers: &[("Authorization", "Bearer a b"), ("X-Empty", "")],
        ..Endpoint::socketio("example.com:3000")
    };
    let settings = ClientSettings { protocol: Protocol::V3, ..ClientSettings::DEFAULT };
    let mut connect = pin!(fakes::connect(reader, writer, &endpoint, buffers(512, 512), rng(), &settings));
    assert!(Task::new().poll(connect.as_mut()).is_pending());
    let (request, _) = server.request();
    let lines: Vec<_> = request.split("\r\n").collect();
    let key = lines[5].strip_prefix("Sec-WebSocket-Key: ").expect("a key");
    assert_eq!(key.len(), 24);
    let expected = [
        "GET /socket.io/?EIO=3&transport=websocket&device=7&x=%20 HTTP/1.1",
        "Host: example.com:3000",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        lines[5],
        "Authorization: Bearer a b",
        "X-Empty: ",
        "",
        "",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn each_connection_has_a_key_of_its_own() {
    let _clock = fakes::clock();
    let random = rng();
    let mut keys = HashSet::new();
    for _ in 0..20 {
        let (mut server, reader, writer) = Server::new();
        let settings = ClientSettings::DEFAULT;
        let mut client =
            Client::new(reader, writer, buffers(512, 512), &mut *random, &settings).expect("room");
        waits(client.connect(&Endpoint::engineio("host")));
        let (request, _) = server.request();
        let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
        assert!(Key::parse(key.as_bytes()).is_ok(), "{key}");
        assert!(keys.insert(key.to_owned()), "{key} comes again");
    }
}

#[test]
fn an_open_session_knows_what_the_server_said() {
    let _clock = fakes::clock();
    let (client, _server) = open();
    assert_eq!(client.sid(), Some("lv_VI97HAXpY6yYWAAAC"));
    assert_eq!(Heartbeat::from_millis(300, 200).ok(), client.heartbeat());
    assert_eq!(client.max_payload(), Some(100_000));
    assert!(client.is_open());
    assert_eq!(client.end(), None);
    assert_eq!(client.rtt(), None);
    assert_eq!(client.time_to_deadline(), Some(core::time::Duration::from_millis(500)));
}

#[test]
fn the_answer_may_come_in_any_two_pieces_and_byte_by_byte() {
    let _clock = fakes::clock();
    let script = |switch: String| {
        let mut bytes = switch.into_bytes();
        bytes.extend(fakes::frame(eio_core::packet::WebSocketMessage::Text(OPEN)));
        bytes.extend(fakes::frame(eio_core::packet::WebSocketMessage::Text("4hello")));
        bytes
    };
    for cut in 0..300 {
        let (mut server, reader, writer) = Server::new();
        let endpoint = Endpoint::engineio("host");
        let task = Task::new();
        let mut connect = Box::pin(fakes::connect(
            reader,
            writer,
            &endpoint,
            buffers(512, 512),
            rng(),
            &ClientSettings::DEFAULT,
        ));
        assert!(task.poll(connect.as_mut()).is_pending());
        let bytes = script(server.request().1);
        let (head, tail) = bytes.split_at(cut.min(bytes.len()));
        server.raw(head);
        let mut early = task.poll(connect.as_mut());
        if early.is_pending() {
            server.raw(tail);
            early = task.poll(connect.as_mut());
        } else {
            server.raw(tail);
        }
        let Poll::Ready(Ok(mut client)) = early else { panic!("cut at {cut}") };
        assert_eq!(fakes::received(fakes::done(client.recv()).expect("a message")), fakes::text("hello"));
    }
    let (mut client, _server) =
        connect_with(&ClientSettings::DEFAULT, buffers(512, 512), |server, switch| {
            server.set_at_once(1, 1);
            server.raw(&script(switch));
        })
        .expect("a session");
    assert_eq!(fakes::received(fakes::done(client.recv()).expect("a message")), fakes::text("hello"));
}

#[test]
fn a_response_that_does_not_answer_the_request_is_refused_with_the_reason() {
    let _clock = fakes::clock();
    let body = "HTTP/1.1 400 Bad Request\r\nContent-Length: 34\r\n\r\n{\"code\":0,\"message\":\"Transport unknown\"}";
    assert_eq!(answered(|_| body.to_owned()), ResponseError::Status { status: 400 }.into());
    assert_eq!(answered(|_| "SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned()), ResponseError::NotHttp.into());
    assert_eq!(
        answered(|switch| switch.replace("Upgrade: websocket", "Upgrade: h2c")),
        ResponseError::Upgrade.into()
    );
    assert_eq!(
        answered(|switch| switch.replace("Connection: Upgrade", "Connection: close")),
        ResponseError::Connection.into()
    );
    assert_eq!(
        answered(|switch| switch.replace("Upgrade: websocket", "Upgrade: h2c, websocket")),
        ResponseError::Upgrade.into()
    );
    let with = |header: &str, switch: String| switch.replace("\r\n\r\n", &format!("\r\n{header}\r\n\r\n"));
    for (header, error) in [
        ("Upgrade: h2c", ResponseError::Upgrade),
        ("Sec-WebSocket-Extensions: permessage-deflate", ResponseError::Extension),
        ("Sec-WebSocket-Protocol: chat", ResponseError::Protocol),
    ] {
        assert_eq!(answered(|switch| with(header, switch)), error.into(), "{header}");
    }
    let wrong = |switch: String| switch.replace("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x");
    assert_eq!(answered(wrong), ResponseError::Accept.into());
    assert_eq!(answered(|switch| switch.replace("-Accept", "-Other")), ResponseError::Accept.into());
    let again = |switch: String| with("Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ==", switch);
    assert_eq!(answered(again), ResponseError::Accept.into());
    for broken in ["no colon", ": no name", " folded: x", "a b: c", "X: y\nZ: w"] {
        assert_eq!(answered(|switch| with(broken, switch)), ResponseError::NotHttp.into(), "{broken}");
    }
    for first in ["HTTP/1.1 101x", "HTTP/1.1 1", "HTTP/1.0 101 x", "HTTP/1.1 1o1 x", "HTTP/1.1  101"] {
        let first = |switch: String| switch.replacen("HTTP/1.1 101 Switching Protocols", first, 1);
        assert_eq!(answered(first), ResponseError::NotHttp.into());
    }
    let long = |switch: String| with(&format!("X: {}", "y".repeat(512)), switch);
    assert_eq!(answered(long), ConnectError::HeadTooLong);
    let endless = failure(&ClientSettings::DEFAULT, |server, _| {
        server.raw(&[b"HTTP/1.1 101 ", &[b'x'; 5000][..]].concat());
    });
    assert_eq!(endless, ConnectError::HeadTooLong);
    let other = failure(&ClientSettings::DEFAULT, |server, _| server.raw(b"SSH-2.0"));
    assert_eq!(other, ResponseError::NotHttp.into(), "before its line ends");
    assert_eq!(
        answered(|_| "HTTP/1.0 501 x\r\n\r\n".to_owned()),
        ResponseError::Status { status: 501 }.into()
    );
}

#[test]
fn headers_in_other_cases_and_lists_are_understood() {
    let _clock = fakes::clock();
    let answer = |server: &mut Server, switch: String| {
        let switch = switch
            .replace("HTTP/1.1 101 Switching Protocols", "HTTP/1.1 101\r\nServer:\r\nX: \u{e4}: b")
            .replace("Upgrade: websocket", "UPGRADE: WebSocket")
            .replace("Connection: Upgrade", "connection:  keep-alive , upgrade ");
        server.raw(switch.as_bytes());
        server.text(OPEN);
    };
    assert!(connect_with(&ClientSettings::DEFAULT, buffers(512, 512), answer).is_ok());
}

#[test]
fn a_handshake_that_cannot_be_used_ends_the_session_with_its_reason() {
    let _clock = fakes::clock();
    let reason = |packet: &'static str| {
        failure(&ClientSettings::DEFAULT, |server, switch| {
            server.raw(switch.as_bytes());
            server.text(packet);
        })
        .reason()
        .expect("the session's own reason")
    };
    assert!(matches!(
        reason(r#"0{"sid":"x","pingInterval":"25000","pingTimeout":20000}"#),
        DisconnectReason::BadHandshake(HandshakeErrorKind::WrongType(_))
    ));
    assert_eq!(reason("4early"), DisconnectReason::UnexpectedPacket);
    assert_eq!(reason("1"), DisconnectReason::PeerClose);
    assert!(matches!(reason("x"), DisconnectReason::ServerError(_)));
    let too_long = failure(&ClientSettings::DEFAULT, |server, switch| {
        server.raw(switch.as_bytes());
        server.text(&format!("0{}", " ".repeat(600)));
    });
    assert_eq!(too_long.reason(), Some(DisconnectReason::Violation(Violation::PayloadTooLarge)));
    let small = connect_with(&ClientSettings::DEFAULT, buffers(200, 512), |server, switch| {
        server.raw(switch.as_bytes());
        server.text(OPEN);
    });
    assert_eq!(small.err(), Some(ConnectError::RxTooSmall { needed: Buffers::RX_ENOUGH }));
    let settings =
        ClientSettings { long_messages: LongMessages::in_pieces(5_000), ..ClientSettings::DEFAULT };
    let in_pieces = failure(&settings, |server, switch| {
        server.raw(switch.as_bytes());
        server.text(&format!("0{}", " ".repeat(600)));
    });
    assert_eq!(in_pieces.reason(), Some(DisconnectReason::Violation(Violation::PayloadTooLarge)));
}

#[test]
fn the_end_of_the_stream_is_noticed_at_every_step() {
    let _clock = fakes::clock();
    let end = |answer: fn(&mut Server, String)| failure(&ClientSettings::DEFAULT, answer).reason();
    assert_eq!(end(|server, _| server.hang_up()), Some(DisconnectReason::TransportClosed));
    assert_eq!(end(|server, _| server.reset()), Some(DisconnectReason::TransportReset));
    assert_eq!(
        end(|server, switch| {
            server.raw(&switch.as_bytes()[..20]);
            server.hang_up();
        }),
        Some(DisconnectReason::TransportClosed)
    );
    assert_eq!(
        end(|server, switch| {
            server.raw(switch.as_bytes());
            server.hang_up();
        }),
        Some(DisconnectReason::TransportClosed)
    );
}

#[test]
fn the_open_timeout_counts_from_the_start_through_every_step() {
    // The server does nothing; takes no byte; switches protocols and is silent; sends a byte now and then.
    for step in 0..4 {
        let _clock = fakes::clock();
        let (mut server, reader, writer) = Server::new();
        if step == 1 {
            server.set_window(10);
        }
        let settings = ClientSettings {
            open_timeout: core::time::Duration::from_millis(700),
            ..ClientSettings::DEFAULT
        };
        let endpoint = Endpoint::engineio("host");
        let task = Task::new();
        let mut connect =
            pin!(fakes::connect(reader, writer, &endpoint, buffers(512, 512), rng(), &settings));
        assert!(task.poll(connect.as_mut()).is_pending());
        if step == 2 {
            let (_, switch) = server.request();
            server.raw(switch.as_bytes());
        }
        for _ in 0..699 {
            fakes::advance(1_000);
            if step == 3 && fakes::now().is_multiple_of(10_000) {
                let sent = (fakes::now() / 10_000) as usize;
                server.raw(b"HTTP/1.1 101 ".get(sent - 1..sent).unwrap_or(b"x"));
            }
            assert!(task.poll(connect.as_mut()).is_pending(), "step {step} at {}", fakes::now());
        }
        fakes::advance(999);
        assert!(task.poll(connect.as_mut()).is_pending(), "step {step}");
        fakes::advance(1);
        assert!(task.is_woken(), "step {step}");
        let Poll::Ready(Err(error)) = task.poll(connect.as_mut()) else { panic!("step {step}") };
        assert_eq!(error.reason(), Some(DisconnectReason::OpenTimeout), "step {step}");
    }
}

#[test]
fn buffers_that_are_too_small_say_how_large_they_must_be() {
    let _clock = fakes::clock();
    let attempt = |rx, tx| {
        let (_server, reader, writer) = Server::new();
        let (endpoint, settings) = (Endpoint::engineio("host"), ClientSettings::DEFAULT);
        let mut connect = pin!(fakes::connect(reader, writer, &endpoint, buffers(rx, tx), rng(), &settings));
        match Task::new().poll(connect.as_mut()) {
            Poll::Pending => Ok(()),
            Poll::Ready(result) => Err(result.expect_err("no session")),
        }
    };
    let (rx, tx) = (Buffers::RX_OVERHEAD + 1, Buffers::TX_OVERHEAD + 125);
    assert_eq!(attempt(rx, tx), Ok(()));
    assert_eq!(attempt(rx - 1, tx), Err(ConnectError::RxTooSmall { needed: rx }));
    assert_eq!(attempt(rx, tx - 1), Err(ConnectError::TxTooSmall { needed: tx }));

    let (_server, reader, writer) = Server::new();
    let endpoint = Endpoint { query: &"x".repeat(300), ..Endpoint::engineio("host") };
    let settings = ClientSettings::DEFAULT;
    let mut connect = pin!(fakes::connect(reader, writer, &endpoint, buffers(rx, tx), rng(), &settings));
    let Poll::Ready(Err(ConnectError::TxTooSmall { needed })) = Task::new().poll(connect.as_mut()) else {
        panic!("it fits");
    };
    let (_server, reader, writer) = Server::new();
    let mut connect = pin!(fakes::connect(reader, writer, &endpoint, buffers(rx, needed), rng(), &settings));
    assert!(Task::new().poll(connect.as_mut()).is_pending());
}

#[test]
fn nothing_can_be_smuggled_into_the_request() {
    let _clock = fakes::clock();
    let base = Endpoint::engineio("host");
    for endpoint in [
        Endpoint { host: "a\r\nX: y", ..base },
        Endpoint { host: "", ..base },
        Endpoint { path: "no-slash", ..base },
        Endpoint { path: "/a b", ..base },
        Endpoint { path: "/a?b=c", ..base },
        Endpoint { query: "a b", ..base },
        Endpoint { query: "a\n", ..base },
        Endpoint { headers: &[("X", "y\r\nZ: w")], ..base },
        Endpoint { headers: &[("X:", "y")], ..base },
        Endpoint { headers: &[("", "y")], ..base },
        Endpoint { headers: &[("X", "\u{e4}")], ..base },
    ] {
        let (mut server, reader, writer) = Server::new();
        let settings = ClientSettings::DEFAULT;
        let mut connect =
            pin!(fakes::connect(reader, writer, &endpoint, buffers(512, 512), rng(), &settings));
        let Poll::Ready(Err(error)) = Task::new().poll(connect.as_mut()) else { panic!("{endpoint:?}") };
        assert!(matches!(error, ConnectError::InvalidEndpoint(_)), "{error:?}");
        assert!(server.take_raw().is_empty());
    }
}

#[test]
fn a_client_that_never_asked_for_a_session_sends_nothing_and_ends() {
    let _clock = fakes::clock();
    let client = || {
        let (server, reader, writer) = Server::new();
        (
            Client::new(reader, writer, buffers(512, 512), rng(), &ClientSettings::DEFAULT).expect("room"),
            server,
        )
    };
    let (mut closed, mut server) = client();
    assert_eq!(done(closed.close()).reason, DisconnectReason::LocalClose);
    assert!(server.take_raw().is_empty());

    let (mut waiting, mut server) = client();
    waits(waiting.recv());
    waits(waiting.send(WebSocketMessage::Text("early")));
    fakes::advance(20_000_000);
    assert_eq!(done(waiting.send(WebSocketMessage::Text("late"))), Err(SendError::Closed));
    assert_eq!(waiting.end().map(|end| end.reason), Some(DisconnectReason::OpenTimeout));
    assert!(server.take_raw().is_empty());
}

#[test]
fn what_the_handshake_announces_is_not_known_before() {
    let _clock = fakes::clock();
    let (_server, reader, writer) = Server::new();
    let client = Client::new(reader, writer, buffers(1024, 512), rng(), &ClientSettings::DEFAULT)
        .expect("large buffers");
    assert_eq!((client.heartbeat(), client.sid(), client.max_payload()), (None, None, None));
}
