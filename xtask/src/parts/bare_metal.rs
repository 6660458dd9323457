//! Platforms without an operating system and without the standard library: microcontrollers, and WebAssembly.

use crate::job::{Job, Stop, command, failed};
use crate::part::{BARE_METAL, WEB_ASSEMBLY};

/// The packages, and whether each is for WebAssembly as well.
const PACKAGES: [(&str, bool); 3] = [("eio-core", true), ("eio-legacy", true), ("eio-embassy", false)];

/// Builds each package alone, so that no other crate's features join in.
pub(crate) fn build(job: &mut Job<'_>) -> Result<(), Stop> {
    let mut builds = Vec::new();
    for (name, for_web_assembly) in PACKAGES {
        let Some(package) = job.workspace.package(name) else {
            return failed(format!("the workspace has no package {name}"));
        };
        for target in BARE_METAL.into_iter().chain(for_web_assembly.then_some(WEB_ASSEMBLY)) {
            for choice in package.feature_choices() {
                builds.push(command(&format!("cargo build --package {name} --target {target} {choice}")));
            }
        }
    }
    job.run_all(builds)
}
