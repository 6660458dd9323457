//! Microcontrollers: no operating system, no standard library.

use crate::job::{Job, Stop, command, failed};
use crate::part::BARE_METAL;

/// What runs on microcontrollers.
const PACKAGES: [&str; 2] = ["eio-core", "eio-embassy"];

/// Builds each package alone, so that no other crate's features join in.
pub(crate) fn build(job: &mut Job<'_>) -> Result<(), Stop> {
    let mut builds = Vec::new();
    for name in PACKAGES {
        let Some(package) = job.workspace.package(name) else {
            return failed(format!("the workspace has no package {name}"));
        };
        for target in BARE_METAL {
            for choice in package.feature_choices() {
                builds.push(command(&format!("cargo build --package {name} --target {target} {choice}")));
            }
        }
    }
    job.run_all(builds)
}
