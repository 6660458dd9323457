//! Starts a bus, and nodes that talk over it.

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use crate::bench::process::{Running, START_LIMIT, pinned};
use crate::bench::row::Bus;
use crate::bench::server::Protocol;
use crate::bench::session::Outcome;
use crate::job::pause;
use crate::stopwatch::Stopwatch;

/// The names of the nodes.
const NAMES: [&str; 3] = ["a", "b", "c"];

/// A bus and its nodes. They end when this is dropped, the nodes first.
pub(crate) struct Nodes {
    running: Vec<Running>,
    _bus: BusServer,
}

impl Nodes {
    /// Starts all nodes on one core, and the bus on that of the load.
    pub(crate) fn start(
        (node_core, bus_core): (&str, &str),
        bus: Bus,
        protocol: Protocol,
        program: &[PathBuf],
    ) -> Result<Self, Outcome> {
        let bus = BusServer::start(bus_core, bus).map_err(Outcome::Failed)?;
        let node = |name| {
            let mut words: Vec<OsString> = program.iter().map(|word| word.clone().into_os_string()).collect();
            words.extend(["--node", name, "--bus", &bus.url].map(OsString::from));
            words.extend((protocol == Protocol::SocketIo).then(|| "--socketio".into()));
            Running::start(node_core, &words)
        };
        let running = NAMES.into_iter().map(node).collect::<Result<_, _>>()?;
        Ok(Self { running, _bus: bus })
    }

    /// The options that name the ports and the processes of the nodes.
    pub(crate) fn words(&self) -> impl Iterator<Item = OsString> {
        self.running.iter().flat_map(|node| node.port().into_iter().chain(node.id()))
    }

    /// The outcome of a measure, or why a node has ended before it, if one has.
    pub(crate) fn explaining(self, outcome: Outcome) -> Outcome {
        self.running.into_iter().fold(outcome, |outcome, node| node.explaining(outcome))
    }
}

/// The server of a bus, of this run alone.
struct BusServer {
    child: Child,
    url: String,
}

impl BusServer {
    fn start(core: &str, bus: Bus) -> Result<Self, String> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
        let port = free.map_err(|error| format!("there is no free port: {error}"))?.port();
        let (scheme, program) = (bus.scheme(), bus.program());
        let mut command = pinned(core);
        command.arg(program).args(["--port", &port.to_string()]);
        match bus {
            Bus::Redis => command.args(["--bind", "127.0.0.1", "--save", ""]),
            Bus::Nats => command.args(["--addr", "127.0.0.1"]),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| format!("{program} did not start: {error}"))?;
        let mut server = Self { child, url: format!("{scheme}://127.0.0.1:{port}") };
        let watch = Stopwatch::start();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Ok(Some(status)) = server.child.try_wait() {
                return Err(format!("{program} did not start ({status})"));
            }
            if watch.elapsed() > START_LIMIT {
                return Err(format!("{program} accepts no connection"));
            }
            pause();
        }
        Ok(server)
    }
}

impl Drop for BusServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
