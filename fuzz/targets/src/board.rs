//! The microcontroller's client, and a server that writes what it likes.

use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use eio_core::packet::{Data, WebSocketMessage};
use eio_core::ws::opening::{Opening, RequestHead};
use eio_core::ws::{MessageKind, Piece};
use eio_embassy::{Buffers, Client, ClientSettings, Endpoint, IncomingMessage, LongMessages, Protocol};

use crate::fakes::{self, OPEN, Server, Task};
use crate::reached;
use crate::recordings;
use crate::script::{Script, Steps, step};
use crate::stream::{Reader, Writer};

/// How scripts are read.
pub(crate) const STEPS: Steps =
    Steps { numbers: &[(b'p', 1), (b'n', 1), (b'o', 1), (b't', 1)], bytes: b"spwfb" };

/// What scripts reach.
pub(crate) const MILESTONES: &[&str] =
    &["a whole message", "a piece of a message", "a piece is sent", "the last piece is sent"];

/// The bytes of messages that are not whole at most.
const LONGEST: u32 = 2_000;

/// The first byte chooses the client's settings. The rest are steps of both sides: the server writes and breaks, the
/// client calls and drops what takes too long, and time passes. In the end, closing takes no longer than it may.
pub(crate) fn run(data: &[u8]) {
    let _clock = fakes::clock();
    let mut script = Script::new(data);
    let Some(settings) = script.byte() else { return };
    let is = |bit: u8| settings & 1 << bit != 0;
    let long = if is(1) { LongMessages::in_pieces(LONGEST) } else { LongMessages::REFUSED };
    let client_settings = ClientSettings {
        protocol: [Protocol::V4, Protocol::V3][usize::from(is(0))],
        long_messages: long,
        app_stall_timeout: is(2).then_some(Duration::from_millis(700)),
        ..ClientSettings::DEFAULT
    };
    let (mut server, reader, writer) = Server::new();
    if is(3) {
        server.set_stutters();
    }
    let (mut rx, mut tx) = ([0; 300], [0; 280]);
    let mut random = 7_u32;
    let mut rng = || {
        random = random.wrapping_mul(0x915f_77f5).wrapping_add(1);
        random
    };
    let buffers = Buffers { rx: &mut rx, tx: &mut tx };
    let client = Client::new(reader, writer, buffers, &mut rng, &client_settings).expect("room");
    let mut board = Board { client, server, message: None };
    while let Some(letter) = script.byte() {
        board.step(letter, &mut script);
    }
    board.end();
}

struct Board<'b> {
    client: Client<'b, Reader, Writer>,
    server: Server,
    /// The message that has come in part.
    message: Option<(MessageKind, usize)>,
}

impl Board<'_> {
    fn step(&mut self, letter: u8, script: &mut Script<'_>) {
        match letter {
            b'c' => _ = Task::new().poll(pin!(self.client.connect(&Endpoint::engineio("host")))).map(drop),
            b'r' => self.receive(),
            b's' => {
                let text = String::from_utf8_lossy(script.bytes()).into_owned();
                let _ = Task::new().poll(pin!(self.client.send(WebSocketMessage::Text(&text)))).map(drop);
            }
            b'p' => {
                let ends = script.byte().unwrap_or(0);
                let (last, first) = (ends & 1 == 0, ends & 2 == 0);
                let piece = Piece { kind: MessageKind::Binary, bytes: script.bytes(), first, last };
                if let Poll::Ready(Ok(_)) = Task::new().poll(pin!(self.client.send_piece(piece))) {
                    reached::note(if last { "the last piece is sent" } else { "a piece is sent" });
                }
            }
            b'k' => _ = Task::new().poll(pin!(self.client.close())).map(drop),
            b'm' => self.client.measure_rtt(),
            b'h' => self.switch(),
            b'w' => self.server.raw(script.bytes()),
            b'f' => self.server.text(&String::from_utf8_lossy(script.bytes())),
            b'b' => self.server.binary(script.bytes()),
            b'g' => self.server.hang_up(),
            b'x' => self.server.reset(),
            b'v' => drop(self.server.take_raw()),
            b'n' => self.server.set_window(script.byte().unwrap_or(0).into()),
            b'o' => self.server.set_at_once(usize::from(script.byte().unwrap_or(0)) + 1, usize::MAX),
            b't' => fakes::advance(1 << (script.byte().unwrap_or(0) % 26)),
            _ => {}
        }
    }

    /// Opens the WebSocket that the client asks for, as the protocol wants it.
    fn switch(&mut self) {
        let request = self.server.take_raw();
        let Ok(head) = RequestHead::parse(&request) else { return };
        let Ok(opening) = Opening::check(&head) else { return };
        let mut out = [0; 512];
        let response = opening.accept(None, &[], &mut out).expect("room").to_vec();
        self.server.raw(&response);
    }

    /// Receives all that has arrived. Pieces come in their order, and no message is longer than it may be.
    fn receive(&mut self) {
        for _ in 0..1_000 {
            let mut recv = pin!(self.client.recv());
            let Poll::Ready(Ok(message)) = Task::new().poll(recv.as_mut()) else { return };
            match message {
                IncomingMessage::Whole(Data::Text(_) | Data::Binary(_)) => {
                    reached::note("a whole message");
                    assert_eq!(self.message, None);
                }
                IncomingMessage::Piece(piece) => {
                    reached::note("a piece of a message");
                    assert_eq!(piece.first, self.message.is_none());
                    let (kind, before) = self.message.unwrap_or((piece.kind, 0));
                    assert_eq!(kind, piece.kind);
                    let len = before + piece.bytes.len();
                    assert!(len <= usize::try_from(LONGEST).expect("small"));
                    self.message = (!piece.last).then_some((kind, len));
                }
                other => assert!(matches!(other, IncomingMessage::Whole(_)), "{other:?}"),
            }
        }
        panic!("more messages than bytes");
    }

    /// The server is silent from now on. The client may take its time to close, and some steps of this loop.
    fn end(mut self) {
        let end = fakes::within(5_100_000, 20_000, self.client.close());
        assert_eq!(self.client.end(), Some(end));
        assert!(fakes::within(0, 1, self.client.send(WebSocketMessage::Text("x"))).is_err());
        assert_eq!(fakes::within(5_100_000, 20_000, self.client.close()), end);
    }
}

/// Sessions in which the server says what servers have said in the recordings.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let frames: Vec<_> = recordings::frames().into_iter().filter(|frame| !frame.by_client).collect();
    let seed = |(number, frames): (usize, &[recordings::Frame])| {
        let settings = u8::try_from(number % 16).expect("small");
        let mut seed = [&[settings][..], b"chc", &step(b'f', OPEN.as_bytes()), b"cr"].concat();
        for frame in frames {
            let payload = frame.data.to_wire();
            let letter = if str::from_utf8(&payload).is_ok() { b'f' } else { b'b' };
            seed.extend(step(letter, &payload[..payload.len().min(600)]));
            seed.extend(b"rt\x10");
        }
        seed.extend(step(b's', b"a message"));
        // A message in three pieces. A number stands between the letter and the bytes.
        for (ends, piece) in [(1, b"one"), (3, b"two"), (2, b"six")] {
            seed.push(b'p');
            seed.extend(step(ends, piece));
        }
        seed
    };
    let mut seeds: Vec<_> = frames.chunks(4).take(48).enumerate().map(seed).collect();
    // A long message in fragments, a ping between them, and a close frame.
    let long =
        [&b"\x01\x7e\x01\x40"[..], &[b'4'; 0x140], b"\x89\x01p", b"\x80\x02ab", b"\x88\x02\x03\xe8"].concat();
    seeds.push([&[2][..], b"chc", &step(b'f', OPEN.as_bytes()), b"cr", &step(b'w', &long), b"rr"].concat());
    seeds
}
