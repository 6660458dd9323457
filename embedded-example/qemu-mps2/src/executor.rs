//! An executor that sleeps between events.
//!
//! embassy-executor's own waits by WFE, which QEMU treats as a no-op: it would burn one of the host's cores. This one
//! waits by WFI, which costs one flag.

use core::sync::atomic::{AtomicBool, Ordering};

use embassy_executor::{Spawner, raw};
use static_cell::StaticCell;

/// Something woke a task since the last poll.
static WOKEN: AtomicBool = AtomicBool::new(false);

/// Spawns the first tasks and runs them for ever.
pub fn run(spawn: impl FnOnce(Spawner)) -> ! {
    static EXECUTOR: StaticCell<raw::Executor> = StaticCell::new();
    let executor: &'static raw::Executor = EXECUTOR.init(raw::Executor::new(core::ptr::null_mut()));
    spawn(executor.spawner());
    loop {
        // SAFETY: initialised above, and polled only here, which nothing calls again.
        unsafe { executor.poll() };
        // An interrupt between the test and the sleep must not be slept through: while they are masked it still ends
        // WFI, and is taken when they are let through.
        cortex_m::interrupt::disable();
        if !WOKEN.swap(false, Ordering::AcqRel) {
            cortex_m::asm::wfi();
        }
        // SAFETY: no critical section is open here.
        unsafe { cortex_m::interrupt::enable() };
    }
}

#[unsafe(export_name = "__pender")]
fn pender(_context: *mut ()) {
    WOKEN.store(true, Ordering::Release);
}
