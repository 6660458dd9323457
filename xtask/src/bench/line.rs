//! What the table says in one of its lines, before anybody decides how it looks.

use crate::bench::number::{digits, spoken};
use crate::bench::results::Results;
use crate::bench::row::{Metric, Row};
use crate::bench::rows::ROWS;
use crate::bench::server::Server;
use crate::bench::statistics::Summary;
use crate::bench::verdict::{Verdict, counted, verdict};

/// A server that used less of its core than this waited for its load.
const FULLY_BUSY: f64 = 0.97;

/// One number of one row.
pub(crate) struct Line {
    pub(crate) row: &'static Row,
    pub(crate) metric: &'static Metric,
    /// The servers in the order of the columns.
    pub(crate) entries: Vec<(Server, Entry)>,
    /// What the goal speaks of.
    pub(crate) counted: Option<Summary>,
    pub(crate) verdict: Verdict,
}

/// What is known about one server.
pub(crate) enum Entry {
    Measured(Box<Measured>),
    /// It did not run, because of this.
    NotRun(String),
    /// It should have run, and this happened.
    Failed(String),
    /// The run left it out.
    LeftOut,
}

/// The numbers of a server that took part.
pub(crate) struct Measured {
    pub(crate) own: Summary,
    /// The median of the number beside it.
    pub(crate) beside: Option<f64>,
    pub(crate) to_bare: Option<Summary>,
    pub(crate) to_engineioxide: Option<Summary>,
    /// Which part of its core the server used, if that was not all of it, and which part the load used, if it says so.
    pub(crate) idle_at: Option<(f64, Option<f64>)>,
}

impl Line {
    /// What is measured, and which number of it this is.
    pub(crate) fn title(&self) -> String {
        let (row, metric) = (self.row.about, self.metric.about);
        if metric.is_empty() { row.to_owned() } else { format!("{row}: {metric}") }
    }

    pub(crate) fn entry(&self, server: Server) -> Option<&Entry> {
        self.entries.iter().find(|(known, _)| *known == server).map(|(_, entry)| entry)
    }

    pub(crate) fn measured(&self, server: Server) -> Option<&Measured> {
        match self.entry(server)? {
            Entry::Measured(measured) => Some(measured),
            _ => None,
        }
    }

    /// The servers that did not run or failed, those with the same reason together, and the reason.
    pub(crate) fn missing(&self) -> Vec<(String, String)> {
        let mut reasons: Vec<(String, String)> = Vec::new();
        for (server, entry) in &self.entries {
            let reason = match entry {
                Entry::NotRun(reason) => format!("not run: because {reason}"),
                Entry::Failed(reason) => format!("failed: {reason}"),
                Entry::Measured(_) | Entry::LeftOut => continue,
            };
            match reasons.iter_mut().find(|(_, known)| *known == reason) {
                Some((servers, _)) => *servers = format!("{servers}, {}", self.row.title_of(*server)),
                None => reasons.push((self.row.title_of(*server).to_owned(), reason)),
            }
        }
        reasons
    }

    /// Where the load was the limit, in words.
    pub(crate) fn limits(&self) -> Vec<String> {
        let limited = self.entries.iter().filter_map(|(server, entry)| match entry {
            Entry::Measured(measured) => Some((server, measured.idle_at?)),
            _ => None,
        });
        let sentence = |(server, (own, load)): (&Server, (f64, Option<f64>))| {
            let own = format!("{} used {:.0} % of its core", self.row.title_of(*server), own * 100.0);
            match load {
                Some(load) if load >= FULLY_BUSY => format!("{own}: the load was the limit"),
                Some(load) => {
                    let load = load * 100.0;
                    format!(
                        "{own}, and the load {load:.0} %: they waited for each other, or for other programs"
                    )
                }
                None => own,
            }
        };
        limited.map(sentence).collect()
    }
}

/// The lines of every row that the results know.
pub(crate) fn lines(results: &Results) -> Vec<Line> {
    let known = ROWS.iter().filter(|row| results.has_row(row.name));
    known.flat_map(|row| row.metrics.iter().map(|metric| line(results, row, metric))).collect()
}

fn line(results: &Results, row: &'static Row, metric: &'static Metric) -> Line {
    let entries = Server::ALL.map(|server| (server, entry(results, row, metric, server))).into();
    let (counted, verdict) = (counted(results, row, metric), verdict(results, row, metric));
    Line { row, metric, entries, counted, verdict }
}

fn entry(results: &Results, row: &Row, metric: &Metric, server: Server) -> Entry {
    let Some(cell) = results.cell(row.name, server) else { return Entry::LeftOut };
    if let Some(reason) = &cell.not_run {
        return Entry::NotRun(reason.clone());
    }
    let Some(own) = results.summary(row.name, server, metric.key) else {
        let reason = cell.failures.first().cloned();
        return Entry::Failed(reason.unwrap_or_else(|| format!("the measure yields no {}", metric.key)));
    };
    let median = |key: &str| results.summary(row.name, server, key).map(|summary| summary.median);
    let against = |base: Server| {
        (base != server).then(|| results.ratio(metric.key, (row.name, server), (row.name, base)))?
    };
    Entry::Measured(Box::new(Measured {
        own,
        beside: metric.beside.and_then(|(key, _)| median(key)),
        to_bare: against(Server::Bare),
        to_engineioxide: against(Server::Engineioxide),
        idle_at: row
            .busy
            .and_then(median)
            .filter(|busy| *busy < FULLY_BUSY)
            .map(|busy| (busy, median("load_busy"))),
    }))
}

/// A ratio with its quartiles: `0.52 (0.49–0.55)`.
pub(crate) fn spoken_ratio(ratio: &Summary) -> String {
    if ratio.count == 1 {
        return digits(ratio.median);
    }
    format!("{} ({}–{})", digits(ratio.median), digits(ratio.lower), digits(ratio.upper))
}

/// A number with how far the quartiles lie from it: `123,456 msg/s ±4 %`.
pub(crate) fn spoken_value(own: &Summary, unit: &str) -> String {
    if own.count == 1 {
        return format!("{} {unit}", spoken(own.median));
    }
    format!("{} {unit} ±{:.0} %", spoken(own.median), own.scatter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::tests::results;

    const KEY: &str = "per_second";

    fn line_of(results: &Results, row: &str) -> Line {
        lines(results).into_iter().find(|line| line.row.name == row).unwrap()
    }

    #[test]
    fn every_server_is_compared_with_the_bare_loop_and_engineioxide_but_not_with_itself() {
        let known = results(&[
            ("echo-1k", Server::Ours, KEY, &[110.0; 9]),
            ("echo-1k", Server::Bare, KEY, &[100.0; 9]),
            ("echo-1k", Server::Engineioxide, KEY, &[55.0; 9]),
        ]);
        let line = line_of(&known, "echo-1k");
        let ours = line.measured(Server::Ours).unwrap();
        assert_eq!(spoken_ratio(&ours.to_bare.unwrap()), "1.10 (1.10–1.10)");
        assert_eq!(spoken_ratio(&ours.to_engineioxide.unwrap()), "2.00 (2.00–2.00)");
        assert!(line.measured(Server::Bare).unwrap().to_bare.is_none());
        assert!(matches!(line.entry(Server::Node), Some(Entry::LeftOut)));
        assert_eq!(line.verdict, Verdict::Reached);
    }

    #[test]
    fn a_server_that_waited_for_its_load_is_named() {
        let known = results(&[
            ("echo-1k", Server::Ours, KEY, &[110.0; 3]),
            ("echo-1k", Server::Ours, "server_busy", &[0.61; 3]),
            ("echo-1k", Server::Ours, "load_busy", &[0.98; 3]),
            ("echo-1k", Server::Bare, KEY, &[100.0; 3]),
            ("echo-1k", Server::Bare, "server_busy", &[0.99; 3]),
            ("echo-1k", Server::Node, KEY, &[10.0; 3]),
            ("echo-1k", Server::Node, "server_busy", &[0.5; 3]),
            ("echo-1k", Server::Node, "load_busy", &[0.1; 3]),
        ]);
        let limits = line_of(&known, "echo-1k").limits();
        assert_eq!(
            limits,
            [
                "ours used 61 % of its core: the load was the limit",
                "Node used 50 % of its core, and the load 10 %: they waited for each other, or for other programs"
            ]
        );
    }

    #[test]
    fn servers_with_the_same_reason_are_named_together() {
        let mut known = results(&[("tls", Server::Ours, KEY, &[1.0])]);
        known.cell_mut("tls", Server::Bun).not_run = Some("no TLS".to_owned());
        known.cell_mut("tls", Server::Node).not_run = Some("no TLS".to_owned());
        known.cell_mut("tls", Server::Bare).failures = vec!["it broke".to_owned()];
        let missing = line_of(&known, "tls").missing();
        let pair = |servers: &str, reason: &str| (servers.to_owned(), reason.to_owned());
        assert_eq!(
            missing,
            [pair("bare loop", "failed: it broke"), pair("Bun, Node", "not run: because no TLS")]
        );
    }

    #[test]
    fn a_number_that_the_measure_does_not_yield_is_a_failure() {
        let known = results(&[("echo-1k", Server::Ours, "other", &[1.0])]);
        let line = line_of(&known, "echo-1k");
        assert!(matches!(line.entry(Server::Ours), Some(Entry::Failed(reason)) if reason.contains(KEY)));
    }

    #[test]
    fn one_round_has_no_spread_to_speak_of() {
        let one = Summary::of([0.5]).unwrap();
        assert_eq!(spoken_ratio(&one), "0.50");
        assert_eq!(spoken_value(&one, "µs"), "0.50 µs");
        let three = Summary::of([90.0, 100.0, 110.0]).unwrap();
        assert_eq!(spoken_value(&three, "µs"), "100 µs ±5 %");
    }
}
