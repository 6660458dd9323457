//! One session without its stream.
//!
//! [`incoming`] interprets the received bytes, and [`outgoing`] chooses the next frame to send. This file holds the state
//! that both share, and the deadline.

mod incoming;
mod outgoing;
mod probe;

pub(crate) use self::outgoing::whole;
use self::probe::Probe;

use core::time::Duration;

use eio_core::handshake::Sid;
use eio_core::session::SessionEnd;
use eio_core::ws::opening::{HeadEnd, ResponseError, may_be_response};
use eio_core::ws::{Close, ControlFrame, Decoder, FrameWriter, Key, Reader, Received};
use eio_core::{BufferTooSmall, ClientSession, DisconnectReason, Heartbeat, Instant};
use heapless::String;

use crate::clock::Alarm;
use crate::drive::Failed;
use crate::outbox::{Outbox, SavedPing};
use crate::{Buffers, ClientSettings, ConnectError, IncomingMessage, LongMessages, clock, subprotocol};

/// A wake-up that is later than this shows that the board was busy, not that the server was silent. Before silence is
/// judged, the other tasks then get [`CATCH_UP`] to deliver what is in the network's buffers. In microseconds. An alarm
/// rings at a tick, so it is up to one tick late on a board that has nothing else to do.
const LATE_WAKE: u64 = 10_000 + clock::BEHIND;
const CATCH_UP: u64 = 5_000 + clock::BEHIND;

/// A client without its stream. The fields are separate, because a waiting read borrows `inbox` and a waiting write
/// borrows `outbox`.
// The session comes first in memory, so that a pointer to it is a pointer to the whole: less code on a small processor.
#[repr(C)]
pub(crate) struct Link<'b> {
    pub(crate) state: State<'b>,
    pub(crate) outbox: Outbox<'b>,
    pub(crate) inbox: Reader<'b>,
    pub(crate) alarm: Alarm,
}

// Its order in memory is chosen as that of `Link`.
#[repr(C)]
pub(crate) struct State<'b> {
    pub(crate) session: ClientSession,
    delivery: Delivery,
    /// Whether the rest of a message in pieces is dropped instead of delivered.
    dropping: bool,
    /// How many reads have brought something since the deadline for silence passed.
    overdue_reads: u8,
    /// How reading ended. Reported to the session once everything received before has been handled.
    pub(crate) read_end: Option<ReadEnd>,
    /// How writing failed. Reported to the session once nothing is left to read, because what is left may say why.
    pub(crate) write_failed: Option<Failed>,
    /// Which frames may be sent, up to the close frame.
    writer: FrameWriter,
    pub(crate) settings: &'b ClientSettings,
    rng: &'b mut dyn FnMut() -> u32,
    ping: SavedPing<'b>,
    /// Silence is not judged before this time. It is later than the session's deadline only after a late wake-up.
    catch_up_until: Instant,
    /// The message that is being sent in fragments: how many of its bytes have been put into the send buffer, including
    /// the packet's type, and the caller's length of the whole message, if it is known.
    sent: usize,
    total: Option<usize>,
    pub(crate) phase: Phase,
    /// The application's content of the close frame.
    close: Option<Close<'b>>,
    max_payload: Option<u32>,
    sid: String<{ Sid::MAX_LEN }, u8>,
    probe: Probe,
    probed_at: Instant,
    rtt: Option<Duration>,
}

/// The phase of the connection.
#[derive(Clone, Copy)]
pub(crate) enum Phase {
    New,
    /// The request is in the send buffer or has been sent.
    Requested {
        key: Key,
        /// Searches the response for the end of its head.
        end: HeadEnd,
    },
    Refused(ConnectError),
    Frames,
}

#[derive(Clone, Copy)]
pub(crate) enum ReadEnd {
    Closed,
    Failed(Failed),
}

/// The message or piece that arrived last.
#[derive(Clone, Copy, PartialEq)]
enum Delivery {
    None,
    /// It is in the inbox and waits for the application.
    Waiting,
    /// The application has received it, and it is still in the inbox.
    Delivered,
}

impl<'b> Link<'b> {
    pub(crate) fn new(
        buffers: Buffers<'b>,
        rng: &'b mut dyn FnMut() -> u32,
        settings: &'b ClientSettings,
        now: Instant,
    ) -> Result<Self, ConnectError> {
        let Buffers { rx, tx } = buffers;
        let LongMessages { reader, pieces } = settings.long_messages;
        let inbox = reader(Decoder::client(pieces.map_or(u32::MAX, |pieces| pieces.limit)), rx);
        let inbox = inbox.map_err(|BufferTooSmall { needed, .. }| ConnectError::RxTooSmall { needed })?;
        let outbox = Outbox::new(tx)?;
        let mut session = (settings.protocol.session)(settings.open_timeout, now);
        if let Some(most) = settings.ping_timeout_at_most {
            session = session.with_ping_timeout_at_most(most);
        }
        let state = State::new(session, rng, settings, now);
        Ok(Self { inbox, outbox, state, alarm: Alarm::new() })
    }

    /// Checks the response to the request, once its head is complete. The bytes after an accepted head are frames.
    pub(crate) fn switch_protocols(&mut self, now: Instant) {
        let Phase::Requested { key, end } = &mut self.state.phase else { return };
        let received = self.inbox.unread();
        let error = match end.find(received) {
            Some(len) => {
                match subprotocol::check(self.state.settings, received.get(..len).unwrap_or_default(), key) {
                    Ok(()) => {
                        self.inbox.skip(len);
                        self.outbox.clear();
                        self.state.ping = self.outbox.split_off_ping();
                        self.state.phase = Phase::Frames;
                        return;
                    }
                    Err(error) => error,
                }
            }
            None if !may_be_response(received) => ConnectError::Response(ResponseError::NotHttp),
            None if self.inbox.spare().is_empty() => ConnectError::HeadTooLong,
            None => return,
        };
        self.state.phase = Phase::Refused(error);
        self.state.session.handle_transport_error(now);
    }

    /// Returns the reason text of the server's close frame. It stays in the inbox, because nothing is read after it.
    pub(crate) fn close_reason(&self) -> &str {
        match self.inbox.last() {
            Some(Received::Control(ControlFrame::Close(Some(close)))) => close.reason(),
            _ => "",
        }
    }

    /// Marks the waiting message as delivered. If there is none, returns how the session ended, or `None` if the
    /// application has to wait.
    pub(crate) fn take_message(&mut self, now: Instant) -> Option<Result<(), SessionEnd>> {
        let Self { inbox, state, .. } = self;
        if !state.has_waiting_message() {
            return state.session.end().map(Err);
        }
        if !inbox.has_last() {
            // Cannot happen: a waiting message is in the inbox. If it were missing, an error is better than an invented
            // message.
            state.drop_message();
            state.session.handle_transport_error(now);
            return None;
        }
        state.mark_delivered();
        Some(Ok(()))
    }

    /// Returns the last message that the application has received.
    pub(crate) fn delivered_message(&self) -> Option<IncomingMessage<'_>> {
        if self.state.has_waiting_message() { None } else { self.state.message(&self.inbox) }
    }

    /// Handles a turn in which there was nothing to read: reports a failed write, and expires the session if it is due.
    pub(crate) fn handle_idle(&mut self, now: Instant) {
        if !self.state.has_waiting_message() {
            self.state.report_write_failure(now);
        }
        self.state.expire(now);
    }

    /// Ends a closing session once everything has been written or waiting is pointless. Returns whether it has ended.
    pub(crate) fn try_finish(&mut self, now: Instant, limit: Instant) -> bool {
        let is_silent = |end: SessionEnd| {
            matches!(end.reason, DisconnectReason::PingTimeout | DisconnectReason::OpenTimeout)
        };
        if self.outbox.is_idle()
            || self.state.write_failed.is_some()
            || now >= limit
            || self.state.session.end().is_some_and(is_silent)
        {
            self.state.session.handle_closed(now);
            self.state.session.handle_timeout(now);
            return self.state.has_ended();
        }
        false
    }
}

impl<'b> State<'b> {
    // In its caller, the fields would be far from the start of the task's future: that takes longer instructions.
    #[inline(never)]
    fn new(
        session: ClientSession,
        rng: &'b mut dyn FnMut() -> u32,
        settings: &'b ClientSettings,
        now: Instant,
    ) -> Self {
        Self {
            session,
            rng,
            settings,
            phase: Phase::New,
            ping: SavedPing::none(),
            delivery: Delivery::None,
            dropping: false,
            overdue_reads: 0,
            read_end: None,
            write_failed: None,
            catch_up_until: now,
            writer: FrameWriter::client(),
            close: None,
            max_payload: None,
            sid: String::new(),
            probe: Probe::None,
            probed_at: now,
            rtt: None,
            sent: 0,
            total: None,
        }
    }

    /// Reports to the session that reading is paused, if a message waits for the application.
    pub(crate) fn report_pause(&mut self, now: Instant) {
        let timeout =
            self.settings.app_stall_timeout.or(self.session.heartbeat().map(Heartbeat::max_silence));
        if let Some(timeout) = timeout.filter(|_| self.has_waiting_message()) {
            // Rule 14: what is not read is no silence of the peer.
            self.session.handle_reading_paused(now, timeout);
        }
    }

    /// Does what is due although there may always be something to read: lets a ping go, and ends a session whose server has
    /// sent no sign of life in 255 reads after its deadline. `has_read` says whether the last turn read something.
    ///
    /// A ping that was in the stream's buffers at the deadline is found by these reads, each of which takes what there is, up
    /// to the room in the receive buffer. Rule 5 asks for no more: what comes later has not arrived in time.
    pub(crate) fn keep_up(&mut self, now: Instant, has_read: bool) {
        if self.has_waiting_message() {
            return;
        }
        self.session.handle_reading_resumed(now);
        if self.deadline() > now {
            self.overdue_reads = 0;
            return;
        }
        if self.session.is_expired(now)
            && let Some(reads) = self.overdue_reads.checked_add(has_read.into())
        {
            self.overdue_reads = reads;
            return;
        }
        self.session.handle_timeout(now);
    }

    /// Begins to close the session. `close` is the content of the close frame, unless one is already due.
    pub(crate) fn begin_close(&mut self, close: Option<Close<'b>>, now: Instant) {
        if self.session.is_open() {
            self.close = close;
        }
        self.session.close(now, self.settings.close_timeout);
    }

    /// Reports a failed write to the session, as the end of the connection.
    pub(crate) fn report_write_failure(&mut self, now: Instant) {
        if let Some(failed) = self.write_failed {
            self.handle_failed(now, failed);
        }
    }

    /// Returns whether the session has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.session.has_ended()
    }

    /// Returns an error if the session cannot open any more.
    pub(crate) fn check_open(&self) -> Result<(), ConnectError> {
        match (self.phase, self.session.end()) {
            (Phase::Refused(error), _) => Err(error),
            (_, Some(end)) => Err(end.into()),
            _ => Ok(()),
        }
    }

    /// Returns when the session's deadline has passed for certain: never, once the session has ended.
    fn deadline(&self) -> Instant {
        clock::later(self.session.poll_timeout().unwrap_or(clock::NEVER), clock::BEHIND)
    }

    /// Returns when to wake if nothing happens: never, once the session has ended.
    pub(crate) fn wake_at(&self) -> Instant {
        self.deadline().max(self.catch_up_until)
    }

    /// Expires the session if its deadline has passed. Call it only when nothing is left to read.
    pub(crate) fn expire(&mut self, now: Instant) {
        if self.wake_at() <= now && self.may_expire_at(now) == now {
            self.session.handle_timeout(now);
        }
    }

    /// Returns from when on a deadline that has passed may be acted on. That is `now`, except after a late wake-up: then,
    /// once for each deadline, it is [`CATCH_UP`] later.
    pub(crate) fn may_expire_at(&mut self, now: Instant) -> Instant {
        let deadline = self.deadline();
        if now > clock::later(deadline, LATE_WAKE) && self.catch_up_until <= deadline {
            self.catch_up_until = clock::later(now, CATCH_UP);
            return self.catch_up_until;
        }
        now
    }

    pub(crate) fn sid(&self) -> Option<&str> {
        Some(self.sid.as_str()).filter(|sid| !sid.is_empty())
    }

    pub(crate) const fn max_payload(&self) -> Option<u32> {
        self.max_payload
    }

    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.rtt.or_else(|| self.session.rtt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_missing_from_the_inbox_is_an_error() {
        let (mut rx, mut tx) = ([0; 512], [0; 512]);
        let mut rng = || 4;
        let buffers = Buffers { rx: &mut rx, tx: &mut tx };
        let now = Instant::from_micros(0);
        let Ok(mut link) = Link::new(buffers, &mut rng, &ClientSettings::DEFAULT, now) else {
            panic!("buffers")
        };
        link.state.delivery = Delivery::Waiting;
        assert!(link.take_message(now).is_none());
        let Some(Err(end)) = link.take_message(now) else { panic!("no end") };
        assert_eq!(end.reason, DisconnectReason::TransportError);
    }
}
