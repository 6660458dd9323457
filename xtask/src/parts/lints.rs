//! What the compiler and its companions say about the source text.

use crate::job::{Job, Stop, command};

/// Lints each crate by itself: in one build of the workspace, a feature that one crate asks for would be on for all.
pub(crate) fn clippy(job: &mut Job<'_>) -> Result<(), Stop> {
    let choices = job.workspace.packages.iter().flat_map(|package| {
        package.feature_choices().into_iter().map(move |choice| {
            let name = &package.name;
            command(&format!(
                "cargo clippy --no-deps --package {name} --all-targets {choice} -- --deny warnings"
            ))
        })
    });
    job.run_all(choices)
}

pub(crate) fn docs(job: &mut Job<'_>) -> Result<(), Stop> {
    let mut docs = command("cargo doc --workspace --no-deps --all-features --document-private-items");
    job.run(docs.env("RUSTDOCFLAGS", "--deny warnings")).map(drop)
}
