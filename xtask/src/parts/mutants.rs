//! Changes the code in one place at a time, and fails if the tests do not notice and nobody has said why they cannot.
//!
//! Each mutant is first tried with tests that are built and run in seconds, and if it survives these, with all tests of its
//! package. One file is tried after another, those first that were never tried or longest ago, so a run that is stopped has
//! results, too.

mod explained;
mod name;
mod outcome;
mod results;
mod subjects;
mod tree;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use explained::{Explained, LIST};
use name::Name;
use outcome::{Counts, Outcome};
use results::{Results, Row};
use subjects::{Arguments, SUBJECTS, Stage, Subject};
use tree::Tree;

use crate::job::{Job, PATIENCE, Stop, failed};
use crate::stopwatch::{Spoken, Stopwatch};
use crate::workspace::Workspace;

/// Names the files to try, by the beginnings of their paths. They are separated by spaces.
const FILES: &str = "EIO_MUTANTS_FILES";

/// Tries the mutants of this shard's files, and writes what became of them into the page of results.
pub(crate) fn prove(job: &mut Job<'_>) -> Result<(), Stop> {
    let explained = Explained::read(job)?;
    let tree = Tree::check_out(job)?;
    let date = job.today()?;
    let mut files = Vec::new();
    for subject in &SUBJECTS {
        files.extend(subject.files(&tree)?);
    }
    let named: Vec<&File> = match std::env::var(FILES) {
        Ok(prefixes) => named(&files, &prefixes)?,
        Err(_) => files.iter().collect(),
    };
    let sizes: Vec<usize> = named.iter().map(|file| file.mutants.len()).collect();
    let shares = job.shard.chooses(&sizes);
    let mut chosen: Vec<&File> =
        named.into_iter().zip(shares).filter_map(|(file, is_chosen)| is_chosen.then_some(file)).collect();
    if chosen.is_empty() {
        return failed(format!("shard {} has no file: take fewer shards", job.shard));
    }
    println!(
        "[mutants] shard {}: {} of {} mutants, in {} of {} files",
        job.shard,
        chosen.iter().map(|file| file.mutants.len()).sum::<usize>(),
        files.iter().map(|file| file.mutants.len()).sum::<usize>(),
        chosen.len(),
        files.len()
    );

    let mut results =
        Results::read(&job.workspace.root, files.iter().map(|file| (file.path.as_str(), file.mutants.len())));
    results.write(&job.workspace.root)?;
    // A run that is always stopped before its end comes to all files in the end.
    chosen.sort_by_key(|file| results.tried_on(&file.path));
    let mut tried = BTreeMap::new();
    let mut laboratory = Laboratory { job, tree, patience: BTreeMap::new() };
    for (position, file) in chosen.iter().enumerate() {
        let outcomes = laboratory.attempt(file)?;
        let counts = Counts::of(&outcomes, |name| explained.contains(name));
        println!("[mutants] {} ({} of {}): {}", file.path, position + 1, chosen.len(), spoken(counts));
        let commit = laboratory.tree.commit.clone();
        results.set(&file.path, Row { counts, date: date.clone(), commit });
        results.write(&laboratory.job.workspace.root)?;
        tried.extend(outcomes);
    }
    job.note(format!("shard {}: {}", job.shard, spoken(Counts::of(&tried, |name| explained.contains(name)))));
    let existing = files.iter().flat_map(|file| &file.mutants).map(|(_, name)| name).collect();
    judge(&explained, &existing, &tried)
}

/// The files whose paths begin with one of these. Each of these must be the beginning of one.
fn named<'f>(files: &'f [File], prefixes: &str) -> Result<Vec<&'f File>, Stop> {
    let prefixes: Vec<&str> = prefixes.split_whitespace().collect();
    let begins = |file: &File, prefix: &str| file.path.starts_with(prefix);
    if let Some(strange) = prefixes.iter().find(|prefix| !files.iter().any(|file| begins(file, prefix))) {
        return failed(format!("{FILES}: no file with mutants begins with {strange:?}"));
    }
    Ok(files.iter().filter(|file| prefixes.iter().any(|prefix| begins(file, prefix))).collect())
}

/// Writes the page of results from those of shards, which other machines have tried.
pub(crate) fn merge(workspace: &Workspace, pages: &[PathBuf]) -> Result<(), String> {
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let pages = pages.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let results = Results::merge(&workspace.root, &pages);
    results.write(&workspace.root).map_err(|stop| stop.sentence().to_owned())
}

/// Fails if a survivor is not explained, or if an explanation is of no use.
fn judge(
    explained: &Explained,
    existing: &BTreeSet<&Name>,
    tried: &BTreeMap<Name, Outcome>,
) -> Result<(), Stop> {
    let survived = tried.iter().filter(|(_, outcome)| **outcome == Outcome::Survived).map(|(name, _)| name);
    let unexplained = survived.filter(|name| !explained.contains(name));
    let mut complaints: Vec<_> = unexplained
        .map(|name| format!("no test notices, and {LIST} does not explain: {}", name.as_str()))
        .collect();
    complaints.extend(explained.stale(existing, tried));
    if complaints.is_empty() { Ok(()) } else { failed(complaints.join("\n")) }
}

fn spoken(counts: Counts) -> String {
    let Counts { caught, timed_out, unviable, explained, unexplained } = counts;
    format!(
        "{} mutants, {caught} caught, {timed_out} timed out, {unviable} do not compile, {explained} survive as \
         explained, {unexplained} not explained",
        counts.all()
    )
}

/// A file, and its mutants in their order.
struct File {
    subject: &'static Subject,
    path: String,
    mutants: Vec<(String, Name)>,
}

impl Subject {
    /// Its files that have mutants. What is listed here stays out of the log, where it would hide the rest.
    fn files(&'static self, tree: &Tree) -> Result<Vec<File>, Stop> {
        let mut list = tree.command("cargo mutants --no-config --list --colors never --package");
        list.arg(self.package).args(self.files.iter().flat_map(|glob| ["--file", glob]));
        let listed =
            list.output().map_err(|error| Stop::Failed(format!("cargo-mutants did not run: {error}")))?;
        if !listed.status.success() {
            return failed(format!("cargo-mutants failed: {}", String::from_utf8_lossy(&listed.stderr)));
        }
        let mut files: Vec<File> = Vec::new();
        for (line, name) in name::names(&String::from_utf8_lossy(&listed.stdout)) {
            let path = name.file().to_owned();
            match files.last_mut() {
                Some(file) if file.path == path => file.mutants.push((line, name)),
                _ => files.push(File { subject: self, path, mutants: vec![(line, name)] }),
            }
        }
        Ok(files)
    }
}

/// Where mutants are tried.
struct Laboratory<'a, 'job> {
    job: &'a mut Job<'job>,
    tree: Tree,
    /// How long the tests of a package's stage may take.
    patience: BTreeMap<(&'static str, Arguments), Duration>,
}

impl Laboratory<'_, '_> {
    /// Tries the mutants of a file.
    fn attempt(&mut self, file: &File) -> Result<BTreeMap<Name, Outcome>, Stop> {
        let folder = self.job.workspace.target.join("mutants/out");
        let _ = std::fs::remove_dir_all(&folder);
        let mut outcomes = BTreeMap::new();
        for stage in file.subject.stages {
            let Some(programs) = stage.programs.of(&file.path) else { continue };
            self.tree.leave_out(self.job, file.subject.manifest, stage.left_out)?;
            let patience = self.patience(file.subject, stage, programs)?;
            let left = file
                .mutants
                .iter()
                .filter(|(_, name)| outcomes.get(name).is_none_or(|outcome| *outcome == Outcome::Survived));
            let left = left.map(|(line, _)| line.as_str());
            let mut mutants = file.try_with(stage, programs, left, patience, &self.tree, &folder);
            let watch = Stopwatch::start();
            let (status, _) = self.job.outcome_telling(&mut mutants, |printed| {
                let (progress, took) = (progress(printed), Spoken(watch.elapsed()));
                println!("[mutants] {}, {}: {progress}, {took}", file.path, stage.name);
            })?;
            // 2: some survived; 3: some were stopped.
            if !matches!(status.code(), Some(0 | 2 | 3)) {
                return failed(format!("{}: cargo-mutants failed ({status})", file.path));
            }
            outcome::add(&mut outcomes, &folder, &file.mutants)?;
            if outcomes.len() != file.mutants.len() {
                let (tried, all) = (outcomes.len(), file.mutants.len());
                return failed(format!("{}: only {tried} of {all} mutants were tried", file.path));
            }
            if !outcomes.values().any(|outcome| *outcome == Outcome::Survived) {
                break;
            }
        }
        Ok(outcomes)
    }

    /// How long the tests of a stage may take with a mutant. The first time, runs them without one.
    fn patience(&mut self, subject: &Subject, stage: &Stage, programs: Arguments) -> Result<Duration, Stop> {
        const LEAST: Duration = Duration::from_secs(10);
        if let Some(&patience) = self.patience.get(&(subject.package, programs)) {
            return Ok(patience);
        }
        println!("[mutants] {}: {}, without a mutant", subject.package, stage.name);
        let cargo_test = |tree: &Tree| {
            let mut test = tree.command("cargo test --package");
            test.args([subject.package, "--features", subject.features]).args(programs);
            test
        };
        let mut build = cargo_test(&self.tree);
        let took = self.job.time(build.arg("--no-run"), stage.limit(&mut cargo_test(&self.tree)))?;
        let patience = (took * PATIENCE).max(LEAST);
        self.patience.insert((subject.package, programs), patience);
        Ok(patience)
    }
}

impl File {
    /// Tries these of its mutants with the tests of a stage.
    fn try_with<'m>(
        &self,
        stage: &Stage,
        programs: Arguments,
        lines: impl Iterator<Item = &'m str>,
        patience: Duration,
        tree: &Tree,
        folder: &Path,
    ) -> Command {
        let mut mutants = tree.command(
            "cargo mutants --no-config --in-place --baseline skip --caught --unviable --colors never",
        );
        let Subject { package, features, .. } = self.subject;
        mutants.args(["--package", package, "--features", features, "--file", &self.path]);
        mutants.args(["--timeout", &patience.as_secs().to_string()]).arg("--output").arg(folder);
        mutants.args(lines.map(|line| format!("--re={}", name::pattern(line))));
        mutants.args(programs.iter().map(|argument| format!("--cargo-arg={argument}")));
        mutants.arg("--");
        stage.limit(&mut mutants);
        mutants
    }
}

/// How far cargo-mutants has come, from what it has printed.
fn progress(printed: &str) -> String {
    let count = |word: &str| printed.lines().filter(|line| line.trim_start().starts_with(word)).count();
    let all = printed.lines().find_map(|line| line.strip_prefix("Found ")?.split_once(' '));
    let [caught, survived, stopped, unviable] = ["caught", "MISSED", "TIMEOUT", "unviable"].map(count);
    format!(
        "{} of {} mutants, {survived} have survived",
        caught + survived + stopped + unviable,
        all.map_or("?", |(all, _)| all)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_survivor_fails_unless_it_is_explained() {
        let list = serde_json::json!([{ "reason": "Nobody sees it.", "mutants": ["a.rs: 1"] }]);
        let explained = Explained::parse(&list).unwrap();
        let names = ["a.rs: 1", "a.rs: 2"].map(Name::new);
        let existing = names.iter().collect();
        let judged = |outcomes: [Outcome; 2]| {
            judge(&explained, &existing, &names.clone().into_iter().zip(outcomes).collect())
        };
        assert!(judged([Outcome::Survived, Outcome::Caught]).is_ok());
        let stop = judged([Outcome::Survived, Outcome::Survived]).unwrap_err();
        assert!(stop.sentence().ends_with("does not explain: a.rs: 2"), "{stop:?}");
        let stop = judged([Outcome::Caught, Outcome::TimedOut]).unwrap_err();
        assert!(stop.sentence().ends_with("explains a.rs: 1"), "{stop:?}");
    }

    #[test]
    fn files_are_named_by_the_beginnings_of_their_paths() {
        let file = |path: &str| File { subject: &SUBJECTS[0], path: path.to_owned(), mutants: Vec::new() };
        let files = ["a/b.rs", "a/b/c.rs", "d.rs"].map(file);
        let chosen = |prefixes: &str| {
            let chosen = named(&files, prefixes).map_err(|stop| stop.sentence().to_owned())?;
            Ok::<_, String>(chosen.into_iter().map(|file| file.path.as_str()).collect::<Vec<_>>())
        };
        assert_eq!(chosen("a/b"), Ok(vec!["a/b.rs", "a/b/c.rs"]));
        assert_eq!(chosen("d.rs a/b.rs"), Ok(vec!["a/b.rs", "d.rs"]));
        assert!(chosen("a b.rs").unwrap_err().ends_with("\"b.rs\""));
    }

    #[test]
    fn progress_is_counted_from_what_was_printed() {
        let printed = "Found 12 mutants to test\ncaught   core/src/a.rs:1:2: replace f with () in 1s build\n\
             MISSED   core/src/a.rs:1:3: replace g with () in 1s build + 2s test\n";
        assert_eq!(progress(printed), "2 of 12 mutants, 1 have survived");
    }
}
