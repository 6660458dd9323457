//! Machine against recording: the first difference, if there is one.

use super::plan::{Emission, GRAIN, JITTER, Recorded, SETTLING, What};
use super::transcript::Micros;

/// What a machine did in a recording's place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Performed {
    /// What it sent, and when that was due.
    pub(crate) emissions: Vec<(Micros, What)>,
    /// When it ended, and why in the reference's words.
    pub(crate) end: Option<(Micros, &'static str)>,
    /// Pings that came before the reference's, because the next one counts from the previous one too: when ours was
    /// due, and when the reference's was.
    pub(crate) capped: Vec<(Micros, Micros)>,
    /// Candidates for an upgrade that were refused before they opened; the recording let them in.
    pub(crate) refused: Vec<(Micros, u64)>,
    /// What the caller should have been told, and was not.
    pub(crate) broken: Option<(Micros, String)>,
}

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
    End { ours: Option<(Micros, &'static str)>, recorded: Option<(Micros, Option<String>)> },
    /// The recording let a candidate in that must be refused.
    Admitted,
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

/// Compares, to the recording's end at `ends`; the spread covers what agreed.
pub(crate) fn compare(recorded: &Recorded, ends: Micros, ours: &Performed) -> (Spread, Option<Difference>) {
    let mut comparison = Comparison { recorded, ends, ours, spread: Spread::default() };
    let mut differences = Vec::new();
    let mut kinds: Vec<What> = Vec::new();
    let recorded_kinds = recorded.emissions.iter().map(|emission| emission.what);
    for what in ours.emissions.iter().map(|(_, what)| *what).chain(recorded_kinds) {
        if !kinds.contains(&what) {
            kinds.push(what);
        }
    }
    for kind in kinds {
        differences.extend(comparison.kind(kind));
    }
    differences.extend(comparison.end());
    differences.extend(ours.refused.iter().map(|(at, _)| Difference { at: *at, kind: Differs::Admitted }));
    if let Some((at, text)) = &ours.broken {
        differences.push(Difference { at: *at, kind: Differs::Broken(text.clone()) });
    }
    // At the same time an end explains more than what was sent because of it.
    let first = differences.into_iter().min_by_key(|difference| {
        let is_cause = matches!(difference.kind, Differs::End { .. } | Differs::Admitted);
        (difference.at, !is_cause)
    });
    (comparison.spread, first)
}

struct Comparison<'c> {
    recorded: &'c Recorded,
    ends: Micros,
    ours: &'c Performed,
    spread: Spread,
}

impl Comparison<'_> {
    /// One kind of packet, each of ours with the recording's next.
    fn kind(&mut self, kind: What) -> Option<Difference> {
        let mut recorded = self.recorded.emissions.iter().filter(|emission| emission.what == kind);
        let ours = self.ours.emissions.iter().filter(|(_, what)| *what == kind);
        for (due, _) in ours {
            // A ping that is earlier than the reference's for a known reason is compared with what the reference's
            // rule says; that reason is an exception of its own.
            let capped = self.ours.capped.iter().find(|(capped, _)| kind == What::Ping && capped == due);
            let expected = capped.map_or(*due, |(_, late)| *late);
            let next = recorded.clone().next();
            match next {
                Some(emission) if self.agrees(kind, expected, emission.at) => {
                    let wire = self
                        .recorded
                        .writable(expected)
                        .map(|(wire, _)| wire)
                        .filter(|wire| *wire <= emission.at)
                        .last();
                    self.spread.note(wire.unwrap_or(expected), emission.at);
                    recorded.next();
                }
                _ if self.may_be_missing(kind, *due) => {}
                _ => {
                    let seen = next.map(|emission| (emission.at, kind));
                    let at = seen.map_or(*due, |(at, _)| at.min(*due));
                    let kind = Differs::Emission { ours: Some((*due, kind)), recorded: seen };
                    return Some(Difference { at, kind });
                }
            }
        }
        let refused = self.ours.refused.iter().any(|(_, conn)| kind == What::CandidateClosed(*conn));
        let over = |emission: &&Emission| !emission.optional && !refused && !self.is_aftermath(emission);
        let extra = recorded.find(over)?;
        let kind = Differs::Emission { ours: None, recorded: Some((extra.at, kind)) };
        Some(Difference { at: extra.at, kind })
    }

    fn agrees(&self, kind: What, expected: Micros, at: Micros) -> bool {
        if is_of_session(kind) {
            self.recorded.agrees(expected, at)
        } else {
            at + GRAIN >= expected && at <= expected + JITTER
        }
    }

    fn may_be_missing(&self, kind: What, due: Micros) -> bool {
        if is_of_session(kind) {
            self.recorded.may_be_missing(due, self.ends)
        } else {
            due + SETTLING >= self.ends
        }
    }

    /// A candidate that is given up because the session has ended.
    fn is_aftermath(&self, emission: &Emission) -> bool {
        let ended = self.recorded.end.as_ref().is_some_and(|end| end.at <= emission.at + GRAIN);
        matches!(emission.what, What::CandidateClosed(_)) && ended
    }

    fn end(&mut self) -> Option<Difference> {
        let recorded = self.recorded.end.as_ref().map(|end| (end.at, end.reason.clone()));
        let ours = self.ours.end;
        let at = match (ours, &recorded) {
            (None, None) => return None,
            (Some((ours, _)), None) if ours + JITTER >= self.ends => return None,
            (Some((ours, _)), None) => ours,
            (None, Some((at, _))) => *at,
            (Some((ours, reason)), Some((at, word))) => {
                let same_word = word.as_deref().is_none_or(|word| word == reason);
                if same_word && at + GRAIN >= ours && *at <= ours + JITTER {
                    self.spread.note(ours, *at);
                    return None;
                }
                ours.min(*at)
            }
        };
        Some(Difference { at, kind: Differs::End { ours, recorded } })
    }
}

/// What waits for a carrier, unlike what an upgrade does on its candidate.
fn is_of_session(kind: What) -> bool {
    matches!(kind, What::Ping | What::Pong | What::Close | What::Noop)
}
