//! One message to many sessions: how long it takes to reach them all, and what each receiver costs.

use std::time::Duration;

use crate::clock::{self, PATIENCE};
use crate::failure::{Failure, Result};
use crate::frames::Kind;
use crate::report::{Moment, Report};
use crate::statistics::Observations;
use crate::target::Target;
use crate::traffic::Traffic;

/// Sends one message after the other to a server that broadcasts. The next one follows when the last receiver has the
/// one before.
///
/// # Errors
/// Fails if a receiver gets something else, or nothing.
pub fn measure(target: &Target, connections: usize, size: usize, time: Duration) -> Result<Report> {
    let kind = if target.joins { Kind::Event } else { Kind::Text };
    let mut traffic = Traffic::open(target, connections, kind, size, 1)?;
    if target.joins {
        // The server's application learns of a socket after its client does, and puts it into a room then.
        target.process.wait_until_quiet()?;
    }
    // The first one grows the server's memory.
    round(&mut traffic)?;
    let mut times = Observations::default();
    let (start, before, begun) = (Moment::now(target.process)?, traffic.replies(), clock::now());
    while begun.elapsed() < time {
        times.add(round(&mut traffic)?);
    }
    let (end, received) = (Moment::now(target.process)?, traffic.replies() - before);
    let times = times.sorted();
    let report = end.since(start).rate(received);
    Ok(report
        .with("until_all_us", microseconds(times.at(500)))
        .with("until_all_max_us", microseconds(times.at(1000))))
}

/// Sends one message and waits until all have it. Returns how many nanoseconds that took.
fn round(traffic: &mut Traffic) -> Result<i64> {
    // The sender is one of the receivers.
    let expected = traffic.replies() + traffic.connections() as u64;
    let start = clock::now();
    traffic.broadcast(0)?;
    while traffic.replies() < expected {
        traffic.turn(Duration::from_millis(100), |_, _| 0)?;
        if start.elapsed() > PATIENCE {
            let missing = expected - traffic.replies();
            return Err(Failure::server(format!(
                "has not sent a broadcast to {missing} sessions after 10 s"
            )));
        }
    }
    Ok(i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "a figure needs no more than 52 bits")]
fn microseconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e3
}
