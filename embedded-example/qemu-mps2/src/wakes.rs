//! Counts how often a future is woken: each wake-up costs energy.

use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicU32, Ordering};

/// How often a future was polled.
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

    /// Runs `future` and counts its polls. In a separate task, every poll is a wake-up.
    pub async fn counting<F: Future>(&self, mut future: Pin<&mut F>) -> F::Output {
        core::future::poll_fn(|context| {
            self.0.fetch_add(1, Ordering::Relaxed);
            future.as_mut().poll(context)
        })
        .await
    }
}
