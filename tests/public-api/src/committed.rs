//! A program that writes a committed text anew, or compares it. The program in `tests/dependencies` includes this file as
//! well.

use std::path::Path;
use std::process::ExitCode;

use crate::difference::difference;

/// What is done with the path of a text and the text that it should hold.
pub(crate) type Handle<'h> = &'h dyn Fn(&Path, &str) -> Result<(), String>;

/// Does what the arguments say: none writes each text that `run` makes, `check` compares it. `renew` is the command that
/// writes.
pub(crate) fn main(renew: &str, run: impl FnOnce(Handle<'_>) -> Result<(), String>) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [] => run(&write),
        [verb] if verb == "check" => run(&|path, text| check(path, text, renew)),
        _ => Err("expected no argument, or `check`".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, text));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

fn check(path: &Path, text: &str, renew: &str) -> Result<(), String> {
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    match difference(&committed, text) {
        None => Ok(()),
        Some(difference) => Err(format!(
            "{} is not what the code gives today. If the change is meant, run `{renew}` and commit the file.\n{difference}",
            path.display()
        )),
    }
}
