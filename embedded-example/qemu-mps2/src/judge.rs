//! Watches the session, logs its states, and checks by the board's own clock that its end is reported on time.
//!
//! The host's tests read these log lines:
//!
//! ```text
//! open interval=1000 timeout=500
//! lost open_us=15004210 silent_us=1500204 wakes=31 reason=ping timeout
//! no session: the connection was refused
//! waiting ms=214
//! ```

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use eio_core::session::SessionEnd;
use eio_core::{DisconnectReason, Heartbeat};
use eio_embassy::{Loss, State};
use embassy_sync::watch::DynReceiver;
use embassy_time::Instant;

use crate::wakes::Wakes;

/// How late an end may be reported. An idle board takes less than a millisecond; an emulated one may have to wait for a
/// busy host.
const WINDOW: Duration = Duration::from_millis(100);

/// Whether an end was reported too early or too late.
static MISTIMED: AtomicBool = AtomicBool::new(false);

/// Returns whether every end so far was reported on time.
#[must_use]
pub fn was_on_time() -> bool {
    !MISTIMED.load(Ordering::Relaxed)
}

/// A session in progress.
#[derive(Clone, Copy)]
struct Current {
    heartbeat: Heartbeat,
    since: Instant,
    wakes: u32,
}

/// Watches the states and never returns. `wakes` counts the wake-ups of the session's task.
pub async fn watch(mut states: DynReceiver<'static, State>, wakes: &'static Wakes) -> ! {
    let mut current = None;
    let mut logged = None;
    loop {
        match states.changed().await {
            State::Open { heartbeat, since, .. } => {
                let (interval, timeout) = (heartbeat.ping_interval(), heartbeat.ping_timeout());
                defmt::info!("open interval={} timeout={}", millis(interval), millis(timeout));
                current = Some(Current { heartbeat, since, wakes: wakes.count() });
                logged = None;
            }
            State::Lost(loss) => {
                log_loss(loss, current.take(), wakes);
                logged = Some(loss);
            }
            State::Waiting { until, after } => {
                // `Waiting` can replace `Lost` before this task sees it.
                if logged != Some(after) {
                    log_loss(after, current.take(), wakes);
                }
                logged = None;
                let delay = until.saturating_duration_since(Instant::now());
                defmt::info!("waiting ms={}", delay.as_millis());
            }
            State::Connecting => defmt::info!("connecting"),
            State::Offline => defmt::info!("offline"),
            _ => {}
        }
    }
}

fn log_loss(loss: Loss, current: Option<Current>, wakes: &Wakes) {
    match (loss, current) {
        (Loss::Session(end), Some(current)) => {
            let open = current.since.elapsed();
            let woken = wakes.count().wrapping_sub(current.wakes);
            defmt::info!(
                "lost open_us={} silent_us={} wakes={} reason={=str}",
                open.as_micros(),
                micros(end.silent_for),
                woken,
                end.reason.as_str(),
            );
            defmt::debug!("{}", end.reason);
            judge(end, current, Duration::from_micros(open.as_micros()));
        }
        (loss, _) => defmt::info!("no session: {}", defmt::Display2Format(&loss)),
    }
}

/// Checks that a dead server was noticed after the sum of its periods, and at most [`WINDOW`] later.
fn judge(end: SessionEnd, current: Current, open: Duration) {
    let bound = current.heartbeat.ping_interval() + current.heartbeat.ping_timeout();
    if end.silent_for > bound + WINDOW {
        report_mistimed("too late");
    }
    if end.reason == DisconnectReason::PingTimeout && open < bound {
        report_mistimed("too early");
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the time in microseconds, for the log, which cannot print 128-bit numbers.
#[must_use]
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn report_mistimed(what: &str) {
    defmt::error!("the end was reported {=str}", what);
    MISTIMED.store(true, Ordering::Relaxed);
}
