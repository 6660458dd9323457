//! What goes out to users, and what comes in with dependencies.

use std::process::Command;

use crate::job::{Job, Stop};

/// The packages that are published.
const PUBLISHED: [&str; 4] = ["eio-core", "eio-tokio", "eio-embassy", "eio-cli"];

/// `cargo package` builds what it has packed, each package against the others' packages. An uncommitted change is no
/// reason to refuse: a change is tested before it is committed.
pub(crate) fn pack(job: &mut Job<'_>) -> Result<(), Stop> {
    let mut command = Command::new("cargo");
    command.args(["package", "--allow-dirty"]);
    command.args(PUBLISHED.iter().flat_map(|name| ["--package", name]));
    job.run(command).map(drop)
}

pub(crate) fn deny(job: &mut Job<'_>) -> Result<(), Stop> {
    job.cargo(["deny", "check", "bans", "licenses", "sources"]).map(drop)
}

/// Needs a database from the network, and says so where there is none.
pub(crate) fn advisories(job: &mut Job<'_>) -> Result<(), Stop> {
    let mut command = Command::new("cargo");
    command.args(["deny", "check", "advisories"]);
    let (status, printed) = job.outcome(command)?;
    if status.success() {
        Ok(())
    } else if printed.contains("failed to fetch advisory database") {
        Err(Stop::NotRun("the database of advisories could not be fetched".to_owned()))
    } else {
        Err(Stop::Failed("a dependency has a known vulnerability".to_owned()))
    }
}
