//! What `docs/peers.md` says: the failures, and the tests of each.

use std::collections::BTreeMap;

/// A failure, and the tests that show that eio does not have it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// Such as `B1`.
    pub(super) name: String,
    pub(super) what: String,
    pub(super) tests: Vec<Test>,
}

/// A function in a file, named from the root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Test {
    pub(super) file: String,
    pub(super) name: String,
}

/// The failures of the list, and their tests.
pub(super) fn failures(list: &str) -> Vec<Claim> {
    let tests: BTreeMap<_, _> = rows(list, "Where each is tried")
        .filter_map(|row| Some(((*row.first()?).to_owned(), named(row.get(1)?))))
        .collect();
    let claim = |row: Vec<&str>| {
        let name = (*row.first()?).to_owned();
        let tests = tests.get(&name).cloned().unwrap_or_default();
        Some(Claim { name, what: (*row.get(3)?).to_owned(), tests })
    };
    rows(list, "Failures").filter_map(claim).collect()
}

/// The cells of the rows of the table below a heading.
fn rows<'a>(list: &'a str, heading: &str) -> impl Iterator<Item = Vec<&'a str>> {
    let (_, section) = list.split_once(&format!("\n## {heading}\n")).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    // Below the row of the headings, which no rule's line belongs to.
    rows.skip(1).map(|row| row.split(" | ").collect())
}

/// The tests of a cell: files and, after each, what is named in it.
fn named(cell: &str) -> Vec<Test> {
    let mut file = "";
    let mut tests = Vec::new();
    for word in cell.split('`').skip(1).step_by(2) {
        if word.contains('/') {
            file = word;
        } else {
            tests.push(Test { file: file.to_owned(), name: word.to_owned() });
        }
    }
    tests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_the_tests_of_its_row() {
        let list = "# x\n\n## Failures\n\n| | implementation | how known | what happens |\n|---|---|---|---|\n\
                    | B1 | a | seen | it ends |\n| B2 | b | read | it stays |\n\n\
                    ## Where each is tried\n\nText.\n\n| | test |\n|---|---|\n\
                    | B1 | `a/tests/x.rs`: `one`, `two`<br>`b/tests/y/z.rs`: `three` |\n";
        let test = |file: &str, name: &str| Test { file: file.to_owned(), name: name.to_owned() };
        let [failure, without] = &failures(list)[..] else { panic!("{:?}", failures(list)) };
        assert_eq!((failure.name.as_str(), failure.what.as_str()), ("B1", "it ends"));
        let tests =
            [test("a/tests/x.rs", "one"), test("a/tests/x.rs", "two"), test("b/tests/y/z.rs", "three")];
        assert_eq!(failure.tests, tests);
        assert_eq!((without.name.as_str(), without.tests.len()), ("B2", 0));
    }
}
