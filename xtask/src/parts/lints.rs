//! What the compiler and its companions say about the source text.

use std::process::Command;

use crate::job::{Job, Stop};

pub(crate) fn fmt(job: &mut Job<'_>) -> Result<(), Stop> {
    job.cargo(["fmt", "--all", "--check"]).map(drop)
}

/// Each crate by itself: in one build of the workspace, a feature that one crate asks for would be on for all.
pub(crate) fn clippy(job: &mut Job<'_>) -> Result<(), Stop> {
    for package in &job.workspace.packages {
        for choice in package.feature_choices() {
            let mut arguments = vec!["clippy", "--no-deps", "--package", &package.name, "--all-targets"];
            arguments.extend(choice.iter().map(String::as_str));
            arguments.extend(["--", "--deny", "warnings"]);
            job.cargo(arguments)?;
        }
    }
    Ok(())
}

pub(crate) fn docs(job: &mut Job<'_>) -> Result<(), Stop> {
    let mut command = Command::new("cargo");
    command
        .args(["doc", "--workspace", "--no-deps", "--all-features", "--document-private-items"])
        .env("RUSTDOCFLAGS", "--deny warnings");
    job.run(command).map(drop)
}
