//! Many orders of what tasks and threads do, tried by shuttle.

use std::process::Command;

use crate::job::{Job, Stop, command, failed};

/// How many schedules of each order a scenario gets in a proof, and the variable that says it. `tests/schedules` has the
/// number for every change.
const SCHEDULES: &str = "2000";
const VARIABLE: &str = "EIO_SCHEDULES";

/// What a test prints of a scenario before the number of schedules.
const PRINTED: &str = "[schedules] ";

/// Tries a few schedules of every scenario.
pub(crate) fn few(job: &mut Job<'_>) -> Result<(), Stop> {
    let printed = job.run(tests(job).args(["--", "--nocapture"]))?;
    job.note(format!("{} schedules", schedules(&printed)));
    Ok(())
}

/// Tries many, one test after the other, each on all processors. The scenarios of a test that has failed print which
/// command plays them again.
pub(crate) fn many(job: &mut Job<'_>) -> Result<(), Stop> {
    let listed = job.run(tests(job).args(["--", "--list"]))?;
    let names: Vec<&str> = listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    let (mut all, mut failing) = (0, Vec::new());
    for (number, name) in names.iter().enumerate() {
        let mut test = tests(job);
        test.args([name, "--", "--exact", "--nocapture"]);
        if std::env::var_os(VARIABLE).is_none() {
            test.env(VARIABLE, SCHEDULES);
        }
        let (status, printed) = job.outcome(&mut test)?;
        let schedules = schedules(&printed);
        println!("[shuttle] {} of {}: {name}: {schedules} schedules", number + 1, names.len());
        all += schedules;
        if !status.success() {
            failing.push(printed.lines().find(|line| line.contains("Again: ")).unwrap_or(name).to_owned());
        }
    }
    job.note(format!("{all} schedules in {} tests", names.len()));
    if failing.is_empty() { Ok(()) } else { failed(failing.join("\n")) }
}

/// The tests, which are built with flags of their own, and so apart from all others.
fn tests(job: &Job<'_>) -> Command {
    let mut tests =
        command("cargo --config tests/schedules/shuttle.toml test --package eio-schedules --target-dir");
    tests.arg(job.workspace.target.join("shuttle")).env_remove("RUSTFLAGS");
    tests
}

/// How many schedules were tried, from the lines of the scenarios: `[schedules] name: 40 schedules, 1234 steps`.
fn schedules(printed: &str) -> u64 {
    let of_line = |line: &str| {
        let (_, numbers) = line.strip_prefix(PRINTED)?.rsplit_once(": ")?;
        numbers.trim_start_matches("all ").split(' ').next()?.parse::<u64>().ok()
    };
    printed.lines().filter_map(of_line).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedules_of_all_scenarios_are_added_up() {
        let printed = "running 2 tests\n[schedules] one over polling: 40 schedules, 5 steps\n\
                       [schedules] two: all 7 schedules, 70 steps\ntest two ... ok\n";
        assert_eq!(schedules(printed), 47);
        assert_eq!(schedules("nothing"), 0);
    }
}
