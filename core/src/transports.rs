//! One session over all of its transports: polling, the upgrade, and the WebSocket, wired together for a server.
//!
//! [`ServerTransports`] owns the machines of a session, and passes between them what one must know of the other. The
//! packets of a WebSocket go to the [upgrade](crate::upgrade) until it is done, and then to the session; a poll that
//! waits is released; what was to be sent by polling, such as a `close`, goes out on the WebSocket. The caller passes
//! on bytes and the time, and asks what to write.
//!
//! ```text
//!  GET, POST ──▶ handle_poll, handle_post ──▶ ┌──────────────────┐ ──▶ poll_answer, post_answer
//!  WebSocket ──▶ receive ───────────────────▶ │ ServerTransports │ ──▶ poll_frame, frame, close_frame
//!  timer     ──▶ handle_timeout ────────────▶ │                  │ ──▶ poll_timeout
//!                                             └──────────────────┘ ──▶ session.end
//! ```
//!
//! # The caller's loop
//!
//! 1. Handle everything that is ready: requests, with [`handle_poll`](ServerTransports::handle_poll) and
//!    [`handle_post`](ServerTransports::handle_post), and the bytes of the WebSocket, with
//!    [`receive`](ServerTransports::receive). Go on writing where a connection has room. If the WebSocket has taken all
//!    that was written before, ask [`poll_frame`](ServerTransports::poll_frame): a ping may have waited for that.
//! 2. Call [`handle_timeout`](ServerTransports::handle_timeout).
//! 3. Write what is to be written. On polling: ask [`poll_answer`](ServerTransports::poll_answer) and
//!    [`post_answer`](ServerTransports::post_answer). On the WebSocket, once all that was written before has left:
//!    everything that [`poll_frame`](ServerTransports::poll_frame) returns; then, if the session [is
//!    there](ServerTransports::is_on_websocket), the [`frame`](ServerTransports::frame) of each message in the queue;
//!    then the [`close_frame`](ServerTransports::close_frame), if one is due. After it, close the connection.
//! 4. Sleep until [`poll_timeout`](ServerTransports::poll_timeout), or until something is ready.
//!
//! ```
//! use eio_core::packet::{Data, Packet, PacketType, WebSocketMessage};
//! use eio_core::polling::Limits;
//! use eio_core::transports::{ServerTransports, SocketEvent};
//! use eio_core::upgrade::UPGRADE_TIMEOUT;
//! use eio_core::{Heartbeat, Instant, Liveness, Revision, ServerSession, SessionEvent};
//!
//! let at = |millis: u64| Instant::from_micros(millis * 1_000);
//! let session = ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), at(0));
//! let mut transports = ServerTransports::on_polling(session, Revision::V4, false);
//!
//! // A poll waits, and the client opens a WebSocket beside it. It masks its frames: here, with zeros.
//! transports.handle_poll(at(10), false)?;
//! transports.add_websocket(at(20), UPGRADE_TIMEOUT, 1_000_000)?;
//! let mut probe = *b"\x81\x86\0\0\0\x002probe";
//! assert!(transports.receive(at(30), &mut probe).is_some_and(|received| received.event.is_none()));
//! let mut out = [0; 16];
//! assert_eq!(transports.poll_frame(at(30)).expect("3probe").encode(&mut out)?, b"\x81\x063probe");
//!
//! // After 100 ms, the poll is released, so that the client can leave polling.
//! transports.handle_timeout(at(130));
//! let batch = transports.poll_answer(at(130), [], &Limits::DEFAULT).expect("a noop");
//! assert_eq!(batch.encode([], &mut out)?, b"6");
//! transports.handle_poll_answered();
//!
//! // The session moves, and the message behind the `5` is the session's.
//! let mut frames = *b"\x81\x81\0\0\0\x005\x81\x86\0\0\0\x004hello";
//! let upgraded = transports.receive(at(140), &mut frames).expect("the `5`").consumed;
//! assert!(transports.is_on_websocket());
//! let received = transports.receive(at(140), &mut frames[upgraded..]).expect("the message");
//! assert_eq!(received.event, Some(SocketEvent::Session(SessionEvent::Message(Data::Text("hello")))));
//! let answer = Packet::message(WebSocketMessage::Text("hi"));
//! assert_eq!(transports.frame(&answer)?.encode(&mut out)?, b"\x81\x034hi");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod socket;

use core::time::Duration;

pub use socket::{Received, SocketEnd, SocketEvent};

use crate::handshake::{Transport, Transports};
use crate::packet::Packet;
use crate::payload::Format;
use crate::payload::v3::Framing;
use crate::polling::{Batch, Limits, PostFailure, ServerPolling};
use crate::request::{Action, Refusal, Request};
use crate::upgrade::{ServerUpgrade, UpgradeControl, UpgradeOutcome};
use crate::ws::Connection;
use crate::{Instant, Revision, ServerSession};

/// The machines of one session on a server. It takes at most 200 bytes, and owns no buffer and no queue.
///
/// [The module's page](self) describes the loop around it. All methods may be called in any order.
#[derive(Clone, Debug)]
pub struct ServerTransports {
    /// The session. Pass packets of posts to its [`handle_packet`](ServerSession::handle_packet), and call
    /// [`close`](ServerSession::close) to close it. Its `poll_transmit` and `handle_timeout` are called here.
    pub session: ServerSession,
    polling: ServerPolling,
    /// The WebSocket: a candidate, the session's transport, or one that closes.
    socket: Option<Connection>,
    /// What decides about the candidate.
    upgrade: Option<ServerUpgrade>,
    /// Whether the answer to the candidate's probe is to be written.
    owes_probe: bool,
}

impl ServerTransports {
    /// Creates the machines of the session that a request [opens](Action::Open): on a WebSocket, which refuses a
    /// message of more than `max_message_len` bytes, or on polling.
    #[must_use]
    pub fn open(session: ServerSession, request: &Request<'_>, max_message_len: u32) -> Self {
        let Request { revision, base64_only, action, .. } = *request;
        match action {
            Action::Open(Some(_)) => Self::on_websocket(session, revision, base64_only, max_message_len),
            _ => Self::on_polling(session, revision, base64_only),
        }
    }

    /// Creates the machines of a session that opened on polling. `base64_only` is true if the request that opened it
    /// had `b64` in its query.
    #[must_use]
    pub const fn on_polling(session: ServerSession, revision: Revision, base64_only: bool) -> Self {
        Self {
            session,
            polling: ServerPolling::new(revision, base64_only),
            socket: None,
            upgrade: None,
            owes_probe: false,
        }
    }

    /// Creates the machines of a session that opened on a WebSocket, which refuses a message of more than
    /// `max_message_len` bytes. Write the [`frame`](Self::frame) of the `open` packet first.
    #[must_use]
    pub fn on_websocket(
        session: ServerSession,
        revision: Revision,
        base64_only: bool,
        max_message_len: u32,
    ) -> Self {
        let mut transports = Self::on_polling(session, revision, base64_only);
        transports.polling = transports.polling.elsewhere();
        transports.socket = Some(Connection::server(max_message_len));
        transports
    }

    /// Returns the transports that the session may move to, for [`Handshake::upgrades`](crate::handshake::Handshake).
    #[must_use]
    pub const fn upgrades(&self) -> Transports {
        if self.is_on_websocket() { Transports::NONE } else { Transports::NONE.with(Transport::WebSocket) }
    }

    /// Adds a WebSocket that was opened with the session's `sid`. The session moves there when the client completes the
    /// upgrade. If that takes longer than `upgrade_timeout`, a close frame is due there.
    ///
    /// # Errors
    /// Returns [`Refusal::BadRequest`] if the session has a WebSocket, and [`Refusal::SessionUnknown`] if it has ended.
    pub fn add_websocket(
        &mut self,
        now: Instant,
        upgrade_timeout: Duration,
        max_message_len: u32,
    ) -> Result<(), Refusal> {
        if self.session.has_ended() {
            return Err(Refusal::SessionUnknown);
        }
        if self.socket.is_some() || self.is_on_websocket() {
            return Err(Refusal::BadRequest);
        }
        self.socket = Some(Connection::server(max_message_len));
        self.upgrade = Some(ServerUpgrade::new(upgrade_timeout, now));
        Ok(())
    }

    /// Handles a poll that arrived: see [`ServerPolling::handle_poll`].
    ///
    /// # Errors
    /// Returns the [`Refusal`] to answer it with.
    pub fn handle_poll(&mut self, now: Instant, jsonp: bool) -> Result<(), Refusal> {
        Ok(self.polling.handle_poll(now, &mut self.session, jsonp)?)
    }

    /// Returns the answer to the waiting poll, or `None` if it must keep waiting: see [`ServerPolling::poll_answer`].
    pub fn poll_answer<'q>(
        &mut self,
        now: Instant,
        queue: impl IntoIterator<Item = Packet<'q>>,
        limits: &Limits,
    ) -> Option<Batch> {
        self.polling.poll_answer(now, &mut self.session, queue, limits)
    }

    /// Reports that the answer to the poll was written. The client may poll again.
    pub const fn handle_poll_answered(&mut self) {
        self.polling.handle_poll_answered();
    }

    /// Reports that the client of the poll went away before its answer was written: see
    /// [`ServerPolling::handle_poll_aborted`].
    pub fn handle_poll_aborted(&mut self, now: Instant) {
        self.polling.handle_poll_aborted(now, &mut self.session);
    }

    /// Handles a post that arrived, before its body is read: see [`ServerPolling::handle_post`].
    ///
    /// # Errors
    /// Returns the [`Refusal`] to answer it with.
    pub fn handle_post(&mut self, now: Instant, framing: Framing) -> Result<(), Refusal> {
        Ok(self.polling.handle_post(now, &mut self.session, framing)?)
    }

    /// Returns whether the body of the post may be read: see [`ServerPolling::may_receive`].
    #[must_use]
    pub fn may_receive(&self, inbox_has_room: bool) -> bool {
        self.polling.may_receive(&self.session, inbox_has_room)
    }

    /// Returns the format of the session's posts, which decodes them.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.polling.format()
    }

    /// Reports that all packets of the post have been passed to the session.
    pub fn handle_post_received(&mut self) {
        self.polling.handle_post_received();
    }

    /// Reports that the post was not received: see [`ServerPolling::handle_post_failed`]. Returns the [`Refusal`] to
    /// answer it with, if the client still waits for an answer.
    pub fn handle_post_failed(&mut self, now: Instant, failure: PostFailure) -> Option<Refusal> {
        self.polling.handle_post_failed(now, &mut self.session, failure).map(Refusal::Polling)
    }

    /// Returns the answer to the post: `ok` with status 200, or a refusal. Returns `None` if it must keep waiting: see
    /// [`ServerPolling::post_answer`].
    #[must_use = "the post is answered only once"]
    pub fn post_answer(&mut self, inbox_has_room: bool) -> Option<Result<(), Refusal>> {
        let answer = self.polling.post_answer(&self.session, inbox_has_room)?;
        Some(answer.map_err(Refusal::Polling))
    }

    /// Reports that the clock has moved. Call it after everything that is ready has been handled. After the call, the
    /// session has ended, or its deadline is later than `now`.
    ///
    /// A post counts when its packets are passed to the session. One that is still being received does not put off the
    /// end of a session that is silent, so the times of [`detect`](crate::detect) hold. If the session ends meanwhile,
    /// [`post_answer`](Self::post_answer) refuses the post. With [`Liveness::AnyPacket`](crate::Liveness::AnyPacket), a
    /// caller that reports the bytes of a post to [`handle_activity`](ServerSession::handle_activity) makes them count as
    /// they arrive.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
        if let Some(upgrade) = &mut self.upgrade {
            upgrade.handle_timeout(now);
        }
        self.settle();
    }

    /// Returns the time at which to call [`handle_timeout`](Self::handle_timeout). Returns `None` only when the session has
    /// ended.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match (self.session.poll_timeout(), self.upgrade.as_ref().and_then(ServerUpgrade::poll_timeout)) {
            (Some(session), Some(upgrade)) => Some(session.min(upgrade)),
            (session, upgrade) => session.or(upgrade),
        }
    }

    /// Returns whether the session is on the WebSocket: messages go out there, and not by polling.
    #[must_use]
    pub const fn is_on_websocket(&self) -> bool {
        self.polling.has_moved()
    }

    /// Returns whether there is a WebSocket whose connection has not ended.
    #[must_use]
    pub const fn has_websocket(&self) -> bool {
        self.socket.is_some()
    }

    /// Passes on what the upgrade has decided.
    fn settle(&mut self) {
        let Some(upgrade) = &mut self.upgrade else {
            // A client that has sent a `close` packet gets none, but its WebSocket must close, too.
            if self.is_on_websocket() && self.session.has_ended() {
                self.close_websocket();
            }
            return;
        };
        if self.session.has_ended() {
            upgrade.handle_session_ended();
        }
        // An upgrade has at most one of each to send.
        for _ in 0..2 {
            match upgrade.poll_transmit() {
                Some(UpgradeControl::PongProbe) => self.owes_probe = true,
                Some(_) => self.polling.release_poll(),
                None => break,
            }
        }
        if let Some(UpgradeOutcome::Failed(_)) = upgrade.outcome() {
            self.polling.handle_upgrade_failed();
            self.upgrade = None;
            self.close_websocket();
        }
    }

    /// The session moves to the WebSocket.
    fn move_there(&mut self, now: Instant) {
        self.upgrade = None;
        self.polling.handle_upgraded(now, &mut self.session);
        if self.polling.close_pending() {
            self.close_websocket();
        }
    }

    fn close_websocket(&mut self) {
        if let Some(socket) = &mut self.socket {
            socket.close();
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;
    use crate::packet::{Data, WebSocketMessage};
    use crate::session::{CLOSE_TIMEOUT, DisconnectReason, SessionEvent, Violation};
    use crate::upgrade::UPGRADE_TIMEOUT;
    use crate::ws::{ControlFrame, ControlFrameError, FrameOrderError};
    use crate::{BufferTooSmall, Heartbeat, Liveness};

    const MAX: u32 = 100;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis.saturating_mul(1_000))
    }

    fn on_polling() -> ServerTransports {
        let session = ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), at(0));
        ServerTransports::on_polling(session, Revision::V4, false)
    }

    /// A session with a candidate.
    fn upgrading() -> ServerTransports {
        let mut transports = on_polling();
        transports.add_websocket(at(0), UPGRADE_TIMEOUT, MAX).unwrap();
        transports
    }

    fn on_websocket() -> ServerTransports {
        let session = ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), at(0));
        ServerTransports::on_websocket(session, Revision::V4, false, MAX)
    }

    /// A client's frames, masked with zeros, each with a text.
    fn frames(texts: &[&str]) -> Vec<u8> {
        let frame = |text: &&str| {
            let len = 0x80 | u8::try_from(text.len()).unwrap();
            [&[0x81, len, 0, 0, 0, 0], text.as_bytes()].concat()
        };
        texts.iter().flat_map(frame).collect()
    }

    /// Hands over bytes, and returns the text of the messages that they held.
    fn receive(
        transports: &mut ServerTransports,
        now: Instant,
        mut bytes: Vec<u8>,
    ) -> Vec<std::string::String> {
        let (mut messages, mut done) = (Vec::new(), 0);
        while let Some(received) = transports.receive(now, &mut bytes[done..]) {
            done = done.saturating_add(received.consumed);
            if let Some(SocketEvent::Session(SessionEvent::Message(Data::Text(text)))) = received.event {
                messages.push(text.into());
            }
        }
        assert_eq!(done, bytes.len(), "all of it is handled");
        messages
    }

    /// Everything that goes out on the WebSocket when no message waits.
    fn written(transports: &mut ServerTransports, now: Instant) -> Vec<u8> {
        let (mut out, mut buffer) = (Vec::new(), [0; ControlFrame::MAX_LEN]);
        while let Some(frame) = transports.poll_frame(now) {
            out.extend_from_slice(frame.encode(&mut buffer).unwrap());
        }
        if let Some(len) = transports.close_frame(now, None, &mut buffer) {
            out.extend_from_slice(&buffer[..len.unwrap()]);
        }
        out
    }

    const CLOSE: &[u8] = b"\x88\0";

    fn poll_answer(transports: &mut ServerTransports, now: Instant) -> Option<Vec<u8>> {
        let mut body = [0; 16];
        let batch = transports.poll_answer(now, [], &Limits::DEFAULT)?;
        transports.handle_poll_answered();
        Some(batch.encode([], &mut body).unwrap().to_vec())
    }

    #[test]
    fn a_probe_and_a_5_in_one_read_are_answered_in_order_and_what_follows_is_the_sessions() {
        let mut transports = upgrading();
        transports.handle_poll(at(1), false).unwrap();
        let messages = receive(&mut transports, at(2), frames(&["2probe", "5", "4hello"]));
        assert_eq!(messages, ["hello"]);
        transports.session.handle_timeout(at(25_000));
        assert_eq!(written(&mut transports, at(25_000)), b"\x81\x063probe\x81\x012");
        assert_eq!(poll_answer(&mut transports, at(25_000)).unwrap(), b"1");
        assert_eq!(
            transports.handle_poll(at(3), false),
            Err(Refusal::Polling(crate::polling::Refusal::OtherTransport))
        );
    }

    #[test]
    fn a_ping_that_waited_until_the_upgrade_was_complete_has_its_whole_timeout_from_then() {
        let mut transports = on_polling();
        transports.handle_timeout(at(25_000)); // no poll waits
        transports.add_websocket(at(40_000), UPGRADE_TIMEOUT, MAX).unwrap();
        receive(&mut transports, at(44_000), frames(&["2probe"]));
        assert_eq!(transports.session.poll_timeout(), Some(at(45_000)));
        receive(&mut transports, at(46_000), frames(&["5"]));
        assert_eq!(written(&mut transports, at(46_000)), b"\x81\x063probe\x81\x012");
        assert_eq!(transports.poll_timeout(), Some(at(66_000)));
    }

    #[test]
    fn the_body_of_a_post_is_read_once_the_inbox_has_room() {
        let mut transports = on_polling();
        assert!(!transports.may_receive(true), "there is no post");
        transports.handle_post(at(1), Framing::Text).unwrap();
        assert!(!transports.may_receive(false));
        assert!(transports.may_receive(true));
        transports.handle_post_received();
        assert!(!transports.may_receive(true), "it has been received");
    }

    #[test]
    fn a_websocket_is_there_until_its_connection_has_ended() {
        assert!(!on_polling().has_websocket());
        assert!(on_websocket().has_websocket());
        let mut transports = upgrading();
        assert!(transports.has_websocket(), "a candidate counts");
        transports.handle_websocket_end(at(1), SocketEnd::Closed);
        assert!(!transports.has_websocket());
    }

    #[test]
    fn a_session_names_its_own_periods() {
        for heartbeat in [Heartbeat::DEFAULT, Heartbeat::from_millis(300, 200).unwrap()] {
            let session = ServerSession::eio4(heartbeat, Liveness::default(), at(0));
            let transports = ServerTransports::on_polling(session, Revision::V4, false);
            assert_eq!(transports.session.heartbeat(), Some(heartbeat));
        }
    }

    #[test]
    fn a_candidate_that_fails_is_closed_and_the_session_goes_on_and_may_try_again() {
        let fails: [fn(&mut ServerTransports); 4] = [
            |transports| assert!(receive(transports, at(1), frames(&["4hello"])).is_empty()),
            |transports| assert!(receive(transports, at(1), b"\x81\x01x".to_vec()).is_empty()), // not masked
            |transports| assert!(receive(transports, at(1), b"\x88\x80\0\0\0\0".to_vec()).is_empty()),
            |transports| transports.handle_timeout(at(10_000)),
        ];
        for (number, fail) in fails.into_iter().enumerate() {
            let mut transports = upgrading();
            assert_eq!(transports.poll_timeout(), Some(at(10_000)));
            fail(&mut transports);
            let answer: &[u8] = if number == 1 { b"\x88\x02\x03\xea" } else { CLOSE };
            assert_eq!(written(&mut transports, at(10_000)), answer, "{number}");
            assert!(transports.session.is_open() && !transports.is_on_websocket());
            assert_eq!(transports.poll_timeout(), Some(at(25_000)));
            // Until its connection has ended, there is no room for another one.
            assert_eq!(transports.add_websocket(at(10_000), UPGRADE_TIMEOUT, MAX), Err(Refusal::BadRequest));
            transports.handle_websocket_end(at(10_000), SocketEnd::Closed);
            assert!(transports.session.is_open());
            transports.add_websocket(at(10_000), UPGRADE_TIMEOUT, MAX).unwrap();
            assert!(receive(&mut transports, at(10_001), frames(&["5"])).is_empty());
            assert!(transports.is_on_websocket());
        }
    }

    #[test]
    fn a_session_that_ends_while_it_upgrades_closes_its_candidate() {
        let mut transports = upgrading();
        transports.session.handle_transport_error(at(1));
        transports.handle_timeout(at(1));
        assert_eq!(written(&mut transports, at(1)), CLOSE);
        assert_eq!(transports.poll_timeout(), None);
        transports.handle_websocket_end(at(2), SocketEnd::Closed);
        assert_eq!(transports.add_websocket(at(3), UPGRADE_TIMEOUT, MAX), Err(Refusal::SessionUnknown));
    }

    #[test]
    fn a_close_that_waits_for_a_poll_goes_out_on_the_websocket() {
        let mut transports = upgrading();
        transports.handle_poll(at(1), false).unwrap();
        transports.session.close(at(2), CLOSE_TIMEOUT);
        // More messages are queued than the answer carries, so the close waits behind the rest.
        let queue = [Packet::message(WebSocketMessage::Text("a")); 2];
        let batch = transports.poll_answer(at(2), queue, &Limits::DEFAULT.with_max_packets(1)).unwrap();
        assert_eq!((batch.messages(), batch.closes()), (1, false));
        transports.handle_poll_answered();
        receive(&mut transports, at(3), frames(&["5"]));
        assert!(transports.frame(&queue[1]).is_ok());
        assert_eq!(written(&mut transports, at(4)), CLOSE);
        assert_eq!(transports.session.end().unwrap().reason, DisconnectReason::LocalClose);
        assert_eq!(transports.frame(&queue[1]), Err(FrameOrderError::Closed));
    }

    #[test]
    fn the_end_of_the_websocket_that_carries_the_session_is_its_end() {
        for (end, reason) in [
            (SocketEnd::Closed, DisconnectReason::TransportClosed),
            (SocketEnd::Reset, DisconnectReason::TransportReset),
            (SocketEnd::Failed, DisconnectReason::TransportError),
        ] {
            let mut transports = on_websocket();
            transports.handle_websocket_end(at(1), end);
            assert_eq!(transports.session.end().unwrap().reason, reason);
            assert!(!transports.has_websocket());
        }
        let mut transports = on_websocket();
        receive(&mut transports, at(1), b"\x81\x01x".to_vec());
        let reason = transports.session.end().unwrap().reason;
        assert_eq!(reason, DisconnectReason::Violation(Violation::WebSocket));
        assert_eq!(written(&mut transports, at(1)), b"\x88\x02\x03\xea");
        // The client's code is repeated.
        let mut transports = on_websocket();
        receive(&mut transports, at(1), b"\x88\x82\0\0\0\0\x03\xe9".to_vec());
        assert_eq!(transports.session.end().unwrap().reason, DisconnectReason::TransportClosed);
        assert_eq!(written(&mut transports, at(1)), b"\x88\x02\x03\xe9");
    }

    #[test]
    fn a_websocket_closes_however_its_session_has_ended() {
        // The client's `close` needs no answer of its own kind.
        let mut transports = on_websocket();
        receive(&mut transports, at(1), frames(&["1"]));
        assert_eq!(transports.session.end().unwrap().reason, DisconnectReason::PeerClose);
        assert_eq!(written(&mut transports, at(1)), CLOSE);
        assert_eq!(written(&mut transports, at(2)), b"", "only once");

        // The session has ended by a post, and nobody has passed that on yet.
        let mut transports = upgrading();
        transports.session.handle_packet(at(1), Ok(Packet::CLOSE));
        receive(&mut transports, at(1), frames(&["5"]));
        assert_eq!(written(&mut transports, at(1)), CLOSE);
    }

    #[test]
    fn a_message_that_is_too_long_is_called_so() {
        let mut transports = on_websocket();
        receive(&mut transports, at(1), b"\x81\xe5\0\0\0\0".to_vec());
        let reason = transports.session.end().unwrap().reason;
        assert_eq!(reason, DisconnectReason::Violation(Violation::PayloadTooLarge));
        assert_eq!(written(&mut transports, at(1)), b"\x88\x02\x03\xf1");
    }

    #[test]
    fn the_answer_to_a_candidate_that_is_gone_does_not_go_to_the_next_one() {
        let mut transports = upgrading();
        receive(&mut transports, at(1), frames(&["2probe"]));
        transports.handle_websocket_end(at(1), SocketEnd::Closed);
        transports.add_websocket(at(2), UPGRADE_TIMEOUT, MAX).unwrap();
        assert_eq!(written(&mut transports, at(2)), b"");
        receive(&mut transports, at(3), frames(&["2probe"]));
        assert_eq!(written(&mut transports, at(3)), b"\x81\x063probe");
    }

    #[test]
    fn nothing_is_collected_or_answered_on_a_websocket_that_closes() {
        let ended = || {
            let mut transports = on_websocket();
            receive(&mut transports, at(1), frames(&["1"]));
            transports
        };
        let failed = || {
            let mut transports = upgrading();
            receive(&mut transports, at(1), frames(&["4hello"]));
            transports
        };
        for mut transports in [ended(), failed()] {
            let mut ping = *b"\x89\x80\0\0\0\0";
            let mut begun = *b"\x81\x86\0\0\0\x004h";
            for bytes in [&mut ping[..], &mut begun] {
                let ignored = Received { consumed: bytes.len(), event: None };
                assert_eq!(transports.receive(at(2), bytes), Some(ignored));
            }
        }
    }

    #[test]
    fn a_post_counts_when_its_packets_are_handled_and_not_while_it_arrives() {
        let mut transports = on_polling();
        transports.handle_poll(at(24_000), false).unwrap();
        transports.handle_timeout(at(25_000));
        assert!(transports.poll_answer(at(25_000), [], &Limits::DEFAULT).unwrap().has_ping());
        transports.handle_post(at(44_000), Framing::Text).unwrap();
        // It arrives after the deadline, and before anybody has judged it.
        transports.session.handle_packet(at(46_000), Ok(Packet::PONG));
        transports.handle_post_received();
        transports.handle_timeout(at(46_000));
        assert_eq!(transports.post_answer(true), Some(Ok(())));
        assert!(transports.session.is_open());
        let ping = transports.poll_timeout().unwrap();
        transports.handle_timeout(ping);
        let deadline = transports.poll_timeout().unwrap();
        transports.handle_post(ping, Framing::Text).unwrap();
        transports.handle_timeout(deadline);
        assert_eq!(transports.session.end().unwrap().reason, DisconnectReason::PingTimeout);
        assert_eq!(transports.poll_timeout(), None);
        let refusal = transports.post_answer(true).unwrap().unwrap_err();
        assert_eq!(refusal, Refusal::Polling(crate::polling::Refusal::SessionEnded));
    }

    #[test]
    fn posts_one_behind_the_other_keep_no_silent_session_open() {
        for (liveness, end) in [(Liveness::PongOnly, at(45_000)), (Liveness::ExtendOnce, at(64_999))] {
            let session = ServerSession::eio4(Heartbeat::DEFAULT, liveness, at(0));
            let mut transports = ServerTransports::on_polling(session, Revision::V4, false);
            transports.handle_timeout(at(25_000));
            let mut now = at(44_999);
            // The rest of each post comes with the head of the next one.
            transports.handle_post(now, Framing::Text).unwrap();
            while transports.session.is_open() {
                transports.session.handle_packet(now, Ok(Packet::NOOP));
                transports.handle_post_received();
                assert_eq!(transports.post_answer(true), Some(Ok(())));
                transports.handle_post(now, Framing::Text).unwrap();
                now = transports.poll_timeout().expect("until it has ended");
                transports.handle_timeout(now);
            }
            assert_eq!(now, end, "{liveness:?}");
        }
    }

    #[test]
    fn a_post_that_does_not_arrive_ends_the_session_unless_it_has_moved() {
        let mut transports = on_polling();
        transports.handle_post(at(1), Framing::Text).unwrap();
        let refusal = transports.handle_post_failed(at(2), PostFailure::TimedOut);
        assert_eq!(refusal.map(Refusal::status), Some(408));
        assert!(transports.session.has_ended());

        let mut transports = upgrading();
        transports.handle_post(at(1), Framing::Text).unwrap();
        receive(&mut transports, at(2), frames(&["2probe", "5"]));
        transports.handle_post_failed(at(3), PostFailure::TimedOut);
        assert!(transports.session.is_open());
    }

    #[test]
    fn a_ping_that_waited_for_room_on_the_websocket_has_its_whole_timeout_from_when_it_leaves() {
        let mut transports = on_websocket();
        transports.handle_timeout(at(25_000)); // a long message is being written
        assert_eq!(transports.poll_timeout(), Some(at(45_000)));
        transports.handle_timeout(at(44_900)); // until now
        assert_eq!(written(&mut transports, at(44_900)), b"\x81\x012");
        assert_eq!(transports.poll_timeout(), Some(at(64_900)));
        assert_eq!(written(&mut transports, at(50_000)), b"");
        assert_eq!(transports.poll_timeout(), Some(at(64_900)), "only once");
    }

    #[test]
    fn a_message_in_pieces_is_a_packet_once_it_is_whole() {
        let mut transports = on_websocket();
        let mut bytes = frames(&["4hello"]);
        let received = transports.receive(at(1), &mut bytes[..8]).unwrap();
        let Some(SocketEvent::Piece(piece)) = received.event else { panic!("{received:?}") };
        assert_eq!((piece.bytes, piece.first, piece.last), (&b"4h"[..], true, false));
        let received = transports.receive(at(1), &mut bytes[8..]).unwrap();
        let Some(SocketEvent::Piece(piece)) = received.event else { panic!("{received:?}") };
        assert_eq!((piece.bytes, piece.first, piece.last), (&b"ello"[..], false, true));
        let message = transports.handle_message(at(1), WebSocketMessage::Text("4hello"));
        assert_eq!(message, Some(SessionEvent::Message(Data::Text("hello"))));
        // A ping of the WebSocket itself has an answer.
        let received = transports.receive(at(1), &mut bytes[..0]);
        assert_eq!(received, None);
        let mut ping = *b"\x89\x82\0\0\0\0hi";
        let Some(SocketEvent::Reply(reply)) = transports.receive(at(1), &mut ping).unwrap().event else {
            panic!()
        };
        let mut out = [0; ControlFrame::MAX_LEN];
        let len = transports.control(&reply, &mut out).unwrap().unwrap();
        assert_eq!(&out[..len], b"\x8a\x02hi");
    }

    #[test]
    fn a_control_frame_that_is_not_written_says_why() {
        let transports = on_websocket();
        for (payload, room, written) in [
            (&b"hi"[..], 3, Err(BufferTooSmall { needed: 4 }.into())),
            (b"hi", 4, Ok(4)),
            (&[0; 126], 200, Err(ControlFrameError::PayloadTooLong { len: 126 })),
        ] {
            let mut out = [0; 200];
            assert_eq!(transports.control(&ControlFrame::Ping(payload), &mut out[..room]), Some(written));
        }
    }

    #[test]
    fn what_arrives_without_a_websocket_is_ignored() {
        let mut transports = on_polling();
        assert_eq!(transports.receive(at(1), &mut [0x81]), Some(Received { consumed: 1, event: None }));
        assert_eq!(transports.receive(at(1), &mut []), None);
    }

    #[test]
    fn a_header_may_be_consumed_before_its_payload() {
        let mut transports = on_websocket();
        // The first fragment has nothing, and the second one has it all.
        let mut first = *b"\x01\x80\0\0\0\0";
        assert_eq!(transports.receive(at(1), &mut first), Some(Received { consumed: 6, event: None }));
        assert_eq!(transports.receive(at(1), &mut []), None);
        let mut second = *b"\x80\x86\0\0\0\x004hello";
        let received = transports.receive(at(1), &mut second).unwrap();
        assert_eq!(received.event, Some(SocketEvent::Session(SessionEvent::Message(Data::Text("hello")))));
    }

    #[test]
    fn bytes_go_out_as_the_client_has_asked() {
        for (base64_only, expected) in [(false, &b"\x82\x01\xff"[..]), (true, b"\x81\x05b/w==")] {
            let session = ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), at(0));
            let transports = ServerTransports::on_websocket(session, Revision::V4, base64_only, MAX);
            let packet = Packet::message(WebSocketMessage::Binary(&[0xff]));
            let mut out = [0; 16];
            assert_eq!(transports.frame(&packet).unwrap().encode(&mut out), Ok(expected));
        }
    }

    #[test]
    fn the_machines_take_at_most_200_bytes() {
        assert!(size_of::<ServerTransports>() <= 200, "{}", size_of::<ServerTransports>());
    }
}
