//! What the documents say about tests and examples is true.

#[path = "documents/assurance.rs"]
mod assurance;
#[path = "documents/diagnoses.rs"]
mod diagnoses;
#[path = "documents/rules.rs"]
mod rules;
#[path = "documents/unsafe_code.rs"]
mod unsafe_code;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn read(path: &str) -> String {
    let path = Path::new(ROOT).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What follows `heading`, up to the next heading of the second level.
fn section<'d>(document: &'d str, heading: &str) -> &'d str {
    let (_, section) = document.split_once(heading).unwrap_or_else(|| panic!("no section {heading:?}"));
    section.split("\n## ").next().unwrap_or_default()
}

/// The rows of the table whose first line begins so, without its head.
fn rows<'d>(document: &'d str, begins: &str) -> impl Iterator<Item = &'d str> {
    let table = document.split_once(&format!("\n{begins}"));
    let (_, table) = table.unwrap_or_else(|| panic!("no table {begins:?}"));
    table.lines().skip(2).take_while(|line| line.starts_with('|'))
}

/// The rows of the table that follows `heading`, each as its first cell and the rest.
fn table(document: &str, heading: &str) -> BTreeMap<String, String> {
    let rows = section(document, heading).lines().filter_map(|line| line.strip_prefix("| B"));
    rows.filter_map(|row| row.split_once(" | "))
        .map(|(id, rest)| (format!("B{id}"), rest.to_owned()))
        .collect()
}

/// The words between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_unit_of_systemd_keeps_passwords_from_other_users() {
    let unit = read("docs/several-nodes/eio@.service");
    for file in ["%i.toml", "secret"] {
        let loads =
            |line: &str| line.starts_with("LoadCredential=") && line.ends_with(&format!("/etc/eio/{file}"));
        assert!(unit.lines().any(loads), "{file} is a credential");
    }
    let installs: Vec<_> =
        unit.lines().filter(|line| line.starts_with('#') && line.contains("/etc/eio")).collect();
    assert_eq!(installs.len(), 2, "of the configuration and of the secret: {installs:?}");
    for line in installs {
        assert!(line.contains("install -m 600") || line.contains("umask 077"), "{line}");
    }
    let starts = unit.lines().find(|line| line.starts_with("ExecStart=")).unwrap();
    assert!(!starts.contains("/etc/eio"), "{starts}");
}

#[test]
fn every_failure_of_a_peer_names_tests_that_exist() {
    let document = read("docs/peers.md");
    let failures = table(&document, "\n## Failures\n");
    let tests = table(&document, "\n## Where each is tried\n");
    assert!(failures.len() >= 31, "the table is not found: {failures:?}");
    assert!(failures.keys().eq(tests.keys()), "{:?} {:?}", failures.keys(), tests.keys());
    for (failure, cell) in tests {
        names_tests(&failure, &cell);
    }
    let attacks = attacks(&document);
    assert!(attacks.len() >= 16, "the table is not found: {attacks:?}");
    for row in attacks {
        let (attack, cell) = row.rsplit_once(" | ").unwrap_or_default();
        names_tests(attack, cell);
    }
}

/// The rows of the table of attacks.
fn attacks(document: &str) -> Vec<&str> {
    let rows = section(document, "\n## Attacks\n").lines().filter_map(|line| line.strip_prefix("| "));
    rows.skip(1).collect()
}

/// Panics unless each test of the cell exists, and there is one.
fn names_tests(what: &str, cell: &str) {
    let mut named = 0;
    let mut source = String::new();
    for word in code(cell) {
        if word.contains('/') {
            source = read(word);
        } else {
            // With real peers, and for an attack, a test is a case in a list.
            let starts = ["(peer: Peer, log: Log)", "(target: Target, size: usize)"];
            let is_case = starts.iter().any(|start| source.contains(&format!("\nasync fn {word}{start}")))
                && source.matches(word).count() > 1;
            let is_there = source.contains(&format!("]\nfn {word}("))
                || source.contains(&format!("]\nasync fn {word}("))
                || is_case;
            assert!(is_there, "{what}: no test {word}");
            named += 1;
        }
    }
    assert!(named > 0, "{what} names no test");
}

#[test]
fn every_failure_was_tried_on_the_newest_version_of_its_peer_and_on_eio_with_all_its_tests() {
    let (list, page) = (read("docs/peers.md"), read("docs/peers-today.md"));
    let today = table(&page, "# Failures of other implementations today\n");
    let tests = table(&list, "\n## Where each is tried\n");
    let missing = "`cargo xtask prove peers-table` writes the page";
    assert!(tests.keys().eq(today.keys()), "{missing}: {today:?}");
    let names =
        |cell: &str| code(cell).filter(|word| !word.contains('/')).map(str::to_owned).collect::<Vec<_>>();
    for (failure, cell) in tests {
        let row = today[&failure].rsplit(" | ").next().unwrap_or_default();
        assert_eq!(names(row), names(&cell), "{failure}: {missing}");
    }
}

#[test]
fn every_story_about_a_failure_is_listed_with_it() {
    let tests = table(&read("docs/peers.md"), "\n## Where each is tried\n");
    for line in read("core/tests/stories/peers.rs").lines() {
        let Some(name) =
            line.strip_prefix("fn b").and_then(|rest| rest.split_once('(')).map(|(name, _)| name)
        else {
            continue;
        };
        let number = name.split('_').next().unwrap_or_default();
        let listed =
            tests.get(&format!("B{number}")).is_some_and(|cell| cell.contains(&format!("`b{name}`")));
        assert!(listed, "b{name} is not listed under B{number}");
    }
}

#[test]
fn every_recipe_for_mounting_is_what_a_test_does() {
    let tests = files(&Path::new(ROOT).join("std-adapter/tests/mounted"), ".rs");
    let source: String = tests.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let mut recipes = 0;
    for block in read("docs/mounting.md").split("```rust\n").skip(1) {
        let code = block.split("```").next().unwrap_or_default();
        let decides = |line: &&str| {
            ["timeout", "serve_with(", "axum::serve(", "from_tcp", "serve_connection", "shutdown("]
                .iter()
                .any(|word| line.contains(word))
        };
        for line in code.lines().filter(decides) {
            let words = line.trim().trim_end_matches("?;").trim_end_matches(".await").trim_end_matches(';');
            assert!(source.contains(words), "no test has {words:?}");
            recipes += 1;
        }
    }
    assert!(recipes >= 7, "{recipes} lines of recipes");
}

/// The columns that rustdoc shows of a picture in a window of 1,200 pixels. It cuts off the rest.
const PICTURE_WIDTH: usize = 100;

/// The files below `folder` whose names end with `ending`.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    let (folders, files): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    let below = folders.iter().flat_map(|folder| self::files(folder, ending));
    below.chain(files.into_iter().filter(|path| path.to_string_lossy().ends_with(ending))).collect()
}

#[test]
fn no_picture_on_a_crates_pages_is_cut_off_in_a_window_of_1200_pixels() {
    let root = Path::new(ROOT);
    let mut pictures = 0;
    for crate_folder in ["cluster", "core", "embassy-adapter", "legacy", "sim", "socketio", "std-adapter"] {
        for path in files(&root.join(crate_folder).join("src"), ".rs") {
            let source = fs::read_to_string(&path).unwrap();
            let docs: Vec<&str> = source
                .lines()
                .map(|line| line.trim_start().trim_start_matches("//!").trim_start_matches("///"))
                .map(|line| line.strip_prefix(' ').unwrap_or(line))
                .collect();
            let mut blocks = docs.split(|line| line.starts_with("```"));
            let _before = blocks.next();
            let opened = docs.iter().filter(|line| line.starts_with("```"));
            for (block, _) in blocks.zip(opened).filter(|(_, opening)| **opening == "```text") {
                pictures += 1;
                for line in block {
                    let width = line.chars().count();
                    assert!(width <= PICTURE_WIDTH, "{}: {width} columns: {line}", path.display());
                }
            }
        }
    }
    assert!(pictures >= 5, "{pictures} pictures");
}

/// The programs in the folders of this name, of the packages in the root, `benches` and `fuzz`: `crate/folder/name.rs`,
/// `crate/folder/name/`.
fn programs(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for parent in ["", "benches/", "fuzz/"] {
        let packages = fs::read_dir(Path::new(ROOT).join(parent)).expect("a folder of packages");
        for package in packages.flatten() {
            let Ok(entries) = fs::read_dir(package.path().join(folder)) else { continue };
            let package = package.file_name().into_string().expect("a name in UTF-8");
            for entry in entries.flatten() {
                let (path, name) = (entry.path(), entry.file_name().into_string().expect("a name in UTF-8"));
                if path.extension().is_some_and(|extension| extension == "rs") {
                    found.push(format!("{parent}{package}/{folder}/{name}"));
                } else if path.join("main.rs").exists() {
                    found.push(format!("{parent}{package}/{folder}/{name}/"));
                }
            }
        }
    }
    found
}

#[test]
fn every_example_is_in_the_index_and_every_file_of_the_index_exists() {
    let index = read("docs/examples.md");
    let examples = programs("examples");
    assert!(examples.len() >= 7, "{examples:?}");
    for example in examples {
        assert!(index.contains(&format!("(../{example}")), "docs/examples.md lacks {example}");
    }
    for link in index.split("](../").skip(1) {
        let path = link.split(')').next().unwrap_or_default();
        assert!(Path::new(ROOT).join(path).exists(), "docs/examples.md: no {path}");
    }
}

#[test]
fn every_example_says_how_to_run_it_at_the_root() {
    let mut names = BTreeSet::new();
    for example in programs("examples") {
        let path = if example.ends_with('/') { format!("{example}main.rs") } else { example.clone() };
        let name =
            example.trim_end_matches('/').trim_end_matches(".rs").rsplit('/').next().unwrap_or_default();
        let source = read(&path);
        let head: Vec<_> = source.lines().take_while(|line| line.starts_with("//!")).collect();
        let command = head.iter().find(|line| line.contains("cargo run")).copied().unwrap_or_default();
        let words = command.split(|sign: char| sign.is_whitespace() || sign == '`');
        assert!(words.skip_while(|word| *word != "--example").nth(1) == Some(name), "{path}: {head:#?}");
        // Two of one name could not be run without their package.
        assert!(names.insert(name.to_owned()), "two examples have the name {name}");
    }
}

#[test]
fn every_test_program_says_what_it_shows_and_every_program_of_the_list_exists() {
    let list = read("tests/README.md");
    let programs = programs("tests");
    assert!(programs.len() >= 20, "{programs:?}");
    for program in &programs {
        assert!(list.contains(&format!("\n| `{program}` | ")), "tests/README.md lacks {program}");
    }
    for line in list.lines().filter_map(|line| line.strip_prefix("| `")) {
        let path = line.split('`').next().unwrap_or_default();
        if path.contains("/tests/") {
            assert!(programs.iter().any(|program| program == path), "tests/README.md: no {path}");
        }
    }
}

/// A listing without the parameters of its types: `Endpoint<'a>::path` becomes `Endpoint::path`.
fn without_parameters(listing: &str) -> String {
    let mut depth = 0_usize;
    let mut before = ' ';
    let mut kept = String::new();
    for sign in listing.chars() {
        match sign {
            '<' => depth += 1,
            '>' if before != '-' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(sign),
            _ => {}
        }
        before = sign;
    }
    kept
}

#[test]
fn every_name_of_eio_on_the_page_for_other_libraries_exists() {
    let listings = ["eio-cluster", "eio-core", "eio-embassy", "eio-socketio", "eio-tokio"]
        .map(|package| without_parameters(&read(&format!("docs/public-api/{package}.txt"))))
        .concat();
    let of_name = |sign: char| sign.is_alphanumeric() || sign == '_' || sign == ':';
    let known: BTreeSet<&str> = listings
        .split(|sign| !of_name(sign))
        .map(|path| path.trim_end_matches(':'))
        .filter_map(|path| path.rmatch_indices("::").nth(1).map(|(at, _)| &path[at + 2..]))
        .collect();
    let page = read("docs/migrating.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").nth(1));
    let names = rows.flat_map(code).flat_map(|code| code.split(|sign| !of_name(sign)));
    let mut checked = 0;
    for name in names.filter(|name| name.contains("::") && name.starts_with(char::is_uppercase)) {
        assert!(known.contains(name), "there is no {name}");
        checked += 1;
    }
    assert!(checked >= 50, "{checked} names");
}

#[test]
fn the_table_of_features_in_a_readme_has_every_feature() {
    let mut tables = 0;
    for folder in ["core", "legacy", "std-adapter", "socketio", "cluster"] {
        let manifest = read(&format!("{folder}/Cargo.toml"));
        let (_, features) = manifest.split_once("\n[features]\n").expect("features");
        let features = features.split("\n[").next().unwrap_or_default().lines();
        let names = features.filter(|line| line.starts_with(|sign: char| sign.is_ascii_lowercase()));
        let names = names.filter_map(|line| line.split(" =").next()).filter(|name| *name != "default");
        let readme = read(&format!("{folder}/README.md"));
        let rows: BTreeSet<_> =
            rows(&readme, "| feature | adds |").filter_map(|row| row.split('`').nth(1)).collect();
        assert_eq!(rows, names.collect(), "left is the table of {folder}/README.md, right its manifest");
        tables += rows.len();
    }
    assert!(tables >= 25, "{tables} features");
}

#[test]
fn the_readmes_table_of_costs_is_a_part_of_one_that_was_measured_and_committed() {
    let glance = |text: &str, heading: &str| {
        section(text, heading)
            .lines()
            .filter(|line| line.starts_with('|'))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let shown = glance(&read("README.md"), "\n## What it costs\n");
    assert!(shown.len() >= 8, "{shown:?}");
    let folder = Path::new(ROOT).join("benches/results");
    let results = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut tables = results.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let is_part_of = |measured: Vec<String>| {
        let mut rows = measured.iter();
        shown.iter().all(|row| rows.any(|measured| measured == row))
    };
    assert!(
        tables.any(|path| is_part_of(glance(&fs::read_to_string(path).unwrap(), "\n## At a glance\n"))),
        "README.md has rows that are in none of the tables in benches/results, or in another order"
    );
}

/// What follows the opening parenthesis of a macro, up to the one that closes it. Its strings have no quotes in them.
fn arguments(rest: &str) -> &str {
    let (mut depth, mut is_text) = (1, false);
    let end = rest.find(|sign| {
        match sign {
            '"' => is_text = !is_text,
            '(' if !is_text => depth += 1,
            ')' if !is_text => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    &rest[..end.expect("a closing parenthesis")]
}

/// A line of the log: its target, its level and its words.
type LogLine = (String, String, String);

/// What a crate logs, whose targets are in this file of its sources.
fn logged(folder: &str, targets: &str) -> BTreeSet<LogLine> {
    let targets = read(&format!("{folder}/src/{targets}"));
    let target = |arguments: &str| {
        let name = arguments.split("target: targets::").nth(1)?.split(',').next()?;
        let value = targets.split(&format!("const {name}: &str = \"")).nth(1)?.split('"').next()?;
        Some(value.to_owned())
    };
    let mut lines = BTreeSet::new();
    for path in files(&Path::new(ROOT).join(folder).join("src"), ".rs") {
        let source = fs::read_to_string(&path).unwrap();
        let levels = ["error", "warn", "info", "debug", "trace"];
        let macros = levels.map(|level| (level, format!("tracing::{level}!("))).into_iter();
        for (level, start) in macros.chain([("info", "log_end!(".to_owned())]) {
            for rest in source.split(&start).skip(1) {
                let arguments = arguments(rest);
                if arguments.contains("target: $target") {
                    continue;
                }
                let words = arguments.rsplit('"').nth(1).unwrap_or_else(|| panic!("no words: {arguments}"));
                let target =
                    target(arguments).unwrap_or_else(|| panic!("{}: no target: {arguments}", path.display()));
                lines.insert((target, level.to_owned(), words.to_owned()));
            }
        }
    }
    lines
}

#[test]
fn every_log_line_is_in_the_guides_table_with_its_target_and_level() {
    for (folder, targets, at_least) in [
        ("std-adapter", "wire/targets.rs", 30),
        ("socketio", "targets.rs", 10),
        ("cluster", "targets.rs", 15),
    ] {
        let chapter = read(&format!("{folder}/src/guide/logs.md"));
        let mut documented = BTreeSet::new();
        let mut target = String::new();
        for row in chapter.lines().filter_map(|line| line.strip_prefix("| ")) {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let [first, level, words, ..] = cells[..] else { continue };
            if first.starts_with("`eio_") {
                first.trim_matches('`').clone_into(&mut target);
            }
            if ["error", "warn", "info", "debug", "trace"].contains(&level) {
                documented
                    .extend(code(words).map(|words| (target.clone(), level.to_owned(), words.to_owned())));
            }
        }
        let logged = logged(folder, targets);
        assert!(logged.len() >= at_least, "{logged:?}");
        let missing: Vec<_> = logged.difference(&documented).collect();
        let invented: Vec<_> = documented.difference(&logged).collect();
        assert!(missing.is_empty() && invented.is_empty(), "missing: {missing:?}; invented: {invented:?}");
    }
}
