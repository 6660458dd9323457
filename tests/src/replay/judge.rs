//! Machine against recording: the first difference, if there is one.

use eio_core::session::DisconnectReason;

use super::drive::{Run, Step};
use super::plan::{Emission, GRAIN, JITTER, Plan, What};
use super::transcript::Micros;

/// The first thing in which a machine and a recording differ.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    pub(crate) at: Micros,
    pub(crate) kind: Differs,
}

/// What differs.
#[derive(Clone, Debug)]
pub(crate) enum Differs {
    /// The machine sent something that the recording lacks, or has at another time.
    Emission { ours: Option<(Micros, What)>, recorded: Option<(Micros, What)> },
    /// The sessions ended otherwise.
    End { ours: Option<(Micros, DisconnectReason)>, recorded: Option<(Micros, Option<String>)> },
    /// The caller was not told what it should have been.
    Broken(String),
}

/// How far apart agreeing times were: the recording's minus the machine's, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spread {
    pub(crate) count: usize,
    pub(crate) least: i64,
    pub(crate) most: i64,
}

impl Default for Spread {
    fn default() -> Self {
        Self { count: 0, least: i64::MAX, most: i64::MIN }
    }
}

impl Spread {
    fn note(&mut self, ours: Micros, recorded: Micros) {
        let apart = recorded.cast_signed() - ours.cast_signed();
        self.count += 1;
        self.least = self.least.min(apart);
        self.most = self.most.max(apart);
    }

    /// Takes another spread in.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.count += other.count;
        self.least = self.least.min(other.least);
        self.most = self.most.max(other.most);
    }
}

/// Compares; the spread covers what agreed.
pub(crate) fn compare(plan: &Plan, run: &Run) -> (Spread, Option<Difference>) {
    let mut spread = Spread::default();
    let mut differences = Vec::new();
    let ours: Vec<(Micros, What)> = run
        .trace
        .iter()
        .filter_map(|(_, step)| match step {
            Step::Emitted { what, due } => Some((*due, *what)),
            _ => None,
        })
        .collect();
    let mut kinds: Vec<What> = Vec::new();
    for what in ours.iter().map(|(_, what)| what).chain(plan.recorded.emissions.iter().map(|e| &e.what)) {
        if !kinds.contains(what) {
            kinds.push(*what);
        }
    }
    for kind in kinds {
        let ours: Vec<Micros> = ours.iter().filter(|(_, what)| *what == kind).map(|(at, _)| *at).collect();
        let recorded: Vec<Emission> =
            plan.recorded.emissions.iter().filter(|emission| emission.what == kind).copied().collect();
        differences.extend(compare_kind(plan, run, kind, &ours, &recorded, &mut spread));
    }
    differences.extend(compare_ends(plan, run, &mut spread));
    if let Some((at, text)) = &run.broken {
        differences.push(Difference { at: *at, kind: Differs::Broken(text.clone()) });
    }
    // At the same time an end explains more than what was sent because of it.
    let first = differences.into_iter().min_by_key(|difference| {
        let is_end = matches!(difference.kind, Differs::End { .. });
        (difference.at, !is_end)
    });
    (spread, first)
}

fn compare_kind(
    plan: &Plan,
    run: &Run,
    kind: What,
    ours: &[Micros],
    recorded: &[Emission],
    spread: &mut Spread,
) -> Option<Difference> {
    let mut recorded = recorded.iter();
    for due in ours {
        // A ping that is earlier than the reference's for a known reason is compared with what the reference's rule
        // says; that reason is an exception of its own.
        let capped = run.capped.iter().find(|(capped, _)| kind == What::Ping && capped == due);
        let expected = capped.map_or(*due, |(_, late)| *late);
        let agreed = |at: Micros| match kind {
            What::Ping | What::Pong | What::Close | What::Noop => plan.recorded.agrees(expected, at),
            What::Probe(_) | What::ProbeAnswer(_) | What::Upgrade(_) | What::CandidateClosed(_) => {
                at + GRAIN >= expected && at <= expected + JITTER
            }
        };
        let missing = || match kind {
            What::Ping | What::Pong | What::Close | What::Noop => plan.recorded.may_be_missing(*due, plan.ends),
            What::Probe(_) | What::ProbeAnswer(_) | What::Upgrade(_) | What::CandidateClosed(_) => {
                due + JITTER >= plan.ends
            }
        };
        let next = recorded.clone().next();
        match next {
            Some(emission) if agreed(emission.at) => {
                let wire = plan.recorded.writable(expected).filter(|wire| emission.at + GRAIN >= *wire).last();
                spread.note(wire.unwrap_or(expected), emission.at);
                recorded.next();
            }
            _ if missing() => {}
            _ => {
                let seen = next.map(|emission| (emission.at, kind));
                let at = seen.map_or(*due, |(at, _)| at.min(*due));
                return Some(Difference { at, kind: Differs::Emission { ours: Some((*due, kind)), recorded: seen } });
            }
        }
    }
    let extra = recorded.find(|emission| !emission.optional)?;
    let seen = Some((extra.at, kind));
    Some(Difference { at: extra.at, kind: Differs::Emission { ours: None, recorded: seen } })
}

fn compare_ends(plan: &Plan, run: &Run, spread: &mut Spread) -> Option<Difference> {
    let recorded = plan.recorded.end.as_ref().map(|end| (end.at, end.reason.clone()));
    let differs = |at| Some(Difference { at, kind: Differs::End { ours: run.end, recorded: recorded.clone() } });
    match (&run.end, &recorded) {
        (None, None) => None,
        (Some((ours, _)), None) if ours + JITTER >= plan.ends => None,
        (Some((ours, _)), None) => differs(*ours),
        (None, Some((at, _))) => differs(*at),
        (Some((ours, reason)), Some((at, word))) => {
            let same_word = word.as_deref().is_none_or(|word| word == reason.as_str());
            let in_time = at + GRAIN >= *ours && *at <= ours + JITTER;
            if same_word && in_time {
                spread.note(*ours, *at);
                None
            } else {
                differs((*ours).min(*at))
            }
        }
    }
}
