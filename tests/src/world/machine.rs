//! One machine of Socket.IO 0.9 on its own, with the rules that every machine keeps checked at every call.

use core::fmt::Debug;
use core::time::Duration;
use std::collections::VecDeque;

use eio_core::Instant;
use eio_legacy::timers::{ClientTimers, PollingServerTimers, ServerTimers, TimerEvent};

use super::lanes::{EPOCHS, Lanes, Subject};
use super::micros;
use super::scene::{Note, Scene};

/// A machine of Socket.IO 0.9 in a world of its own.
///
/// ```
/// use eio_legacy::timers::{ServerPeriods, ServerTimers, TimerEvent};
/// use eio_tests::world::{Machine, ms};
///
/// let mut server = Machine::new(|now| ServerTimers::new(ServerPeriods::DEFAULT, now));
/// server.run_until(ms(85_000));
/// server.assert_due(&[(25_000, TimerEvent::Heartbeat), (85_000, TimerEvent::HeartbeatTimeout)]);
/// ```
#[derive(Debug)]
pub struct Machine<M: Legacy> {
    scene: Scene,
    lanes: Lanes<Watched<M>>,
    due: Vec<(u64, TimerEvent)>,
}

/// What the machines of Socket.IO 0.9 have in common.
pub trait Legacy: Clone + Debug {
    /// As the machine's own.
    fn handle_timeout(&mut self, now: Instant) -> Option<TimerEvent>;
    /// As the machine's own.
    fn poll_timeout(&self) -> Option<Instant>;
}

macro_rules! legacy {
    ($($machine:ty),*) => {$(
        impl Legacy for $machine {
            fn handle_timeout(&mut self, now: Instant) -> Option<TimerEvent> {
                <$machine>::handle_timeout(self, now)
            }

            fn poll_timeout(&self) -> Option<Instant> {
                <$machine>::poll_timeout(self)
            }
        }
    )*};
}
legacy!(ServerTimers, PollingServerTimers, ClientTimers);

/// A machine, and what it said was due.
#[derive(Clone, Debug)]
struct Watched<M> {
    machine: M,
    due: VecDeque<TimerEvent>,
}

impl<M: Legacy> Subject for Watched<M> {
    type Output = TimerEvent;
    type Ending = ();
    type Look = ();

    fn poll_timeout(&self) -> Option<Instant> {
        self.machine.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.due.extend(self.machine.handle_timeout(now));
    }

    fn poll_transmit(&mut self) -> Option<TimerEvent> {
        self.due.pop_front()
    }

    fn ending(&self) -> Option<()> {
        self.machine.poll_timeout().is_none().then_some(())
    }

    fn may_follow_end(due: TimerEvent) -> bool {
        matches!(due, TimerEvent::HeartbeatTimeout | TimerEvent::CloseTimeout)
    }

    fn look(&self, _: Instant, _: u64) {}
}

impl<M: Legacy> Machine<M> {
    /// A machine made at time zero.
    #[track_caller]
    pub fn new(new: impl Fn(Instant) -> M) -> Self {
        let scene = Scene::default();
        let lanes = Lanes::new(&scene, "machine", &EPOCHS, 0, |now| Watched {
            machine: new(now),
            due: VecDeque::new(),
        });
        Self { scene, lanes, due: Vec::new() }
    }

    /// Calls the deadline whenever it comes, up to `time` and at that moment.
    #[track_caller]
    pub fn run_until(&mut self, time: Duration) {
        let until = micros(time);
        while let Some(deadline) = self.lanes.poll_timeout()
            && deadline <= until.cast_signed()
        {
            self.scene.advance(deadline.cast_unsigned().max(self.scene.now()));
            self.expire();
        }
        self.scene.advance(until);
    }

    /// Nobody calls anything until `time`, and then the deadline's call comes.
    #[track_caller]
    pub fn sleep_until(&mut self, time: Duration) {
        self.scene.advance(micros(time));
        self.expire();
    }

    /// Nobody calls anything until `time`, and then this is handed in first.
    #[track_caller]
    pub fn sleep_until_call(&mut self, time: Duration, call: impl Fn(&mut M, Instant)) {
        self.scene.advance(micros(time));
        self.call(call);
    }

    /// Hands something in now.
    #[track_caller]
    pub fn call(&mut self, call: impl Fn(&mut M, Instant)) {
        self.scene.say("machine", "is told something");
        let now = self.scene.now().cast_signed();
        self.lanes.call(now, |watched, now| call(&mut watched.machine, now));
    }

    /// All that was due, with the milliseconds since the beginning.
    #[track_caller]
    pub fn assert_due(&self, expected: &[(u64, TimerEvent)]) {
        let due: Vec<_> = self.due.iter().map(|(at, due)| (at / 1_000, *due)).collect();
        if due != expected {
            self.scene.fail("machine", format_args!("had {due:?} due, not {expected:?}"));
        }
    }

    /// Its next deadline, in milliseconds since the beginning.
    #[must_use]
    pub fn deadline(&self) -> Option<u64> {
        self.lanes.poll_timeout().map(|deadline| deadline.cast_unsigned() / 1_000)
    }

    #[track_caller]
    fn expire(&mut self) {
        self.scene.note("machine", Note::Expires);
        self.lanes.handle_timeout(self.scene.now().cast_signed());
        while let Some(due) = self.lanes.poll_transmit() {
            self.scene.say("machine", format!("{due:?} is due"));
            self.due.push((self.scene.now(), due));
        }
    }
}
