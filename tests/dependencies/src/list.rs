//! The list that people write: who keeps the packages, and why each of them is trusted.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::cargo::{Id, Known};

/// `tests/data/dependencies.toml`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct List {
    /// By host and owner of the repository.
    pub(crate) keepers: BTreeMap<String, Keeper>,
    /// What a package does while a user's program is built, for those with a build script or macros.
    pub(crate) at_build: BTreeMap<String, String>,
}

/// Who keeps some packages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keeper {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Why we trust them.
    pub(crate) trust: String,
    /// What each package does for us.
    #[serde(default)]
    pub(crate) packages: BTreeMap<String, String>,
}

/// How many people a keeper is.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Several people who can each continue without the others, or a company that depends on it.
    Several,
    /// One person whom the field knows by much-used work.
    KnownPerson,
    /// One person of whom we know little more than this.
    Person,
}

impl List {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// Every difference between the list and what users build, each as a sentence that says what to do.
    pub(crate) fn differences(&self, known: &Known, built: &BTreeSet<Id>) -> Vec<String> {
        let mut sentences = Vec::new();
        let mut names = BTreeSet::new();
        let mut at_build = BTreeSet::new();
        for id in built {
            let (name, version) = id;
            let Some(package) = known.packages.get(id) else {
                sentences.push(format!("{name} {version} is built, and cargo metadata does not know it"));
                continue;
            };
            names.insert(name);
            let keeper = package.keeper.as_str();
            let listed = self.keepers.iter().find(|(_, listed)| listed.packages.contains_key(name));
            match listed {
                Some((listed, _)) if listed == keeper => {}
                Some((listed, _)) => sentences.push(format!(
                    "{name} {version} is kept by {keeper}, and by {listed} in the list: find out why it moved before you move its line"
                )),
                None => sentences.push(format!(
                    "{name} {version} of {keeper} is new: `cargo tree --invert {name}@{version}` shows who brought it. Do \
                     without it, or read its source and write it into the list, with what it does for us"
                )),
            }
            let runs = match (package.has_build_script, package.is_macro) {
                (false, false) => continue,
                (true, false) => "a build script",
                (false, true) => "macros",
                (true, true) => "a build script and macros",
            };
            at_build.insert(name);
            if !self.at_build.contains_key(name) {
                sentences.push(format!(
                    "{name} {version} has code that runs while a user's program is built ({runs}): read it, and write \
                     what it does under `at-build`"
                ));
            }
        }
        let listed = self.keepers.values().flat_map(|keeper| keeper.packages.keys());
        sentences.extend(
            listed
                .filter(|name| !names.contains(name))
                .map(|name| format!("{name} is not built any more: delete its line")),
        );
        let idle = self.at_build.keys().filter(|name| !at_build.contains(name));
        sentences.extend(idle.map(|name| {
            format!("{name} has neither a build script nor macros any more: delete its line under `at-build`")
        }));
        sentences.extend(
            self.keepers
                .iter()
                .filter(|(_, keeper)| keeper.packages.is_empty())
                .map(|(address, _)| format!("{address} keeps none of the packages any more: delete it")),
        );
        sentences
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::cargo::Package;

    const LIST: &str = r#"
        [at-build]
        old-macro = "writes code"
        [keepers."example.org/ann"]
        name = "Ann"
        kind = "person"
        trust = "it is short"
        packages.old-macro = "writes code for us"
        packages.gone = "nothing any more"
    "#;

    fn differences(name: &str, keeper: &str, has_build_script: bool) -> Vec<String> {
        let id: Id = (name.to_owned(), "1.0.0".to_owned());
        let package = Package {
            licence: "MIT".to_owned(),
            keeper: keeper.to_owned(),
            has_build_script,
            is_macro: name == "old-macro",
            folder: PathBuf::new(),
        };
        let known = Known {
            root: PathBuf::new(),
            published: Vec::new(),
            packages: BTreeMap::from([(id.clone(), package)]),
        };
        List::read(LIST).unwrap().differences(&known, &BTreeSet::from([id]))
    }

    #[test]
    fn what_is_listed_by_its_keeper_needs_no_word() {
        let sentences = differences("old-macro", "example.org/ann", false);
        assert_eq!(sentences, ["gone is not built any more: delete its line"]);
    }

    #[test]
    fn a_package_with_a_new_owner_is_noticed() {
        let sentences = differences("old-macro", "example.org/mallory", false);
        assert!(sentences[0].starts_with("old-macro 1.0.0 is kept by example.org/mallory"), "{sentences:?}");
    }

    #[test]
    fn a_new_package_and_its_build_script_are_noticed() {
        let sentences = differences("new", "example.org/ann", true);
        assert!(sentences[0].starts_with("new 1.0.0 of example.org/ann is new"), "{sentences:?}");
        assert!(sentences[1].starts_with("new 1.0.0 has code that runs while"), "{sentences:?}");
        assert!(
            sentences.contains(
                &"old-macro has neither a build script nor macros any more: delete its line under `at-build`"
                    .to_owned()
            )
        );
    }
}
