//! How many instructions the core's hot paths take, counted by callgrind and held against a budget.
//!
//! A count is a fact about one binary, not a measurement that scatters: it is the same on every run, on a busy machine
//! too. It changes with the code and with the compiler, and the compiler is pinned.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::job::{Job, Stop, command, failed};
use crate::programs::Programs;

const PACKAGE: &str = "eio-benches";
const BUDGET: &str = "benches/budget.json";
/// The processors that the budget is for.
const ARCHITECTURE: &str = "x86_64";
/// How far above its budget a case may lie: a compiler's mood, not a change of the code.
const TOLERATED_PERCENT: u64 = 2;
/// How often two runs repeat a case. Both numbers have the same number of digits: reading them costs the same.
const TIMES: [u64; 2] = [1_000, 2_000];

pub(crate) fn count(job: &mut Job<'_>) -> Result<(), Stop> {
    if std::env::consts::ARCH != ARCHITECTURE {
        return Err(Stop::NotRun(format!("the budget is one for {ARCHITECTURE}")));
    }
    let budget = job.read_json(BUDGET)?;
    let mut build = command(&format!("cargo build --profile dist --package {PACKAGE}"));
    let programs = Programs::build(job, &mut build)?;
    let program = programs.path(PACKAGE)?;
    let cases = job.run(&mut Command::new(program))?;
    let cases: Vec<_> = cases.lines().filter_map(|line| line.split_once('\t')).collect();
    every_budget_is_spent(&budget, &cases)?;
    let mut over = Vec::new();
    for (name, about) in cases {
        let counted = per_time(job, program, name, "run")?;
        let count = counted.saturating_sub(per_time(job, program, name, "bare")?);
        let limit = limit(&budget, name)?;
        if count == 0 {
            return failed(format!("{name} takes no instructions: it is not what runs"));
        }
        job.note(format!("{count:5} instructions (budget {limit:5})  {name}: {about}"));
        if exceeds(count, limit) {
            over.push(format!("{name} takes {count} instructions, and its budget is {limit}"));
        }
    }
    if over.is_empty() { Ok(()) } else { failed(format!("over budget: {}", over.join("; "))) }
}

/// Returns what one repetition takes: start and set-up are the same in both runs.
fn per_time(job: &mut Job<'_>, program: &Path, name: &str, what: &str) -> Result<u64, Stop> {
    let [few, many] = TIMES;
    let difference = total(job, program, [name, what, &many.to_string()])?.saturating_sub(total(
        job,
        program,
        [name, what, &few.to_string()],
    )?);
    let times = many - few;
    Ok((difference + times / 2) / times)
}

/// All instructions of one run, from the program's start to its end.
fn total(job: &mut Job<'_>, program: &Path, arguments: [&str; 3]) -> Result<u64, Stop> {
    let mut count = command("valgrind --tool=callgrind --callgrind-out-file=/dev/null");
    let printed = job.run(count.arg(program).args(arguments))?;
    collected(&printed).ok_or_else(|| Stop::Failed("callgrind printed no count".to_owned()))
}

/// The number in callgrind's line `==4711== Collected : 370189`.
fn collected(printed: &str) -> Option<u64> {
    let line = printed.lines().find(|line| line.contains("Collected"))?;
    line.rsplit_once(':')?.1.trim().parse().ok()
}

fn limit(budget: &Value, name: &str) -> Result<u64, Stop> {
    budget[name].as_u64().ok_or_else(|| Stop::Failed(format!("{BUDGET} has no number for {name}")))
}

/// Otherwise a case that was removed would always hold its budget.
fn every_budget_is_spent(budget: &Value, cases: &[(&str, &str)]) -> Result<(), Stop> {
    let names = budget.as_object().into_iter().flat_map(|budget| budget.keys());
    let unspent: Vec<_> = names.filter(|name| !cases.iter().any(|(case, _)| case == name)).cloned().collect();
    if unspent.is_empty() && !cases.is_empty() {
        return Ok(());
    }
    failed(format!("{PACKAGE} does not know what {BUDGET} has a number for: {}", unspent.join(", ")))
}

fn exceeds(count: u64, limit: u64) -> bool {
    count * 100 > limit * (100 + TOLERATED_PERCENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read_from_what_callgrind_prints() {
        let printed = "==71== Events    : Ir\n==71== Collected : 370189\n==71== \n";
        assert_eq!(collected(printed), Some(370_189));
        assert_eq!(collected("valgrind: no such file"), None);
    }

    #[test]
    fn two_per_cent_above_the_budget_are_tolerated_and_no_more() {
        assert!(!exceeds(102, 100));
        assert!(exceeds(103, 100));
        assert!(!exceeds(61, 60));
        assert!(exceeds(62, 60));
    }

    #[test]
    fn a_budget_without_a_case_fails() {
        let budget = serde_json::json!({"known": 1});
        assert!(every_budget_is_spent(&budget, &[("known", "")]).is_ok());
        assert!(every_budget_is_spent(&budget, &[("other", "")]).is_err());
        assert!(every_budget_is_spent(&serde_json::json!({}), &[]).is_err());
    }

    #[test]
    fn a_case_without_a_budget_fails() {
        assert!(limit(&serde_json::json!({"known": 1}), "known").is_ok());
        assert!(limit(&serde_json::json!({"known": 1}), "unknown").is_err());
    }
}
