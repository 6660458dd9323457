//! What runs on the developer's own machine.

use std::process::Command;

use crate::job::{Job, Stop, failed};

/// All tests of the workspace.
pub(crate) fn tests(job: &mut Job<'_>) -> Result<(), Stop> {
    let mut command = workspace_test(None);
    command.arg("--no-fail-fast");
    job.run(command).map(drop)
}

/// Tests in the workspace, and with one more feature if that is what they want. Whoever wants some of them takes this
/// and names them, rather than their package: alone, a package builds its dependencies with fewer features, once more.
///
/// The features that bring tests of their own are on; `defmt` is not: its log statements need a board's linker
/// script.
pub(crate) fn workspace_test(feature: Option<&str>) -> Command {
    let mut command = Command::new("cargo");
    command.args(["test", "--workspace", "--features", "eio-core/serde,eio-embassy/embassy-net"]);
    command.args(feature.into_iter().flat_map(|feature| ["--features", feature]));
    command
}

/// Builds the tool, `eio`, for tests that have this feature. The tool's own test has it built, and so with the
/// dependencies that are there already; alone, its package builds them with fewer features, once more.
pub(crate) fn build_tool(job: &mut Job<'_>, feature: &str) -> Result<(), Stop> {
    let mut build = workspace_test(Some(feature));
    build.args(["--test", "tool", "--no-run"]);
    job.run(build).map(drop)
}

/// The version is read from `rust-version`, so that it is written in one place.
pub(crate) fn oldest_compiler(job: &mut Job<'_>) -> Result<(), Stop> {
    let core = job.workspace.package("eio-core");
    let Some(version) = core.and_then(|package| package.rust_version.clone()) else {
        return failed("eio-core names no rust-version");
    };
    let mut list = Command::new("rustup");
    list.args(["toolchain", "list"]);
    let installed = job.run(list)?;
    let matching =
        |name: &&str| name.starts_with(&format!("{version}.")) || name.starts_with(&format!("{version}-"));
    let Some(toolchain) = installed.split_whitespace().find(matching) else {
        return Err(Stop::NotRun(format!(
            "rust {version} is not installed (`rustup toolchain install {version} --profile minimal`); \
             clippy has checked the standard library's functions against that version"
        )));
    };
    let mut check = Command::new("rustup");
    check.args(["run", toolchain, "cargo", "check", "--workspace", "--all-targets"]);
    check.arg("--target-dir").arg(job.workspace.target.join("oldest-compiler"));
    job.run(check).map(drop)
}
