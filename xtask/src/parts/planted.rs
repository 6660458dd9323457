//! Faults that are planted into a copy of the source, to see that the tests find them.

mod faults;

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::job::{Job, PATIENCE, Stop, command, failed};
use crate::stopwatch::{Spoken, Stopwatch};
use faults::{FAULTS, Fault, Suite};

/// Tests with a fault get at least this long: the runner names a test that is slow only after a minute.
const LEAST: Duration = Duration::from_mins(3);

/// Plants one fault after the other. Each must compile, and must make a test fail, or never end, that passes without it.
pub(crate) fn find(job: &mut Job<'_>) -> Result<(), Stop> {
    let tree = job.workspace.target.join("planted");
    copy_tree(job, &tree)?;
    let mut planted = Vec::new();
    for (suite, faults) in FAULTS {
        let (mut build, mut sound) = (tests(job, &tree, *suite), tests(job, &tree, *suite));
        let took = job.time(build.arg("--no-run"), &mut sound).map_err(|stop| {
            Stop::Failed(format!("without a fault, the tests do not pass: {}", stop.sentence()))
        })?;
        println!("[planted-faults] {}: its tests pass without a fault, in {}", suite.name(), Spoken(took));
        let patience = (took * PATIENCE).max(LEAST);
        planted.extend(faults.iter().map(|fault| (*suite, fault, patience)));
    }
    let mut missed = Vec::new();
    for (suite, fault, patience) in planted {
        let watch = Stopwatch::start();
        let finding = plant(job, &tree, suite, fault, patience)?;
        let took = Spoken(watch.elapsed());
        let line = match finding.first() {
            Some(first) if finding.len() == 1 => format!("found by {first} of {}", suite.name()),
            Some(first) => format!("found by {first} and {} more of {}", finding.len() - 1, suite.name()),
            None => "NOT FOUND".to_owned(),
        };
        let line = format!("{}: {}: {line}", fault.place, fault.effect);
        println!("[planted-faults] {line}, in {took}");
        job.note(line);
        if finding.is_empty() {
            missed.push(fault.effect);
        }
    }
    if missed.is_empty() { Ok(()) } else { failed(format!("no test finds: {}", missed.join("; "))) }
}

/// Copies what git knows, as it is now. The copies are new files, so nothing that was built with a fault is taken for theirs.
fn copy_tree(job: &mut Job<'_>, tree: &Path) -> Result<(), Stop> {
    let broken = |error| Stop::Failed(format!("{}: {error}", tree.display()));
    if tree.exists() {
        fs::remove_dir_all(tree).map_err(broken)?;
    }
    fs::create_dir_all(tree).map_err(broken)?;
    let mut copy = command("sh -c");
    copy.arg("git ls-files -z | xargs -0 cp --parents --target-directory \"$0\"").arg(tree);
    job.run(&mut copy).map(drop)
}

/// Runs the tests of a suite with the fault in place. Returns the names of those that fail or do not end.
fn plant(
    job: &mut Job<'_>,
    tree: &Path,
    suite: Suite,
    fault: &Fault,
    patience: Duration,
) -> Result<Vec<String>, Stop> {
    let path = tree.join(fault.place);
    let broken = |error| Stop::Failed(format!("{}: {error}", fault.place));
    let sound = fs::read_to_string(&path).map_err(broken)?;
    if sound.matches(fault.sound).count() != 1 {
        return failed(format!("{}: expected once, to plant a fault there: {}", fault.place, fault.sound));
    }
    fs::write(&path, sound.replacen(fault.sound, fault.faulty, 1)).map_err(broken)?;
    let finding = run_planted(job, tree, suite, patience);
    fs::write(&path, sound).map_err(broken)?;
    finding?.map_err(|why| Stop::Failed(format!("{}: {}: {why}", fault.place, fault.effect)))
}

/// Runs the tests that must find a fault, and those that must not. Returns the names of those that fail or do not end, or why
/// they say nothing of the fault.
fn run_planted(
    job: &mut Job<'_>,
    tree: &Path,
    suite: Suite,
    patience: Duration,
) -> Result<Result<Vec<String>, &'static str>, Stop> {
    job.run(tests(job, tree, suite).arg("--no-run"))?;
    if let Some(arguments) = suite.passing() {
        job.run(cargo(job, tree, arguments, "").arg("--no-run"))?;
        let (ended, _) = job.outcome_within(&mut cargo(job, tree, arguments, ""), patience)?;
        if !ended.is_ok_and(|status| status.success()) {
            return Ok(Err("it is no fault of order alone: unit tests do not pass"));
        }
    }
    let (ended, printed) = job.outcome_within(&mut tests(job, tree, suite), patience)?;
    Ok(finders(ended.ok().map(|status| status.success()), &printed))
}

/// Returns the tests that have found a fault. `passed` is `None` if the runner was stopped: a machine that is slow, or out of
/// memory, finds no fault, so a test must be named.
fn finders(passed: Option<bool>, printed: &str) -> Result<Vec<String>, &'static str> {
    let mut found = failing_tests(printed);
    if passed.is_none() {
        found.extend(endless_tests(printed));
    }
    match passed {
        Some(true) => Ok(Vec::new()),
        _ if !found.is_empty() => Ok(found),
        Some(false) => Err("the tests failed, but no failing test was named"),
        None => Err("the tests took too long, but no slow test was named"),
    }
}

fn tests(job: &Job<'_>, tree: &Path, suite: Suite) -> Command {
    let mut test = cargo(job, tree, suite.arguments(), suite.folder());
    if suite == Suite::Schedules {
        // They would take the place of those that its tests need.
        test.env_remove("RUSTFLAGS");
    }
    test
}

fn cargo(job: &Job<'_>, tree: &Path, arguments: &str, folder: &str) -> Command {
    let mut cargo = command(&format!("cargo {arguments}"));
    cargo.arg("--target-dir").arg(build_folder(&job.workspace.target, folder)).current_dir(tree);
    cargo
}

/// Where cargo puts what it builds with a fault. Cargo tells a copy of the workspace from the workspace by the times of its
/// files alone, so in the workspace's own folder it would take what has a fault for newer than the sound source.
fn build_folder(target: &Path, folder: &str) -> PathBuf {
    target.join("planted-build").join(folder)
}

fn failing_tests(printed: &str) -> Vec<String> {
    let name = |line: &str| Some(line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?.to_owned());
    printed.lines().filter_map(name).collect()
}

/// The tests of which the runner says that they are slow, and then nothing more.
fn endless_tests(printed: &str) -> Vec<String> {
    let lines = || printed.lines().filter_map(|line| line.strip_prefix("test "));
    let slow = lines().filter_map(|line| line.strip_suffix(" has been running for over 60 seconds"));
    let has_ended = |name: &str| lines().any(|line| line.starts_with(&format!("{name} ... ")));
    slow.filter(|name| !has_ended(name)).map(|name| format!("{name}, which does not end,")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_built_with_a_fault_where_other_parts_build() {
        let target = Path::new("/target");
        for (suite, _) in FAULTS {
            let folder = build_folder(target, suite.folder());
            assert!(folder != target && folder != target.join("shuttle"), "{}", folder.display());
        }
    }

    #[test]
    fn the_tests_that_fail_are_named() {
        let printed = "test one ... ok\ntest two::three ... FAILED\ntest result: FAILED. 1 passed\n";
        assert_eq!(failing_tests(printed), ["two::three"]);
    }

    #[test]
    fn the_tests_that_do_not_end_are_named_and_slow_ones_that_end_are_not() {
        let printed = "test one ... ok\ntest two has been running for over 60 seconds\n\
             test three::four has been running for over 60 seconds\ntest two ... ok\n";
        assert_eq!(endless_tests(printed), ["three::four, which does not end,"]);
        assert_eq!(finders(None, printed), Ok(endless_tests(printed)));
        // The program ended, so this test did.
        assert!(finders(Some(false), printed).is_err());
    }

    #[test]
    fn a_fault_is_found_only_by_a_test_that_is_named() {
        assert_eq!(finders(Some(true), "test one ... ok\n"), Ok(vec![]));
        for passed in [Some(false), None] {
            assert!(finders(passed, "test one ... ok\n").is_err());
            assert_eq!(finders(passed, "test one ... FAILED\n"), Ok(vec!["one".to_owned()]));
        }
    }

    #[test]
    fn each_fault_has_its_place_and_changes_it() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for fault in FAULTS.iter().flat_map(|(_, faults)| *faults) {
            let source = fs::read_to_string(root.join(fault.place)).unwrap();
            assert_eq!(source.matches(fault.sound).count(), 1, "{}: {}", fault.place, fault.sound);
            assert_ne!(fault.sound, fault.faulty);
        }
    }

    #[test]
    fn each_suite_has_three_faults() {
        for (suite, faults) in FAULTS {
            assert!(faults.len() >= 3, "{}", suite.name());
        }
    }
}
