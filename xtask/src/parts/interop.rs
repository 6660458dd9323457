//! Our server and client with other people's programs, under attack, and on broken machines.

use std::path::PathBuf;
use std::process::Command;

use crate::bench;
use crate::install;
use crate::job::{Job, Stop};
use crate::part::WEB_ASSEMBLY;
use crate::parts::host::{build_tool, run_programs, run_tests, workspace_build, workspace_test};
use crate::parts::nest;

/// Where other people's programs are described.
const FOLDER: &str = "tests/interop";

/// The core's servers that they meet: `core/examples`.
const RUNTIMES: [&str; 3] = ["on_threads", "on_smol", "on_mio"];

/// What brings their tests.
pub(crate) const INTEROP: &str = "eio-tests/interop";

/// The test with the clients that only answer heartbeats, and what it prints.
const SOAK: &str = "soak -- --nocapture";

/// Other people's clients against our server, and our client against their servers.
pub(crate) fn real_peers(job: &mut Job<'_>) -> Result<(), Stop> {
    let python = peers(job)?;
    // They meet the core's servers on other runtimes, too.
    let examples = RUNTIMES.map(|name| format!("--example {name}")).join(" ");
    job.run(&mut workspace_build(&format!("--features {INTEROP} {examples}")))?;
    job.cargo(&format!("build --package eio-browser-example --target {WEB_ASSEMBLY} --release"))?;
    run_tests(job, test("real_peers").env("EIO_INTEROP_PYTHON", python)).map(drop)
}

/// Other people's Socket.IO clients and servers with ours, and with the client for boards, and browsers that vanish from the
/// gateway. Needs root, because one
/// of them loses its network.
pub(crate) fn socketio_peers(job: &mut Job<'_>) -> Result<(), Stop> {
    needs_linux("it makes network namespaces")?;
    let python = peers(job)?;
    nest::prepare(job)?;
    let socketioxide = bench::build_socketioxide(job)?;
    job.run(&mut workspace_build(&format!("--features {INTEROP} --example gateway")))?;
    let mut peers = test("socketio_peers");
    peers.env("EIO_INTEROP_PYTHON", python).env("EIO_INTEROP_SOCKETIOXIDE", socketioxide);
    run_tests(job, &mut peers)?;
    run_tests(job, &mut test("board_peers")).map(drop)
}

/// The tool before other people's proxies and servers. Needs root, because one case pulls a cable.
pub(crate) fn diagnoses(job: &mut Job<'_>) -> Result<(), Stop> {
    needs_linux("it makes network namespaces")?;
    let python = peers(job)?;
    build_tool(job)?;
    run_tests(job, test("diagnoses").env("EIO_INTEROP_PYTHON", python)).map(drop)
}

/// Several nodes over real servers of Redis and NATS, behind HAProxy. Needs root, because one case pulls a cable.
pub(crate) fn cluster(job: &mut Job<'_>) -> Result<(), Stop> {
    needs_linux("it makes network namespaces")?;
    install::from_npm(job, FOLDER)?;
    build_tool(job)?;
    // Socket.IO over a bus in memory, and whole nodes.
    run_programs(job, &mut test("cluster"), 2).map(drop)
}

/// The client for boards over networks that this machine can be.
pub(crate) fn networks(job: &mut Job<'_>) -> Result<(), Stop> {
    needs_linux("slirp gets a host's name of its own")?;
    run_tests(job, &mut test("networks")).map(drop)
}

/// Installs other people's programs. Returns the interpreter of those in Python.
pub(crate) fn peers(job: &mut Job<'_>) -> Result<PathBuf, Stop> {
    install::from_npm(job, FOLDER)?;
    let environment = job.workspace.target.join("interop/venv");
    install::from_pypi(job, &format!("{FOLDER}/requirements.txt"), &environment)
}

/// What killed or starved other implementations, tried on our server.
pub(crate) fn attacks(job: &mut Job<'_>) -> Result<(), Stop> {
    needs_linux("it reads in `/proc` what a server holds")?;
    run_tests(job, &mut test("attacks")).map(drop)
}

/// Heartbeats that meet the limits of idle connections, for half a minute.
pub(crate) fn idle_limits(job: &mut Job<'_>) -> Result<(), Stop> {
    meet_limits(job, test(SOAK).env_remove("EIO_SOAK_MINUTES"))
}

/// The same for as many minutes as `EIO_SOAK_MINUTES` says, or for thirty.
pub(crate) fn soak(job: &mut Job<'_>) -> Result<(), Stop> {
    let minutes = std::env::var("EIO_SOAK_MINUTES").unwrap_or_else(|_| "30".to_owned());
    meet_limits(job, test(SOAK).env("EIO_SOAK_MINUTES", minutes))
}

/// Clients that only answer heartbeats. Prints how many there were and how their sessions went.
fn meet_limits(job: &mut Job<'_>, test: &mut Command) -> Result<(), Stop> {
    job.show("[soak] ");
    let printed = run_tests(job, test)?;
    printed.lines().filter_map(|line| line.strip_prefix("soak: ")).for_each(|line| job.note(line.to_owned()));
    Ok(())
}

/// Real faults in real time. Needs root, because it makes network namespaces and mounts a small disk.
pub(crate) fn faults(job: &mut Job<'_>) -> Result<(), Stop> {
    needs_linux("it makes network namespaces")?;
    // The tool writes to the disk that is full.
    build_tool(job)?;
    let printed = run_tests(job, &mut test("faults"))?;
    printed.lines().filter(|line| line.contains("resident")).for_each(|line| job.note(line.to_owned()));
    Ok(())
}

/// On other systems the part is not run.
fn needs_linux(why: &str) -> Result<(), Stop> {
    if cfg!(target_os = "linux") { Ok(()) } else { Err(Stop::NotRun(format!("needs Linux: {why}"))) }
}

/// One of their test programs.
pub(crate) fn test(name: &str) -> Command {
    workspace_test(&format!("--features {INTEROP} --test {name}"))
}
