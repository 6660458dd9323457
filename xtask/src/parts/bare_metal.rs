//! Microcontrollers: no operating system, no standard library.

use std::process::Command;

use crate::job::{Job, Stop, failed};
use crate::part::BARE_METAL;

/// The core alone, so that no other crate's features join in.
pub(crate) fn build(job: &mut Job<'_>) -> Result<(), Stop> {
    let Some(core) = job.workspace.package("eio-core") else {
        return failed("the workspace has no package eio-core");
    };
    let builds = BARE_METAL.into_iter().flat_map(|target| {
        core.feature_choices().into_iter().map(move |choice| {
            let mut command = Command::new("cargo");
            command.args(["build", "--package", "eio-core", "--target", target]).args(choice);
            command
        })
    });
    job.run_all(builds)
}
