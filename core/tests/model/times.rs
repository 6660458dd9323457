//! Times at which something could go wrong: on, just before and just after whatever a period adds up to.

use core::time::Duration;

use eio_core::{Heartbeat, Instant, Liveness};
use proptest::prelude::*;

use crate::tables::Micros;

/// Up to here a deadline fits the clock, whatever the heartbeat.
pub(crate) const LAST_SAFE: Micros = u64::MAX - (1 << 42);

/// When the next call happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
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
pub(crate) enum Span {
    /// So many intervals, half timeouts and microseconds.
    Sum(u8, u8, i8),
    /// So many 65536ths of two whole periods.
    Part(u16),
    Micros(Micros),
}

impl Span {
    pub(crate) fn micros(self, interval: Micros, timeout: Micros) -> Micros {
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
    pub(crate) fn micros(
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

pub(crate) fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        6 => span().prop_map(When::After),
        6 => prop_oneof![4 => Just(0), 2 => Just(-1), 2 => Just(1), 1 => -1_000_i64..1_000]
            .prop_map(When::Deadline),
        1 => span().prop_map(When::LongAfterDeadline),
        1 => span().prop_map(When::Before),
    ]
}

pub(crate) fn span() -> impl Strategy<Value = Span> {
    prop_oneof![
        4 => Just(Span::Micros(0)),
        6 => (0_u8..3, 0_u8..5, -1_i8..2).prop_map(|(intervals, halves, slip)| Span::Sum(intervals, halves, slip)),
        4 => any::<u16>().prop_map(Span::Part),
        1 => (0_u32..44).prop_map(|bits| Span::Micros(1 << bits)),
    ]
}

pub(crate) fn heartbeat() -> impl Strategy<Value = Heartbeat> {
    const MOST: u32 = 0x7fff_ffff;
    let millis = prop_oneof![
        Just((1, 1)),
        Just((3, 2)),
        Just((2, 3)),
        Just((300, 200)),
        Just((1, 5)),
        Just((5, 1)),
        Just((1, MOST - 1)),
        Just((MOST - 1, 1)),
        Just((MOST / 2, MOST / 2 + 1)),
        (1_u32..50, 1_u32..50),
        (1_u32..=MOST / 2, 1_u32..=MOST / 2),
    ]
    .prop_map(|(interval, timeout)| Heartbeat::from_millis(interval, timeout).expect("a valid pair"));
    prop_oneof![2 => Just(Heartbeat::DEFAULT), 6 => millis]
}

/// The caller's clock when it all begins.
pub(crate) fn epoch() -> impl Strategy<Value = Micros> {
    prop_oneof![
        3 => Just(0),
        2 => Just(1),
        2 => Just(1 << 63),
        1 => Just(LAST_SAFE),
        1 => any::<u32>().prop_map(|before| LAST_SAFE - Micros::from(before) * 1_000),
        1 => any::<u64>(),
    ]
}

pub(crate) fn liveness() -> impl Strategy<Value = Liveness> {
    prop_oneof![Just(Liveness::PongOnly), Just(Liveness::ExtendOnce), Just(Liveness::AnyPacket)]
}

/// The two periods of a heartbeat.
pub(crate) fn periods(heartbeat: Heartbeat) -> (Micros, Micros) {
    let micros = |period: Duration| Micros::try_from(period.as_micros()).expect("32 bits of milliseconds");
    (micros(heartbeat.ping_interval()), micros(heartbeat.ping_timeout()))
}

pub(crate) fn at(micros: Micros) -> Instant {
    Instant::from_micros(micros)
}

pub(crate) fn lasting(micros: Micros) -> Duration {
    Duration::from_micros(micros)
}

/// The times around `deadline` and `clock` at which an answer may change.
pub(crate) fn probes(clock: Micros, deadline: Option<Micros>) -> impl Iterator<Item = Micros> {
    let deadline = deadline.unwrap_or(clock);
    [
        0,
        clock,
        deadline.saturating_sub(1),
        deadline,
        deadline.saturating_add(1),
        deadline.saturating_add(1 << 41),
        u64::MAX,
    ]
    .into_iter()
}
