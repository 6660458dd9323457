//! Writes `docs/conformance.md` from the lists in `data/`, or compares a list with the text that it is about.
//!
//! ```sh
//! cargo run --package eio-conformance                                # writes the page anew
//! cargo run --package eio-conformance -- compare websocket TEXT      # compares the words of data/websocket.toml
//! ```
#![forbid(unsafe_code)]

use std::fs;
use std::process::ExitCode;

use eio_conformance::{PAGE, Sources, differences, faults, page, read, root};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [] => write(),
        ["compare", list, text] => compare(list, text),
        _ => Err("expected no argument, or `compare LIST TEXT`".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn write() -> Result<(), String> {
    let lists = read(&root().join("tests/conformance/data"))?;
    fs::write(root().join(PAGE), page(&lists)).map_err(|error| format!("{PAGE}: {error}"))?;
    let faults = faults(&lists, &mut Sources::new(root()));
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

fn compare(list: &str, text: &str) -> Result<(), String> {
    let lists = read(&root().join("tests/conformance/data"))?;
    let list = lists.iter().find(|one| one.name == list).ok_or_else(|| format!("there is no list {list}"))?;
    let text = fs::read_to_string(text).map_err(|error| format!("{text}: {error}"))?;
    let differences = differences(list, &text);
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}
