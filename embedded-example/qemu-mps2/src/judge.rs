//! Watches the session, logs what happens to it, and judges the times by the board's own clock.
//!
//! What it logs is what the host's tests read:
//!
//! ```text
//! open interval=1000 timeout=500
//! lost open_us=15004210 silent_us=1500204 wakes=31 reason=ping timeout
//! no session: the connection was refused
//! waiting ms=214
//! ```

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use eio_core::session::Disconnect;
use eio_core::{DisconnectReason, Heartbeat};
use eio_embassy::{Loss, State};
use embassy_sync::watch::DynReceiver;
use embassy_time::Instant;

use crate::wakes::Wakes;

/// How late an end may be told. On an idle board it is under a millisecond; an emulated one waits for its turn on a
/// busy host.
const WINDOW: Duration = Duration::from_millis(100);

/// Whether anything was late.
static GUILTY: AtomicBool = AtomicBool::new(false);

/// Whether all that was seen came when it should.
#[must_use]
pub fn is_content() -> bool {
    !GUILTY.load(Ordering::Relaxed)
}

/// A session in progress.
#[derive(Clone, Copy)]
struct Current {
    heartbeat: Heartbeat,
    since: Instant,
    wakes: u32,
}

/// Watches for ever. `wakes` are those of the session's task.
pub async fn watch(mut states: DynReceiver<'static, State>, wakes: &'static Wakes) -> ! {
    let mut current = None;
    let mut told = None;
    loop {
        match states.changed().await {
            State::Open { heartbeat, since, .. } => {
                let (interval, timeout) = (heartbeat.ping_interval(), heartbeat.ping_timeout());
                defmt::info!("open interval={} timeout={}", millis(interval), millis(timeout));
                current = Some(Current { heartbeat, since, wakes: wakes.count() });
                told = None;
            }
            State::Lost(loss) => {
                tell(loss, current.take(), wakes);
                told = Some(loss);
            }
            State::Waiting { until, after } => {
                // A state that follows another at once can replace it unseen.
                if told != Some(after) {
                    tell(after, current.take(), wakes);
                }
                told = None;
                let delay = until.saturating_duration_since(Instant::now());
                defmt::info!("waiting ms={}", delay.as_millis());
            }
            State::Connecting => defmt::info!("connecting"),
            State::Offline => defmt::info!("offline"),
            _ => {}
        }
    }
}

fn tell(loss: Loss, current: Option<Current>, wakes: &Wakes) {
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

/// A dead server is noticed within the sum of its periods and the window, and never sooner.
fn judge(end: Disconnect, current: Current, open: Duration) {
    let bound = current.heartbeat.ping_interval() + current.heartbeat.ping_timeout();
    if end.silent_for > bound + WINDOW {
        guilty("too late");
    }
    if end.reason == DisconnectReason::PingTimeout && open < bound {
        guilty("too early");
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// For the log, which has no numbers of 128 bits.
#[must_use]
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn guilty(what: &str) {
    defmt::error!("the end was told {=str}", what);
    GUILTY.store(true, Ordering::Relaxed);
}
