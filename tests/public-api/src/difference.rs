//! How two versions of a committed text differ. The program in `tests/dependencies` includes this file as well.

use std::collections::BTreeSet;

/// How many lines of a difference are shown.
const SHOWN: usize = 40;

/// The lines that only one of two texts has; nothing if the texts are the same.
pub(crate) fn difference(committed: &str, actual: &str) -> Option<String> {
    if committed == actual {
        return None;
    }
    let only_in = |text: &'_ str, other: &str, sign: char| -> Vec<String> {
        let known: BTreeSet<&str> = other.lines().collect();
        text.lines().filter(|line| !known.contains(line)).map(|line| format!("{sign} {line}")).collect()
    };
    let mut lines = only_in(committed, actual, '-');
    lines.extend(only_in(actual, committed, '+'));
    if lines.is_empty() {
        lines.push("the lines are the same in another order, or repeated".to_owned());
    }
    let left_out = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    if left_out > 0 {
        lines.push(format!("and {left_out} more"));
    }
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_is_gone_and_what_is_new() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(difference("a\nb\n", "a\nc\n").unwrap(), "- b\n+ c");
        assert_eq!(difference("", &"x\n".repeat(50)).unwrap().lines().last(), Some("and 10 more"));
    }
}
