//! The HTTP requests of a client's session: always a poll, and a POST when there is something to send.

use core::sync::atomic::Ordering;
use core::task::{Context, Poll};

use bytes::Bytes;
use eio_core::handshake::Transport as Upgrade;
use eio_core::packet::Packet;
use eio_core::payload::{self, v3::Framing};
use eio_core::session::Control;
use eio_core::{DisconnectReason, Instant, Revision};
use http::{HeaderValue, Method, Request, header};

use crate::client::candidate::{self, Candidate};
use crate::client::config::Body;
use crate::client::error::ConnectError;
use crate::client::handshake::HandshakeInfo;
use crate::client::http::{Answer, PollingConnection};
use crate::client::session::ClientSide;
use crate::session::departing::CLOSING_TIME;
use crate::session::driver::Driver;
use crate::session::engine::Engine;
use crate::session::silence;
use crate::wire::clock::LATE;
use crate::wire::message::Message;
use crate::wire::outgoing::Outgoing;
use crate::wire::payload::{encode, packet_bound};
use crate::wire::transport::Transport;

/// The largest total length of the messages in one POST, in bytes. A heartbeat that becomes due waits for the POST in
/// flight.
const BATCH: usize = 64 * 1024;

/// The requests of a session, and the connections that they use.
pub(crate) struct Polling {
    get: PollingConnection,
    post: PollingConnection,
    /// Whether the first poll, which asks for the handshake, has been sent.
    has_begun: bool,
    /// Whether the POST in flight ends with a close packet.
    post_closes: bool,
    /// The deadline of the POST in flight. After it, the heartbeats that wait for the POST would be too late.
    post_until: Option<Instant>,
    /// Whether the requests of an ended session have been dropped.
    has_followed_end: bool,
    /// The deadline of the POST with the close packet of an ended session.
    close_until: Option<Instant>,
    /// A number that differs from request to request, so that caches do not answer.
    stamp: u64,
}

/// The packets of one POST.
#[derive(Default)]
struct Batch {
    controls: Vec<Packet<'static>>,
    messages: Vec<Message>,
    /// Whether the POST ends with the close packet.
    closes: bool,
}

impl Polling {
    pub(crate) fn new() -> Self {
        let mut random = [0; 8];
        // Without random bytes the stamps start at zero, which matters only to caches.
        let _ = getrandom::fill(&mut random);
        Self {
            get: PollingConnection::default(),
            post: PollingConnection::default(),
            has_begun: false,
            post_closes: false,
            post_until: None,
            has_followed_end: false,
            close_until: None,
            stamp: u64::from_le_bytes(random) >> 16,
        }
    }

    /// Handles the server's answers.
    pub(crate) fn read(driver: &mut Driver<ClientSide>, cx: &mut Context<'_>, now: Instant) {
        let Driver { role, engine, .. } = driver;
        if let Poll::Ready(answer) = role.polling.get.poll(cx) {
            match answer {
                Ok(answer) => read_payload(role, engine, now, &answer),
                Err(error) => engine.fail(now, error),
            }
        }
        if let Poll::Ready(answer) = role.polling.post.poll(cx) {
            role.polling.close_until = None;
            role.polling.post_until = None;
            match answer {
                Ok(_) if role.polling.post_closes => engine.session.handle_closed(now),
                Ok(_) => {}
                Err(error) => engine.fail(now, error),
            }
        }
    }

    /// Starts the requests that are due.
    pub(crate) fn write(driver: &mut Driver<ClientSide>, now: Instant) {
        let Driver { role, engine, .. } = driver;
        if engine.transport != Transport::Polling || engine.has_ended() {
            return;
        }
        role.polling.expire_post(engine, now);
        if role.handshake.is_none() {
            if !core::mem::replace(&mut role.polling.has_begun, true) {
                role.poll_server(engine, now);
            }
            return;
        }
        if role.candidate.as_ref().is_some_and(Candidate::wants_pause) {
            return;
        }
        if !role.polling.get.is_busy() && !engine.is_paused() && !role.polling.post_closes {
            role.poll_server(engine, now);
        }
        if !role.polling.post.is_busy()
            && let Some(batch) = role.next_batch(engine, now)
        {
            role.polling.post_closes = batch.closes;
            role.post_batch(engine, now, &batch);
            role.polling.post_until = engine.session.heartbeat().map(|heartbeat| {
                let silence = heartbeat.max_silence();
                now.saturating_add(silence).saturating_add(silence)
            });
        }
    }

    /// Abandons a POST that the server does not answer.
    fn expire_post(&mut self, engine: &mut Engine<ClientSide>, now: Instant) {
        let Some(until) = self.post_until.filter(|until| *until <= now) else { return };
        self.post_until = None;
        if now.saturating_duration_since(until) > LATE {
            // After a stall of the runtime, the answer may have arrived without being read.
            self.post_until = Some(now.saturating_add(silence::ENOUGH));
        } else if self.post.is_busy() {
            engine.fail(now, ConnectError::RequestTimeout);
        }
    }

    /// Handles the end of the session: drops the requests in flight, and sends the close packet if the server does not know
    /// of the end.
    pub(crate) fn follow_end(driver: &mut Driver<ClientSide>, now: Instant) {
        let Driver { role, engine, .. } = driver;
        if !core::mem::replace(&mut role.polling.has_followed_end, true)
            && let Some(end) = engine.session.end()
        {
            role.close_polling(engine, now, end.reason);
        }
        if role.polling.close_until.is_some_and(|until| until <= now) {
            role.polling.close_until = None;
            reset(engine, true);
            role.polling.post.clear();
        }
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.get.is_busy() || self.post.is_busy()
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.get.clear();
        self.post.clear();
        self.post_until = None;
        self.close_until = None;
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.post_until, self.close_until].into_iter().flatten().min()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.has_followed_end && self.close_until.is_none()
    }
}

impl ClientSide {
    fn poll_server(&mut self, engine: &mut Engine<ClientSide>, now: Instant) {
        match self.polling_request(engine, Method::GET, Body::default()) {
            Ok(request) => self.polling.get.start(engine.context(), request),
            Err(error) => engine.fail(now, error),
        }
        // The request has been started, but not polled yet.
        engine.shared.lock().mail.wake_task();
    }

    fn post_batch(&mut self, engine: &mut Engine<ClientSide>, now: Instant, batch: &Batch) {
        let messages = batch.messages.iter().map(|message| Packet::message(message.as_websocket_message()));
        let close = batch.closes.then_some(Packet::CLOSE);
        let packets: Vec<_> = batch.controls.iter().copied().chain(messages).chain(close).collect();
        let (framing, payload) = match encode(engine.context().config.revision, false, &packets) {
            Ok(encoded) => encoded,
            Err(error) => return engine.fail(now, ConnectError::Unencodable(error)),
        };
        let content_type =
            if framing == Framing::Binary { "application/octet-stream" } else { "text/plain;charset=UTF-8" };
        match self.polling_request(engine, Method::POST, Body::new(Bytes::from(payload))) {
            Ok(mut request) => {
                request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
                self.polling.post.start(engine.context(), request);
            }
            Err(error) => engine.fail(now, error),
        }
        engine.shared.lock().mail.wake_task();
    }

    fn polling_request(
        &mut self,
        engine: &Engine<ClientSide>,
        method: Method,
        body: Body,
    ) -> Result<Request<Body>, ConnectError> {
        let stamp = &mut self.polling.stamp;
        *stamp = stamp.wrapping_add(1);
        let dialer = engine.context();
        let sid = self.handshake.as_ref().map(HandshakeInfo::sid);
        let target = dialer.config.target(Transport::Polling, sid, *stamp)?;
        let mut request = dialer.request(target, body);
        *request.method_mut() = method;
        Ok(request)
    }

    /// Returns the packets of the next POST: heartbeats first, a close packet last, and in between as many messages as the
    /// server accepts in one payload, up to [`BATCH`] and the limit on packets. The first message is always included,
    /// whatever its size. Messages that do not fit follow in the next POST.
    fn next_batch(&self, engine: &mut Engine<ClientSide>, now: Instant) -> Option<Batch> {
        let mut batch = Batch::default();
        while let Some(control) = engine.next_control(now) {
            batch.controls.push(control.packet());
        }
        let config = &engine.shared.context.config;
        let revision = config.revision;
        let mut packets_left = config.max_packets_per_payload.saturating_sub(batch.controls.len());
        let max_payload = self.handshake.as_ref().and_then(HandshakeInfo::max_payload).unwrap_or(u32::MAX);
        let limit = usize::try_from(max_payload).unwrap_or(usize::MAX).min(BATCH);
        let mut room = limit.saturating_sub(
            batch.controls.iter().chain([&Packet::CLOSE]).map(|packet| packet_bound(revision, packet)).sum(),
        );
        let mut inner = engine.shared.lock();
        while let Some(outgoing) = inner.mail.next_outgoing() {
            let len = packet_bound(revision, &Packet::message(outgoing.message().as_websocket_message()));
            let is_first = batch.messages.is_empty() && batch.controls.is_empty();
            if packets_left == 0 || (len > room && !is_first) {
                break;
            }
            room = room.saturating_sub(len);
            packets_left -= 1;
            batch.messages.extend(inner.mail.take_outgoing(1).into_iter().map(Outgoing::into_message));
        }
        batch.closes = engine.closing.is_due && inner.mail.unsent() == 0 && packets_left > 0;
        drop(inner);
        engine.closing.is_due &= !batch.closes;
        (batch.closes || !batch.controls.is_empty() || !batch.messages.is_empty()).then_some(batch)
    }

    /// Drops the requests in flight, and sends the close packet if the server does not know of the end.
    fn close_polling(&mut self, engine: &mut Engine<ClientSide>, now: Instant, reason: DisconnectReason) {
        reset(engine, reason == DisconnectReason::PingTimeout);
        self.polling.get.clear();
        self.polling.post.abort();
        self.polling.post_until = None;
        reset(engine, false);
        let owes_close =
            core::iter::from_fn(|| engine.session.poll_transmit()).any(|control| control == Control::Close);
        if owes_close && engine.transport == Transport::Polling && self.handshake.is_some() {
            self.polling.close_until = Some(now.saturating_add(CLOSING_TIME));
            self.post_batch(engine, now, &Batch { closes: true, ..Batch::default() });
        } else {
            self.polling.post.clear();
        }
    }
}

/// Sets whether connections that are dropped from now on are reset, so that the kernel does not keep unsent data for a dead
/// peer.
fn reset(engine: &Engine<ClientSide>, reset: bool) {
    engine.context().reset.store(reset, Ordering::Relaxed);
}

/// Handles the packets of an answer to a poll.
fn read_payload(role: &mut ClientSide, engine: &mut Engine<ClientSide>, now: Instant, answer: &Answer) {
    let revision = engine.context().config.revision;
    if role.handshake.is_none()
        && let Some(error) = other_revision(revision, &answer.body)
    {
        return engine.fail(now, error);
    }
    // The limit on the body also limits its packets.
    let max_packets = usize::MAX;
    match revision {
        Revision::V4 => {
            for packet in payload::v4::decode(&answer.body, max_packets) {
                engine.handle_packet(role, now, packet);
            }
        }
        Revision::V3 => {
            let framing = if answer.is_binary { Framing::Binary } else { Framing::Text };
            for packet in payload::v3::decode(framing, &answer.body, max_packets) {
                engine.handle_packet(role, now, packet);
            }
        }
    }
    let is_offered = |handshake: &HandshakeInfo| handshake.upgrades().contains(Upgrade::WebSocket);
    if role.handshake.as_ref().is_some_and(is_offered)
        && core::mem::take(&mut role.may_upgrade)
        && engine.session.is_open()
    {
        candidate::start(role, engine, now);
    }
}

/// Returns an error if the first answer opens a session of the other revision: `97:0{..}` or its binary form belongs to
/// revision 3, and `0{..}` to revision 4.
fn other_revision(ours: Revision, answer: &[u8]) -> Option<ConnectError> {
    let opens = |packet: &[u8]| packet.starts_with(b"0{");
    let theirs = match ours {
        Revision::V4 => {
            let packet = match answer {
                // A marker for text or binary, the length as bytes from 0 to 9, and 255.
                [0 | 1, framed @ ..] => framed.splitn(2, |byte| *byte == 255).nth(1),
                text => {
                    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
                    text.get(digits..).filter(|_| digits > 0).and_then(|rest| rest.strip_prefix(b":"))
                }
            };
            packet.is_some_and(opens).then_some(Revision::V3)
        }
        Revision::V3 => opens(answer).then_some(Revision::V4),
    }?;
    Some(ConnectError::OtherRevision { ours, theirs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_packet_of_the_other_revision_is_recognized() {
        let theirs = |ours, answer: &[u8]| match other_revision(ours, answer)? {
            ConnectError::OtherRevision { theirs, .. } => Some(theirs),
            other => panic!("{other}"),
        };
        assert_eq!(theirs(Revision::V4, b"97:0{\"sid\":\"x\"}2:40"), Some(Revision::V3));
        assert_eq!(theirs(Revision::V4, b"\x00\x09\x07\xff0{\"sid\":\"x\"}"), Some(Revision::V3));
        assert_eq!(theirs(Revision::V3, b"0{\"sid\":\"x\"}\x1e40"), Some(Revision::V4));
        for neither in [&b""[..], b"0{}", b":0{", b"97:4x", b"97", b"\x00\x09", b"<html>"] {
            assert_eq!(theirs(Revision::V4, neither), None, "{neither:?}");
        }
        for neither in [&b""[..], b"97:0{}", b"4x", b"0"] {
            assert_eq!(theirs(Revision::V3, neither), None, "{neither:?}");
        }
    }
}
