//! An executor that sleeps between events.
//!
//! The executor of embassy-executor waits with WFE, which QEMU treats as a no-op, so it would keep one of the host's cores
//! busy. This one waits with WFI, which needs a flag in addition.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use embassy_executor::{Spawner, raw};
use static_cell::StaticCell;

/// Whether a task has been woken since the last poll.
static WOKEN: AtomicBool = AtomicBool::new(false);
/// How often the processor has slept.
static SLEEPS: AtomicU32 = AtomicU32::new(0);

/// Returns how often the processor has slept.
pub(crate) fn sleeps() -> u32 {
    SLEEPS.load(Ordering::Relaxed)
}

/// Spawns the first tasks and runs them. Never returns.
pub fn run(spawn: impl FnOnce(Spawner)) -> ! {
    static EXECUTOR: StaticCell<raw::Executor> = StaticCell::new();
    let executor: &'static raw::Executor = EXECUTOR.init(raw::Executor::new(core::ptr::null_mut()));
    spawn(executor.spawner());
    loop {
        // SAFETY: the executor was initialised above, and is polled only here and never recursively.
        unsafe { executor.poll() };
        // An interrupt between the test and the sleep must wake the processor. A masked interrupt still ends WFI, and its
        // handler runs once interrupts are enabled.
        cortex_m::interrupt::disable();
        if !WOKEN.swap(false, Ordering::AcqRel) {
            cortex_m::asm::wfi();
            SLEEPS.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: no critical section is open here.
        unsafe { cortex_m::interrupt::enable() };
    }
}

#[unsafe(export_name = "__pender")]
fn pender(_context: *mut ()) {
    WOKEN.store(true, Ordering::Release);
}
