//! Hostile input: replayed in every change, and searched for by libFuzzer.

use core::num::NonZeroU64;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use crate::job::{Job, Stop, command, failed};
use crate::parts::host::{run_tests, workspace_build, workspace_test};
use crate::programs::Programs;

/// What libFuzzer has found before: a folder for each target.
const CORPUS: &str = "fuzz/corpus";

/// How long libFuzzer plays with each target, in minutes, and the variable that says it.
const MINUTES: u64 = 10;
const MINUTES_VARIABLE: &str = "EIO_FUZZ_MINUTES";

/// What a target has played that has printed no progress.
const NOTHING: &str = "no progress was printed: nothing was played";

/// What each line of progress says of a target that no input has made fail.
const NO_FAILURE: &str = "oom/timeout/crash: 0/0/0";

/// Plays the seeds, the committed inputs and changed copies of both, with the compiler and the profile of all tests.
pub(crate) fn replay(job: &mut Job<'_>) -> Result<(), Stop> {
    run_tests(job, &mut workspace_test("--features eio-fuzz/replay --test replay")).map(drop)
}

/// Lets libFuzzer play with each target in turn, on all processors, for as many minutes as `EIO_FUZZ_MINUTES` says. What
/// it finds stays in `target/fuzz`, for the next time.
pub(crate) fn search(job: &mut Job<'_>) -> Result<(), Stop> {
    let minutes = minutes()?;
    let work = job.workspace.target.join("fuzz");
    let programs = Programs::build(job, &mut workspace_build("--bin seeds"))?;
    let seeds = work.join("seeds");
    job.run(Command::new(programs.path("seeds")?).arg(&seeds))?;
    let targets = targets(&job.workspace.root)?;
    println!(
        "[libfuzzer] {} targets, {minutes} min for each; building them takes some minutes",
        targets.len()
    );
    job.run(&mut cargo_fuzz(job, "build"))?;
    let mut result = Ok(());
    for target in targets {
        let found = work.join("corpus").join(&target);
        std::fs::create_dir_all(&found)
            .map_err(|error| Stop::Failed(format!("{}: {error}", found.display())))?;
        let mut run = cargo_fuzz(job, "run");
        // One worker alone prints other lines of progress.
        let workers = available_parallelism().map_or(1, usize::from).max(2);
        run.args(["--jobs", &workers.to_string(), &target]).arg(&found).arg(seeds.join(&target));
        let committed = job.workspace.root.join(CORPUS).join(&target);
        run.args(committed.is_dir().then_some(committed));
        run.args(["--", "-timeout=30", "-max_len=4096", &format!("-max_total_time={}", minutes * 60)]);
        // Several workers go on after a hang and when memory runs out, unless they are told to stop.
        run.args(["-ignore_timeouts=0", "-ignore_ooms=0"]);
        let (status, printed) = job.outcome(&mut run)?;
        let summary = summary(&printed);
        let said = format!("{target}: {}", summary.as_deref().unwrap_or(NOTHING));
        println!("[libfuzzer] {said}");
        job.note(said);
        if !status.success() || has_failed(&printed) {
            result = result.and(failed(format!("an input makes {target} fail: see fuzz/artifacts/{target}")));
        } else if summary.is_none() {
            result = result.and(failed(format!("{target}: {NOTHING}")));
        }
    }
    result
}

fn minutes() -> Result<u64, Stop> {
    match std::env::var(MINUTES_VARIABLE) {
        Ok(minutes) => minutes
            .parse()
            // libFuzzer takes 0 for no limit.
            .map(NonZeroU64::get)
            .map_err(|_| Stop::Failed(format!("{MINUTES_VARIABLE} is no number of minutes: {minutes}"))),
        Err(_) => Ok(MINUTES),
    }
}

/// `cargo fuzz`, which looks for its folder beside the package that it is called in. Without optimisation, or without
/// assertions, it would find less.
fn cargo_fuzz(job: &Job<'_>, verb: &str) -> Command {
    let mut fuzz = command(&format!("rustup run nightly cargo fuzz {verb} --release --fuzz-dir .."));
    fuzz.current_dir(job.workspace.root.join("fuzz/targets"));
    fuzz
}

/// The programs of libFuzzer, of which there is at least one.
fn targets(root: &Path) -> Result<BTreeSet<String>, Stop> {
    let folder = root.join("fuzz/fuzz_targets");
    let broken = |error| Stop::Failed(format!("{}: {error}", folder.display()));
    let files = std::fs::read_dir(&folder).map_err(broken)?;
    let stem =
        |file: std::fs::DirEntry| file.path().file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let targets: BTreeSet<_> =
        files.filter_map(|file| file.map(stem).transpose()).collect::<Result<_, _>>().map_err(broken)?;
    if targets.is_empty() { failed(format!("{}: no target", folder.display())) } else { Ok(targets) }
}

/// How many inputs were played and what they have reached, from the last line of progress that libFuzzer has printed:
/// `#1234: cov: 56 ft: 78 corp: 9 ..`. `None` if it says of no input that it was played.
fn summary(printed: &str) -> Option<String> {
    let (executions, progress) = progress(printed)?;
    let mut words = progress.split_whitespace();
    let (edges, features) = (words.next()?, words.nth(1)?);
    let has_played = executions.parse::<u64>().is_ok_and(|executions| executions > 0);
    has_played.then(|| format!("{executions} executions, {edges} edges and {features} features reached"))
}

/// Whether the last line of progress tells of an input that takes too long, too much memory, or crashes.
fn has_failed(printed: &str) -> bool {
    progress(printed).is_some_and(|(_, progress)| !progress.contains(NO_FAILURE))
}

/// The last line of progress: how many inputs were played, and what follows `cov:`.
fn progress(printed: &str) -> Option<(&str, &str)> {
    printed.lines().rev().find_map(|line| line.strip_prefix('#')?.split_once(": cov: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_progress_counts() {
        let printed =
            "INFO: x\n#10: cov: 1 ft: 2 corp: 3 exec/s: 4\n#2048: cov: 55 ft: 70 corp: 9 exec/s: 1\nend";
        assert_eq!(summary(printed).unwrap(), "2048 executions, 55 edges and 70 features reached");
    }

    #[test]
    fn a_hang_is_a_failure() {
        let printed = |failures: &str| {
            format!("#10: cov: 1 ft: 2 corp: 3 exec/s 4 oom/timeout/crash: {failures} time: 2s job: 1\nend")
        };
        assert!(!has_failed(&printed("0/0/0")));
        for failures in ["1/0/0", "0/1/0", "0/0/1", "10/0/0"] {
            assert!(has_failed(&printed(failures)), "{failures}");
        }
    }

    #[test]
    fn a_run_without_progress_has_played_nothing() {
        for printed in ["", "INFO: x", "#0: cov: 1 ft: 2 corp: 3", "#12: cov: 3"] {
            assert_eq!(summary(printed), None, "{printed}");
        }
    }
}
