//! What cargo-deny checks in the dependencies.

use std::process::Command;

use crate::job::{Job, Stop, command};

/// The workspaces whose packages end up in other people's programs: the crates, and the boards that people copy.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "embedded-example/Cargo.toml"];

/// Whether each licence, source and version is one that `deny.toml` allows.
pub(crate) fn check(job: &mut Job<'_>) -> Result<(), Stop> {
    job.run_all(in_each_workspace("check bans licenses sources"))
}

/// `cargo deny` with these arguments, for each workspace.
pub(super) fn in_each_workspace(arguments: &str) -> impl Iterator<Item = Command> {
    MANIFESTS.iter().map(move |manifest| {
        command(&format!("cargo deny --config deny.toml --manifest-path {manifest} {arguments}"))
    })
}
