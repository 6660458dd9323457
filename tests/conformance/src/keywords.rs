//! Counts the words that demand something in a specification's text, section by section.

use std::collections::BTreeMap;

use crate::data::{Specification, Words};

/// The words of a section: those like MUST, and those like SHOULD.
pub type Counts = (usize, usize);

/// Returns a sentence for each section of `text` that does not have the words that the list says.
#[must_use]
pub fn differences(specification: &Specification, text: &str) -> Vec<String> {
    let mut found = count(specification.words, text);
    let mut differences = Vec::new();
    for section in &specification.sections {
        let listed = (section.must, section.should);
        let there = found.remove(&section.number).unwrap_or_default();
        if there != listed {
            differences.push(format!(
                "{} {}: the text has {there:?}, the list {listed:?}",
                section.number, section.title
            ));
        }
    }
    let unlisted = found.into_iter().filter(|(_, counts)| *counts != (0, 0));
    differences.extend(unlisted.map(|(number, counts)| format!("{number}: not in the list, has {counts:?}")));
    differences
}

/// Returns the words of each section that has a number.
fn count(words: Words, text: &str) -> BTreeMap<String, Counts> {
    let mut sections = BTreeMap::new();
    let mut number = String::new();
    let is_markdown = text.contains("\n## ");
    let mut headings = Headings { is_markdown, ..Headings::default() };
    for line in text.lines() {
        if let Some(next) = headings.read(words, line) {
            number = next;
        } else if !headings.is_in_code {
            let counts: &mut Counts = sections.entry(number.clone()).or_default();
            for word in line.split(|sign: char| !sign.is_ascii_alphanumeric()) {
                let (must, should) = demands(words, word);
                *counts = (counts.0 + must, counts.1 + should);
            }
            if words == Words::Cases {
                counts.0 += usize::from(line.trim_start().starts_with("it("));
            }
        }
    }
    sections
}

/// What one word adds to the counts.
fn demands(words: Words, word: &str) -> Counts {
    let lower = word.to_ascii_lowercase();
    match (words, if words == Words::AnyCase { lower.as_str() } else { word }) {
        (Words::Capitals, "MUST" | "SHALL" | "REQUIRED") | (Words::AnyCase, "must") => (1, 0),
        (Words::Capitals, "SHOULD" | "RECOMMENDED") | (Words::AnyCase, "should") => (0, 1),
        _ => (0, 0),
    }
}

/// Knows the number of the section that a line begins.
#[derive(Default)]
struct Headings {
    is_markdown: bool,
    /// How many headings there were at each depth, for texts in Markdown.
    path: Vec<usize>,
    is_in_code: bool,
}

impl Headings {
    fn read(&mut self, words: Words, line: &str) -> Option<String> {
        if words == Words::Cases {
            // The blocks of a suite have no numbers: two spaces stand before those that its sections are.
            let title = line.strip_prefix("  describe(\"")?.split('"').next()?;
            return Some(title.to_owned());
        }
        if line.starts_with("```") {
            self.is_in_code = !self.is_in_code;
        }
        if self.is_in_code {
            return None;
        }
        let hashes = line.len() - line.trim_start_matches('#').len();
        if hashes >= 2 && line[hashes..].starts_with(' ') {
            self.path.truncate(hashes - 1);
            self.path.resize(hashes - 1, 0);
            *self.path.last_mut()? += 1;
            return Some(self.path.iter().map(usize::to_string).collect::<Vec<_>>().join("."));
        }
        // An RFC numbers its headings, which are all that begins at its left margin with a digit.
        let number = line.split(' ').next()?.trim_end_matches('.');
        let is_number = !self.is_markdown
            && line.starts_with(|sign: char| sign.is_ascii_digit())
            && number.split('.').all(|part| part.parse::<u8>().is_ok());
        is_number.then(|| number.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(words: Words, text: &str) -> Vec<(String, usize, usize)> {
        count(words, text).into_iter().map(|(number, (must, should))| (number, must, should)).collect()
    }

    #[test]
    fn headings_of_markdown_are_numbered_by_their_order_and_code_is_left_out() {
        let text = "# T\nMUST\n## A\n### B\n1. It MUST.\n```\n# MUST\n```\n### C\n_SHOULD_ (MUST NOT), must\n## D\nMUST";
        let expected =
            [("", 1, 0), ("1.1", 1, 0), ("1.2", 1, 1), ("2", 1, 0)].map(|(a, b, c)| (a.to_owned(), b, c));
        assert_eq!(counts(Words::Capitals, text), expected);
        assert_eq!(counts(Words::AnyCase, text)[2], ("1.2".to_owned(), 2, 1));
    }

    #[test]
    fn headings_of_an_rfc_have_their_numbers() {
        let text = "   1. Contents ... 3\n1.  A\n   It MUST NOT\n10.2.  B\n   SHOULD, REQUIRED, SHALL, RECOMMENDED\n";
        let expected = [("", 0, 0), ("1", 1, 0), ("10.2", 2, 2)].map(|(a, b, c)| (a.to_owned(), b, c));
        assert_eq!(counts(Words::Capitals, text), expected);
    }

    #[test]
    fn the_cases_of_a_suite_count_in_their_block() {
        let text = "describe(\"X\", () => {\n  describe(\"a\", () => {\n    it(\"b\");\n    describe(\"c\", () => {\n      it(\"d\");\n    it.skip(\"e\");\n";
        assert_eq!(counts(Words::Cases, text), [(String::new(), 0, 0), ("a".to_owned(), 2, 0)]);
    }
}
