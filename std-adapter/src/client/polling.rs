//! The HTTP requests that carry a client's session. The core decides when to make them and what they carry.

use core::sync::atomic::Ordering;
use core::task::{Context, Poll};

use bytes::Bytes;
use eio_core::handshake::Transport;
use eio_core::payload::v3::Framing;
use eio_core::polling::{Batch, ClientPolling, Hold, Limits, Request as Due};
use eio_core::upgrade::UpgradeFailure;
use eio_core::{DisconnectReason, Instant, Revision};
use http::{HeaderValue, Method, Request, header};

use crate::client::error::ConnectError;
use crate::client::handshake::HandshakeInfo;
use crate::client::http::{Answer, PollingConnection};
use crate::client::http_connection::Body;
use crate::client::kind::ClientKind;
use crate::session::engine::Engine;
use crate::session::silence;
use crate::wire::clock::LATE;
use crate::wire::outgoing::Outgoing;

/// The largest total length of the messages in one POST, in bytes. A heartbeat that becomes due waits for the POST in
/// flight.
const BATCH: usize = 64 * 1024;

/// The requests of a session, and the connections that they use.
pub(crate) struct Polling {
    requests: ClientPolling,
    get: PollingConnection,
    post: PollingConnection,
    /// When a request with data is given up whose deadline passed while the runtime was stalled.
    post_until: Option<Instant>,
    /// Whether the requests of an ended session have been dropped.
    has_followed_end: bool,
    /// A number that differs from request to request, so that caches do not answer.
    stamp: u64,
}

impl Polling {
    pub(crate) fn new(revision: Revision) -> Self {
        let mut random = [0; 8];
        // Without random bytes the stamps start at zero, which matters only to caches.
        let _ = getrandom::fill(&mut random);
        Self {
            requests: ClientPolling::new(revision),
            get: PollingConnection::default(),
            post: PollingConnection::default(),
            post_until: None,
            has_followed_end: false,
            stamp: u64::from_le_bytes(random) >> 16,
        }
    }

    /// Handles the server's answers.
    pub(crate) fn read(&mut self, engine: &mut Engine<ClientKind>, cx: &mut Context<'_>, now: Instant) {
        if let Poll::Ready(answer) = self.get.poll(cx) {
            match answer {
                Ok(answer) => {
                    self.read_payload(engine, now, &answer);
                    self.requests.handle_poll_answered();
                }
                Err(error) => {
                    engine.fail(now, error);
                    self.requests.handle_poll_failed(now, &mut engine.session);
                }
            }
        }
        if let Poll::Ready(answer) = self.post.poll(cx) {
            self.post_until = None;
            match answer {
                Ok(_) => {
                    engine.shared.lock().pass_on();
                    self.requests.handle_post_answered(now, &mut engine.session);
                }
                Err(error) => {
                    engine.fail(now, error);
                    self.requests.handle_post_failed(now, &mut engine.session);
                }
            }
        }
    }

    /// Handles the packets of an answer to a poll.
    fn read_payload(&self, engine: &mut Engine<ClientKind>, now: Instant, answer: &Answer) {
        let format = self.requests.format();
        if engine.peer.handshake.is_none()
            && let Some(error) = other_revision(format.revision(), &answer.body)
        {
            return engine.fail(now, error);
        }
        let framing = if answer.is_binary { Framing::Binary } else { Framing::Text };
        // The limit on the body also limits its packets.
        engine.receive(now, |receiver| {
            for packet in format.decode(framing, &answer.body, usize::MAX) {
                receiver.handle_packet(packet);
            }
        });
    }

    /// Abandons a POST that has taken too long, and starts the requests that are due. `upgrade_pauses` holds them back.
    pub(crate) fn write(&mut self, engine: &mut Engine<ClientKind>, now: Instant, upgrade_pauses: bool) {
        self.expire_post(engine, now);
        self.start_requests(engine, now, upgrade_pauses);
    }

    fn start_requests(&mut self, engine: &mut Engine<ClientKind>, now: Instant, upgrade_pauses: bool) {
        // What tells the server of the end leaves in `follow_end`: when the end has been reported (rule 7), and the requests
        // in flight have been dropped.
        while (self.has_followed_end || !engine.session.has_ended())
            && let Some(due) = self.next_due(engine, now, upgrade_pauses)
        {
            match due {
                Due::Poll => self.poll_server(engine, now),
                Due::Post(batch) => self.post_batch(engine, now, &batch),
            }
        }
    }

    fn next_due(
        &mut self,
        engine: &mut Engine<ClientKind>,
        now: Instant,
        upgrade_pauses: bool,
    ) -> Option<Due> {
        let max_payload = engine.peer.handshake.as_ref().and_then(HandshakeInfo::max_payload);
        let max_payload = usize::try_from(max_payload.unwrap_or(u32::MAX)).unwrap_or(usize::MAX);
        let limits = Limits::DEFAULT
            .with_max_packets(engine.context().config.max_packets_per_payload)
            .with_max_len(max_payload.min(BATCH));
        let hold = Hold { upgrade_pauses, inbox_full: engine.is_paused() };
        let inner = engine.shared.lock();
        let queue = inner.mail.outbox.packets();
        self.requests.poll_request(now, &mut engine.session, queue, &limits, hold)
    }

    /// Abandons a POST that the server does not answer.
    fn expire_post(&mut self, engine: &mut Engine<ClientKind>, now: Instant) {
        let Some(until) = self.requests.poll_timeout().filter(|until| *until <= now) else { return };
        let until = *self.post_until.get_or_insert_with(|| {
            // After a stall of the runtime, the answer may have arrived without being read.
            let late = now.saturating_duration_since(until) > LATE;
            if late { now.saturating_add(silence::ENOUGH) } else { now }
        });
        if until > now {
            return;
        }
        self.post_until = None;
        if engine.has_ended() {
            // The close packet was not taken in time.
            reset(engine, true);
            self.post.clear();
            reset(engine, false);
        } else {
            engine.fail(now, ConnectError::RequestTimeout);
        }
        self.requests.handle_timeout(now, &mut engine.session);
    }

    /// Handles the end of the session: drops the requests in flight, and sends the close packet if the server does not know
    /// of the end.
    pub(crate) fn follow_end(
        &mut self,
        engine: &mut Engine<ClientKind>,
        now: Instant,
        reason: DisconnectReason,
    ) {
        if core::mem::replace(&mut self.has_followed_end, true) {
            self.expire_post(engine, now);
        } else {
            // Their deadlines end with them.
            reset(engine, reason == DisconnectReason::PingTimeout);
            self.get.clear();
            self.post.abort();
            self.post_until = None;
            reset(engine, false);
        }
        if engine.transport == Transport::Polling {
            self.start_requests(engine, now, false);
        }
        if self.requests.is_idle() {
            self.post.clear();
        }
    }

    /// The session has moved to a WebSocket.
    pub(crate) fn handle_upgraded(&mut self, engine: &mut Engine<ClientKind>, now: Instant) {
        self.requests.handle_upgraded(now, &mut engine.session);
        self.clear();
    }

    /// The session stays on polling.
    pub(crate) fn handle_upgrade_failed(
        &mut self,
        engine: &mut Engine<ClientKind>,
        now: Instant,
        failure: UpgradeFailure,
    ) {
        self.requests.handle_upgrade_failed(now, &mut engine.session, failure);
    }

    /// Whether no request is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        self.requests.is_idle()
    }

    /// Whether a request with data is in flight.
    pub(crate) fn is_posting(&self) -> bool {
        self.post.is_busy()
    }

    /// Drops the connections.
    pub(crate) fn clear(&mut self) {
        self.get.clear();
        self.post.clear();
        self.post_until = None;
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.post_until.or_else(|| self.requests.poll_timeout())
    }

    /// Whether the requests of an ended session are over.
    pub(crate) fn is_done(&self) -> bool {
        self.has_followed_end && self.requests.is_idle()
    }

    fn poll_server(&mut self, engine: &mut Engine<ClientKind>, now: Instant) {
        match self.request(engine, Method::GET, Body::default()) {
            Ok(request) => self.get.start(engine.context(), request),
            Err(error) => {
                engine.fail(now, error);
                self.requests.handle_poll_failed(now, &mut engine.session);
            }
        }
        // The request has been started, but not polled yet.
        engine.shared.lock().mail.wake_task();
    }

    fn post_batch(&mut self, engine: &mut Engine<ClientKind>, now: Instant, batch: &Batch) {
        engine.handle_heartbeats_sent(now, batch);
        let messages = engine.shared.lock().mail.take_outgoing(batch.messages());
        let mut payload = vec![0; batch.len()];
        let queue = messages.iter().map(Outgoing::packet);
        let request = match batch.encode(queue, &mut payload) {
            Ok(_) => self.request(engine, Method::POST, Body::new(Bytes::from(payload))),
            Err(error) => Err(ConnectError::Unencodable(error)),
        };
        match request {
            Ok(mut request) => {
                let content_type = match batch.framing() {
                    Framing::Binary => "application/octet-stream",
                    Framing::Text => "text/plain;charset=UTF-8",
                };
                request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
                self.post.start(engine.context(), request);
            }
            Err(error) => {
                engine.fail(now, error);
                self.requests.handle_post_failed(now, &mut engine.session);
            }
        }
        engine.shared.lock().mail.wake_task();
    }

    fn request(
        &mut self,
        engine: &Engine<ClientKind>,
        method: Method,
        body: Body,
    ) -> Result<Request<Body>, ConnectError> {
        self.stamp = self.stamp.wrapping_add(1);
        let dialer = engine.context();
        let sid = engine.peer.handshake.as_ref().map(HandshakeInfo::sid);
        let target = dialer.config.target(Transport::Polling, sid, self.stamp)?;
        let mut request = dialer.request(target, body);
        *request.method_mut() = method;
        Ok(request)
    }
}

/// Sets whether connections that are dropped from now on are reset, so that the kernel does not keep unsent data for a dead
/// peer.
fn reset(engine: &Engine<ClientKind>, reset: bool) {
    engine.context().reset.store(reset, Ordering::Relaxed);
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
