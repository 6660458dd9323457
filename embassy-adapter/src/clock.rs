//! The clock of embassy-time: converts between its ticks and the session's microseconds.

use core::task::Waker;
use core::time::Duration;

use eio_core::Instant;
use embassy_time::TICK_HZ;
use embassy_time_driver::schedule_wake;

const MICROS_PER_SECOND: u64 = 1_000_000;

/// An instant that does not come.
pub(crate) const NEVER: Instant = Instant::from_micros(u64::MAX);

/// Returns the instant that many microseconds later. It is less code than to add a [`Duration`].
pub(crate) const fn later(instant: Instant, micros: u64) -> Instant {
    Instant::from_micros(instant.as_micros().saturating_add(micros))
}

/// How many microseconds the clock can be behind the true time: up to one tick, because it does not show parts of a tick. Zero if a
/// tick is a microsecond or less.
///
/// What happens is noted at the time that the clock shows. So a deadline that is a period later by the clock can be
/// earlier than that in truth, by up to this time.
pub(crate) const BEHIND: u64 = micros_behind(TICK_HZ);

/// Returns the current time, rounded down to a microsecond.
pub(crate) fn now() -> Instant {
    Instant::from_micros(embassy_time::Instant::now().as_micros())
}

/// Returns the first tick that is at least `duration` from now.
pub(crate) fn after(duration: Duration) -> embassy_time::Instant {
    not_before(later(now().saturating_add(duration), BEHIND))
}

/// The alarm of a task for a deadline that moves.
///
/// embassy-time keeps one alarm for each task, the earliest that the task has asked for, and does not take it back when
/// the task asks for a later one. So a deadline that has moved would still wake a sleeping board at its old time. This
/// alarm makes the old one ring at once, while the board is awake: that costs one poll instead of a wake-up. A task that
/// has other timers sets them again in that poll, as after every alarm.
pub(crate) struct Alarm {
    /// When it rings or has rung, or [`MAX`](embassy_time::Instant::MAX) if it has not been set.
    at: embassy_time::Instant,
}

impl Alarm {
    pub(crate) const fn new() -> Self {
        Self { at: embassy_time::Instant::MAX }
    }

    /// Wakes the task at the first tick that is not before `deadline`.
    pub(crate) fn set(&mut self, deadline: Instant, task: &Waker) {
        let at = not_before(deadline);
        if at > self.at {
            schedule_wake(0, task);
        }
        self.at = at;
        schedule_wake(at.as_ticks(), task);
    }
}

/// Returns the first tick that is not before `deadline`. `embassy_time::Instant::from_micros` rounds down, and a session
/// that wakes a fraction of a tick early would have to wake again.
pub(crate) const fn not_before(deadline: Instant) -> embassy_time::Instant {
    embassy_time::Instant::from_ticks(ticks(deadline.as_micros(), TICK_HZ))
}

/// Converts microseconds to ticks, rounding up. Whole seconds and the remainder are multiplied separately, so that
/// neither product overflows in the lifetime of a board.
const fn ticks(micros: u64, tick_hz: u64) -> u64 {
    let (seconds, rest) = (micros / MICROS_PER_SECOND, micros % MICROS_PER_SECOND);
    let whole = seconds.saturating_mul(tick_hz);
    whole.saturating_add(rest.saturating_mul(tick_hz).div_ceil(MICROS_PER_SECOND))
}

const fn micros_behind(tick_hz: u64) -> u64 {
    if tick_hz < MICROS_PER_SECOND { MICROS_PER_SECOND.div_ceil(tick_hz) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_rounded_up_to_the_tick() {
        for (tick_hz, micros, expected) in [
            (1_000_000, 1_234_567, 1_234_567),
            (32_768, 0, 0),
            (32_768, 1, 1),
            (32_768, 30, 1),
            (32_768, 31, 2),
            (32_768, 1_000_000, 32_768),
            (32_768, 1_000_001, 32_769),
            (1_000, 999, 1),
            (1_000, 1_001, 2),
            (1_000_000_000, 7, 7_000),
            (1_000_000_000, u64::MAX, u64::MAX),
        ] {
            assert_eq!(ticks(micros, tick_hz), expected, "{micros} us at {tick_hz} Hz");
        }
    }

    #[test]
    fn no_tick_is_before_its_deadline_and_none_is_a_whole_tick_late() {
        for tick_hz in [1, 100, 1_000, 32_768, 1_000_000, 12_000_000] {
            for micros in (0..4_000_000).step_by(997) {
                let ticks = u128::from(ticks(micros, tick_hz));
                let exact = u128::from(micros) * u128::from(tick_hz);
                assert!(ticks * 1_000_000 >= exact && ticks * 1_000_000 < exact + 1_000_000);
            }
        }
    }
}
