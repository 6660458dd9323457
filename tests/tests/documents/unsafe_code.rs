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
