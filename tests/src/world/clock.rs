//! The clock that one end reads. Usually it shows the true time; stories make it worse.

use core::time::Duration;

use super::micros;

/// Microseconds since the story began, as an end sees them.
pub(crate) type Reading = i64;

#[derive(Clone, Debug, Default)]
pub(crate) struct EndClock {
    /// What steps have added to the true time.
    offset: i64,
    ticks: Option<Ticks>,
}

/// A 32-bit hardware counter, and what an adapter keeps to widen it.
#[derive(Clone, Debug)]
struct Ticks {
    period: u64,
    /// What the counter showed when the story began.
    first: u32,
    last: u32,
    elapsed: u64,
}

impl EndClock {
    pub(crate) fn step(&mut self, by: i64) {
        self.offset += by;
    }

    pub(crate) fn set_ticks(&mut self, period: Duration, first: u32) {
        self.ticks = Some(Ticks { period: micros(period), first, last: first, elapsed: 0 });
    }

    /// What the clock shows at the true time `now`, rounded down.
    pub(crate) fn read(&mut self, now: u64) -> Reading {
        // Set back further than that, it would not count from the same beginning.
        let shown = (now.cast_signed() + self.offset).max(0);
        match &mut self.ticks {
            None => shown,
            Some(ticks) => {
                let true_ticks = shown.cast_unsigned() / ticks.period;
                let counter = ticks.first.wrapping_add(u32::try_from(true_ticks & 0xffff_ffff).unwrap_or(0));
                // Right as long as it is read at least once per turn of the counter: the deadlines see to that.
                ticks.elapsed += u64::from(counter.wrapping_sub(ticks.last));
                ticks.last = counter;
                (ticks.elapsed * ticks.period).cast_signed()
            }
        }
    }

    /// The true time at which the clock shows `reading` or more: rounded up to a tick.
    pub(crate) fn when(&self, reading: Reading) -> u64 {
        let shown = match &self.ticks {
            None => reading,
            Some(ticks) => reading.cast_unsigned().next_multiple_of(ticks.period).cast_signed(),
        };
        u64::try_from(shown - self.offset).unwrap_or(0)
    }
}
