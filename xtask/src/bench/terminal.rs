//! The results on a terminal: a block for each number of a row, a line for each server.

use core::fmt::Write as _;

use crate::bench::line::{Line, Measured, lines, spoken_ratio, spoken_value};
use crate::bench::number::spoken;
use crate::bench::results::Results;
use crate::bench::server::{Server, UWEBSOCKETS};
use crate::bench::verdict::Verdict;

/// Everything that was measured.
pub(crate) fn render(results: &Results) -> String {
    let mut text = format!("{}\n", results.machine.sentence());
    for line in lines(results) {
        block(&mut text, &line);
    }
    let _ = writeln!(text, "\n{UWEBSOCKETS}");
    text + &tally(results)
}

/// How many goals are reached.
fn tally(results: &Results) -> String {
    let lines = lines(results);
    let count = |verdict| lines.iter().filter(|line| line.verdict == verdict).count();
    format!(
        "Goals: {} reached, {} not reached, {} without a verdict\n",
        count(Verdict::Reached),
        count(Verdict::NotReached),
        count(Verdict::TooFewRounds) + count(Verdict::NotMeasured)
    )
}

fn block(text: &mut String, line: &Line) {
    let _ = writeln!(text, "\n{} [{}]", line.title(), line.row.name);
    if line.verdict != Verdict::NoGoal {
        let counted = line.counted.as_ref().map(|summary| format!("{}, ", spoken_ratio(summary)));
        let _ = writeln!(
            text,
            "  goal {}: {}{}",
            line.row.goal_in_words(line.metric),
            counted.unwrap_or_default(),
            line.verdict.word()
        );
    }
    for server in Server::ALL {
        if let Some(measured) = line.measured(server) {
            let _ = writeln!(text, "  {}", server_line(line, server, measured).trim_end());
        }
    }
    for (servers, reason) in line.missing() {
        let _ = writeln!(text, "  {servers}: {reason}");
    }
    for sentence in line.limits() {
        let _ = writeln!(text, "  {sentence}");
    }
}

fn server_line(line: &Line, server: Server, measured: &Measured) -> String {
    let value = spoken_value(&measured.own, line.metric.unit);
    let beside = match (line.metric.beside, measured.beside) {
        (Some((_, unit)), Some(number)) => format!("{} {unit}", spoken(number)),
        _ => String::new(),
    };
    let mut text = format!("{:13} {value:24} {beside:20}", line.row.title_of(server));
    for (ratio, base) in
        [(&measured.to_bare, Server::Bare), (&measured.to_engineioxide, Server::Engineioxide)]
    {
        let spoken =
            ratio.as_ref().map(|ratio| format!("{} × {}", spoken_ratio(ratio), line.row.title_of(base)));
        let _ = write!(text, " {:32}", spoken.unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::tests::results;

    #[test]
    fn a_block_has_the_goal_every_server_and_why_the_rest_is_missing() {
        let mut known = results(&[
            ("echo-20x16", Server::Ours, "per_second", &[85_000.0; 9]),
            ("echo-20x16", Server::Ours, "server_cpu_us", &[3.25; 9]),
            ("echo-20x16", Server::Bare, "per_second", &[100_000.0; 9]),
        ]);
        known.cell_mut("echo-20x16", Server::Bun).not_run = Some("it is ill".to_owned());
        let text = render(&known);
        let found = |part: &str| assert!(text.contains(part), "{part:?} in\n{text}");
        found("echo of 20 B, 100 connections, 16 in flight: messages a second [echo-20x16]");
        found("goal ≥ 0.85 × bare loop: 0.85 (0.85–0.85), reached");
        found("ours          85,000 msg/s ±0 %");
        found("3.25 µs CPU each");
        found("Bun: not run: because it is ill");
        found("uWebSockets: not run: because");
        found("Goals: 1 reached, 0 not reached, 0 without a verdict");
    }

    #[test]
    fn fewer_than_nine_rounds_give_no_verdict() {
        let known = results(&[("memory-5000", Server::Ours, "bytes_each", &[1_000.0; 3])]);
        let text = render(&known);
        assert!(text.contains("goal ≤ 1,800 B: "), "{text}");
        assert!(text.contains("no verdict: fewer than nine rounds"), "{text}");
        assert!(text.contains("Goals: 0 reached, 0 not reached, 1 without a verdict"), "{text}");
    }
}
