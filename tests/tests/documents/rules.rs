//! The source and the tests cite the rules of ARCHITECTURE.md by their numbers.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::{ROOT, files, read, section};

/// The crates that hold the rules.
const SOURCES: [&str; 3] = ["core/src", "std-adapter/src", "embassy-adapter/src"];

/// Tests, the simulated world that checks rules after each of its steps, and the solver's properties.
const TESTS: [&str; 5] =
    ["core/tests", "std-adapter/tests", "tests/proof", "tests/src/world", "tests/tests/every_order"];

#[test]
fn every_rule_is_cited_where_it_is_held_and_by_a_test_and_every_cited_number_is_that_of_a_rule() {
    let page = read("ARCHITECTURE.md");
    let number = |line: &str| line.split_once(". **")?.0.parse().ok();
    let rules: BTreeSet<u32> = section(&page, "\n## The rules\n").lines().filter_map(number).collect();
    assert!(rules.len() >= 14, "the rules are not found: {rules:?}");
    for folders in [&SOURCES[..], &TESTS] {
        let files = folders.iter().flat_map(|folder| {
            let folder = Path::new(ROOT).join(folder);
            [files(&folder, ".rs"), files(&folder, ".py")].concat()
        });
        let numbers: BTreeSet<u32> =
            files.flat_map(|path| cited(&fs::read_to_string(path).unwrap())).collect();
        assert_eq!(
            rules, numbers,
            "left are the rules of ARCHITECTURE.md, right those that {folders:?} cite"
        );
    }
}

/// The numbers that a text cites: `rule 5`, `rules 2, 3 and 4`.
fn cited(text: &str) -> BTreeSet<u32> {
    let mut numbers = BTreeSet::new();
    for rest in text.to_lowercase().split("rule").skip(1) {
        let mut words = rest.trim_start_matches('s').split_whitespace().peekable();
        while let Some(word) = words.next() {
            let digits = word.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(word.len());
            let Ok(number) = word[..digits].parse() else { break };
            numbers.insert(number);
            if words.next_if_eq(&"and").is_none() && !word.ends_with(',') {
                break;
            }
        }
    }
    numbers
}

#[test]
fn citations_are_read_in_each_form() {
    assert_eq!(cited("(rule 5)"), [5].into());
    assert_eq!(cited("Rules 2, 3 and 4: of 7"), [2, 3, 4].into());
    assert_eq!(cited("\"rules 2, 5, 6, 11: has\""), [2, 5, 6, 11].into());
    assert_eq!(cited("a rule, and 9 more; rule 12, where 13"), [12].into());
}
