//! Counts how often the processor wakes for a future: each time costs energy.

use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::executor;

/// How often a future was polled after a sleep of the processor.
#[derive(Debug, Default)]
pub struct Wakes(AtomicU32);

impl Wakes {
    /// Creates a counter at zero.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Returns the count so far.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Runs `future` in a separate task, and counts its wake-ups. Polls between two sleeps are one wake-up.
    pub async fn counting<F: Future>(&self, mut future: Pin<&mut F>) -> F::Output {
        let mut awake_since = executor::sleeps();
        core::future::poll_fn(|context| {
            let sleeps = executor::sleeps();
            if core::mem::replace(&mut awake_since, sleeps) != sleeps {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
            future.as_mut().poll(context)
        })
        .await
    }
}
