//! Whether the tests that clauses name exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// The sources of tests, read once each.
#[derive(Debug)]
#[non_exhaustive]
pub struct Sources {
    root: PathBuf,
    read: BTreeMap<String, String>,
}

impl Sources {
    /// Reads from below this folder.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root, read: BTreeMap::new() }
    }

    /// Returns whether the file at `path` has a test with this name that always runs.
    pub fn has_test(&mut self, path: &str, name: &str) -> bool {
        let root = &self.root;
        let source = self
            .read
            .entry(path.to_owned())
            .or_insert_with(|| fs::read_to_string(root.join(path)).unwrap_or_default());
        has_test(source, name)
    }
}

fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let begins = |line: &str| line.trim_start_matches("async ").starts_with(&format!("fn {name}("));
    let Some(at) = lines.iter().position(|line| begins(line)) else { return false };
    let above = lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    let attributes: Vec<&&str> = above.filter(|line| line.starts_with("#[")).collect();
    if attributes.iter().any(|line| line.starts_with("#[ignore")) {
        return false;
    }
    let is_test = attributes.iter().any(|line| line.contains("test]") || line.contains("test("));
    // With real peers a test is a function that a list of cases names.
    let is_case = lines[at].contains("log: Log)") && source.matches(&format!(", {name})")).count() > 0;
    is_test || is_case
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_has_an_attribute_or_stands_in_a_list_of_cases() {
        let source = "
            #[test]
            /// Words.
            fn plain() {}
            #[tokio::test(start_paused = true)]
            async fn paused() {}
            #[test]
            #[ignore = \"slow\"]
            fn ignored() {}
            fn helper() {}
            cases.push(case(\"words\", listed));
            async fn listed(revision: Revision, log: Log) {}
            async fn unlisted(revision: Revision, log: Log) {}
        ";
        for (name, expected) in [
            ("plain", true),
            ("paused", true),
            ("ignored", false),
            ("helper", false),
            ("listed", true),
            ("unlisted", false),
            ("pl", false),
        ] {
            assert_eq!(has_test(source, name), expected, "{name}");
        }
    }
}
