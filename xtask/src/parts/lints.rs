//! What the compiler and its companions say about the source text.

use crate::job::{Job, Stop, command};

/// Lints each crate by itself: in one build of the workspace, a feature that one crate asks for would be on for all.
///
/// A crate whose manifest lists choices is a library whose tests bring features that it has to ask for itself. So each
/// choice is linted without the tests, and all features once with them.
pub(crate) fn clippy(job: &mut Job<'_>) -> Result<(), Stop> {
    let choices = job.workspace.packages.iter().flat_map(|package| {
        let name = &package.name;
        let is_listed = !package.choices.is_empty();
        let targets = if is_listed { "--lib" } else { "--all-targets" };
        let choices = package.feature_choices().into_iter().map(move |choice| format!("{targets} {choice}"));
        let with_tests = is_listed.then(|| "--all-targets --all-features".to_owned());
        choices.chain(with_tests).map(move |choice| {
            command(&format!("cargo clippy --no-deps --package {name} {choice} -- --deny warnings"))
        })
    });
    job.run_all(choices)
}

pub(crate) fn docs(job: &mut Job<'_>) -> Result<(), Stop> {
    let mut docs = command("cargo doc --workspace --no-deps --all-features --document-private-items");
    job.run(docs.env("RUSTDOCFLAGS", "--deny warnings")).map(drop)
}
