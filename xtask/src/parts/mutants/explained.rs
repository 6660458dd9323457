//! The committed list of mutants that no test can catch, each with the reason.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::name::Name;
use super::outcome::Outcome;
use crate::job::{Job, Stop};

/// Where it is, from the root: groups of mutants, and the one sentence that explains a group.
pub(crate) const LIST: &str = "tests/data/mutants.json";

/// The mutants of the list.
#[derive(Debug)]
pub(crate) struct Explained(BTreeSet<Name>);

impl Explained {
    pub(crate) fn read(job: &Job<'_>) -> Result<Self, Stop> {
        Self::parse(&job.read_json(LIST)?).map_err(|what| Stop::Failed(format!("{LIST}: {what}")))
    }

    pub(super) fn parse(list: &Value) -> Result<Self, String> {
        let mut names = BTreeSet::new();
        for group in list.as_array().ok_or("expected a list of groups")? {
            let reason = group["reason"].as_str().unwrap_or_default();
            if !reason.ends_with('.') {
                return Err(format!("expected a sentence as `reason`, found {}", group["reason"]));
            }
            for mutant in group["mutants"].as_array().into_iter().flatten() {
                let name = mutant.as_str().ok_or(format!("expected a mutant's name, found {mutant}"))?;
                if !names.insert(Name::new(name)) {
                    return Err(format!("explained twice: {name}"));
                }
            }
        }
        Ok(Self(names))
    }

    pub(crate) fn contains(&self, name: &Name) -> bool {
        self.0.contains(name)
    }

    /// Entries that are of no use: what they name does not exist, or, as far as it was tried, does not survive.
    pub(crate) fn stale(&self, existing: &BTreeSet<&Name>, tried: &BTreeMap<Name, Outcome>) -> Vec<String> {
        let problem = |name: &Name| match tried.get(name) {
            _ if !existing.contains(name) => Some("there is no such mutant"),
            None | Some(Outcome::Survived) => None,
            Some(Outcome::Caught | Outcome::TimedOut) => Some("the tests notice it"),
            Some(Outcome::Unviable) => Some("it does not compile"),
        };
        let complaint = |name: &Name| Some(format!("{}: {LIST} explains {}", problem(name)?, name.as_str()));
        self.0.iter().filter_map(complaint).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_is_stale_when_its_mutant_is_gone_or_noticed_and_not_when_it_was_not_tried() {
        let list = json!([{ "reason": "Nobody sees it.", "mutants": ["a: 1", "a: 2", "a: 3", "b: 1"] }]);
        let explained = Explained::parse(&list).unwrap();
        let names = ["a: 1", "a: 2", "b: 1"].map(Name::new);
        let outcomes = [(names[0].clone(), Outcome::Survived), (names[1].clone(), Outcome::Caught)];
        let stale = explained.stale(&names.iter().collect(), &outcomes.into());
        assert_eq!(stale.len(), 2, "{stale:?}");
        assert!(stale[0].starts_with("the tests notice it") && stale[0].ends_with("a: 2"), "{stale:?}");
        assert!(stale[1].starts_with("there is no such mutant") && stale[1].ends_with("a: 3"), "{stale:?}");
    }

    #[test]
    fn an_entry_without_a_sentence_and_a_second_one_are_refused() {
        for (list, named) in [
            (json!([{ "mutants": ["a: 1"] }]), "sentence"),
            (json!([{ "reason": "It is.", "mutants": ["a: 1", "a: 1"] }]), "twice: a: 1"),
            (json!([{ "reason": "It is.", "mutants": [1] }]), "found 1"),
            (json!({}), "list of groups"),
        ] {
            let error = Explained::parse(&list).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
