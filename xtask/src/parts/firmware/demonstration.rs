//! The demonstration: the board's log and the server's events side by side, until Ctrl-C.

use std::process::{Command, Stdio};

use super::build_image;
use crate::job::{Job, Stop, failed};

/// Builds the image, our server and the program that shows both, and runs it. Without `server`, our own is started.
pub(crate) fn demonstrate(job: &mut Job<'_>, server: Option<&str>) -> Result<(), Stop> {
    build_image(job)?;
    if server.is_none() {
        job.cargo(["build", "--package", "eio-cli"])?;
    }
    job.cargo(["build", "--package", "eio-tests", "--features", "firmware", "--bin", "show-firmware"])?;
    let mut show = Command::new(job.workspace.target.join("debug/show-firmware"));
    show.args(server).stdin(Stdio::null());
    match show.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => failed(format!("the demonstration ended with {status}")),
        Err(error) => failed(format!("{show:?}: {error}")),
    }
}
