//! Runs the tests that `docs/peers.md` names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use crate::job::{Job, Stop, failed};
use crate::parts::host::workspace_test;
use crate::parts::interop;
use crate::programs::Programs;
use crate::stopwatch::{Spoken, Stopwatch};

use super::claims::Test;

/// What became of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The number of cases that passed: one, unless a test is run with several peers.
    Passed(usize),
    Failed,
    /// Nothing of this name was run.
    NotRun,
}

/// Runs the tests, those of one program together, and says how each went.
pub(super) fn run(
    job: &mut Job<'_>,
    tests: &BTreeSet<Test>,
    python: &Path,
) -> Result<BTreeMap<Test, Outcome>, Stop> {
    let mut programs: BTreeMap<String, Vec<(&Test, Printed)>> = BTreeMap::new();
    for test in tests {
        let path = job.workspace.root.join(&test.file);
        let source = std::fs::read_to_string(path).unwrap_or_default();
        let Some((program, printed)) = printed(test, &source) else {
            return failed(format!("{}: no test {}", test.file, test.name));
        };
        programs.entry(program).or_default().push((test, printed));
    }
    let mut outcomes = BTreeMap::new();
    for (program, tests) in programs {
        let watch = Stopwatch::start();
        let mut lines = String::new();
        for mut command in commands(&program, tests.iter().map(|(_, printed)| printed)) {
            // A test that fails is an outcome.
            lines += &job.outcome(command.env("EIO_INTEROP_PYTHON", python))?.1;
        }
        let of_program = tests.iter().map(|(test, printed)| ((*test).clone(), printed.outcome(&lines)));
        outcomes.extend(of_program);
        println!("[peers-table] {} tests of {program} in {}", tests.len(), Spoken(watch.elapsed()));
    }
    Ok(outcomes)
}

/// Builds the programs of these tests, and whatever they start. Returns what was built in `tests/`, `probed` among it.
pub(super) fn build(job: &mut Job<'_>, tests: &BTreeSet<Test>) -> Result<Programs, Stop> {
    let programs: BTreeSet<_> =
        tests.iter().filter_map(|test| Some((place(&test.file)?.0, is_ours(test)))).collect();
    let mut build = |is_ours: bool| {
        let chosen = programs.iter().filter(|(_, ours)| *ours == is_ours);
        let chosen = chosen.map(|(program, _)| format!("--test {program}")).collect::<Vec<_>>().join(" ");
        let features = if is_ours { String::new() } else { format!("--features {}", interop::INTEROP) };
        Programs::build(job, &mut workspace_test(&format!("{features} {chosen} --no-run")))
    };
    build(true)?;
    build(false)
}

/// Whether a test needs nobody else's program. Those that do are in `tests/`.
fn is_ours(test: &Test) -> bool {
    !test.file.starts_with("tests/")
}

/// How a test's program calls it.
#[derive(Debug, PartialEq, Eq)]
enum Printed {
    /// A function, by its path.
    Function(String),
    /// A case of a list. Its name may begin with the peer that it is run with.
    Case(String),
}

impl Printed {
    fn is(&self, name: &str) -> bool {
        match self {
            Self::Function(path) => name == path,
            Self::Case(sentence) => {
                name.strip_suffix(sentence).is_some_and(|peer| peer.is_empty() || peer.ends_with(": "))
            }
        }
    }

    fn outcome(&self, lines: &str) -> Outcome {
        let verdicts = lines.lines().filter_map(|line| line.strip_prefix("test ")?.rsplit_once(" ... "));
        let verdicts: Vec<_> =
            verdicts.filter(|(name, _)| self.is(name.trim())).map(|(_, verdict)| verdict).collect();
        match verdicts[..] {
            [] => Outcome::NotRun,
            _ if verdicts.contains(&"FAILED") => Outcome::Failed,
            _ if verdicts.iter().all(|verdict| *verdict == "ok") => Outcome::Passed(verdicts.len()),
            _ => Outcome::NotRun,
        }
    }
}

/// The program that a test is in, and how it is called there.
fn printed(test: &Test, source: &str) -> Option<(String, Printed)> {
    let (program, modules) = place(&test.file)?;
    let name = &test.name;
    let is_function = [format!("]\nfn {name}("), format!("]\nasync fn {name}(")];
    let printed = if is_function.iter().any(|start| source.contains(start)) {
        Printed::Function([modules, vec![name]].concat().join("::"))
    } else {
        Printed::Case(sentence(source, name)?.to_owned())
    };
    Some((program.to_owned(), printed))
}

/// The test program of a file, and the modules below that it is: `exact` and `upgrade` of
/// `std-adapter/tests/exact/upgrade.rs`.
fn place(file: &str) -> Option<(&str, Vec<&str>)> {
    let (_, below) = file.strip_suffix(".rs")?.split_once("/tests/")?;
    let mut names = below.split('/');
    Some((names.next()?, names.filter(|name| *name != "main").collect()))
}

/// The sentence under which a list of cases names a function: `case("a sentence", .., function)`.
fn sentence<'a>(source: &'a str, function: &str) -> Option<&'a str> {
    source.split("case(").skip(1).find_map(|call| {
        let (call, _) = call.split_once("));")?;
        let last = call.trim_end().trim_end_matches(',').rsplit(',').next()?.trim();
        if last == function { call.trim_start().strip_prefix('"')?.split('"').next() } else { None }
    })
}

/// What runs these tests of a program. A list of cases takes one name at a time.
fn commands<'a>(program: &str, tests: impl Iterator<Item = &'a Printed>) -> Vec<Command> {
    let (mut functions, mut commands) = (Vec::new(), Vec::new());
    for test in tests {
        match test {
            Printed::Function(path) => functions.push(path),
            Printed::Case(sentence) => {
                let mut command = interop::test(program);
                command.arg("--").arg(sentence);
                commands.push(command);
            }
        }
    }
    if !functions.is_empty() {
        let mut command = workspace_test(&format!("--no-fail-fast --test {program} -- --exact"));
        command.args(functions);
        commands.push(command);
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(file: &str, name: &str) -> Test {
        Test { file: file.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn a_function_is_called_by_its_path_and_a_case_by_its_sentence() {
        let source = "#[test]\nfn one() {}\n#[tokio::test]\nasync fn two() {}\nfn helper() {}\n";
        let path = |name| printed(&test("a/tests/exact/upgrade.rs", name), source);
        assert_eq!(path("one"), Some(("exact".to_owned(), Printed::Function("upgrade::one".to_owned()))));
        assert_eq!(path("two"), Some(("exact".to_owned(), Printed::Function("upgrade::two".to_owned()))));
        assert_eq!(path("helper"), None);
        let alone = printed(&test("core/tests/handshake.rs", "one"), source);
        assert_eq!(alone, Some(("handshake".to_owned(), Printed::Function("one".to_owned()))));

        let source = "cases.push(case(\"slowly\", crowd(), slow));\ncases.push(peer.case(\n    \"at once\",\n    \
                      fast,\n));\ncases.push(peer.case(&format!(\"x\"), move |peer| x(peer)));\n";
        let case = |name| printed(&test("tests/tests/attacks/crowds.rs", name), source);
        assert_eq!(case("slow"), Some(("attacks".to_owned(), Printed::Case("slowly".to_owned()))));
        assert_eq!(case("fast"), Some(("attacks".to_owned(), Printed::Case("at once".to_owned()))));
        assert_eq!(case("neither"), None);
    }

    #[test]
    fn a_test_that_fails_with_one_peer_fails_and_one_that_nobody_ran_is_not_run() {
        let lines = "running 4 tests\ntest upgrade::one ... ok\ntest a over b: at once ... ok\n\
                     test c over b: at once ... ok\ntest d over b: slowly  ... ok\n\
                     test e over b: slowly  ... FAILED\ntest [why] never ... ignored\n";
        let function = |path: &str| Printed::Function(path.to_owned()).outcome(lines);
        let case = |sentence: &str| Printed::Case(sentence.to_owned()).outcome(lines);
        assert_eq!(function("upgrade::one"), Outcome::Passed(1));
        assert_eq!(function("one"), Outcome::NotRun);
        assert_eq!(case("at once"), Outcome::Passed(2));
        assert_eq!(case("once"), Outcome::NotRun);
        assert_eq!(case("slowly"), Outcome::Failed);
        assert_eq!(case("never"), Outcome::NotRun);
    }

    #[test]
    fn functions_are_run_together_and_cases_one_by_one() {
        let function = |name: &str| Printed::Function(name.to_owned());
        let case = |sentence: &str| Printed::Case(sentence.to_owned());
        let last_words = |printed: &[Printed]| -> Vec<String> {
            let spelled = |command: Command| {
                let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
                words.collect::<Vec<_>>().join(" ").rsplit(" --test ").next().unwrap_or_default().to_owned()
            };
            commands("x", printed.iter()).into_iter().map(spelled).collect()
        };
        assert_eq!(last_words(&[function("a::b"), function("c")]), ["x -- --exact a::b c"]);
        assert_eq!(last_words(&[case("at once"), case("slowly")]), ["x -- at once", "x -- slowly"]);
    }
}
