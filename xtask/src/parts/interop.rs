//! Ours against other people's programs, and against those who mean harm.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::job::{Job, Stop};

/// Where other people's programs are described.
const FOLDER: &str = "tests/interop";

/// Other people's clients against our server, and our client against their servers.
pub(crate) fn real_peers(job: &mut Job<'_>) -> Result<(), Stop> {
    install_from_npm(job)?;
    let python = install_from_pypi(job)?;
    let mut test = test("real_peers");
    test.env("EIO_INTEROP_PYTHON", python);
    job.run(test).map(drop)
}

/// What killed or starved other implementations, tried on our server.
pub(crate) fn attacks(job: &mut Job<'_>) -> Result<(), Stop> {
    job.run(test("attacks")).map(drop)
}

/// Real faults in real time. Root, because it makes network namespaces; what it measures, it prints.
pub(crate) fn faults(job: &mut Job<'_>) -> Result<(), Stop> {
    let printed = job.run(test("faults"))?;
    printed.lines().filter(|line| line.contains("resident")).for_each(|line| job.note(line.to_owned()));
    Ok(())
}

fn test(name: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(["test", "--package", "eio-tests", "--features", "interop", "--test", name]);
    command
}

fn install_from_npm(job: &mut Job<'_>) -> Result<(), Stop> {
    let folder = job.workspace.root.join(FOLDER);
    let lock = folder.join("package-lock.json");
    once_for(job, &lock, &folder.join("node_modules/installed-lock.json"), |job| {
        let mut install = Command::new("npm");
        install.args(["ci", "--prefix", FOLDER]);
        job.run(install).map(drop)
    })
}

/// Returns the interpreter that has what was installed.
fn install_from_pypi(job: &mut Job<'_>) -> Result<PathBuf, Stop> {
    let requirements = job.workspace.root.join(FOLDER).join("requirements.txt");
    let environment = job.workspace.target.join("interop/venv");
    let python = environment.join("bin/python");
    once_for(job, &requirements, &environment.join("installed-requirements.txt"), |job| {
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]).arg(&environment);
        job.run(make)?;
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--requirement"]);
        install.arg(&requirements);
        job.run(install).map(drop)
    })?;
    Ok(python)
}

/// Installs unless the same list was installed before: its copy lies beside what came of it.
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
