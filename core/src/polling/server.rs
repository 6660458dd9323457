//! The server's side of polling.

use super::{Batch, Limits, PostFailure, Refusal};
use crate::packet::Packet;
use crate::payload::Format;
use crate::payload::v3::Framing;
use crate::session::Violation;
use crate::{DisconnectReason, Instant, Revision, ServerSession};

/// The server's side of one session's polling: which requests are in flight, and what answers them. It takes 9 bytes.
///
/// [The module's page](super) describes the loop around it, and the fate of each request. All methods may be called in
/// any order.
///
/// ```
/// use eio_core::packet::{Packet, WebSocketMessage};
/// use eio_core::polling::{Limits, Refusal, ServerPolling};
/// use eio_core::{DisconnectReason, Heartbeat, Instant, Liveness, Revision, ServerSession};
///
/// let now = Instant::from_micros(0);
/// let mut session = ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), now);
/// let mut polling = ServerPolling::new(Revision::V4, false);
/// polling.handle_poll(now, &mut session, false)?;
///
/// // A second poll is refused and ends the session. The first poll is answered with `close`.
/// assert_eq!(polling.handle_poll(now, &mut session, false), Err(Refusal::Overlapping));
/// let batch = polling.poll_answer(now, &mut session, [], &Limits::DEFAULT).expect("the session has ended");
/// assert_eq!(batch.encode([], &mut [0; 8]), Ok(&b"1"[..]));
/// assert_eq!(session.end().map(|end| end.reason.as_str()), Some("transport error"));
/// # Ok::<(), Refusal>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub struct ServerPolling {
    revision: Revision,
    /// Whether the client asked for base64 when it opened the session.
    base64_only: bool,
    poll: Poll,
    post: Post,
    /// Whether an upgrade requires the waiting poll to be answered.
    release: bool,
    /// Whether the session's `close` packet is to be sent.
    close_due: bool,
    /// Whether an answer has been made since the session began to close.
    closing_answered: bool,
    /// Whether the session has moved to another transport.
    moved: bool,
}

/// The poll in flight, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Poll {
    None,
    Waiting {
        format: Format,
        /// Whether the session was already closing when the poll arrived.
        finds_closing: bool,
    },
    /// The answer to the poll is being written.
    Answering,
}

/// The post in flight, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Post {
    None,
    Receiving,
    /// The packets of the post have been handled.
    Received,
}

impl ServerPolling {
    /// Creates the state of a session that has no request in flight. `base64_only` is true if the request that opened
    /// the session had `b64` in its query.
    ///
    /// The request that opens a session is not a poll: it is answered at once, with the `open` packet.
    #[must_use]
    pub const fn new(revision: Revision, base64_only: bool) -> Self {
        Self {
            revision,
            base64_only,
            poll: Poll::None,
            post: Post::None,
            release: false,
            close_due: false,
            closing_answered: false,
            moved: false,
        }
    }

    /// Handles a poll that arrived. `jsonp` is true if its query has `j`, which means that the answer is a script.
    ///
    /// A ping that had to wait for this poll leaves with its answer, so the client may take the whole ping timeout from now.
    /// Otherwise a poll does not count as a sign of life: if the session's deadline has passed, and the session [has no ping
    /// to send](ServerSession::has_ping_to_send), call `session.handle_timeout(now)` first.
    ///
    /// # Errors
    /// Returns the [`Refusal`] to answer the poll with. A poll that overlaps another one also ends the session.
    pub fn handle_poll(
        &mut self,
        now: Instant,
        session: &mut ServerSession,
        jsonp: bool,
    ) -> Result<(), Refusal> {
        self.check_request(session)?;
        if self.poll != Poll::None {
            session.handle_violation(now, Violation::OverlappingRequests);
            return Err(Refusal::Overlapping);
        }
        report_ping_sent(now, session);
        let format = Format::new(self.revision, self.base64_only || jsonp);
        self.poll = Poll::Waiting { format, finds_closing: !session.is_open() };
        Ok(())
    }

    /// Returns the answer to the waiting poll, or `None` if the poll must keep waiting or no poll waits.
    ///
    /// `queue` is the caller's queue of messages, the oldest first. The answer says how many of them it carries. Remove
    /// these, write the answer, and call [`handle_poll_answered`](Self::handle_poll_answered) or
    /// [`handle_poll_aborted`](Self::handle_poll_aborted).
    ///
    /// Ask after every change: of the queue, of the session, of the upgrade, and after [`handle_poll`](Self::handle_poll)
    /// itself. An answer with the `close` packet of a closing session ends it.
    ///
    /// ```
    /// use eio_core::packet::{Packet, WebSocketMessage};
    /// use eio_core::polling::{Limits, ServerPolling};
    /// use eio_core::{Heartbeat, Instant, Liveness, Revision, ServerSession};
    ///
    /// let now = Instant::from_micros(0);
    /// let mut session = ServerSession::eio3(Heartbeat::DEFAULT, Liveness::default(), now);
    /// let mut polling = ServerPolling::new(Revision::V3, false);
    /// let queue = [WebSocketMessage::Text("one"), WebSocketMessage::Binary(&[2]), WebSocketMessage::Text("three")].map(Packet::message);
    /// let limits = Limits::DEFAULT.with_max_packets(2);
    ///
    /// assert_eq!(polling.poll_answer(now, &mut session, queue, &limits), None); // no poll waits
    /// polling.handle_poll(now, &mut session, false)?;
    /// let batch = polling.poll_answer(now, &mut session, queue, &limits).expect("messages are waiting");
    /// assert_eq!(batch.messages(), 2);
    /// assert_eq!(batch.framing().content_type(), "application/octet-stream");
    /// let mut body = vec![0; batch.len()];
    /// assert_eq!(batch.encode(queue, &mut body), Ok(&b"\x00\x04\xff4one\x01\x02\xff\x04\x02"[..]));
    /// # Ok::<(), eio_core::polling::Refusal>(())
    /// ```
    pub fn poll_answer<'q>(
        &mut self,
        now: Instant,
        session: &mut ServerSession,
        queue: impl IntoIterator<Item = Packet<'q>>,
        limits: &Limits,
    ) -> Option<Batch> {
        let Poll::Waiting { format, finds_closing } = self.poll else { return None };
        let batch = if self.moved {
            Batch::close(format)
        } else if let Some(end) = session.end() {
            // A client that has closed the session needs no `close` packet.
            match end.reason {
                DisconnectReason::PeerClose => Batch::empty(format).with_noop(),
                _ => Batch::close(format),
            }
        } else {
            self.take_batch(now, session, queue, limits, format, finds_closing)
        };
        if batch.is_empty() {
            return None;
        }
        self.poll = Poll::Answering;
        Some(batch)
    }

    fn take_batch<'q>(
        &mut self,
        now: Instant,
        session: &mut ServerSession,
        queue: impl IntoIterator<Item = Packet<'q>>,
        limits: &Limits,
        format: Format,
        finds_closing: bool,
    ) -> Batch {
        let mut batch = Batch::heartbeats(format, &mut self.close_due, || session.poll_transmit());
        let all = batch.fill(queue, limits);
        let release = core::mem::take(&mut self.release);
        if !self.close_due {
            return if release && batch.is_empty() { batch.with_noop() } else { batch };
        }
        let first = !core::mem::replace(&mut self.closing_answered, true);
        // Like the reference server, answer a poll that arrives while the session is closing with a noop as well.
        let noop = (first && finds_closing && batch.messages() == 0).then(|| batch.with_noop());
        let closed = noop.and_then(|batch| batch.closed(limits)).or_else(|| batch.closed(limits));
        let Some(closed) = closed.filter(|_| all) else { return batch };
        self.close_due = false;
        session.handle_closed(now);
        closed
    }

    /// Reports that the answer to the poll was written. The client may poll again.
    pub const fn handle_poll_answered(&mut self) {
        self.poll = Poll::None;
    }

    /// Reports that the client of the poll went away before its answer was written. The messages in the answer are
    /// lost, so the session ends. Does nothing to the session after it has moved, and without a poll.
    ///
    /// ```
    /// use eio_core::polling::ServerPolling;
    /// use eio_core::{DisconnectReason, Heartbeat, Instant, Liveness, Revision, ServerSession};
    ///
    /// let now = Instant::from_micros(0);
    /// let mut session = ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), now);
    /// let mut polling = ServerPolling::new(Revision::V4, false);
    /// polling.handle_poll(now, &mut session, false)?;
    /// polling.handle_poll_aborted(now, &mut session);
    /// assert_eq!(session.end().map(|end| end.reason), Some(DisconnectReason::TransportError));
    /// # Ok::<(), eio_core::polling::Refusal>(())
    /// ```
    pub fn handle_poll_aborted(&mut self, now: Instant, session: &mut ServerSession) {
        if core::mem::replace(&mut self.poll, Poll::None) != Poll::None {
            self.fail(now, session);
        }
    }

    /// Handles a post that arrived, before its body is read. `framing` is that of its content type: see
    /// [`Framing::of_content_type`].
    ///
    /// # Errors
    /// Returns the [`Refusal`] to answer the post with. A post that overlaps another one, and one with bytes in
    /// revision 4, also end the session.
    ///
    /// ```
    /// use eio_core::packet::{Packet, WebSocketMessage};
    /// use eio_core::payload::v3::Framing;
    /// use eio_core::polling::{Refusal, ServerPolling};
    /// use eio_core::{Heartbeat, Instant, Liveness, Revision, ServerSession, SessionEvent};
    ///
    /// let now = Instant::from_micros(0);
    /// let mut session = ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), now);
    /// let mut polling = ServerPolling::new(Revision::V4, false);
    /// polling.handle_post(now, &mut session, Framing::Text)?;
    /// // The inbox is full: the body stays unread, and its sender waits.
    /// assert!(!polling.may_receive(&session, false));
    /// assert!(polling.may_receive(&session, true));
    /// for packet in polling.format().decode(Framing::Text, b"4hello\x1e9", 16) {
    ///     if let Some(SessionEvent::Message(data)) = session.handle_packet(now, packet) {
    ///         assert_eq!(data, eio_core::packet::Data::Text("hello"));
    ///     }
    /// }
    /// polling.handle_post_received();
    /// assert_eq!(polling.post_answer(&session, true), Some(Err(Refusal::Malformed)));
    /// # Ok::<(), Refusal>(())
    /// ```
    pub fn handle_post(
        &mut self,
        now: Instant,
        session: &mut ServerSession,
        framing: Framing,
    ) -> Result<(), Refusal> {
        self.check_request(session)?;
        if self.post != Post::None {
            session.handle_violation(now, Violation::OverlappingRequests);
            return Err(Refusal::Overlapping);
        }
        if self.revision == Revision::V4 && framing == Framing::Binary {
            session.handle_violation(now, Violation::ContentType);
            return Err(Refusal::ContentType);
        }
        self.post = Post::Receiving;
        Ok(())
    }

    /// Returns whether the body of the post may be read. Everything that is read is kept, so an open session waits until
    /// its inbox has room. A session that is closing or has ended takes no messages, and waits for nothing.
    #[must_use]
    pub fn may_receive(&self, session: &ServerSession, inbox_has_room: bool) -> bool {
        self.is_receiving() && (inbox_has_room || !session.is_open())
    }

    fn is_receiving(&self) -> bool {
        self.post == Post::Receiving
    }

    /// Returns the format of the session's posts, which decodes them.
    #[must_use]
    pub const fn format(&self) -> Format {
        Format::new(self.revision, self.base64_only)
    }

    /// Reports that all packets of the post have been passed to the session.
    pub fn handle_post_received(&mut self) {
        if self.is_receiving() {
            self.post = Post::Received;
        }
    }

    /// Reports that the post was not received. Returns the [`Refusal`] to answer it with, if the client still waits for an
    /// answer.
    ///
    /// ```
    /// use eio_core::payload::v3::Framing;
    /// use eio_core::polling::{PostFailure, Refusal, ServerPolling};
    /// use eio_core::{Heartbeat, Instant, Liveness, Revision, ServerSession};
    ///
    /// let now = Instant::from_micros(0);
    /// let mut session = ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), now);
    /// let mut polling = ServerPolling::new(Revision::V4, false);
    /// polling.handle_post(now, &mut session, Framing::Text)?;
    /// let refusal = polling.handle_post_failed(now, &mut session, PostFailure::TooLarge);
    /// assert_eq!(refusal, Some(Refusal::PayloadTooLarge));
    /// assert!(session.is_open()); // the client may send less
    ///
    /// polling.handle_post(now, &mut session, Framing::Text)?;
    /// assert_eq!(polling.handle_post_failed(now, &mut session, PostFailure::Aborted), None);
    /// assert!(session.has_ended()); // packets may be lost
    /// # Ok::<(), Refusal>(())
    /// ```
    pub fn handle_post_failed(
        &mut self,
        now: Instant,
        session: &mut ServerSession,
        failure: PostFailure,
    ) -> Option<Refusal> {
        if core::mem::replace(&mut self.post, Post::None) == Post::Receiving
            && failure != PostFailure::TooLarge
        {
            self.fail(now, session);
        }
        match failure {
            PostFailure::TooLarge => Some(Refusal::PayloadTooLarge),
            PostFailure::TimedOut => Some(Refusal::Timeout),
            PostFailure::Aborted => None,
        }
    }

    /// Returns the answer to the post: `ok` with status 200, or a refusal. Returns `None` if the post must keep waiting, or
    /// if no post was received.
    ///
    /// The answer waits until the inbox has room, so that a client cannot send faster than the application reads. If the
    /// session ends while a post is still being received, the rest of it is not needed, and the answer is a refusal.
    #[must_use = "the post is answered only once"]
    pub fn post_answer(
        &mut self,
        session: &ServerSession,
        inbox_has_room: bool,
    ) -> Option<Result<(), Refusal>> {
        let end = session.end();
        let answer = match (self.post, end) {
            (Post::None, _) | (Post::Receiving, None) => return None,
            (Post::Receiving, Some(_)) => Err(Refusal::SessionEnded),
            (Post::Received, Some(end)) if matches!(end.reason, DisconnectReason::ParseError(_)) => {
                Err(Refusal::Malformed)
            }
            (Post::Received, None) if !inbox_has_room => return None,
            (Post::Received, _) => Ok(()),
        };
        self.post = Post::None;
        Some(answer)
    }

    /// Answers the waiting poll with a `noop` packet, if there is nothing else to send. Does nothing without a waiting
    /// poll. Call it for [`UpgradeControl::Noop`](crate::upgrade::UpgradeControl::Noop): the client must finish its poll
    /// before it can complete the upgrade.
    ///
    /// ```
    /// use eio_core::polling::{Limits, ServerPolling};
    /// use eio_core::{Heartbeat, Instant, Liveness, Revision, ServerSession};
    ///
    /// let now = Instant::from_micros(0);
    /// let mut session = ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), now);
    /// let mut polling = ServerPolling::new(Revision::V4, false);
    /// polling.release_poll(); // no poll waits
    /// polling.handle_poll(now, &mut session, false)?;
    /// assert_eq!(polling.poll_answer(now, &mut session, [], &Limits::DEFAULT), None);
    /// polling.release_poll();
    /// let batch = polling.poll_answer(now, &mut session, [], &Limits::DEFAULT).expect("released");
    /// assert_eq!(batch.encode([], &mut [0; 8]), Ok(&b"6"[..]));
    /// # Ok::<(), eio_core::polling::Refusal>(())
    /// ```
    pub const fn release_poll(&mut self) {
        if matches!(self.poll, Poll::Waiting { .. }) {
            self.release = true;
        }
    }

    /// Reports that an upgrade is complete. The session lives on another transport: a waiting poll is answered with
    /// `close`, further requests are refused, and requests that fail do not harm the session. A ping that waited for a
    /// poll leaves there, so the client may take the whole ping timeout from now. If
    /// [`close_pending`](Self::close_pending) returns true, the new transport closes behind the last message.
    pub fn handle_upgraded(&mut self, now: Instant, session: &mut ServerSession) {
        self.release = false;
        self.moved = true;
        report_ping_sent(now, session);
    }

    /// Reports that an upgrade failed. The session stays on polling.
    pub const fn handle_upgrade_failed(&mut self) {
        self.release = false;
    }

    /// The state of a session that opened on another transport.
    pub(crate) const fn elsewhere(mut self) -> Self {
        self.moved = true;
        self
    }

    /// Returns whether the session's [`Control::Close`](crate::session::Control::Close) was taken but not sent, because
    /// messages must be sent before it. `session.poll_transmit()` does not return it again.
    #[must_use]
    pub const fn close_pending(&self) -> bool {
        self.close_due
    }

    /// Returns whether no request is in flight: nothing can reach the client until it sends one.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.poll == Poll::None && self.post == Post::None
    }

    pub(crate) const fn revision(&self) -> Revision {
        self.revision
    }

    pub(crate) const fn base64_only(&self) -> bool {
        self.base64_only
    }

    pub(crate) const fn has_moved(&self) -> bool {
        self.moved
    }

    fn check_request(&self, session: &ServerSession) -> Result<(), Refusal> {
        if session.has_ended() {
            Err(Refusal::SessionEnded)
        } else if self.moved {
            Err(Refusal::OtherTransport)
        } else {
            Ok(())
        }
    }

    /// Reports to the session that its transport failed, because a request failed.
    fn fail(&self, now: Instant, session: &mut ServerSession) {
        if !self.moved {
            session.handle_transport_error(now);
        }
    }
}

/// Reports that a ping that is to be sent leaves only now.
fn report_ping_sent(now: Instant, session: &mut ServerSession) {
    if session.has_ping_to_send() {
        session.handle_ping_sent(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::WebSocketMessage;
    use crate::{Heartbeat, Liveness};

    const NOW: Instant = Instant::from_micros(0);

    fn open(revision: Revision) -> (ServerSession, ServerPolling) {
        let session = match revision {
            Revision::V4 => ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), NOW),
            Revision::V3 => ServerSession::eio3(Heartbeat::DEFAULT, Liveness::default(), NOW),
        };
        (session, ServerPolling::new(revision, false))
    }

    /// The text of the answer to the waiting poll.
    fn answer<'o>(
        polling: &mut ServerPolling,
        session: &mut ServerSession,
        out: &'o mut [u8; 16],
    ) -> Option<&'o [u8]> {
        let batch = polling.poll_answer(NOW, session, [], &Limits::DEFAULT)?;
        Some(batch.encode([], out).expect("16 bytes"))
    }

    #[test]
    fn a_poll_that_waits_when_the_session_ends_is_told_unless_the_client_has_closed_it() {
        for (packet, expected) in [("1", b"6"), ("9", b"1")] {
            let (mut session, mut polling) = open(Revision::V4);
            polling.handle_poll(NOW, &mut session, false).expect("the first poll");
            session.handle_packet(NOW, Revision::V4.decode(WebSocketMessage::Text(packet)));
            assert!(session.has_ended());
            assert_eq!(answer(&mut polling, &mut session, &mut [0; 16]), Some(&expected[..]));
        }
    }

    #[test]
    fn a_post_of_bytes_is_refused_in_revision_4_only() {
        for (revision, framing, expected) in [
            (Revision::V3, Framing::Text, Ok(())),
            (Revision::V3, Framing::Binary, Ok(())),
            (Revision::V4, Framing::Text, Ok(())),
            (Revision::V4, Framing::Binary, Err(Refusal::ContentType)),
        ] {
            let (mut session, mut polling) = open(revision);
            assert_eq!(polling.handle_post(NOW, &mut session, framing), expected);
            assert_eq!(session.is_open(), expected.is_ok());
        }
    }

    #[test]
    fn the_answer_to_a_post_waits_until_the_inbox_has_room_or_the_session_has_ended() {
        let (mut session, mut polling) = open(Revision::V4);
        polling.handle_post(NOW, &mut session, Framing::Text).expect("the first post");
        assert_eq!(polling.post_answer(&session, true), None, "it is being received");
        polling.handle_post_received();
        assert_eq!(polling.post_answer(&session, false), None);
        assert_eq!(polling.post_answer(&session, true), Some(Ok(())));
        assert_eq!(polling.post_answer(&session, true), None, "only once");

        polling.handle_post(NOW, &mut session, Framing::Text).expect("the second post");
        polling.handle_post_received();
        session.handle_packet(NOW, Ok(Packet::CLOSE));
        assert_eq!(polling.post_answer(&session, false), Some(Ok(())));
    }

    #[test]
    fn a_release_of_an_upgrade_that_has_failed_is_forgotten() {
        let (mut session, mut polling) = open(Revision::V4);
        polling.handle_poll(NOW, &mut session, false).expect("the first poll");
        polling.release_poll();
        polling.handle_upgrade_failed();
        assert_eq!(answer(&mut polling, &mut session, &mut [0; 16]), None);
        polling.release_poll();
        assert_eq!(answer(&mut polling, &mut session, &mut [0; 16]), Some(&b"6"[..]));
    }

    #[test]
    fn a_client_that_asked_for_base64_gets_it_on_every_transport() {
        for base64_only in [true, false] {
            assert_eq!(ServerPolling::new(Revision::V4, base64_only).base64_only(), base64_only);
        }
    }
}
