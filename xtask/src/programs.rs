//! The programs that a build has made, and where cargo has put them.
//!
//! Cargo itself says where: `CARGO_TARGET_DIR`, a configuration file and `CARGO_BUILD_TARGET` each move what is built.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::job::{Job, Stop};

/// What each of cargo's messages for programs begins with.
pub(crate) const MESSAGE: &str = "{\"reason\":";

/// The programs of one build.
pub(crate) struct Programs(Vec<(String, PathBuf)>);

impl Programs {
    /// Runs a `cargo build`, or a `cargo test --no-run`, at the root.
    pub(crate) fn build(job: &mut Job<'_>, command: &mut Command) -> Result<Self, Stop> {
        command.arg("--message-format=json-render-diagnostics");
        job.run(command).map(|printed| Self::read(&printed))
    }

    fn read(printed: &str) -> Self {
        let messages = printed.lines().filter(|line| line.starts_with(MESSAGE));
        let messages = messages.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let program = |message: Value| {
            Some((message["target"]["name"].as_str()?.to_owned(), message["executable"].as_str()?.into()))
        };
        Self(messages.filter_map(program).collect())
    }

    /// Returns the path of the program with this name.
    pub(crate) fn path(&self, name: &str) -> Result<&Path, Stop> {
        let found = self.0.iter().find(|(known, _)| known == name).map(|(_, path)| path.as_path());
        found.ok_or_else(|| Stop::Failed(format!("cargo has built no program {name}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_where_cargo_says_that_they_are() {
        let printed = "   Compiling eio-cli v0.1.0\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"eio-core\"},\"executable\":null}\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"eio\"},\"executable\":\"/elsewhere/debug/eio\"}\n\
            {\"reason\":\"build-finished\",\"success\":true}\n";
        let programs = Programs::read(printed);
        assert_eq!(programs.path("eio").unwrap(), Path::new("/elsewhere/debug/eio"));
        assert_eq!(programs.path("eio-core").unwrap_err().sentence(), "cargo has built no program eio-core");
    }
}
