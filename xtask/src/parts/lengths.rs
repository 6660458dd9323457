//! How long files are. Functions are counted by clippy (`too_many_lines`, with its threshold in `clippy.toml`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::job::{Job, Stop, failed};

/// The folders whose files are counted.
const FOLDERS: [&str; 4] = ["cli", "cluster", "socketio", "std-adapter"];

/// The kinds of files that are counted.
const EXTENSIONS: [&str; 4] = ["rs", "html", "css", "js"];

/// The most lines a file may have, without its unit tests.
const LIMIT: usize = 400;

/// Fails if a file is longer than the limit.
pub(crate) fn check(job: &mut Job<'_>) -> Result<(), Stop> {
    let root = &job.workspace.root;
    let unreadable = |error: io::Error| Stop::Failed(format!("the files cannot be read: {error}"));
    let mut paths = Vec::new();
    for folder in FOLDERS {
        collect(&root.join(folder), &mut paths).map_err(unreadable)?;
    }
    let mut lengths = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).map_err(unreadable)?;
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        lengths.push((name, length(&text)));
    }
    let complaints = complaints(&lengths);
    if complaints.is_empty() { Ok(()) } else { failed(complaints.join("; ")) }
}

/// Finds the files to count below a folder.
fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
        {
            paths.push(path);
        }
    }
    Ok(())
}

/// Counts the lines of a file up to its unit tests, which stand at its end.
fn length(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines
        .windows(2)
        .position(|pair| matches!(pair, ["#[cfg(test)]", second] if second.starts_with("mod tests")));
    tests.unwrap_or(lines.len())
}

/// Returns a sentence for each file that is too long.
fn complaints(lengths: &[(String, usize)]) -> Vec<String> {
    let too_long = lengths.iter().filter(|(_, length)| *length > LIMIT);
    too_long
        .map(|(name, length)| {
            format!("{name} has {length} lines without its unit tests: expected at most {LIMIT}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_tests_do_not_count() {
        assert_eq!(length("a\nb\n\n#[cfg(test)]\nmod tests {\nc\n}\n"), 3);
        assert_eq!(length("a\n#[cfg(test)]\nfn helper() {}\n"), 3);
    }

    #[test]
    fn a_file_that_is_too_long_is_named() {
        let lengths = [("a.rs".to_owned(), 401), ("b.rs".to_owned(), 400)];
        assert_eq!(complaints(&lengths), ["a.rs has 401 lines without its unit tests: expected at most 400"]);
    }
}
