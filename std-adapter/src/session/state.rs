//! What one session's task, its HTTP requests and its application share.
//!
//! One mutex, held for short, never across an await. The core's [`ServerSession`] decides; this file moves messages
//! between the queues and wakes whoever waits.

use core::ops::{Deref, DerefMut};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use eio_core::packet::{DecodeError, Packet};
use eio_core::session::{Control, SessionEvent, Violation};
use eio_core::settings::ServerSettings;
use eio_core::upgrade::UpgradeOutcome;
use eio_core::ws::Close;
use eio_core::{DisconnectReason, Heartbeat, Instant, Revision, ServerSession};
use hyper::upgrade::{OnUpgrade, Upgraded};
use tokio::sync::Notify;

use crate::carrier::websocket::WebSocketIo;
use crate::session::grace::{is_believed, is_overdue};
use crate::session::guard::guarded;
use crate::session::hub::Hub;
use crate::session::mailbox::{Mailbox, Taken, remember};
use crate::session::notice::{self, Notice};
use crate::session::socket::{Disconnect, SendError, SendErrorKind, TrySendError};
use crate::session::waiting::{self, until};
use crate::web::upgraded::take_stream;
use crate::wire::close_frame::CloseFrame;
use crate::wire::message::Message;
use crate::wire::outgoing::{Outgoing, ToWrite};
use crate::wire::payload::separator;
use crate::wire::session_id::SessionId;
use crate::wire::transport::Transport;

/// Returns the session of a client that speaks `revision`.
fn new_session(revision: Revision, hub: &Hub, heartbeat: Heartbeat, now: Instant) -> ServerSession {
    let liveness = hub.config.settings.liveness();
    match revision {
        Revision::V3 => ServerSession::eio3(heartbeat, liveness, now),
        Revision::V4 => {
            let session = ServerSession::eio4(heartbeat, liveness, now);
            match first_ping(heartbeat, hub.config.first_ping_jitter) {
                Some(delay) => session.with_first_ping_after(delay),
                None => session,
            }
        }
    }
}

/// When the first ping is due, if not after a whole interval: up to `jitter` earlier.
fn first_ping(heartbeat: Heartbeat, jitter: Duration) -> Option<Duration> {
    let random = if jitter.is_zero() { return None } else { getrandom::u32().ok()? };
    let earlier = jitter.mul_f64(f64::from(random) / f64::from(u32::MAX));
    Some(heartbeat.ping_interval().saturating_sub(earlier))
}

/// One session, for all who deal with it.
pub(crate) struct State {
    pub(crate) id: SessionId,
    pub(crate) revision: Revision,
    /// Binary messages travel as base64 to this client (`b64=1`).
    pub(crate) base64_only: bool,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) hub: Arc<Hub>,
    /// Signalled when the outbox has room again, and when the session ends.
    pub(crate) changed: Notify,
    inner: Mutex<Inner>,
}

/// How far the poll that is being answered has come.
enum Poller {
    None,
    /// Its request has come.
    Begun,
    /// Nothing was there to answer it with.
    Waiting(Waker),
    /// What answers it was taken, and is on its way out.
    Answering,
}

/// The poll that is being answered. There is at most one of a session, and only dropping it makes way for the next.
pub(crate) struct PendingPoll<'a> {
    state: &'a State,
    /// A client that goes away with its poll unanswered has lost what the answer would have held.
    pub(crate) answered: bool,
}

impl Drop for PendingPoll<'_> {
    fn drop(&mut self) {
        self.state.end_poll(self.answered);
    }
}

/// The request with data that is being read. There is at most one of a session, and only dropping it makes way for the
/// next.
pub(crate) struct PostInFlight<'a> {
    state: &'a State,
    /// A client that goes away in the middle of its payload has lost a part of it.
    pub(crate) received: bool,
}

impl Drop for PostInFlight<'_> {
    fn drop(&mut self) {
        self.state.end_post(self.received);
    }
}

/// The lock. Whoever is to be woken is woken once it is released: a waker may be of other people's making.
pub(crate) struct Locked<'a> {
    inner: MutexGuard<'a, Inner>,
    /// Dropped behind the guard.
    woken: Woken<'a>,
}

impl Deref for Locked<'_> {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Inner {
        &mut self.inner
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let Self { inner, woken } = self;
        woken.wakers = [inner.mail.take_woken_reader(), inner.take_woken_poll(), inner.take_woken_post()];
        woken.all = core::mem::take(&mut inner.ended_now);
    }
}

/// Who is woken when this is dropped.
struct Woken<'a> {
    state: &'a State,
    wakers: [Option<Waker>; 3],
    /// Everybody who waits for the end, of this session or of all.
    all: bool,
}

impl<'a> Woken<'a> {
    fn nobody(state: &'a State) -> Self {
        Self { state, wakers: [const { None }; 3], all: false }
    }
}

impl Drop for Woken<'_> {
    fn drop(&mut self) {
        for waker in self.wakers.iter_mut().filter_map(Option::take) {
            waker.wake();
        }
        if self.all {
            self.state.changed.notify_waiters();
            self.state.hub.wake_if_emptied();
        }
    }
}

/// What the mutex guards.
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(crate) struct Inner {
    pub(crate) session: ServerSession,
    pub(crate) transport: Transport,
    pub(crate) mail: Mailbox,
    poll: Poller,
    /// The poll is to be woken.
    poll_woken: bool,
    post_in_flight: bool,
    /// The request with data waits for room in the inbox.
    post: Option<Waker>,
    /// It is to be woken.
    post_woken: bool,
    /// An upgrade wants the pending poll answered with a noop.
    noop_due: bool,
    /// A WebSocket request with this session's sid: the session's task takes it up.
    candidate: Option<OnUpgrade>,
    upgrading: bool,
    /// A WebSocket that the session has no use for is being closed.
    surplus: bool,
    /// A WebSocket has been a candidate already.
    tried_upgrade: bool,
    /// `close` was called: the close frame goes out behind the last message.
    close_due: bool,
    /// What our close frame will say, if `close_with` was called.
    close_frame: Option<CloseFrame>,
    /// What the peer's close frame said, until the end is told.
    peer_close: Option<CloseFrame>,
    end: Option<Disconnect>,
    /// Everybody who waits for the end is to be woken.
    ended_now: bool,
    /// Closing began while no poll was pending: its answer begins with a noop, as the reference's does.
    close_waits_for_poll: bool,
    /// What the session's task has yet to tell.
    notices: Vec<Notice>,
    /// The application has returned, panicked, or was cut off.
    pub(crate) application_over: bool,
}

/// What answers a poll: the session's own packets, a close packet last, and the messages that go before it.
pub(crate) struct PollAnswer {
    pub(crate) controls: Vec<Packet<'static>>,
    pub(crate) messages: Vec<Outgoing>,
}

impl State {
    pub(crate) fn new(
        id: SessionId,
        revision: Revision,
        base64_only: bool,
        peer: Option<SocketAddr>,
        hub: Arc<Hub>,
        heartbeat: Option<Heartbeat>,
        transport: Transport,
    ) -> Self {
        let session = new_session(
            revision,
            &hub,
            heartbeat.unwrap_or(hub.config.settings.heartbeat()),
            hub.clock.now(),
        );
        let inner = Inner {
            session,
            transport,
            mail: Mailbox::default(),
            poll: Poller::None,
            poll_woken: false,
            post_in_flight: false,
            post: None,
            post_woken: false,
            noop_due: false,
            candidate: None,
            upgrading: false,
            surplus: false,
            tried_upgrade: false,
            close_due: false,
            close_frame: None,
            peer_close: None,
            end: None,
            ended_now: false,
            close_waits_for_poll: false,
            notices: vec![Notice::Opened(transport)],
            application_over: false,
        };
        Self { id, revision, base64_only, peer, hub, changed: Notify::new(), inner: Mutex::new(inner) }
    }

    /// The session's end of a WebSocket, once the 101 response has left.
    pub(crate) fn websocket(&self, upgraded: Upgraded) -> WebSocketIo {
        let (stream, received) = take_stream(upgraded);
        let max_message = self.hub.config.settings.max_payload();
        WebSocketIo::server(stream, received, self.revision, self.base64_only, max_message)
    }

    /// A panic of an application elsewhere must not take this session with it.
    pub(crate) fn lock(&self) -> Locked<'_> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        Locked { inner, woken: Woken::nobody(self) }
    }

    pub(crate) fn now(&self) -> Instant {
        self.hub.clock.now()
    }

    /// Changes the session. What came of it the session's task tells later.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut Inner, Instant) -> T) -> T {
        let now = self.now();
        let mut inner = self.lock();
        let result = change(&mut inner, now);
        self.settle(&mut inner);
        if !inner.notices.is_empty() {
            inner.mail.wake_task();
        }
        result
    }

    /// Changes the session, for its task, which tells at once what came of it.
    pub(crate) fn update_and_tell<T>(self: &Arc<Self>, change: impl FnOnce(&mut Inner, Instant) -> T) -> T {
        let now = self.now();
        let mut inner = self.lock();
        let result = change(&mut inner, now);
        self.settle(&mut inner);
        let notices = inner.take_notices();
        drop(inner);
        self.tell(notices);
        result
    }

    /// Tells observer, log and metrics what has happened. If one of them panics, the session ends, of which all are
    /// told as well.
    pub(crate) fn tell(self: &Arc<Self>, mut notices: Vec<Notice>) {
        while !notices.is_empty() {
            let panics = notices.iter().filter(|notice| !notice::tell(self, notice)).count();
            // They may hold messages, of other people's memory.
            let dropped = guarded(|| drop(notices));
            if panics == 0 && dropped.is_ok() {
                return;
            }
            self.application_panicked();
            notices = self.lock().take_notices();
        }
    }

    /// The application, or who watches the session, has panicked: it closes.
    pub(crate) fn application_panicked(&self) {
        let close_timeout = self.hub.config.settings.close_timeout();
        self.close_by(None, |session, now| session.handle_application_panicked(now, close_timeout));
    }

    /// Notices the end once, as soon as it is there, before anything is written.
    fn settle(&self, inner: &mut Inner) {
        if inner.end.is_none()
            && let Some(end) = inner.session.end()
        {
            let disconnect = Disconnect {
                reason: end.reason,
                silent_for: end.silent_for,
                transport: inner.transport,
                unsent: inner.mail.outgoing(),
                close_frame: inner.peer_close.take(),
            };
            inner.mail.end();
            self.hub.session_ended(self.id);
            inner.end = Some(disconnect);
            inner.ended_now = true;
            inner.notices.push(Notice::Closed);
            inner.mail.wake_task();
            inner.mail.wake_reader();
            inner.wake_poll();
            inner.wake_post();
        }
    }

    /// Sends a message as soon as the outbox has room.
    pub(crate) fn send(&self, message: Message) -> impl Future<Output = Result<(), SendError>> {
        waiting::send(&self.changed, message, |message| self.try_send(Outgoing::Message(message)))
    }

    /// Whether a message may enter the outbox, and in it goes.
    pub(crate) fn try_send(&self, outgoing: Outgoing) -> Result<(), TrySendError> {
        let now = self.now();
        let mut inner = self.lock();
        let refusal = match inner.session.check_send(now) {
            Err(error) => Some(SendErrorKind::Session(error)),
            Ok(())
                if inner.transport == Transport::Polling
                    && let Some(at) = separator(self.revision, outgoing.message()) =>
            {
                Some(SendErrorKind::Separator { at })
            }
            Ok(()) if !inner.mail.has_room(&self.hub.config.limits) => None,
            Ok(()) => {
                inner.mail.post(outgoing);
                inner.wake_writer();
                return Ok(());
            }
        };
        drop(inner);
        let message = outgoing.message().clone();
        Err(match refusal {
            Some(kind) => TrySendError::Refused(SendError { message, kind }),
            None => TrySendError::Full(message),
        })
    }

    /// The next message for the application, or how the session ended once all have been taken.
    pub(crate) fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Result<Message, Disconnect>> {
        let now = self.now();
        let mut inner = self.lock();
        match inner.mail.take(&self.hub.config.limits) {
            Some(Taken::Message(message)) => return Poll::Ready(Ok(message)),
            Some(Taken::MessageAndRoom(message)) => {
                inner.resume(now);
                return Poll::Ready(Ok(message));
            }
            None => {}
        }
        if let Some(end) = &inner.end {
            return Poll::Ready(Err(end.clone()));
        }
        inner.mail.wait(cx);
        Poll::Pending
    }

    /// A request came in that carries no evidence itself: what has become due meanwhile happens now, without waiting for
    /// the session's timer, once all that came in beside it has been read. `false` when the session has ended.
    pub(crate) async fn catch_up(&self) -> bool {
        if self.is_due(&self.lock()) {
            // Comes back when the runtime has asked its sockets, and everybody who was woken by that has run.
            tokio::task::yield_now().await;
            // What a request with data brings may be evidence.
            if !self.lock().post_in_flight {
                self.expire();
            }
        }
        self.lock().end.is_none()
    }

    /// What has become due happens now: all that came in has been handled. A verdict that the session's task would not
    /// believe at once is left to it, and so is one about a WebSocket, which it asks before.
    pub(crate) fn expire(&self) {
        self.update(|inner, now| {
            if inner.transport != Transport::Polling {
                return;
            }
            let Some(due) = inner.session.poll_timeout().filter(|due| *due <= now) else { return };
            if !is_overdue(inner.session.check_send(now)) || is_believed(now.saturating_duration_since(due)) {
                inner.handle_timeout(now);
            }
        });
    }

    fn is_due(&self, inner: &Inner) -> bool {
        inner.session.poll_timeout().is_some_and(|due| due <= self.now())
    }

    /// A poll begins. At most one may be under way.
    pub(crate) fn begin_poll(&self) -> Option<PendingPoll<'_>> {
        self.update(|inner, now| {
            if !matches!(inner.poll, Poller::None) {
                inner.session.handle_violation(now, Violation::OverlappingRequests);
                return None;
            }
            inner.poll = Poller::Begun;
            Some(PendingPoll { state: self, answered: false })
        })
    }

    /// The answer to the pending poll, once there is something to say.
    pub(crate) fn poll_answer(&self, cx: &mut Context<'_>) -> Poll<PollAnswer> {
        let answer = self.update(|inner, now| {
            let answer = inner.take_answer(self, now);
            inner.poll = match answer {
                Some(_) => Poller::Answering,
                None => Poller::Waiting(cx.waker().clone()),
            };
            answer
        });
        match answer {
            None => Poll::Pending,
            Some(answer) => {
                if !answer.messages.is_empty() {
                    self.changed.notify_waiters();
                }
                Poll::Ready(answer)
            }
        }
    }

    /// The poll is over; not `answered` when the client went away before.
    fn end_poll(&self, answered: bool) {
        self.update(|inner, now| {
            inner.poll = Poller::None;
            if !answered && inner.transport == Transport::Polling {
                inner.request_failed(now);
            }
        });
    }

    /// A request with data begins. At most one may be under way.
    pub(crate) fn begin_post(&self) -> Option<PostInFlight<'_>> {
        self.update(|inner, now| {
            if inner.post_in_flight {
                inner.session.handle_violation(now, Violation::OverlappingRequests);
                return None;
            }
            inner.post_in_flight = true;
            Some(PostInFlight { state: self, received: false })
        })
    }

    /// The request with data is over; not `received` when the client went away in the middle of it.
    fn end_post(&self, received: bool) {
        self.update(|inner, now| {
            inner.post_in_flight = false;
            inner.post = None;
            if !received && inner.transport == Transport::Polling {
                inner.request_failed(now);
            }
        });
    }

    /// Waits for the end.
    pub(crate) fn closed(&self) -> impl Future<Output = Disconnect> {
        until(&self.changed, || self.lock().end.clone())
    }

    /// Ready once a request with data may be read: the inbox has room and the observer has heard of most of what came,
    /// or the session is closing or has ended, and takes no message any more.
    pub(crate) fn poll_room_to_receive(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_room(cx, |inner| inner.session.is_open())
    }

    /// The same for its answer, which waits in a closing session, too.
    pub(crate) fn poll_room_to_answer(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_room(cx, |inner| inner.end.is_none())
    }

    fn poll_room(&self, cx: &mut Context<'_>, waits: impl FnOnce(&Inner) -> bool) -> Poll<()> {
        let mut inner = self.lock();
        let untold = inner.notices.len() > self.hub.config.limits.inbox_messages;
        if (inner.mail.is_paused() || untold) && waits(&inner) {
            let inner = &mut *inner;
            inner.post_woken = false;
            remember(&mut inner.post, cx);
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    /// `frame` is what the close frame says, where one can be sent.
    pub(crate) fn close(&self, frame: Option<CloseFrame>) {
        let close_timeout = self.hub.config.settings.close_timeout();
        self.close_by(frame, |session, now| session.close(now, close_timeout));
    }

    fn close_by(&self, frame: Option<CloseFrame>, close: impl FnOnce(&mut ServerSession, Instant)) {
        self.update(|inner, now| {
            inner.close_waits_for_poll = inner.transport == Transport::Polling && !inner.has_poll();
            let was_open = inner.session.is_open();
            close(&mut inner.session, now);
            if was_open {
                inner.close_frame = frame;
            }
            inner.wake_writer();
            inner.wake_post();
            inner.mail.wake_task();
        });
    }

    /// Whether a closing session has nothing to deliver but its close packet, and no request that could take it.
    pub(crate) fn owes_only_a_close(&self) -> bool {
        let inner = self.lock();
        let is_silent = !inner.has_poll() && !inner.post_in_flight && !inner.upgrading;
        inner.transport == Transport::Polling && is_silent && inner.mail.outgoing() == 0
    }

    /// The application's `Socket` was dropped: what still comes in goes nowhere, and the session closes.
    pub(crate) fn abandon(&self) {
        let unread = self.update(|inner, now| {
            let (unread, resumes) = inner.mail.abandon();
            if resumes {
                inner.resume(now);
            }
            unread
        });
        drop(unread);
        if std::thread::panicking() {
            self.application_panicked();
        } else {
            self.close(None);
        }
    }
}

impl Inner {
    /// One packet from the peer, or something that is none.
    pub(crate) fn handle_packet(
        &mut self,
        now: Instant,
        packet: Result<Packet<'_>, DecodeError>,
        state: &State,
    ) {
        let hub = &state.hub;
        match self.session.handle_packet(now, packet) {
            Some(SessionEvent::Message(data)) => {
                let message = match Message::from_data(data) {
                    Ok(message) => message,
                    Err(error) => {
                        self.notices.push(Notice::Undecodable(error));
                        return self.session.handle_transport_error(now);
                    }
                };
                if hub.is_watched() {
                    self.notices.push(Notice::Message(message.clone()));
                }
                if self.mail.deliver(message, &hub.config.limits) {
                    self.pause(now, &hub.config.settings);
                }
            }
            Some(SessionEvent::Heartbeat { rtt }) if hub.is_watched() => {
                self.notices.push(Notice::Heartbeat(rtt));
            }
            Some(_) | None => {}
        }
    }

    /// A request ended before its time: its client went away, or somebody's code panicked while it was answered.
    fn request_failed(&mut self, now: Instant) {
        if std::thread::panicking() {
            self.session.handle_application_panicked(now, Duration::ZERO);
        }
        self.session.handle_transport_error(now);
    }

    /// What is yet to be told. A request with data may be waiting for that.
    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        if !self.notices.is_empty() {
            self.wake_post();
        }
        core::mem::take(&mut self.notices)
    }

    pub(crate) fn has_notices(&self) -> bool {
        !self.notices.is_empty()
    }

    /// The peer's close frame came in. It ends the session, and is kept if nothing has ended it before.
    pub(crate) fn handle_close_frame(&mut self, now: Instant, close: Option<Close<'_>>) {
        if !self.session.has_ended() {
            self.peer_close = Some(CloseFrame::received(close));
        }
        self.session.handle_close_frame(now, close);
    }

    /// What our close frame will say, if it will say anything.
    pub(crate) fn close_frame(&self) -> Option<CloseFrame> {
        self.close_frame.clone()
    }

    /// The same, once nobody else will need it.
    pub(crate) fn take_close_frame(&mut self) -> Option<CloseFrame> {
        self.close_frame.take()
    }

    /// The clock has moved: sends what is due, ends what has expired.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
        if self.transport == Transport::Polling {
            // A ping may be due; it goes out with the pending poll.
            self.wake_poll();
        }
    }

    /// Whether a poll waits for an answer that is yet to be found.
    fn has_poll(&self) -> bool {
        matches!(self.poll, Poller::Begun | Poller::Waiting(_))
    }

    pub(crate) fn end(&self) -> Option<&Disconnect> {
        self.end.as_ref()
    }

    /// A WebSocket request with this session's sid; handed back when the session cannot move now.
    pub(crate) fn offer_candidate(&mut self, candidate: OnUpgrade) -> Result<(), OnUpgrade> {
        if self.upgrading || self.transport != Transport::Polling || self.end.is_some() {
            return Err(candidate);
        }
        self.upgrading = true;
        self.tried_upgrade = true;
        self.candidate = Some(candidate);
        self.mail.wake_task();
        Ok(())
    }

    /// A WebSocket that the session has no use for is to be closed; `false` when one is being closed already.
    pub(crate) fn begin_surplus(&mut self) -> bool {
        !core::mem::replace(&mut self.surplus, true)
    }

    pub(crate) fn end_surplus(&mut self) {
        self.surplus = false;
    }

    /// Whether a WebSocket request with this session's sid would be the first one, which belongs to the handshake that
    /// opened the session. Further ones count as handshakes of their own.
    pub(crate) fn expects_upgrade(&self) -> bool {
        self.transport == Transport::Polling && !self.tried_upgrade
    }

    pub(crate) fn take_candidate(&mut self) -> Option<OnUpgrade> {
        self.candidate.take()
    }

    pub(crate) fn end_upgrade(&mut self, outcome: UpgradeOutcome) {
        self.upgrading = false;
        self.noop_due = false;
        self.notices.push(Notice::Upgrade(outcome));
        if outcome == UpgradeOutcome::Upgraded {
            self.transport = Transport::WebSocket;
            self.wake_poll();
        }
    }

    /// The pending poll, if there is one, is answered with a noop.
    pub(crate) fn answer_with_noop(&mut self) {
        if self.has_poll() {
            self.noop_due = true;
            self.wake_poll();
        }
    }

    /// The inbox is full: nothing is read, and silence is not judged.
    fn pause(&mut self, now: Instant, settings: &ServerSettings) {
        // The stall timeout follows the session's own periods, unless it has been set.
        let heartbeat = self.session.heartbeat().unwrap_or(settings.heartbeat());
        self.session.handle_reading_paused(now, settings.with_heartbeat(heartbeat).app_stall_timeout());
    }

    /// The inbox has room again.
    fn resume(&mut self, now: Instant) {
        self.session.handle_reading_resumed(now);
        self.mail.wake_task();
        self.wake_post();
    }

    /// The WebSocket has handed the oldest messages to the kernel.
    pub(crate) fn messages_written(&mut self, count: usize) {
        let bytes = self.mail.written(count);
        if cfg!(feature = "metrics") && count > 0 {
            self.notices.push(Notice::Sent { messages: count, bytes });
        }
    }

    /// The `open` packet was handed to the transport only now: heartbeats count from here, unless all is over already.
    pub(crate) fn restart(&mut self, state: &State, now: Instant) {
        if let Some(first) = &state.hub.config.initial_packet {
            self.mail.post_first(Outgoing::Message(first.clone()));
        }
        if self.session.is_open() {
            let heartbeat = self.session.heartbeat().unwrap_or(state.hub.config.settings.heartbeat());
            self.session = new_session(state.revision, &state.hub, heartbeat, now);
        }
    }

    /// What a WebSocket writes next: heartbeats overtake messages.
    pub(crate) fn next_to_write(&mut self, state: &State) -> Option<ToWrite> {
        while let Some(control) = self.next_control(state) {
            match control {
                Control::Close => self.close_due = true,
                Control::Ping | Control::Pong => return Some(ToWrite::Control(control.as_str())),
            }
        }
        self.mail.begin_writing().map(ToWrite::Message)
    }

    /// What the session itself wants written next; whoever watches hears of pings.
    fn next_control(&mut self, state: &State) -> Option<Control> {
        let control = self.session.poll_transmit();
        if control == Some(Control::Ping) && state.hub.is_watched() {
            self.notices.push(Notice::Ping);
        }
        control
    }

    /// All that was sent before `close` has been taken: the close frame's turn.
    pub(crate) fn may_close(&self) -> bool {
        self.close_due && self.mail.outgoing() == 0
    }

    /// Packets for the pending poll: heartbeats first, a close packet last. What finds no room waits for the next poll.
    fn take_answer(&mut self, state: &State, now: Instant) -> Option<PollAnswer> {
        let mut controls = Vec::new();
        if self.transport != Transport::Polling {
            // The session moved away from under this poll.
            return Some(PollAnswer { controls: vec![Packet::CLOSE], messages: Vec::new() });
        }
        if self.end.is_some() {
            let peer_closed =
                matches!(self.end, Some(Disconnect { reason: DisconnectReason::PeerClose, .. }));
            let packet = if peer_closed { Packet::NOOP } else { Packet::CLOSE };
            return Some(PollAnswer { controls: vec![packet], messages: Vec::new() });
        }
        while let Some(control) = self.next_control(state) {
            match control {
                Control::Close => self.close_due = true,
                Control::Ping | Control::Pong => controls.push(control.packet()),
            }
        }
        let room = state.hub.config.max_packets_per_payload.saturating_sub(controls.len());
        let messages = self.mail.take_outgoing(room);
        let room = room.saturating_sub(messages.len());
        if self.close_due {
            // Encoded behind the messages by the caller: a close packet is always the last of all.
            if core::mem::take(&mut self.close_waits_for_poll) && messages.is_empty() && room > 1 {
                controls.push(Packet::NOOP);
            }
            if room > 0 && self.mail.outgoing() == 0 {
                self.close_due = false;
                controls.push(Packet::CLOSE);
                self.session.handle_closed(now);
            }
        } else if core::mem::take(&mut self.noop_due) && controls.is_empty() && messages.is_empty() {
            controls.push(Packet::NOOP);
        }
        (!controls.is_empty() || !messages.is_empty()).then_some(PollAnswer { controls, messages })
    }

    /// A payload was handled: a pong may be owed, and a poll may be waiting to carry it.
    pub(crate) fn wake_answers(&mut self) {
        self.wake_poll();
        self.mail.wake_task();
    }

    fn wake_writer(&mut self) {
        if self.transport == Transport::Polling {
            self.wake_poll();
        } else {
            self.mail.wake_task();
        }
    }

    fn wake_poll(&mut self) {
        self.poll_woken = true;
    }

    fn wake_post(&mut self) {
        self.post_woken = true;
    }

    /// The waker of the pending poll, if there is a reason to wake it.
    #[must_use]
    fn take_woken_poll(&mut self) -> Option<Waker> {
        if !core::mem::take(&mut self.poll_woken) || !matches!(self.poll, Poller::Waiting(_)) {
            return None;
        }
        match core::mem::replace(&mut self.poll, Poller::Begun) {
            Poller::Waiting(waker) => Some(waker),
            _ => None,
        }
    }

    /// The waker of the request with data, if there is a reason to wake it.
    #[must_use]
    fn take_woken_post(&mut self) -> Option<Waker> {
        if core::mem::take(&mut self.post_woken) { self.post.take() } else { None }
    }
}
