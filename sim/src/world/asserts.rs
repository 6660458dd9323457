//! What can be seen of a world, and what a test asserts about it.

use core::fmt::{self, Write as _};

use eio_core::DisconnectReason;

use super::{Connection, SessionId, Side, Totals, Traffic, World};
use crate::event::End;
use crate::oracle::{Breach, Margins};
use crate::time::Seconds;
use crate::timetable::Timetable;

/// How many lines of the timetable a failure shows.
const SHOWN: usize = 60;

/// Looking at it.
impl World {
    /// Returns how the session ended on this side; `None` while it has not.
    ///
    /// # Panics
    /// Panics if the session was removed.
    #[must_use]
    #[track_caller]
    pub fn end(&self, session: SessionId, side: Side) -> Option<End> {
        self.connection(session).peers[side.index()].end()
    }

    /// Returns what travelled for this session.
    ///
    /// # Panics
    /// Panics if the session was removed.
    #[must_use]
    #[track_caller]
    pub fn traffic(&self, session: SessionId) -> Traffic {
        self.connection(session).traffic
    }

    /// Returns what was counted for all sessions since the world began. It looks at every session, so it takes its time.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = self.ledger.totals.clone();
        totals.traffic = self.ledger.removed;
        self.connections.iter().for_each(|connection| totals.traffic.add(&connection.traffic));
        totals
    }

    /// Returns how close sessions that ended for silence came to the bounds of [`eio_core::detect`].
    #[must_use]
    pub const fn margins(&self) -> Margins {
        self.ledger.margins
    }

    /// Returns what a session did that these bounds do not allow: the first one for which a run has panicked.
    #[must_use]
    pub const fn breach(&self) -> Option<Breach> {
        self.ledger.breach
    }

    /// Returns the session to which something happened last. After a panic in a run, it is the one in which that was.
    #[must_use]
    pub const fn current_session(&self) -> Option<SessionId> {
        self.current
    }

    /// Returns the names of all sessions that were not removed.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> {
        let mut free = self.free.clone();
        free.sort_unstable();
        self.connections
            .iter()
            .map(|connection| connection.id)
            .filter(move |id| free.binary_search(&id.index).is_err())
    }

    /// Returns the last lines of what happened.
    #[must_use]
    pub const fn timetable(&self) -> Timetable<'_> {
        Timetable { record: &self.ledger.record, only: None }
    }

    /// Keeps so many lines of what happened, instead of 4,096.
    pub fn keep_lines(&mut self, lines: usize) {
        self.ledger.record.keep(lines);
    }

    /// Checks that the session is open on both sides.
    ///
    /// # Panics
    /// Panics if it is not; then it says how the session ended, the seed, and what led to it.
    #[track_caller]
    pub fn assert_open(&self, session: SessionId) {
        for side in Side::BOTH {
            if !self.is_open(session, side) {
                self.fail(format_args!("{session} is not open on the {side}: {:?}", self.end(session, side)));
            }
        }
    }

    /// Checks that the session has ended on this side for this reason, and returns how.
    ///
    /// # Panics
    /// Panics if it has not; then it says what it is instead, the seed, and what led to it.
    #[expect(clippy::must_use_candidate, reason = "it asserts")]
    #[track_caller]
    pub fn assert_ended(&self, session: SessionId, side: Side, reason: DisconnectReason) -> End {
        match self.end(session, side) {
            Some(end) if end.reason == reason => end,
            other => self
                .fail(format_args!("expected that {session} ended on the {side}: {reason}; got {other:?}")),
        }
    }

    #[track_caller]
    pub(super) fn fail(&self, why: fmt::Arguments<'_>) -> ! {
        panic!("{why}, at {} in the world of seed {}", Seconds(self.ledger.now), self.seed)
    }

    #[track_caller]
    pub(super) fn connection(&self, session: SessionId) -> &Connection {
        match self.connections.get(session.index as usize) {
            Some(connection) if connection.id == session => connection,
            _ => self.fail(format_args!("{session} was removed, or is of another world")),
        }
    }

    /// What a failing test shows.
    pub(super) fn story(&self) -> String {
        let lines: Vec<_> = self.timetable().lines().collect();
        let shown = &lines[lines.len().saturating_sub(SHOWN)..];
        let mut story = format!(
            "the world of seed {} at {}, and the last {} lines of its timetable:\n",
            self.seed,
            Seconds(self.ledger.now),
            shown.len()
        );
        for line in shown {
            let _ = writeln!(story, "{line}");
        }
        story
    }
}
