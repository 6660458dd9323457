//! Proofs that take longer than a change should wait.

use crate::job::{Job, Stop, command, failed};
use crate::parts::host::workspace_test;

/// proptest's default is 256 cases; optimised code runs forty times as many in about the time that tests take. Fat LTO
/// of every test program would take longer than the tests.
pub(crate) fn properties(job: &mut Job<'_>) -> Result<(), Stop> {
    let optimised = "--profile dist --config profile.dist.lto='off' --config profile.dist.codegen-units=16";
    let mut test = workspace_test(&format!("{optimised} --no-fail-fast"));
    job.run(test.env("PROPTEST_CASES", "10000")).map(drop)
}

/// What the simulated worlds print begins with this, and what they print while they run with the longer one.
const WORLDS: &str = "scale: ";
const PROGRESS: &str = "scale: world ";

/// A million places, each with one session after the other, for a simulated hour.
pub(crate) fn million(job: &mut Job<'_>) -> Result<(), Stop> {
    simulate(job, "million")
}

/// A thousand places for three simulated months.
pub(crate) fn months(job: &mut Job<'_>) -> Result<(), Stop> {
    simulate(job, "months")
}

/// Runs a world of the example `scale`, with the seed that `EIO_SIM_SEED` names.
fn simulate(job: &mut Job<'_>, world: &str) -> Result<(), Stop> {
    job.show(WORLDS);
    let mut run = command("cargo run --profile dist --package eio-sim --example scale --");
    run.arg(world);
    if let Ok(seed) = std::env::var("EIO_SIM_SEED") {
        run.args(["--seed", &seed]);
    }
    let (status, printed) = job.outcome(&mut run)?;
    let said = printed.lines().filter(|line| !line.starts_with(PROGRESS));
    said.filter_map(|line| line.strip_prefix(WORLDS)).for_each(|line| job.note(line.to_owned()));
    if status.success() {
        Ok(())
    } else {
        failed("a session did not keep its bounds, something never happened, or the run failed")
    }
}
