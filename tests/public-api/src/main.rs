//! Compares the public API of each published crate with the text in `docs/public-api/`, or writes that text anew.
//!
//! Until a version is published, no tool can tell whether a change breaks users. The committed text shows every change
//! of a public item in the diff of the commit that makes it, and a change without the text fails a test.
//!
//! ```sh
//! cargo run --package eio-public-api           # writes the text anew
//! cargo run --package eio-public-api -- check  # fails if the text differs
//! ```

mod crates;
mod difference;
mod listing;
#[path = "../../../xtask/src/metadata.rs"]
mod metadata;
mod rustdoc;

use std::path::Path;
use std::process::ExitCode;

use crate::crates::Published;

/// The folder of the texts, from the workspace's root.
const FOLDER: &str = "docs/public-api";
/// The command that writes them anew.
const RENEW: &str = "cargo run --package eio-public-api";

fn main() -> ExitCode {
    if let Some(status) = rustdoc::stand_in() {
        return status;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [] => run(write),
        [verb] if verb == "check" => run(check),
        _ => Err("expected no argument, or `check`".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Lists the API of every published crate, and hands the text and its path to `handle`.
fn run(handle: fn(&Path, &str) -> Result<(), String>) -> Result<(), String> {
    let published = Published::read()?;
    rustdoc::describe(&published)?;
    let mut errors = Vec::new();
    for name in &published.names {
        let listing = listing::of(&published.json(name), name)?;
        errors.extend(listing.hidden_crates.iter().map(|foreign| {
            format!("{name} shows types of {foreign} in its signatures, and does not re-export that crate")
        }));
        let path = published.root.join(FOLDER).join(name).with_extension("txt");
        errors.extend(handle(&path, &listing.text).err());
    }
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n\n")) }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, text));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

fn check(path: &Path, text: &str) -> Result<(), String> {
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    match difference::difference(&committed, text) {
        None => Ok(()),
        Some(difference) => Err(format!(
            "the public API differs from {}. If the change is meant, run `{RENEW}` and commit the file.\n{difference}",
            path.display()
        )),
    }
}
