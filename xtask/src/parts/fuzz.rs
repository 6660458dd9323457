//! Hostile input: replayed in every change, and searched for by libFuzzer.

use core::num::NonZeroU64;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use crate::job::{Job, Stop, command, failed};
use crate::parts::host::{run_tests, workspace_build, workspace_test};

/// What libFuzzer has found before: a folder for each target.
const CORPUS: &str = "fuzz/corpus";

/// How long libFuzzer plays with each target, in minutes, and the variable that says it.
const MINUTES: u64 = 10;
const MINUTES_VARIABLE: &str = "EIO_FUZZ_MINUTES";

/// What a target has played that has printed no progress.
const NOTHING: &str = "no progress was printed: nothing was played";

/// Plays the seeds, the committed inputs and changed copies of both, with the compiler and the profile of all tests.
pub(crate) fn replay(job: &mut Job<'_>) -> Result<(), Stop> {
    run_tests(job, &mut workspace_test("--features eio-fuzz/replay --test replay")).map(drop)
}

/// Lets libFuzzer play with each target in turn, on all processors, for as many minutes as `EIO_FUZZ_MINUTES` says. What
/// it finds stays in `target/fuzz`, for the next time.
pub(crate) fn search(job: &mut Job<'_>) -> Result<(), Stop> {
    let minutes = minutes()?;
    let work = job.workspace.target.join("fuzz");
    job.run(&mut workspace_build("--bin seeds"))?;
    let seeds = work.join("seeds");
    job.run(Command::new(job.workspace.target.join("debug/seeds")).arg(&seeds))?;
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
        let workers = available_parallelism().map_or(1, usize::from);
        run.args(["--jobs", &workers.to_string(), &target]).arg(&found).arg(seeds.join(&target));
        let committed = job.workspace.root.join(CORPUS).join(&target);
        run.args(committed.is_dir().then_some(committed));
        run.args(["--", "-timeout=30", "-max_len=4096", &format!("-max_total_time={}", minutes * 60)]);
        let (status, printed) = job.outcome(&mut run)?;
        let summary = summary(&printed);
        let said = format!("{target}: {}", summary.as_deref().unwrap_or(NOTHING));
        println!("[libfuzzer] {said}");
        job.note(said);
        if !status.success() {
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
    let (executions, edges, features) = printed.lines().rev().find_map(|line| {
        let (executions, rest) = line.strip_prefix('#')?.split_once(": cov: ")?;
        let mut words = rest.split_whitespace();
        Some((executions, words.next()?, words.nth(1)?))
    })?;
    let has_played = executions.parse::<u64>().is_ok_and(|executions| executions > 0);
    has_played.then(|| format!("{executions} executions, {edges} edges and {features} features reached"))
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
    fn a_run_without_progress_has_played_nothing() {
        for printed in ["", "INFO: x", "#0: cov: 1 ft: 2 corp: 3", "#12: cov: 3"] {
            assert_eq!(summary(printed), None, "{printed}");
        }
    }
}
