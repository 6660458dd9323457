//! What `cargo metadata` says about the workspace.

use std::env;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::metadata;

/// The workspace that this program was built in.
pub(crate) struct Workspace {
    /// The repository's root.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds.
    pub(crate) target: PathBuf,
    /// The members, in the order of their names.
    pub(crate) packages: Vec<Package>,
}

/// A member of the workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    /// Where its manifest is.
    pub(crate) folder: PathBuf,
    /// Names of its features, `default` included where there is one.
    pub(crate) features: Vec<String>,
    /// Those of them that only turn on features of another crate. Alone they build nothing new.
    pub(crate) passed_on: Vec<String>,
    /// Choices of them that its manifest wants linted as well.
    pub(crate) choices: Vec<String>,
    /// Whether it goes to the registry.
    pub(crate) is_published: bool,
    /// The oldest compiler it promises to work with.
    pub(crate) rust_version: Option<String>,
}

/// The folder in which cargo keeps what it downloads.
pub(crate) fn cargo_home() -> PathBuf {
    let named = env::var_os("CARGO_HOME").map(PathBuf::from);
    named.unwrap_or_else(|| env::home_dir().unwrap_or_default().join(".cargo"))
}

impl Workspace {
    pub(crate) fn load() -> Result<Self, String> {
        Self::read(&metadata::read()?)
            .ok_or_else(|| "cargo metadata has another form than expected".to_owned())
    }

    fn read(metadata: &Value) -> Option<Self> {
        let mut packages =
            metadata["packages"].as_array()?.iter().map(Package::read).collect::<Option<Vec<_>>>()?;
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        Some(Self {
            root: metadata["workspace_root"].as_str()?.into(),
            target: metadata["target_directory"].as_str()?.into(),
            packages,
        })
    }

    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }
}

impl Package {
    fn read(package: &Value) -> Option<Self> {
        let names = |key| {
            let names = package["metadata"]["lints"][key].as_array().into_iter().flatten();
            names.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Some(Self {
            name: package["name"].as_str()?.to_owned(),
            folder: Path::new(package["manifest_path"].as_str()?).parent()?.to_owned(),
            features: package["features"].as_object()?.keys().cloned().collect(),
            passed_on: names("passed-on"),
            choices: names("choices"),
            // `publish = false` is an empty list of registries.
            is_published: package["publish"].is_null(),
            rust_version: package["rust_version"].as_str().map(str::to_owned),
        })
    }

    /// Every choice of features that is worth building, as arguments for cargo: none, each alone that is not only passed on,
    /// those of the manifest, all together.
    pub(crate) fn feature_choices(&self) -> Vec<String> {
        let mut choices = vec![String::new()];
        let alone = self.features.iter().filter(|feature| !self.passed_on.contains(feature));
        choices.extend(alone.chain(&self.choices).cloned());
        if self.features.len() > 1 {
            choices.push(self.features.join(","));
        }
        choices.iter().map(|choice| format!("--no-default-features --features={choice}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_features(features: &[&str]) -> Package {
        let features = features.iter().map(|&name| name.to_owned()).collect();
        let choices = vec!["a,b".to_owned()];
        let passed_on = vec!["p".to_owned()];
        Package {
            name: "any".to_owned(),
            folder: PathBuf::new(),
            features,
            passed_on,
            choices,
            is_published: false,
            rust_version: None,
        }
    }

    #[test]
    fn features_are_chosen_none_each_those_of_the_manifest_and_all() {
        assert_eq!(with_features(&[]).feature_choices().len(), 2);
        assert_eq!(with_features(&["a"]).feature_choices().len(), 3);
        let choices = with_features(&["a", "b"]).feature_choices();
        assert_eq!(choices.len(), 5);
        assert_eq!(choices[4], "--no-default-features --features=a,b");
        let choices = with_features(&["a", "p"]).feature_choices();
        assert_eq!(choices.len(), 4);
        assert_eq!(choices[3], "--no-default-features --features=a,p");
    }

    #[test]
    fn this_workspace_is_read() {
        let workspace = Workspace::load().unwrap();
        assert!(workspace.root.join("xtask").is_dir());
        assert!(workspace.package("eio-core").is_some_and(|core| core.rust_version.is_some()));
        assert!(workspace.package("eio-core").is_some_and(|core| core.is_published));
        assert!(workspace.package("xtask").is_some_and(|xtask| !xtask.is_published));
    }
}
