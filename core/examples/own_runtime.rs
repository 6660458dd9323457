//! An Engine.IO echo server over long-polling and WebSocket, on its own small runtime: one thread, non-blocking sockets, no
//! library except the core.
//!
//! Run `cargo run -p eio-core --example own_runtime`, and connect with `eio connect http://127.0.0.1:3000` or any Engine.IO
//! 4 client.
#![allow(
    clippy::std_instead_of_core,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a program with std, which may panic where the core must not"
)]

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use eio_core::handshake::{Handshake, Sid};
use eio_core::packet::{Data, DecodeError, Packet, WebSocketMessage, v4};
use eio_core::payload::{DEFAULT_MAX_PACKETS, v3::Framing};
use eio_core::polling::{Limits, PostFailure, Refusal, ServerPolling};
use eio_core::session::{Control, SessionEvent, Violation};
use eio_core::upgrade::UpgradeOutcome;
use eio_core::ws::opening::{HeadEnd, Opening, RequestHead, write_response};
use eio_core::ws::{Connection, ControlFrame, Item, MessageKind};
use eio_core::{Heartbeat, Instant, Liveness, Revision, ServerSession};

const MAX: u32 = 100_000; // bytes of a message, and of a post
const POST_TIMEOUT: Duration = Duration::from_secs(30);
type Sessions = BTreeMap<String, Session>;

#[allow(dead_code, reason = "the test includes this file and calls `serve`")]
fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000")?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(&listener, || false)
}

struct Session {
    core: ServerSession,
    polling: ServerPolling,
    queue: VecDeque<(MessageKind, Vec<u8>)>,
}

struct Peer {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    sid: String,
    role: Role,
}

enum Role {
    Http(HeadEnd),
    Poll,
    Post { len: usize, until: Instant },
    WebSocket(Connection, Vec<u8>), // with the pieces of a message
    Done,                           // once everything has been written
}

/// Serves until `stop` returns true.
pub(crate) fn serve(listener: &TcpListener, stop: impl Fn() -> bool) -> std::io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "this program's one clock")]
    let started = std::time::Instant::now();
    let (mut sessions, mut peers) = (Sessions::new(), Vec::new());
    listener.set_nonblocking(true)?;
    while !stop() {
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(true)?;
            let (input, output, sid) = (Vec::new(), Vec::new(), String::new());
            peers.push(Peer { stream, input, output, sid, role: Role::Http(HeadEnd::new()) });
        }
        let now = Instant::from_micros(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
        // All that is ready comes before the clock.
        for peer in &mut peers {
            peer.read(now, &mut sessions);
        }
        for session in sessions.values_mut() {
            // A post may hold the sign of life that is missed.
            if !session.polling.is_receiving() {
                session.core.handle_timeout(now);
            }
        }
        peers.retain_mut(|peer| peer.write(now, &mut sessions));
        sessions.retain(|_, session| !session.core.has_ended());
        #[expect(clippy::disallowed_methods, reason = "a real runtime waits for sockets and deadlines")]
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn message(kind: MessageKind, bytes: &[u8]) -> WebSocketMessage<'_> {
    let text = std::str::from_utf8(bytes).ok().filter(|_| kind == MessageKind::Text);
    text.map_or(WebSocketMessage::Binary(bytes), WebSocketMessage::Text)
}

impl Session {
    fn handle(&mut self, now: Instant, packet: Result<Packet<'_>, DecodeError>) {
        let Some(SessionEvent::Message(data)) = self.core.handle_packet(now, packet) else { return };
        self.queue.push_back(match data {
            Data::Text(text) => (MessageKind::Text, text.as_bytes().to_vec()),
            Data::Binary(bytes) => (MessageKind::Binary, bytes.to_vec()),
            Data::Base64(text) => {
                let mut bytes = vec![0; text.decoded_len()];
                (MessageKind::Binary, text.decode(&mut bytes).unwrap_or_default().to_vec())
            }
        });
    }
}

impl Peer {
    fn read(&mut self, now: Instant, sessions: &mut Sessions) {
        let (mut buffer, mut gone) = ([0; 4096], false);
        // More than that waits in the socket until this has been handled.
        while self.input.len() <= MAX as usize && !gone {
            match self.stream.read(&mut buffer) {
                Ok(len @ 1..) => self.input.extend_from_slice(&buffer[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Ok(0) | Err(_) => gone = true,
            }
        }
        while self.step(now, sessions).is_some() {}
        // No request is so long that this much of it could be left.
        gone |= self.input.len() > MAX as usize;
        let late = matches!(self.role, Role::Post { until, .. } if until <= now);
        if !(gone || late) {
            return;
        }
        if let Some(Session { core, polling, .. }) = sessions.get_mut(&self.sid) {
            match self.role {
                Role::Poll => polling.handle_poll_aborted(now, core),
                Role::Post { .. } => {
                    let failure = if gone { PostFailure::Aborted } else { PostFailure::TimedOut };
                    if let Some(refusal) = polling.handle_post_failed(now, core, failure) {
                        self.respond(refusal.status(), refusal.body());
                    }
                }
                Role::WebSocket(..) => core.handle_transport_closed(now),
                Role::Http(_) | Role::Done => {}
            }
        }
        self.role = Role::Done;
    }

    /// Handles one request, or one item of a WebSocket. Returns `None` if more bytes are needed.
    fn step(&mut self, now: Instant, sessions: &mut Sessions) -> Option<()> {
        match &mut self.role {
            Role::Http(end) => {
                let head: Vec<u8> = self.input.drain(..end.find(&self.input)?).collect();
                self.role = self.request(now, &head, sessions).unwrap_or_else(|(status, body)| {
                    self.respond(status, body);
                    Role::Done
                });
            }
            Role::Post { len, .. } => {
                let session = sessions.get_mut(&self.sid)?;
                let packets = session.polling.format().decode(
                    Framing::Text,
                    self.input.get(..*len)?,
                    DEFAULT_MAX_PACKETS,
                );
                packets.for_each(|packet| session.handle(now, packet));
                self.input.drain(..*len);
                session.polling.handle_post_received();
                let answer = session.polling.post_answer(&session.core, true)?;
                let (status, body) =
                    answer.map_or_else(|refusal| (refusal.status(), refusal.body()), |()| (200, "ok"));
                self.role = Role::Http(HeadEnd::new());
                self.respond(status, body);
            }
            Role::WebSocket(socket, pieces) => {
                let session = sessions.get_mut(&self.sid)?;
                let received = socket.receive(&mut self.input);
                if received.is_err() {
                    session.core.handle_violation(now, Violation::WebSocket);
                }
                let decoded = received.ok()?;
                let consumed = decoded.consumed;
                match decoded.item {
                    None if consumed == 0 => return None,
                    None => {} // a header alone
                    Some(Item::Message(message)) => session.handle(now, v4::decode(message)),
                    Some(Item::Piece(piece)) => {
                        pieces.extend_from_slice(piece.bytes);
                        if piece.last {
                            session.handle(now, v4::decode(message(piece.kind, &std::mem::take(pieces))));
                        }
                    }
                    Some(Item::Control(ControlFrame::Close(close))) => {
                        session.core.handle_close_frame(now, close);
                    }
                    Some(Item::Control(control)) => {
                        let mut frame = [0; ControlFrame::MAX_LEN];
                        if let Some(Ok(len)) =
                            control.reply().and_then(|pong| socket.control(&pong, [0; 4], &mut frame))
                        {
                            self.output.extend_from_slice(&frame[..len]);
                        }
                    }
                }
                self.input.drain(..consumed);
            }
            Role::Poll | Role::Done => return None,
        }
        Some(())
    }

    /// Answers or accepts a request. A refusal ends the connection.
    fn request(
        &mut self,
        now: Instant,
        head: &[u8],
        sessions: &mut Sessions,
    ) -> Result<Role, (u16, &'static str)> {
        const BAD: (u16, &str) = (400, r#"{"code":3,"message":"Bad request"}"#);
        let refuse = |refusal: Refusal| (refusal.status(), refusal.body());
        let head = RequestHead::parse(head).map_err(|_| BAD)?;
        let transport = head.query_value("transport").unwrap_or_default();
        if let Some(sid) = head.query_value("sid") {
            let Session { core, polling, .. } = sessions.get_mut(sid).ok_or(refuse(Refusal::SessionEnded))?;
            sid.clone_into(&mut self.sid);
            return match (transport, head.method()) {
                ("polling", "GET") => polling.handle_poll(now, core, false).map(|()| Role::Poll),
                ("polling", "POST") => {
                    let len = head
                        .only("content-length")
                        .and_then(|len| str::from_utf8(len).ok()?.parse::<u32>().ok())
                        .ok_or(BAD)?;
                    let framing = Framing::of_content_type(head.only("content-type").unwrap_or_default());
                    let too_large = if len > MAX { Err(Refusal::PayloadTooLarge) } else { Ok(()) };
                    too_large
                        .and_then(|()| polling.handle_post(now, core, framing))
                        .map(|()| Role::Post { len: len as usize, until: now.saturating_add(POST_TIMEOUT) })
                }
                _ => return Err(BAD),
            }
            .map_err(refuse);
        }
        self.sid = format!("{:016x}", RandomState::new().build_hasher().finish());
        let mut out = [0; 512];
        let handshake =
            Handshake::new(Sid::new(&self.sid).map_err(|_| BAD)?, Heartbeat::DEFAULT).with_max_payload(MAX);
        let open = format!("0{}", handshake.encode(&mut out).map_err(|_| BAD)?);
        let core = ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), now);
        let mut polling = ServerPolling::new(Revision::V4, false);
        let role = if transport == "websocket" {
            let opening = Opening::check(&head).map_err(|refusal| (refusal.status(), refusal.message()))?;
            self.output.extend_from_slice(opening.accept(None, &[], &mut out).map_err(|_| BAD)?);
            polling.handle_upgrade_ended(UpgradeOutcome::Upgraded); // it was never on polling
            let socket = Connection::server(MAX);
            send(&mut self.output, &socket, &v4::decode(WebSocketMessage::Text(&open)).map_err(|_| BAD)?);
            Role::WebSocket(socket, Vec::new())
        } else {
            self.respond(200, &open);
            Role::Http(HeadEnd::new())
        };
        sessions.insert(self.sid.clone(), Session { core, polling, queue: VecDeque::new() });
        Ok(role)
    }

    fn respond(&mut self, status: u16, body: &str) {
        let headers = [("Content-Type", "text/plain; charset=UTF-8"), ("Cache-Control", "no-store")];
        let mut out = vec![0; body.len() + 256];
        self.output.extend_from_slice(write_response(status, &headers, body, &mut out).unwrap_or_default());
    }

    /// Writes what the session has to say, and as much as the socket takes. Returns false once nothing is left to do.
    fn write(&mut self, now: Instant, sessions: &mut Sessions) -> bool {
        match (&mut self.role, sessions.get_mut(&self.sid)) {
            (Role::Poll, Some(Session { core, polling, queue })) => {
                let packets = || queue.iter().map(|(kind, bytes)| Packet::message(message(*kind, bytes)));
                if let Some(batch) = polling.poll_answer(now, core, packets(), &Limits::DEFAULT) {
                    let mut body = vec![0; batch.len()];
                    let _ = batch.encode(packets(), &mut body); // a text with U+001E cannot be answered here
                    queue.drain(..batch.messages());
                    polling.handle_poll_answered();
                    self.role = Role::Http(HeadEnd::new());
                    self.respond(200, &String::from_utf8_lossy(&body));
                }
            }
            (Role::WebSocket(socket, _), Some(Session { core, queue, .. })) => {
                while let Some(control) = core.poll_transmit() {
                    match control {
                        Control::Close => socket.close(),
                        heartbeat => send(&mut self.output, socket, &heartbeat.packet()),
                    }
                }
                for (kind, bytes) in queue.drain(..) {
                    send(&mut self.output, socket, &Packet::message(message(kind, &bytes)));
                }
                let mut frame = [0; ControlFrame::MAX_LEN];
                if let Some(Ok(len)) = socket.close_frame(None, [0; 4], &mut frame) {
                    self.output.extend_from_slice(&frame[..len]);
                    core.handle_closed(now);
                }
            }
            (Role::Poll | Role::Post { .. } | Role::WebSocket(..), None) => self.role = Role::Done,
            _ => {}
        }
        match self.stream.write(&self.output) {
            Ok(len) => drop(self.output.drain(..len)),
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
        !(self.output.is_empty() && matches!(self.role, Role::Done))
    }
}

fn send(output: &mut Vec<u8>, socket: &Connection, packet: &Packet<'_>) {
    if let Ok(frame) = socket.packet(Revision::V4, packet, true, [0; 4]) {
        let mut bytes = vec![0; frame.len()];
        output.extend_from_slice(frame.encode(&mut bytes).unwrap_or_default());
    }
}
