//! A session that the board held, byte by byte by its own clock, replayed into the core on the host: the same answers
//! and the same end.

use core::time::Duration;

use eio_core::packet::{WebSocketMessage, v4};
use eio_core::session::{Control, SessionEnd};
use eio_core::ws::{ControlFrame, Decoder, Reader, Received};
use eio_core::{ClientSession, Instant};
use eio_tests::firmware::{Board, Line, Peer, Power};
use serde_json::json;

use crate::{SOON, WINDOW, micros, reason};

/// As `ClientSettings::DEFAULT` on the board.
const OPEN_TIMEOUT: Duration = Duration::from_secs(20);

#[test]
fn a_recorded_session_that_ended_in_silence_ends_the_same_on_the_host() {
    let (log, end) = record(|server| server.freeze());
    assert_eq!(reason(&end), "ping timeout");
    assert_same(&replay(&log), &log, &end);
}

#[test]
fn a_recorded_session_that_the_server_closed_ends_the_same_on_the_host() {
    let (log, end) = record(|server| server.order(json!({"do": "close"})));
    assert_eq!(reason(&end), "transport close");
    assert_same(&replay(&log), &log, &end);
}

/// The log of a board with a session that lives for three heartbeats and two messages, and then `ends`.
fn record(ends: impl FnOnce(&mut Peer)) -> (Vec<Line>, Line) {
    let power = Power::on();
    let mut server = Peer::node("engineio", 0, 300, 400);
    let mut board = Board::start(power, "recorded", &format!("port={}", server.port()));
    board.expect("begin", SOON);
    server.expect("pong", SOON);
    server.order(json!({"do": "text", "text": "one"}));
    server.expect("text", SOON);
    server.expect("pong", SOON);
    server.order(json!({"do": "text", "text": "two"}));
    server.expect("text", SOON);
    server.expect("pong", SOON);
    ends(&mut server);
    let end = board.expect("end ", SOON);
    assert_eq!(board.exit_code(SOON), 0);
    let from = board.seen().iter().position(|line| line.text == "begin").expect("waited for above");
    (board.seen()[from..].to_vec(), end)
}

/// What the core did with the same bytes at the same times.
#[derive(Default)]
struct Replayed {
    /// How it ended, and when.
    end: Option<(SessionEnd, Instant)>,
    /// When it wanted a pong sent.
    pongs: Vec<Instant>,
    messages: usize,
}

fn replay(log: &[Line]) -> Replayed {
    let mut session = ClientSession::eio4(OPEN_TIMEOUT, at(&log[0]));
    let mut buffer = [0; 4096];
    let mut reader = Reader::new(Decoder::client(1_000), &mut buffer).expect("a large buffer");
    let mut replayed = Replayed::default();
    let mut head = Vec::new();
    let mut upgraded = false;
    for line in log {
        let now = at(line);
        while let Some(deadline) = session.poll_timeout().filter(|deadline| *deadline < now) {
            session.handle_timeout(deadline);
            replayed.drain(&mut session, deadline);
        }
        let Some(mut bytes) = bytes(line, "in ") else { continue };
        if bytes.is_empty() {
            session.handle_transport_closed(now);
        }
        if !upgraded {
            head.append(&mut bytes);
            let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            bytes = head.split_off(end + 4);
            upgraded = true;
        }
        reader.spare()[..bytes.len()].copy_from_slice(&bytes);
        reader.filled(bytes.len());
        while let Some(received) = reader.poll().expect("the server keeps to RFC 6455") {
            match received {
                Received::Message(frame) => {
                    let event = session.handle_packet(now, v4::decode(frame));
                    replayed.messages +=
                        usize::from(matches!(event, Some(eio_core::SessionEvent::Message(_))));
                }
                Received::Control(ControlFrame::Close(close)) => session.handle_close_frame(now, close),
                Received::Control(_) | Received::Piece(_) => {}
            }
            replayed.drain(&mut session, now);
        }
        replayed.drain(&mut session, now);
    }
    replayed
}

impl Replayed {
    /// Takes what the session wants.
    fn drain(&mut self, session: &mut ClientSession, now: Instant) {
        while let Some(control) = session.poll_transmit() {
            if control == Control::Pong {
                self.pongs.push(now);
            }
        }
        self.end = self.end.or(session.end().map(|end| (end, now)));
    }
}

/// That the board said, did and found the same, at most [`WINDOW`] after the core on the host.
fn assert_same(replayed: &Replayed, log: &[Line], end: &Line) {
    let (disconnect, host) = replayed.end.expect("the session ends on the host too");
    assert_eq!(reason(end), disconnect.reason.as_str());
    let (silent, expected) = (micros(end, "silent_us"), disconnect.silent_for);
    // The log is written after the fact: what the host sees at the same time, the board saw a moment before.
    assert!(silent.abs_diff(expected) <= WINDOW, "{silent:?} on the board, {expected:?} on the host");
    let late = at(end).saturating_duration_since(host);
    assert!(at(end) >= host && late <= WINDOW, "told {late:?} after the host");

    let sent = sent_frames(log);
    let pongs: Vec<Instant> = sent.iter().filter(|(_, text)| text == "3").map(|(at, _)| *at).collect();
    assert_eq!(pongs.len(), replayed.pongs.len(), "{sent:?}");
    assert!(pongs.len() >= 3, "{sent:?}");
    for (board, host) in pongs.iter().zip(&replayed.pongs) {
        assert!(
            board.saturating_duration_since(*host) <= WINDOW,
            "{board:?} on the board, {host:?} on the host"
        );
    }
    assert_eq!(replayed.messages, 2);
    let messages: Vec<&str> =
        sent.iter().map(|(_, text)| text.as_str()).filter(|text| *text != "3").collect();
    assert_eq!(messages, ["4one", "4two"]);
}

/// The texts that the board sent after the request, and when they had left.
fn sent_frames(log: &[Line]) -> Vec<(Instant, String)> {
    let mut buffer = [0; 4096];
    let mut reader = Reader::new(Decoder::server(1_000), &mut buffer).expect("a large buffer");
    let mut sent = Vec::new();
    for line in log {
        let Some(bytes) = bytes(line, "out ").filter(|bytes| !bytes.starts_with(b"GET ")) else { continue };
        reader.spare()[..bytes.len()].copy_from_slice(&bytes);
        reader.filled(bytes.len());
        while let Some(received) = reader.poll().expect("the board keeps to RFC 6455") {
            if let Received::Message(WebSocketMessage::Text(text)) = received {
                sent.push((at(line), text.to_owned()));
            }
        }
    }
    sent
}

fn at(line: &Line) -> Instant {
    Instant::from_micros(u64::try_from(line.at.as_micros()).expect("a short test"))
}

/// The bytes in a line such as `in [50, 51]`.
fn bytes(line: &Line, direction: &str) -> Option<Vec<u8>> {
    serde_json::from_str(line.text.strip_prefix(direction)?).ok()
}
