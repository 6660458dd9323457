//! One session without its stream.
//!
//! [`incoming`] knows what every byte that came in means, [`outgoing`] which frame goes out next; here is what both
//! share, and the time.

mod incoming;
mod outgoing;

pub(crate) use self::outgoing::whole;

use core::time::Duration;

use eio_core::handshake::Sid;
use eio_core::session::Disconnect;
use eio_core::ws::{Close, Control, Decoder, Key, Reader, Received};
use eio_core::{BufferTooSmall, ClientSession, DisconnectReason, Heartbeat, Instant};

use crate::drive::Failed;
use crate::outbox::{Outbox, SavedPing};
use crate::settings::Pieces;
use crate::{Buffers, ConnectError, Event, Settings, response};

/// Later than this, a wake-up says more about this board than about the server: before silence is judged, the other
/// tasks get [`GRACE`] to bring in what lies in the network's buffers.
const LATE: Duration = Duration::from_millis(10);
const GRACE: Duration = Duration::from_millis(5);

/// What a client holds beside its stream. `inbox`, `outbox` and `state` are apart, because a read that waits
/// borrows the one and a write the other.
pub(crate) struct Link<'b> {
    pub(crate) inbox: Reader<'b>,
    pub(crate) outbox: Outbox<'b>,
    pub(crate) state: State<'b>,
}

pub(crate) struct State<'b> {
    pub(crate) session: ClientSession,
    rng: &'b mut dyn FnMut() -> u32,
    pub(crate) settings: &'b Settings,
    pub(crate) phase: Phase,
    ping: SavedPing<'b>,
    mail: Mail,
    /// Whether a message in pieces is being dropped, because nobody may see it.
    dropping: bool,
    /// How reading ended. The session is told when everything received before has been handled.
    pub(crate) read_end: Option<ReadEnd>,
    /// The session is told when nothing is left to read, which may say why.
    pub(crate) write_failed: Option<Failed>,
    /// Silence is not judged before. Later than the session's deadline only after a late wake-up.
    grace: Instant,
    /// What a close frame to the server will say.
    close: Option<Close<'b>>,
    /// The close frame to the server.
    farewell: Farewell,
    max_payload: Option<u32>,
    sid: SavedSid,
    probe: Probe,
    rtt: Option<Duration>,
    /// Of the message in fragments that is being sent: how many bytes have left the caller, and the length of the
    /// whole, if it is known.
    sent: usize,
    total: Option<usize>,
}

/// How far the connection is.
#[derive(Clone, Copy)]
pub(crate) enum Phase {
    New,
    /// The request is in the send buffer, or has left; so much of what came back was searched for the end of a head.
    Requested {
        key: Key,
        scanned: usize,
    },
    Refused(ConnectError),
    Frames,
}

/// The session's id. Its length comes first in memory: bytes that are not aligned are zeroed by the function that every
/// image has.
#[repr(C)]
struct SavedSid {
    len: u8,
    bytes: [u8; Sid::MAX_LEN],
}

/// A WebSocket ping of ours, which measures the link.
#[derive(Clone, Copy)]
enum Probe {
    None,
    Wanted,
    Sent(Instant),
}

/// The close frame to the server: the last frame of this side, and sent once, even if both sides close at once.
#[derive(Clone, Copy, PartialEq)]
enum Farewell {
    NotDue,
    Owed,
    Sent,
}

#[derive(Clone, Copy)]
pub(crate) enum ReadEnd {
    Closed,
    Failed(Failed),
}

/// The message or piece that came in last.
#[derive(Clone, Copy, PartialEq)]
enum Mail {
    None,
    /// It lies in the inbox until the application has seen it.
    Held,
    /// It still lies there.
    Seen,
}

impl<'b> Link<'b> {
    pub(crate) fn new(
        buffers: Buffers<'b>,
        rng: &'b mut dyn FnMut() -> u32,
        settings: &'b Settings,
        now: Instant,
    ) -> Result<Self, ConnectError> {
        let Buffers { rx, tx } = buffers;
        let inbox = match settings.long_messages.0 {
            Some(Pieces { limit, .. }) => Reader::in_pieces(Decoder::client(limit), rx),
            None => Reader::new(Decoder::client(u32::MAX), rx),
        };
        let inbox = inbox.map_err(|BufferTooSmall { needed, .. }| ConnectError::RxTooSmall { needed })?;
        let outbox = Outbox::new(tx)?;
        let mut session = (settings.revision.session)(settings.open_timeout, now);
        if let Some(most) = settings.ping_timeout_at_most {
            session = session.with_ping_timeout_at_most(most);
        }
        let state = State {
            session,
            rng,
            settings,
            phase: Phase::New,
            ping: SavedPing::none(),
            mail: Mail::None,
            dropping: false,
            read_end: None,
            write_failed: None,
            grace: now,
            close: None,
            farewell: Farewell::NotDue,
            max_payload: None,
            sid: SavedSid { len: 0, bytes: [0; Sid::MAX_LEN] },
            probe: Probe::None,
            rtt: None,
            sent: 0,
            total: None,
        };
        Ok(Self { inbox, outbox, state })
    }

    /// Looks for the answer to the request: from it on there are frames.
    pub(crate) fn switch_protocols(&mut self, now: Instant) {
        let Phase::Requested { key, scanned } = &mut self.state.phase else { return };
        let received = self.inbox.unread();
        let answer = match response::head_len(received, scanned) {
            Some(len) => response::check(received.get(..len).unwrap_or_default(), key).map(|()| len),
            None if !response::may_be_http(received) => Err(ConnectError::NotHttp),
            None if self.inbox.spare().is_empty() => Err(ConnectError::HeadTooLong),
            None => return,
        };
        match answer {
            Ok(len) => {
                self.inbox.skip(len);
                self.outbox.clear();
                self.state.ping = self.outbox.split_off_ping();
                self.state.phase = Phase::Frames;
            }
            Err(error) => {
                self.state.phase = Phase::Refused(error);
                self.state.session.handle_transport_error(now);
            }
        }
    }

    /// The words of the server's close frame, which lies in the inbox: nothing is read after it.
    pub(crate) fn close_reason(&self) -> &str {
        match self.inbox.last() {
            Some(Received::Control(Control::Close(Some(close)))) => close.reason(),
            _ => "",
        }
    }

    /// The application sees its message now, or how the session ended; `None` if it has to wait.
    pub(crate) fn take_message(&mut self, now: Instant) -> Option<Result<(), Disconnect>> {
        let Self { inbox, state, .. } = self;
        if !state.holds_message() {
            return state.session.disconnect().map(Err);
        }
        if !inbox.has_last() {
            // What is held lies in the inbox. If it does not all the same, no message is made up in its place.
            state.drop_message();
            state.session.handle_transport_error(now);
            return None;
        }
        state.mark_seen();
        Some(Ok(()))
    }

    /// The last message that the application has seen.
    pub(crate) fn seen_message(&self) -> Option<Event<'_>> {
        if self.state.holds_message() { None } else { self.state.message(&self.inbox) }
    }

    /// Nothing was there to read: what is due happens.
    pub(crate) fn settle(&mut self, now: Instant) {
        if !self.state.holds_message() {
            self.state.tell_write_failed(now);
        }
        self.state.expire(now);
    }

    /// Ends a session that closes, once nothing is left to be written, or to be waited for; says whether it has ended.
    pub(crate) fn try_finish(&mut self, now: Instant, limit: Instant) -> bool {
        let is_silent = |end: Disconnect| {
            matches!(end.reason, DisconnectReason::PingTimeout | DisconnectReason::OpenTimeout)
        };
        if self.outbox.is_idle()
            || self.state.write_failed.is_some()
            || now >= limit
            || self.state.session.disconnect().is_some_and(is_silent)
        {
            self.state.session.handle_closed(now);
            self.state.session.handle_timeout(now);
            return self.state.has_ended();
        }
        false
    }
}

impl<'b> State<'b> {
    /// Reading stands still while a message waits for the application, and goes on when it was taken.
    pub(crate) fn judge_application(&mut self, now: Instant) {
        if !self.holds_message() {
            self.session.handle_reading_resumed(now);
        } else if let Some(timeout) =
            self.settings.app_stall_timeout.or(self.session.heartbeat().map(Heartbeat::max_silence))
        {
            self.session.handle_reading_paused(now, timeout);
        }
    }

    /// This side closes. `close` is what the close frame says, unless one is due already.
    pub(crate) fn begin_close(&mut self, close: Option<Close<'b>>, now: Instant) {
        if self.session.is_open() {
            self.close = close;
        }
        self.session.close(now, self.settings.close_timeout);
    }

    /// If a write has failed, that is how the connection ended.
    pub(crate) fn tell_write_failed(&mut self, now: Instant) {
        if let Some(failed) = self.write_failed {
            self.handle_failed(now, failed);
        }
    }

    /// Whether there is nothing left to wait for.
    pub(crate) fn has_ended(&self) -> bool {
        self.session.has_ended()
    }

    /// Whether the session is open, or why not.
    pub(crate) fn check_open(&self) -> Result<(), ConnectError> {
        match (self.phase, self.session.disconnect()) {
            (Phase::Refused(error), _) => Err(error),
            (_, Some(end)) => Err(end.into()),
            _ => Ok(()),
        }
    }

    /// When to look again if nothing happens. `None` once the session has ended.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        Some(self.session.poll_timeout()?.max(self.grace))
    }

    /// Nothing more was ready: what is due happens.
    pub(crate) fn expire(&mut self, now: Instant) {
        if self.wake_at().is_some_and(|wake_at| wake_at <= now) && self.look_until(now) == now {
            self.session.handle_timeout(now);
        }
    }

    /// Until when a deadline that has passed is not believed. Only after a late wake-up is that a while from now, and
    /// once for each deadline.
    pub(crate) fn look_until(&mut self, now: Instant) -> Instant {
        match self.session.poll_timeout() {
            Some(deadline) if now > deadline.saturating_add(LATE) && self.grace <= deadline => {
                self.grace = now.saturating_add(GRACE);
                self.grace
            }
            _ => now,
        }
    }

    pub(crate) fn sid(&self) -> Option<&str> {
        let sid = self.sid.bytes.get(..usize::from(self.sid.len)).filter(|sid| !sid.is_empty())?;
        core::str::from_utf8(sid).ok()
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
    fn a_message_that_is_not_there_is_not_made_up() {
        let (mut rx, mut tx) = ([0; 512], [0; 512]);
        let mut rng = || 4;
        let buffers = Buffers { rx: &mut rx, tx: &mut tx };
        let now = Instant::from_micros(0);
        let Ok(mut link) = Link::new(buffers, &mut rng, &Settings::DEFAULT, now) else { panic!("buffers") };
        link.state.mail = Mail::Held;
        assert!(link.take_message(now).is_none());
        let Some(Err(end)) = link.take_message(now) else { panic!("no end") };
        assert_eq!(end.reason, DisconnectReason::TransportError);
    }
}
