//! rustdoc's description of the crates, as JSON.
//!
//! The form of the JSON is not stable, so rustdoc writes it only if `RUSTC_BOOTSTRAP` is set. If cargo had that
//! variable, the build scripts that look at it would run again, and most dependencies would be built twice. Cargo
//! therefore starts this program in rustdoc's place, and this program sets the variable for rustdoc alone.

use std::process::{Command, ExitCode, Stdio};

use crate::crates::Published;

/// Tells this program that cargo starts it in rustdoc's place.
const STAND_IN: &str = "EIO_STANDS_IN_FOR_RUSTDOC";

/// Has rustdoc describe the crates with all their features, in the form that their pages have.
pub(crate) fn describe(published: &Published) -> Result<(), String> {
    let this_program =
        std::env::current_exe().map_err(|error| format!("this program has no path: {error}"))?;
    let mut command = Command::new("cargo");
    command.args(["doc", "--quiet", "--no-deps", "--lib", "--all-features"]);
    command.args(published.names.iter().flat_map(|name| ["--package", name]));
    command.env("RUSTDOC", this_program).env(STAND_IN, "1");
    // Another part reads the warnings.
    command.env("RUSTDOCFLAGS", "--cfg docsrs -Zunstable-options --output-format=json -Arustdoc::all");
    command.current_dir(&published.root).stdin(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`cargo doc` failed ({status})")),
        Err(error) => Err(format!("`cargo doc` did not start: {error}")),
    }
}

/// Runs rustdoc if cargo started this program in its place.
pub(crate) fn stand_in() -> Option<ExitCode> {
    std::env::var_os(STAND_IN)?;
    let mut rustdoc = Command::new("rustdoc");
    rustdoc.args(std::env::args_os().skip(1)).env("RUSTC_BOOTSTRAP", "1");
    Some(match rustdoc.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("rustdoc did not start: {error}");
            ExitCode::FAILURE
        }
    })
}
