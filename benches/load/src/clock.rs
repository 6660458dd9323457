//! The one clock of this program.

use std::time::{Duration, Instant};

/// Returns the time.
#[expect(clippy::disallowed_methods, reason = "measures real servers in real time")]
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// How long a server may keep silent where it must answer.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Lets the time pass after which something outside of this program is looked at again, such as another process's
/// processor time, which nobody announces.
#[expect(
    clippy::disallowed_methods,
    reason = "the state of another process can only be looked at again and again"
)]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
