//! Sessions that do nothing but answer pings: what a heartbeat costs the server.

use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::frames::Kind;
use crate::report::{Moment, Report};
use crate::target::Target;
use crate::traffic::Traffic;
use crate::websocket;

/// Opens `connections` WebSockets that answer pings, and counts heartbeats for `time`.
///
/// # Errors
/// Fails if the server sends something else, or less than half of the pings that it announced.
#[expect(clippy::cast_precision_loss, reason = "a figure needs no more than 52 bits")]
pub fn measure(target: &Target, connections: usize, time: Duration) -> Result<Report> {
    let interval = websocket::open(target)?.session.ping_interval;
    if interval * 2 > time {
        return Err(Failure::Options(format!(
            "the server pings every {} ms: heartbeats must be counted for at least twice as long",
            interval.as_millis()
        )));
    }
    let mut traffic = Traffic::open(target, connections, Kind::Text, 1, 1)?;
    // Some servers send the first ping at once: only the later ones are all of one kind.
    traffic.run(interval, Traffic::pings, |_, _| 0)?;
    let (start, before) = (Moment::now(target.process)?, traffic.pings());
    traffic.run(time, Traffic::pings, |_, _| 0)?;
    let (end, pings) = (Moment::now(target.process)?, traffic.pings() - before);
    let announced = traffic.connections() as f64 * time.as_secs_f64() / interval.as_secs_f64();
    let share = pings as f64 / announced;
    if share < 0.5 {
        return Err(Failure::server(format!("sent {pings} pings instead of {announced:.0}")));
    }
    Ok(end.since(start).rate(pings).with("share_of_announced", share))
}
