//! The tools of the compiler's own LLVM, which know every target that the compiler knows.

use std::path::Path;
use std::process::Command;

use crate::job::{Job, Stop, command, failed};

/// Runs one of them on an image.
pub(crate) fn run(job: &mut Job<'_>, tool: &str, arguments: &[&str], image: &Path) -> Result<String, Stop> {
    let libraries = job.run(&mut command("rustc --print target-libdir"))?;
    let tool = Path::new(libraries.trim()).with_file_name("bin").join(tool);
    job.run(Command::new(tool).args(arguments).arg(image))
}

/// How many bytes an image's sections take.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sections {
    /// Code and constants.
    pub(crate) text: u64,
    /// The initial values of variables.
    pub(crate) data: u64,
    /// Variables that begin as zero.
    pub(crate) bss: u64,
}

impl Sections {
    pub(crate) fn of(job: &mut Job<'_>, image: &Path) -> Result<Self, Stop> {
        let printed = run(job, "llvm-size", &[], image)?;
        match Self::read(&printed) {
            Some(sections) => Ok(sections),
            None => failed("llvm-size printed something else than sizes"),
        }
    }

    /// Reads `   text    data     bss     dec     hex filename`, and a line of numbers.
    fn read(printed: &str) -> Option<Self> {
        let mut numbers = printed.lines().nth(1)?.split_whitespace().map_while(|number| number.parse().ok());
        Some(Self { text: numbers.next()?, data: numbers.next()?, bss: numbers.next()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_from_what_llvm_size_prints() {
        let printed = "   text\t   data\t    bss\t    dec\t    hex\tfilename\n\
                       \x20 1404\t      8\t     64\t   1476\t    5c4\timage\n";
        assert_eq!(Sections::read(printed), Some(Sections { text: 1404, data: 8, bss: 64 }));
        assert_eq!(Sections::read("no such file"), None);
    }
}
