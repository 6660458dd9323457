//! The demonstration: the board's log and the server's events side by side, until Ctrl-C.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{IMAGES, build_image};
use crate::job::{Job, Stop, command};
use crate::programs::Programs;

/// Builds the image, our server and the program that shows both, which is returned. Without `server`, it starts our
/// own. `key` is the file with the server's public key.
pub(crate) fn prepare(job: &mut Job<'_>, server: Option<&str>, key: Option<&Path>) -> Result<Command, Stop> {
    let images = build_image(job)?;
    if server.is_none() {
        job.cargo("build --package eio-cli")?;
    }
    let mut build = command("cargo build --package eio-tests --features firmware --bin show-firmware");
    let mut show = Command::new(Programs::build(job, &mut build)?.path("show-firmware")?);
    show.args(server).args(key).env(IMAGES, images).stdin(Stdio::null());
    Ok(show)
}

/// Runs what was prepared, on this terminal.
pub(crate) fn show(mut show: Command) -> Result<(), String> {
    match show.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the demonstration ended with {status}, for the reason just above")),
        Err(error) => Err(format!("{}: {error}", show.get_program().to_string_lossy())),
    }
}
