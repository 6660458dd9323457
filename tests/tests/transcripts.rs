//! Every recording of the reference implementations, replayed into the machines: a line per file. Those of Socket.IO 0.9
//! are in the tests of `eio-legacy`.
//!
//! `EIO_TRANSCRIPTS` names another directory of recordings. An argument keeps the files whose names contain it;
//! `--nocapture` and the test runner's other flags are accepted, and `--notes` tells what was not compared.

use std::process::ExitCode;

use eio_tests::command_line::filters;
use eio_tests::replay::{OWN, Report, Verdict, directory, replay_directory, spread_millis};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let listing = arguments.iter().any(|argument| argument == "--list");
    let notes = arguments.iter().any(|argument| argument == "--notes");
    let filters = filters(&arguments);
    let directory = directory(OWN);
    let wanted =
        |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
    if listing {
        println!("transcripts: test");
        return ExitCode::SUCCESS;
    }
    let reports = match replay_directory(&directory, wanted) {
        Ok(reports) => reports,
        Err(error) => {
            eprintln!("{}: {error}", directory.display());
            return ExitCode::FAILURE;
        }
    };
    for report in &reports {
        println!("{} {}", report.name, report.verdict);
        if notes {
            report.notes.iter().for_each(|note| println!("    {note}"));
        }
    }
    // A filter that is meant for other tests of a run finds nothing here, which is no failure.
    let is_empty = reports.is_empty() && filters.is_empty();
    if summarize(&reports, is_empty) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The closing lines; true if there was something to replay, and nothing differs.
fn summarize(reports: &[Report], is_empty: bool) -> bool {
    let count =
        |wanted: fn(&Verdict) -> bool| reports.iter().filter(|report| wanted(&report.verdict)).count();
    let agree = count(|verdict| matches!(verdict, Verdict::Agrees));
    let excepted = count(|verdict| matches!(verdict, Verdict::Excepted(_)));
    let differ = reports.len() - agree - excepted;
    let sides: usize = reports.iter().map(|report| report.sides).sum();
    println!();
    println!(
        "{} recordings, {sides} sides of sessions: {agree} agree, {excepted} excepted, {differ} differ",
        reports.len()
    );
    if let Some((compared, least, most)) = spread_millis(reports) {
        println!("{compared} times compared: the recording is {least:.1} to {most:.1} ms later");
    }
    let passed = differ == 0 && !is_empty;
    let verdict = if passed { "ok" } else { "FAILED" };
    println!();
    println!(
        "test result: {verdict}. {} passed; {differ} failed; 0 ignored; 0 measured; 0 filtered out",
        agree + excepted
    );
    passed
}
