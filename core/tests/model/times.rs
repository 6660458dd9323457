//! Random heartbeats, and the times around a deadline.

use core::time::Duration;

use eio_core::{Heartbeat, Liveness};
use proptest::prelude::*;

pub(crate) use eio_tests::times::{LAST_SAFE, Micros, Span, When, at, epoch, lasting, span, when};

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

pub(crate) fn liveness() -> impl Strategy<Value = Liveness> {
    prop_oneof![Just(Liveness::PongOnly), Just(Liveness::ExtendOnce), Just(Liveness::AnyPacket)]
}

/// The two periods of a heartbeat.
pub(crate) fn periods(heartbeat: Heartbeat) -> (Micros, Micros) {
    let micros = |period: Duration| Micros::try_from(period.as_micros()).expect("32 bits of milliseconds");
    (micros(heartbeat.ping_interval()), micros(heartbeat.ping_timeout()))
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
