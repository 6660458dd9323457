//! What cargo says: the packages with their facts, and which of them a crate builds with which features.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Where programs on a system run: the platform of every published crate.
const HOST: &str = "x86_64-unknown-linux-gnu";
/// Boards, for which the crates without std are built as well.
const BOARDS: [&str; 2] = ["thumbv6m-none-eabi", "riscv32imc-unknown-none-elf"];

/// A package's name and version.
pub(crate) type Id = (String, String);

/// What cargo knows about the workspace and its dependencies.
pub(crate) struct Known {
    /// The workspace's root.
    pub(crate) root: PathBuf,
    /// The crates that we publish.
    pub(crate) published: Vec<Published>,
    /// Everybody else's packages.
    pub(crate) packages: BTreeMap<Id, Package>,
}

/// One of our crates.
pub(crate) struct Published {
    pub(crate) name: String,
    /// Each feature, with the crate's own features that it turns on.
    features: BTreeMap<String, Vec<String>>,
    /// Whether boards build it as well.
    is_for_boards: bool,
}

/// One of other people's packages.
pub(crate) struct Package {
    pub(crate) licence: String,
    /// Host and owner of its repository: who keeps it.
    pub(crate) keeper: String,
    pub(crate) has_build_script: bool,
    pub(crate) is_macro: bool,
    /// Where its source is.
    pub(crate) folder: PathBuf,
}

/// How a crate comes to build a package.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// The features that bring it; none if the crate builds it with any features.
    pub(crate) features: Vec<String>,
    /// Whether the crate builds it with the features that it has unless told otherwise.
    pub(crate) by_default: bool,
}

impl Known {
    pub(crate) fn read() -> Result<Self, String> {
        let mut metadata = cargo("metadata --format-version=1 --all-features");
        for platform in [HOST].iter().chain(&BOARDS) {
            metadata.args(["--filter-platform", platform]);
        }
        let metadata: Value = serde_json::from_str(&printed(&mut metadata)?)
            .map_err(|error| format!("cargo metadata printed no JSON: {error}"))?;
        Self::from(&metadata).ok_or_else(|| "cargo metadata has another form than expected".to_owned())
    }

    fn from(metadata: &Value) -> Option<Self> {
        let (ours, theirs): (Vec<_>, Vec<_>) =
            metadata["packages"].as_array()?.iter().partition(|package| package["source"].is_null());
        // `publish = false` is an empty list of registries.
        let published = ours.into_iter().filter(|package| package["publish"].is_null());
        Some(Self {
            root: metadata["workspace_root"].as_str()?.into(),
            published: published.map(Published::from).collect::<Option<_>>()?,
            packages: theirs.into_iter().map(Package::from).collect::<Option<_>>()?,
        })
    }
}

impl Published {
    fn from(package: &Value) -> Option<Self> {
        let categories = package["categories"].as_array()?;
        let features = package["features"].as_object()?.iter().map(|(name, turned_on)| {
            let turned_on = turned_on.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned);
            Some((name.clone(), turned_on.collect()))
        });
        Some(Self {
            name: package["name"].as_str()?.to_owned(),
            features: features.collect::<Option<_>>()?,
            is_for_boards: categories
                .iter()
                .any(|category| category.as_str().is_some_and(|name| name.starts_with("no-std"))),
        })
    }

    /// Every package that the crate builds with some features, and how it comes to it.
    pub(crate) fn ways(&self) -> Result<BTreeMap<Id, Way>, String> {
        let always = self.tree("--no-default-features")?;
        let has = |feature: &str| self.features.contains_key(feature);
        let by_default = if has("default") { self.tree("")? } else { always.clone() };
        let mut brought: BTreeMap<Id, Vec<String>> = BTreeMap::new();
        for feature in self.features.keys().filter(|feature| *feature != "default") {
            for id in self.tree(&format!("--no-default-features --features={feature}"))? {
                brought.entry(id).or_default().push(feature.clone());
            }
        }
        let all = if brought.is_empty() { always.clone() } else { self.tree("--all-features")? };
        Ok(all
            .into_iter()
            .map(|id| {
                let features = brought.get(&id).filter(|_| !always.contains(&id));
                let features = features.map(|features| self.smallest(features)).unwrap_or_default();
                let by_default = by_default.contains(&id);
                // Two features together can bring what neither brings alone.
                let needs_several = features.is_empty() && !always.contains(&id);
                let features = if needs_several { vec!["several".to_owned()] } else { features };
                (id, Way { features, by_default })
            })
            .collect())
    }

    /// Leaves out features that turn on another of them.
    fn smallest(&self, features: &[String]) -> Vec<String> {
        let is_small =
            |feature: &&String| !self.turned_on_by(feature).into_iter().any(|name| features.contains(name));
        features.iter().filter(is_small).cloned().collect()
    }

    /// What a feature turns on, directly or by way of others.
    fn turned_on_by<'a>(&'a self, feature: &'a String) -> Vec<&'a String> {
        let mut reached = vec![feature];
        let mut next = 0;
        while let Some(&name) = reached.get(next) {
            let more = self.features.get(name).into_iter().flatten();
            let new: Vec<_> = more.filter(|name| !reached.contains(name)).collect();
            reached.extend(new);
            next += 1;
        }
        reached.split_off(1)
    }

    /// Other people's packages that the crate builds with these features.
    fn tree(&self, features: &str) -> Result<BTreeSet<Id>, String> {
        let mut tree = cargo("tree --edges normal,build --prefix none --format {p}");
        tree.args(["--package", &self.name, "--target", HOST]).args(features.split_whitespace());
        if self.is_for_boards {
            tree.args(BOARDS.iter().flat_map(|board| ["--target", board]));
        }
        // A line is `name v1.2.3`, with the path of a crate of ours, or a note, after it.
        let ids = printed(&mut tree)?
            .lines()
            .filter(|line| !line.contains('/'))
            .filter_map(|line| {
                let (name, rest) = line.split_once(" v")?;
                Some((name.to_owned(), rest.split(' ').next()?.to_owned()))
            })
            .collect();
        Ok(ids)
    }
}

impl Package {
    fn from(package: &Value) -> Option<(Id, Self)> {
        let id = (package["name"].as_str()?.to_owned(), package["version"].as_str()?.to_owned());
        let kinds: Vec<_> = package["targets"].as_array()?.iter().map(|target| &target["kind"][0]).collect();
        let repository = package["repository"].as_str().unwrap_or_default();
        let manifest = PathBuf::from(package["manifest_path"].as_str()?);
        let this = Self {
            licence: package["license"].as_str().unwrap_or("in a file").to_owned(),
            keeper: keeper(repository),
            has_build_script: kinds.iter().any(|kind| *kind == "custom-build"),
            is_macro: kinds.iter().any(|kind| *kind == "proc-macro"),
            folder: manifest.parent()?.to_owned(),
        };
        Some((id, this))
    }
}

/// Host and owner in the address of a repository.
fn keeper(repository: &str) -> String {
    let address = repository.split_once("://").map_or(repository, |(_, address)| address);
    let address = address.strip_prefix("www.").unwrap_or(address).to_lowercase();
    address.split('/').take(2).collect::<Vec<_>>().join("/")
}

fn cargo(words: &str) -> Command {
    // The one that started this program, if it did: rustup's would look up the toolchain for each question.
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(words.split_whitespace()).arg("--locked");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command
}

fn printed(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("cargo did not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("cargo printed no text: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_the_repository_is_the_keeper_however_the_address_is_written() {
        for address in ["https://github.com/Tokio-rs/bytes", "http://www.github.com/tokio-rs/tokio.git"] {
            assert_eq!(keeper(address), "github.com/tokio-rs");
        }
    }

    #[test]
    fn a_feature_that_turns_on_another_one_is_not_named_beside_it() {
        let features = [("a", vec![]), ("b", vec!["a", "dep:x"]), ("c", vec!["b"])];
        let features =
            features.map(|(name, on)| (name.to_owned(), on.into_iter().map(str::to_owned).collect()));
        let published = Published { name: "any".to_owned(), features: features.into(), is_for_boards: false };
        let smallest = |names: &[&str]| {
            published.smallest(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(smallest(&["a", "b", "c"]), ["a"]);
        assert_eq!(smallest(&["b", "c"]), ["b"]);
        assert_eq!(smallest(&["c"]), ["c"]);
    }
}
