//! The page of results: a row for each file, as it was last tried.

use core::fmt::Write as _;
use std::collections::BTreeMap;
use std::path::Path;

use super::outcome::Counts;
use crate::job::Stop;

/// Where it is, from the root.
pub(crate) const PAGE: &str = "docs/mutants.md";

const INTRODUCTION: &str = "\
# Mutants

A mutant is the code with one small change: a comparison turned round, a function that returns a constant, a match arm left
out. A test should notice each. `cargo xtask prove mutants` tries all of them, and writes this page after each file.
[CONTRIBUTING.md](../CONTRIBUTING.md#mutants) says how. What no test can notice stands in
[tests/data/mutants.json](../tests/data/mutants.json), with the reason.

";

const HEADER: &str = "\
| file | mutants | caught | timed out | do not compile | explained | not explained | date | commit |
|---|---|---|---|---|---|---|---|---|
";

/// The row of a file that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) counts: Counts,
    pub(crate) date: String,
    pub(crate) commit: String,
}

/// The rows of the page, by file. A file without one was not tried yet.
#[derive(Debug)]
pub(crate) struct Results(BTreeMap<String, File>);

#[derive(Debug)]
struct File {
    /// How many it has now.
    mutants: usize,
    row: Option<Row>,
}

impl Results {
    /// The results so far of these files, which have so many mutants now. A result is left out if its file does not exist any
    /// more, or has another number of mutants.
    pub(crate) fn read<'a>(root: &Path, files: impl Iterator<Item = (&'a str, usize)>) -> Self {
        let page = std::fs::read_to_string(root.join(PAGE)).unwrap_or_default();
        Self::parse(&page, files)
    }

    fn parse<'a>(page: &str, files: impl Iterator<Item = (&'a str, usize)>) -> Self {
        let mut known: BTreeMap<String, Row> = page.lines().filter_map(parse_row).collect();
        let file = |(path, mutants): (&str, usize)| {
            let row = known.remove(path).filter(|row| row.counts.all() == mutants);
            (path.to_owned(), File { mutants, row })
        };
        Self(files.map(file).collect())
    }

    /// The results of these pages together, each of which began with the page as it is, and has what its shard has tried.
    pub(crate) fn merge(root: &Path, pages: &[String]) -> Self {
        Self::merged(&std::fs::read_to_string(root.join(PAGE)).unwrap_or_default(), pages)
    }

    fn merged(before: &str, pages: &[String]) -> Self {
        let known: BTreeMap<String, Row> = before.lines().filter_map(parse_row).collect();
        let mut files: BTreeMap<String, File> = BTreeMap::new();
        for page in pages {
            for (path, mutants) in page.lines().filter_map(parse_waiting) {
                files.entry(path).or_insert(File { mutants, row: None });
            }
            for (path, row) in page.lines().filter_map(parse_row) {
                let is_new = known.get(&path) != Some(&row);
                if is_new || !files.contains_key(&path) {
                    files.insert(path, File { mutants: row.counts.all(), row: Some(row) });
                }
            }
        }
        Self(files)
    }

    /// When a file was tried last. Sorts before all dates if it never was.
    pub(crate) fn tried_on(&self, file: &str) -> Option<&str> {
        self.0.get(file)?.row.as_ref().map(|row| row.date.as_str())
    }

    pub(crate) fn set(&mut self, file: &str, row: Row) {
        self.0.insert(file.to_owned(), File { mutants: row.counts.all(), row: Some(row) });
    }

    pub(crate) fn write(&self, root: &Path) -> Result<(), Stop> {
        std::fs::write(root.join(PAGE), self.page()).map_err(|error| Stop::Failed(format!("{PAGE}: {error}")))
    }

    fn page(&self) -> String {
        let tried: Vec<_> =
            self.0.iter().filter_map(|(path, file)| Some((path, file.row.as_ref()?))).collect();
        let waiting: Vec<_> = self.0.iter().filter(|(_, file)| file.row.is_none()).collect();
        let all = tried.iter().fold(Counts::default(), |sum, (_, row)| sum.plus(row.counts));
        let mut page = INTRODUCTION.to_owned();
        let _ = writeln!(
            page,
            "{} of {} files were tried, with {} of {} mutants.\n",
            tried.len(),
            self.0.len(),
            all.all(),
            self.0.values().map(|file| file.mutants).sum::<usize>()
        );
        page.push_str(HEADER);
        for (path, row) in tried {
            let _ = writeln!(page, "| {path} | {} | {} | {} |", numbers(row.counts), row.date, row.commit);
        }
        let _ = writeln!(page, "| together | {} | | |", numbers(all));
        if !waiting.is_empty() {
            page.push_str("\nNot tried yet:\n\n| file | mutants |\n|---|---|\n");
            for (path, file) in waiting {
                let _ = writeln!(page, "| {path} | {} |", file.mutants);
            }
        }
        page
    }
}

fn numbers(counts: Counts) -> String {
    let Counts { caught, timed_out, unviable, explained, unexplained } = counts;
    format!("{} | {caught} | {timed_out} | {unviable} | {explained} | {unexplained}", counts.all())
}

/// Returns the file and its row. Other lines of the page are none: `together` has no date.
fn parse_row(line: &str) -> Option<(String, Row)> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
    let [file, all, numbers @ .., date, commit] = cells.as_slice() else { return None };
    let numbers = numbers.iter().map(|number| number.parse().ok()).collect::<Option<Vec<usize>>>()?;
    let [caught, timed_out, unviable, explained, unexplained] = *numbers.as_slice() else { return None };
    let counts = Counts { caught, timed_out, unviable, explained, unexplained };
    let row = Row { counts, date: (*date).to_owned(), commit: (*commit).to_owned() };
    (all.parse() == Ok(counts.all())).then(|| ((*file).to_owned(), row))
}

/// Returns a file that was not tried, and how many mutants it has.
fn parse_waiting(line: &str) -> Option<(String, usize)> {
    let (file, mutants) = line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | ")?;
    Some((file.to_owned(), mutants.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_the_rows_of_other_shards_and_names_what_was_not_tried() {
        let counts = Counts { caught: 5, timed_out: 1, unviable: 2, explained: 3, unexplained: 0 };
        let row = Row { counts, date: "2026-01-31".to_owned(), commit: "abc1234".to_owned() };
        let mut results = Results::parse("", [("a.rs", 11), ("b.rs", 4), ("gone.rs", 11)].into_iter());
        results.set("a.rs", row.clone());
        results.set("gone.rs", row.clone());
        let page = results.page();
        assert!(
            page.contains("\n| b.rs | 4 |\n") && page.contains("2 of 3 files were tried, with 22 of 26"),
            "{page}"
        );
        let again = Results::parse(&page, [("a.rs", 11), ("b.rs", 4)].into_iter());
        assert_eq!(again.0.get("a.rs").and_then(|file| file.row.clone()), Some(row));
        assert_eq!(again.0.len(), 2);
        assert!(again.page().contains("| together | 11 | 5 | 1 | 2 | 3 | 0 | | |"), "{}", again.page());
        let changed = Results::parse(&page, [("a.rs", 12)].into_iter());
        assert!(changed.page().contains("\n| a.rs | 12 |\n"), "{}", changed.page());
    }

    #[test]
    fn what_was_never_tried_comes_before_what_was_tried_longest_ago() {
        let counts = Counts { caught: 1, timed_out: 0, unviable: 0, explained: 0, unexplained: 0 };
        let files = ["a.rs", "b.rs", "c.rs"];
        let mut results = Results::parse("", files.map(|file| (file, 1)).into_iter());
        for (file, date) in [("a.rs", "2026-02-01"), ("b.rs", "2026-01-31")] {
            results.set(file, Row { counts, date: date.to_owned(), commit: "abc1234".to_owned() });
        }
        let mut sorted = files;
        sorted.sort_by_key(|file| results.tried_on(file));
        assert_eq!(sorted, ["c.rs", "b.rs", "a.rs"]);
    }

    #[test]
    fn pages_of_shards_together_have_what_each_has_tried() {
        let row = |caught, date: &str| {
            let counts = Counts { caught, timed_out: 0, unviable: 0, explained: 0, unexplained: 0 };
            Row { counts, date: date.to_owned(), commit: "abc1234".to_owned() }
        };
        let files = || [("a.rs", 2), ("b.rs", 2), ("c.rs", 2), ("d.rs", 2)].into_iter();
        let mut results = Results::parse("", files());
        results.set("a.rs", row(2, "2026-01-31"));
        results.set("b.rs", row(2, "2026-01-31"));
        let before = results.page();
        let shards = ["a.rs", "c.rs"].map(|tried| {
            let mut shard = Results::parse(&before, files());
            shard.set(tried, row(2, "2026-02-28"));
            shard.page()
        });
        let merged = Results::merged(&before, &shards);
        let dates = merged.0.values().map(|file| file.row.as_ref().map(|row| row.date.as_str()));
        let expected = [Some("2026-02-28"), Some("2026-01-31"), Some("2026-02-28"), None];
        assert!(dates.eq(expected), "{}", merged.page());
        let reversed = [shards[1].clone(), shards[0].clone()];
        assert_eq!(Results::merged(&before, &reversed).page(), merged.page());
    }
}
