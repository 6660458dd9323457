//! What other implementations do today, and what eio does: each failure of `docs/peers.md` is provoked on the newest version of
//! its peer and on eio, and on an older version if the newest has mended it. The tests that hold it are run, and the outcomes
//! become a page.

mod claims;
mod counts;
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

/// Versions of peers, installed together.
struct Versions {
    /// The folder that they are in, below that of the newest.
    folder: &'static str,
    npm: &'static [&'static str],
    pypi: &'static [&'static str],
    /// The packages around those in Rust.
    crates: &'static [&'static str],
}

const NEWEST: Versions = Versions {
    folder: "",
    npm: &[
        "engine.io@latest",
        "engine.io-client@latest",
        "socket.io@latest",
        "socket.io-client@latest",
        "@socket.io/bun-engine@latest",
        "bun@latest",
        "ws@latest",
    ],
    pypi: &["python-engineio", "python-socketio", "requests", "uvicorn", "wsproto"],
    crates: &["oxide", "rust_engineio"],
};

/// Versions that have failures that are mended in the newest.
const OLDER: Versions = Versions {
    folder: "older",
    npm: &["engine.io@6.6.9"],
    pypi: &["python-engineio==3.14.2", "uvicorn", "wsproto"],
    crates: &["older_oxide"],
};

/// Installs the versions, provokes every failure there and here, runs the tests of each, and writes the page.
pub(crate) fn table(job: &mut Job<'_>) -> Result<(), Stop> {
    job.show("[peers-table] ");
    let list = std::fs::read_to_string(job.workspace.root.join(FAILURES))
        .map_err(|error| Stop::Failed(format!("{FAILURES}: {error}")))?;
    let failures = claims::failures(&list);
    let tests: BTreeSet<Test> = failures.iter().flat_map(|claim| claim.tests.clone()).collect();
    let peers = job.workspace.target.join("peers");

    let watch = Stopwatch::start();
    for versions in [NEWEST, OLDER] {
        versions.install(job, &peers)?;
    }
    let clean = lint(job, &peers);
    let python = interop::peers(job)?;
    let programs = ours::build(job, &tests)?;
    job.note(format!("installed and built in {}", Spoken(watch.elapsed())));

    let watch = Stopwatch::start();
    let mut run = Command::new("node");
    run.arg(job.workspace.root.join(FOLDER).join("run.mjs")).arg(&peers);
    let printed = job.run(run.arg(programs.path("probed")?))?;
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
    results.sentences().into_iter().for_each(|sentence| job.note(sentence));
    let (wrong, untried) = (results.wrong(), results.untried());
    if wrong.is_empty() && !untried.is_empty() {
        return clean.and(Err(Stop::NotRun(format!("peers were not tried: {}", untried.join(", ")))));
    }
    write(&job.workspace.root.join(PAGE), &results.page(&job.today()?))?;
    if wrong.is_empty() { clean } else { failed(wrong.join("; ")) }
}

impl Versions {
    /// Installs what can be installed. The rest is in no row as tried: its program is missing.
    fn install(&self, job: &mut Job<'_>, peers: &Path) -> Result<(), Stop> {
        let folder = peers.join(self.folder);
        make(&folder)?;
        let installed = [
            self.install_from_npm(job, &folder),
            self.install_from_pypi(job, &folder),
            self.install_from_crates_io(job, peers),
        ];
        for stop in installed.into_iter().filter_map(Result::err) {
            job.note(stop.sentence().to_owned());
        }
        Ok(())
    }

    /// npm's packages, with the programs that npm does not let them install by themselves.
    fn install_from_npm(&self, job: &mut Job<'_>, folder: &Path) -> Result<(), Stop> {
        write(&folder.join("package.json"), "{ \"private\": true }\n")?;
        job.run(npm(&folder.to_string_lossy(), "install --no-audit --no-fund").args(self.npm))?;
        let bun = folder.join("node_modules/bun");
        if bun.exists() {
            // It fails after it has done its work.
            job.outcome(Command::new("node").arg("install.js").current_dir(bun))?;
        }
        Ok(())
    }

    fn install_from_pypi(&self, job: &mut Job<'_>, folder: &Path) -> Result<(), Stop> {
        let environment = folder.join("venv");
        job.run(command("python3 -m venv --clear").arg(&environment))?;
        let pip = |words: &str| {
            let mut pip = Command::new(environment.join("bin/python"));
            pip.args(["-m", "pip", "--disable-pip-version-check"]).args(words.split_whitespace());
            pip
        };
        job.run(pip("install --quiet --upgrade").args(self.pypi))?;
        let installed = job.run(&mut pip("freeze"))?;
        write(&folder.join("pypi.txt"), &installed)
    }

    /// Builds what crates.io has. One that does not build leaves the others.
    fn install_from_crates_io(&self, job: &mut Job<'_>, peers: &Path) -> Result<(), Stop> {
        let mut versions = String::new();
        let mut result = Ok(());
        for name in self.crates {
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
        write(&peers.join(self.folder).join("crates.txt"), &versions)?;
        result
    }
}

/// The format and the lints of the packages around the versions in Rust, which are in no workspace.
fn lint(job: &mut Job<'_>, peers: &Path) -> Result<(), Stop> {
    job.run_all([NEWEST, OLDER].iter().flat_map(|versions| versions.crates).flat_map(|name| {
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
