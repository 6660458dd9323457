//! embassy-time's mock clock, which stands still until it is moved.

use std::sync::{Mutex, MutexGuard, PoisonError};

use embassy_time::{Duration, MockDriver};

/// The clock is global: one test at a time has it, from zero.
pub(crate) fn clock() -> MutexGuard<'static, ()> {
    static CLOCK: Mutex<()> = Mutex::new(());
    let guard = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    MockDriver::get().reset();
    guard
}

pub(crate) fn advance(micros: u64) {
    MockDriver::get().advance(Duration::from_micros(micros));
}

pub(crate) fn now() -> u64 {
    embassy_time::Instant::now().as_micros()
}
