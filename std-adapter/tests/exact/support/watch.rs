//! Fails the tests if the task of a session panics. The task catches the panic, and ends its session, often for the reason
//! that a test expects anyway.

use core::cell::Cell;
use std::io::Write as _;
use std::sync::Once;

use ::metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

thread_local! {
    static IS_EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// From the first call on, a panic in the task of a session ends the test program, and names the test.
pub(crate) fn watch_sessions() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| ::metrics::set_global_recorder(Watch { fail: end_program }).unwrap());
}

/// While it lives, tasks of sessions may panic on this thread.
pub(crate) struct Expected;

impl Expected {
    pub(crate) fn panic() -> Self {
        IS_EXPECTED.set(true);
        Self
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        IS_EXPECTED.set(false);
    }
}

/// Hears of each panic from the counter of those that were caught.
pub(crate) struct Watch {
    pub(crate) fail: fn(),
}

impl Recorder for Watch {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let mut labels = key.labels().map(|label| (label.key(), label.value()));
        if key.name() == "eio_panics_total"
            && labels.any(|label| label == ("callback", "session"))
            && !IS_EXPECTED.get()
        {
            (self.fail)();
        }
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// A panic here would be caught as well.
fn end_program() {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("unknown");
    let _ = writeln!(
        std::io::stderr(),
        "the task of a session panicked in the test {test}: run it alone with --nocapture to see why"
    );
    std::process::exit(101);
}
