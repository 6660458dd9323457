//! Results as text.

mod setting;
pub(super) mod sweep;

use core::fmt::Write as _;
use std::io::{self, Write};

pub(super) use self::setting::{
    HEADERS, WEBSOCKET_BYTES, WIRE_BYTES, detections, heartbeats_per_hour, largest_messages, print,
};
use super::options::Request;
use super::scenario::UNNAMED;
use crate::duration::round;
use crate::style::{Style, Tone, cut};

fn heading(text: &str, style: Style, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{}", style.paint(Tone::Strong, text))
}

/// Writes what the sessions live through, a fleet in each line.
fn scenario(request: &Request, out: &mut dyn Write) -> io::Result<()> {
    for sentence in sentences(request) {
        writeln!(out, "{sentence}")?;
    }
    Ok(())
}

/// Returns what the sessions live through, a fleet in each sentence.
pub(super) fn sentences(request: &Request) -> Vec<String> {
    let scenario = &request.scenario;
    let mut lines: Vec<String> = scenario
        .fleets
        .iter()
        .map(|fleet| {
            let is_one = fleet.sessions == 1 && fleet.name == UNNAMED;
            let name = if is_one { "session" } else { &fleet.name };
            format!("{} {}: {}.", grouped(u64::from(fleet.sessions)), cut(name), fleet.sentence())
        })
        .collect();
    if let Some(last) = lines.last_mut() {
        let _ = write!(last, " Simulated: {}, seed {}.", round(scenario.lasts), scenario.seed);
    }
    lines
}

/// Writes `1234567` as `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
