//! Installs other people's packages, which tests run, from npm and from `PyPI`: once, and again when their list changes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::job::{Job, Stop, command};

/// Is installed where the machine's own node is too old.
const NEWER_NODE: &str = "node@22.23.3";

/// Installs the packages that `package-lock.json` in this folder lists, into `node_modules` beside it.
pub(crate) fn from_npm(job: &mut Job<'_>, folder: &str) -> Result<(), Stop> {
    let path = job.workspace.root.join(folder);
    let lock = path.join("package-lock.json");
    // npm removes every file there that is not on its list, unless its name begins with a dot.
    once_for(job, &lock, &path.join("node_modules/.installed-lock.json"), |job| {
        job.run(&mut npm(folder, "ci --no-audit --no-fund")).map(drop)
    })
}

/// Installs node beside those packages, as `node_modules/node/bin/node`, unless the machine's is this version or newer.
pub(crate) fn node_since(job: &mut Job<'_>, folder: &str, oldest: u32) -> Result<(), Stop> {
    if job.workspace.root.join(folder).join("node_modules/node/bin/node").exists() {
        return Ok(());
    }
    if major(&job.run(&mut command("node --version"))?).is_some_and(|major| major >= oldest) {
        return Ok(());
    }
    job.run(&mut npm(folder, &format!("install --no-save --no-audit --no-fund {NEWER_NODE}"))).map(drop)
}

/// npm, run in this folder.
pub(crate) fn npm(folder: &str, arguments: &str) -> Command {
    command(&format!("npm --prefix {folder} {arguments}"))
}

/// Installs the packages of this list into a virtual environment. Returns its interpreter.
pub(crate) fn from_pypi(job: &mut Job<'_>, requirements: &str, environment: &Path) -> Result<PathBuf, Stop> {
    let requirements = job.workspace.root.join(requirements);
    let python = environment.join("bin/python");
    once_for(job, &requirements, &environment.join("installed-requirements.txt"), |job| {
        job.run(command("python3 -m venv --clear").arg(environment))?;
        let options = ["-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--requirement"];
        job.run(Command::new(&python).args(options).arg(&requirements)).map(drop)
    })?;
    Ok(python)
}

/// Installs, unless the same list was installed before. A copy of the list is kept beside what was installed.
fn once_for(
    job: &mut Job<'_>,
    list: &Path,
    installed: &Path,
    install: impl FnOnce(&mut Job<'_>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let broken = |error: std::io::Error| Stop::Failed(format!("{}: {error}", list.display()));
    let wanted = std::fs::read(list).map_err(broken)?;
    if std::fs::read(installed).is_ok_and(|present| present == wanted) {
        return Ok(());
    }
    install(job)?;
    std::fs::write(installed, wanted).map_err(broken)
}

/// Returns the first number of what `node --version` prints.
fn major(printed: &str) -> Option<u32> {
    printed.trim().trim_start_matches('v').split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::workspace::Workspace;

    #[test]
    fn a_list_is_installed_once_and_again_when_it_changes() {
        let workspace = Workspace::load().unwrap();
        let mut job = Job::start(&workspace, "test-of-install", Duration::from_mins(1), false).unwrap();
        let folder = workspace.target.join("xtask/test-of-install");
        std::fs::create_dir_all(&folder).unwrap();
        let (list, installed) = (folder.join("list"), folder.join("installed"));
        let _ = std::fs::remove_file(&installed);
        let mut count = 0;
        for text in ["one", "one", "two", "two"] {
            std::fs::write(&list, text).unwrap();
            once_for(&mut job, &list, &installed, |_| {
                count += 1;
                Ok(())
            })
            .unwrap();
        }
        assert_eq!(count, 2);
        std::fs::write(&list, "three").unwrap();
        let fails = |_: &mut Job<'_>| Err(Stop::Failed("no network".to_owned()));
        assert!(once_for(&mut job, &list, &installed, fails).is_err());
        assert!(once_for(&mut job, &list, &installed, fails).is_err(), "a failure counts as installed");
    }

    #[test]
    fn node_says_its_version_with_a_letter() {
        assert_eq!(major("v18.20.4\n"), Some(18));
        assert_eq!(major("none"), None);
    }
}
