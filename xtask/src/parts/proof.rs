//! The rules of time, proven by a solver for models of heartbeat and upgrade, and the code beside the models.

use std::process::Command;

use crate::install;
use crate::job::{Job, Stop};
use crate::parts::host::workspace_test;

/// The models, the proof, and what both need.
const FOLDER: &str = "tests/proof";

/// Intervals and timeouts: the default, and the bounds of what a heartbeat can be.
const HEARTBEATS: [&str; 4] = ["25000 20000", "1 1", "1 2147483646", "2147483646 1"];

/// The proof, and the first steps of each role's heartbeat and every step of an upgrade.
pub(crate) fn quick(job: &mut Job<'_>) -> Result<(), Stop> {
    prove(job)?;
    compare(job, steps().env_remove("EIO_STEPS"))
}

/// The proof, and every step.
pub(crate) fn whole(job: &mut Job<'_>) -> Result<(), Stop> {
    prove(job)?;
    for (at, heartbeat) in HEARTBEATS.iter().enumerate() {
        println!("[every-step] comparing all steps with {heartbeat} ms, {} of {}", at + 1, HEARTBEATS.len());
        compare(job, steps().env("EIO_STEPS", heartbeat))?;
    }
    Ok(())
}

fn prove(job: &mut Job<'_>) -> Result<(), Stop> {
    let environment = job.workspace.target.join("proof/venv");
    let python = install::from_pypi(job, &format!("{FOLDER}/requirements.txt"), &environment)?;
    let printed = job.run(Command::new(python).args(["-B", &format!("{FOLDER}/prove.py")]))?;
    note(job, &printed, "proof: ");
    Ok(())
}

/// The tests in which machines take their models' steps.
fn steps() -> Command {
    workspace_test("--lib steps:: -- --ignored --nocapture")
}

fn compare(job: &mut Job<'_>, steps: &mut Command) -> Result<(), Stop> {
    let printed = job.run(steps)?;
    note(job, &printed, "steps: ");
    Ok(())
}

/// Keeps the lines that count what was shown.
fn note(job: &mut Job<'_>, printed: &str, prefix: &str) {
    printed.lines().filter_map(|line| line.strip_prefix(prefix)).for_each(|line| job.note(line.to_owned()));
}
