//! Random times at which something could go wrong: on, just before and just after the sums of periods.

use core::time::Duration;

use eio_core::Instant;
use proptest::prelude::*;

/// Microseconds on the caller's clock.
pub type Micros = u64;

/// Up to here a deadline fits the clock, whatever the heartbeat.
pub const LAST_SAFE: Micros = u64::MAX - (1 << 42);

/// When the next call happens.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum When {
    /// So long after the previous call.
    After(Span),
    /// So many microseconds after the deadline, or before it.
    Deadline(i64),
    /// The deadline was slept through.
    LongAfterDeadline(Span),
    /// The caller's clock stepped back.
    Before(Span),
}

/// A length of time in terms of the two periods of a heartbeat.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Span {
    /// So many intervals, half timeouts and microseconds.
    Sum(u8, u8, i8),
    /// So many 65536ths of two whole periods.
    Part(u16),
    /// So many microseconds.
    Micros(Micros),
}

impl Span {
    /// The length, for these two periods.
    #[must_use]
    pub fn micros(self, interval: Micros, timeout: Micros) -> Micros {
        match self {
            Self::Sum(intervals, half_timeouts, slip) => (Micros::from(intervals) * interval
                + Micros::from(half_timeouts) * timeout / 2)
                .saturating_add_signed(i64::from(slip)),
            Self::Part(part) => Micros::from(part) * ((interval + timeout) / 32_768 + 1),
            Self::Micros(micros) => micros,
        }
    }
}

impl When {
    /// The caller's clock, after `previous` and with `deadline` ahead.
    #[must_use]
    pub fn micros(
        self,
        previous: Micros,
        deadline: Option<Micros>,
        interval: Micros,
        timeout: Micros,
    ) -> Micros {
        let deadline = deadline.unwrap_or(previous);
        match self {
            Self::After(span) => previous.saturating_add(span.micros(interval, timeout)),
            Self::Deadline(slip) => deadline.saturating_add_signed(slip),
            Self::LongAfterDeadline(span) => deadline.saturating_add(span.micros(interval, timeout)),
            Self::Before(span) => previous.saturating_sub(span.micros(interval, timeout)),
        }
    }
}

/// Most often a deadline, or a whole period after the previous call.
pub fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        6 => span().prop_map(When::After),
        6 => prop_oneof![4 => Just(0), 2 => Just(-1), 2 => Just(1), 1 => -1_000_i64..1_000]
            .prop_map(When::Deadline),
        1 => span().prop_map(When::LongAfterDeadline),
        1 => span().prop_map(When::Before),
    ]
}

/// Most often a sum of periods, or nothing.
pub fn span() -> impl Strategy<Value = Span> {
    prop_oneof![
        4 => Just(Span::Micros(0)),
        6 => (0_u8..3, 0_u8..5, -1_i8..2).prop_map(|(intervals, halves, slip)| Span::Sum(intervals, halves, slip)),
        4 => any::<u16>().prop_map(Span::Part),
        1 => (0_u32..44).prop_map(|bits| Span::Micros(1 << bits)),
    ]
}

/// The caller's clock when it all begins.
pub fn epoch() -> impl Strategy<Value = Micros> {
    prop_oneof![
        3 => Just(0),
        2 => Just(1),
        2 => Just(1 << 63),
        1 => Just(LAST_SAFE),
        1 => any::<u32>().prop_map(|before| LAST_SAFE - Micros::from(before) * 1_000),
        1 => any::<u64>(),
    ]
}

/// The instant `micros` after the epoch.
#[must_use]
pub fn at(micros: Micros) -> Instant {
    Instant::from_micros(micros)
}

/// A period of `micros`.
#[must_use]
pub fn lasting(micros: Micros) -> Duration {
    Duration::from_micros(micros)
}
