//! Runs a scenario in many orders of its steps, which a scheduler of shuttle chooses. Sessions, their servers and their
//! clients are those of production: with `--cfg shuttle`, they take locks, atomics and notifications at which the
//! scheduler may let another task go on.
//!
//! A scenario in which everybody waits fails. The clock helps nobody out: it stands still, or moves a few seconds
//! at most. A failure prints the command that plays its batch of schedules again, which takes the same course.
#![cfg(shuttle)]

mod batch;
mod clock;
pub mod pieces;
mod random;

/// Where files of `eio-tokio` find what they use.
mod wire {
    pub(crate) mod sync {
        pub(crate) use eio_tokio::sync::*;
    }
    pub(crate) mod message {
        pub(crate) use eio_tokio::Message;
    }
}
mod session {
    pub(crate) mod send {
        pub(crate) use eio_tokio::SendError;

        /// As that of `eio-tokio`, whose variants other crates cannot know to be all.
        #[expect(dead_code, reason = "the pieces that are tried send nothing")]
        pub(crate) enum TrySendError {
            Full(eio_tokio::Message),
            Refused(SendError),
        }
    }
}

use std::sync::Arc;

use shuttle::scheduler::DfsScheduler;

use crate::batch::{Batch, Played, play};
pub use crate::clock::Clock;

/// A scenario: the closure runs once for each schedule.
type Scenario = Arc<dyn Fn() + Send + Sync>;

/// Plays a scenario in random orders, and in those of PCT (probabilistic concurrency testing), as often as
/// `EIO_SCHEDULES` says. `test` is the name of the test, and `case` what distinguishes the scenario from others of it.
///
/// # Panics
/// Panics if the scenario panics, or if all of its tasks wait.
pub fn explore<F: Future<Output = ()>>(
    test: &str,
    case: &str,
    clock: Clock,
    scenario: impl Fn() -> F + Send + Sync + 'static,
) {
    let scenario: Scenario = Arc::new(move || clock.run(&scenario));
    match Batch::play_all(&scenario) {
        Ok(Played { schedules, steps, .. }) => {
            println!("[schedules] {test} {case}: {schedules} schedules, {steps} steps");
        }
        Err(batch) => panic!("{test} {case} fails. Again: {}", batch.command(test)),
    }
}

/// Plays a batch twice, which takes the same course both times: so a failure can be played again. `test` and `case` are
/// those of [`explore`].
///
/// # Panics
/// Panics if the courses differ.
pub fn repeat<F: Future<Output = ()>>(
    test: &str,
    case: &str,
    clock: Clock,
    scenario: impl Fn() -> F + Send + Sync + 'static,
) {
    let scenario: Scenario = Arc::new(move || clock.run(&scenario));
    let [once, again] = [(), ()].map(|()| Batch::first().play(&scenario).expect("the scenario succeeds"));
    assert_eq!(once, again);
    println!("[schedules] {test} {case}: {} schedules, {} steps, twice", once.schedules, once.steps);
}

/// Plays a small scenario in all orders.
///
/// # Panics
/// Panics if the scenario panics, if all of its tasks wait, or if there are more orders than `at_most`.
pub fn exhaust<F: Future<Output = ()>>(
    test: &str,
    at_most: usize,
    scenario: impl Fn() -> F + Send + Sync + 'static,
) {
    let scenario: Scenario = Arc::new(move || shuttle::future::block_on(scenario()));
    let Ok(played) = play(&scenario, DfsScheduler::new(Some(at_most), true), None) else {
        panic!("{test} fails")
    };
    assert!(played.schedules < at_most, "{test} has more than {at_most} orders");
    println!("[schedules] {test}: all {} schedules, {} steps", played.schedules, played.steps);
}
