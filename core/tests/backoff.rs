//! Reconnecting: delays stay in their window, grow, are capped, and spread a crowd.
#![expect(clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

use core::time::Duration;

use eio_core::Instant;
use eio_core::backoff::{Backoff, BackoffError, BackoffSetting};
use proptest::prelude::*;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1_000)
}

/// `SplitMix64`: small, seeded, good enough to stand for 10,000 different clients.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 32) as u32
    }
}

#[test]
fn the_window_doubles_up_to_the_cap() {
    let mut shortest = Backoff::new(ms(1_000), ms(30_000)).unwrap();
    let mut longest = shortest.clone();
    for expected in [2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
        assert_eq!(shortest.next_delay(0), ms(1_000));
        assert_eq!(longest.next_delay(u32::MAX), ms(expected));
    }
}

#[test]
fn a_backoff_can_be_a_constant_and_is_small() {
    const BACKOFF: Backoff = match Backoff::new(ms(500), ms(5_000)) {
        Ok(backoff) => backoff,
        Err(_) => Backoff::DEFAULT,
    };
    assert_ne!(BACKOFF, Backoff::DEFAULT);
    assert_eq!(Backoff::default(), Backoff::DEFAULT);
    assert!(size_of::<Backoff>() <= 40, "{}", size_of::<Backoff>());
}

#[test]
fn only_a_session_that_lasted_resets_the_attempts() {
    let mut backoff = Backoff::DEFAULT.with_stable_after(ms(10_000)).unwrap();
    for _ in 0..5 {
        let _ = backoff.next_delay(7);
    }
    backoff.handle_disconnected(at(1_000_000));
    assert_eq!(backoff.attempts(), 5, "there was no session");
    backoff.handle_connected(at(1_000_000));
    backoff.handle_disconnected(at(1_009_999));
    assert_eq!(backoff.attempts(), 5, "it lasted 9,999 ms");
    backoff.handle_disconnected(at(2_000_000));
    assert_eq!(backoff.attempts(), 5, "it has been counted");
    backoff.handle_connected(at(3_000_000));
    backoff.handle_connected(at(3_005_000));
    backoff.handle_disconnected(at(3_010_000));
    assert_eq!(backoff.attempts(), 5, "the second session lasted 5 s");
    backoff.handle_connected(at(4_000_000));
    assert_eq!(backoff.attempts(), 5, "it has not ended");
    backoff.handle_disconnected(at(4_010_000));
    assert_eq!(backoff.attempts(), 0);
    backoff.handle_connected(at(5_000_000));
    let _ = backoff.next_delay(7);
    backoff.handle_disconnected(at(4_000_000));
    assert_eq!(backoff.attempts(), 1, "time went backwards");
}

/// A server that accepts sessions and drops them at once is not healthy.
#[test]
fn sessions_that_die_young_meet_ever_longer_delays() {
    let mut backoff = Backoff::DEFAULT;
    let mut now = at(0);
    let mut delay = Duration::ZERO;
    for _ in 0..10 {
        delay = backoff.next_delay(u32::MAX);
        now = now.saturating_add(delay);
        backoff.handle_connected(now);
        now = now.saturating_add(ms(2_000));
        backoff.handle_disconnected(now);
    }
    assert_eq!(delay, ms(30_000));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let zero = BackoffError::Zero { setting: BackoffSetting::Min };
    assert_eq!(Backoff::new(ms(0), ms(5)), Err(zero));
    assert_eq!(zero.to_string(), "the shortest delay is zero: expected at least 1 ms");
    assert_eq!(Backoff::new(ms(5), ms(4)), Err(BackoffError::MinAboveMax));
    assert_eq!(Backoff::new(ms(5), ms(0)), Err(BackoffError::MinAboveMax));
    let fine = Duration::from_micros(1_500);
    assert_eq!(Backoff::new(fine, ms(5)), Err(BackoffError::Fraction { setting: BackoffSetting::Min }));
    let long = ms(1 << 32);
    assert!(Backoff::new(ms(5), ms(u32::MAX.into())).is_ok());
    assert_eq!(Backoff::new(ms(5), long), Err(BackoffError::TooLong { setting: BackoffSetting::Max }));
    let stable_after = Backoff::DEFAULT.with_stable_after(long);
    assert_eq!(stable_after, Err(BackoffError::TooLong { setting: BackoffSetting::StableAfter }));
}

#[test]
fn a_setting_is_displayed_by_its_name() {
    assert_eq!(format!("{:>20}", BackoffSetting::Max), "   the longest delay");
}

/// All lose their session at once; every tenth of the window then gets its tenth of them, give or take 15 %.
#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
fn ten_thousand_clients_are_spread_over_the_window() {
    let mut random = Random(2);
    for failures in [0, 1, 3, 20] {
        let mut delays = Vec::new();
        let mut window = Duration::ZERO;
        for _ in 0..10_000 {
            let mut backoff = Backoff::DEFAULT;
            for _ in 0..failures {
                let _ = backoff.next_delay(random.next());
            }
            window = backoff.clone().next_delay(u32::MAX);
            delays.push(backoff.next_delay(random.next()));
        }
        let width = window.as_millis() - 1_000;
        let mut tenths = [0; 10];
        for delay in delays {
            let tenth = (delay.as_millis() - 1_000) * 10 / (width + 1);
            tenths[usize::try_from(tenth).unwrap()] += 1;
        }
        assert!(
            tenths.iter().all(|clients| (850..=1_150).contains(clients)),
            "{failures} failures: {tenths:?}"
        );
    }
}

/// Their network is back in the same second; every tenth of the shortest delay then gets its tenth of them.
#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
fn ten_thousand_clients_whose_network_is_back_are_spread_over_the_shortest_delay() {
    let mut random = Random(3);
    let mut tenths = [0; 10];
    for _ in 0..10_000 {
        let tenth = Backoff::DEFAULT.spread_delay(random.next()).as_millis() * 10 / 1_001;
        tenths[usize::try_from(tenth).unwrap()] += 1;
    }
    assert!(tenths.iter().all(|clients| (850..=1_150).contains(clients)), "{tenths:?}");
}

proptest! {
    #[test]
    fn delays_stay_between_min_and_max_and_in_a_window_that_only_grows(
        min in 1_u32..,
        max in 1_u32..,
        randoms in prop::collection::vec(any::<u32>(), 1..50),
    ) {
        let (min, max) = (min.min(max), min.max(max));
        let mut backoff = Backoff::new(ms(min.into()), ms(max.into())).unwrap();
        let mut before = Duration::ZERO;
        for (attempt, random) in randoms.into_iter().enumerate() {
            let longest = backoff.clone().next_delay(u32::MAX);
            let exact = u64::from(min).saturating_mul(1 << (attempt + 1).min(32)).min(max.into());
            prop_assert_eq!(longest, ms(exact));
            prop_assert!(longest >= before);
            before = longest;
            let twin = backoff.clone().next_delay(random);
            let delay = backoff.next_delay(random);
            prop_assert_eq!(delay, twin);
            prop_assert!((ms(min.into())..=longest).contains(&delay));
            prop_assert_eq!(backoff.attempts() as usize, attempt + 1);
            prop_assert!(backoff.spread_delay(random) <= ms(min.into()));
            prop_assert_eq!(backoff.spread_delay(0), ms(0));
            prop_assert_eq!(backoff.spread_delay(u32::MAX), ms(min.into()));
            prop_assert_eq!(backoff.attempts() as usize, attempt + 1, "it is no attempt");
        }
    }

    #[test]
    fn a_larger_random_number_never_gives_a_shorter_delay(a in any::<u32>(), b in any::<u32>()) {
        let (a, b) = (a.min(b), a.max(b));
        prop_assert!(Backoff::default().next_delay(a) <= Backoff::default().next_delay(b));
    }
}
