//! What other implementations do today, and what eio does: each failure of `docs/peers.md` is provoked on the newest version of
//! its peer and on eio, the tests that hold it are run, and the outcomes become a page.

mod claims;
mod ours;
mod page;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::install::npm;
use crate::job::{Job, Stop, command, failed};
use crate::parts::interop;
use crate::stopwatch::{Spoken, Stopwatch};
use claims::Test;
use page::Results;

/// The programs that provoke them.
const FOLDER: &str = "tests/interop/failures";

/// The list of failures, and the page of outcomes.
const FAILURES: &str = "docs/peers.md";
const PAGE: &str = "docs/peers-today.md";

const NPM: [&str; 7] =
    ["engine.io", "engine.io-client", "socket.io", "socket.io-client", "@socket.io/bun-engine", "bun", "ws"];
const PYPI: [&str; 5] = ["python-engineio", "python-socketio", "requests", "uvicorn", "wsproto"];
/// The packages around the newest versions in Rust.
const CRATES: [&str; 2] = ["oxide", "rust_engineio"];

/// Installs the newest versions, provokes every failure there and here, runs the tests of each, and writes the page.
pub(crate) fn table(job: &mut Job<'_>) -> Result<(), Stop> {
    job.show("[peers-table] ");
    let list = std::fs::read_to_string(job.workspace.root.join(FAILURES))
        .map_err(|error| Stop::Failed(format!("{FAILURES}: {error}")))?;
    let failures = claims::failures(&list);
    let tests: BTreeSet<Test> = failures.iter().flat_map(|claim| claim.tests.clone()).collect();
    let peers = job.workspace.target.join("peers");
    make(&peers)?;

    let watch = Stopwatch::start();
    // What cannot be installed is in no row as tried: its program is missing.
    for installed in [from_npm(job, &peers), from_pypi(job, &peers), from_crates_io(job, &peers)] {
        if let Err(stop) = installed {
            job.note(stop.sentence().to_owned());
        }
    }
    let clean = lint(job, &peers);
    let python = interop::peers(job)?;
    ours::build(job, &tests)?;
    job.note(format!("installed and built in {}", Spoken(watch.elapsed())));

    let watch = Stopwatch::start();
    let mut run = Command::new("node");
    run.arg(job.workspace.root.join(FOLDER).join("run.mjs")).arg(&peers);
    let printed = job.run(run.arg(job.workspace.target.join("debug/probed")))?;
    let mut lines = Vec::new();
    for line in printed.lines().filter(|line| line.starts_with("{\"failure\"")) {
        lines.push(serde_json::from_str(line).map_err(|error| Stop::Failed(format!("{line}: {error}")))?);
    }
    job.note(format!("provoked in {}", Spoken(watch.elapsed())));

    let watch = Stopwatch::start();
    let outcomes = ours::run(job, &tests, &python)?;
    job.note(format!("tested in {}", Spoken(watch.elapsed())));

    let rows = page::rows(&lines);
    let results = Results { failures: &failures, rows: &rows, outcomes: &outcomes };
    write(&job.workspace.root.join(PAGE), &results.page(&job.today()?))?;
    results.counts().into_iter().for_each(|count| job.note(count));
    let wrong = results.wrong();
    if wrong.is_empty() { clean } else { failed(wrong.join("; ")) }
}

/// npm's packages, with the programs that npm does not let them install by themselves.
fn from_npm(job: &mut Job<'_>, peers: &Path) -> Result<(), Stop> {
    write(&peers.join("package.json"), "{ \"private\": true }\n")?;
    let mut install = npm(&peers.to_string_lossy(), "install --no-audit --no-fund");
    job.run(install.args(NPM.map(|name| format!("{name}@latest"))))?;
    let bun = peers.join("node_modules/bun");
    // It fails after it has done its work.
    job.outcome(Command::new("node").arg("install.js").current_dir(bun)).map(drop)
}

fn from_pypi(job: &mut Job<'_>, peers: &Path) -> Result<(), Stop> {
    let environment = peers.join("venv");
    job.run(command("python3 -m venv --clear").arg(&environment))?;
    let pip = |words: &str| {
        let mut pip = Command::new(environment.join("bin/python"));
        pip.args(["-m", "pip", "--disable-pip-version-check"]).args(words.split_whitespace());
        pip
    };
    job.run(pip("install --quiet --upgrade").args(PYPI))?;
    let installed = job.run(&mut pip("freeze"))?;
    write(&peers.join("pypi.txt"), &installed)
}

/// Builds what crates.io has. One that does not build leaves the others.
fn from_crates_io(job: &mut Job<'_>, peers: &Path) -> Result<(), Stop> {
    let mut versions = String::new();
    let mut result = Ok(());
    for name in CRATES {
        let manifest = format!("{FOLDER}/{name}/Cargo.toml");
        let built =
            job.run(&mut command(&format!("cargo update --manifest-path {manifest}"))).and_then(|_| {
                let mut build = command(&format!("cargo build --manifest-path {manifest} --target-dir"));
                job.run(build.arg(peers))?;
                job.run(&mut command(&format!(
                    "cargo tree --depth 1 --prefix none --manifest-path {manifest}"
                )))
            });
        match built {
            Ok(tree) => versions.push_str(&tree),
            Err(stop) => result = Err(stop),
        }
    }
    write(&peers.join("crates.txt"), &versions)?;
    result
}

/// The format and the lints of the packages around the versions in Rust, which are in no workspace.
fn lint(job: &mut Job<'_>, peers: &Path) -> Result<(), Stop> {
    job.run_all(CRATES.iter().flat_map(|name| {
        let manifest = format!("--manifest-path {FOLDER}/{name}/Cargo.toml");
        let mut clippy = command(&format!("cargo clippy {manifest} --target-dir"));
        clippy.arg(peers).args(["--", "--deny", "warnings"]);
        [command(&format!("cargo fmt {manifest} --check")), clippy]
    }))
}

fn make(folder: &Path) -> Result<(), Stop> {
    std::fs::create_dir_all(folder).map_err(|error| Stop::Failed(format!("{}: {error}", folder.display())))
}

fn write(file: &Path, text: &str) -> Result<(), Stop> {
    std::fs::write(file, text).map_err(|error| Stop::Failed(format!("{}: {error}", file.display())))
}
