//! Counts how often a future is woken: each time costs a battery something.

use core::future::Future;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::{Context, Poll};

/// How often a future was polled.
#[derive(Debug, Default)]
pub struct Wakes(AtomicU32);

impl Wakes {
    /// None yet.
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Until now.
    pub fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Runs `future` and counts. In a task of its own, every poll is a wake-up.
    pub async fn counting<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        core::future::poll_fn(|context: &mut Context<'_>| -> Poll<F::Output> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Pin::as_mut(&mut future).poll(context)
        })
        .await
    }
}
