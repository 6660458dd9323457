//! What may be wrong: each diagnosis with its name for scripts, what it means, and what to do.
//!
//! `docs/diagnoses.md` lists them all, each with its test: for all but five, on the real thing.

mod answers;
mod ends;
mod notes;
mod opening;

use core::time::Duration;

use eio_core::Revision;

use crate::duration::{setting, spoken};

/// A diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    /// Its name, which keeps its meaning in later versions.
    pub(crate) name: &'static str,
    means: &'static str,
    advice: &'static str,
}

/// Declares diagnoses as constants, and a list of them.
macro_rules! diagnoses {
    ($list:ident: $($constant:ident, $name:literal, $means:literal, $advice:literal;)*) => {
        impl $crate::connect::diagnosis::Diagnosis {
            $(pub(crate) const $constant: Self = Self { name: $name, means: $means, advice: $advice };)*
        }

        pub(super) const $list: &[$crate::connect::diagnosis::Diagnosis] =
            &[$($crate::connect::diagnosis::Diagnosis::$constant),*];
    };
}

use diagnoses;

/// The measured values that the texts name in braces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values {
    /// The server's ping interval: `{interval}`.
    pub(crate) interval: Duration,
    /// Its ping interval plus its ping timeout: `{sum}`.
    pub(crate) sum: Duration,
    /// The time since the last sign of life: `{silence}`.
    pub(crate) silence: Duration,
    /// The most that a ping was late: `{late}`.
    pub(crate) late: Duration,
    /// How long eio was stopped: `{nap}`.
    pub(crate) nap: Duration,
    /// The revision that eio speaks. The other one is `{other}`.
    pub(crate) revision: Revision,
}

impl Diagnosis {
    /// Returns all of them, in the order of the documentation.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        [opening::LIST, answers::LIST, ends::LIST, notes::LIST].into_iter().flatten().copied()
    }

    /// Returns what it means.
    pub(crate) fn meaning(self, values: &Values) -> String {
        values.fill(self.means)
    }

    /// Returns what to do, or an empty text if there is nothing to do.
    pub(crate) fn advice(self, values: &Values) -> String {
        values.fill(self.advice)
    }

    /// Returns the names of all of them for the help, in lines of at most 90 characters.
    pub(crate) fn names() -> String {
        let mut lines = String::new();
        let mut length = 0;
        for Self { name, .. } in Self::all() {
            if lines.is_empty() || length + name.len() + 1 > 90 {
                lines.push_str(if lines.is_empty() { " " } else { "\n " });
                length = 1;
            }
            lines.push(' ');
            lines.push_str(name);
            length += 1 + name.len();
        }
        lines
    }
}

impl Values {
    fn fill(&self, text: &str) -> String {
        let other = match self.revision {
            Revision::V3 => "4",
            Revision::V4 => "3",
        };
        text.replace("{interval}", &setting(self.interval))
            .replace("{sum}", &setting(self.sum))
            .replace("{silence}", &spoken(self.silence))
            .replace("{late}", &spoken(self.late))
            .replace("{nap}", &spoken(self.nap))
            .replace("{other}", other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the tables in the documentation: the name, the meaning and the advice.
    fn documented() -> Vec<[String; 3]> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/diagnoses.md");
        let page = std::fs::read_to_string(path).unwrap();
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
        rows.map(|row| {
            let cells: Vec<_> = row.split(" | ").collect();
            let [name, _codes, means, advice, _tests] = cells[..] else { panic!("five cells: {row}") };
            [name.trim_end_matches('`'), means, advice].map(str::to_owned)
        })
        .collect()
    }

    #[test]
    fn the_documentation_has_every_diagnosis_in_the_words_that_are_printed() {
        let expected: Vec<_> = Diagnosis::all()
            .map(|Diagnosis { name, means, advice }| {
                [name, means, if advice.is_empty() { "–" } else { advice }].map(str::to_owned)
            })
            .collect();
        for (row, expected) in documented().iter().zip(&expected) {
            assert_eq!(row, expected);
        }
        assert_eq!(documented().len(), expected.len());
    }

    #[test]
    fn names_are_different_and_fit_for_scripts() {
        let names: Vec<_> = Diagnosis::all().map(|diagnosis| diagnosis.name).collect();
        for (index, name) in names.iter().enumerate() {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
            assert!(!names[..index].contains(name), "{name} comes twice");
        }
        let help = crate::args::help("connect");
        for name in names {
            assert!(help.split_whitespace().any(|word| word == name), "{name}\n{help}");
        }
    }

    #[test]
    fn every_text_is_one_or_two_sentences_whose_values_are_filled_in() {
        let values = Values {
            interval: Duration::from_secs(25),
            sum: Duration::from_secs(45),
            silence: Duration::from_secs(20),
            late: Duration::from_secs(3),
            nap: Duration::from_mins(5),
            revision: Revision::V4,
        };
        for diagnosis in Diagnosis::all() {
            for text in [diagnosis.meaning(&values), diagnosis.advice(&values)] {
                let ends = text.matches(". ").count() + usize::from(text.ends_with('.'));
                assert!(text.is_empty() || ends <= 2, "{text}");
                assert!(!text.contains(['{', '}', '|']), "{text}");
            }
        }
        assert!(Diagnosis::WRONG_REVISION.advice(&values).contains("--eio 3"));
        assert!(Diagnosis::IDLE_LIMIT.meaning(&values).contains(
            "arrived for 20.0 s, longer than ever before on this connection, and pings come only every 25 s"
        ));
    }
}
