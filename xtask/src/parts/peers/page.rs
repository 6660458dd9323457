//! The page of outcomes.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use serde_json::Value;

use super::claims::{Claim, Test};
use super::ours::Outcome;

/// What a failure's program has seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) outcome: String,
    saw: String,
}

/// A failure, at a peer and at eio.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) failure: String,
    pub(super) peer: String,
    version: String,
    there: Seen,
    pub(super) here: Seen,
}

/// The rows, from the lines of JSON of `run.mjs`, in the order of their numbers.
pub(super) fn rows(lines: &[Value]) -> Vec<Row> {
    let mut rows: BTreeMap<(u32, String), Row> = BTreeMap::new();
    for line in lines {
        let text = |name: &str| line[name].as_str().unwrap_or_default().replace('|', "\\|");
        let failure = text("failure");
        let number = failure.strip_prefix('B').and_then(|number| number.parse().ok()).unwrap_or_default();
        let row = rows.entry((number, text("peer"))).or_insert_with(|| Row {
            failure,
            peer: text("peer"),
            version: text("version"),
            there: Seen::default(),
            here: Seen::default(),
        });
        let seen = Seen { outcome: text("outcome"), saw: text("saw") };
        *(if text("who") == "eio" { &mut row.here } else { &mut row.there }) = seen;
    }
    rows.into_values().collect()
}

/// What was tried, and what came of it.
pub(super) struct Results<'a> {
    pub(super) failures: &'a [Claim],
    pub(super) rows: &'a [Row],
    pub(super) outcomes: &'a BTreeMap<Test, Outcome>,
}

impl Results<'_> {
    /// How often each outcome was seen.
    pub(super) fn counts(&self) -> [String; 3] {
        let spoken = |kinds: &[&str], outcome: &dyn Fn(&Row) -> &str| {
            let count = |kind: &str| self.rows.iter().filter(|row| outcome(row) == kind).count();
            kinds.iter().map(|kind| format!("{} {kind}", count(kind))).collect::<Vec<_>>().join(", ")
        };
        let there = ["still so", "mended", "not run", "cannot be installed"];
        let here = ["not seen", "seen", "not run", "not tried"];
        let count =
            |wanted: fn(&Outcome) -> bool| self.outcomes.values().filter(|outcome| wanted(outcome)).count();
        [
            format!("others: {}", spoken(&there, &|row| &row.there.outcome)),
            format!("eio: {}", spoken(&here, &|row| &row.here.outcome)),
            format!(
                "eio's tests: {} passed, {} failed, {} not run",
                count(|outcome| matches!(outcome, Outcome::Passed(_))),
                count(|outcome| *outcome == Outcome::Failed),
                count(|outcome| *outcome == Outcome::NotRun),
            ),
        ]
    }

    /// What must not be: failures that nothing provokes, those that eio has, and tests that did not pass.
    pub(super) fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for Claim { name, tests, .. } in self.failures {
            if !self.rows.iter().any(|row| row.failure == *name) {
                wrong.push(format!("nothing provokes {name}"));
            }
            if tests.is_empty() {
                wrong.push(format!("no test is named for {name}"));
            }
        }
        for Row { failure, here: Seen { outcome, saw }, .. } in self.rows {
            if !["not seen", "not tried"].contains(&outcome.as_str()) {
                wrong.push(format!("{failure} at eio: {outcome}: {saw}"));
            }
        }
        for (Test { file, name }, outcome) in self.outcomes {
            match outcome {
                Outcome::Passed(_) => {}
                Outcome::Failed => wrong.push(format!("{file}: {name} failed")),
                Outcome::NotRun => wrong.push(format!("{file}: {name} was not run")),
            }
        }
        wrong
    }

    /// The page, with the date of the run.
    pub(super) fn page(&self, date: &str) -> String {
        let [others, eio, tests] = self.counts();
        let mut page = format!(
            "\
# Failures of other implementations today

Each failure of [peers.md](peers.md), provoked on the newest version of its peer, and in the same way on eio. `cargo xtask
prove peers-table` installs these versions from npm, PyPI and crates.io, runs the programs of `tests/interop/failures` and the
tests that peers.md names, and writes this page. It fails if eio shows a failure, or if one of the tests fails or does not run.

*Still so* means that the failure was seen again. *Mended* means that it was provoked in the same way and did not come. For
eio, the same program is pointed at eio's server or client: *not seen* means that the failure did not come, *not tried* that
this program cannot show it, for the reason given. The tests try it in their own ways.

On {date}:

- {others}
- {eio}
- {tests}

| | failure | peer | there | eio, in the same way | eio's tests |
|---|---|---|---|---|---|
"
        );
        for Row { failure, peer, version, there, here } in self.rows {
            let claim = self.failures.iter().find(|claim| claim.name == *failure);
            let what = claim.map_or("", |claim| &claim.what);
            let tests = claim.map(|claim| self.tests(claim)).unwrap_or_default();
            let peer = format!("{peer} {version}");
            let [there, here] = [there, here].map(|seen| format!("{}: {}", seen.outcome, seen.saw));
            let _ = writeln!(page, "| {failure} | {what} | {} | {there} | {here} | {tests} |", peer.trim());
        }
        page
    }

    /// The tests of a claim, by what became of them.
    fn tests(&self, claim: &Claim) -> String {
        let (mut passed, mut failed, mut not_run) = (Vec::new(), Vec::new(), Vec::new());
        for test in &claim.tests {
            let name = format!("`{}`", test.name);
            match self.outcomes.get(test) {
                Some(Outcome::Passed(1)) => passed.push(name),
                Some(Outcome::Passed(cases)) => passed.push(format!("{name} in {cases} cases")),
                Some(Outcome::Failed) => failed.push(name),
                Some(Outcome::NotRun) | None => not_run.push(name),
            }
        }
        let kinds = [("passed", passed), ("failed", failed), ("not run", not_run)].into_iter();
        let spoken = kinds.filter(|(_, names)| !names.is_empty());
        spoken.map(|(kind, names)| format!("{kind}: {}", names.join(", "))).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn test(name: &str) -> Test {
        Test { file: "a/tests/x.rs".to_owned(), name: name.to_owned() }
    }

    fn claim(name: &str, tests: &[&str]) -> Claim {
        Claim {
            name: name.to_owned(),
            what: "it ends".to_owned(),
            tests: tests.iter().copied().map(test).collect(),
        }
    }

    fn line(who: &str, outcome: &str, saw: &str) -> Value {
        json!({ "failure": "B2", "peer": "a", "version": "1.0", "who": who, "outcome": outcome, "saw": saw })
    }

    #[test]
    fn a_row_says_what_was_seen_there_and_here_and_how_the_tests_went() {
        let rows = rows(&[line("eio", "not seen", "fine"), line("peer", "still so", "x | y")]);
        let failures = [claim("B2", &["one", "two"])];
        let outcomes = [("one", 1), ("two", 9)];
        let outcomes = outcomes.map(|(name, cases)| (test(name), Outcome::Passed(cases))).into();
        let results = Results { failures: &failures, rows: &rows, outcomes: &outcomes };
        let page = results.page("2026-11-30");
        let row = "| B2 | it ends | a 1.0 | still so: x \\| y | not seen: fine | passed: `one`, `two` in 9 cases |\n";
        assert!(page.ends_with(row), "{page}");
        assert!(page.contains("On 2026-11-30:\n\n- others: 1 still so, 0 mended,"), "{page}");
        assert!(page.contains("\n- eio's tests: 2 passed, 0 failed, 0 not run\n"), "{page}");
        assert!(results.wrong().is_empty());
    }

    #[test]
    fn whatever_is_seen_at_eio_or_is_not_tried_is_wrong() {
        let rows = rows(&[line("peer", "still so", "x"), line("eio", "seen", "dead")]);
        let failures = [claim("B1", &[]), claim("B2", &["one", "two"])];
        let outcomes = [(test("one"), Outcome::Failed), (test("two"), Outcome::NotRun)].into();
        let results = Results { failures: &failures, rows: &rows, outcomes: &outcomes };
        assert_eq!(
            results.wrong(),
            [
                "nothing provokes B1",
                "no test is named for B1",
                "B2 at eio: seen: dead",
                "a/tests/x.rs: one failed",
                "a/tests/x.rs: two was not run",
            ]
        );
        assert!(results.page("x").contains("| failed: `one`; not run: `two` |\n"));
    }

    #[test]
    fn a_program_that_was_not_pointed_at_eio_is_wrong() {
        let rows = rows(&[line("peer", "still so", "x")]);
        let results = Results { failures: &[], rows: &rows, outcomes: &BTreeMap::new() };
        assert_eq!(results.wrong(), ["B2 at eio: : "]);
    }
}
