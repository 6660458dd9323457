//! What ends a program ends in a new start: a panic, a fault, and an interrupt that nobody handles.
//!
//! This file is the same for every board with a Cortex-M.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};

/// How many cycles a debug probe gets to read the log: some tenths of a second at most.
const FOR_THE_LOG: u32 = 10_000_000;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    static PANICS: AtomicBool = AtomicBool::new(false);
    cortex_m::interrupt::disable();
    // What logs may be what panics.
    if !PANICS.load(Ordering::Relaxed) {
        PANICS.store(true, Ordering::Relaxed);
        defmt::error!("{}", defmt::Display2Format(info));
    }
    start_again()
}

#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    start_again()
}

#[exception]
unsafe fn DefaultHandler(_: i16) -> ! {
    start_again()
}

/// Resets the chip.
pub fn start_again() -> ! {
    cortex_m::asm::delay(FOR_THE_LOG);
    SCB::sys_reset()
}
