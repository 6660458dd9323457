//! What is wrong with the lists.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::{Clause, Level, Section, Specification, Standing};
use crate::source::Sources;

/// Returns a sentence for each fault of the lists: words that no clause accounts for, clauses without tests or a reason,
/// tests that do not exist, and what stands twice.
#[must_use]
pub fn faults(specifications: &[Specification], sources: &mut Sources) -> Vec<String> {
    let mut faults = Vec::new();
    for specification in specifications {
        let mut sentences = BTreeMap::new();
        let clauses = || specification.sections.iter().flat_map(|section| &section.clauses);
        let ids: BTreeSet<&str> = clauses().map(|clause| &*clause.id).collect();
        let total = |words: fn(&Section) -> usize| specification.sections.iter().map(words).sum::<usize>();
        let totals = (total(|section| section.must), total(|section| section.should));
        if totals != (specification.must, specification.should) {
            faults.push(format!("{}: all sections together have {totals:?} words", specification.name));
        }
        let mut found = BTreeSet::new();
        for section in &specification.sections {
            let mut report = |fault: &str| {
                faults.push(format!("{}, {} {}: {fault}", specification.name, section.number, section.title));
            };
            if !found.insert(&section.number) {
                report("the section stands twice");
            }
            for fault in accounting(section) {
                report(&fault);
            }
        }
        let mut seen = BTreeSet::new();
        for clause in clauses() {
            let mut report =
                |fault: &str| faults.push(format!("{}, {}: {fault}", specification.name, clause.id));
            if !seen.insert(&clause.id) {
                report("the clause stands twice");
            }
            for fault in standing(clause, &ids) {
                report(&fault);
            }
            if let Some(other) = sentences.insert(&*clause.says, &clause.id)
                && !clause.says.is_empty()
            {
                report(&format!("clause {other} has the same sentence"));
            }
            for (path, name) in clause.tests() {
                if !sources.has_test(path, name) {
                    report(&format!("there is no test {name} in {path}"));
                }
            }
        }
    }
    faults
}

/// Whether the clauses of a section account for its words, and have its number.
fn accounting(section: &Section) -> Vec<String> {
    let mut faults = Vec::new();
    for (level, listed) in [(Level::Must, section.must), (Level::Should, section.should)] {
        let clauses = section.clauses.iter().filter(|clause| clause.level == level);
        let accounted: usize = clauses.map(Clause::words).sum();
        if accounted != listed {
            faults.push(format!("{listed} words are {level:?}, the clauses account for {accounted}"));
        }
    }
    for clause in &section.clauses {
        let letter = clause.id.strip_prefix(&format!("{}-", section.number));
        if !letter
            .is_some_and(|letter| letter.bytes().all(|byte| byte.is_ascii_lowercase()) && !letter.is_empty())
        {
            faults.push(format!("clause {} does not have the number of its section and a letter", clause.id));
        }
    }
    faults
}

/// Whether a clause says how eio stands to it, and says it whole.
fn standing(clause: &Clause, ids: &BTreeSet<&str>) -> Vec<String> {
    let mut faults = Vec::new();
    let Some(standing) = clause.standing() else {
        return vec!["it needs either tests, or a reason, or the clause that it repeats".to_owned()];
    };
    if let Standing::Repeats(other) = standing {
        if !ids.contains(other) || other == clause.id {
            faults.push(format!("there is no other clause {other}"));
        }
        if !clause.says.is_empty() || clause.binds.is_some() {
            faults.push("a clause that repeats another says nothing itself".to_owned());
        }
    } else {
        if clause.says.is_empty() || clause.binds.is_none() {
            faults.push("it needs a sentence, and whom it binds".to_owned());
        }
        if clause.level == Level::Plain && clause.words() > 0 {
            faults.push("a plain statement accounts for no words".to_owned());
        }
    }
    if let Standing::NotApplicable(reason) | Standing::Untested(reason) | Standing::Differs(reason) = standing
        && reason.trim().is_empty()
    {
        faults.push("its reason is empty".to_owned());
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
        title = "T"
        source = "S"
        edition = "E"
        words = "capitals"
        must = 2
        should = 0
        [[section]]
        number = "1"
        title = "A"
        must = 2
        [[section.clause]]
        id = "1-a"
        level = "must"
        binds = "client"
        says = "It does."
        held = ["src/faults.rs: a_whole_list_has_no_fault"]
        [[section.clause]]
        id = "1-b"
        level = "must"
        binds = "server"
        says = "It does not."
        not_applicable = "It is not offered."
    "#;

    fn of(text: &str) -> Vec<String> {
        let read: Specification = toml::from_str(text).unwrap();
        faults(&[read], &mut Sources::new(env!("CARGO_MANIFEST_DIR").into()))
    }

    #[test]
    fn a_whole_list_has_no_fault() {
        assert_eq!(of(WHOLE), Vec::<String>::new());
    }

    #[test]
    fn each_fault_is_found() {
        for (from, to, fault) in [
            (
                "must = 2\n        [[section.clause]]",
                "must = 3\n        [[section.clause]]",
                "3 words are Must, the clauses account for 2",
            ),
            (
                "must = 2\n        [[section.clause]]",
                "should = 1\n        [[section.clause]]",
                "1 words are Should, the clauses account for 0",
            ),
            ("should = 0", "should = 1", "all sections together have (2, 0) words"),
            ("id = \"1-b\"", "id = \"1-a\"", "the clause stands twice"),
            ("id = \"1-b\"", "id = \"2-b\"", "does not have the number of its section"),
            ("It does not.", "It does.", "clause 1-a has the same sentence"),
            ("It does not.", "", "needs a sentence"),
            ("It is not offered.", " ", "its reason is empty"),
            ("a_whole_list_has_no_fault", "no_such_test", "there is no test no_such_test in src/faults.rs"),
            ("src/faults.rs", "src/none.rs", "there is no test a_whole_list_has_no_fault in src/none.rs"),
            ("not_applicable = \"It is not offered.\"", "", "needs either tests, or a reason"),
            (
                "not_applicable",
                "held = [\"src/faults.rs: of\"]\nnot_applicable",
                "needs either tests, or a reason",
            ),
            ("not_applicable = \"It is not offered.\"", "repeats = \"1-z\"", "there is no other clause 1-z"),
            ("not_applicable = \"It is not offered.\"", "repeats = \"1-a\"", "says nothing itself"),
            (
                "level = \"must\"\n        binds = \"server\"",
                "level = \"plain\"\n        counts = 1\n        binds = \"server\"",
                "accounts for no words",
            ),
        ] {
            let found = of(&WHOLE.replace(from, to));
            assert!(found.iter().any(|found| found.contains(fault)), "{fault:?} is not in {found:?}");
        }
    }
}
