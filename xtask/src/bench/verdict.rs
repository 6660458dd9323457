//! Whether a goal is reached.

use crate::bench::plan::ROUNDS_FOR_A_VERDICT;
use crate::bench::results::Results;
use crate::bench::row::{Base, Better, Goal, Metric, Row};
use crate::bench::server::Server;
use crate::bench::statistics::Summary;

/// What the rounds say about a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The row has no goal.
    NoGoal,
    Reached,
    NotReached,
    /// There are too few rounds.
    TooFewRounds,
    /// A number is missing.
    NotMeasured,
}

impl Verdict {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NoGoal => "–",
            Self::Reached => "reached",
            Self::NotReached => "not reached",
            Self::TooFewRounds => "no verdict: fewer than nine rounds",
            Self::NotMeasured => "no verdict: not measured",
        }
    }
}

/// Says whether our median reaches the metric's goal.
pub(crate) fn verdict(results: &Results, row: &Row, metric: &Metric) -> Verdict {
    let Some(goal) = limit(metric) else { return Verdict::NoGoal };
    let Some(summary) = counted(results, row, metric) else { return Verdict::NotMeasured };
    if summary.count < ROUNDS_FOR_A_VERDICT {
        return Verdict::TooFewRounds;
    }
    let reached = match metric.better {
        Better::More => summary.median >= goal,
        Better::Less => summary.median <= goal,
    };
    if reached { Verdict::Reached } else { Verdict::NotReached }
}

/// What a goal speaks of: our number, or its ratio to another one.
pub(crate) fn counted(results: &Results, row: &Row, metric: &Metric) -> Option<Summary> {
    match metric.goal {
        Goal::Shown | Goal::Absolute(_) => results.summary(row.name, Server::Ours, metric.key),
        Goal::Times(_, Base::Server(base)) => {
            results.ratio(metric.key, (row.name, Server::Ours), (row.name, base))
        }
        Goal::Times(_, Base::Row(base)) => {
            results.ratio(metric.key, (row.name, Server::Ours), (base, Server::Ours))
        }
    }
}

fn limit(metric: &Metric) -> Option<f64> {
    match metric.goal {
        Goal::Shown => None,
        Goal::Absolute(limit) | Goal::Times(limit, _) => Some(limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::tests::results;

    const BARE: Base = Base::Server(Server::Bare);

    fn row(name: &'static str) -> Row {
        Row { name, ..Row::PLAIN }
    }

    #[test]
    fn a_goal_is_reached_when_the_median_ratio_does() {
        let metric = Metric::rate("", "/s", Goal::Times(0.9, BARE));
        let of = |ours: &[f64]| {
            let bare = [100.0; 9];
            let known = results(&[
                ("any", Server::Ours, "per_second", ours),
                ("any", Server::Bare, "per_second", &bare),
            ]);
            verdict(&known, &row("any"), &metric)
        };
        assert_eq!(of(&[10.0, 10.0, 10.0, 10.0, 90.0, 91.0, 92.0, 93.0, 94.0]), Verdict::Reached);
        assert_eq!(of(&[10.0, 10.0, 10.0, 10.0, 89.0, 91.0, 92.0, 93.0, 94.0]), Verdict::NotReached);
        assert_eq!(of(&[95.0; 8]), Verdict::TooFewRounds);
        assert_eq!(of(&[]), Verdict::NotMeasured);
    }

    #[test]
    fn of_a_cost_less_is_better() {
        let metric = Metric::cost("bytes_each", "", "B", Goal::Absolute(1_800.0));
        let of = |bytes: f64| {
            let known = results(&[("any", Server::Ours, "bytes_each", &[bytes; 9])]);
            verdict(&known, &row("any"), &metric)
        };
        assert_eq!(of(1_800.0), Verdict::Reached);
        assert_eq!(of(1_801.0), Verdict::NotReached);
    }

    #[test]
    fn growth_is_compared_with_our_own_smaller_row() {
        let metric = Metric::cost("bytes_each", "", "B", Goal::Times(1.1, Base::Row("small")));
        let known = results(&[
            ("small", Server::Ours, "bytes_each", &[1_000.0; 9]),
            ("large", Server::Ours, "bytes_each", &[1_200.0; 9]),
        ]);
        assert_eq!(verdict(&known, &row("large"), &metric), Verdict::NotReached);
        assert_eq!(verdict(&known, &row("small"), &metric), Verdict::Reached);
    }

    #[test]
    fn a_number_that_is_only_shown_has_no_verdict() {
        let metric = Metric::rate("", "/s", Goal::Shown);
        assert_eq!(verdict(&results(&[]), &row("any"), &metric), Verdict::NoGoal);
    }
}
