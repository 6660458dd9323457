//! The servers on NestJS and the others in TypeScript, which tests start.

use crate::install;
use crate::job::{Job, Stop};

const FOLDER: &str = "tests/nest";
/// NestJS 11 wants at least this; Debian 12 has 18.
const OLDEST_NODE: u32 = 20;

/// Compiles the servers, and installs what they run on.
pub(crate) fn prepare(job: &mut Job<'_>) -> Result<(), Stop> {
    install::from_npm(job, FOLDER)?;
    install::node_since(job, FOLDER, OLDEST_NODE)?;
    job.run(&mut install::npm(FOLDER, "run build")).map(drop)
}
