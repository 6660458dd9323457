//! The page of what parts found: a section for each part, from the last run with `--record` that passed.

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread::available_parallelism;

use crate::job::{HIDDEN, Job, Stop};
use crate::part::{PARTS, Part};
use crate::stopwatch::Spoken;
use crate::workspace::Workspace;

/// Where it is, from the root.
const PAGE: &str = "docs/proofs.md";

const INTRODUCTION: &str = "\
# What the proofs found

Each section is what a part of `cargo xtask test` or `cargo xtask prove` printed when it last passed with `--record`.
[assurance.md](assurance.md) says what the parts are good for. A part without a section has not been recorded. What ran at an
older commit says nothing of the code that has changed since: for the long proofs, a command lists these changes.
";

/// What the long proofs are about, which do not run with every change: files and folders, from the root. Others write their
/// commits into pages of their own.
const JUDGED: [(&str, &str); 13] = [
    ("more-boards", "core/src embassy-adapter/src embedded-example"),
    ("libfuzzer", "core/src embassy-adapter/src fuzz legacy/src socketio/src std-adapter/src"),
    ("million", "core/src sim"),
    ("months", "core/src sim"),
    ("autobahn-limits", "core/src embassy-adapter/src std-adapter/src tests/tests/autobahn"),
    ("soak", "core/src std-adapter/src tests/tests/soak"),
    ("planted-faults", "core embassy-adapter socketio std-adapter tests/schedules"),
    ("coverage", "cli cluster core embassy-adapter legacy sim socketio std-adapter"),
    ("same-tool", "cli/src Cargo.lock"),
    ("every-step", "core/src tests/proof"),
    ("properties", "cluster core embassy-adapter legacy sim socketio std-adapter"),
    ("shuttle", "cluster/src core/src socketio/src std-adapter/src tests/schedules"),
    ("miri", "core legacy sim socketio/src std-adapter/src"),
];

/// When and where parts ran.
#[derive(Clone, Debug)]
pub(crate) struct Circumstances {
    date: String,
    commit: String,
    processors: usize,
    /// The variables of the environment that change how much a part does, such as `EIO_SCHEDULES=500`.
    settings: Vec<String>,
}

impl Circumstances {
    pub(crate) fn find(job: &mut Job<'_>) -> Result<Self, Stop> {
        let date = job.today()?;
        let mut commit = job.commit()?;
        // Pages are what parts write.
        if job.has_changes_outside("docs")? {
            commit.push_str(" with changes that were not committed");
        }
        let processors = available_parallelism().map_or(1, core::num::NonZero::get);
        let ours = |(name, value): (OsString, OsString)| {
            let setting = format!("{}={}", name.display(), value.display());
            let is_hidden = HIDDEN.iter().any(|hidden| name == *hidden);
            (setting.starts_with("EIO_") && !is_hidden).then_some(setting)
        };
        let mut settings: Vec<_> = std::env::vars_os().filter_map(ours).collect();
        settings.sort();
        Ok(Self { date, commit, processors, settings })
    }
}

/// Writes the section of a part that has passed. `found` are its notes, and `results` the test runners' closing lines.
pub(crate) fn write(
    workspace: &Workspace,
    part: &Part,
    circumstances: &Circumstances,
    took: Duration,
    found: &[String],
    results: &[String],
) -> Result<(), String> {
    // Parts run beside one another.
    static WRITING: Mutex<()> = Mutex::new(());
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let broken = |error: std::io::Error| format!("{PAGE}: {error}");
    let path = workspace.root.join(PAGE);
    let page = match std::fs::read_to_string(&path) {
        Ok(page) => page,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(broken(error)),
    };
    let mut sections = sections(&page);
    // The page says nothing of the machine's folders.
    let paths = [(&workspace.target, "target"), (&workspace.root, ".")];
    let found: Vec<_> = found.iter().map(|note| without_paths(note, paths)).collect();
    sections.insert(part.name.to_owned(), section(part, circumstances, took, &found, results));
    std::fs::write(&path, whole(&sections)).map_err(broken)
}

fn section(
    part: &Part,
    circumstances: &Circumstances,
    took: Duration,
    found: &[String],
    results: &[String],
) -> String {
    let Circumstances { date, commit, processors, settings } = circumstances;
    let with = if settings.is_empty() { String::new() } else { format!(", with {}", settings.join(" ")) };
    let mut text = format!(
        "Checks: {}.\n\nPassed on {date} in {}, on {processors} processors, at commit {commit}{with}.\n",
        part.about,
        Spoken(took)
    );
    if let Some((_, folders)) = JUDGED.iter().find(|(name, _)| *name == part.name) {
        let since = commit.split(' ').next().unwrap_or_default();
        let _ = writeln!(text, "Changed since: `git log --oneline {since}.. -- {folders}`.");
    }
    let passed: u64 = results.iter().filter_map(|line| passed(line)).sum();
    let tests = (passed > 0).then(|| format!("{passed} tests passed"));
    let mut before = "\n";
    for line in found.iter().flat_map(|note| note.lines()).chain(tests.as_deref()) {
        let _ = writeln!(text, "{before}- {}", line.trim());
        before = "";
    }
    text
}

/// Replaces the paths of folders by names.
fn without_paths(note: &str, paths: [(&PathBuf, &str); 2]) -> String {
    paths.iter().fold(note.to_owned(), |note, (path, name)| note.replace(&path.display().to_string(), name))
}

/// Returns how many tests passed, by a test runner's closing line.
pub(crate) fn passed(line: &str) -> Option<u64> {
    line.strip_prefix("test result: ok. ")?.split_once(' ')?.0.parse().ok()
}

/// The texts below the headings of parts.
fn sections(page: &str) -> BTreeMap<String, String> {
    let parts = page.split("\n## ").skip(1).filter_map(|text| text.split_once("\n\n"));
    parts.map(|(name, text)| (name.to_owned(), format!("{}\n", text.trim_end()))).collect()
}

/// The page, in the order of the parts. A section of a part that does not exist any more is left out.
fn whole(sections: &BTreeMap<String, String>) -> String {
    let mut page = INTRODUCTION.to_owned();
    for part in PARTS {
        if let Some(text) = sections.get(part.name) {
            let _ = write!(page, "\n## {}\n\n{text}", part.name);
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::Verb;

    #[test]
    fn what_a_proof_is_about_exists() {
        let workspace = Workspace::load().unwrap();
        for (part, folders) in JUDGED {
            assert!(Verb::Prove.parts().iter().any(|known| known.name == part), "{part}");
            for folder in folders.split(' ') {
                assert!(workspace.root.join(folder).exists(), "{part}: {folder}");
            }
        }
    }

    #[test]
    fn a_long_proof_says_how_to_find_what_has_changed_since() {
        let circumstances = Circumstances {
            date: "2026-11-30".to_owned(),
            commit: "abc with changes that were not committed".to_owned(),
            processors: 2,
            settings: vec![],
        };
        let million = PARTS.iter().find(|part| part.name == "million").unwrap();
        let text = section(million, &circumstances, Duration::from_secs(75), &[], &[]);
        assert!(text.ends_with("\nChanged since: `git log --oneline abc.. -- core/src sim`.\n"), "{text}");
    }

    #[test]
    fn a_note_names_no_folder_of_the_machine() {
        let (target, root) = (PathBuf::from("/a/b/target"), PathBuf::from("/a/b"));
        let paths = [(&target, "target"), (&root, ".")];
        assert_eq!(without_paths("in /a/b/target/x and /a/b/y", paths), "in target/x and ./y");
    }

    #[test]
    fn a_section_takes_the_place_of_its_part_and_the_others_stay() {
        let circumstances = Circumstances {
            date: "2026-11-30".to_owned(),
            commit: "abc".to_owned(),
            processors: 2,
            settings: vec![],
        };
        let [first, second, ..] = PARTS else { panic!() };
        let took = Duration::from_secs(75);
        let results =
            ["Running x", "test result: ok. 12 passed; 0 failed", "test result: ok. 3 passed; 0 failed"];
        let found = [" 5 things\n6 others".to_owned()];
        let text = section(second, &circumstances, took, &found, &results.map(str::to_owned));
        assert_eq!(
            text,
            format!(
                "Checks: {}.\n\nPassed on 2026-11-30 in 1 min 15 s, on 2 processors, at commit abc.\n\n\
                 - 5 things\n- 6 others\n- 15 tests passed\n",
                second.about
            )
        );
        let fewer = Circumstances { settings: vec!["EIO_SCHEDULES=5".to_owned()], ..circumstances.clone() };
        let text_of_fewer = section(second, &fewer, took, &[], &[]);
        assert!(text_of_fewer.ends_with("at commit abc, with EIO_SCHEDULES=5.\n"), "{text_of_fewer}");
        let mut known = sections("");
        known.insert(second.name.to_owned(), text.clone());
        known.insert("gone".to_owned(), "A part that was.\n".to_owned());
        let mut again = sections(&whole(&known));
        assert_eq!(again, BTreeMap::from([(second.name.to_owned(), text)]));
        again.insert(first.name.to_owned(), section(first, &circumstances, took, &[], &[]));
        let page = whole(&again);
        assert!(page.find(first.name) < page.find(&format!("## {}", second.name)), "{page}");
        assert!(page.ends_with("- 15 tests passed\n") && page.contains("commit abc.\n\n## "), "{page}");
    }
}
