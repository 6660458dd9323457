//! The results in Markdown: the short table, and one with a line for each number of a row.

use core::fmt::Write as _;

use crate::bench::glance;
use crate::bench::line::{Entry, Line, lines, spoken_ratio, spoken_value};
use crate::bench::number::spoken;
use crate::bench::results::Results;
use crate::bench::server::{Server, UWEBSOCKETS};
use crate::bench::statistics::Summary;
use crate::bench::verdict::Verdict;

/// Everything that was measured.
pub(crate) fn render(results: &Results) -> String {
    let lines = lines(results);
    let glance = glance::table(&lines);
    let mut text = format!("# What a server costs\n\n{}\n\n## At a glance\n\n{glance}\n", intro(results));
    text.push_str("## Every number\n\n");
    text.push_str("| row | ");
    text.extend(Server::ALL.map(|server| format!("{} | ", server.column())));
    text.push_str("ours : bare loop | ours : engineioxide, socketioxide | goal | verdict |\n|---|");
    text.push_str(&"---|".repeat(Server::ALL.len() + 4));
    text.push('\n');
    for line in &lines {
        text.push_str(&table_line(line));
    }
    text.push_str(&footnotes(&lines));
    text
}

fn intro(results: &Results) -> String {
    let kind = if results.is_quick { "short rounds of `--quick`" } else { "rounds" };
    let versions: Vec<_> =
        results.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let versions =
        if versions.is_empty() { String::new() } else { format!(" Versions: {}.", versions.join(", ")) };
    escaped(&format!(
        "Measured by `cargo xtask bench` on {}, in {} {kind}. Each number is the median of its rounds; ± is half the \
         distance between the quartiles. Ratios are taken within a round; their quartiles are in parentheses. Bun and Node \
         take part in fewer rounds.{versions}",
        results.machine.sentence(),
        results.rounds,
    ))
}

fn table_line(line: &Line) -> String {
    let mut text = format!("| {} | ", escaped(&line.title()));
    for (_, entry) in &line.entries {
        let _ = write!(text, "{} | ", cell(line, entry));
    }
    let ours = line.measured(Server::Ours);
    let ratio = |summary: Option<&Summary>| summary.map_or_else(|| "–".to_owned(), spoken_ratio);
    let _ = write!(text, "{} | ", ratio(ours.and_then(|ours| ours.to_bare.as_ref())));
    let _ = write!(text, "{} | ", ratio(ours.and_then(|ours| ours.to_engineioxide.as_ref())));
    let verdict = match (line.verdict, &line.counted) {
        (verdict @ (Verdict::Reached | Verdict::NotReached), Some(counted)) => {
            format!("{}: {}", verdict.word(), spoken_ratio(counted))
        }
        (verdict, _) => verdict.word().to_owned(),
    };
    let _ = writeln!(text, "{} | {verdict} |", line.row.goal_in_words(line.metric));
    text
}

fn cell(line: &Line, entry: &Entry) -> String {
    match entry {
        Entry::Measured(measured) => {
            let mut text = spoken_value(&measured.own, line.metric.unit);
            if let (Some((_, unit)), Some(number)) = (line.metric.beside, measured.beside) {
                let _ = write!(text, "<br>{} {unit}", spoken(number));
            }
            if measured.idle_at.is_some() {
                text.push_str("<br>not all of its core");
            }
            text
        }
        Entry::NotRun(_) => "not run".to_owned(),
        Entry::Failed(_) => "failed".to_owned(),
        Entry::LeftOut => "–".to_owned(),
    }
}

/// Why servers are missing, and where the load was the limit, once for each row.
fn footnotes(lines: &[Line]) -> String {
    let mut notes = vec![UWEBSOCKETS.to_owned()];
    for line in lines {
        let missing = line.missing().into_iter().map(|(servers, reason)| format!("{servers}: {reason}"));
        for sentence in missing.chain(line.limits()) {
            let note = format!("{}: {sentence}", line.row.about);
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes.iter().fold(String::from("\n"), |text, note| format!("{text}- {}\n", escaped(note)))
}

/// Text in which nothing is Markdown or HTML. Backquotes stay: they mark commands.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for character in text.chars() {
        match character {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '|' | '*' | '_' | '[' | ']' | '\\' => {
                safe.push('\\');
                safe.push(character);
            }
            _ if character.is_control() => safe.push(' '),
            _ => safe.push(character),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::tests::results;

    #[test]
    fn a_number_is_one_line_with_as_many_cells_as_the_head() {
        let known = results(&[
            ("echo-20x16", Server::Ours, "per_second", &[85_000.0; 9]),
            ("echo-20x16", Server::Ours, "server_cpu_us", &[3.25; 9]),
            ("echo-20x16", Server::Bare, "per_second", &[100_000.0; 9]),
        ]);
        let text = render(&known);
        let (_, everything) = text.split_once("## Every number").unwrap();
        let table: Vec<_> = everything.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(table.len(), 3, "{text}");
        let cells = |line: &str| line.matches('|').count();
        assert!(table.iter().all(|line| cells(line) == cells(table[0])), "{text}");
        assert!(table[2].contains("| 85,000 msg/s ±0 %<br>3.25 µs CPU each |"), "{text}");
        assert!(
            table[2].ends_with("| 0.85 (0.85–0.85) | – | ≥ 0.85 × bare loop | reached: 0.85 (0.85–0.85) |"),
            "{text}"
        );
    }

    #[test]
    fn what_comes_from_outside_cannot_break_the_table() {
        let mut known = results(&[("tls", Server::Ours, "per_second", &[1.0])]);
        known.cell_mut("tls", Server::Node).not_run = Some("a | b\n<script>".to_owned());
        let text = render(&known);
        assert!(text.contains("not run: because a \\| b &lt;script&gt;"), "{text}");
        assert!(text.contains("Any &lt;CPU&gt; &amp; \"more\""), "{text}");
    }

    #[test]
    fn a_reason_that_holds_for_several_numbers_of_a_row_is_given_once() {
        let mut known = results(&[("memory-5000", Server::Ours, "bytes_each", &[1.0])]);
        known.cell_mut("memory-5000", Server::Node).not_run = Some("it is ill".to_owned());
        assert_eq!(render(&known).matches("it is ill").count(), 1);
    }
}
