//! The part of a session's task besides the transport: the core's session, and the link to its application.

mod reading;

use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use eio_core::handshake::{Handshake, Transport};
use eio_core::polling::Batch;
use eio_core::session::Control;
use eio_core::ws::Close;
use eio_core::{Heartbeat, Instant};

use crate::carrier::websocket::ConnectionEnd;
use crate::session::closing::Closing;
use crate::session::end::Disconnect;
use crate::session::happening::Happening;
use crate::session::kind::Kind;
use crate::session::limits::Room;
use crate::session::machine::Machine as _;
use crate::session::progress::Written;
use crate::session::queue::Queue;
use crate::session::requests::Requests;
use crate::session::shared::Shared;
use crate::session::span::SessionSpan;
use crate::wire::close_frame::CloseFrame;
use crate::wire::message::Message;
use crate::wire::outgoing::{Outgoing, total_len};

/// How a role reacts to what happens to its session. The session's own task calls these functions, without a lock.
pub(crate) trait Reacts: Kind {
    /// What the task knows of its peer.
    type Peer: Send;

    fn close_timeout(context: &Self::Context) -> Duration;

    /// Returns how long an application may take no message from its full inbox.
    fn stall_timeout(context: &Self::Context, heartbeat: Heartbeat) -> Duration;

    /// Returns the session's name for the log, without secrets.
    fn log_name(engine: &Engine<Self>) -> String;

    /// Returns whether there is an observer, or a log that may show messages and heartbeats.
    fn is_watching(engine: &Engine<Self>) -> bool;

    /// Reports an event to observers, log and metrics. Returns `false` if one of them panicked.
    fn tell(engine: &Engine<Self>, happening: Happening<'_>) -> bool;

    /// Handles the handshake of a server.
    fn handle_opened(_: &mut Engine<Self>, _: Instant, _: &Handshake<'_>) {}

    /// Handles the peer's heartbeat. `deadline` is when the session would have ended.
    fn handle_heartbeat(
        engine: &mut Engine<Self>,
        now: Instant,
        deadline: Option<Instant>,
        rtt: Option<Duration>,
    );

    /// Reports the end, before it is visible elsewhere.
    fn handle_end(engine: &mut Engine<Self>, now: Instant, end: &Disconnect);

    /// Handles that the end is now visible everywhere.
    fn handle_end_shown(_: &mut Engine<Self>) {}
}

/// The session, without a lock. [`show`](Self::show) copies its state into the [`Shared`] view, where others see it.
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(crate) struct Engine<K: Reacts> {
    pub(crate) shared: Arc<Shared<K>>,
    pub(crate) session: K::Session,
    pub(crate) transport: Transport,
    pub(crate) peer: K::Peer,
    pub(crate) closing: Closing,
    /// What runs in the session's task runs in it: the application, the observer, and the log.
    pub(crate) span: SessionSpan,
    /// The messages that a WebSocket has not written completely.
    writing: Queue<Outgoing>,
    /// How many of them the WebSocket has begun to write.
    begun: u32,
    /// How much room the inbox has at least: the application may have taken messages since.
    pub(crate) room: Room,
    /// Whether the inbox is full, so that nothing is read.
    is_paused: bool,
    /// A ping or pong that the session has passed on, but that has not left: the WebSocket writes it first.
    pub(crate) owed: Option<Control>,
    /// Whether the session's close packet is to be written, behind the last message.
    pub(crate) is_close_due: bool,
    /// Whether the session's task has panicked outside of a callback.
    pub(crate) is_broken: bool,
    /// Whether the opening has been reported to observers.
    has_told_opened: bool,
    /// Whether the end has been reported.
    has_ended: bool,
}

impl<K: Reacts> Engine<K> {
    pub(crate) fn new(
        shared: Arc<Shared<K>>,
        session: K::Session,
        transport: Transport,
        peer: K::Peer,
    ) -> Self {
        Self {
            shared,
            session,
            transport,
            peer,
            closing: Closing::default(),
            span: SessionSpan::default(),
            writing: Queue::default(),
            begun: 0,
            room: Room::default(),
            is_paused: false,
            owed: None,
            is_close_due: false,
            is_broken: false,
            has_told_opened: false,
            has_ended: false,
        }
    }

    pub(crate) fn context(&self) -> &K::Context {
        &self.shared.context
    }

    pub(crate) fn now(&self) -> Instant {
        self.shared.now()
    }

    /// Begins a pass. `runs_application` says that the application runs in the session's task.
    pub(crate) fn begin_pass(&mut self, now: Instant, runs_application: bool) {
        let requests = self.shared.lock().begin_pass(now, runs_application);
        if let Some(requests) = requests {
            self.handle_requests(requests, now);
        }
    }

    /// Takes the requests that the application has made in its turn, and its messages if a WebSocket will write them.
    pub(crate) fn take_requests(&mut self, now: Instant, writes: bool) {
        let mut inner = self.shared.lock();
        let requests = inner.mail.take_requests();
        if writes && !self.has_ended {
            inner.mail.outbox.begin_writing(&mut self.writing);
        }
        drop(inner);
        if let Some(requests) = requests {
            self.handle_requests(requests, now);
        }
    }

    #[cold]
    fn handle_requests(&mut self, requests: Requests, now: Instant) {
        if requests.resume {
            self.resume();
        }
        if requests.close
            && self.session.is_open()
            && let Some(frame) = requests.close_frame
        {
            self.closing.set_own_frame(frame);
        }
        if requests.panicked {
            self.application_panicked(now);
        }
        if requests.close {
            let close_timeout = self.begin_close(now);
            self.session.close(now, close_timeout);
        }
        if requests.cut_off {
            self.session.handle_transport_error(now);
        }
    }

    /// Handles the peer's close frame. It ends the session, and is kept if nothing has ended the session before.
    pub(crate) fn handle_close_frame(&mut self, now: Instant, close: Option<Close<'_>>) {
        if !self.session.has_ended() {
            self.closing.set_peers_frame(CloseFrame::received(close));
        }
        self.session.handle_close_frame(now, close);
    }

    /// Returns the session's own next packet, for which the WebSocket has room. Only notes its close packet, which is written
    /// behind the messages.
    pub(crate) fn next_control(&mut self, now: Instant) -> Option<Control> {
        loop {
            let control = self.owed.take().or_else(|| self.session.poll_transmit())?;
            match control {
                Control::Close => self.is_close_due = true,
                Control::Ping => self.handle_ping_sent(now),
                Control::Pong => self.tell(now, Happening::PongSent),
            }
            if control != Control::Close {
                return Some(control);
            }
        }
    }

    /// Returns whether the close packet is the next packet to write. `written` messages have been written since the
    /// mailbox last heard of it.
    pub(crate) fn may_close(&self, written: usize) -> bool {
        self.is_close_due && self.shared.lock().mail.outbox.unsent() == written
    }

    /// Returns the next message that a WebSocket has not begun to write.
    pub(crate) fn next_message(&mut self) -> Option<&Outgoing> {
        let message = self.writing.get(usize::try_from(self.begun).ok()?)?;
        self.begun += 1;
        Some(message)
    }

    /// Handles that a WebSocket has written the oldest `messages` completely. Returns how many bytes they are. The mailbox
    /// hears of them when the pass is [finished](Self::finish_pass).
    pub(crate) fn handle_written(&mut self, now: Instant, messages: usize) -> usize {
        if messages == 0 {
            return 0;
        }
        let bytes = total_len(self.writing.iter().take(messages));
        drop(self.writing.take_first(messages));
        self.begun = self.begun.saturating_sub(u32::try_from(messages).unwrap_or(u32::MAX));
        self.tell_sent(now, messages, bytes);
        bytes
    }

    /// Reports messages that were passed to the transport, if there are any.
    pub(crate) fn tell_sent(&mut self, now: Instant, messages: usize, bytes: usize) {
        if messages > 0 {
            self.tell(now, Happening::Sent { messages, bytes });
        }
    }

    /// Handles the heartbeats in a payload of polling, which leaves now.
    pub(crate) fn handle_heartbeats_sent(&mut self, now: Instant, batch: &Batch) {
        if batch.has_pong() {
            self.tell(now, Happening::PongSent);
        }
        if batch.has_ping() {
            self.handle_ping_sent(now);
        }
    }

    /// Handles that a ping leaves, which may be later than `now`, the time of the pass: it has waited for the turn of the
    /// application, or until the peer took what was written before.
    fn handle_ping_sent(&mut self, now: Instant) {
        self.session.handle_ping_sent(self.now());
        self.tell(now, Happening::PingSent);
    }

    /// Reports an event to observers, log and metrics. If one of them panics, the session closes.
    pub(crate) fn tell(&mut self, now: Instant, happening: Happening<'_>) {
        let told = K::tell(self, happening);
        self.close_unless_told(now, told);
    }

    /// Closes the session if a receiver of an event panicked.
    pub(crate) fn close_unless_told(&mut self, now: Instant, told: bool) {
        if !told {
            self.application_panicked(now);
        }
    }

    /// Reports the opening once. Returns whether it was reported now.
    pub(crate) fn tell_opened(&mut self, now: Instant) -> bool {
        let is_new = !core::mem::replace(&mut self.has_told_opened, true);
        if is_new {
            self.tell(now, Happening::Opened);
        }
        is_new
    }

    pub(crate) fn application_panicked(&mut self, now: Instant) {
        let close_timeout = self.begin_close(now);
        self.session.handle_application_panicked(now, close_timeout);
    }

    /// Notes that this side closes the session, unless it has ended. Returns how long that may take.
    fn begin_close(&mut self, now: Instant) -> Duration {
        let close_timeout = K::close_timeout(self.context());
        self.read_on();
        if !self.session.has_ended() {
            self.closing.begin(now.saturating_add(close_timeout));
        }
        close_timeout
    }

    /// Copies the session's state into the shared view. If the session has ended, reports the end first to observers and
    /// then to all waiting callers.
    pub(crate) fn show(&mut self, now: Instant) {
        self.show_received(now, Queue::default());
    }

    /// Puts received messages into the inbox, and then does the same as [`show`](Self::show), with one lock.
    pub(crate) fn show_received(&mut self, now: Instant, mut messages: Queue<Message>) {
        let end = self.deliver_and_show_state(now, &mut messages);
        // Nobody will read those that are left. Their memory, and its `Drop`, may belong to the application.
        drop(messages);
        if let Some(end) = end {
            K::handle_end(self, now, &end);
            self.show_end(end);
            K::handle_end_shown(self);
        }
    }

    /// Ends a pass in which a WebSocket wrote messages, and copies the session's state into the shared view. Ready if
    /// something has changed since the pass began.
    pub(crate) fn finish_pass(&mut self, cx: &Context<'_>, written: Written) -> Poll<()> {
        let mut inner = self.shared.lock();
        inner.show(&self.session, self.transport);
        inner.note_written(written);
        inner.mail.finish_pass();
        inner.mail.poll_change(cx)
    }

    /// Copies the session's state into the shared view. Returns how the session ended, if it has ended since the last call.
    /// Messages are refused from then on.
    pub(crate) fn show_state(&mut self, now: Instant) -> Option<Disconnect> {
        self.deliver_and_show_state(now, &mut Queue::default())
    }

    /// Puts received messages into the inbox, and then does the same as [`show_state`](Self::show_state).
    fn deliver_and_show_state(&mut self, now: Instant, messages: &mut Queue<Message>) -> Option<Disconnect> {
        let mut inner = self.shared.lock();
        if inner.mail.deliver(messages, K::limits(&self.shared.context)) {
            drop(inner);
            self.pause(now);
            inner = self.shared.lock();
        }
        inner.show(&self.session, self.transport);
        let end = self.session.end().filter(|_| !self.has_ended)?;
        self.has_ended = true;
        self.begun = 0;
        inner.mail.outbox.end_writing(&mut self.writing);
        Some(Disconnect {
            reason: end.reason,
            silent_for: end.silent_for,
            transport: self.transport,
            unsent: inner.mail.outbox.unsent(),
            close_frame: self.closing.take_peers_frame(),
        })
    }

    /// Puts the end into the shared view, and wakes all waiting callers.
    pub(crate) fn show_end(&mut self, end: Disconnect) {
        let mut inner = self.shared.lock();
        inner.view.end = Some(Box::new(end));
        let unwanted = inner.mail.end();
        // Another pass closes the transport.
        inner.mail.wake_task();
        K::wake_requests(&mut inner.slots);
        drop(inner);
        // The memory of messages, and its `Drop`, may belong to the application.
        drop(unwanted);
    }

    /// Returns whether the end has been reported.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Handles the end of the WebSocket's connection.
    pub(crate) fn handle_connection_end(&mut self, now: Instant, end: ConnectionEnd) {
        match end {
            ConnectionEnd::Closed => self.session.handle_transport_closed(now),
            ConnectionEnd::Reset => self.session.handle_transport_reset(now),
            ConnectionEnd::Failed => self.session.handle_transport_error(now),
            ConnectionEnd::Violation(violation) => self.session.handle_violation(now, violation),
        }
    }
}
