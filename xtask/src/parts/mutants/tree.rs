//! A copy of the repository, in which code may be changed.

use std::path::PathBuf;
use std::process::Command;

use super::results::PAGE;
use crate::job::{Job, Stop, command};

/// The commit that is tried, checked out where nobody works. What was built there before is kept.
pub(crate) struct Tree {
    pub(crate) path: PathBuf,
    /// Its short name.
    pub(crate) commit: String,
}

impl Tree {
    pub(crate) fn check_out(job: &mut Job<'_>) -> Result<Self, Stop> {
        let path = job.workspace.target.join("mutants/tree");
        if !path.join(".git").exists() {
            let mut clone = command("git clone --quiet --shared --no-checkout");
            job.run(clone.arg(&job.workspace.root).arg(&path))?;
        }
        let tree = Self { path, commit: job.commit()? };
        // Only files that differ are written, so cargo builds only these again.
        let mut fetch = tree.command("git fetch --quiet");
        job.run(fetch.arg(&job.workspace.root).arg("HEAD"))?;
        job.run(&mut tree.command("git checkout --quiet --force --detach FETCH_HEAD"))?;
        if job.has_changes_outside(PAGE)? {
            job.note("what is not committed was not tried".to_owned());
        }
        Ok(tree)
    }

    /// Takes these dependencies out of a manifest. The others are those of the commit.
    pub(crate) fn leave_out(
        &self,
        job: &mut Job<'_>,
        manifest: &str,
        dependencies: &[&str],
    ) -> Result<(), Stop> {
        job.run(self.command("git checkout --quiet -- Cargo.lock").arg(manifest))?;
        if dependencies.is_empty() {
            return Ok(());
        }
        let path = self.path.join(manifest);
        let broken = |error| Stop::Failed(format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(broken)?;
        std::fs::write(&path, without(&text, dependencies)).map_err(broken)
    }

    /// A command in this tree. A small change is compiled in seconds, because the rest of its crate is not compiled again and
    /// nothing is written for debuggers.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = command(words);
        command
            .current_dir(&self.path)
            .env("CARGO_TARGET_DIR", self.path.join("target"))
            .env("CARGO_INCREMENTAL", "1")
            .env("CARGO_PROFILE_DEV_DEBUG", "0");
        command
    }
}

/// A manifest without the lines of these dependencies.
fn without(manifest: &str, dependencies: &[&str]) -> String {
    let is_kept = |line: &&str| {
        let (name, _) = line.split_once(" = ").unwrap_or_default();
        !dependencies.contains(&name)
    };
    manifest.split_inclusive('\n').filter(is_kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_is_one_line() {
        let manifest = "[dev-dependencies]\n# a = 1\na = { workspace = true }\na-b = \"1\"\n";
        assert_eq!(without(manifest, &["a"]), "[dev-dependencies]\n# a = 1\na-b = \"1\"\n");
    }
}
