//! The crates that are published, as `cargo metadata` lists them.

use std::path::PathBuf;

use serde_json::Value;

use crate::metadata;

/// The published libraries of the workspace.
pub(crate) struct Published {
    /// The workspace's root.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds.
    target: PathBuf,
    /// The packages' names.
    pub(crate) names: Vec<String>,
}

impl Published {
    /// Asks cargo. Every published library must show all its features on its documentation page.
    pub(crate) fn read() -> Result<Self, String> {
        Self::from(&metadata::read()?)
    }

    fn from(metadata: &Value) -> Result<Self, String> {
        let missing = || "cargo metadata has another form than expected".to_owned();
        let packages = metadata["packages"].as_array().ok_or_else(missing)?;
        let mut names = Vec::new();
        for package in packages.iter().filter(|package| is_published_library(package)) {
            let name = package["name"].as_str().ok_or_else(missing)?;
            if package["metadata"]["docs"]["rs"]["all-features"] != true {
                return Err(format!(
                    "{name}: expected all-features = true under [package.metadata.docs.rs] in its Cargo.toml"
                ));
            }
            names.push(name.to_owned());
        }
        Ok(Self {
            root: metadata["workspace_root"].as_str().ok_or_else(missing)?.into(),
            target: metadata["target_directory"].as_str().ok_or_else(missing)?.into(),
            names,
        })
    }

    /// The file that rustdoc writes about a package.
    pub(crate) fn json(&self, name: &str) -> PathBuf {
        self.target.join("doc").join(name.replace('-', "_")).with_extension("json")
    }
}

/// `publish = false` is an empty list of registries.
fn is_published_library(package: &Value) -> bool {
    let targets = package["targets"].as_array();
    let is_library = targets.into_iter().flatten().any(|target| target["kind"][0] == "lib");
    is_library && package["publish"].is_null()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(publish: &Value, kind: &str, all_features: bool) -> Value {
        json!({
            "name": "eio-some",
            "publish": publish,
            "targets": [{ "kind": [kind] }],
            "metadata": { "docs": { "rs": { "all-features": all_features } } },
        })
    }

    fn read(package: &Value) -> Result<Vec<String>, String> {
        let metadata =
            json!({ "packages": [package], "workspace_root": "/root", "target_directory": "/root/target" });
        Published::from(&metadata).map(|published| published.names)
    }

    #[test]
    fn only_published_libraries_are_listed() {
        assert_eq!(read(&package(&Value::Null, "lib", true)).unwrap(), ["eio-some"]);
        assert!(read(&package(&json!([]), "lib", true)).unwrap().is_empty());
        assert!(read(&package(&Value::Null, "bin", true)).unwrap().is_empty());
    }

    #[test]
    fn a_library_whose_page_hides_features_is_refused() {
        assert!(read(&package(&Value::Null, "lib", false)).unwrap_err().starts_with("eio-some: expected"));
    }
}
