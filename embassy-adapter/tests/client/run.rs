//! A session in a task of its own, over a stream that forbids to drop what waits.

use core::cell::Cell;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::rc::Rc;

use eio_core::DisconnectReason;
use eio_core::packet::WebSocketMessage;
use eio_core::session::{SessionEnd, Violation};
use eio_core::ws::{Close, CloseCode, ControlFrame};
use eio_embassy::{ClientSettings, Command, Endpoint, Message, SendError};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::channel::Channel;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};

use crate::fakes::{self, OPEN, Reader, Sent, Server, Task, Writer, buffers, rng, text};

type Commands = Channel<NoopRawMutex, Command<600>, 4>;
type Messages = Channel<NoopRawMutex, Message<600>, 2>;

/// A stream whose waiting futures must not be dropped while the session lives: it counts them.
struct Strict<S> {
    stream: S,
    dropped: Rc<Cell<u32>>,
}

/// Counts when it is dropped before it is done.
struct Whole<F> {
    future: F,
    waits: bool,
    dropped: Rc<Cell<u32>>,
}

impl<F: Future + Unpin> Future for Whole<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let result = Pin::new(&mut self.future).poll(cx);
        self.waits = result.is_pending();
        result
    }
}

impl<F> Drop for Whole<F> {
    fn drop(&mut self) {
        if self.waits {
            self.dropped.set(self.dropped.get() + 1);
        }
    }
}

impl<S> ErrorType for Strict<S> {
    type Error = ErrorKind;
}

impl Read for Strict<Reader> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        Whole { future: Box::pin(self.stream.read(buf)), waits: false, dropped: self.dropped.clone() }.await
    }
}

impl Write for Strict<Writer> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        Whole { future: Box::pin(self.stream.write(buf)), waits: false, dropped: self.dropped.clone() }.await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Tells a story to a session that runs: `story` gets the server, the channels, and a function that lets the session
/// run as far as it can, which says how it ended.
fn story(
    settings: &ClientSettings,
    story: impl FnOnce(&mut Server, &Commands, &Messages, &mut dyn FnMut() -> Option<SessionEnd>),
) {
    let refused = story_of(settings, OPEN, story);
    assert_eq!(refused, [], "every message can be sent");
}

/// The same with this handshake; returns the messages that were refused, and why.
fn story_of(
    settings: &ClientSettings,
    handshake: &str,
    story: impl FnOnce(&mut Server, &Commands, &Messages, &mut dyn FnMut() -> Option<SessionEnd>),
) -> Vec<(Message<600>, SendError)> {
    let _clock = fakes::clock();
    let (mut server, reader, writer) = Server::new();
    let dropped = Rc::new(Cell::new(0));
    let reader = Strict { stream: reader, dropped: dropped.clone() };
    let writer = Strict { stream: writer, dropped: dropped.clone() };
    let endpoint = Endpoint::engineio("host");
    let task = Task::new();
    let mut connect = Box::pin(fakes::connect(reader, writer, &endpoint, buffers(800, 400), rng(), settings));
    assert!(task.poll(connect.as_mut()).is_pending());
    let (_, switch) = server.request();
    server.raw(switch.as_bytes());
    server.text(handshake);
    let Poll::Ready(Ok(mut client)) = task.poll(connect.as_mut()) else { panic!("no session") };
    dropped.set(0);
    let (commands, messages) = (Commands::new(), Messages::new());
    let refused = core::cell::RefCell::new(Vec::new());
    let mut run =
        Box::pin(client.run(&commands, &messages, |message, why| refused.borrow_mut().push((message, why))));
    let mut ended = None;
    story(&mut server, &commands, &messages, &mut || {
        if ended.is_none()
            && let Poll::Ready(end) = task.poll(run.as_mut())
        {
            ended = Some(end);
        }
        assert!(ended.is_some() || dropped.get() == 0, "dropped while it waits");
        ended
    });
    drop(run);
    refused.into_inner()
}

fn send(commands: &Commands, message: &str) {
    let message = Message::new(WebSocketMessage::Text(message)).expect("it fits");
    assert!(commands.try_send(Command::Send(message)).is_ok());
}

#[test]
fn messages_go_both_ways_and_pings_are_answered() {
    story(&ClientSettings::DEFAULT, |server, commands, messages, run| {
        assert_eq!(run(), None);
        for round in 0..20 {
            fakes::advance(300_000);
            server.text("2");
            server.text(&format!("4{round}"));
            server.binary(&[round; 300]);
            server.control(ControlFrame::Ping(b"x"));
            send(commands, &"y".repeat(usize::from(round) * 30));
            assert_eq!(run(), None);
            let received = messages.try_receive().expect("a message");
            assert_eq!(received.as_websocket_message(), WebSocketMessage::Text(&round.to_string()));
            let received = messages.try_receive().expect("a message");
            assert_eq!(received.as_websocket_message(), WebSocketMessage::Binary(&[round; 300]));
            let mut sent = server.take();
            sent.sort_by_key(|sent| format!("{sent:?}"));
            let message = text(&format!("4{}", "y".repeat(usize::from(round) * 30)));
            let mut expected = [text("3"), message, Sent::Pong(b"x".to_vec())];
            expected.sort_by_key(|sent| format!("{sent:?}"));
            assert_eq!(sent, expected);
        }
    });
}

#[test]
fn every_cut_of_both_streams_is_the_same() {
    for at_once in 1..20 {
        story(&ClientSettings::DEFAULT, |server, commands, messages, run| {
            server.set_stutters();
            server.set_at_once(at_once, at_once);
            server.text("4hello");
            server.text("2");
            server.text("4world");
            send(commands, "one");
            send(commands, &"two".repeat(150));
            assert_eq!(run(), None);
            for expected in ["hello", "world"] {
                assert_eq!(
                    messages.try_receive().expect("a message").as_websocket_message(),
                    WebSocketMessage::Text(expected)
                );
            }
            let mut sent = server.take();
            sent.retain(|sent| *sent != text("3"));
            assert_eq!(sent, [text("4one"), text(&format!("4{}", "two".repeat(150)))]);
        });
    }
}

#[test]
fn a_write_that_hangs_hides_neither_pings_nor_the_end() {
    story(&ClientSettings::DEFAULT, |server, commands, _, run| {
        server.set_window(3);
        send(commands, "stuck");
        assert_eq!(run(), None);
        fakes::advance(400_000);
        server.text("2");
        assert_eq!(run(), None);
        fakes::advance(499_999);
        assert_eq!(run(), None);
        fakes::advance(1);
        assert_eq!(run().map(|end| end.reason), Some(DisconnectReason::PingTimeout));
    });
}

#[test]
fn an_application_that_does_not_take_its_messages_is_not_a_silent_server() {
    let settings =
        ClientSettings { app_stall_timeout: Some(Duration::from_millis(900)), ..ClientSettings::DEFAULT };
    story(&settings, |server, _, messages, run| {
        for _ in 0..3 {
            server.text("4x");
        }
        assert_eq!(run(), None);
        fakes::advance(899_999);
        assert_eq!(run(), None, "silence is not judged");
        assert!(messages.try_receive().is_ok());
        assert_eq!(run(), None);
        fakes::advance(499_999);
        assert_eq!(run(), None, "it counts from when reading resumed");
        server.text("4y");
        server.text("2");
        assert_eq!(run(), None);
        fakes::advance(900_000);
        assert_eq!(run().map(|end| end.reason), Some(DisconnectReason::ApplicationStalled));
    });
}

#[test]
fn closing_comes_after_what_was_commanded_before() {
    story(&ClientSettings::DEFAULT, |server, commands, _, run| {
        send(commands, "last");
        assert!(commands.try_send(Command::Close).is_ok());
        assert_eq!(run().map(|end| end.reason), Some(DisconnectReason::LocalClose));
        assert_eq!(server.take(), [text("4last"), Sent::Close(None)]);
    });
}

#[test]
fn every_end_is_noticed_after_what_came_before_it() {
    type End = (fn(&mut Server), DisconnectReason);
    let ends: [End; 5] = [
        (Server::hang_up, DisconnectReason::TransportClosed),
        (Server::reset, DisconnectReason::TransportReset),
        (|server| server.text("1"), DisconnectReason::PeerClose),
        (|server| server.control(ControlFrame::Close(None)), DisconnectReason::TransportClosed),
        (|server| server.binary(&[0; 601]), DisconnectReason::Violation(Violation::PayloadTooLarge)),
    ];
    for (end, reason) in ends {
        story(&ClientSettings::DEFAULT, |server, _, messages, run| {
            server.text("4before");
            end(server);
            assert_eq!(run().map(|end| end.reason), Some(reason));
            assert_eq!(
                messages.try_receive().expect("a message").as_websocket_message(),
                WebSocketMessage::Text("before")
            );
        });
    }
}

#[test]
fn a_message_is_as_long_as_it_is_on_the_wire_and_one_that_is_too_long_comes_back() {
    let handshake = r#"0{"sid":"a","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":300}"#;
    let message = |frame| Message::new(frame).expect("it fits");
    let (longest, longer) = ([7; 300], [7; 301]);
    let words = "x".repeat(300);
    let refused = story_of(&ClientSettings::DEFAULT, handshake, |server, commands, _, run| {
        // Bytes have no prefix in revision 4, text has one.
        for frame in [
            WebSocketMessage::Binary(&longest),
            WebSocketMessage::Binary(&longer),
            WebSocketMessage::Text(&words[1..]),
            WebSocketMessage::Text(&words),
        ] {
            assert!(commands.try_send(Command::Send(message(frame))).is_ok());
        }
        assert_eq!(run(), None);
        assert_eq!(server.take(), [Sent::Binary(longest.to_vec()), text(&format!("4{}", &words[1..]))]);
    });
    let too_large = SendError::TooLarge { max: 300 };
    assert_eq!(
        refused,
        [
            (message(WebSocketMessage::Binary(&longer)), too_large),
            (message(WebSocketMessage::Text(&words)), too_large)
        ]
    );
}

#[test]
fn a_session_can_be_closed_with_a_code_and_words() {
    story(&ClientSettings::DEFAULT, |server, commands, _, run| {
        let close = Close::new(CloseCode::new(4001), "battery low").expect("short words");
        assert!(commands.try_send(Command::CloseWith(close)).is_ok());
        assert_eq!(run().map(|end| end.reason), Some(DisconnectReason::LocalClose));
        assert_eq!(server.take(), [Sent::Close(Some(4001))]);
    });
}
