//! The world: everything that is in it, and the clock that jumps.

mod asserts;
mod commands;
mod making;

pub use commands::SendError;

use core::time::Duration;

use eio_core::backoff::Backoff;

use crate::connection::Connection;
use crate::event::{Event, Happening};
use crate::host::Host;
use crate::ids::{HostId, LinkId, PlanId, SessionId};
use crate::link::Link;
use crate::peer::Socket;
use crate::random::Random;
use crate::scenery::Scenery;
use crate::side::Side;
use crate::time::{Micros, NEVER, micros};
use crate::timetable::Record;
use crate::traffic::{Totals, Traffic};
use crate::turn::{Ledger, Turn};
use crate::wheel::Wheel;

/// The most turns of one session at one moment.
const TURNS_AT_ONCE: u32 = 10_000;

/// A simulated world: sessions between simulated machines over simulated links, and a clock that jumps to the next moment
/// at which anything happens.
///
/// Nothing sleeps, and nothing depends on the machine or on the time of day: the same calls with the same seed give the
/// same world. A world belongs to one thread; several worlds can run on several threads.
///
/// A world that is dropped while a test panics prints its seed and the end of its timetable, whatever the test asserts.
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
///
/// world.run_until(seconds(60));
/// world.die(session, Side::Client);
/// world.run_until(seconds(120));
///
/// // The ping of 75 s stayed unanswered.
/// let end = world.assert_ended(session, Side::Server, DisconnectReason::PingTimeout);
/// assert_eq!(end.at, seconds(95));
/// ```
#[derive(Debug)]
pub struct World {
    seed: u64,
    random: Random,
    scenery: Scenery,
    ledger: Ledger,
    wheel: Wheel,
    connections: Vec<Connection>,
    /// Places whose sessions were removed.
    free: Vec<u32>,
    /// The session to which something happened last.
    current: Option<SessionId>,
}

/// Letting time pass.
impl World {
    /// Returns the seed that it was made with.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns random numbers that follow from the seed, for decisions of a test or an application.
    pub const fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// Returns the time since the world began.
    #[must_use]
    pub const fn now(&self) -> Duration {
        Duration::from_micros(self.ledger.now)
    }

    /// Lets everything happen up to `time` since the world began, and at that moment. Events are not kept.
    ///
    /// # Panics
    /// Panics if a session does not come to rest at one moment, as over a link without delay whose ends answer each
    /// other's messages without end.
    pub fn run_until(&mut self, time: Duration) {
        let until = micros(time);
        self.ledger.events = None;
        while self.step(until) {}
    }

    /// Lets everything happen for so long from now.
    ///
    /// # Panics
    /// As [`run_until`](Self::run_until).
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now().saturating_add(time));
    }

    /// Lets everything happen until an application is told something, and returns what; at most up to `time` since the
    /// world began. This is the loop of an application:
    ///
    /// ```
    /// use core::time::Duration;
    /// use eio_core::Heartbeat;
    /// use eio_sim::{Happening, Link, Message, Plan, Side, World};
    ///
    /// let mut world = World::new(1);
    /// let link = world.add_link(Link::new(Duration::from_millis(20)));
    /// let plan = world.add_plan(Plan::new(Heartbeat::DEFAULT).link(link));
    /// let session = world.connect(plan);
    /// let mut answers = 0;
    /// while let Some(event) = world.next_event(Duration::from_secs(5)) {
    ///     match (event.side, event.what) {
    ///         (Side::Client, Happening::Opened) => world.send(session, Side::Client, "question")?,
    ///         (Side::Server, Happening::Message(question)) => {
    ///             assert_eq!(question, Message::from("question"));
    ///             world.send(session, Side::Server, "answer")?;
    ///         }
    ///         (Side::Client, Happening::Message(_)) => answers += 1,
    ///         _ => {}
    ///     }
    /// }
    /// assert_eq!(answers, 1);
    /// # Ok::<(), eio_sim::SendError>(())
    /// ```
    ///
    /// # Panics
    /// As [`run_until`](Self::run_until).
    pub fn next_event(&mut self, time: Duration) -> Option<Event> {
        let until = micros(time);
        loop {
            if let Some(event) = self.ledger.events.get_or_insert_default().pop_front() {
                return Some(event);
            }
            if !self.step(until) {
                return None;
            }
        }
    }

    /// Lets happen what happens next, if that is by `until`. Otherwise moves the clock there, and returns false.
    fn step(&mut self, until: Micros) -> bool {
        let Some((place, now)) = self.wheel.take(until) else {
            self.wheel.advance(until);
            self.ledger.now = self.ledger.now.max(until);
            return false;
        };
        self.ledger.now = now;
        self.turn(place);
        true
    }

    fn turn(&mut self, place: u32) {
        let index = place as usize;
        let now = self.ledger.now;
        self.current = Some(self.connections[index].id);
        for _ in 0..TURNS_AT_ONCE {
            let connection = &mut self.connections[index];
            Turn { connection, scenery: &self.scenery, ledger: &mut self.ledger }.run();
            if let Some(breach) = self.ledger.breach {
                self.fail(format_args!("{breach}"));
            }
            if self.connections[index].again_at <= now {
                self.connect_again(place);
            }
            let wake = self.connections[index].next_wake(&self.scenery, now);
            if wake > now {
                return self.rest(place, wake);
            }
        }
        self.fail(format_args!("{} does not come to rest", self.connections[index].id));
    }

    /// Nothing happens to this session before `wake`.
    fn rest(&mut self, place: u32, wake: Micros) {
        self.wheel.set(place, wake);
        let connection = &self.connections[place as usize];
        let removes_itself = self.scenery.plan(connection.plan).plan.reconnects.is_some();
        if wake == NEVER && removes_itself && connection.is_over() {
            self.remove(connection.id);
        }
    }

    /// The client of a session that has ended connects again, as a session of its own.
    fn connect_again(&mut self, place: u32) {
        let now = self.ledger.now;
        let ended = &mut self.connections[place as usize];
        let host = ended.host(&self.scenery, Side::Client);
        let runs_at = ended.peers[Side::Client.index()].runs_at(host, now);
        if runs_at > now {
            ended.again_at = runs_at;
            return;
        }
        ended.again_at = NEVER;
        let backoff = ended.backoff.take();
        let (after, plan, link) = (ended.id, ended.plan, ended.link);
        let hosts = [ended.peers[0].host, ended.peers[1].host];
        let seed = ended.random.next();
        let session = self.add(plan, link, hosts, seed, backoff, now);
        self.ledger.tell(session, Side::Client, Happening::Connects { after });
    }

    /// Does something to a session now, from outside, and sees when anything happens to it next.
    #[track_caller]
    pub(crate) fn with<R>(&mut self, session: SessionId, act: impl FnOnce(&mut Turn<'_>) -> R) -> R {
        self.connection(session);
        self.current = Some(session);
        let connection = &mut self.connections[session.index as usize];
        let done = act(&mut Turn { connection, scenery: &self.scenery, ledger: &mut self.ledger });
        let wake = connection.next_wake(&self.scenery, self.ledger.now);
        self.wheel.set(session.index, wake);
        done
    }
}

/// A failing test shows what led to the failure.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.story());
        }
    }
}
