//! Sessions that fall silent: how late the server closes them.

use std::time::{Duration, Instant};

use eio_core::ws::{ControlFrame, Decoder, Item};
use mio::net::TcpStream;

use crate::clock::{self, PATIENCE};
use crate::failure::{Failure, Result};
use crate::reactor::{self, Input, READ, Reactor};
use crate::report::Report;
use crate::statistics::Observations;
use crate::target::Target;
use crate::websocket;

/// Opens `connections` WebSockets that never answer, and waits until the server has closed them all.
///
/// A session is due one ping interval and one ping timeout after its open packet arrived here. It is closed when a close
/// frame, or the end of the connection, arrives here. A server that was slow to send the open packet has less time left:
/// its lateness may be below zero.
///
/// # Errors
/// Fails if one is still open ten seconds after it was due.
pub fn measure(target: &Target, connections: usize) -> Result<Report> {
    let mut reactor = Reactor::new()?;
    let mut sessions = Vec::with_capacity(connections);
    for index in 0..connections {
        let opened = websocket::open(target)?;
        let due = opened.at + opened.session.ping_interval + opened.session.ping_timeout;
        sessions.push(Some(Silent {
            stream: reactor.adopt(opened.stream, index)?,
            decoder: Decoder::client(4096),
            due,
        }));
    }
    let last_due = sessions.iter().flatten().map(|session| session.due).max();
    let last_due =
        last_due.ok_or_else(|| Failure::Options("there are no sessions to fall silent".to_owned()))?;
    let mut lateness = Observations::default();
    let mut buffer = vec![0; READ];
    let mut open = sessions.len();
    while open > 0 {
        for index in reactor.wait(Duration::from_millis(100))? {
            let Some(session) = &mut sessions[index] else { continue };
            if session.has_ended(&mut buffer)? {
                lateness.add(signed(clock::now(), session.due));
                sessions[index] = None;
                open -= 1;
            }
        }
        if clock::now() > last_due + PATIENCE {
            return Err(Failure::server(format!(
                "has not closed {open} silent sessions 10 s after they were due"
            )));
        }
    }
    let lateness = lateness.sorted();
    let milliseconds = |per_mille| milliseconds(lateness.at(per_mille));
    Ok(Report::default()
        .with("late_ms", milliseconds(500))
        .with("late_min_ms", milliseconds(0))
        .with("late_max_ms", milliseconds(1_000)))
}

struct Silent {
    stream: TcpStream,
    decoder: Decoder,
    due: Instant,
}

impl Silent {
    /// Reads what has arrived, and returns whether the server has closed the session.
    fn has_ended(&mut self, buffer: &mut [u8]) -> Result<bool> {
        loop {
            match reactor::read(&mut self.stream, buffer)? {
                Input::All(0) => return Ok(false),
                Input::Some(len) | Input::All(len) if self.is_closed_by(&mut buffer[..len]) => {
                    return Ok(true);
                }
                Input::Some(_) | Input::All(_) => {}
                Input::End => return Ok(true),
            }
        }
    }

    /// Returns whether these bytes hold a close frame.
    fn is_closed_by(&mut self, bytes: &mut [u8]) -> bool {
        let mut at = 0;
        while let Ok(decoded) = self.decoder.decode(&mut bytes[at..]) {
            match decoded.item {
                Some(Item::Control(ControlFrame::Close(_))) => return true,
                Some(_) => at += decoded.consumed,
                None => return false,
            }
        }
        false
    }
}

/// Returns by how many nanoseconds `at` is after `due`.
fn signed(at: Instant, due: Instant) -> i64 {
    let nanoseconds = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    at.checked_duration_since(due).map_or_else(|| -nanoseconds(due - at), nanoseconds)
}

#[expect(clippy::cast_precision_loss, reason = "a figure needs no more than 52 bits")]
fn milliseconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_before_it_is_due_is_late_by_less_than_nothing() {
        let due = clock::now();
        assert_eq!(signed(due + Duration::from_millis(3), due), 3_000_000);
        assert_eq!(signed(due, due + Duration::from_millis(3)), -3_000_000);
    }
}
