//! How long a message takes to come back, while messages are sent at a fixed rate.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::clock;
use crate::failure::{Failure, Result};
use crate::frames::Kind;
use crate::report::{Moment, Report};
use crate::statistics::Observations;
use crate::target::Target;
use crate::traffic::Traffic;

/// What is sent.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the command line makes it")]
pub struct Options {
    /// The number of WebSockets, which take turns.
    pub connections: usize,
    /// The bytes of a message.
    pub size: usize,
    /// The kind of the messages.
    pub kind: Kind,
    /// How many messages are sent a second, on all WebSockets together.
    pub rate: f64,
    /// How long messages are sent before the first one that counts.
    pub warm_up: Duration,
    /// How long messages are sent that count.
    pub time: Duration,
}

/// Sends messages at a fixed rate, whether or not replies come, and measures each from the moment at which it was due.
/// So a server that stands still for a while is late for every message of that while.
///
/// This thread never sleeps, so that messages leave on time: `sent_late_p99_us` says how late they were.
///
/// # Errors
/// Fails if a reply is wrong or missing.
pub fn measure(target: &Target, options: &Options) -> Result<Report> {
    let Options { connections, size, kind, rate, warm_up, time } = *options;
    if connections == 0 || !rate.is_normal() || rate < 0.0 {
        return Err(Failure::Options("a latency needs a connection and a rate above zero".to_owned()));
    }
    let mut traffic = Traffic::open(target, connections, kind, size, 16)?;
    let mut due_times = vec![VecDeque::new(); connections];
    let mut latencies = Observations::default();
    let mut late = Observations::default();
    let start = clock::now();
    let (first_counted, end) = (start + warm_up, start + warm_up + time);
    let mut period_start = None;
    let mut sent: u32 = 0;
    loop {
        let now = clock::now();
        let due = start + Duration::from_secs_f64(f64::from(sent) / rate);
        if due >= end {
            break;
        }
        if due >= first_counted && period_start.is_none() {
            period_start = Some((Moment::now(target.process)?, traffic.replies()));
        }
        if due <= now {
            let index = sent as usize % connections;
            due_times[index].push_back(due);
            traffic.send(index, 1)?;
            sent += 1;
            if due >= first_counted {
                late.add(nanoseconds(now, due));
            }
        }
        // Replies are looked for between any two messages, and while none is due.
        traffic.turn(Duration::ZERO, |index, replies| {
            let now = clock::now();
            for due in due_times[index].drain(..replies).filter(|due| *due >= first_counted) {
                latencies.add(nanoseconds(now, due));
            }
            0
        })?;
    }
    let (moment, before) = period_start.ok_or_else(|| Failure::Options("no message was due".to_owned()))?;
    let period = Moment::now(target.process)?.since(moment);
    let replies = traffic.replies() - before;
    traffic.finish()?;
    let (latencies, late) = (latencies.sorted(), late.sorted());
    Ok(period
        .rate(replies)
        .with("p50_us", microseconds(latencies.at(500)))
        .with("p99_us", microseconds(latencies.at(990)))
        .with("p999_us", microseconds(latencies.at(999)))
        .with("sent_late_p99_us", microseconds(late.at(990))))
}

fn nanoseconds(now: Instant, due: Instant) -> i64 {
    i64::try_from((now - due).as_nanos()).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a figure needs no more than 52 bits")]
fn microseconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e3
}
