//! Autobahn's test suite, which is Python, against everything of ours that speaks WebSocket.

use std::process::Command;

use crate::install;
use crate::job::{Job, Stop};
use crate::parts::host::{run_tests, workspace_test};

/// Plays the cases about correctness, in both roles.
pub(crate) fn correctness(job: &mut Job<'_>) -> Result<(), Stop> {
    play(job, &mut suite())
}

/// Plays the cases about size and speed.
pub(crate) fn limits(job: &mut Job<'_>) -> Result<(), Stop> {
    play(job, suite().env("EIO_AUTOBAHN_GROUPS", "9"))
}

fn suite() -> Command {
    workspace_test("--features eio-tests/interop --test autobahn")
}

/// Installs the suite, plays it, and notes how many verdicts of each kind every peer has got.
fn play(job: &mut Job<'_>, test: &mut Command) -> Result<(), Stop> {
    let environment = job.workspace.target.join("interop/autobahn");
    let python = install::from_pypi(job, "tests/interop/autobahn/requirements.txt", &environment)?;
    let printed = run_tests(job, test.env("EIO_AUTOBAHN_PYTHON", python))?;
    printed
        .lines()
        .filter_map(|line| line.split_once("autobahn: "))
        .for_each(|(_, counts)| job.note(counts.to_owned()));
    Ok(())
}
