//! What the compiler and its companions say about the source text.

use crate::job::{Job, Stop, command};

/// Lints each crate by itself: in one build of the workspace, a feature that one crate asks for would be on for all.
///
/// With each choice of features, only what users build is linted: tests would turn on the features of dependencies that
/// they need, and hide that a crate forgot to ask for one. Tests, examples and benches are linted once, with everything
/// on; they also take three times as long. What is not published has no other users than these.
pub(crate) fn clippy(job: &mut Job<'_>) -> Result<(), Stop> {
    let choices = job.workspace.packages.iter().flat_map(|package| {
        let everything = "--all-targets --all-features".to_owned();
        let of_users = if package.is_published { package.feature_choices() } else { Vec::new() };
        of_users.into_iter().chain([everything]).map(move |choice| {
            command(&format!("cargo clippy --no-deps --package {} {choice} -- --deny warnings", package.name))
        })
    });
    job.run_all(choices)
}

pub(crate) fn docs(job: &mut Job<'_>) -> Result<(), Stop> {
    let mut docs = command("cargo doc --workspace --no-deps --all-features --document-private-items");
    job.run(docs.env("RUSTDOCFLAGS", "--deny warnings")).map(drop)
}
