//! The part of this machine's vector table that is used.

use cortex_m::interrupt::InterruptNumber;

/// The interrupts in use.
#[derive(Clone, Copy)]
#[repr(u16)]
pub(crate) enum Interrupt {
    Timer0 = 8,
    Ethernet = 13,
}

// SAFETY: the numbers are those of the machine's manual (Arm AN386, table 3-8) and never change.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

/// Enables `interrupt`.
///
/// # Safety
/// The interrupt's device must be set up, and code that shares data with its handler must access it in critical sections.
pub(crate) unsafe fn unmask(interrupt: Interrupt) {
    // SAFETY: the caller keeps this function's contract.
    unsafe { cortex_m::peripheral::NVIC::unmask(interrupt) }
}

type Handler = unsafe extern "C" fn();

unsafe extern "C" {
    fn TIMER0();
    fn ETHERNET();
    fn DefaultHandler();
}

/// The part of the vector table after the exception handlers.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [Handler; 14] = {
    let mut table: [Handler; 14] = [DefaultHandler; 14];
    table[Interrupt::Timer0 as usize] = TIMER0;
    table[Interrupt::Ethernet as usize] = ETHERNET;
    table
};
