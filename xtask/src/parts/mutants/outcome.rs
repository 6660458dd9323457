//! What became of each mutant of a file.

use std::collections::BTreeMap;
use std::path::Path;

use super::name::Name;
use crate::job::Stop;

/// What the tests said of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A test failed.
    Caught,
    /// The tests took many times as long as they do without it, and were stopped: noticed, too.
    TimedOut,
    /// It is no program.
    Unviable,
    /// All tests passed.
    Survived,
}

/// The lists that cargo-mutants leaves behind.
const LISTS: [(&str, Outcome); 4] = [
    ("caught.txt", Outcome::Caught),
    ("timeout.txt", Outcome::TimedOut),
    ("unviable.txt", Outcome::Unviable),
    ("missed.txt", Outcome::Survived),
];

/// Adds what a run of cargo-mutants, whose output is in this folder, says of these mutants. What an earlier run said of the
/// same ones is replaced.
pub(crate) fn add(
    outcomes: &mut BTreeMap<Name, Outcome>,
    folder: &Path,
    mutants: &[(String, Name)],
) -> Result<(), Stop> {
    for (list, outcome) in LISTS {
        let path = folder.join("mutants.out").join(list);
        let broken = |error| Stop::Failed(format!("{}: {error}", path.display()));
        let lines = std::fs::read_to_string(&path).map_err(broken)?;
        for line in lines.lines() {
            let (_, name) = mutants.iter().find(|(known, _)| known == line).ok_or_else(|| {
                Stop::Failed(format!("cargo-mutants did not list what it has tried: {line}"))
            })?;
            outcomes.insert(name.clone(), outcome);
        }
    }
    Ok(())
}

/// How many mutants ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) caught: usize,
    pub(crate) timed_out: usize,
    pub(crate) unviable: usize,
    /// Survivors that the list explains.
    pub(crate) explained: usize,
    /// Survivors that it does not explain.
    pub(crate) unexplained: usize,
}

impl Counts {
    pub(crate) fn of(outcomes: &BTreeMap<Name, Outcome>, is_explained: impl Fn(&Name) -> bool) -> Self {
        let mut counts = Self::default();
        for (name, outcome) in outcomes {
            *match outcome {
                Outcome::Caught => &mut counts.caught,
                Outcome::TimedOut => &mut counts.timed_out,
                Outcome::Unviable => &mut counts.unviable,
                Outcome::Survived if is_explained(name) => &mut counts.explained,
                Outcome::Survived => &mut counts.unexplained,
            } += 1;
        }
        counts
    }

    pub(crate) fn all(self) -> usize {
        self.caught + self.timed_out + self.unviable + self.explained + self.unexplained
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            caught: self.caught + other.caught,
            timed_out: self.timed_out + other.timed_out,
            unviable: self.unviable + other.unviable,
            explained: self.explained + other.explained,
            unexplained: self.unexplained + other.unexplained,
        }
    }
}
