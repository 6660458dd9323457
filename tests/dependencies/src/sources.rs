//! How much source a package has, and how much of it the compiler takes on trust.

use std::path::Path;
use std::{fs, io};

/// What is counted in a package's source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Lines of Rust that are neither blank nor a comment.
    pub(crate) lines: usize,
    /// How often the word `unsafe` stands outside of comments.
    pub(crate) unsafes: usize,
    /// Lines of C and of assembly, comments included.
    pub(crate) foreign: usize,
}

impl Size {
    pub(crate) fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.unsafes += other.unsafes;
        self.foreign += other.foreign;
    }
}

/// Folders beside a package's source that its users do not build.
const NOT_BUILT: [&str; 8] = ["benches", "bench", "ci", "doc", "examples", "fuzz", "test", "tests"];

/// Counts in a package's folder, without what only its own tests, examples and benchmarks use.
pub(crate) fn count(package: &Path) -> io::Result<Size> {
    let mut size = Size::default();
    let mut folders = vec![package.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            if entry.file_type()?.is_dir() {
                let is_left_out = NOT_BUILT.iter().any(|left_out| name == *left_out);
                if !is_left_out {
                    folders.push(path);
                }
                continue;
            }
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("rs") => size.add(of_rust(&String::from_utf8_lossy(&fs::read(&path)?))),
                Some("c" | "h" | "S" | "s" | "asm" | "inl") => {
                    size.foreign += String::from_utf8_lossy(&fs::read(&path)?).lines().count();
                }
                _ => {}
            }
        }
    }
    Ok(size)
}

/// Counts in one file, line by line: strings are not told from code, which changes little and keeps this short.
fn of_rust(text: &str) -> Size {
    let mut size = Size::default();
    let mut depth = 0_usize;
    for line in text.lines() {
        let line = line.trim_start();
        if depth == 0 && line.starts_with("//") {
            continue;
        }
        if depth > 0 || line.starts_with("/*") {
            let (opened, closed) = (line.matches("/*").count(), line.matches("*/").count());
            depth = (depth + opened).saturating_sub(closed);
            continue;
        }
        if line.is_empty() {
            continue;
        }
        size.lines += 1;
        let code = line.split_once("//").map_or(line, |(code, _)| code);
        let words = code.split(|character: char| !character.is_alphanumeric() && character != '_');
        size.unsafes += words.filter(|word| *word == "unsafe").count();
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blank_lines_are_not_counted() {
        let text = "//! unsafe\n\nfn a() {} // unsafe\n/* unsafe\n /* unsafe */\n*/\nfn b() {}\n";
        assert_eq!(of_rust(text), Size { lines: 2, unsafes: 0, foreign: 0 });
    }

    #[test]
    fn each_unsafe_is_counted_and_the_lint_about_them_is_not() {
        let text = "#![deny(unsafe_code)]\nunsafe fn a() { unsafe { b() } }\nunsafe impl Send for A {}\n";
        assert_eq!(of_rust(text), Size { lines: 3, unsafes: 3, foreign: 0 });
    }
}
