//! A clock that stands still until it is moved, and that knows the time between two ticks.

use core::cell::RefCell;
use core::task::Waker;
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

use critical_section::CriticalSection;
use embassy_time::TICK_HZ;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::queue_generic::ConstGenericQueue;

/// The clock counts units of which a tick of each rate, and a microsecond, is a whole number.
const UNITS_PER_SECOND: u64 = 512_000_000;
const UNITS_PER_MICRO: u64 = UNITS_PER_SECOND / 1_000_000;
pub(crate) const UNITS_PER_TICK: u64 = UNITS_PER_SECOND / TICK_HZ;
const _: () = assert!(UNITS_PER_SECOND.is_multiple_of(TICK_HZ), "a tick is a whole number of units");

/// The true time, in units since the board started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    /// The beginning of a tick.
    pub(crate) const fn of_tick(tick: u64) -> Self {
        Self(tick * UNITS_PER_TICK)
    }

    /// Returns the time since an earlier moment, less than a microsecond of which is lost.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos((self.0 - earlier.0) * 125 / 64)
    }
}

struct Board {
    now: Moment,
    queue: ConstGenericQueue<8>,
}

struct Clock(critical_section::Mutex<RefCell<Board>>);

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock(critical_section::Mutex::new(RefCell::new(
    Board { now: Moment(0), queue: ConstGenericQueue::new() }
))));

impl Clock {
    fn with<T>(&self, act: impl FnOnce(&mut Board) -> T) -> T {
        critical_section::with(|section: CriticalSection<'_>| act(&mut self.0.borrow_ref_mut(section)))
    }
}

impl Board {
    const fn tick(&self) -> u64 {
        self.now.0 / UNITS_PER_TICK
    }
}

impl Driver for Clock {
    fn now(&self) -> u64 {
        self.with(|board| board.tick())
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        self.with(|board| {
            // As drivers do: an alarm in the past rings at once.
            if board.queue.schedule_wake(at, waker) {
                board.queue.next_expiration(board.tick());
            }
        });
    }
}

/// The clock is global: one test at a time has it.
pub(crate) fn clock() -> MutexGuard<'static, ()> {
    static TEST: Mutex<()> = Mutex::new(());
    let guard = TEST.lock().unwrap_or_else(PoisonError::into_inner);
    start_at(Moment(0));
    guard
}

/// Forgets all alarms, and sets the time.
pub(crate) fn start_at(moment: Moment) {
    CLOCK.with(|board| *board = Board { now: moment, queue: ConstGenericQueue::new() });
}

/// Forgets all alarms.
pub(crate) fn forget_alarms() {
    start_at(moment());
}

/// Returns how many units a time has.
pub(crate) fn units(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).expect("not that long") * UNITS_PER_MICRO
}

pub(crate) fn moment() -> Moment {
    CLOCK.with(|board| board.now)
}

/// The time that the board sees, in microseconds.
pub(crate) fn now() -> u64 {
    embassy_time::Instant::now().as_micros()
}

pub(crate) fn advance(micros: u64) {
    advance_units(micros * UNITS_PER_MICRO);
}

pub(crate) fn advance_units(units: u64) {
    CLOCK.with(|board| {
        board.now.0 += units;
        board.queue.next_expiration(board.tick());
    });
}

/// Returns when the next alarm rings, if there is one.
pub(crate) fn next_alarm() -> Option<Moment> {
    let tick = CLOCK.with(|board| board.queue.next_expiration(board.tick()));
    (tick < u64::MAX).then(|| Moment::of_tick(tick))
}

/// Sleeps until then.
pub(crate) fn advance_to(moment: Moment) {
    advance_units(moment.0 - self::moment().0);
}
