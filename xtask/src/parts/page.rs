//! The tool's page in a browser.

use crate::install;
use crate::job::{Job, Stop};

/// The npm packages are those of the lock file; the browser is the system's.
pub(crate) fn look(job: &mut Job<'_>) -> Result<(), Stop> {
    install::from_npm(job, "tests/page")?;
    job.cargo(["test", "--package", "eio-cli", "--test", "tool", "--", "--ignored", "page::"])?;
    let screenshots = job.workspace.target.join("tmp").join("page");
    job.note(format!("screenshots: {}", screenshots.display()));
    Ok(())
}
