//! The client's side of polling.

use core::time::Duration;

use super::{Batch, Limits};
use crate::packet::Packet;
use crate::payload::Format;
use crate::upgrade::UpgradeFailure;
use crate::{ClientSession, Instant, Revision};

/// The client's side of one session's polling: one poll at a time, one post at a time, and what a post carries. It takes
/// at most 24 bytes.
///
/// The caller makes the requests. After every change it calls [`poll_request`](Self::poll_request) until that returns
/// `None`, and starts each request that it returns. The answers to polls are payloads whose packets go to the session.
///
/// | request | when |
/// |---|---|
/// | the first poll | at once, without a `sid`: its answer opens the session |
/// | a poll | whenever none is in flight, but not while the inbox is full, while an upgrade pauses polling and no post is in flight, or beside the post that closes the session |
/// | a post | when none is in flight and there is something to send: heartbeats first, then as many messages as fit, and a `close` packet behind the last one |
/// | the last post | when the session has ended and the server must be told |
///
/// Heartbeats that become due during a post wait for its answer. So a post that takes longer than twice the longest silence
/// that the handshake allows is abandoned, and the session ends.
///
/// ```
/// use core::time::Duration;
/// use eio_core::packet::{Packet, WebSocketMessage};
/// use eio_core::payload::v3::Framing;
/// use eio_core::polling::{ClientPolling, Hold, Limits, Request};
/// use eio_core::session::CLOSE_TIMEOUT;
/// use eio_core::{ClientSession, Instant, Revision};
///
/// let at = |millis: u64| Instant::from_micros(millis * 1_000);
/// let mut session = ClientSession::eio4(Duration::from_secs(20), at(0));
/// let mut polling = ClientPolling::new(Revision::V4);
/// let limits = Limits::DEFAULT.with_max_len(1_000_000); // the server's `maxPayload`
/// let queue = [WebSocketMessage::Text("hello")].map(Packet::message);
/// let hold = Hold::default();
///
/// // Before the session is open, only a poll can be sent.
/// assert_eq!(polling.poll_request(at(0), &mut session, queue, &limits, hold), Some(Request::Poll));
/// assert_eq!(polling.poll_request(at(0), &mut session, queue, &limits, hold), None);
/// let answer = br#"0{"sid":"x7","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
/// for packet in polling.format().decode(Framing::Text, answer, 16) {
///     session.handle_packet(at(20), packet);
/// }
/// polling.handle_poll_answered();
///
/// assert_eq!(polling.poll_request(at(20), &mut session, queue, &limits, hold), Some(Request::Poll));
/// let Some(Request::Post(batch)) = polling.poll_request(at(20), &mut session, queue, &limits, hold) else {
///     panic!("a message is waiting");
/// };
/// assert_eq!(batch.messages(), 1); // to be taken from the queue
/// assert_eq!(batch.encode(queue, &mut [0; 100]), Ok(&b"4hello"[..]));
/// assert_eq!(polling.poll_timeout(), Some(at(90_020))); // twice 45 s
/// polling.handle_post_answered(at(40), &mut session);
///
/// // The last post carries the `close` packet. Its answer is the end of the session.
/// session.close(at(50), CLOSE_TIMEOUT);
/// let Some(Request::Post(batch)) = polling.poll_request(at(50), &mut session, [], &limits, hold) else {
///     panic!("the server has to be told");
/// };
/// assert!(batch.closes());
/// polling.handle_post_answered(at(60), &mut session);
/// assert!(session.has_ended());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub struct ClientPolling {
    format: Format,
    poll_in_flight: bool,
    post: Post,
    /// The time at which the post in flight is abandoned.
    post_deadline: Option<Instant>,
    /// Whether the session has moved to another transport.
    moved: bool,
    /// Whether an upgrade paused polling at the last call of [`ClientPolling::poll_request`].
    paused: bool,
    /// Whether the session had ended at the last call of [`ClientPolling::poll_request`].
    ended: bool,
}

/// The post in flight, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Post {
    None,
    InFlight,
    /// The post ends with the `close` packet.
    Closing,
}

/// A request that the client starts now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "polling has two requests")]
pub enum Request {
    /// A GET. Its answer is a payload.
    Poll,
    /// A POST with these packets. Take [`Batch::messages`] messages from the queue.
    Post(Batch),
}

/// The reasons to start fewer requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(
    clippy::exhaustive_structs,
    reason = "the two sides of polling: the other transport, and the application"
)]
pub struct Hold {
    /// An upgrade pauses polling: [`ClientUpgrade::wants_pause`](crate::upgrade::ClientUpgrade::wants_pause). No post
    /// starts, and polls go on only as long as a post is in flight. Once [`ClientPolling::is_idle`] returns true, call
    /// [`handle_polling_paused`](crate::upgrade::ClientUpgrade::handle_polling_paused).
    pub upgrade_pauses: bool,
    /// The application does not take its messages. No poll starts.
    pub inbox_full: bool,
}

impl ClientPolling {
    /// How long the post that tells the server of the end may take: 5 s.
    pub const LAST_POST_TIMEOUT: Duration = Duration::from_secs(5);

    /// Creates the state before the first request.
    #[must_use]
    pub const fn new(revision: Revision) -> Self {
        Self {
            // Servers read bytes, whether or not this client asks for base64.
            format: Format::new(revision, false),
            poll_in_flight: false,
            post: Post::None,
            post_deadline: None,
            moved: false,
            paused: false,
            ended: false,
        }
    }

    /// Returns the format of the session's payloads, which decodes the answers to polls.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Returns the next request to start, or `None` if there is nothing to start now. The request counts as in flight.
    ///
    /// `queue` is the caller's queue of messages, the oldest first. The length limit in `limits` is the handshake's
    /// `maxPayload`, or less. A long post delays the heartbeats behind it.
    ///
    /// Once the session has ended, drop the requests in flight before this call. It returns at most one more post, which
    /// tells the server.
    pub fn poll_request<'q>(
        &mut self,
        now: Instant,
        session: &mut ClientSession,
        queue: impl IntoIterator<Item = Packet<'q>>,
        limits: &Limits,
        hold: Hold,
    ) -> Option<Request> {
        if session.has_ended() {
            return self.last_post(now, session);
        }
        self.paused = hold.upgrade_pauses;
        // A server may keep a post's answer until its application has sent something, which takes a poll.
        if self.moved || hold.upgrade_pauses && self.post == Post::None {
            return None;
        }
        if !self.poll_in_flight && !hold.inbox_full && self.post != Post::Closing {
            self.poll_in_flight = true;
            return Some(Request::Poll);
        }
        let heartbeat = session.heartbeat()?;
        if self.post != Post::None {
            return None;
        }
        let mut close_due = false;
        let mut batch = Batch::heartbeats(self.format, &mut close_due, || session.poll_transmit());
        let all = batch.fill(queue, limits);
        if close_due {
            match batch.closed(limits).filter(|_| all) {
                Some(closed) => batch = closed,
                // The session keeps it, and knows whether the server is still to be told when the session ends first.
                None => session.put_back_close(),
            }
        }
        if batch.is_empty() {
            return None;
        }
        self.post = if batch.closes() { Post::Closing } else { Post::InFlight };
        let silence = heartbeat.max_silence();
        self.post_deadline = Some(now.saturating_add(silence).saturating_add(silence));
        Some(Request::Post(batch))
    }

    /// Returns the post that tells the server of the end of the session. Returns it only once.
    fn last_post(&mut self, now: Instant, session: &mut ClientSession) -> Option<Request> {
        // Once the session has moved, the other transport takes what there is to send.
        if self.moved || core::mem::replace(&mut self.ended, true) {
            return None;
        }
        self.poll_in_flight = false;
        self.post = Post::None;
        self.post_deadline = None;
        let mut close_due = false;
        Batch::heartbeats(self.format, &mut close_due, || session.poll_transmit());
        // A server that has not opened the session does not know it.
        if !close_due || session.heartbeat().is_none() {
            return None;
        }
        self.post = Post::Closing;
        self.post_deadline = Some(now.saturating_add(Self::LAST_POST_TIMEOUT));
        Some(Request::Post(Batch::close(self.format)))
    }

    /// Reports that the poll was answered, and that the packets of the answer have been passed to the session.
    pub const fn handle_poll_answered(&mut self) {
        self.poll_in_flight = false;
    }

    /// Reports that the poll failed: there was no answer, or one with a status other than 200. The session ends.
    pub fn handle_poll_failed(&mut self, now: Instant, session: &mut ClientSession) {
        self.poll_in_flight = false;
        session.handle_transport_error(now);
    }

    /// Reports that the post was answered with status 200. The answer to the `close` packet is the end of the session. A ping
    /// that had to wait for the answer leaves now, unless an upgrade pauses polling, so the server may take the whole ping
    /// timeout from now.
    pub fn handle_post_answered(&mut self, now: Instant, session: &mut ClientSession) {
        self.post_deadline = None;
        if core::mem::replace(&mut self.post, Post::None) == Post::Closing {
            session.handle_closed(now);
        }
        self.release_ping(now, session);
    }

    /// Reports that the post failed: there was no answer, or one with a status other than 200. The session ends.
    pub fn handle_post_failed(&mut self, now: Instant, session: &mut ClientSession) {
        self.post = Post::None;
        self.post_deadline = None;
        session.handle_transport_error(now);
    }

    /// Reports that the clock has moved. If the post in flight has taken too long, the session ends, and the method
    /// returns true: drop that post.
    ///
    /// As with a session, read everything that is ready first: an answer that arrives after its deadline, but before
    /// this call, still counts.
    ///
    /// ```
    /// use core::time::Duration;
    /// use eio_core::polling::{ClientPolling, Hold, Limits, Request};
    /// use eio_core::{ClientSession, DisconnectReason, Instant, Revision};
    ///
    /// let at = |millis: u64| Instant::from_micros(millis * 1_000);
    /// let mut session = ClientSession::eio4(Duration::from_secs(20), at(0));
    /// let mut polling = ClientPolling::new(Revision::V4);
    /// let mut request = |polling: &mut ClientPolling, session: &mut ClientSession, now| {
    ///     polling.poll_request(now, session, [], &Limits::DEFAULT, Hold::default())
    /// };
    /// assert_eq!(request(&mut polling, &mut session, at(0)), Some(Request::Poll));
    /// let open = r#"0{"sid":"x7","upgrades":[],"pingInterval":300,"pingTimeout":200}"#;
    /// for packet in [open, "2"] {
    ///     session.handle_packet(at(0), Revision::V4.decode(eio_core::packet::WebSocketMessage::Text(packet)));
    /// }
    /// assert!(matches!(request(&mut polling, &mut session, at(0)), Some(Request::Post(pong)) if pong.has_pong()));
    /// assert!(!polling.handle_timeout(at(999), &mut session));
    /// assert!(polling.handle_timeout(at(1_000), &mut session));
    /// assert_eq!(session.end().map(|end| end.reason), Some(DisconnectReason::TransportError));
    /// ```
    pub fn handle_timeout(&mut self, now: Instant, session: &mut ClientSession) -> bool {
        let expired = self.post_deadline.is_some_and(|deadline| deadline <= now);
        if expired {
            self.handle_post_failed(now, session);
        }
        expired
    }

    /// Returns the time at which to call [`handle_timeout`](Self::handle_timeout) and abandon the post in flight. Returns
    /// `None` if no post is in flight.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.post_deadline
    }

    /// Reports that an upgrade is complete. The session lives on another transport, and no request starts any more. A ping
    /// that waited for the upgrade leaves there, so the server may take the whole ping timeout from now. Call this method
    /// before [`handle_timeout`](ClientSession::handle_timeout).
    ///
    /// A session that closes and still has its `close` packet to send returns it from
    /// [`poll_transmit`](ClientSession::poll_transmit): close the new transport behind the last message.
    pub fn handle_upgraded(&mut self, now: Instant, session: &mut ClientSession) {
        self.moved = true;
        self.release_ping(now, session);
    }

    /// Reports that an upgrade failed, and why. The session stays on polling. If the server has broken off the upgrade, a ping
    /// that waited for it leaves now, unless a post is in flight, so the server may take the whole ping timeout from now. Call
    /// this method before [`handle_timeout`](ClientSession::handle_timeout).
    ///
    /// After [`UpgradeFailure::Timeout`] the ping gets no more time: the poll that waited was there for the server to show that
    /// it lives.
    ///
    /// ```
    /// use core::time::Duration;
    /// use eio_core::polling::{ClientPolling, Hold, Limits, Request};
    /// use eio_core::packet::WebSocketMessage;
    /// use eio_core::upgrade::UpgradeFailure;
    /// use eio_core::{ClientSession, Instant, Revision};
    ///
    /// let at = |millis: u64| Instant::from_micros(millis * 1_000);
    /// let mut session = ClientSession::eio3(Duration::from_secs(20), at(0));
    /// let mut polling = ClientPolling::new(Revision::V3);
    /// let open = r#"0{"sid":"x7","upgrades":["websocket"],"pingInterval":2000,"pingTimeout":1000}"#;
    /// session.handle_packet(at(0), Revision::V3.decode(WebSocketMessage::Text(open)));
    /// let mut request = |polling: &mut ClientPolling, session: &mut ClientSession, now, upgrade_pauses| {
    ///     let hold = Hold { upgrade_pauses, ..Hold::default() };
    ///     polling.poll_request(now, session, [], &Limits::DEFAULT, hold)
    /// };
    /// assert_eq!(request(&mut polling, &mut session, at(1_900), true), None);
    /// session.handle_timeout(at(2_000)); // the ping is due, and waits
    /// assert_eq!(session.poll_timeout(), Some(at(3_000)));
    /// polling.handle_upgrade_failed(at(2_900), &mut session, UpgradeFailure::TransportClosed);
    /// assert_eq!(session.poll_timeout(), Some(at(3_900)));
    /// assert_eq!(request(&mut polling, &mut session, at(2_900), false), Some(Request::Poll));
    /// let post = request(&mut polling, &mut session, at(2_900), false);
    /// assert!(matches!(post, Some(Request::Post(batch)) if batch.has_ping()));
    /// ```
    pub fn handle_upgrade_failed(
        &mut self,
        now: Instant,
        session: &mut ClientSession,
        failure: UpgradeFailure,
    ) {
        self.paused = false;
        if failure != UpgradeFailure::Timeout {
            self.release_ping(now, session);
        }
    }

    /// Reports that a ping that waits leaves now, if nothing holds it back any more.
    fn release_ping(&self, now: Instant, session: &mut ClientSession) {
        let is_free = self.moved || self.post == Post::None && !self.paused;
        if is_free && session.has_ping_to_send() {
            session.handle_ping_sent(now);
        }
    }

    /// Returns whether no request is in flight. An upgrade that pauses polling waits until this is true.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.poll_in_flight && self.post == Post::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{PacketType, WebSocketMessage};
    use crate::session::{CLOSE_TIMEOUT, Control, DisconnectReason};

    const MESSAGE: Packet<'static> = Packet::text(PacketType::Message, "a");

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis.saturating_mul(1_000))
    }

    fn receive(session: &mut ClientSession, revision: Revision, packet: &str) {
        session.handle_packet(at(0), revision.decode(WebSocketMessage::Text(packet)));
    }

    /// A client whose server gives up a peer after 500 ms, and whose first poll has been answered.
    fn open(revision: Revision) -> (ClientSession, ClientPolling) {
        let mut session = match revision {
            Revision::V4 => ClientSession::eio4(CLOSE_TIMEOUT, at(0)),
            Revision::V3 => ClientSession::eio3(CLOSE_TIMEOUT, at(0)),
        };
        let mut polling = ClientPolling::new(revision);
        assert_eq!(request(&mut polling, &mut session, &[]), Some(Request::Poll));
        let open = r#"0{"sid":"x7","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200}"#;
        receive(&mut session, revision, open);
        polling.handle_poll_answered();
        (session, polling)
    }

    fn request(
        polling: &mut ClientPolling,
        session: &mut ClientSession,
        queue: &[Packet<'_>],
    ) -> Option<Request> {
        let limits = Limits::DEFAULT.with_max_packets(1);
        polling.poll_request(at(1), session, queue.iter().copied(), &limits, Hold::default())
    }

    /// The next request, which is a post.
    fn post(polling: &mut ClientPolling, session: &mut ClientSession, queue: &[Packet<'_>]) -> Batch {
        match request(polling, session, queue) {
            Some(Request::Post(batch)) => batch,
            other => panic!("no post: {other:?}"),
        }
    }

    fn end(session: &ClientSession) -> Option<DisconnectReason> {
        session.end().map(|end| end.reason)
    }

    #[test]
    fn a_post_carries_the_heartbeat_of_the_revision() {
        let (mut session, mut polling) = open(Revision::V4);
        request(&mut polling, &mut session, &[]);
        receive(&mut session, Revision::V4, "2");
        let answer = post(&mut polling, &mut session, &[]);
        assert_eq!((answer.has_ping(), answer.has_pong(), answer.closes()), (false, true, false));

        let (mut session, mut polling) = open(Revision::V3);
        request(&mut polling, &mut session, &[]);
        session.handle_timeout(at(300));
        let ping = post(&mut polling, &mut session, &[]);
        assert_eq!((ping.has_ping(), ping.has_pong(), ping.closes()), (true, false, false));
    }

    #[test]
    fn polling_is_idle_while_neither_a_poll_nor_a_post_is_in_flight() {
        let (mut session, mut polling) = open(Revision::V4);
        assert!(polling.is_idle());
        request(&mut polling, &mut session, &[]);
        assert!(!polling.is_idle(), "a poll");
        post(&mut polling, &mut session, &[MESSAGE]);
        polling.handle_poll_answered();
        assert!(!polling.is_idle(), "a post");
        polling.handle_post_answered(at(2), &mut session);
        assert!(polling.is_idle());
        assert_eq!(end(&session), None, "the answer to a post that does not close ends nothing");
    }

    #[test]
    fn a_request_that_fails_ends_the_session() {
        let (mut session, mut polling) = open(Revision::V4);
        request(&mut polling, &mut session, &[]);
        polling.handle_poll_failed(at(2), &mut session);
        assert_eq!((end(&session), polling.is_idle()), (Some(DisconnectReason::TransportError), true));

        let (mut session, mut polling) = open(Revision::V4);
        request(&mut polling, &mut session, &[]);
        post(&mut polling, &mut session, &[MESSAGE]);
        polling.handle_poll_answered();
        polling.handle_post_failed(at(2), &mut session);
        assert_eq!((end(&session), polling.is_idle()), (Some(DisconnectReason::TransportError), true));
        assert_eq!(polling.poll_timeout(), None);
    }

    #[test]
    fn a_post_that_is_not_answered_in_time_fails() {
        let (mut session, mut polling) = open(Revision::V4);
        request(&mut polling, &mut session, &[]);
        assert_eq!(polling.poll_timeout(), None, "a poll may take as long as the session lives");
        post(&mut polling, &mut session, &[MESSAGE]);
        assert_eq!(polling.poll_timeout(), Some(at(1_001)));
        assert!(!polling.handle_timeout(at(1_000), &mut session));
        assert_eq!(end(&session), None);
        assert!(polling.handle_timeout(at(1_001), &mut session));
        assert_eq!(end(&session), Some(DisconnectReason::TransportError));
        assert!(!polling.handle_timeout(at(1_002), &mut session), "only once");
    }

    #[test]
    fn a_close_goes_behind_the_last_message_and_its_answer_is_the_end() {
        let (mut session, mut polling) = open(Revision::V4);
        request(&mut polling, &mut session, &[]);
        session.close(at(1), CLOSE_TIMEOUT);
        let first = post(&mut polling, &mut session, &[MESSAGE; 2]);
        assert_eq!((first.messages(), first.closes()), (1, false));
        polling.handle_post_answered(at(2), &mut session);
        let last = post(&mut polling, &mut session, &[MESSAGE]);
        assert_eq!((last.messages(), last.closes()), (1, false));
        polling.handle_post_answered(at(2), &mut session);
        let close = post(&mut polling, &mut session, &[]);
        assert_eq!((close.messages(), close.closes()), (0, true));
        polling.handle_poll_answered();
        assert_eq!(request(&mut polling, &mut session, &[]), None, "no poll starts behind the close");
        assert_eq!(end(&session), None);
        polling.handle_post_answered(at(3), &mut session);
        assert_eq!(end(&session), Some(DisconnectReason::LocalClose));
    }

    /// A client that closes, while the server has not answered the post with the message before the close.
    fn closing_behind_a_message() -> (ClientSession, ClientPolling) {
        let (mut session, mut polling) = open(Revision::V4);
        request(&mut polling, &mut session, &[]);
        session.close(at(1), Duration::from_millis(100));
        let first = post(&mut polling, &mut session, &[MESSAGE]);
        assert_eq!((first.messages(), first.closes()), (1, false));
        (session, polling)
    }

    #[test]
    fn an_end_that_overtakes_the_close_behind_a_message_is_told_unless_the_server_has_closed() {
        type End = fn(&mut ClientPolling, &mut ClientSession);
        let ends: [(End, bool); 5] = [
            (|polling, session| polling.handle_post_failed(at(2), session), true),
            (|polling, session| polling.handle_poll_failed(at(2), session), true),
            (|polling, session| assert!(polling.handle_timeout(at(1_001), session)), true),
            (|_, session| session.handle_timeout(at(101)), true),
            (|_, session| receive(session, Revision::V4, "1"), false),
        ];
        for (at, (end_it, is_told)) in ends.into_iter().enumerate() {
            let (mut session, mut polling) = closing_behind_a_message();
            end_it(&mut polling, &mut session);
            assert_eq!(end(&session), Some(DisconnectReason::LocalClose), "{at}");
            let last = request(&mut polling, &mut session, &[]);
            assert_eq!(
                matches!(last, Some(Request::Post(batch)) if batch.closes()),
                is_told,
                "{at}: {last:?}"
            );
            assert_eq!(request(&mut polling, &mut session, &[]), None, "{at}");
        }
    }

    #[test]
    fn a_close_behind_a_message_goes_over_the_transport_that_the_session_moves_to() {
        let (mut session, mut polling) = closing_behind_a_message();
        polling.handle_post_answered(at(2), &mut session);
        polling.handle_upgraded(at(2), &mut session);
        assert_eq!(session.poll_transmit(), Some(crate::session::Control::Close));
        assert_eq!(session.poll_transmit(), None);
    }

    #[test]
    fn the_server_is_told_of_the_end_once_if_it_does_not_know() {
        let (mut session, mut polling) = open(Revision::V4);
        request(&mut polling, &mut session, &[]);
        session.handle_timeout(at(500));
        assert_eq!(end(&session), Some(DisconnectReason::PingTimeout));
        let close = post(&mut polling, &mut session, &[MESSAGE]);
        assert_eq!((close.messages(), close.closes()), (0, true));
        assert_eq!(polling.poll_timeout(), Some(at(1).saturating_add(ClientPolling::LAST_POST_TIMEOUT)));
        assert_eq!(request(&mut polling, &mut session, &[]), None);

        let (mut session, mut polling) = open(Revision::V4);
        receive(&mut session, Revision::V4, "1");
        assert_eq!(request(&mut polling, &mut session, &[]), None, "the server has closed it");

        let mut session = ClientSession::eio4(CLOSE_TIMEOUT, at(0));
        let mut polling = ClientPolling::new(Revision::V4);
        session.handle_timeout(at(0).saturating_add(CLOSE_TIMEOUT));
        assert!(session.has_ended());
        assert_eq!(request(&mut polling, &mut session, &[]), None, "the server has not opened it");

        let (mut session, mut polling) = open(Revision::V4);
        polling.handle_upgraded(at(1), &mut session);
        session.handle_timeout(at(500));
        assert!(session.has_ended());
        assert_eq!(request(&mut polling, &mut session, &[]), None, "the other transport tells it");
        assert_eq!(session.poll_transmit(), Some(Control::Close));
    }
}
