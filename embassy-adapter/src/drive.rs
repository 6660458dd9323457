//! Drives a call of the client: decides after each turn what to do with the stream next, until the call's goal is
//! reached.
//!
//! This code does not wait and is not generic over the stream, so an image contains it only once.

use eio_core::Instant;
use eio_core::session::CheckSendError;
use eio_core::ws::Close;
use eio_core::ws::opening::HeadEnd;
use embedded_io_async::{Error, ErrorKind};

use crate::link::{Link, Phase};
use crate::{ConnectError, Endpoint, SendError, subprotocol};

/// The goal of a call. The end of the session ends every call.
pub(crate) enum Goal<'p> {
    /// The server's handshake has arrived.
    Open,
    /// A message for the application has arrived.
    Message,
    /// A message has been put into the send buffer. The closure is called whenever there is room for a frame; it puts
    /// one and returns whether it was the last.
    Sent(&'p mut dyn FnMut(&mut Link<'_>) -> Result<bool, SendError>),
    /// The session has ended and the pending bytes have been written, or this time has come.
    Closed(Instant),
}

/// A call in progress.
// In this order, the code that uses it is the shortest.
#[repr(C)]
pub(crate) struct Call<'p> {
    previous: Previous,
    /// Whether the whole message has been put into the send buffer, or why not.
    pub(crate) sent: Result<(), SendError>,
    /// The results of the last turn's read and write: a number of bytes, or `None` if the stream was not ready.
    pub(crate) read: Option<Result<usize, Failed>>,
    pub(crate) written: Option<Result<usize, Failed>>,
    goal: Goal<'p>,
}

/// How the stream failed.
#[derive(Clone, Copy)]
pub(crate) enum Failed {
    /// The connection was reset.
    Reset,
    Otherwise,
}

impl Failed {
    pub(crate) fn of(error: &impl Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => Self::Reset,
            _ => Self::Otherwise,
        }
    }
}

/// The purpose of the turn before a step. Silence is judged only after a turn that waited, or after many that have all read
/// something (rule 5).
#[derive(Clone, Copy, PartialEq)]
enum Previous {
    /// This is the first step.
    None,
    /// The turn waited.
    Waited,
    /// The turn read what had already arrived, to look for a sign of life.
    CaughtUp,
    /// The goal was reached, and the turn wrote what the stream took at once. The step after it puts no new frames, so
    /// that a server that always sends cannot keep the call from returning.
    Flushed,
}

impl<'p> Call<'p> {
    pub(crate) const fn to(goal: Goal<'p>) -> Self {
        Self { goal, sent: Err(SendError::Closed), read: None, written: None, previous: Previous::None }
    }
}

impl<'b> Link<'b> {
    /// Puts the request for a WebSocket into the send buffer, unless an earlier call has done so.
    // Inlining it makes the image larger: there are too few registers for it and its caller together.
    #[inline(never)]
    pub(crate) fn request(&mut self, endpoint: &Endpoint<'_>) -> Result<(), ConnectError> {
        if let Phase::New = self.state.phase {
            let key = self.state.random_key();
            let len = subprotocol::write(self.state.settings, endpoint, &key, self.outbox.raw())?;
            self.outbox.begin(len);
            self.state.phase = Phase::Requested { key, end: HeadEnd::new() };
        }
        Ok(())
    }

    /// Handles the results of the last turn: decodes, answers and checks the deadline. Returns until when the next turn
    /// reads and writes, or `None` if the call is to return. A time that has passed asks for one turn without waiting.
    pub(crate) fn step(&mut self, now: Instant, call: &mut Call<'_>) -> Option<Instant> {
        let previous = core::mem::replace(&mut call.previous, Previous::Waited);
        let mut progress = call.written.is_some();
        if let Some(written) = call.written.take() {
            self.state.handle_written(written, &mut self.outbox);
        }
        self.state.keep_up(now, call.read.is_some());
        match call.read.take() {
            Some(read) => self.state.handle_read(now, read, &mut self.inbox),
            // Rule 6: if the server has just made room, a ping that waits for it leaves before silence is judged.
            None if progress && self.state.session.has_ping_to_send() => {}
            None if previous == Previous::Waited => self.handle_idle(now),
            None => {}
        }
        self.switch_protocols(now);
        self.state.process(now, &mut self.inbox);
        if previous != Previous::Flushed {
            self.state.fill(now, &mut self.outbox);
        }
        let reached = match &mut call.goal {
            Goal::Open => self.state.session.is_open(),
            Goal::Message => self.state.has_waiting_message(),
            Goal::Sent(put) => {
                if call.sent.is_err() && self.has_room() {
                    let allowed = self.check_send(now);
                    if allowed == Err(SendError::Expired) && previous != Previous::CaughtUp {
                        call.previous = Previous::CaughtUp;
                        return Some(self.state.may_expire_at(now));
                    }
                    match allowed.and_then(|()| put(self)) {
                        Ok(true) => {
                            call.sent = Ok(());
                            progress = true;
                        }
                        Ok(false) => {}
                        Err(error) => {
                            call.sent = Err(error);
                            return None;
                        }
                    }
                }
                call.sent.is_ok()
            }
            Goal::Closed(limit) => {
                let limit = *limit;
                if self.try_finish(now, limit) {
                    return None;
                }
                return Some(self.state.wake_at().min(limit));
            }
        };
        if reached {
            // Without this turn, an application that always finds a message would never write.
            call.previous = Previous::Flushed;
            return (!self.outbox.is_idle() && (progress || previous != Previous::Flushed)).then_some(now);
        }
        self.state.report_pause(now);
        self.state.handle_read_end(now);
        // After a failed write, only bytes that have already arrived can still say why the connection ended.
        let until = if self.state.write_failed.is_some() { now } else { self.state.wake_at() };
        if self.state.has_ended() { None } else { Some(until) }
    }

    /// Returns whether a frame can be put now, or writing has failed so that none can ever be.
    pub(crate) fn has_room(&self) -> bool {
        self.state.write_failed.is_some() || self.outbox.is_idle() && self.state.session.is_open()
    }

    /// Returns whether the application may send now. While a message waits for it, nothing is read, and the server's sign
    /// of life may be behind that message. So the server's silence does not count then (rule 14).
    pub(crate) fn check_send(&self, now: Instant) -> Result<(), SendError> {
        match self.state.session.check_send(now) {
            Err(CheckSendError::Expired) if !self.state.has_waiting_message() => Err(SendError::Expired),
            Ok(()) | Err(CheckSendError::Expired) if self.state.write_failed.is_none() => Ok(()),
            _ => Err(SendError::Closed),
        }
    }

    /// Begins to close the session. Drops the message that waits for the application.
    pub(crate) fn begin_close(&mut self, close: Option<Close<'b>>, now: Instant) -> Goal<'static> {
        self.state.drop_message();
        self.state.begin_close(close, now);
        Goal::Closed(now.saturating_add(self.state.settings.close_timeout))
    }
}
