//! Sessions that do nothing: how much memory each takes, and what it costs to open one.

use crate::failure::Result;
use crate::report::{Moment, Report};
use crate::target::Target;
use crate::websocket;

/// How many sessions are open before the first look at the memory, so that what a server allocates once does not count.
pub(super) const BEFORE: usize = 16;

/// Opens `connections` WebSockets and waits until the server is quiet.
///
/// # Errors
/// Fails if one cannot be opened.
pub fn measure(target: &Target, connections: usize) -> Result<Report> {
    let server = target.process;
    let _before = websocket::open_all(target, BEFORE)?;
    server.wait_until_quiet()?;
    let (start, empty) = (Moment::now(server)?, server.resident()?);
    let opened = websocket::open_all(target, connections)?;
    server.wait_until_quiet()?;
    let (end, full) = (Moment::now(server)?, server.resident()?);
    let report = each(full.saturating_sub(empty), opened.len());
    Ok(report.with("open_cpu_us", end.since(start).server_us_each(opened.len() as u64)))
}

/// Reports the memory of each of `count`.
#[expect(clippy::cast_precision_loss, reason = "a figure needs no more than 52 bits")]
fn each(bytes: u64, count: usize) -> Report {
    let count = count.max(1) as f64;
    Report::default().with("bytes_each", bytes as f64 / count).with("connections", count)
}
