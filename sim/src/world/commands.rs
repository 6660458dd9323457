//! What a test makes happen to a session.

use core::time::Duration;

use eio_core::session::CheckSendError;

use super::{NEVER, SessionId, Side, Socket, Traffic, World, micros};
use crate::message::{Message, Parcel};
use crate::session::Session;
use crate::stream::Stream;

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The session does not take it.
    #[error(transparent)]
    Refused(CheckSendError),
    /// The program that would send it does not run: it stalls, sleeps or is dead.
    #[error("the program does not run")]
    NotRunning,
}

/// What happens to a session now. Each of these panics if the session was removed or is of another world.
///
/// Nothing happens any more to a machine that is dead. A program that stalls, or whose machine sleeps or is dead, does nothing.
impl World {
    /// Sends a message, as an application does.
    ///
    /// # Errors
    /// Returns an error if the session does not take the message, or if its program does not run now.
    ///
    /// # Panics
    /// Panics if the session was removed.
    #[track_caller]
    pub fn send(
        &mut self,
        session: SessionId,
        from: Side,
        message: impl Into<Message>,
    ) -> Result<(), SendError> {
        self.with(session, |turn| {
            if !turn.runs(from) {
                return Err(SendError::NotRunning);
            }
            let reading = turn.reading(from);
            match turn.peer(from).session.as_ref().map(|session| session.check_send(reading)) {
                None => Err(SendError::Refused(CheckSendError::NotOpen)),
                Some(Err(error)) => Err(SendError::Refused(error)),
                Some(Ok(())) => {
                    turn.send(from, Parcel::Message(message.into()));
                    Ok(())
                }
            }
        })
    }

    /// Closes the session, as an application does. Returns false if it cannot: the session has not begun or has ended on this
    /// side, or its program does not run now.
    ///
    /// ```
    /// use core::time::Duration;
    /// use eio_core::{DisconnectReason, Heartbeat};
    /// use eio_sim::{Plan, Side, World};
    ///
    /// let mut world = World::new(1);
    /// let plan = world.add_plan(Plan::new(Heartbeat::DEFAULT));
    /// let session = world.open(plan);
    /// world.stall(session, Side::Client, Duration::from_secs(5));
    /// assert!(!world.close(session, Side::Client));
    ///
    /// world.run_for(Duration::from_secs(5));
    /// assert!(world.close(session, Side::Client));
    /// world.assert_ended(session, Side::Client, DisconnectReason::LocalClose);
    /// ```
    ///
    /// # Panics
    /// Panics if the session was removed.
    #[track_caller]
    pub fn close(&mut self, session: SessionId, side: Side) -> bool {
        self.with(session, |turn| turn.close(side))
    }

    /// Lets the client of a session on [long-polling](crate::Plan::polling) move to a WebSocket. Returns false if it cannot:
    /// it is on a WebSocket or about to move to one, it is not open, or its program does not run now.
    ///
    /// The upgrade may fail, as on a link that is cut meanwhile; then the session stays on long-polling, and the client may
    /// try again.
    ///
    /// # Panics
    /// Panics if the session was removed.
    #[track_caller]
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the name of the method is a function of one lifetime, and any is wanted"
    )]
    pub fn upgrade(&mut self, session: SessionId) -> bool {
        self.with(session, |turn| turn.begin_upgrade())
    }

    /// Stops the program of this side for so long. Its kernel goes on receiving and acknowledging. When the program runs
    /// again, it handles all that has arrived before it looks at its clock.
    ///
    /// # Panics
    /// Panics if the session was removed.
    #[track_caller]
    pub fn stall(&mut self, session: SessionId, side: Side, time: Duration) {
        self.with(session, |turn| turn.stall(side, micros(time)));
    }

    /// Lets the application of this side take no messages for so long. Its adapter stops reading: what arrives waits in the
    /// kernel, and the peer's silence is not judged. After I + T, the session ends with
    /// [`ApplicationStalled`](eio_core::DisconnectReason::ApplicationStalled). Returns false if nothing changes: the session is
    /// not open, its program does not run now, or `time` is zero.
    ///
    /// ```
    /// use core::time::Duration;
    /// use eio_core::{DisconnectReason, Heartbeat};
    /// use eio_sim::{Plan, Side, World};
    ///
    /// let seconds = Duration::from_secs;
    /// let mut world = World::new(1);
    /// let plan = world.add_plan(Plan::new(Heartbeat::DEFAULT));
    /// let session = world.open(plan);
    /// world.run_until(seconds(10));
    /// world.pause_reading(session, Side::Client, seconds(30));
    /// world.run_until(seconds(44));
    /// world.assert_open(session);
    ///
    /// world.pause_reading(session, Side::Server, seconds(60));
    /// world.run_until(seconds(100));
    /// let end = world.assert_ended(session, Side::Server, DisconnectReason::ApplicationStalled);
    /// assert_eq!(end.at, seconds(89));
    /// ```
    ///
    /// # Panics
    /// Panics if the session was removed.
    #[track_caller]
    pub fn pause_reading(&mut self, session: SessionId, side: Side, time: Duration) -> bool {
        self.with(session, |turn| turn.pause_reading(side, micros(time)))
    }

    /// Lets the machine of this side sleep for so long, as far as this session is concerned: nothing is received, nothing
    /// runs, and TCP's timers stand still. Whether the clock runs on is a setting of its
    /// [`Host`](crate::Host::clock_runs_in_sleep).
    ///
    /// # Panics
    /// Panics if the session was removed.
    #[track_caller]
    pub fn sleep(&mut self, session: SessionId, side: Side, time: Duration) {
        self.with(session, |turn| turn.sleep(side, micros(time)));
    }

    /// Lets this side die without a word: its power is cut, its cable pulled, its kernel hangs. Nothing answers any more.
    /// What was under way arrives.
    ///
    /// # Panics
    /// Panics if the session was removed.
    #[track_caller]
    pub fn die(&mut self, session: SessionId, side: Side) {
        self.with(session, |turn| turn.die(side));
    }

    /// Kills the program of this side, also one that stalls: its kernel ends the connection, and the peer is told. A client that
    /// has not connected yet does not. Returns false if nothing changes: the machine sleeps or is dead, or the program was
    /// killed before.
    ///
    /// # Panics
    /// Panics if the session was removed.
    #[track_caller]
    pub fn kill(&mut self, session: SessionId, side: Side) -> bool {
        self.with(session, |turn| turn.kill(side))
    }

    /// Forgets a session, whatever its state. Its memory is used for another one.
    ///
    /// # Panics
    /// Panics if the session was removed before.
    #[track_caller]
    pub fn remove(&mut self, session: SessionId) {
        let connection = self.connection(session);
        let traffic = connection.traffic;
        self.ledger.removed.add(&traffic);
        let connection = &mut self.connections[session.index as usize];
        // Names of it become invalid at once.
        connection.id.generation = connection.id.generation.wrapping_add(1);
        connection.traffic = Traffic::default();
        connection.streams.iter_mut().for_each(Stream::clear);
        (connection.polling, connection.backoff) = (None, None);
        self.wheel.set(session.index, NEVER);
        self.free.push(session.index);
    }

    /// Returns whether the session is open on this side.
    ///
    /// # Panics
    /// Panics if the session was removed.
    #[must_use]
    #[track_caller]
    pub fn is_open(&self, session: SessionId, side: Side) -> bool {
        let peer = &self.connection(session).peers[side.index()];
        peer.socket != Socket::Dead && peer.session.as_ref().is_some_and(Session::is_open)
    }

    /// Returns the last round trip that this side measured.
    ///
    /// # Panics
    /// Panics if the session was removed.
    #[must_use]
    #[track_caller]
    pub fn rtt(&self, session: SessionId, side: Side) -> Option<Duration> {
        self.connection(session).peers[side.index()].session.as_ref().and_then(Session::rtt)
    }
}
