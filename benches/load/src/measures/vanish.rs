//! Many clients that vanish at once: how long the server is busy with it, and what it keeps.

use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::clock::{self, PATIENCE};
use crate::failure::{Failure, Result};
use crate::measures::memory::BEFORE;
use crate::report::{Moment, Report};
use crate::statistics::Observations;
use crate::target::Target;
use crate::websocket;

/// How many handshakes show what is usual.
const USUAL: usize = 50;

/// Opens `connections` WebSockets, resets all of them, and opens others until the server answers as fast as before.
///
/// # Errors
/// Fails if it does not within ten seconds.
#[expect(clippy::cast_precision_loss, reason = "a figure needs no more than 52 bits")]
pub fn measure(target: &Target, connections: usize) -> Result<Report> {
    let server = target.process;
    let _before = websocket::open_all(target, BEFORE)?;
    let usual = usual_handshake(target)?;
    server.wait_until_quiet()?;
    let empty = server.resident()?;
    let opened = websocket::open_all(target, connections)?;
    server.wait_until_quiet()?;
    let (start, full) = (Moment::now(server)?, server.resident()?);
    for websocket in &opened {
        // Closing sends a reset now.
        SockRef::from(&websocket.stream)
            .set_linger(Some(Duration::ZERO))
            .map_err(Failure::system("a connection cannot be configured"))?;
    }
    let vanished = clock::now();
    drop(opened);
    let answered = wait_for_usual_handshake(target, vanished, usual)?;
    let last_busy = server.wait_until_quiet()?;
    let (end, kept) = (Moment::now(server)?, server.resident()?);
    let count = connections.max(1) as f64;
    Ok(Report::default()
        .with("answers_after_ms", milliseconds(answered - vanished))
        .with("quiet_after_ms", milliseconds(last_busy.saturating_duration_since(vanished)))
        .with("server_cpu_us", end.since(start).server_us_each(connections as u64))
        .with("bytes_each_before", full.saturating_sub(empty) as f64 / count)
        .with("bytes_each_kept", kept.saturating_sub(empty) as f64 / count))
}

/// Returns a time within which the server usually answers a handshake.
fn usual_handshake(target: &Target) -> Result<Duration> {
    let mut times = Observations::default();
    for _ in 0..USUAL {
        let start = clock::now();
        websocket::open(target)?;
        times.add(i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX));
    }
    Ok(Duration::from_nanos(times.sorted().at(1_000).unsigned_abs()))
}

/// Opens WebSockets until one is answered as fast as the slowest of the usual ones. Returns when.
fn wait_for_usual_handshake(target: &Target, vanished: Instant, usual: Duration) -> Result<Instant> {
    loop {
        let start = clock::now();
        let at = websocket::open(target)?.at;
        if at - start <= usual {
            return Ok(at);
        }
        if at - vanished > PATIENCE {
            return Err(Failure::server("still answers handshakes slowly 10 s after its clients vanished"));
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
