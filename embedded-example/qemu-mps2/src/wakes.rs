//! Counts how often a future is woken: each time costs a battery something.

use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicU32, Ordering};

/// How often a future was polled.
#[derive(Debug, Default)]
pub struct Wakes(AtomicU32);

impl Wakes {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Until now.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Runs `future` and counts. In a task of its own, every poll is a wake-up.
    pub async fn counting<F: Future>(&self, mut future: Pin<&mut F>) -> F::Output {
        core::future::poll_fn(|context| {
            self.0.fetch_add(1, Ordering::Relaxed);
            future.as_mut().poll(context)
        })
        .await
    }
}
