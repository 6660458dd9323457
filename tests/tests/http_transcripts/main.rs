//! The HTTP side of every recording of a reference server, played to ours: a line per file.
//!
//! A raw client sends the same requests at the recorded times over in-memory connections, on a clock that does not run.
//! Status, the headers that the protocol names, body, WebSocket frames and closes are compared; session identifiers are
//! translated. Heartbeats and ends, and when they come, are compared by the test `transcripts`.
//!
//! `EIO_TRANSCRIPTS` names another directory of recordings. An argument keeps the files whose names contain it; the test
//! runner's flags are accepted.

mod client;
mod exceptions;
mod judge;
mod made;
mod play;
mod recording;
mod setup;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use eio_tests::command_line::filters;
use eio_tests::replay::{OWN, directory};

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
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        println!("http_transcripts: test");
        return ExitCode::SUCCESS;
    }
    let filters = filters(&arguments);
    let wanted =
        |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
    let directory = directory(OWN);
    let paths = match recordings(&directory) {
        Ok(paths) => paths,
        Err(error) => {
            eprintln!("{}: {error}", directory.display());
            return ExitCode::FAILURE;
        }
    };
    let paths: Vec<_> = paths.into_iter().filter(|(name, _)| wanted(name)).collect();
    let mut verdicts = judge_all(&paths);
    verdicts.sort_by(|(a, _), (b, _)| a.cmp(b));
    let (mut agree, mut excepted, mut differ) = (0, 0, 0);
    for (name, verdict) in &verdicts {
        match verdict {
            Verdict::Agrees => {
                agree += 1;
                println!("{name} agrees");
            }
            Verdict::Excepted(ids) => {
                excepted += 1;
                println!("{name} excepted {}", ids.join(","));
            }
            Verdict::Differs(what) => {
                differ += 1;
                println!("{name} differs {what}");
            }
        }
    }
    println!("\n{} recordings: {agree} agree, {excepted} excepted, {differ} differ", verdicts.len());
    let (held, broken) = made::check(wanted);
    differ += broken;
    let failed = differ > 0 || (verdicts.is_empty() && filters.is_empty());
    let verdict = if failed { "FAILED" } else { "ok" };
    println!(
        "\ntest result: {verdict}. {} passed; {differ} failed; 0 ignored; 0 measured; 0 filtered out",
        agree + excepted + held
    );
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The files in a directory of recordings, with their names.
fn recordings(directory: &Path) -> std::io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json")
            && let Some(name) = path.file_stem()
        {
            found.push((name.to_string_lossy().into_owned(), path));
        }
    }
    Ok(found)
}

/// Judges all, several at a time. What is no recording of an Engine.IO server is left out.
fn judge_all(paths: &[(String, PathBuf)]) -> Vec<(String, Verdict)> {
    let next = Mutex::new(paths.iter());
    let verdicts = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let taken = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((name, path)) = taken else { return };
                    if let Some(verdict) = judge_file(path) {
                        let mut verdicts = verdicts.lock().unwrap_or_else(PoisonError::into_inner);
                        verdicts.push((name.clone(), verdict));
                    }
                }
            });
        }
    });
    verdicts.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn judge_file(path: &Path) -> Option<Verdict> {
    judge_text(fs::read_to_string(path).map_err(|error| error.to_string()))
}

/// Judges a recording that could be read, or not.
fn judge_text(read: Result<String, String>) -> Option<Verdict> {
    let recording = match read.and_then(|json| Recording::parse(&json)) {
        Ok(recording) => Arc::new(recording?),
        Err(error) => return Some(Verdict::Differs(format!("unreadable: {error}"))),
    };
    let judged = play::play(&recording).and_then(|performance| judge::judge(&recording, &performance));
    Some(match judged {
        Ok(ids) if ids.is_empty() => Verdict::Agrees,
        Ok(ids) => Verdict::Excepted(ids),
        Err(what) => Verdict::Differs(what),
    })
}
