//! The end of the firmware: in QEMU, an exit code tells a test what happened.

use core::panic::PanicInfo;

use cortex_m_rt::{ExceptionFrame, exception};

/// The exit code if the firmware could not do what the test asked for.
pub const FAILED: i32 = 1;
/// The exit code if the firmware was not stopped in time.
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

/// Ends QEMU with this exit code.
pub fn exit(code: i32) -> ! {
    semihosting::process::exit(code)
}
