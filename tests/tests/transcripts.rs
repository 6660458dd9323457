//! Every recording of the reference implementations, replayed into the machines: a test per file. Those of Socket.IO 0.9
//! are in the tests of `eio-legacy`.
//!
//! `EIO_TRANSCRIPTS` names another directory of recordings.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use eio_tests::replay::{OWN, Report, Verdict, directory, recordings, replay_file, spread_millis};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let directory = directory(OWN);
    let recordings = match recordings(&directory) {
        Ok(recordings) => recordings,
        Err(error) => {
            eprintln!("{}: {error}", directory.display());
            return ExitCode::FAILURE;
        }
    };
    let reports = Arc::new(Mutex::new(Vec::new()));
    let tests = recordings.into_iter().map(|(name, path)| {
        let reports = Arc::clone(&reports);
        Trial::test(name.clone(), move || {
            let report = replay_file(name, &path);
            let result = match &report.verdict {
                Verdict::Differs(what) => Err(what.into()),
                _ => Ok(()),
            };
            reports.lock().unwrap_or_else(PoisonError::into_inner).push(report);
            result
        })
    });
    let conclusion = libtest_mimic::run(&Arguments::from_args(), tests.collect());
    summarize(&mut reports.lock().unwrap_or_else(PoisonError::into_inner));
    conclusion.exit_code()
}

/// Prints what differs as it is meant to, what was not compared, and the counts.
fn summarize(reports: &mut [Report]) {
    if reports.is_empty() {
        return;
    }
    reports.sort_by(|a, b| a.name.cmp(&b.name));
    let excepted: Vec<_> =
        reports.iter().filter(|report| matches!(report.verdict, Verdict::Excepted(_))).collect();
    for report in &excepted {
        println!("{} {}", report.name, report.verdict);
        report.notes.iter().for_each(|note| println!("    {note}"));
    }
    let sides: usize = reports.iter().map(|report| report.sides).sum();
    println!("{} recordings, {sides} sides of sessions, {} excepted", reports.len(), excepted.len());
    if let Some((compared, least, most)) = spread_millis(reports) {
        println!("{compared} times compared: the recording is {least:.1} to {most:.1} ms later");
    }
}
