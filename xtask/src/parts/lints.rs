//! What the compiler and its companions say about the source text.

use std::process::Command;

use crate::job::{Job, Stop};

pub(crate) fn fmt(job: &mut Job<'_>) -> Result<(), Stop> {
    job.cargo(["fmt", "--all", "--check"]).map(drop)
}

/// Each crate by itself: in one build of the workspace, a feature that one crate asks for would be on for all.
pub(crate) fn clippy(job: &mut Job<'_>) -> Result<(), Stop> {
    let choices = job.workspace.packages.iter().flat_map(|package| {
        package.feature_choices().into_iter().map(move |choice| {
            let mut command = Command::new("cargo");
            command.args(["clippy", "--no-deps", "--package", &package.name, "--all-targets"]);
            command.args(choice).args(["--", "--deny", "warnings"]);
            command
        })
    });
    job.run_all(choices)
}

pub(crate) fn docs(job: &mut Job<'_>) -> Result<(), Stop> {
    let mut command = Command::new("cargo");
    command
        .args(["doc", "--workspace", "--no-deps", "--all-features", "--document-private-items"])
        .env("RUSTDOCFLAGS", "--deny warnings");
    job.run(command).map(drop)
}
