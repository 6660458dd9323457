//! A session of an echo server, with its queue. Your own application goes into `handle_event`.

use std::collections::VecDeque;
use std::mem::take;
use std::sync::Arc;

use eio_core::handshake::{Handshake, Sid};
use eio_core::packet::{Data, Packet, PacketType, WebSocketMessage, v4};
use eio_core::payload::{DEFAULT_MAX_PACKETS, v4 as payload};
use eio_core::polling::Limits;
use eio_core::request::Request;
use eio_core::session::{CLOSE_TIMEOUT, SessionEvent};
use eio_core::transports::{ServerTransports, SocketEvent};
use eio_core::ws::{ControlFrame, MessageKind, PacketFrame};
use eio_core::{Heartbeat, Instant, Liveness, ServerSession};

/// The most bytes of a message, of a post, and of what waits in an outbox.
pub(crate) const MAX_PAYLOAD: u32 = 1_000_000;

pub(crate) struct Session {
    pub(crate) transports: ServerTransports,
    pub(crate) peers: Vec<usize>, // the connections with its requests and its WebSocket
    pub(crate) due: Option<Instant>,
    pub(crate) is_reported: bool,             // whether its end is
    outbox: VecDeque<(MessageKind, Vec<u8>)>, // encoded packets
    outbox_len: usize,
    pieces: Vec<u8>, // of a message that has not arrived as a whole
    pong: Vec<u8>,   // the answer to a ping of the WebSocket itself
}

impl Session {
    /// Opens a session. Returns its identifier, and the payload with its `open` packet that answers a request of
    /// polling.
    pub(crate) fn open(
        now: Instant,
        heartbeat: Heartbeat,
        request: &Request<'_>,
    ) -> (Arc<str>, Self, Vec<u8>) {
        let mut random = [0; 16];
        getrandom::fill(&mut random).expect("the system has random bytes");
        let sid = format!("{:032x}", u128::from_ne_bytes(random));
        let core = ServerSession::eio4(heartbeat, Liveness::default(), now);
        let transports = ServerTransports::open(core, request, MAX_PAYLOAD);
        let handshake = Handshake::new(Sid::new(&sid).expect("hexadecimal digits"), heartbeat)
            .with_max_payload(MAX_PAYLOAD)
            .with_upgrades(transports.upgrades());
        let mut json = [0; Handshake::MAX_LEN];
        let json = handshake.encode(&mut json).expect("it fits");
        let (peers, due, is_reported, outbox, outbox_len, pieces, pong) = Default::default();
        let mut session = Self { transports, peers, due, is_reported, outbox, outbox_len, pieces, pong };
        if session.transports.is_on_websocket() {
            session.send(&Packet::text(PacketType::Open, json));
        }
        let payload = format!("0{json}").into_bytes();
        (sid.into(), session, payload)
    }

    /// The application: it sends every message back, and closes the session at `close`.
    fn handle_event(&mut self, now: Instant, event: Option<SessionEvent<'_>>) {
        match event {
            Some(SessionEvent::Message(Data::Text("close"))) => {
                self.transports.session.close(now, CLOSE_TIMEOUT);
            }
            Some(SessionEvent::Message(data)) => {
                self.send(&Packet { packet_type: PacketType::Message, data });
            }
            _ => {}
        }
    }

    fn send(&mut self, packet: &Packet<'_>) {
        let mut buffer = vec![0; v4::encoded_len(packet, true)];
        let message = v4::encode(packet, true, &mut buffer).expect("it fits");
        let (kind, bytes) = match message {
            WebSocketMessage::Text(text) => (MessageKind::Text, text.as_bytes()),
            WebSocketMessage::Binary(bytes) => (MessageKind::Binary, bytes),
        };
        self.outbox_len += cost(bytes);
        self.outbox.push_back((kind, bytes.to_vec()));
    }

    /// Handles the body of a post.
    pub(crate) fn handle_body(&mut self, now: Instant, body: &[u8]) {
        for packet in payload::decode(body, DEFAULT_MAX_PACKETS) {
            let event = self.transports.session.handle_packet(now, packet);
            self.handle_event(now, event);
        }
        self.transports.handle_post_received();
    }

    /// Handles what came from the WebSocket. The beginning of a frame stays in `input`.
    pub(crate) fn handle_bytes(&mut self, now: Instant, input: &mut Vec<u8>) {
        let mut done = 0;
        while let Some(received) = self.transports.receive(now, &mut input[done..]) {
            done += received.consumed;
            match received.event {
                Some(SocketEvent::Session(event)) => self.handle_event(now, Some(event)),
                Some(SocketEvent::Piece(piece)) => {
                    if piece.first {
                        self.pieces.clear();
                    }
                    self.pieces.extend_from_slice(piece.bytes);
                    if piece.last {
                        let whole = take(&mut self.pieces);
                        let message = piece.kind.message(&whole).expect("text is checked as it arrives");
                        let event = self.transports.handle_message(now, message);
                        self.handle_event(now, event);
                    }
                }
                Some(SocketEvent::Reply(pong)) => {
                    self.pong.resize(ControlFrame::MAX_LEN, 0);
                    let len = self.transports.control(&pong, &mut self.pong).and_then(Result::ok);
                    self.pong.truncate(len.unwrap_or_default());
                }
                _ => {}
            }
        }
        input.drain(..done);
    }

    /// Says whether the client is read. Returns when to report the time.
    pub(crate) fn update(&mut self, now: Instant) -> Option<Instant> {
        if self.has_room() {
            self.transports.session.handle_reading_resumed(now);
        } else {
            self.transports.session.handle_reading_paused(now, CLOSE_TIMEOUT);
        }
        self.transports.poll_timeout()
    }

    /// Returns whether the client may be read: its echoes do not take too much memory.
    pub(crate) fn has_room(&self) -> bool {
        self.outbox_len <= MAX_PAYLOAD as usize || !self.transports.session.is_open()
    }

    /// Returns the payload that answers the waiting poll, once there is one.
    pub(crate) fn answer_poll(&mut self, now: Instant) -> Option<Vec<u8>> {
        let packets = || self.outbox.iter().map(packet);
        let batch = self.transports.poll_answer(now, packets(), &Limits::DEFAULT)?;
        self.transports.handle_poll_answered(); // The next poll may come before it is known that this answer was written.
        let mut body = vec![0; batch.len()];
        batch.encode(packets(), &mut body).expect("it fits, and text that came by polling has no separator");
        let sent = self.outbox.drain(..batch.messages());
        self.outbox_len -= sent.map(|(_, bytes)| cost(&bytes)).sum::<usize>();
        Some(body)
    }

    /// Returns the frames that are to be written to the WebSocket, and whether the last one closes it.
    pub(crate) fn frames(&mut self, now: Instant) -> (Vec<u8>, bool) {
        let mut out = take(&mut self.pong);
        while let Some(frame) = self.transports.poll_frame(now) {
            push(&mut out, &frame);
        }
        if self.transports.is_on_websocket() {
            self.outbox_len = 0;
            for entry in self.outbox.drain(..) {
                // Nothing follows a close frame.
                self.transports.frame(&packet(&entry)).iter().for_each(|frame| push(&mut out, frame));
            }
        }
        let mut close = [0; ControlFrame::MAX_LEN];
        let len = self.transports.close_frame(now, None, &mut close).and_then(Result::ok);
        out.extend_from_slice(&close[..len.unwrap_or_default()]);
        (out, len.is_some())
    }
}

fn cost(bytes: &[u8]) -> usize {
    bytes.len() + 64 // with its place in the queue
}

fn packet((kind, bytes): &(MessageKind, Vec<u8>)) -> Packet<'_> {
    v4::decode(kind.message(bytes).expect("it was text")).expect("it was a packet")
}

fn push(out: &mut Vec<u8>, frame: &PacketFrame<'_>) {
    let start = out.len();
    out.resize(start + frame.len(), 0);
    frame.encode(&mut out[start..]).expect("it fits");
}
