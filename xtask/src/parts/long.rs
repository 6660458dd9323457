//! Proofs that take longer than a change should wait.

use crate::job::{Job, Stop, command};
use crate::parts::host::workspace_test;

/// proptest's default is 256 cases; optimised code runs forty times as many in about the time that tests take.
pub(crate) fn properties(job: &mut Job<'_>) -> Result<(), Stop> {
    job.run(workspace_test("--release --no-fail-fast").env("PROPTEST_CASES", "10000")).map(drop)
}

/// Not in every change, because it takes minutes and finds little: the crates themselves forbid unsafe code, and only
/// their dependencies do not. Property tests are cut short: Miri is about a thousand times slower than the processor.
pub(crate) fn miri(job: &mut Job<'_>) -> Result<(), Stop> {
    let mut test = command(
        "rustup run nightly cargo miri test --package eio-core --package eio-legacy --lib --no-fail-fast --target-dir",
    );
    test.arg(job.workspace.target.join("miri"));
    job.run(test.env("MIRIFLAGS", "-Zmiri-disable-isolation").env("PROPTEST_CASES", "4")).map(drop)
}
