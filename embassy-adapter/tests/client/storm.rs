//! Random stories: whatever is called, dropped and delayed, no message is lost, doubled or changed, and every wait ends.

use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use eio_core::packet::{Data, WebSocketMessage};
use eio_core::ws::{ControlFrame, FrameHeader, MessageKind, OpCode, Piece, Reader};
use eio_embassy::{Client, ClientSettings, Endpoint, IncomingMessage, LongMessages, Protocol, SendError};

use crate::fakes::{self, OPEN, Sent, Server, Task, TestClient, buffers, open_with, rng};
use crate::stream::STORIES;

struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `below`.
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(below).expect("small")).expect("below `below`")
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}

/// A message in random fragments, of which some are empty, with pings between them.
fn send_in_fragments(dice: &mut Dice, server: &mut Server, opcode: OpCode, message: &[u8]) {
    let mut rest = message;
    let mut opcode = opcode;
    loop {
        let len = if dice.roll(3) == 0 { rest.len() } else { dice.roll(rest.len() + 1) };
        let fin = len == rest.len() && dice.roll(4) > 0;
        let mut head = [0; FrameHeader::MAX_LEN];
        let head_len = FrameHeader { fin, ..FrameHeader::new(opcode, len) }.encode(&mut head).expect("room");
        server.raw(&head[..head_len]);
        server.raw(&rest[..len]);
        rest = &rest[len..];
        opcode = OpCode::Continuation;
        if fin {
            return;
        }
        if dice.roll(4) == 0 {
            server.control(ControlFrame::Ping(b"between"));
        }
    }
}

/// What the application has received, pieces put together.
#[derive(Default)]
struct Received {
    messages: Vec<(MessageKind, Vec<u8>)>,
    open: Option<(MessageKind, Vec<u8>)>,
    last: Option<String>,
}

impl Received {
    fn add(&mut self, event: IncomingMessage<'_>) {
        self.last = Some(format!("{event:?}"));
        let piece = match event {
            IncomingMessage::Whole(Data::Text(text)) => whole_piece(MessageKind::Text, text.as_bytes()),
            IncomingMessage::Whole(Data::Binary(bytes)) => whole_piece(MessageKind::Binary, bytes),
            IncomingMessage::Piece(piece) => piece,
            other => panic!("{other:?}"),
        };
        assert_eq!(piece.first, self.open.is_none());
        let open = self.open.get_or_insert((piece.kind, Vec::new()));
        assert_eq!(open.0, piece.kind);
        open.1.extend(piece.bytes);
        if piece.last {
            self.messages.extend(self.open.take());
        }
    }
}

fn whole_piece(kind: MessageKind, bytes: &[u8]) -> Piece<'_> {
    Piece { kind, bytes, first: true, last: true }
}

/// An application that loses its patience, and a server whose line is slow.
struct Story {
    dice: Dice,
    client: TestClient,
    server: Server,
    /// What stands before the bytes of a binary message.
    prefix: &'static [u8],
    rx: usize,
    expected: Vec<(MessageKind, Vec<u8>)>,
    received: Received,
    /// A long message that was begun, perhaps.
    unfinished: Option<String>,
    sent: Vec<Sent>,
    arrived: Vec<Sent>,
}

impl Story {
    fn begin(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let (protocol, prefix): (_, &[u8]) =
            if dice.roll(2) == 0 { (Protocol::V3, &[4]) } else { (Protocol::V4, &[]) };
        let settings = ClientSettings {
            protocol,
            long_messages: LongMessages::in_pieces(5_000),
            ..ClientSettings::DEFAULT
        };
        let rx = 290 + dice.roll(3);
        let (client, mut server) = open_with(&settings, rx, 280, OPEN);
        if dice.roll(2) == 0 {
            server.set_stutters();
        }
        let at_once = [1, 2, 5, 100, 10_000];
        server.set_at_once(dice.pick(&at_once), dice.pick(&at_once));
        let (expected, received) = (Vec::new(), Received::default());
        let (sent, arrived) = (Vec::new(), Vec::new());
        Self { dice, client, server, prefix, rx, expected, received, unfinished: None, sent, arrived }
    }

    fn go_on(&mut self) {
        match self.dice.roll(9) {
            0 | 1 => self.server_sends(),
            2 => self.server.control(ControlFrame::Ping(b"between messages")),
            3 if self.prefix.is_empty() => self.server.text("2"),
            4 | 5 => {
                let polls = 1 + self.dice.roll(20);
                self.receive(polls);
            }
            6 => {
                let polls = 1 + self.dice.roll(9);
                self.send(polls);
            }
            7 => self.client.measure_rtt(),
            _ => {
                self.server.set_window(self.dice.pick(&[0, 1, 50, 4096]));
                self.arrived.extend(self.server.take());
            }
        }
    }

    /// A message of a length at which something changes.
    fn server_sends(&mut self) {
        let room = self.rx - Reader::OVERHEAD;
        let len = self.dice.pick(&[0, 1, 5, room - 2, room - 1, room, room + 1, 2 * room - 1, 2 * room, 700]);
        let (kind, opcode, prefix, body) = if self.dice.roll(2) == 0 {
            let mut body: String = "aé€𝄞".chars().cycle().skip(self.dice.roll(4)).take(len / 4).collect();
            body.extend(core::iter::repeat_n('x', len.saturating_sub(body.len())));
            (MessageKind::Text, OpCode::Text, &b"4"[..], body.into_bytes())
        } else {
            let body = (0..=u8::MAX).cycle().skip(self.dice.roll(256)).take(len).collect();
            (MessageKind::Binary, OpCode::Binary, self.prefix, body)
        };
        send_in_fragments(&mut self.dice, &mut self.server, opcode, &[prefix, &body[..]].concat());
        self.expected.push((kind, body));
    }

    /// Polls `recv` a few times, and drops it.
    fn receive(&mut self, polls: usize) -> bool {
        let task = Task::new();
        {
            let mut recv = pin!(self.client.recv());
            let polled = (0..polls).find_map(|_| match task.poll_once(recv.as_mut()) {
                Poll::Ready(event) => Some(event),
                Poll::Pending => None,
            });
            let Some(event) = polled else { return false };
            self.received.add(event.expect("the session lives"));
        }
        assert_eq!(self.client.last_event().map(|event| format!("{event:?}")), self.received.last);
        true
    }

    /// Polls `send` a few times, and drops it. A long message has to be finished some time.
    fn send(&mut self, polls: usize) {
        let message = self
            .unfinished
            .take()
            .unwrap_or_else(|| format!("{}-{}", self.sent.len(), "y".repeat(self.dice.pick(&[3, 120, 700]))));
        let task = Task::new();
        let polled = {
            let mut send = pin!(self.client.send(WebSocketMessage::Text(&message)));
            (0..polls).find_map(|_| match task.poll_once(send.as_mut()) {
                Poll::Ready(result) => Some(result),
                Poll::Pending => None,
            })
        };
        match polled {
            Some(result) => {
                assert_eq!(result, Ok(()));
                self.sent.push(fakes::text(&format!("4{message}")));
            }
            None if message.len() > 200 => self.unfinished = Some(message),
            None => {}
        }
        if let Some(event) = self.client.last_event() {
            assert_eq!(Some(format!("{event:?}")), self.received.last, "what was received, or nothing");
        }
    }

    fn end(mut self) {
        self.server.set_window(1 << 20);
        while self.unfinished.is_some() {
            self.send(100);
        }
        while self.receive(10_000) {}
        assert_eq!(self.received.messages, self.expected);
        self.arrived.extend(self.server.take());
        self.arrived.retain(|sent| matches!(sent, Sent::Text(text) if text.starts_with('4')));
        assert_eq!(self.arrived, self.sent);
    }
}

#[test]
fn no_message_is_lost_or_doubled_or_changed() {
    let _clock = fakes::clock();
    for seed in 1..=STORIES {
        println!("story {seed}");
        let mut story = Story::begin(seed);
        for _ in 0..60 {
            story.go_on();
        }
        story.end();
    }
}

/// [`fakes::within`] in steps in which nothing is missed.
fn within<F: Future>(micros: u64, future: F) -> F::Output {
    fakes::within(micros, 500, future)
}

/// An absence of more than this ends in another wait of 5 ms; and half a step of [`within`].
const SLACK: u64 = 6_000;

/// Something that happens to a session.
fn befall(dice: &mut Dice, client: &mut TestClient, server: &mut Server, long: &str) {
    match dice.roll(11) {
        0 => server.text("4message"),
        1 => send_in_fragments(dice, server, OpCode::Text, b"4a message that comes in fragments"),
        2 => server.text("2"),
        3 => server.control(ControlFrame::Ping(b"ping")),
        4 => fakes::advance(dice.pick(&[1_000, 100_000, 499_000, 520_000, 10_000_000])),
        5 => server.set_window(dice.pick(&[0, 1, 60, 4096])),
        6 => client.measure_rtt(),
        7 => drop(server.take_raw()),
        8 => drop(Task::new().poll(pin!(client.send(WebSocketMessage::Text(long))))),
        9 => drop(Task::new().poll(pin!(client.send(WebSocketMessage::Text("short"))))),
        _ => drop(Task::new().poll(pin!(client.recv())).map(drop)),
    }
}

/// How the server, or the way to it, ends; mostly without a word.
fn fall_silent(dice: &mut Dice, server: &mut Server) {
    match dice.roll(8) {
        0 => server.hang_up(),
        1 => server.reset(),
        2 => server.refuse_writes(),
        3 => server.control(ControlFrame::Close(None)),
        4 => server.raw(b"\xff\xff\xff"),
        5 => server.text("1"),
        6 => server.raw(b"\x01\x05four"),
        _ => {}
    }
    if dice.roll(2) == 0 {
        server.set_window(0);
    }
}

#[test]
fn every_wait_for_a_server_that_is_gone_has_an_end() {
    let _clock = fakes::clock();
    let long = "z".repeat(700);
    for seed in 1..=STORIES {
        println!("story {seed}");
        let mut dice = Dice::new(seed);
        let settings = ClientSettings {
            protocol: if dice.roll(2) == 0 { Protocol::V3 } else { Protocol::V4 },
            long_messages: dice.pick(&[LongMessages::REFUSED, LongMessages::in_pieces(5_000)]),
            app_stall_timeout: dice.pick(&[None, Some(Duration::from_millis(700))]),
            close_timeout: Duration::from_secs(5),
            ..ClientSettings::DEFAULT
        };
        let (mut client, mut server) = open_with(&settings, 300, 280, OPEN);
        let at_once = [1, 2, 5, 100, 10_000];
        server.set_at_once(dice.pick(&at_once), dice.pick(&at_once));
        for _ in 0..dice.roll(12) {
            befall(&mut dice, &mut client, &mut server, &long);
        }
        fall_silent(&mut dice, &mut server);
        // A stall of the application, and then the silence that the periods allow.
        let bound = 700_000 + 500_000 + SLACK;
        match dice.roll(4) {
            0 => {
                while within(bound, client.recv()).is_ok() {}
                assert!(client.end().is_some());
            }
            1 => {
                while within(bound, client.send(WebSocketMessage::Text(&long))).is_ok() {
                    fakes::advance(1_000);
                }
            }
            2 => {
                let bytes = long.as_bytes();
                let piece = Piece { kind: MessageKind::Binary, bytes, first: true, last: false };
                let _ = within(bound, client.send_piece(piece));
            }
            _ => {}
        }
        let end = within(5_000_000 + SLACK, client.close());
        assert_eq!(within(0, client.recv()), Err(end));
        assert!(within(0, client.send(WebSocketMessage::Text("x"))).is_err());
        assert_eq!(within(5_000_000, client.close()), end);
    }
}

#[test]
fn every_wait_for_a_session_has_an_end() {
    let _clock = fakes::clock();
    for seed in 1..=STORIES {
        println!("story {seed}");
        let mut dice = Dice::new(seed);
        let (mut server, reader, writer) = Server::new();
        let mut client =
            Client::new(reader, writer, buffers(300, 280), rng(), &ClientSettings::DEFAULT).expect("room");
        let endpoint = Endpoint::engineio("host");
        server.set_window(dice.pick(&[0, 1, 60, 4096]));
        let _ = Task::new().poll(pin!(client.connect(&endpoint)));
        if let Some(answer) = Server::answer_to(&server.take_raw()) {
            let len = [0, dice.roll(answer.len()), answer.len()][dice.roll(3)];
            server.raw(&answer.as_bytes()[..len]);
            let _ = Task::new().poll(pin!(client.connect(&endpoint)));
            if dice.roll(2) == 0 {
                server.control(ControlFrame::Ping(b"x"));
                fall_silent(&mut dice, &mut server);
            }
        }
        if dice.roll(3) == 0 {
            fakes::advance(30_000_000);
        }
        let limit = 20_000_000 + SLACK;
        match dice.roll(3) {
            0 => assert!(within(limit, client.connect(&endpoint)).is_err()),
            1 => assert!(within(limit, client.recv()).is_err()),
            _ => assert_eq!(within(limit, client.send(WebSocketMessage::Text("x"))), Err(SendError::Closed)),
        }
        within(5_000_000 + SLACK, client.close());
        assert!(client.end().is_some());
    }
}
