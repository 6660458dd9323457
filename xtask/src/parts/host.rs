//! What runs on the developer's own machine.

use std::process::Command;

use crate::job::{Job, Stop, command, failed, spelled};
use crate::record;

/// The features that bring tests of their own. `defmt` is not among them: its log statements need a board's linker script.
pub(crate) const WORKSPACE_FEATURES: &str = "eio-core/serde,eio-legacy/serde,eio-embassy/proto-ipv4,\
    eio-embassy/proto-ipv6,eio-embassy/subprotocol,eio-embassy/tls,eio-cluster/forward,eio-cluster/forward-tls,\
    eio-cluster/nats,eio-cluster/redis,eio-cluster/tls";

/// `cargo test` with these arguments, for the whole workspace. To run some tests, name them with `--test`, not their
/// package with `--package`: alone, a package has fewer features, and cargo would build its dependencies once more.
pub(crate) fn workspace_test(arguments: &str) -> Command {
    command(&format!("cargo test --workspace --features {WORKSPACE_FEATURES} {arguments}"))
}

/// Runs tests, and returns what they printed. The part fails also if no test ran, as when none has the name that is looked for.
pub(crate) fn run_tests(job: &mut Job<'_>, tests: &mut Command) -> Result<String, Stop> {
    run_programs(job, tests, 1)
}

/// The same for several test programs of one name. The part fails also if fewer of them ran a test.
pub(crate) fn run_programs(job: &mut Job<'_>, tests: &mut Command, programs: usize) -> Result<String, Stop> {
    let printed = job.run(tests)?;
    let ran = programs_run(&printed);
    if ran >= programs {
        return Ok(printed);
    }
    failed(format!("tests ran in {ran} programs: expected {programs}: {}", spelled(tests)))
}

/// How many runners of tests say that one has passed.
fn programs_run(printed: &str) -> usize {
    printed.lines().filter_map(record::passed).filter(|count| *count > 0).count()
}

/// `cargo build` with these arguments and the features of [`workspace_test`].
pub(crate) fn workspace_build(arguments: &str) -> Command {
    command(&format!("cargo build --workspace --features {WORKSPACE_FEATURES} {arguments}"))
}

/// Builds the tool, `eio`, for tests that start it. The tool's own test does that with the features of the workspace, as
/// `host-tests` does it, so nothing is built twice.
pub(crate) fn build_tool(job: &mut Job<'_>) -> Result<(), Stop> {
    job.run(&mut workspace_test("--test tool --no-run")).map(drop)
}

/// Checks everything, with all features, with the version that `rust-version` promises. Nothing is linked, so `defmt` needs no
/// board's linker script.
pub(crate) fn oldest_compiler(job: &mut Job<'_>) -> Result<(), Stop> {
    let core = job.workspace.package("eio-core");
    let Some(version) = core.and_then(|package| package.rust_version.clone()) else {
        return failed("eio-core names no rust-version");
    };
    let installed = job.run(&mut command("rustup toolchain list"))?;
    let matching =
        |name: &&str| name.starts_with(&format!("{version}.")) || name.starts_with(&format!("{version}-"));
    let install = format!("rustup toolchain install {version} --profile minimal --no-self-update");
    let toolchain = match installed.split_whitespace().find(matching) {
        Some(toolchain) => toolchain,
        None if job.outcome(&mut command(&install))?.0.success() => &version,
        None => {
            return Err(Stop::NotRun(format!(
                "rust {version} cannot be installed (`{install}`); clippy has checked the standard library's functions \
                 against that version"
            )));
        }
    };
    let mut check = command(&format!(
        "rustup run {toolchain} cargo check --workspace --all-targets --all-features --target-dir"
    ));
    job.run(check.arg(job.workspace.target.join("oldest-compiler"))).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_that_were_left_out_have_not_run() {
        let none =
            "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out\n";
        let one = "test a ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored\n";
        assert_eq!((programs_run(""), programs_run(none)), (0, 0));
        assert_eq!((programs_run(one), programs_run(&format!("{one}{none}{one}"))), (1, 2));
    }
}
