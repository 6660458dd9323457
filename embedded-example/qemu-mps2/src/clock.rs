//! The clock of embassy-time: a counter of microseconds to read, and a timer that interrupts.
//!
//! The counter is the FPGA's (FPGAIO, behind a prescaler). It counts by itself, so no tick is lost, however busy the
//! processor or the host that emulates it is. The alarm is a CMSDK timer that counts the processor's cycles down. It only
//! says when to read the counter, so an early or late alarm does not change the time.

use core::cell::RefCell;
use core::task::Waker;

use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

use crate::interrupts::{Interrupt, unmask};
use crate::mmio::Register;

const CYCLES_PER_MICRO: u32 = 25;
/// The longest time for which the alarm is set, in microseconds. The alarm's timer can count 171 s of cycles, and half a
/// turn of the counter is 35 min; the shorter of the two is the bound.
const LONGEST_ALARM: u64 = 120_000_000;

// SAFETY: FPGAIO of AN386, table 3-1: COUNTER and PRESCALE.
const COUNTER: Register = unsafe { Register::at(0x4002_8018) };
// SAFETY: as above.
const PRESCALE: Register = unsafe { Register::at(0x4002_801C) };
// SAFETY: CMSDK timer 0 at 0x4000_0000: CTRL, VALUE, RELOAD and INTCLEAR.
const CONTROL: Register = unsafe { Register::at(0x4000_0000) };
// SAFETY: as above.
const VALUE: Register = unsafe { Register::at(0x4000_0004) };
// SAFETY: as above.
const RELOAD: Register = unsafe { Register::at(0x4000_0008) };
// SAFETY: as above.
const INTERRUPT_CLEAR: Register = unsafe { Register::at(0x4000_000C) };

const ENABLE: u32 = 1 << 0;
const ENABLE_INTERRUPT: u32 = 1 << 3;

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock {
    counter: Mutex::new(RefCell::new(Counter { turns: 0, last: 0 })),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

/// Starts the counter and enables the alarm's interrupt. Until then, the time is zero.
pub fn start() {
    PRESCALE.write(CYCLES_PER_MICRO - 1);
    COUNTER.write(0);
    critical_section::with(|section| CLOCK.arm(section));
    // SAFETY: the handler accesses shared data only in critical sections.
    unsafe { unmask(Interrupt::Timer0) };
}

struct Clock {
    counter: Mutex<RefCell<Counter>>,
    queue: Mutex<RefCell<Queue>>,
}

/// Extends the hardware's counter, which has 32 bits and wraps every 71 minutes.
struct Counter {
    turns: u32,
    last: u32,
}

impl Clock {
    fn read(&self, section: CriticalSection<'_>) -> u64 {
        let mut counter = self.counter.borrow_ref_mut(section);
        let low = COUNTER.read();
        if low < counter.last {
            counter.turns = counter.turns.wrapping_add(1);
        }
        counter.last = low;
        u64::from(counter.turns) << 32 | u64::from(low)
    }

    /// Wakes the tasks that are due, and sets the alarm for the next one. The alarm is always set, so that the counter is
    /// read before it wraps.
    fn arm(&self, section: CriticalSection<'_>) {
        let mut queue = self.queue.borrow_ref_mut(section);
        let mut now = self.read(section);
        let next = queue.next_expiration(now);
        now = self.read(section).max(now);
        let micros = next.saturating_sub(now).clamp(1, LONGEST_ALARM);
        // At most 3,000,000,000, which fits into 32 bits.
        let cycles = u32::try_from(micros).unwrap_or(u32::MAX).saturating_mul(CYCLES_PER_MICRO);
        CONTROL.write(0);
        INTERRUPT_CLEAR.write(1);
        VALUE.write(cycles);
        RELOAD.write(cycles);
        CONTROL.write(ENABLE | ENABLE_INTERRUPT);
    }
}

impl Driver for Clock {
    fn now(&self) -> u64 {
        critical_section::with(|section| self.read(section))
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|section| {
            let earliest = self.queue.borrow_ref_mut(section).schedule_wake(at, waker);
            if earliest {
                self.arm(section);
            }
        });
    }
}

#[unsafe(no_mangle)]
extern "C" fn TIMER0() {
    INTERRUPT_CLEAR.write(1);
    critical_section::with(|section| CLOCK.arm(section));
}
