//! Many orders of what tasks and threads do, tried by shuttle.

use std::process::Command;

use crate::job::{Job, Stop, command, failed};

/// How many schedules of each order a scenario gets in a proof, and the variable that says it. `tests/schedules` has the
/// number for every change.
const SCHEDULES: &str = "2000";
const VARIABLE: &str = "EIO_SCHEDULES";

/// What a test prints of a scenario before the number of schedules.
const PRINTED: &str = "[schedules] ";

/// A proof of nothing, which fails.
const NONE: &str = "no schedules were tried";

/// Tries a few schedules of every scenario.
pub(crate) fn few(job: &mut Job<'_>) -> Result<(), Stop> {
    let names = names(job)?;
    let printed = job.run(tests(job).args(["--", "--nocapture"]).env_remove(VARIABLE))?;
    let tried = names.iter().map(|name| (name, schedules(&printed, name)));
    job.note(format!(
        "{} schedules in {} tests",
        tried.clone().map(|(_, count)| count).sum::<u64>(),
        names.len()
    ));
    let idle: Vec<_> = tried.filter(|(_, count)| *count == 0).map(|(name, _)| name.as_str()).collect();
    if idle.is_empty() { Ok(()) } else { failed(format!("{NONE}: {}", idle.join(", "))) }
}

/// Tries many, one test after the other, each on all processors. The scenarios of a test that has failed print which
/// command plays them again.
pub(crate) fn many(job: &mut Job<'_>) -> Result<(), Stop> {
    let names = names(job)?;
    let (mut all, mut failing) = (0, Vec::new());
    for (number, name) in names.iter().enumerate() {
        let mut test = tests(job);
        test.args([name, "--", "--exact", "--nocapture"]);
        if std::env::var_os(VARIABLE).is_none() {
            test.env(VARIABLE, SCHEDULES);
        }
        let (status, printed) = job.outcome(&mut test)?;
        let schedules = schedules(&printed, name);
        println!("[shuttle] {} of {}: {name}: {schedules} schedules", number + 1, names.len());
        all += schedules;
        if !status.success() {
            failing.push(printed.lines().find(|line| line.contains("Again: ")).unwrap_or(name).to_owned());
        } else if schedules == 0 {
            failing.push(format!("{NONE}: {name}"));
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

/// The names of all tests, of which there is at least one.
fn names(job: &mut Job<'_>) -> Result<Vec<String>, Stop> {
    let listed = job.run(tests(job).args(["--", "--list"]))?;
    let names: Vec<_> =
        listed.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect();
    if names.is_empty() { failed(NONE) } else { Ok(names) }
}

/// How many schedules a test has tried, from the lines of its scenarios: `[schedules] name over polling: 40 schedules, 1234
/// steps`. What runs the tests may have begun a line with the name of one.
fn schedules(printed: &str, test: &str) -> u64 {
    let function = test.rsplit("::").next().unwrap_or(test);
    let of_line = |line: &str| {
        let (_, scenario) = line.split_once(PRINTED)?;
        let (name, numbers) = scenario.rsplit_once(": ")?;
        let is_its = name.split(' ').next() == Some(function);
        is_its.then(|| numbers.trim_start_matches("all ").split(' ').next()?.parse::<u64>().ok())?
    };
    printed.lines().filter_map(of_line).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "running 2 tests\ntest a::one ... [schedules] one over polling: 40 schedules, 5 steps\n\
                         [schedules] one over WebSocket: 20 schedules, 5 steps\n\
                         [schedules] two: all 7 schedules, 70 steps\ntest b::two ... ok\n\
                         [schedules] none: 0 schedules, 0 steps\n";

    #[test]
    fn the_schedules_of_all_scenarios_of_a_test_are_added_up() {
        assert_eq!(schedules(LINES, "a::one"), 60);
        assert_eq!(schedules(LINES, "b::two"), 7);
    }

    #[test]
    fn a_test_that_says_nothing_has_tried_nothing() {
        assert_eq!(schedules(LINES, "c::none"), 0);
        assert_eq!(schedules(LINES, "c::on"), 0);
        assert_eq!(schedules("test a::one ... ok", "a::one"), 0);
    }
}
