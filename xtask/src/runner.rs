//! Runs the chosen parts, to the last, and closes with the summary.

use core::fmt::Write as _;
use core::time::Duration;
use std::path::Path;

use crate::job::{Job, Stop};
use crate::lanes;
use crate::need::{self, Need};
use crate::part::{EMULATED_BOARD, Part};
use crate::parts::firmware::boards::BOARDS;
use crate::parts::firmware::{self, boards};
use crate::record::{self, Circumstances};
use crate::shard::Shard;
use crate::stopwatch::{Spoken, Stopwatch};
use crate::workspace::Workspace;

/// How parts run.
#[derive(Debug)]
pub(crate) struct Manner {
    /// Whether people see the output of every command.
    pub(crate) verbose: bool,
    /// Whether what the parts find goes into the page of what parts found.
    pub(crate) record: bool,
    /// The share of those parts that have shares.
    pub(crate) shard: Shard,
}

/// Runs the parts. Returns true if none failed.
pub(crate) fn run(parts: &[&Part], manner: &Manner, workspace: &Workspace) -> Result<bool, String> {
    let circumstances = if manner.record { Some(circumstances(workspace)?) } else { None };
    let watch = Stopwatch::start();
    let names: Vec<_> = parts.iter().map(|part| part.name).collect();
    println!("Running {}; logs in {}", names.join(", "), workspace.target.join("xtask").display());
    let run_one = |position, part: &Part| {
        let label = format!("[{position:2}/{}]", parts.len());
        report(part, &label, manner, circumstances.as_ref(), workspace)
    };
    // What several parts print as it happens would be hard to read.
    let reports =
        if manner.verbose { lanes::in_order(parts, run_one) } else { lanes::beside(parts, run_one) };
    print!("{}", summary(&reports, watch.elapsed()));
    Ok(!reports.iter().any(Report::has_failed))
}

/// When and where the parts run.
fn circumstances(workspace: &Workspace) -> Result<Circumstances, String> {
    const LIMIT: Duration = Duration::from_mins(1);
    let mut job = Job::start(workspace, "record", LIMIT, false).map_err(|error| error.to_string())?;
    Circumstances::find(&mut job).map_err(|stop| stop.sentence().to_owned())
}

/// Shows the firmware at work, until Ctrl-C or until the board stops.
pub(crate) fn demonstrate(
    workspace: &Workspace,
    server: Option<&str>,
    key: Option<&Path>,
) -> Result<(), String> {
    const LIMIT: Duration = Duration::from_mins(30);
    if let Some((_, sentence)) = set_up("set-up", &EMULATED_BOARD, false, workspace).into_iter().next() {
        return Err(sentence);
    }
    let mut job = Job::start(workspace, "show-firmware", LIMIT, false).map_err(|error| error.to_string())?;
    println!("Building the board's image, a server and this display; the first time takes some minutes.");
    let prepared = firmware::prepare(&mut job, server, key);
    let (_, transcript, _) = job.finish();
    firmware::show(prepared.map_err(|stop| format!("{transcript}{}", stop.sentence()))?)
}

/// Builds a copy of a board's folder, and says how large the image is.
pub(crate) fn build_board(workspace: &Workspace, name: &str) -> Result<(), String> {
    const LIMIT: Duration = Duration::from_hours(1);
    let board = BOARDS.iter().find(|board| board.name == name);
    let board = board.ok_or_else(|| format!("there is no board {name}"))?;
    if let Some((_, sentence)) = set_up("set-up", &board.needs(), false, workspace).into_iter().next() {
        return Err(sentence);
    }
    let log = format!("board-{name}");
    let mut job = Job::start(workspace, &log, LIMIT, false).map_err(|error| error.to_string())?;
    println!("Building a copy of the board's folder; the first time takes some minutes.");
    let built = boards::build(&mut job, [board]);
    let (_, transcript, notes) = job.finish();
    built.map_err(|stop| format!("{transcript}{}", stop.sentence()))?;
    println!("{}", notes.join("\n"));
    Ok(())
}

/// How a part went.
struct Report {
    name: &'static str,
    result: Result<(), Stop>,
    took: Duration,
    /// The test runners' own closing lines.
    test_results: Vec<String>,
    /// What the test runners say of the tests that failed.
    failed_tests: Vec<String>,
}

impl Report {
    fn has_failed(&self) -> bool {
        matches!(self.result, Err(Stop::Failed(_)))
    }

    fn word(&self) -> &'static str {
        match self.result {
            Ok(()) => "passed",
            Err(Stop::Failed(_)) => "FAILED",
            Err(Stop::NotRun(_)) => "not run",
        }
    }
}

/// Installs what is needed and missing; `log` names the log file. Returns what could not be installed, each with the
/// reason.
pub(crate) fn set_up(
    log: &str,
    wanted: &[Need],
    verbose: bool,
    workspace: &Workspace,
) -> Vec<(Need, String)> {
    const LIMIT: Duration = Duration::from_mins(20);
    let needs: Vec<Need> = wanted.iter().copied().filter(|need| !need.is_met()).collect();
    if needs.is_empty() {
        return Vec::new();
    }
    let mut job = match Job::start(workspace, log, LIMIT, verbose) {
        Ok(job) => job,
        Err(error) => return needs.into_iter().map(|need| (need, error.to_string())).collect(),
    };
    let unmet = need::provide(&needs, &mut job);
    let (took, transcript, _) = job.finish();
    let mut text = if unmet.is_empty() || verbose { String::new() } else { transcript };
    for (_, sentence) in &unmet {
        let _ = writeln!(text, "[set-up] {sentence}");
    }
    let names: Vec<_> = needs.iter().map(|need| need.name()).collect();
    let ended = if unmet.is_empty() { "done in" } else { "not complete after" };
    println!("{text}[set-up] {}: {ended} {}", names.join(", "), Spoken(took));
    unmet
}

/// Installs what one part needs, runs it, and prints how it went.
fn report(
    part: &Part,
    label: &str,
    manner: &Manner,
    circumstances: Option<&Circumstances>,
    workspace: &Workspace,
) -> Report {
    let &Manner { verbose, shard, .. } = manner;
    let unmet = set_up(&format!("set-up-{}", part.name), part.needs, verbose, workspace);
    println!("{label} {}: {}", part.name, part.about);
    let limit = Duration::from_mins(part.limit_minutes);
    let (result, took, transcript, notes) = match Job::start(workspace, part.name, limit, verbose) {
        Err(error) => {
            let stop = Stop::Failed(format!("its log cannot be written: {error}"));
            (Err(stop), Duration::ZERO, String::new(), vec![])
        }
        Ok(mut job) => {
            job.shard = shard;
            let result = match unmet.first() {
                Some((_, sentence)) => Err(Stop::Failed(sentence.clone())),
                None => (part.run)(&mut job),
            };
            let (took, transcript, notes) = job.finish();
            (result, took, transcript, notes)
        }
    };
    let test_results = test_results(&transcript);
    let result = result.and_then(|()| {
        // A share is not the part.
        let Some(circumstances) = circumstances.filter(|_| shard == Shard::WHOLE) else { return Ok(()) };
        record::write(workspace, part, circumstances, took, &notes, &test_results).map_err(Stop::Failed)
    });
    let report =
        Report { name: part.name, result, took, test_results, failed_tests: failed_tests(&transcript) };
    // Printed at once: another part may run beside it.
    let mut text = if report.has_failed() && !verbose { transcript } else { String::new() };
    for note in notes {
        let _ = writeln!(text, "{label} {}: {note}", part.name);
    }
    let why = report.result.as_ref().err().map(|stop| format!(": {}", stop.sentence())).unwrap_or_default();
    println!("{text}{label} {}: {} in {}{why}", part.name, report.word(), Spoken(took));
    report
}

/// Returns the test runners' own closing lines, each below the line that says what was tested.
fn test_results(transcript: &str) -> Vec<String> {
    const KEPT: [&str; 3] = ["Running ", "Doc-tests ", "test result: "];
    let lines = transcript.lines().map(str::trim);
    lines.filter(|line| KEPT.iter().any(|start| line.starts_with(start))).map(str::to_owned).collect()
}

/// Returns the lines that name a test that failed, and those that say where a test panicked, with the first line of what
/// it said.
fn failed_tests(transcript: &str) -> Vec<String> {
    let lines: Vec<_> = transcript.lines().map(str::trim).collect();
    let mut failed = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if line.starts_with("test ") && line.ends_with("... FAILED") {
            failed.push((*line).to_owned());
        } else if line.starts_with("thread '") && line.contains(" panicked at ") {
            failed.push(format!("{line} {}", lines.get(index + 1).copied().unwrap_or_default()));
        }
    }
    failed
}

/// The table of the parts, the test runners' lines, why parts failed, and the count that closes it all.
fn summary(reports: &[Report], took: Duration) -> String {
    let width = reports.iter().map(|report| report.name.len()).max().unwrap_or(0).max("together".len());
    let mut lines = vec![String::new(), format!("{:width$}  {:7}  {:>12}", "part", "result", "time")];
    for report in reports {
        let why =
            report.result.as_ref().err().map(|stop| format!("  {}", stop.sentence())).unwrap_or_default();
        lines.push(format!("{:width$}  {:7}  {:>12}{why}", report.name, report.word(), Spoken(report.took)));
    }
    lines.push(format!("{:width$}  {:7}  {:>12}", "together", "", Spoken(took)));
    let results: Vec<_> = reports.iter().flat_map(|report| &report.test_results).cloned().collect();
    if !results.is_empty() {
        lines.push(String::new());
        lines.extend(results);
    }
    let count = |word| reports.iter().filter(|report| report.word() == word).count();
    lines.push(String::new());
    if count("not run") > 0 {
        lines.push(format!("{} not run, for the reason given above", count("not run")));
    }
    for report in reports.iter().filter(|report| report.has_failed()) {
        let sentence = report.result.as_ref().err().map(Stop::sentence).unwrap_or_default();
        lines.extend(report.failed_tests.iter().map(|line| format!("  {line}")));
        lines.push(format!("{} failed: {sentence}", report.name));
    }
    lines.push(format!("{} passed, {} failed", count("passed"), count("FAILED")));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn went(name: &'static str, result: Result<(), Stop>) -> Report {
        Report { name, result, took: Duration::from_secs(2), test_results: vec![], failed_tests: vec![] }
    }

    #[test]
    fn the_last_lines_say_why_parts_failed_and_count_them() {
        let mut reports = [
            went("one", Ok(())),
            went("two", Err(Stop::Failed("it broke".to_owned()))),
            went("three", Err(Stop::NotRun("no such compiler".to_owned()))),
        ];
        // However many tests there were.
        reports[0].test_results = vec!["test result: ok. 3 passed".to_owned(); 100];
        reports[1].failed_tests = vec!["test three ... FAILED".to_owned()];
        let text = summary(&reports, Duration::from_secs(6));
        let last: Vec<_> = text.lines().rev().take(4).collect();
        assert_eq!(
            last,
            [
                "1 passed, 1 failed",
                "two failed: it broke",
                "  test three ... FAILED",
                "1 not run, for the reason given above",
            ]
        );
        assert!(text.contains("FAILED") && text.contains("it broke"), "{text}");
        assert!(text.contains("1 not run") && text.contains("no such compiler"), "{text}");
    }

    #[test]
    fn the_tests_that_failed_are_kept_with_the_place_and_what_they_said() {
        let transcript = "test one ... ok\n\
             test b::two ... FAILED\n\
             ---- b::two stdout ----\n\
             thread 'b::two' (17) panicked at src/lib.rs:3:5:\n\
             assertion failed\n\
             note: run with `RUST_BACKTRACE=1`\n";
        assert_eq!(
            failed_tests(transcript),
            ["test b::two ... FAILED", "thread 'b::two' (17) panicked at src/lib.rs:3:5: assertion failed",]
        );
    }

    #[test]
    fn the_test_runners_closing_lines_are_kept_with_what_they_speak_of() {
        let transcript = "     Running unittests src/lib.rs (target/debug/deps/eio_core-0123abcd)\n\
             running 3 tests\n\
             test result: ok. 3 passed; 0 failed; 0 ignored\n\
             \x20  Doc-tests eio_core\n\
             test result: ok. 5 passed; 0 failed; 0 ignored\n";
        assert_eq!(
            test_results(transcript),
            [
                "Running unittests src/lib.rs (target/debug/deps/eio_core-0123abcd)",
                "test result: ok. 3 passed; 0 failed; 0 ignored",
                "Doc-tests eio_core",
                "test result: ok. 5 passed; 0 failed; 0 ignored",
            ]
        );
    }
}
