//! What is handed out has the same bytes, whoever makes it and wherever.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::job::{Job, Stop, command, failed};
use crate::workspace::cargo_home;

/// Packs the packages once more, from a copy of the tree, and compares them with those in the target folder.
pub(super) fn same_packages(job: &mut Job<'_>, names: &[&str]) -> Result<(), Stop> {
    let root = job.workspace.root.clone();
    needs_repository(job, &root)?;
    let packages = job.workspace.target.join("package");
    let copy = copy(job, &packages.join("elsewhere/deeper"))?;
    let mut pack = command("cargo package --quiet --no-verify --allow-dirty --target-dir target");
    pack.args(names.iter().flat_map(|name| ["--package", name]));
    job.run(pack.current_dir(&copy))?;
    for name in names {
        let archive = format!("{name}-{}.crate", env!("CARGO_PKG_VERSION"));
        compare(&packages.join(&archive), &copy.join("target/package").join(&archive))?;
    }
    Ok(())
}

/// Without a repository, nobody can tell what belongs to the tree.
fn needs_repository(job: &mut Job<'_>, root: &Path) -> Result<(), Stop> {
    // Not one of another user, either, which git does not read.
    let head = job.outcome(command("git rev-parse --quiet --verify HEAD").current_dir(root));
    if head.is_ok_and(|(status, _)| status.success()) && root.join(".git").exists() {
        return Ok(());
    }
    let why = "the packages were packed and built, but not packed twice: git does not take this folder for a repository of \
               this user";
    Err(Stop::NotRun(why.to_owned()))
}

/// Builds the tool in two copies of the tree, as docs/releasing.md says, and compares.
pub(crate) fn same_tool(job: &mut Job<'_>) -> Result<(), Stop> {
    let folder = job.workspace.target.join("reproducible");
    let mut tools = Vec::new();
    for place in ["one", "another/deeper"] {
        let copy = copy(job, &folder.join(place))?;
        let flags = format!(
            "--remap-path-prefix={}=/eio --remap-path-prefix={}=/cargo",
            copy.display(),
            cargo_home().display()
        );
        let mut build = command("cargo build --locked --profile dist --package eio-cli --target-dir target");
        job.run(build.env("RUSTFLAGS", flags).current_dir(&copy))?;
        tools.push(copy.join("target/dist/eio"));
    }
    let [one, another] = tools.as_slice() else { return failed("expected two builds") };
    compare(one, another)?;
    // Two builds of everything take gigabytes.
    let broken = |error: io::Error| Stop::Failed(format!("{}: {error}", folder.display()));
    fs::remove_dir_all(&folder).map_err(broken)
}

/// Copies what git knows of the tree, with the changes that are not committed, into a folder whose files are younger and that
/// nobody else may read. Returns the folder.
fn copy(job: &mut Job<'_>, folder: &Path) -> Result<PathBuf, Stop> {
    let broken = |path: &Path, error: &io::Error| Stop::Failed(format!("{}: {error}", path.display()));
    let root = &job.workspace.root;
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| broken(folder, &error))?;
    }
    let mut clone = command("sh -c");
    clone.arg("umask 077 && git clone --quiet --shared \"$0\" \"$1\"").arg(root).arg(folder);
    job.run(&mut clone)?;
    let changed = job.run(&mut command("git diff --name-only --no-renames -z HEAD"))?;
    let new = job.run(&mut command("git ls-files --others --exclude-standard -z"))?;
    for name in changed.split_terminator('\0').chain(new.split_terminator('\0')) {
        let (from, to) = (root.join(name), folder.join(name));
        let done = if from.exists() {
            let parent = to.parent().unwrap_or(folder);
            fs::create_dir_all(parent).and_then(|()| fs::copy(&from, &to).map(drop))
        } else {
            fs::remove_file(&to)
        };
        done.map_err(|error| broken(&to, &error))?;
    }
    Ok(folder.to_owned())
}

fn compare(one: &Path, another: &Path) -> Result<(), Stop> {
    let read =
        |path: &Path| fs::read(path).map_err(|error| Stop::Failed(format!("{}: {error}", path.display())));
    if read(one)? == read(another)? {
        Ok(())
    } else {
        failed(format!(
            "{} and {} differ: something of the machine is in them",
            one.display(),
            another.display()
        ))
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::workspace::Workspace;

    #[test]
    fn without_a_repository_nothing_counts_as_compared() {
        let workspace = Workspace::load().unwrap();
        let mut job = Job::start(&workspace, "test-of-no-repository", Duration::from_mins(1), false).unwrap();
        let folder = std::env::temp_dir().join(format!("eio-no-repository-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let result = needs_repository(&mut job, &folder);
        fs::remove_dir_all(&folder).unwrap();
        assert!(matches!(result, Err(Stop::NotRun(_))), "{result:?}");
    }

    #[test]
    fn files_that_differ_by_a_byte_are_told_apart() {
        let folder = std::env::temp_dir().join(format!("eio-reproducible-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (one, same, other) = (folder.join("one"), folder.join("same"), folder.join("other"));
        for (path, bytes) in [(&one, "abc"), (&same, "abc"), (&other, "abd")] {
            fs::write(path, bytes).unwrap();
        }
        let results = [compare(&one, &same).is_ok(), compare(&one, &other).is_ok()];
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(results, [true, false]);
    }
}
