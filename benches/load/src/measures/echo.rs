//! Messages that the server sends back: how many a second, and what each costs.

use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::frames::Kind;
use crate::report::{Moment, Report};
use crate::target::Target;
use crate::traffic::Traffic;

/// What is sent.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the command line makes it")]
pub struct Options {
    /// The number of WebSockets.
    pub connections: usize,
    /// The bytes of a message.
    pub size: usize,
    /// How many messages of a WebSocket are on their way at any time.
    pub in_flight: usize,
    /// The kind of the messages.
    pub kind: Kind,
    /// How long messages are sent before they are counted.
    pub warm_up: Duration,
    /// How long they are counted.
    pub time: Duration,
}

/// Sends messages and counts the replies. Each reply is answered by the next message.
///
/// # Errors
/// Fails if a reply is wrong or missing.
pub fn measure(target: &Target, options: &Options) -> Result<Report> {
    let Options { connections, size, in_flight, kind, warm_up, time } = *options;
    if in_flight == 0 || connections == 0 {
        return Err(Failure::Options("an echo needs a connection and a message in flight".to_owned()));
    }
    let mut traffic = Traffic::open(target, connections, kind, size, in_flight)?;
    for index in 0..connections {
        traffic.send(index, in_flight)?;
    }
    traffic.run(warm_up, Traffic::replies, |_, replies| replies)?;
    let (start, before) = (Moment::now(target.process)?, traffic.replies());
    traffic.run(time, Traffic::replies, |_, replies| replies)?;
    let (end, replies) = (Moment::now(target.process)?, traffic.replies() - before);
    traffic.finish()?;
    Ok(end.since(start).rate(replies))
}
