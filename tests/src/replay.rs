//! The recordings of the reference implementations, replayed into the machines.
//!
//! ```text
//!   transcript ──▶ wire ──▶ build ──▶ plan ──▶ drive ──▶ judge ──▶ exceptions
//!   the file       by       who is   inputs,  the       the first  is it
//!                  session  tested   recorded machine   difference meant?
//! ```
//!
//! Each side that was a library, in each session of a recording, is taken by a machine. It gets what the peer did, at
//! the recorded times (the loopback of one machine is quicker than the clock's noise), decoded by this project's
//! codecs, and wakes when it asks to. What it sends, when, and why it ends is compared with what the library did:
//!
//! - The recording must never be earlier than the machine, and at most 25 ms later: timers of the recorded
//!   event loops fire late, never early. They count whole milliseconds, so 1 ms is allowed for rounding.
//! - A packet counts from when it was generated. While a side could not write (no poll pending, a post in flight, an
//!   upgrade under way), its packet is expected when it next could.
//! - What HTTP does beside the sessions (status codes, a noop that answers a poll at the end) is not compared.
//! - Nothing may be sent that the recording lacks, nor be lacking.
//!
//! Differences that are meant stand in `exceptions`, keyed by what happened. After one of them the inputs may make
//! no sense any more; the rest of that session is then not compared, unless the reference merely ignored a packet, in
//! which case the replay goes on without it.

mod build;
mod drive;
mod exceptions;
mod judge;
mod legacy;
mod plan;
mod run;
mod says;
#[cfg(test)]
mod tests;
mod transcript;
mod unheard;
mod versions;
mod wire;

use core::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use judge::{Differs, Spread};
use plan::{Plan, Role};
use transcript::{Micros, Transcript};

/// What a recording's replay found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Machines and recording agree.
    Agrees,
    /// They differ as they are meant to; the ids of the reasons.
    Excepted(Vec<&'static str>),
    /// They differ.
    Differs(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agrees => f.write_str("agrees"),
            Self::Excepted(ids) => write!(f, "excepted {}", ids.join(",")),
            Self::Differs(what) => write!(f, "differs {what}"),
        }
    }
}

/// A replayed recording.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The file's name without its ending.
    pub name: String,
    /// What was found.
    pub verdict: Verdict,
    /// How many sides of sessions machines took.
    pub sides: usize,
    /// What was not compared, and why.
    pub notes: Vec<String>,
    spread: Spread,
}

/// The directory of this package's recordings.
pub const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/transcripts");

/// The directory of recordings: the one that the variable `EIO_TRANSCRIPTS` names, or the package's `own`.
#[must_use]
pub fn directory(own: &str) -> PathBuf {
    std::env::var_os("EIO_TRANSCRIPTS").map_or_else(|| PathBuf::from(own), PathBuf::from)
}

/// Returns the recordings in `directory`, the name of each and its path, in the order of their names.
///
/// # Errors
/// Returns an error if the directory cannot be read or holds no recording.
pub fn recordings(directory: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json")
            && let Some(name) = path.file_stem()
        {
            found.push((name.to_string_lossy().into_owned(), path));
        }
    }
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no recording in the directory"));
    }
    found.sort();
    Ok(found)
}

/// Replays every recording in `directory` whose name `wanted` accepts, in the order of their names.
///
/// # Errors
/// Returns an error if the directory cannot be read or holds no recording.
pub fn replay_directory(directory: &Path, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<Report>> {
    let wanted = recordings(directory)?.into_iter().filter(|(name, _)| wanted(name));
    Ok(wanted.map(|(name, path)| replay_file(name, &path)).collect())
}

/// The spread of the differences in time over all that agreed: how many, the least and the greatest, in milliseconds.
/// Positive: the recording was later.
#[must_use]
pub fn spread_millis(reports: &[Report]) -> Option<(usize, f64, f64)> {
    let mut spread = Spread::default();
    for report in reports {
        spread.absorb(report.spread);
    }
    #[expect(clippy::cast_precision_loss, reason = "some milliseconds")]
    (spread.count > 0).then_some((spread.count, spread.least as f64 / 1_000.0, spread.most as f64 / 1_000.0))
}

/// Replays a recording. If it cannot be read, its verdict is that it differs.
#[must_use]
pub fn replay_file(name: String, path: &Path) -> Report {
    let read = fs::read_to_string(path).map_err(|error| error.to_string());
    let transcript = read.and_then(|text| Transcript::parse(&text));
    match transcript {
        Ok(transcript) => replay(name, &transcript),
        Err(error) => unreadable(name, format!("unreadable: {error}")),
    }
}

fn unreadable(name: String, what: String) -> Report {
    let verdict = Verdict::Differs(what);
    Report { name, verdict, sides: 0, notes: Vec::new(), spread: Spread::default() }
}

fn replay(name: String, transcript: &Transcript) -> Report {
    if transcript.generation == "sio09" {
        return legacy::replay(name, transcript);
    }
    let plans = match build::plans(transcript) {
        Ok(plans) => plans,
        Err(error) => return unreadable(name, error),
    };
    let mut report = Report {
        name,
        verdict: Verdict::Agrees,
        sides: plans.len(),
        notes: Vec::new(),
        spread: Spread::default(),
    };
    if plans.is_empty() {
        report.notes.push("no session began: nothing was to be sent, and nothing was".into());
    }
    let mut ids = Vec::new();
    for plan in &plans {
        match judge_plan(plan, &mut report, &mut ids) {
            Ok(()) => {}
            Err(what) => {
                report.verdict = Verdict::Differs(what);
                return report;
            }
        }
    }
    if !ids.is_empty() {
        report.verdict = Verdict::Excepted(ids);
    }
    report
}

/// Replays one side of one session, again and again while exceptions let it go on.
fn judge_plan(plan: &Plan, report: &mut Report, ids: &mut Vec<&'static str>) -> Result<(), String> {
    let mut ignored = Vec::new();
    loop {
        let run = drive::drive(plan, &ignored);
        let (spread, difference) = judge::compare(&plan.recorded, plan.ends, &run.performed);
        if !run.performed.capped.is_empty() {
            note(ids, "12.11");
        }
        let Some(difference) = difference else {
            report.spread.absorb(spread);
            return Ok(());
        };
        let Some(exception) = exceptions::explain(plan, &run, &difference) else {
            return Err(format!("{}: {}", side(plan), describe(&difference.kind)));
        };
        note(ids, exception.id);
        match exception.resume {
            Some(resume) if !ignored.contains(&resume) => ignored.push(resume),
            _ => {
                report.notes.push(format!(
                    "{}: from {} on, not compared after {}",
                    side(plan),
                    millis(difference.at),
                    exception.id
                ));
                return Ok(());
            }
        }
    }
}

fn note(ids: &mut Vec<&'static str>, id: &'static str) {
    if !ids.contains(&id) {
        ids.push(id);
    }
}

fn side(plan: &Plan) -> &'static str {
    match plan.role {
        Role::Server => "server",
        Role::Client => "client",
    }
}

fn describe(kind: &Differs) -> String {
    match kind {
        Differs::Emission { ours, recorded } => format!(
            "ours sent {}, the reference {}",
            ours.map_or("nothing".into(), |(at, what)| format!("{what:?} at {}", millis(at))),
            recorded.map_or("nothing".into(), |(at, what)| format!("{what:?} at {}", millis(at))),
        ),
        Differs::End { ours, recorded } => format!(
            "ours {}, the reference {}",
            ours.map_or("stayed open".into(), |(at, reason)| format!("ended at {}: {reason}", millis(at))),
            recorded.as_ref().map_or("stayed open".into(), |(at, reason)| format!(
                "ended at {}: {}",
                millis(*at),
                reason.as_deref().unwrap_or("for a reason of its own")
            )),
        ),
        Differs::Admitted => "the reference let an upgrade in that must be refused".into(),
        Differs::Broken(text) => text.clone(),
    }
}

fn millis(at: Micros) -> String {
    format!("{}.{:03} ms", at / 1_000, at % 1_000)
}
