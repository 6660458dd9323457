//! Compares the public API of each published crate with the text in `docs/public-api/`, or writes that text anew.
//!
//! Until a version is published, no tool can tell whether a change breaks users. The committed text shows every change
//! of a public item in the diff of the commit that makes it, and a change without the text fails a test.
//!
//! ```sh
//! cargo run --package eio-public-api           # writes the text anew
//! cargo run --package eio-public-api -- check  # fails if the text differs
//! ```
#![forbid(unsafe_code)]

mod committed;
mod crates;
mod difference;
mod listing;
#[path = "../../../xtask/src/metadata.rs"]
mod metadata;
mod rustdoc;

use std::process::ExitCode;

use crate::committed::Handle;
use crate::crates::Published;

/// The folder of the texts, from the workspace's root.
const FOLDER: &str = "docs/public-api";
/// The command that writes them anew.
const RENEW: &str = "cargo run --package eio-public-api";

fn main() -> ExitCode {
    if let Some(status) = rustdoc::stand_in() {
        return status;
    }
    committed::main(RENEW, run)
}

/// Lists the API of every published crate, and hands the text and its path to `handle`.
fn run(handle: Handle<'_>) -> Result<(), String> {
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
