//! The HTTP side of every recording of a reference server, played to ours: a test per file.
//!
//! A raw client sends the same requests at the recorded times over in-memory connections, on a clock that does not run.
//! Status, the headers that the protocol names, body, WebSocket frames and closes are compared; session identifiers are
//! translated. Heartbeats and ends, and when they come, are compared by the test `transcripts`.
//!
//! `EIO_TRANSCRIPTS` names another directory of recordings.

mod client;
mod exceptions;
mod judge;
mod made;
mod play;
mod recording;
mod setup;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use eio_tests::replay::{OWN, directory, recordings};
use libtest_mimic::{Arguments, Failed, Trial};

use crate::recording::Recording;

/// What a recording's replay found.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Agrees,
    /// Differs as it is meant to; the ids of the reasons.
    Excepted(Vec<&'static str>),
    Differs(String),
}

fn main() -> ExitCode {
    let directory = directory(OWN);
    let recordings = match recordings(&directory) {
        Ok(recordings) => recordings,
        Err(error) => {
            eprintln!("{}: {error}", directory.display());
            return ExitCode::FAILURE;
        }
    };
    let mut tests = made::tests();
    tests.extend(recordings.into_iter().filter_map(|(name, path)| {
        let recording = read(&path).transpose()?;
        Some(Trial::test(name.clone(), move || judge(&name, recording)))
    }));
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

/// Reads a recording. Returns `None` if it is not one of an Engine.IO server.
fn read(path: &Path) -> Result<Option<Arc<Recording>>, String> {
    let json = fs::read_to_string(path).map_err(|error| error.to_string())?;
    Recording::parse(&json).map(|recording| recording.map(Arc::new))
}

/// Judges a recording that could be read, or not. Prints the reasons if it differs as it is meant to.
fn judge(name: &str, recording: Result<Arc<Recording>, String>) -> Result<(), Failed> {
    let recording = recording.map_err(|error| format!("unreadable: {error}"))?;
    match verdict(&recording) {
        Verdict::Agrees => {}
        Verdict::Excepted(ids) => println!("{name} excepted {}", ids.join(",")),
        Verdict::Differs(what) => return Err(what.into()),
    }
    Ok(())
}

fn verdict(recording: &Arc<Recording>) -> Verdict {
    match play::play(recording).and_then(|performance| judge::judge(recording, &performance)) {
        Ok(ids) if ids.is_empty() => Verdict::Agrees,
        Ok(ids) => Verdict::Excepted(ids),
        Err(what) => Verdict::Differs(what),
    }
}
