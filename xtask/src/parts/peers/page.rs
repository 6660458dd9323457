//! The page of outcomes.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use serde_json::Value;

use super::claims::{Claim, Test};
use super::ours::Outcome;

/// The failures whose probes cannot be pointed at eio: B7 and B19 step a clock that eio does not read, and the peer of the others
/// cannot be installed, so nothing provokes them.
const UNTRIED: [&str; 5] = ["B7", "B19", "B23", "B24", "B25"];

/// The outcome of a probe that could not say anything.
const NOT_RUN: &str = "not run";

/// What a failure's program has seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    version: String,
    pub(super) outcome: String,
    saw: String,
}

/// A failure, at a peer and at eio.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) failure: String,
    peer: String,
    pub(super) there: Seen,
    /// At an older version, if the newest has mended it.
    older: Option<Seen>,
    pub(super) here: Seen,
}

impl Row {
    /// What was seen at the peer: at its newest version, and at an older one if that was tried.
    fn at_versions(&self) -> impl Iterator<Item = &Seen> {
        [Some(&self.there), self.older.as_ref()].into_iter().flatten()
    }

    /// Whether there is a probe, and no version has shown that it sees what it looks for.
    pub(super) fn never_fired(&self) -> bool {
        let mut outcomes = self.at_versions().map(|seen| seen.outcome.as_str());
        !outcomes.any(|outcome| ["still so", "cannot be installed"].contains(&outcome))
    }

    fn at_peer(&self) -> String {
        let mut cell = self.there.to_string();
        if let Some(older) = &self.older {
            let version = if older.version.is_empty() { "an older version" } else { &older.version };
            let _ = write!(cell, "; {version}: {older}");
        }
        if self.never_fired() {
            cell += "; this probe was never seen to fire";
        }
        cell
    }
}

impl core::fmt::Display for Seen {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "{}: {}", self.outcome, self.saw)
    }
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
            ..Row::default()
        });
        let seen = Seen { version: text("version"), outcome: text("outcome"), saw: text("saw") };
        match text("who").as_str() {
            "eio" => row.here = seen,
            "older" => row.older = Some(seen),
            _ => row.there = seen,
        }
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
    /// What must not be: failures that nothing provokes, those that eio has or is not tried for, probes that see nothing where
    /// there is something to see, and tests that did not pass.
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
        for row in self.rows {
            let Row { failure, peer, there, older, here } = row;
            let may_be_untried = here.outcome == "not tried" && UNTRIED.contains(&failure.as_str());
            if here.outcome != "not seen" && !may_be_untried {
                wrong.push(format!("{failure} at eio: {here}"));
            }
            for seen in row.at_versions() {
                if seen.outcome == NOT_RUN && !seen.version.is_empty() {
                    wrong.push(format!("{failure} at {peer} {}: {seen}", seen.version));
                }
            }
            match older {
                Some(Seen { version, outcome, .. }) if outcome == "mended" => {
                    wrong.push(format!("the probe of {failure} does not fire at {peer} {version}"));
                }
                None if there.outcome == "mended" => wrong.push(format!(
                    "{peer} has mended {failure}: name an older version at which its probe fires"
                )),
                _ => {}
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

    /// The failures whose peers could not be tried: they are not installed.
    pub(super) fn untried(&self) -> Vec<&str> {
        let rows = self.rows.iter().filter(|row| row.there.outcome == NOT_RUN);
        rows.map(|row| row.failure.as_str()).collect()
    }

    /// The page, with the date of the run.
    pub(super) fn page(&self, date: &str) -> String {
        let sentences = self.sentences().map(|sentence| format!("- {sentence}\n")).concat();
        let mut page = format!(
            "\
# Failures of other implementations today

Each failure that [peers.md](peers.md) lists, provoked on the newest version of its peer, and in the same way on eio. `cargo
xtask prove peers-table` installs these versions from npm, PyPI and crates.io, runs the programs of `tests/interop/failures`
and the tests that peers.md names, and writes this page. It fails if eio shows a failure or ends otherwise than expected, if a
probe says nothing at a version that is installed, if one that can be pointed at eio is not, and if one of the tests fails or
does not run. If a version cannot be installed, this page stays as it was. Failures that peers.md does not list are not looked
for.

*Still so* means that the failure was seen again. *Mended* means that it was provoked in the same way and did not come; the
same probe then has to fire on an older version, which the row names. For eio, the same program is pointed at eio's server or
client: *not seen* means that the failure did not come, *not tried* that this program cannot show it, for the reason given.
Where a session has to end, eio has to end it at most 2 s after its bound, and to give the reason. The tests try it in their
own ways.

On {date}:

{sentences}
| | failure | peer | there | eio, in the same way | eio's tests |
|---|---|---|---|---|---|
"
        );
        for row in self.rows {
            let Row { failure, peer, there, here, .. } = row;
            let claim = self.failures.iter().find(|claim| claim.name == *failure);
            let what = claim.map_or("", |claim| &claim.what);
            let tests = claim.map(|claim| self.tests(claim)).unwrap_or_default();
            let peer = format!("{peer} {}", there.version);
            let (peer, there) = (peer.trim(), row.at_peer());
            let _ = writeln!(page, "| {failure} | {what} | {peer} | {there} | {here} | {tests} |");
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
        let counts = "On 2026-11-30:\n\n- Of the 1 failures that peers.md lists, 1 were tried";
        assert!(page.contains(counts), "{page}");
        assert!(page.contains("\n- eio's tests: 2 passed, 0 failed, 0 not run.\n\n|"), "{page}");
        assert!(results.wrong().is_empty());
    }

    #[test]
    fn whatever_is_seen_at_eio_is_wrong_and_so_is_a_test_that_does_not_pass() {
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

    #[test]
    fn only_the_failures_of_the_list_may_be_untried_at_eio() {
        let untried = |failure: &str| {
            let mut line = line("eio", "not tried", "why");
            line["failure"] = failure.into();
            let rows = rows(&[line]);
            Results { failures: &[], rows: &rows, outcomes: &BTreeMap::new() }.wrong()
        };
        assert_eq!(untried("B2"), ["B2 at eio: not tried: why"]);
        for failure in UNTRIED {
            assert!(untried(failure).is_empty(), "{failure}");
        }
    }

    #[test]
    fn a_probe_of_a_mended_failure_has_to_fire_at_an_older_version() {
        let older = |outcome: &str| {
            let older = json!({ "failure": "B2", "peer": "a", "version": "0.9", "who": "older", "outcome": outcome, "saw": "y" });
            let rows = rows(&[line("peer", "mended", "x"), older, line("eio", "not seen", "fine")]);
            let results = Results { failures: &[], rows: &rows, outcomes: &BTreeMap::new() };
            (results.page("x").lines().last().unwrap_or_default().to_owned(), results.wrong())
        };
        let never = "; this probe was never seen to fire |";
        let (fires, wrong) = older("still so");
        assert!(fires.contains("| a 1.0 | mended: x; 0.9: still so: y | not seen: fine |"), "{fires}");
        assert!(wrong.is_empty(), "{wrong:?}");
        let (not_run, wrong) = older("not run");
        assert!(not_run.contains(never), "{not_run}");
        assert_eq!(wrong, ["B2 at a 0.9: not run: y"]);
        let (mended, wrong) = older("mended");
        assert!(mended.contains(never), "{mended}");
        assert_eq!(wrong, ["the probe of B2 does not fire at a 0.9"]);
        let rows = rows(&[line("peer", "mended", "x"), line("eio", "not seen", "fine")]);
        let wrong = Results { failures: &[], rows: &rows, outcomes: &BTreeMap::new() }.wrong();
        assert_eq!(wrong, ["a has mended B2: name an older version at which its probe fires"]);
    }

    #[test]
    fn a_probe_that_says_nothing_is_wrong_if_its_peer_is_installed_and_untried_otherwise() {
        let results = |version: &str| {
            let mut line = line("peer", "not run", "in vain: the program ended");
            line["version"] = version.into();
            let rows = rows(&[line, self::line("eio", "not seen", "fine")]);
            let results = Results { failures: &[], rows: &rows, outcomes: &BTreeMap::new() };
            (results.wrong(), results.untried().into_iter().map(str::to_owned).collect::<Vec<_>>())
        };
        let (wrong, untried) = results("1.0");
        assert_eq!(wrong, ["B2 at a 1.0: not run: in vain: the program ended"]);
        assert_eq!(untried, ["B2"]);
        // It does not count as a failure of this part that a registry cannot be reached.
        let (wrong, untried) = results("");
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(untried, ["B2"]);
    }
}
