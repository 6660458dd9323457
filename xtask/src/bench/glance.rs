//! The short table, from which a README takes rows: the first number of every row that several servers take part in, as
//! ratios.

use core::fmt::Write as _;

use crate::bench::line::{Line, Measured};
use crate::bench::number::{digits, spoken};
use crate::bench::row::Better;
use crate::bench::server::Server;

/// The columns: what the others are compared with comes first.
const COLUMNS: [Server; 5] = [Server::Bare, Server::Ours, Server::Engineioxide, Server::Bun, Server::Node];

/// The table as Markdown. Each line's ratios are to its first number, which is shown itself.
pub(crate) fn table(lines: &[Line]) -> String {
    let mut text = String::from("| |");
    text.extend(COLUMNS.map(|server| format!(" {} |", server.column())));
    let _ = writeln!(text, " better |\n|---|{}", "---|".repeat(COLUMNS.len() + 1));
    for (place, line) in lines.iter().enumerate() {
        let is_first = place.checked_sub(1).and_then(|before| lines.get(before));
        if is_first.is_none_or(|before| before.row.name != line.row.name) && is_comparison(line) {
            text.push_str(&table_line(line));
        }
    }
    text
}

/// Whether several servers have a number above zero.
fn is_comparison(line: &Line) -> bool {
    COLUMNS
        .into_iter()
        .filter(|server| line.measured(*server).is_some_and(|measured| measured.own.median > 0.0))
        .count()
        > 1
}

fn table_line(line: &Line) -> String {
    let base = [Server::Bare, Server::Engineioxide].into_iter().find(|base| line.measured(*base).is_some());
    let mut text = format!("| {} |", line.title());
    for server in COLUMNS {
        let cell = line.measured(server).map_or_else(|| "–".to_owned(), |own| cell(line, own, server, base));
        let cell = if server == Server::Ours { format!("**{cell}**") } else { cell };
        let _ = write!(text, " {cell} |");
    }
    let _ = writeln!(text, " {} |", if line.metric.better == Better::More { "more" } else { "less" });
    text
}

fn cell(line: &Line, measured: &Measured, server: Server, base: Option<Server>) -> String {
    let ratio = match base {
        Some(Server::Bare) => measured.to_bare,
        Some(_) => measured.to_engineioxide,
        None => None,
    };
    match ratio {
        Some(ratio) if Some(server) != base => format!("{} ×", digits(ratio.median)),
        _ => format!("{} {}", spoken(measured.own.median), line.metric.unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::line::lines;
    use crate::bench::results::tests::results;

    #[test]
    fn the_base_is_a_number_and_the_others_are_ratios() {
        let known = results(&[
            ("churn", Server::Ours, "server_cpu_us", &[11.0]),
            ("churn", Server::Bare, "server_cpu_us", &[10.0]),
            ("churn", Server::Node, "server_cpu_us", &[100.0]),
            ("polling-roundtrips", Server::Ours, "per_second", &[3.0]),
            ("polling-roundtrips", Server::Engineioxide, "per_second", &[2.0]),
            ("client", Server::Ours, "per_second", &[1.0]),
        ]);
        let text = table(&lines(&known));
        assert!(
            text.contains("| WebSockets opened and closed, 32 at a time: CPU each | 10 µs | **1.10 ×** | – | – | 10 × | less |"),
            "{text}"
        );
        assert!(text.contains(" – | **1.50 ×** | 2 /s | – | – | more |"), "{text}");
        assert!(!text.contains("our client"), "a row of one server compares nothing: {text}");
    }

    #[test]
    fn a_row_has_one_line() {
        let known = results(&[
            ("memory-5000", Server::Ours, "bytes_each", &[1.0]),
            ("memory-5000", Server::Bare, "bytes_each", &[1.0]),
            ("memory-5000", Server::Ours, "open_cpu_us", &[1.0]),
            ("memory-5000", Server::Bare, "open_cpu_us", &[1.0]),
        ]);
        assert_eq!(table(&lines(&known)).lines().count(), 3);
    }
}
