//! What a mutant is called, whichever line it is in.

use std::collections::BTreeMap;

/// The file, and what is changed in which function. If several changes of a function read the same, the name ends with
/// which of them it is: ` (2 of 3)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(String);

impl Name {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The file that is changed, from the root.
    pub(crate) fn file(&self) -> &str {
        self.0.split_once(": ").map_or("", |(file, _)| file)
    }
}

/// The names of mutants by the lines that cargo-mutants prints for them: `core/src/time.rs:41:9: replace + with - in f`.
/// They are in the order of the file.
pub(crate) fn names(printed: &str) -> Vec<(String, Name)> {
    let mutants: Vec<(&str, String)> =
        printed.lines().filter_map(|line| Some((line, without_place(line)?))).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, name) in &mutants {
        *counts.entry(name).or_default() += 1;
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut names = Vec::new();
    for (line, name) in &mutants {
        let count = counts.get(name.as_str()).copied().unwrap_or_default();
        let index = seen.entry(name).or_default();
        *index += 1;
        let name = if count > 1 { format!("{name} ({index} of {count})") } else { name.clone() };
        names.push(((*line).to_owned(), Name(name)));
    }
    names
}

/// Leaves out the numbers of the line and the column.
fn without_place(line: &str) -> Option<String> {
    let (file, rest) = line.split_once(':')?;
    let (place, change) = rest.split_once(": ")?;
    let (row, column) = place.split_once(':')?;
    (row.parse::<u32>().is_ok() && column.parse::<u32>().is_ok()).then(|| format!("{file}: {change}"))
}

/// A regular expression that matches only this line.
pub(crate) fn pattern(line: &str) -> String {
    let escape = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => character.to_string(),
        // In the syntax of the crate regex, a backslash before some other characters is no escape.
        _ => format!("\\x{{{:x}}}", u32::from(character)),
    };
    format!("^{}$", line.chars().map(escape).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_no_operators_but_those_at_its_ends() {
        assert_eq!(
            pattern("a.rs:1:2: < ü"),
            "^a\\x{2e}rs\\x{3a}1\\x{3a}2\\x{3a}\\x{20}\\x{3c}\\x{20}\\x{fc}$"
        );
    }

    #[test]
    fn a_name_has_no_line_and_tells_equal_changes_apart() {
        let printed = "Found 3 mutants\n\
            core/src/a.rs:41:9: replace + with - in f\n\
            core/src/a.rs:41:20: replace + with - in f\n\
            core/src/a.rs:50:1: replace A::g -> Result<u8, Error> with Ok(0)\n";
        let names = names(printed);
        let names: Vec<_> = names.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "core/src/a.rs: replace + with - in f (1 of 2)",
                "core/src/a.rs: replace + with - in f (2 of 2)",
                "core/src/a.rs: replace A::g -> Result<u8, Error> with Ok(0)",
            ]
        );
        assert_eq!(Name::new(names[2]).file(), "core/src/a.rs");
    }
}
