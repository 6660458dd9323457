//! Which versions are measured.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::job::{Job, command};

/// Ours, the compiler's, and those of other people's servers, as far as their lists tell.
pub(crate) fn collect(job: &mut Job<'_>) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::from([("eio".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
    for (name, call) in [
        ("rustc", "rustc --version"),
        ("node", "node --version"),
        ("redis-server", "redis-server --version"),
        ("nats-server", "nats-server --version"),
    ] {
        if let Some(version) = job.run(&mut command(call)).ok().and_then(|printed| number(&printed)) {
            versions.insert(name.to_owned(), version);
        }
    }
    let peers = job.workspace.root.join("benches/peers");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let lock = read(&peers.join("Cargo.lock"));
    for name in ["engineioxide", "socketioxide"] {
        versions.extend(locked(&lock, name).map(|version| (name.to_owned(), version)));
    }
    versions.extend(wanted(&read(&peers.join("package.json"))));
    versions
}

/// The number in `rustc 1.93.0 (..)`, in `v20.20.2` or in `Redis server v=7.0.15 ..`.
fn number(printed: &str) -> Option<String> {
    let mut words = printed.split_whitespace().map(|word| word.trim_start_matches(['v', '=']));
    words.find(|word| word.starts_with(|first: char| first.is_ascii_digit())).map(str::to_owned)
}

/// The version of a package in a `Cargo.lock`.
fn locked(lock: &str, name: &str) -> Option<String> {
    let (_, package) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    package.split('"').next().map(str::to_owned)
}

/// The packages that a `package.json` lists, each with its version.
fn wanted(list: &str) -> Vec<(String, String)> {
    let list: Value = serde_json::from_str(list).unwrap_or_default();
    let packages = list["dependencies"].as_object().into_iter().flatten();
    packages.filter_map(|(name, version)| Some((name.clone(), version.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_programs_print() {
        assert_eq!(number("rustc 1.93.0 (abc 2026-01-01)").as_deref(), Some("1.93.0"));
        assert_eq!(number("v20.20.2\n").as_deref(), Some("20.20.2"));
        assert_eq!(number("Redis server v=7.0.15 sha=00000000:0").as_deref(), Some("7.0.15"));
        assert_eq!(number("none"), None);
    }

    #[test]
    fn versions_are_read_from_lists() {
        let lock = "[[package]]\nname = \"engineioxide\"\nversion = \"0.17.6\"\nsource = \"x\"\n";
        assert_eq!(locked(lock, "engineioxide").as_deref(), Some("0.17.6"));
        assert_eq!(locked(lock, "engine"), None);
        let list = wanted("{\"dependencies\": {\"engine.io\": \"6.6.12\"}}");
        assert_eq!(list, [("engine.io".to_owned(), "6.6.12".to_owned())]);
        assert!(wanted("").is_empty());
    }
}
