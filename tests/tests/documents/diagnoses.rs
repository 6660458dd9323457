//! The page of diagnoses names a test for each of them, which expects it.

use std::collections::BTreeSet;

use super::{code, read};

/// The diagnoses that no test sees on the real thing. The page names them, too.
const NOT_ON_THE_REAL_THING: [&str; 5] =
    ["cause-unknown", "server-full", "too-large-for-eio", "eio-failed", "interrupted"];

#[test]
fn every_diagnosis_of_eio_connect_names_tests_that_expect_it() {
    let page = read("docs/diagnoses.md");
    let rows: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("| `")).collect();
    assert!(rows.len() >= 60, "the tables are not found: {rows:?}");
    let mut others = BTreeSet::new();
    for row in rows {
        let name = row.split('`').next().unwrap_or_default();
        let tests = row.rsplit(" | ").next().unwrap_or_default();
        let (mut source, mut named, mut is_real) = (String::new(), 0, false);
        for word in code(tests) {
            if word.contains('/') {
                source = read(word);
                continue;
            }
            // A case is a function that a list names.
            let case = body(&source, &format!("\nasync fn {word}(log: Log)"))
                .filter(|_| source.contains(&format!("        {word},\n")));
            let starts = ["]\n    fn ", "]\n    async fn ", "]\nfn "];
            let test = starts.iter().find_map(|start| body(&source, &format!("{start}{word}(")));
            let body = case.or(test).unwrap_or_else(|| panic!("{name}: no test {word}"));
            assert!(body.contains(&format!("\"{name}\"")), "{word} does not expect {name}");
            named += 1;
            is_real |= case.is_some();
        }
        assert!(named > 0, "{name} names no test");
        if !is_real {
            others.insert(name);
        }
    }
    assert_eq!(others, BTreeSet::from(NOT_ON_THE_REAL_THING));
    let (introduction, _) = page.split_once("\n## ").expect("sections");
    for name in NOT_ON_THE_REAL_THING {
        assert!(introduction.contains(&format!("`{name}`")), "docs/diagnoses.md does not say {name}");
    }
}

/// What follows `signature`, up to the end of the function, which is a brace as far to the right as its first line.
fn body<'s>(source: &'s str, signature: &str) -> Option<&'s str> {
    let (_, rest) = source.split_once(signature)?;
    let line = signature.rsplit('\n').next().unwrap_or_default();
    let indent = &line[..line.len() - line.trim_start().len()];
    rest.split_once(&format!("\n{indent}}}\n")).map(|(body, _)| body)
}

#[test]
fn the_body_of_a_function_ends_with_the_function() {
    let source = "]\n    fn a() {\n        if b {\n        }\n    }\n\n    fn c() {}\n}\n";
    assert_eq!(body(source, "]\n    fn a("), Some(") {\n        if b {\n        }"));
    assert_eq!(body(source, "]\n    fn d("), None);
}
