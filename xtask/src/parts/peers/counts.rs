//! How many failures came, and which did not. A failure with two peers has two rows, and counts once.

use super::ours::Outcome;
use super::page::{Results, Row};

impl Results<'_> {
    /// The outcomes in a few sentences, by failure.
    pub(super) fn sentences(&self) -> [String; 4] {
        [self.at_peers(), self.fired(), self.at_eio(), self.of_tests()]
    }

    fn at_peers(&self) -> String {
        let there = |outcome| self.outcomes_of(&OUTCOMES_THERE, |row| &row.there.outcome, outcome);
        let (still, mended) = (there("still so"), there("mended"));
        let tried = format!(
            "Of the {} failures that peers.md lists, {} were tried at a peer: {} still there, {} mended{}.",
            self.failures.len(),
            still.len() + mended.len(),
            still.len(),
            mended.len(),
            listed(&mended)
        );
        let others =
            [("Their peer cannot be installed", there("cannot be installed")), ("Not run", there("not run"))];
        tried + &spoken(&others)
    }

    fn fired(&self) -> String {
        let never: Vec<_> =
            self.rows.iter().filter(|row| row.never_fired()).map(|row| row.failure.as_str()).collect();
        if never.is_empty() {
            "Each of these probes was seen to fire, at the newest version or at an older one that its row names."
                .to_owned()
        } else {
            format!("Probes that were never seen to fire: {}.", never.join(", "))
        }
    }

    fn at_eio(&self) -> String {
        let here = |outcome| self.outcomes_of(&OUTCOMES_HERE, |row| &row.here.outcome, outcome);
        let (seen, not_seen) = (here("seen"), here("not seen"));
        let came = if seen.is_empty() { "none".to_owned() } else { seen.len().to_string() };
        let tried = format!(
            "{} were tried at eio with the same probe: {came} came{}.",
            seen.len() + not_seen.len(),
            listed(&seen)
        );
        tried + &spoken(&[("With tests of eio's own only", here("not tried")), ("Not run", here("not run"))])
    }

    fn of_tests(&self) -> String {
        let count =
            |wanted: fn(&Outcome) -> bool| self.outcomes.values().filter(|outcome| wanted(outcome)).count();
        format!(
            "eio's tests: {} passed, {} failed, {} not run.",
            count(|outcome| matches!(outcome, Outcome::Passed(_))),
            count(|outcome| *outcome == Outcome::Failed),
            count(|outcome| *outcome == Outcome::NotRun),
        )
    }

    /// The failures whose rows have this outcome, and none that `order` names before it.
    fn outcomes_of<'a>(&'a self, order: &[&str], of: fn(&Row) -> &str, outcome: &str) -> Vec<&'a str> {
        let first = |failure: &str| {
            let rows = || self.rows.iter().filter(|row| row.failure == failure);
            order
                .iter()
                .find(|outcome| rows().any(|row| of(row) == **outcome))
                .map_or("not run", |found| *found)
        };
        self.failures.iter().map(|claim| claim.name.as_str()).filter(|name| first(name) == outcome).collect()
    }
}

/// The outcomes, from the one that decides if rows differ.
const OUTCOMES_THERE: [&str; 4] = ["still so", "not run", "mended", "cannot be installed"];
const OUTCOMES_HERE: [&str; 4] = ["seen", "not run", "not tried", "not seen"];

/// A sentence for each kind that there is: ` Not run: 2 (B1, B2).`
fn spoken(kinds: &[(&str, Vec<&str>)]) -> String {
    let kinds = kinds.iter().filter(|(_, names)| !names.is_empty());
    let sentence = |(kind, names): &(&str, Vec<&str>)| format!(" {kind}: {}{}.", names.len(), listed(names));
    kinds.map(sentence).collect::<Vec<_>>().concat()
}

/// The names in parentheses, behind a space.
fn listed(names: &[&str]) -> String {
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::super::claims::Claim;
    use super::super::page::rows;
    use super::*;

    fn sentences(names: &[&str], lines: &[Value]) -> [String; 4] {
        let claim = |name: &&str| Claim { name: (*name).to_owned(), what: String::new(), tests: Vec::new() };
        let failures: Vec<_> = names.iter().map(claim).collect();
        Results { failures: &failures, rows: &rows(lines), outcomes: &BTreeMap::new() }.sentences()
    }

    fn line(failure: &str, peer: &str, who: &str, outcome: &str) -> Value {
        json!({ "failure": failure, "peer": peer, "version": "1", "who": who, "outcome": outcome, "saw": "x" })
    }

    #[test]
    fn a_failure_of_two_peers_counts_once_and_is_there_as_long_as_one_has_it() {
        let lines = [
            line("B1", "a", "peer", "mended"),
            line("B1", "a", "older", "still so"),
            line("B1", "b", "peer", "still so"),
            line("B1", "a", "eio", "not seen"),
            line("B1", "b", "eio", "not seen"),
            line("B2", "a", "peer", "mended"),
            line("B2", "a", "older", "still so"),
            line("B2", "a", "eio", "not seen"),
            line("B3", "c", "peer", "cannot be installed"),
            line("B3", "c", "eio", "not tried"),
        ];
        let [peers, fired, eio, tests] = sentences(&["B1", "B2", "B3"], &lines);
        assert_eq!(
            peers,
            "Of the 3 failures that peers.md lists, 2 were tried at a peer: 1 still there, 1 mended (B2). \
             Their peer cannot be installed: 1 (B3)."
        );
        assert!(fired.starts_with("Each of these probes was seen to fire"), "{fired}");
        assert_eq!(
            eio,
            "2 were tried at eio with the same probe: none came. With tests of eio's own only: 1 (B3)."
        );
        assert_eq!(tests, "eio's tests: 0 passed, 0 failed, 0 not run.");
    }

    #[test]
    fn what_came_at_eio_what_never_fired_and_what_was_not_run_is_named() {
        let lines = [
            line("B1", "a", "peer", "mended"),
            line("B1", "a", "eio", "seen"),
            line("B2", "a", "peer", "not run"),
            line("B2", "a", "eio", "not seen"),
            line("B3", "a", "peer", "mended"),
            line("B3", "a", "older", "mended"),
        ];
        let [peers, fired, eio, _] = sentences(&["B1", "B2", "B3"], &lines);
        assert_eq!(
            peers,
            "Of the 3 failures that peers.md lists, 2 were tried at a peer: 0 still there, 2 mended (B1, B3). \
             Not run: 1 (B2)."
        );
        assert_eq!(fired, "Probes that were never seen to fire: B1, B2, B3.");
        assert_eq!(eio, "2 were tried at eio with the same probe: 1 came (B1). Not run: 1 (B3).");
    }
}
