//! Builds and installs what takes part, and knows how each is started.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::server::{Protocol, Server};
use crate::install;
use crate::job::{Job, Stop, command};
use crate::parts::host::WORKSPACE_FEATURES;
use crate::programs::Programs;

/// Where other people's servers are described.
const PEERS: &str = "benches/peers";

/// Our programs.
const OWN: [&str; 6] =
    ["eio-load", "bench-eio", "bench-socketio", "bench-bare", "bench-client", "bench-node"];

/// The programs of a run.
pub(crate) struct Kit {
    pub(crate) load: PathBuf,
    pub(crate) client: PathBuf,
    servers: Vec<Program>,
    /// How one node of several is started.
    nodes: Vec<(Server, Vec<PathBuf>)>,
    /// A certificate and its key.
    pub(crate) certificate: (PathBuf, PathBuf),
}

/// How a server is started.
struct Program {
    server: Server,
    protocol: Protocol,
    path: PathBuf,
    /// What it runs, if it is an interpreter.
    script: Option<PathBuf>,
}

impl Program {
    fn compiled(server: Server, protocol: Protocol, path: PathBuf) -> Self {
        Self { server, protocol, path, script: None }
    }
}

impl Kit {
    /// Builds everything of ours in the profile in which we measure.
    pub(crate) fn measured(job: &mut Job<'_>) -> Result<Self, Stop> {
        let mut build = command("cargo build --profile dist --package eio-load --package eio-bench-servers");
        let programs = Programs::build(job, &mut build)?;
        Self::own(job, &programs)
    }

    /// Builds everything of ours in the profile in which tests are built, out of what they have built.
    pub(crate) fn quickly_built(job: &mut Job<'_>) -> Result<Self, Stop> {
        // A test among the targets gives dependencies the features that they have in tests: nothing is built twice.
        let bins = OWN.map(|name| format!(" --bin {name}")).concat();
        let mut build =
            command(&format!("cargo build --workspace --features {WORKSPACE_FEATURES} --test sizes{bins}"));
        let programs = Programs::build(job, &mut build)?;
        Self::own(job, &programs)
    }

    fn own(job: &mut Job<'_>, programs: &Programs) -> Result<Self, Stop> {
        let [load, ours, socketio, bare, client, node] = OWN;
        let path = |name: &str| programs.path(name).map(PathBuf::from);
        let folder = job.workspace.target.join("bench");
        let broken = |error: std::io::Error| Stop::Failed(format!("{}: {error}", folder.display()));
        std::fs::create_dir_all(&folder).map_err(broken)?;
        let kit = Self {
            load: path(load)?,
            client: path(client)?,
            servers: vec![
                Program::compiled(Server::Ours, Protocol::EngineIo, path(ours)?),
                Program::compiled(Server::Ours, Protocol::SocketIo, path(socketio)?),
                Program::compiled(Server::Bare, Protocol::EngineIo, path(bare)?),
            ],
            nodes: vec![(Server::Ours, vec![path(node)?])],
            certificate: (folder.join("certificate.pem"), folder.join("key.pem")),
        };
        let (certificate, key) = &kit.certificate;
        job.run(Command::new(&kit.load).arg("certificate").arg(certificate).arg(key))?;
        Ok(kit)
    }

    /// Adds those of other people's servers that are wanted. Returns which could not be had, each with the reason.
    pub(crate) fn add_peers(&mut self, job: &mut Job<'_>, wanted: &[Server]) -> Vec<(Server, String)> {
        let mut missing = Vec::new();
        if wanted.contains(&Server::Engineioxide) {
            match in_rust(job) {
                Ok(programs) => self.servers.extend(programs),
                Err(stop) => missing.push((Server::Engineioxide, stop.sentence().to_owned())),
            }
        }
        let scripts: Vec<Server> = wanted.iter().copied().filter(|server| server.is_javascript()).collect();
        if scripts.is_empty() {
            return missing;
        }
        match install::from_npm(job, PEERS) {
            Ok(()) => {
                let folder = job.workspace.root.join(PEERS);
                self.servers.extend(scripted(&folder));
                self.nodes.push((Server::Node, vec![NODE.into(), folder.join("socketio-node-redis.mjs")]));
            }
            Err(stop) => {
                let reason = stop.sentence();
                missing.extend(scripts.into_iter().map(|server| (server, reason.to_owned())));
            }
        }
        missing
    }

    /// The words that start a server.
    pub(crate) fn server(&self, server: Server, protocol: Protocol) -> Option<Vec<PathBuf>> {
        let mut known = self.servers.iter();
        let program = known.find(|known| known.server == server && known.protocol == protocol)?;
        Some(core::iter::once(&program.path).chain(&program.script).cloned().collect())
    }

    /// The words that start one node of several.
    pub(crate) fn node(&self, server: Server) -> Option<Vec<PathBuf>> {
        self.nodes.iter().find(|(known, _)| *known == server).map(|(_, words)| words.clone())
    }
}

/// The program that runs scripts of Node.
const NODE: &str = "node";

/// The servers in JavaScript, as they are installed in this folder.
fn scripted(folder: &Path) -> [Program; 4] {
    let program = |server, protocol, path: &Path, script| {
        let script = Some(folder.join(script));
        Program { server, protocol, path: path.to_owned(), script }
    };
    let (bun, node) = (folder.join("node_modules/bun/bin/bun.exe"), Path::new(NODE));
    [
        program(Server::Bun, Protocol::EngineIo, &bun, "bun.ts"),
        program(Server::Bun, Protocol::SocketIo, &bun, "socketio-bun.ts"),
        program(Server::Node, Protocol::EngineIo, node, "node.mjs"),
        program(Server::Node, Protocol::SocketIo, node, "socketio-node.mjs"),
    ]
}

/// Checks that the peers in Rust compile: their harness is that of our own servers.
pub(crate) fn check_peers(job: &mut Job<'_>) -> Result<(), Stop> {
    // The tests have built what they depend on.
    let mut build = in_rust_by(job, "build", &MEASURED);
    job.run(&mut build).map(drop)
}

/// Builds the server on socketioxide that tests drive. Returns its path.
pub(crate) fn build_socketioxide(job: &mut Job<'_>) -> Result<PathBuf, Stop> {
    const DRIVEN: &str = "interop-socketioxide";
    let mut build = in_rust_by(job, "build", &[DRIVEN]);
    Programs::build(job, &mut build)?.path(DRIVEN).map(PathBuf::from)
}

/// The peers in Rust that are compared.
const MEASURED: [&str; 2] = ["bench-engineioxide", "bench-socketioxide"];

fn in_rust(job: &mut Job<'_>) -> Result<[Program; 2], Stop> {
    let mut build = in_rust_by(job, "build --profile dist", &MEASURED);
    let programs = Programs::build(job, &mut build)?;
    let program = |protocol, name| {
        let path = programs.path(name)?;
        Ok(Program::compiled(Server::Engineioxide, protocol, path.into()))
    };
    let [engineioxide, socketioxide] = MEASURED;
    Ok([program(Protocol::EngineIo, engineioxide)?, program(Protocol::SocketIo, socketioxide)?])
}

/// Have a workspace and a lock file of their own, so that our licence checks and our dependencies know nothing of them.
fn in_rust_by(job: &Job<'_>, verb: &str, programs: &[&str]) -> Command {
    let mut cargo = command(&format!("cargo {verb} --locked --manifest-path {PEERS}/Cargo.toml"));
    cargo.args(programs.iter().flat_map(|name| ["--bin", name])).arg("--target-dir");
    cargo.arg(job.workspace.target.join("peers"));
    cargo
}
