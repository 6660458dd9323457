//! An emulated board: QEMU's model of Arm's MPS2 with the FPGA image AN386. It has a Cortex-M4F at 25 MHz, a LAN9118
//! Ethernet controller, and the memory of a small microcontroller.
//!
//! QEMU runs it in real time, with a real network stack on an emulated wire. Two of its modules are useful as examples:
//! [`lan9118`], an embassy-net driver, and [`clock`], an embassy-time driver.
//!
//! | file | |
//! |---|---|
//! | `clock.rs` | embassy-time from a counter and an alarm |
//! | `lan9118.rs` | embassy-net from an Ethernet controller |
//! | `executor.rs` | embassy-executor that sleeps by WFI |
//! | `judge.rs` | checks that the session's end is reported on time |
//! | `arguments.rs`, `fault.rs` | connect a test with the firmware: a command line in, an exit code out |
#![no_std]

pub mod arguments;
pub mod clock;
pub mod executor;
pub mod fault;
mod interrupts;
#[cfg(feature = "app")]
pub mod judge;
pub mod lan9118;
mod mmio;
pub mod network;
pub mod random;
pub mod recorder;
pub mod wakes;

use defmt_semihosting as _;

defmt::timestamp!("{=u64:us}", embassy_time::Instant::now().as_micros());

/// The first of the board's two user LEDs.
#[cfg(feature = "app")]
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Led;

#[cfg(feature = "app")]
impl Led {
    fn switch(on: bool) {
        // SAFETY: FPGAIO of AN386, table 3-1: LED0.
        const LED0: mmio::Register = unsafe { mmio::Register::at(0x4002_8000) };
        LED0.write(u32::from(on));
        defmt::debug!("lamp {=bool}", on);
    }
}

#[cfg(feature = "app")]
impl embedded_hal::digital::ErrorType for Led {
    type Error = core::convert::Infallible;
}

#[cfg(feature = "app")]
impl embedded_hal::digital::OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Self::Error> {
        Self::switch(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Self::Error> {
        Self::switch(true);
        Ok(())
    }
}
