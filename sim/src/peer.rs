//! One side of a session: a program with a session, and the kernel under it.

use eio_core::Instant;

use crate::event::End;
use crate::host::Host;
use crate::ids::HostId;
use crate::oracle::Watch;
use crate::session::Session;
use crate::time::{LONGEST, Micros, NEVER};

#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) host: HostId,
    /// `None` before the session begins.
    pub(crate) session: Option<Session>,
    pub(crate) socket: Socket,
    pub(crate) lost: Lost,
    pub(crate) stalled_until: Micros,
    /// When its application reads again; 0 while it reads.
    pub(crate) paused_until: Micros,
    /// The latest sleep that was not planned, and the sum of those before it.
    pub(crate) asleep_from: Micros,
    pub(crate) asleep_until: Micros,
    pub(crate) slept: Micros,
    /// When its application sends by itself; [`NEVER`] if it does not.
    pub(crate) next_send: Micros,
    /// When it hears that the connection was reset.
    pub(crate) reset_arrives: Micros,
    pub(crate) ended_at: Micros,
    pub(crate) watch: Watch,
}

/// The kernel's side of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Socket {
    /// It receives and sends.
    Open,
    /// The program has closed it: what arrives is answered with a reset, and what was sent is still repeated.
    Closed,
    /// Nothing answers.
    Dead,
}

/// How the kernel lost the connection, until the program hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    No,
    /// The peer's kernel reset it.
    Reset,
    /// Nothing was answered for too long.
    GaveUp,
}

impl Peer {
    pub(crate) const fn new(host: HostId) -> Self {
        Self {
            host,
            session: None,
            socket: Socket::Open,
            lost: Lost::No,
            stalled_until: 0,
            paused_until: 0,
            asleep_from: 0,
            asleep_until: 0,
            slept: 0,
            next_send: NEVER,
            reset_arrives: NEVER,
            ended_at: NEVER,
            watch: Watch::CLOSED,
        }
    }

    /// The sleep that it is in at `now`: its beginning and its end.
    pub(crate) fn asleep(&self, host: &Host, now: Micros) -> Option<(Micros, Micros)> {
        let own = (self.asleep_from..self.asleep_until)
            .contains(&now)
            .then_some((self.asleep_from, self.asleep_until));
        own.or_else(|| host.asleep(now))
    }

    /// When its program runs next, at `now` or later, and not sooner than this. It is `now` only if it runs now.
    pub(crate) fn runs_at(&self, host: &Host, now: Micros) -> Micros {
        // Spells may follow each other without end: after some of them, whoever waits has to ask again.
        const FOLLOWED: usize = 64;
        let mut at = now.max(self.stalled_until);
        for _ in 0..FOLLOWED {
            let spell = self.asleep(host, at).map(|(_, until)| until).or_else(|| host.stalled(at));
            let Some(until) = spell else { break };
            if until >= LONGEST {
                return NEVER;
            }
            at = until;
        }
        at
    }

    /// How long it has slept, besides the sleep that its host knows of.
    fn slept_by(&self, host: &Host, now: Micros) -> Micros {
        let until = now.min(self.asleep_until);
        // This is asked at each look at a clock, and most peers never sleep by themselves.
        if until <= self.asleep_from {
            return self.slept;
        }
        let planned = host.slept(until).saturating_sub(host.slept(self.asleep_from));
        self.slept + (until - self.asleep_from).saturating_sub(planned)
    }

    /// How long it has slept before `now`.
    pub(crate) fn slept_in_all(&self, host: &Host, now: Micros) -> Micros {
        host.slept(now).saturating_add(self.slept_by(host, now))
    }

    pub(crate) fn sleep(&mut self, host: &Host, from: Micros, until: Micros) {
        self.slept = self.slept_by(host, from);
        (self.asleep_from, self.asleep_until) = (from, until.max(self.asleep_until));
    }

    /// What its clock shows at the true time `now`.
    pub(crate) fn reading(&self, host: &Host, now: Micros) -> Instant {
        host.reading(host.run(now, self.slept_by(host, now)))
    }

    /// When its clock shows `reading`, in true time, if it does not sleep before.
    pub(crate) fn shows_at(&self, host: &Host, now: Micros, reading: Instant) -> Micros {
        let run = host.run(now, self.slept_by(host, now));
        now.saturating_add(host.run_until(reading).saturating_sub(run))
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.session.as_ref()?.poll_timeout()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.ended_at == NEVER && self.session.as_ref().is_some_and(Session::is_open)
    }

    pub(crate) fn end(&self) -> Option<End> {
        let end = self.session.as_ref()?.end()?;
        (self.ended_at != NEVER).then(|| End::new(self.ended_at, end))
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::spells::Spells;

    #[test]
    fn a_clock_that_stands_still_in_sleep_does_so_once_where_two_sleeps_overlap() {
        const SECOND: Micros = 1_000_000;
        let planned = Spells::once(Duration::from_secs(10), Duration::from_secs(20));
        let host = Host::new().sleeps(planned).clock_runs_in_sleep(false);
        let mut peer = Peer::new(HostId::PERFECT);
        peer.sleep(&host, 5 * SECOND, 12 * SECOND);
        let before = peer.reading(&host, 25 * SECOND);
        peer.sleep(&host, 25 * SECOND, 40 * SECOND);
        let readings: Vec<_> =
            [25, 30, 35, 40, 50].map(|at| peer.reading(&host, at * SECOND).as_micros() / SECOND).into();
        assert_eq!(readings, [5, 5, 5, 5, 15]);
        assert_eq!(before.as_micros() / SECOND, 5);
    }
}
