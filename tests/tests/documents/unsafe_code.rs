//! Where code that the compiler does not check may be.

use std::path::Path;

use crate::{ROOT, files, read};

/// The programs and libraries with such code: two files of the tokio adapter, each place with its reason; the module in the
/// browser, whose functions the page calls; the image whose calls are searched for panics; and the random numbers of the
/// system that shuttle chooses.
const EXCEPTIONS: [&str; 4] = [
    "browser-example/src/lib.rs",
    "std-adapter/src/lib.rs",
    "tests/panic-free/src/main.rs",
    "tests/schedules/src/lib.rs",
];

#[test]
fn every_program_and_library_of_the_workspace_forbids_unsafe_code_but_those_that_are_known() {
    let manifest = read("Cargo.toml");
    let (_, members) = manifest.split_once("members = [").expect("a workspace");
    let (members, _) = members.split_once(']').expect("the end of a list");
    let (mut forbids, mut others) = (0, Vec::new());
    for member in members.split('"').skip(1).step_by(2) {
        let source = Path::new(ROOT).join(member).join("src");
        for path in files(&source, ".rs") {
            let below = path.strip_prefix(&source).unwrap().to_string_lossy().replace('\\', "/");
            let is_root = match below.strip_prefix("bin/") {
                Some(program) => !program.contains('/') || program.ends_with("/main.rs"),
                None => below == "lib.rs" || below == "main.rs",
            };
            let name = format!("{member}/src/{below}");
            if is_root && read(&name).contains("\n#![forbid(unsafe_code)]\n") {
                forbids += 1;
            } else if is_root {
                others.push(name);
            }
        }
    }
    others.sort();
    assert_eq!(others, EXCEPTIONS);
    assert!(forbids >= 25, "{forbids} are found");
    assert!(read("std-adapter/src/lib.rs").contains("\n#![deny(unsafe_code)]\n"));
}

/// How many unsafe blocks files of the tokio adapter have. The page of proof names them, too.
const BLOCKS: [(&str, usize); 2] =
    [("std-adapter/src/wire/small.rs", 1), ("std-adapter/src/wire/text.rs", 2)];

#[test]
fn the_tokio_adapter_has_the_unsafe_blocks_that_are_known_and_no_others() {
    let mut found = Vec::new();
    for path in files(&Path::new(ROOT).join("std-adapter/src"), ".rs") {
        let name = path.strip_prefix(ROOT).unwrap().to_string_lossy().replace('\\', "/");
        let source = read(&name);
        let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
        let is_name = |sign: char| sign.is_alphanumeric() || sign == '_';
        let words = code.flat_map(|line| line.split(|sign| !is_name(sign)));
        match words.filter(|word| *word == "unsafe").count() {
            0 => {}
            count => found.push((name, count)),
        }
    }
    found.sort();
    assert_eq!(found, BLOCKS.map(|(name, count)| (name.to_owned(), count)));
    let page = read("docs/assurance.md");
    for words in ["three blocks", "`wire/text.rs`", "`wire/small.rs`"] {
        assert!(page.contains(words), "docs/assurance.md does not say {words}");
    }
}
