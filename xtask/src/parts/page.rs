//! The tool's page in a browser.

use crate::install;
use crate::job::{Job, Stop};
use crate::parts::host::{run_tests, workspace_test};

/// The npm packages are those of the lock file; the browser is the system's.
pub(crate) fn look(job: &mut Job<'_>) -> Result<(), Stop> {
    install::from_npm(job, "tests/page")?;
    run_tests(job, &mut workspace_test("--test tool -- --ignored page::"))?;
    let screenshots = job.workspace.target.join("tmp").join("page");
    job.note(format!("screenshots: {}", screenshots.display()));
    Ok(())
}
