//! The one task of a client's session: its requests, its WebSocket, a candidate for one, and its heartbeat.
//!
//! Each turn reads all that is ready, expires what is due, and writes. Nothing is awaited in between, so a stalled
//! writer hides no silence and a hanging poll delays no heartbeat.

use core::future::poll_fn;
use core::pin::Pin;
use core::sync::atomic::Ordering;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use eio_core::handshake::Transport as Upgrade;
use eio_core::packet::{Packet, WebSocketMessage};
use eio_core::payload::v3::Framing;
use eio_core::session::{Control, Violation};
use eio_core::upgrade::{ClientUpgrade, UpgradeOutcome};
use eio_core::ws::Close;
use eio_core::{DisconnectReason, Instant};
use http::{HeaderValue, Method, Request, header};

use crate::carrier::websocket::{Carried as _, FrameSink, FrameSource, WebSocketIo, is_impossible};
use crate::client::config::Body;
use crate::client::error::ConnectError;
use crate::client::event::ClientEvent;
use crate::client::http::{Answer, Lane};
use crate::client::opening::{self, Opened};
use crate::client::state::{Batch, Inner, Shared, State};
use crate::session::grace::{self, Grace, is_overdue};
use crate::session::guard::guarded;
use crate::session::lingering::{Departures, LINGER, Lingering};
use crate::session::passes::{self, Pass};
use crate::wire::clock::LATE;
use crate::wire::close_frame::CloseFrame;
use crate::wire::outgoing::ToWrite;
use crate::wire::payload::encode;
use crate::wire::transport::Transport;
use eio_core::Revision;

type Opening = Pin<Box<dyn Future<Output = Result<Opened, ConnectError>> + Send>>;

/// A WebSocket that may become the session's.
struct Candidate {
    opening: Option<Opening>,
    io: Option<Box<WebSocketIo>>,
    protocol: Option<Box<str>>,
    upgrade: ClientUpgrade,
}

struct Task {
    state: Shared,
    /// The WebSocket that the session opens on.
    opening: Option<Opening>,
    websocket: Option<Box<WebSocketIo>>,
    get: Lane,
    post: Lane,
    /// The request with data in flight ends with a close packet.
    post_closes: bool,
    /// Until when that request may take. What it holds back, heartbeats among it, is worth nothing by then.
    post_until: Option<Instant>,
    candidate: Option<Candidate>,
    may_upgrade: bool,
    lingering: Departures,
    /// The end was seen, and the transport follows it.
    ended: bool,
    /// Until when the close packet of an ended session may take.
    farewell: Option<Instant>,
    grace: Grace,
    /// Tells requests apart, for caches.
    stamp: u64,
}

/// Runs a session from its first connection to its end.
pub(crate) async fn run(state: Shared) {
    let mut random = [0; 8];
    // Without random bytes the stamps start at zero, which only a cache could mind.
    let _ = getrandom::fill(&mut random);
    let config = Arc::clone(&state.dialer.config);
    let mut task = Task {
        opening: None,
        websocket: None,
        get: Lane::default(),
        post: Lane::default(),
        post_closes: false,
        post_until: None,
        candidate: None,
        may_upgrade: config.upgrade,
        lingering: Departures::default(),
        ended: false,
        farewell: None,
        grace: Grace::default(),
        stamp: u64::from_le_bytes(random) >> 16,
        state,
    };
    if config.first == Transport::WebSocket {
        task.opening = Some(Box::pin(opening::open(task.state.dialer.clone(), None)));
    } else {
        task.poll_server();
    }
    let timer = tokio::time::sleep(Duration::ZERO);
    tokio::pin!(timer);
    poll_fn(|cx| {
        let timer = timer.as_mut();
        guarded(|| passes::poll(cx, timer, task.state.dialer.clock, |cx| task.pass(cx))).unwrap_or_else(
            |panicked| {
                panicked.report("session", "-");
                task.state
                    .update(|inner, now| inner.session.handle_application_panicked(now, Duration::ZERO));
                Poll::Ready(())
            },
        )
    })
    .await;
}

impl Task {
    fn pass(&mut self, cx: &mut Context<'_>) -> Pass {
        self.state.lock().mail.begin_pass();
        self.state.tell();
        let now = self.state.now();
        self.open(cx);
        self.answers(cx);
        // A candidate that succeeds may bring frames of the session: they are read in the same pass.
        self.drive_candidate(cx, now);
        self.read(cx, now);
        self.expire(now);
        self.expire_post(now);
        self.write(cx);
        self.request();
        self.end(now);
        self.lingering.poll(cx, now);
        if self.is_done() {
            return Pass::Done;
        }
        if self.state.lock().mail.end_pass(cx).is_ready() {
            return Pass::Again;
        }
        Pass::Until(self.next_deadline())
    }

    /// Takes up the WebSocket that the session opens on.
    fn open(&mut self, cx: &mut Context<'_>) {
        let Some(opening) = &mut self.opening else { return };
        let Poll::Ready(opened) = opening.as_mut().poll(cx) else { return };
        self.opening = None;
        match opened {
            Ok(Opened { io, protocol }) => {
                self.websocket = Some(io);
                let mut inner = self.state.lock();
                inner.protocol = protocol.map(String::into_boxed_str);
                // Frames may have come right behind the answer.
                inner.mail.wake_task();
            }
            Err(error) => self.failed(error),
        }
    }

    /// A request failed, and the session with it.
    fn failed(&mut self, error: ConnectError) {
        self.state.update_and_tell(|inner, now| {
            let too_large = matches!(error, ConnectError::TooLarge { .. });
            if inner.end().is_none() {
                inner.fail(error.clone());
                if inner.handshake().is_some() {
                    inner.note(ClientEvent::RequestFailed { error });
                }
            }
            if too_large {
                inner.session.handle_violation(now, Violation::PayloadTooLarge);
            } else {
                inner.session.handle_transport_error(now);
            }
        });
    }

    fn read(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Some(io) = &mut self.websocket else { return };
        self.state.update_and_tell(|inner, _| {
            if let Poll::Ready(end) = io.poll_read(cx, &mut SessionSink { inner, state: &self.state, now }) {
                inner.session.connection_ended(now, end);
            }
        });
    }

    /// Takes what the server answered to requests.
    fn answers(&mut self, cx: &mut Context<'_>) {
        if let Poll::Ready(answer) = self.get.poll(cx) {
            match answer {
                Ok(answer) => self.payload(&answer),
                Err(error) => self.failed(error),
            }
            self.state.lock().mail.wake_task();
        }
        if let Poll::Ready(answer) = self.post.poll(cx) {
            self.farewell = None;
            self.post_until = None;
            match answer {
                Ok(_) if self.post_closes => {
                    self.state.update_and_tell(|inner, now| inner.session.handle_closed(now));
                }
                Ok(_) => {}
                Err(error) => self.failed(error),
            }
            self.state.lock().mail.wake_task();
        }
    }

    fn payload(&mut self, answer: &Answer) {
        if self.state.lock().handshake().is_none()
            && let Some(error) = other_revision(self.state.revision(), &answer.body)
        {
            return self.failed(error);
        }
        let upgrades = self.state.update_and_tell(|inner, now| {
            inner.handle_payload(now, answer, &self.state);
            inner.handshake().is_some_and(|handshake| handshake.upgrades().contains(Upgrade::WebSocket))
        });
        if upgrades && core::mem::take(&mut self.may_upgrade) && self.state.lock().session.is_open() {
            self.start_upgrade();
        }
    }

    fn start_upgrade(&mut self) {
        let dialer = self.state.dialer.clone();
        let upgrade = ClientUpgrade::new(dialer.config.upgrade_timeout, self.state.now());
        let opening: Opening = Box::pin(opening::open(dialer, self.sid()));
        self.state.note(ClientEvent::UpgradeStarted);
        self.candidate = Some(Candidate { opening: Some(opening), io: None, protocol: None, upgrade });
    }

    fn drive_candidate(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Some(Candidate { opening, io, protocol, upgrade }) = &mut self.candidate else { return };
        // A session that closes does so where it is.
        if !self.state.lock().session.is_open() {
            upgrade.handle_session_ended();
        }
        if let Some(Poll::Ready(opened)) = opening.as_mut().map(|opening| opening.as_mut().poll(cx)) {
            *opening = None;
            match opened {
                Ok(opened) => {
                    *io = Some(opened.io);
                    *protocol = opened.protocol.map(String::into_boxed_str);
                }
                Err(error) => {
                    self.state.note(ClientEvent::UpgradeFailed { error });
                    upgrade.handle_transport_closed();
                }
            }
        }
        if let Some(io) = io {
            let mut sink = CandidateSink { upgrade, state: &self.state, now };
            if io.poll_read(cx, &mut sink).is_ready() {
                upgrade.handle_transport_closed();
            }
        }
        upgrade.handle_timeout(now);
        if upgrade.wants_pause() && !self.get.is_busy() && !self.post.is_busy() {
            upgrade.handle_polling_paused(now);
        }
        if let Some(io) = io
            && matches!(io.poll_write(cx, &mut ProbeSource(upgrade)), Poll::Ready(Err(_)))
        {
            upgrade.handle_transport_closed();
        }
        let Some(outcome) = upgrade.outcome() else { return };
        let protocol = protocol.take();
        let io = self.candidate.take().and_then(|candidate| candidate.io);
        match io {
            Some(io) if outcome == UpgradeOutcome::Upgraded => {
                self.get.clear();
                self.post.clear();
                self.post_until = None;
                self.websocket = Some(io);
                let chosen = protocol.as_deref().map(str::to_owned);
                let mut inner = self.state.lock();
                inner.transport = Transport::WebSocket;
                inner.protocol = protocol;
                drop(inner);
                if let Some(protocol) = chosen {
                    self.state.note(ClientEvent::ProtocolChosen { protocol });
                }
            }
            Some(io) => self.lingering.add(Lingering::new(io, false, now)),
            None => {}
        }
        self.state.note(ClientEvent::UpgradeEnded(outcome));
        // Polling goes on, or the WebSocket takes over what was held back.
        self.state.lock().mail.wake_task();
    }

    /// Ends what has expired, and sends what is due. All that was ready has been read before.
    fn expire(&mut self, now: Instant) {
        let (deadline, overdue) = {
            let inner = self.state.lock();
            (inner.session.poll_timeout(), is_overdue(inner.session.check_send(now)))
        };
        let unread = self.websocket.as_ref().is_some_and(|io| io.has_unread());
        let ask = || {
            let Some(io) = &mut self.websocket else { return None };
            self.state.update(|inner, _| {
                let mut sink = SessionSink { inner, state: &self.state, now };
                if let Poll::Ready(end) = io.read_past_runtime(&mut sink)? {
                    inner.session.connection_ended(now, end);
                }
                Some(is_overdue(inner.session.check_send(now)))
            })
        };
        if self.grace.permits(now, deadline, overdue, unread, ask) {
            self.state.update_and_tell(|inner, _| inner.session.handle_timeout(now));
        }
    }

    /// Gives up a request with data that the server does not answer.
    fn expire_post(&mut self, now: Instant) {
        let Some(until) = self.post_until.filter(|until| *until <= now) else { return };
        self.post_until = None;
        if now.saturating_duration_since(until) > LATE {
            // After a stall of the runtime the answer may be there, unread.
            self.post_until = Some(now.saturating_add(grace::ENOUGH));
        } else if self.post.is_busy() {
            self.failed(ConnectError::RequestTimeout);
        }
    }

    fn write(&mut self, cx: &mut Context<'_>) {
        let Some(io) = &mut self.websocket else { return };
        let mut impossible = false;
        let made_room = self.state.update_and_tell(|inner, now| {
            if inner.end().is_some() {
                return false;
            }
            let before = inner.mail.outgoing();
            match io.poll_write(cx, &mut SessionSource { inner, state: &self.state }) {
                Poll::Ready(Ok(())) if io.is_closed() => inner.session.handle_closed(now),
                Poll::Ready(Err(error)) => {
                    impossible = is_impossible(&error);
                    let end = io.write_failed(&error, &mut SessionSink { inner, state: &self.state, now });
                    inner.session.connection_ended(now, end);
                }
                _ => {}
            }
            inner.mail.outgoing() < before
        });
        if impossible {
            tracing::error!("a frame cannot be encoded: its session ends");
        }
        if made_room {
            self.state.changed.notify_waiters();
        }
    }

    /// Starts the requests of polling: always a poll, and one with data when there is some.
    fn request(&mut self) {
        let pausing = self.candidate.as_ref().is_some_and(|candidate| candidate.upgrade.wants_pause());
        let (polling, full) = {
            let inner = self.state.lock();
            let polling =
                inner.transport == Transport::Polling && inner.handshake().is_some() && inner.end().is_none();
            (polling, inner.mail.is_paused())
        };
        if !polling || pausing {
            return;
        }
        if !self.get.is_busy() && !full && !self.post_closes {
            self.poll_server();
        }
        if !self.post.is_busy()
            && let Some(batch) = self.state.update_and_tell(|inner, _| inner.next_batch(&self.state))
        {
            self.state.changed.notify_waiters();
            self.post_closes = batch.closes;
            self.post_batch(&batch);
            let heartbeat = self.state.lock().session.heartbeat();
            self.post_until = heartbeat.map(|heartbeat| {
                let silence = heartbeat.max_silence();
                self.state.now().saturating_add(silence).saturating_add(silence)
            });
        }
    }

    fn poll_server(&mut self) {
        match self.polling_request(Method::GET, Body::default()) {
            Ok(request) => self.get.start(&self.state.dialer, request),
            Err(error) => self.failed(error),
        }
        // The new request is polled in another pass.
        self.state.lock().mail.wake_task();
    }

    fn post_batch(&mut self, batch: &Batch) {
        let messages = batch.messages.iter().map(|message| Packet::message(message.as_websocket_message()));
        let close = batch.closes.then_some(Packet::CLOSE);
        let packets: Vec<_> = batch.controls.iter().copied().chain(messages).chain(close).collect();
        let (framing, payload) = match encode(self.state.revision(), false, &packets) {
            Ok(encoded) => encoded,
            Err(error) => return self.failed(ConnectError::Unencodable(error)),
        };
        let content_type =
            if framing == Framing::Binary { "application/octet-stream" } else { "text/plain;charset=UTF-8" };
        match self.polling_request(Method::POST, Body::new(Bytes::from(payload))) {
            Ok(mut request) => {
                request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
                self.post.start(&self.state.dialer, request);
            }
            Err(error) => self.failed(error),
        }
        self.state.lock().mail.wake_task();
    }

    fn polling_request(&mut self, method: Method, body: Body) -> Result<Request<Body>, ConnectError> {
        self.stamp = self.stamp.wrapping_add(1);
        let config = &self.state.dialer.config;
        let target = config.target(Transport::Polling, self.sid().as_deref(), self.stamp)?;
        let mut request = self.state.dialer.request(target, body);
        *request.method_mut() = method;
        Ok(request)
    }

    fn sid(&self) -> Option<String> {
        self.state.lock().handshake().map(|handshake| handshake.sid().to_owned())
    }

    /// The session has ended and everybody knows: the connections follow.
    fn end(&mut self, now: Instant) {
        let Some(reason) = self.state.lock().end().map(|end| end.reason) else { return };
        self.opening = None;
        if let Some(io) = self.websocket.take() {
            let frame = self.state.lock().take_close_frame();
            self.lingering.add(Lingering::after(io, reason, frame, now));
        }
        if !core::mem::replace(&mut self.ended, true) {
            self.end_polling(reason, now);
        }
        if self.farewell.is_some_and(|until| until <= now) {
            self.farewell = None;
            self.reset(true);
            self.post.clear();
        }
    }

    /// Drops the requests in flight, and tells the server of the end if it does not know.
    fn end_polling(&mut self, reason: DisconnectReason, now: Instant) {
        self.reset(reason == DisconnectReason::PingTimeout);
        self.get.clear();
        self.post.abort();
        self.post_until = None;
        self.reset(false);
        let (owed, polling) = {
            let mut inner = self.state.lock();
            let owed = core::iter::from_fn(|| inner.session.poll_transmit())
                .any(|control| control == Control::Close);
            (owed, inner.transport == Transport::Polling && inner.handshake().is_some())
        };
        if owed && polling {
            self.farewell = Some(now.saturating_add(LINGER));
            self.post_batch(&Batch { controls: Vec::new(), messages: Vec::new(), closes: true });
        } else {
            self.post.clear();
        }
    }

    /// Whether connections that are dropped from now on are reset, so that the kernel does not keep unsent data for a
    /// dead peer.
    fn reset(&self, reset: bool) {
        self.state.dialer.reset.store(reset, Ordering::Relaxed);
    }

    fn next_deadline(&self) -> Option<Instant> {
        let session = self.grace.put_off(self.state.lock().session.poll_timeout());
        let upgrade = self.candidate.as_ref().and_then(|candidate| candidate.upgrade.poll_timeout());
        let lingering = self.lingering.deadline();
        [session, upgrade, lingering, self.post_until, self.farewell].into_iter().flatten().min()
    }

    fn is_done(&self) -> bool {
        self.ended
            && self.candidate.is_none()
            && self.farewell.is_none()
            && self.lingering.is_empty()
            && self.state.lock().is_over()
    }
}

/// Whether the first answer opens a session of the other revision: `97:0{..}` or its binary form is one of revision 3,
/// `0{..}` one of revision 4.
fn other_revision(ours: Revision, answer: &[u8]) -> Option<ConnectError> {
    let opens = |packet: &[u8]| packet.starts_with(b"0{");
    let theirs = match ours {
        Revision::V4 => {
            let packet = match answer {
                // A mark for text or binary, the length as bytes from 0 to 9, and 255.
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

/// The runtime went away: nobody must wait for this session any more.
impl Drop for Task {
    fn drop(&mut self) {
        self.state.update_and_tell(|inner, now| inner.session.handle_transport_error(now));
    }
}

/// What the session writes.
struct SessionSource<'a> {
    inner: &'a mut Inner,
    state: &'a State,
}

impl FrameSource for SessionSource<'_> {
    fn next(&mut self) -> Option<ToWrite> {
        self.inner.next_to_write(self.state)
    }

    fn written(&mut self, messages: usize) {
        self.inner.mail.written(messages);
    }

    fn is_over(&self) -> bool {
        self.inner.may_close()
    }

    fn close_frame(&self) -> Option<CloseFrame> {
        self.inner.close_frame()
    }
}

/// What an upgrade writes on its candidate.
struct ProbeSource<'a>(&'a mut ClientUpgrade);

impl FrameSource for ProbeSource<'_> {
    fn next(&mut self) -> Option<ToWrite> {
        self.0.poll_transmit().map(|control| ToWrite::Control(control.as_str()))
    }

    fn written(&mut self, _: usize) {}
}

/// Frames of the session itself.
struct SessionSink<'a> {
    inner: &'a mut Inner,
    state: &'a State,
    now: Instant,
}

impl FrameSink for SessionSink<'_> {
    fn wants_more(&self) -> bool {
        !self.inner.mail.is_paused() && self.inner.session.end().is_none()
    }

    fn handle(&mut self, frame: WebSocketMessage<'_>) {
        let packet = self.state.revision().decode(frame);
        self.inner.handle_packet(self.now, packet, self.state);
    }

    fn handle_activity(&mut self) {
        self.inner.session.handle_activity(self.now);
    }

    fn handle_close(&mut self, close: Option<Close<'_>>) {
        self.inner.handle_close_frame(self.now, close);
    }
}

/// Frames of a candidate, up to the packet that decides.
struct CandidateSink<'a> {
    upgrade: &'a mut ClientUpgrade,
    state: &'a State,
    now: Instant,
}

impl FrameSink for CandidateSink<'_> {
    fn wants_more(&self) -> bool {
        self.upgrade.outcome().is_none()
    }

    fn handle(&mut self, frame: WebSocketMessage<'_>) {
        self.upgrade.handle_packet(self.now, self.state.revision().decode(frame));
    }

    fn handle_activity(&mut self) {}
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
