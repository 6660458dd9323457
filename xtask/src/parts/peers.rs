//! What other implementations do today: each failure of `docs/peers.md` is provoked on the newest version of its peer, and the
//! outcomes become a page.

use core::fmt::Write as _;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::install::npm;
use crate::job::{Job, Stop, command, failed};

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

/// Installs the newest versions, provokes every failure, and writes the page.
pub(crate) fn table(job: &mut Job<'_>) -> Result<(), Stop> {
    let peers = job.workspace.target.join("peers");
    make(&peers)?;
    // What cannot be installed is in no row as tried: its program is missing.
    for installed in [from_npm(job, &peers), from_pypi(job, &peers), from_crates_io(job, &peers)] {
        if let Err(stop) = installed {
            job.note(stop.sentence().to_owned());
        }
    }
    let run = job.workspace.root.join(FOLDER).join("run.mjs");
    let printed = job.run(Command::new("node").arg(run).arg(&peers))?;
    let mut rows = Vec::new();
    for line in printed.lines().filter(|line| line.starts_with("{\"failure\"")) {
        let row = serde_json::from_str(line).map_err(|error| Stop::Failed(format!("{line}: {error}")))?;
        rows.push(Row::read(&row));
    }
    rows.sort();
    let today = job.run(&mut command("date --utc +%Y-%m-%d"))?;
    write(&job.workspace.root.join(PAGE), &page(&rows, today.trim()))?;
    for (outcome, count) in counts(&rows) {
        job.note(format!("{outcome}: {count}"));
    }
    let list = std::fs::read_to_string(job.workspace.root.join(FAILURES))
        .map_err(|error| Stop::Failed(format!("{FAILURES}: {error}")))?;
    let missing = without_a_row(&list, &rows);
    if missing.is_empty() { Ok(()) } else { failed(format!("nothing provokes {}", missing.join(", "))) }
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

/// What became of a failure.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    number: u32,
    peer: String,
    version: String,
    outcome: String,
    saw: String,
}

impl Row {
    fn read(line: &Value) -> Self {
        let text = |name: &str| line[name].as_str().unwrap_or_default().replace('|', "\\|");
        let number = text("failure").strip_prefix('B').and_then(|number| number.parse().ok());
        Self {
            number: number.unwrap_or_default(),
            peer: text("peer"),
            version: text("version"),
            outcome: text("outcome"),
            saw: text("saw"),
        }
    }
}

/// The failures of the list without a row.
fn without_a_row(list: &str, rows: &[Row]) -> Vec<String> {
    let tried: BTreeSet<_> = rows.iter().map(|row| format!("B{}", row.number)).collect();
    let listed = list.lines().filter_map(|line| line.strip_prefix("| B")?.split_once(" |"));
    let listed: BTreeSet<_> = listed.map(|(number, _)| format!("B{number}")).collect();
    listed.difference(&tried).cloned().collect()
}

fn counts(rows: &[Row]) -> Vec<(&'static str, usize)> {
    ["still so", "mended", "not run", "cannot be installed"]
        .map(|kind| (kind, rows.iter().filter(|row| row.outcome == kind).count()))
        .to_vec()
}

fn page(rows: &[Row], date: &str) -> String {
    let counts: Vec<_> = counts(rows).iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
    let mut page = format!(
        "\
# Failures of other implementations today

Each failure of [peers.md](peers.md), provoked on the newest version of its peer. `cargo xtask prove peers-table` installs
these versions from npm, PyPI and crates.io, runs the programs of `tests/interop/failures`, and writes this page. *Still so*
means that the failure was seen again. *Mended* means that it was provoked in the same way and did not come. The tests that
peers.md names show that eio has none of them.

On {date}: {}.

| | peer | version | outcome | what was seen |
|---|---|---|---|---|
",
        counts.join(", ")
    );
    for Row { number, peer, version, outcome, saw } in rows {
        let _ = writeln!(page, "| B{number} | {peer} | {version} | {outcome} | {saw} |");
    }
    page
}

fn make(folder: &Path) -> Result<(), Stop> {
    std::fs::create_dir_all(folder).map_err(|error| Stop::Failed(format!("{}: {error}", folder.display())))
}

fn write(file: &Path, text: &str) -> Result<(), Stop> {
    std::fs::write(file, text).map_err(|error| Stop::Failed(format!("{}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_outcome_has_a_row_and_a_failure_without_one_is_noticed() {
        let line =
            json!({ "failure": "B2", "peer": "a", "version": "1.0", "outcome": "still so", "saw": "x | y" });
        let rows = [Row::read(&line)];
        assert!(page(&rows, "2026-11-30").ends_with("| B2 | a | 1.0 | still so | x \\| y |\n"));
        assert!(page(&rows, "2026-11-30").contains("On 2026-11-30: still so: 1, mended: 0,"));
        assert_eq!(without_a_row("| B1 | a | seen | x |\n| B2 | a | seen | y |\n", &rows), ["B1"]);
    }
}
