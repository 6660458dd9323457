//! Ours against other people's programs, and against those who mean harm.

use std::path::Path;
use std::process::Command;

use crate::job::{Job, Stop};

/// Where other people's programs are described.
const FOLDER: &str = "tests/interop";

/// Other people's clients against our server, and our client against their servers.
pub(crate) fn real_peers(job: &mut Job<'_>) -> Result<(), Stop> {
    install_from_npm(job)?;
    install_from_pypi(job)?;
    run_test(job, "real_peers").map(drop)
}

/// What killed or starved other implementations, tried on our server.
pub(crate) fn attacks(job: &mut Job<'_>) -> Result<(), Stop> {
    run_test(job, "attacks").map(drop)
}

/// Real faults in real time. Root, because it makes network namespaces; what it measures, it prints.
pub(crate) fn faults(job: &mut Job<'_>) -> Result<(), Stop> {
    let printed = run_test(job, "faults")?;
    printed.lines().filter(|line| line.contains("resident")).for_each(|line| job.note(line.to_owned()));
    Ok(())
}

fn run_test(job: &mut Job<'_>, name: &str) -> Result<String, Stop> {
    job.cargo(["test", "--package", "eio-tests", "--features", "interop", "--test", name])
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

fn install_from_pypi(job: &mut Job<'_>) -> Result<(), Stop> {
    let requirements = job.workspace.root.join(FOLDER).join("requirements.txt");
    let environment = job.workspace.target.join("interop/venv");
    once_for(job, &requirements, &environment.join("installed-requirements.txt"), |job| {
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]).arg(&environment);
        job.run(make)?;
        let mut install = Command::new(environment.join("bin/python"));
        install.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--requirement"]);
        install.arg(&requirements);
        job.run(install).map(drop)
    })
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
