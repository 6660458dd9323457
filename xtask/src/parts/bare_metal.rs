//! Microcontrollers: no operating system, no standard library.

use crate::job::{Job, Stop, failed};
use crate::part::BARE_METAL;

/// The core alone, so that no other crate's features join in.
pub(crate) fn build(job: &mut Job<'_>) -> Result<(), Stop> {
    let Some(core) = job.workspace.package("eio-core") else {
        return failed("the workspace has no package eio-core");
    };
    for target in BARE_METAL {
        for choice in core.feature_choices() {
            let mut arguments = vec!["build", "--package", "eio-core", "--target", target];
            arguments.extend(choice.iter().map(String::as_str));
            job.cargo(arguments)?;
        }
    }
    Ok(())
}
