//! The rules of time, proven by a solver for models of heartbeat and upgrade, and the code beside the models.

use std::process::Command;

use crate::install;
use crate::job::{Job, Stop, failed};
use crate::parts::host::workspace_test;

/// The models, the proof, and what both need.
const FOLDER: &str = "tests/proof";

/// Intervals and timeouts: the default, and the bounds of what a heartbeat can be.
const HEARTBEATS: [&str; 4] = ["25000 20000", "1 1", "1 2147483646", "2147483646 1"];

/// What the proof and the comparison are about. Each reports a line, and without it nothing was shown.
const SUBJECTS: usize = 3;
const HEARTBEAT_MODELS: [&str; 4] =
    ["heartbeat server4", "heartbeat client4", "heartbeat server3", "heartbeat client3"];
const UPGRADE_MODELS: [&str; 2] = ["upgrade server", "upgrade client"];

/// The proof, and the first steps of each role's heartbeat and every step of an upgrade.
pub(crate) fn quick(job: &mut Job<'_>) -> Result<(), Stop> {
    prove(job)?;
    compare(job, &mut steps(), None)
}

/// The proof, and every step.
pub(crate) fn whole(job: &mut Job<'_>) -> Result<(), Stop> {
    prove(job)?;
    for (at, heartbeat) in HEARTBEATS.iter().enumerate() {
        println!("[every-step] comparing all steps with {heartbeat} ms, {} of {}", at + 1, HEARTBEATS.len());
        compare(job, steps().env("EIO_STEPS", heartbeat), Some(heartbeat))?;
    }
    Ok(())
}

fn prove(job: &mut Job<'_>) -> Result<(), Stop> {
    let environment = job.workspace.target.join("proof/venv");
    let python = install::from_pypi(job, &format!("{FOLDER}/requirements.txt"), &environment)?;
    let printed = job.run(Command::new(python).args(["-B", &format!("{FOLDER}/prove.py")]))?;
    let proven = reports(&printed, "proof: ");
    proven.iter().map(|line| (*line).to_owned()).for_each(|line| job.note(line));
    if proven.len() == SUBJECTS {
        Ok(())
    } else {
        failed(format!("{} of {SUBJECTS} models were reported as proven", proven.len()))
    }
}

/// The tests in which machines take their models' steps.
fn steps() -> Command {
    workspace_test("--lib steps:: -- --ignored --nocapture")
}

/// Fails also if a model is missing, as it is when no test has the name that is looked for.
fn compare(job: &mut Job<'_>, steps: &mut Command, extent: Option<&str>) -> Result<(), Stop> {
    let printed = job.run(steps)?;
    let compared = reports(&printed, "steps: ");
    compared.iter().map(|line| (*line).to_owned()).for_each(|line| job.note(line));
    let missing = missing(&compared, extent);
    if missing.is_empty() { Ok(()) } else { failed(format!("not compared: {}", missing.join(", "))) }
}

/// The lines that count what was shown. What runs the tests may have begun a line with the name of one.
fn reports<'p>(printed: &'p str, prefix: &str) -> Vec<&'p str> {
    printed.lines().filter_map(|line| line.split_once(prefix)).map(|(_, report)| report).collect()
}

/// The models that no report speaks of. With `extent`, a heartbeat's report must be of exactly this interval and timeout: a
/// third number would be a limit to the machines.
fn missing(reports: &[&str], extent: Option<&str>) -> Vec<String> {
    let is_compared = |model: &str, is_whole: bool| {
        reports.iter().filter_map(|report| report.split_once(": ")).any(|(of, counted)| {
            let is_it = if is_whole { of == model } else { of.starts_with(model) };
            // A report that counts nothing begins with a zero.
            is_it && counted.starts_with(|first: char| ('1'..='9').contains(&first))
        })
    };
    let heartbeats = HEARTBEAT_MODELS.map(|model| match extent {
        Some(extent) => (format!("{model} {extent}"), true),
        None => (format!("{model} "), false),
    });
    let upgrades = UPGRADE_MODELS.map(|model| (model.to_owned(), true));
    let models = heartbeats.into_iter().chain(upgrades);
    models.filter(|(model, is_whole)| !is_compared(model, *is_whole)).map(|(model, _)| model).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the tests print, for heartbeats of this extent.
    fn printed(extent: &str) -> String {
        let heartbeats = HEARTBEAT_MODELS.map(|model| format!("{model} {extent}"));
        let models = heartbeats.into_iter().chain(UPGRADE_MODELS.map(str::to_owned));
        let line = |model| {
            format!("test some::name ... steps: {model}: 17 steps of 3 kinds of machines are the same\n")
        };
        models.map(line).collect()
    }

    #[test]
    fn every_model_must_be_compared() {
        let all = printed("25000 20000 120");
        assert_eq!(missing(&reports(&all, "steps: "), None), [""; 0]);
        assert_eq!(missing(&[], None).len(), 6);
        let without_one: Vec<_> = reports(&all, "steps: ").into_iter().skip(1).collect();
        assert_eq!(missing(&without_one, None), ["heartbeat server4 "]);
    }

    #[test]
    fn a_comparison_of_nothing_is_none() {
        let empty = printed("25000 20000 120").replace("17 steps", "0 steps");
        assert_eq!(missing(&reports(&empty, "steps: "), None).len(), 6);
    }

    #[test]
    fn a_limit_to_the_machines_is_not_every_step() {
        let (whole, limited) = (printed("1 1"), printed("1 1 120"));
        assert_eq!(missing(&reports(&whole, "steps: "), Some("1 1")), [""; 0]);
        assert_eq!(missing(&reports(&limited, "steps: "), Some("1 1")).len(), 4);
        assert_eq!(missing(&reports(&whole, "steps: "), Some("25000 20000")).len(), 4);
    }
}
