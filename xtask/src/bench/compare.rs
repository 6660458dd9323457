//! What has changed since the results that are committed for the same machine.
//!
//! Rates and times are compared as ratios to a server of the same round, so that a machine that is slower today changes
//! nothing. Bytes are compared themselves.

use crate::bench::line::spoken_ratio;
use crate::bench::number::spoken;
use crate::bench::results::Results;
use crate::bench::row::{Better, Metric, Row};
use crate::bench::rows::ROWS;
use crate::bench::server::Server;
use crate::bench::statistics::Summary;

/// The smallest change that is one, as a share. Resident bytes often have no spread at all.
const SMALLEST: f64 = 0.01;

/// One sentence for each of our numbers that lies apart from the one before.
pub(crate) fn changes(before: &Results, now: &Results) -> Vec<String> {
    let numbers = ROWS.iter().flat_map(|row| row.metrics.iter().map(move |metric| (row, metric)));
    numbers.filter_map(|(row, metric)| change(before, now, row, metric)).collect()
}

fn change(before: &Results, now: &Results, row: &Row, metric: &Metric) -> Option<String> {
    let base = base(before, now, row, metric);
    let (old, new) = (summary(before, row, metric, base)?, summary(now, row, metric, base)?);
    let is_small = (new.median - old.median).abs() < SMALLEST * old.median.abs();
    if is_small || !old.is_apart_from(&new) {
        return None;
    }
    let is_better = (new.median > old.median) == (metric.better == Better::More);
    let values = match base {
        Some(base) => {
            format!("{} × {}, before {}", spoken_ratio(&new), row.title_of(base), spoken_ratio(&old))
        }
        None => format!("{} {}, before {}", spoken(new.median), metric.unit, spoken(old.median)),
    };
    let word = if is_better { "better" } else { "worse" };
    Some(format!("{word}: {}, {}: {values}", row.name, metric.about).replace(", : ", ": "))
}

/// The server that ours is compared with: the first one that both results have beside ours.
fn base(before: &Results, now: &Results, row: &Row, metric: &Metric) -> Option<Server> {
    let is_steady = metric.unit == "B";
    let has = |results: &Results, base: Server| {
        results.ratio(metric.key, (row.name, Server::Ours), (row.name, base)).is_some()
    };
    [Server::Bare, Server::Engineioxide]
        .into_iter()
        .find(|base| !is_steady && has(before, *base) && has(now, *base))
}

fn summary(results: &Results, row: &Row, metric: &Metric, base: Option<Server>) -> Option<Summary> {
    match base {
        Some(base) => results.ratio(metric.key, (row.name, Server::Ours), (row.name, base)),
        None => results.summary(row.name, Server::Ours, metric.key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::tests::results;

    fn echo(ours: &[f64], bare: &[f64]) -> Results {
        results(&[
            ("echo-1k", Server::Ours, "per_second", ours),
            ("echo-1k", Server::Bare, "per_second", bare),
        ])
    }

    #[test]
    fn a_slower_machine_is_no_change() {
        let before = echo(&[90.0, 91.0, 89.0], &[100.0; 3]);
        let now = echo(&[45.0, 45.5, 44.5], &[50.0; 3]);
        assert!(changes(&before, &now).is_empty());
    }

    #[test]
    fn a_change_beyond_the_spread_says_its_direction() {
        let before = echo(&[90.0, 92.0, 88.0], &[100.0; 3]);
        let worse = echo(&[70.0, 72.0, 68.0], &[100.0; 3]);
        assert_eq!(
            changes(&before, &worse),
            ["worse: echo-1k, messages a second: 0.70 (0.69–0.71) × bare loop, before 0.90 (0.89–0.91)"]
        );
        assert!(changes(&worse, &before)[0].starts_with("better: echo-1k"));
        assert!(changes(&before, &echo(&[80.0, 91.0, 69.0], &[100.0; 3])).is_empty(), "it scatters");
    }

    #[test]
    fn bytes_are_compared_themselves() {
        let of = |ours: f64, bare: f64| {
            results(&[
                ("memory-5000", Server::Ours, "bytes_each", &[ours; 3]),
                ("memory-5000", Server::Bare, "bytes_each", &[bare; 3]),
            ])
        };
        assert_eq!(
            changes(&of(1_700.0, 1_300.0), &of(2_400.0, 1_836.0)),
            ["worse: memory-5000, resident bytes each: 2,400 B, before 1,700"]
        );
        assert!(changes(&of(1_700.0, 1_300.0), &of(1_710.0, 1_300.0)).is_empty(), "less than a hundredth");
    }

    #[test]
    fn a_row_that_only_one_of_two_runs_has_is_no_change() {
        let before = echo(&[90.0; 3], &[100.0; 3]);
        assert!(changes(&before, &results(&[])).is_empty());
        assert!(changes(&results(&[]), &before).is_empty());
    }
}
