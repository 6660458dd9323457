//! How a call of the client gets on: what to do with the stream next, until its goal is reached.
//!
//! Nothing here waits, and nothing depends on the kind of the stream, so that an image holds it once.

use eio_core::Instant;
use eio_core::session::SendError as Refusal;
use eio_core::ws::Close;
use embedded_io_async::{Error, ErrorKind};

use crate::link::{Link, Phase};
use crate::{ConnectError, Endpoint, SendError};

/// What a call waits for. The end of the session ends every wait.
pub(crate) enum Goal<'p> {
    /// The handshake.
    Open,
    /// A message for the application.
    Message,
    /// Room for a frame, as often as this wants to put one: it returns whether that was the last.
    Sent(&'p mut dyn FnMut(&mut Link<'_>) -> Result<bool, SendError>),
    /// The end, and until this time for what is still to be written.
    Closed(Instant),
}

/// A call under way.
pub(crate) struct Pass<'p> {
    goal: Goal<'p>,
    /// Whether everything has been put that was to be sent, or why not.
    pub(crate) sent: Result<(), SendError>,
    /// How many bytes the last turn read and wrote, if the stream had an answer.
    pub(crate) read: Option<Result<usize, Failed>>,
    pub(crate) written: Option<Result<usize, Failed>>,
    last: Last,
}

/// The stream failed.
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

/// What the turn before a step was for. Silence is judged after one that has waited, and after no other.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    /// There was none.
    None,
    /// To wait.
    Wait,
    /// To look for a sign of life that has arrived, and nobody has read.
    Look,
    /// To write what the stream takes at once: the goal is reached. Nothing new is answered then, or a server that
    /// always sends could keep the call from returning.
    Leave,
}

impl<'p> Pass<'p> {
    pub(crate) const fn to(goal: Goal<'p>) -> Self {
        Self { goal, sent: Err(SendError::Closed), read: None, written: None, last: Last::None }
    }
}

impl<'b> Link<'b> {
    /// Puts the request for a WebSocket into the send buffer, unless that was done before.
    // Together with its caller it is longer than apart: too few registers for both.
    #[inline(never)]
    pub(crate) fn request(&mut self, endpoint: &Endpoint<'_>) -> Result<(), ConnectError> {
        if let Phase::New = self.state.phase {
            let key = self.state.random_key();
            let len = endpoint.write(self.state.settings.revision.digit, &key, self.outbox.raw())?;
            self.outbox.begin(len);
            self.state.phase = Phase::Requested { key, scanned: 0 };
        }
        Ok(())
    }

    /// Decodes, answers, judges: until when to read and write next, or `None` if the call is to return. A time that has
    /// come means once, without waiting.
    pub(crate) fn step(&mut self, now: Instant, pass: &mut Pass<'_>) -> Option<Instant> {
        let last = core::mem::replace(&mut pass.last, Last::Wait);
        let mut progress = pass.written.is_some();
        if let Some(written) = pass.written.take() {
            self.state.handle_written(written, &mut self.outbox);
        }
        match pass.read.take() {
            Some(read) => self.state.handle_read(now, read, &mut self.inbox),
            None if last == Last::Wait => self.settle(now),
            None => {}
        }
        self.switch_protocols(now);
        self.state.process(now, &mut self.inbox);
        if last != Last::Leave {
            self.state.fill(now, &mut self.outbox);
        }
        let reached = match &mut pass.goal {
            Goal::Open => self.state.session.is_open(),
            Goal::Message => self.state.holds_message(),
            Goal::Sent(put) => {
                if pass.sent.is_err() && self.has_room() {
                    let allowed = self.check_send(now);
                    if allowed == Err(SendError::Expired) && last != Last::Look {
                        pass.last = Last::Look;
                        return Some(self.state.look_until(now));
                    }
                    match allowed.and_then(|()| put(self)) {
                        Ok(true) => {
                            pass.sent = Ok(());
                            progress = true;
                        }
                        Ok(false) => {}
                        Err(error) => {
                            pass.sent = Err(error);
                            return None;
                        }
                    }
                }
                pass.sent.is_ok()
            }
            Goal::Closed(limit) => {
                let limit = *limit;
                if self.try_finish(now, limit) {
                    return None;
                }
                return Some(self.state.wake_at().map_or(limit, |deadline| deadline.min(limit)));
            }
        };
        if reached {
            // An application that always finds a message would never get to write.
            pass.last = Last::Leave;
            return (!self.outbox.is_idle() && (progress || last != Last::Leave)).then_some(now);
        }
        self.state.judge_application(now);
        self.state.handle_read_end(now);
        // After a failed write, only what is there already can still say why.
        self.state.wake_at().map(|until| if self.state.write_failed.is_some() { now } else { until })
    }

    /// Whether a frame can be put, or never will be.
    fn has_room(&self) -> bool {
        self.state.write_failed.is_some() || self.outbox.is_idle() && self.state.session.is_open()
    }

    /// Whether the application may send now.
    fn check_send(&self, now: Instant) -> Result<(), SendError> {
        match self.state.session.check_send(now) {
            Ok(()) if self.state.write_failed.is_none() => Ok(()),
            Err(Refusal::Expired) => Err(SendError::Expired),
            _ => Err(SendError::Closed),
        }
    }

    /// This side closes. What the application has not taken is dropped.
    pub(crate) fn begin_close(&mut self, close: Option<Close<'b>>, now: Instant) -> Goal<'static> {
        self.state.drop_message();
        self.state.begin_close(close, now);
        Goal::Closed(now.saturating_add(self.state.settings.close_timeout))
    }
}
