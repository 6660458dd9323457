//! How the firmware ends: in QEMU, by an exit code that tells a test what happened.

use core::panic::PanicInfo;

use cortex_m_rt::{ExceptionFrame, exception};

/// A test asked for something that it did not get.
pub const FAILED: i32 = 1;
/// Nobody stopped it in time.
pub const TOO_LONG: i32 = 100;
const PANICKED: i32 = 101;
const FAULTED: i32 = 102;
const UNKNOWN_INTERRUPT: i32 = 103;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    defmt::error!("panic: {}", defmt::Display2Format(info));
    exit(PANICKED)
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    defmt::error!("hard fault at {=u32:#010x}, called from {=u32:#010x}", frame.pc(), frame.lr());
    exit(FAULTED)
}

#[exception]
unsafe fn DefaultHandler(number: i16) -> ! {
    defmt::error!("no handler for interrupt {=i16}", number);
    exit(UNKNOWN_INTERRUPT)
}

#[defmt::panic_handler]
fn defmt_panic() -> ! {
    exit(PANICKED)
}

/// Ends QEMU.
pub fn exit(code: i32) -> ! {
    semihosting::process::exit(code)
}
