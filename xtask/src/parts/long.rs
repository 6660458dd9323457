//! Proofs that take longer than a change should wait.

use crate::job::{Job, Stop, command};
use crate::parts::host::workspace_test;

/// proptest's default is 256 cases; optimised code runs forty times as many in about the time that tests take. Fat LTO
/// of every test program would take longer than the tests.
pub(crate) fn properties(job: &mut Job<'_>) -> Result<(), Stop> {
    let optimised = "--profile dist --config profile.dist.lto='off' --config profile.dist.codegen-units=16";
    let mut test = workspace_test(&format!("{optimised} --no-fail-fast"));
    job.run(test.env("PROPTEST_CASES", "10000")).map(drop)
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
