//! Memory-mapped registers.

/// One 32-bit register.
#[derive(Clone, Copy)]
pub(crate) struct Register(*mut u32);

impl Register {
    /// # Safety
    /// `address` must be that of a device's register that accepts aligned 32-bit accesses at any time.
    pub(crate) const unsafe fn at(address: usize) -> Self {
        Self(address as *mut u32)
    }

    pub(crate) fn read(self) -> u32 {
        // SAFETY: `at` was promised a register.
        unsafe { self.0.read_volatile() }
    }

    pub(crate) fn write(self, value: u32) {
        // SAFETY: `at` was promised a register.
        unsafe { self.0.write_volatile(value) }
    }
}
