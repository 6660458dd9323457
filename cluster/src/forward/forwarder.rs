//! What forwards, and its settings.

use core::fmt;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use eio_tokio::{EngineService, Server};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::forward::address::{Address, Directory};
use crate::forward::dial::{Dialler, Settings, Stream};
use crate::forward::exchange::Outgoing;
use crate::forward::report::{ForwardCounts, Report};
use crate::forward::seal::{Checker, Sealer};
use crate::forward::secret::Secret;
use crate::forward::tunnels::Tunnels;

/// How long an idle connection is kept: shorter than nodes keep it by default, so that no request meets its end. Any number is
/// kept. After a broadcast, all waiting polls are answered at once and their connections are idle until the clients poll
/// again; closing some each time would use up the ports of this node.
const IDLE: Duration = Duration::from_secs(15);

/// The longest limit of time. Longer ones count as this one: the clock has no instants beyond.
pub(super) const LONGEST: Duration = Duration::from_hours(365 * 24);

/// Forwards requests for sessions of other nodes to these, and takes those that other nodes forward to this one. Cloning
/// returns another handle to the same.
#[derive(Clone, Debug)]
pub struct Forwarder {
    pub(super) shared: Arc<Shared>,
}

/// What all handles of a forwarder share.
pub(super) struct Shared {
    pub(super) server: Server,
    pub(super) engine: EngineService,
    pub(super) directory: Box<dyn Directory>,
    pub(super) sealer: Sealer,
    pub(super) checker: Checker,
    pub(super) client: Client<Dialler, Outgoing>,
    pub(super) limits: Limits,
    pub(super) tunnels: Tunnels,
    pub(super) report: Report,
}

/// The limits of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connect: Duration,
    pub(super) body: Duration,
    pub(super) silence: Duration,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("node", &self.sealer.node)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Forwarder {
    /// Begins the settings of what forwards between this server and the nodes of this directory, which have the same secret.
    pub fn builder(server: &Server, directory: impl Directory, secret: Secret) -> ForwarderBuilder {
        ForwarderBuilder {
            server: server.clone(),
            directory: Box::new(directory),
            secret,
            limits: Limits {
                connect: Duration::from_secs(3),
                body: Duration::from_secs(10),
                silence: server.heartbeat().max_silence(),
            },
            window: Duration::from_secs(30),
            dial: Settings {
                timeout: Duration::ZERO,
                max_connections: 1_000_000,
                dial_with: None,
                #[cfg(feature = "forward-tls")]
                tls: None,
            },
        }
    }

    /// Returns what this node has forwarded and taken since it began.
    #[must_use]
    pub fn counts(&self) -> ForwardCounts {
        self.shared.report.counts(self.shared.tunnels.open())
    }

    /// Closes the WebSockets that this node forwards, with status 1001 (going away) to the clients and to their nodes, and
    /// waits until both have answered. So the nodes know the ends of these sessions at once, and the clients open new
    /// sessions elsewhere. From now on, no WebSocket is forwarded. Requests of polling still are, but a poll that waits is
    /// answered by its node within a moment: so its client sends the next one, which a balancer sends to another node, and the
    /// session lives on.
    ///
    /// Takes at most `limit`. Returns how many it had to drop then. A WebSocket that waits for the answer of its node is refused
    /// at once, and its session stays on polling.
    ///
    /// The sessions of this node itself are [the server's](eio_tokio::Server::shutdown).
    pub async fn shutdown(&self, limit: Duration) -> usize {
        self.shared.tunnels.close(limit).await
    }
}

/// The settings of a [`Forwarder`].
#[must_use]
pub struct ForwarderBuilder {
    server: Server,
    directory: Box<dyn Directory>,
    secret: Secret,
    limits: Limits,
    window: Duration,
    dial: Settings,
}

/// The server has no [name](eio_tokio::ServerBuilder::node), so no sid tells whose session it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server has no name: expected one by ServerBuilder::node, of the same length on each node")]
#[non_exhaustive]
pub struct NoNodeName;

impl ForwarderBuilder {
    /// Sets the time for a connection to another node: waiting for a place, DNS, TCP and TLS. Default: 3 s. If its name has
    /// several addresses, the next one is tried beside those before it after 250 ms.
    ///
    /// So soon a client learns that the node of its session cannot be reached, if nothing refuses the connection.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.limits.connect = timeout;
        self
    }

    /// Sets the time for each piece of the body of a request, and of an answer. Default: 10 s, as a server's
    /// [request timeout](eio_tokio::ServerBuilder::request_timeout).
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.limits.body = timeout;
        self
    }

    /// Sets how long another node may be silent while a request waits for its answer, before it is asked whether the session
    /// lives. Default: the ping interval plus the ping timeout of this server. If the session lives, the request waits for as
    /// long again.
    ///
    /// With each answer, a node tells the periods of the session, so for WebSockets this is the fallback.
    pub fn max_silence(mut self, silence: Duration) -> Self {
        self.limits.silence = silence;
        self
    }

    /// Sets how far apart the clocks of two nodes may be, and how old a forwarded request. Default: 30 s.
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Sets how many connections to each node may be open. Each waiting poll takes one, and each WebSocket for as long as it
    /// lives. Default: 1,000,000, as that of [`max_sessions`](eio_tokio::ServerBuilder::max_sessions), so that files and ports are
    /// the bound. Further requests wait for one, at most for the [connect timeout](Self::connect_timeout), and are refused then,
    /// whatever session they are for. So a lower bound must be above what this node forwards to another one when a third is
    /// gone.
    ///
    /// A connection is a file, on both nodes, and a port of this one. With the default settings of Linux, an address has 28,232
    /// ports for the address and port of the other node; `net.ipv4.ip_local_port_range` gives it up to 64,512. Without a
    /// port, a request is refused at once. If the other node limits
    /// [connections per address](eio_tokio::ServerBuilder::max_connections_per_address), it counts these.
    pub fn max_connections(mut self, max: usize) -> Self {
        self.dial.max_connections = max;
        self
    }

    /// Opens the streams to other nodes by this function, in place of TCP: for Unix sockets, a mesh, or the in-memory network
    /// of tests. For `https`, TLS runs on them.
    pub fn dial_with<F, T>(mut self, dial: impl Fn(Address) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<T>> + Send + 'static,
        T: Stream,
    {
        self.dial.dial_with = Some(Arc::new(move |address| {
            let dialling = dial(address);
            Box::pin(async move { Ok(Box::new(dialling.await?) as Box<dyn Stream>) })
        }));
        self
    }

    /// Sets what TLS is spoken with to nodes whose address begins with `https`. Without it, they cannot be reached.
    #[cfg(feature = "forward-tls")]
    pub fn tls(mut self, config: Arc<tokio_rustls::rustls::ClientConfig>) -> Self {
        self.dial.tls = Some(config);
        self
    }

    /// Builds it.
    ///
    /// # Errors
    /// Returns [`NoNodeName`] if the server has no name.
    pub fn build(self) -> Result<Forwarder, NoNodeName> {
        let node = self.server.node().ok_or(NoNodeName)?.to_owned();
        let Limits { connect, body, silence } = self.limits;
        let [connect, body, silence] = [connect, body, silence].map(|limit| limit.min(LONGEST));
        let dialler = Dialler::new(Settings { timeout: connect, ..self.dial });
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .set_host(false)
            .build(dialler);
        Ok(Forwarder {
            shared: Arc::new(Shared {
                engine: self.server.service(),
                server: self.server,
                directory: self.directory,
                sealer: Sealer { secret: self.secret, node },
                checker: Checker::new(self.window),
                client,
                limits: Limits { connect, body, silence },
                tunnels: Tunnels::new(),
                report: Report::default(),
            }),
        })
    }
}

impl fmt::Debug for ForwarderBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwarderBuilder").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::address::AddressList;
    use tower_service::Service as _;

    #[tokio::test(start_paused = true)]
    async fn the_nodes_of_the_example_in_the_page_on_scaling_forward_half_of_their_sessions() {
        let page = std::fs::read_to_string("../docs/scaling.md").unwrap();
        let (_, behind) = page.split_once("half of which have their session on the other node: ").unwrap();
        let (count, _) = behind.split_once(" connections to it").unwrap();
        let count: usize = count.replace(',', "").parse().unwrap();
        let server = Server::builder(|_socket| async {}).node("a7").build().unwrap();
        let nodes = AddressList::new([("b2", "10.0.0.2:3000")]).unwrap();
        let secret = Secret::new("a secret of all the nodes").unwrap();
        let builder = Forwarder::builder(&server, nodes, secret)
            .dial_with(async |_| io::Result::Ok(tokio::io::join(tokio::io::empty(), tokio::io::sink())));
        let mut dialler = Dialler::new(Settings { timeout: builder.limits.connect, ..builder.dial });
        let mut open = Vec::new();
        for _ in 0..count {
            open.push(dialler.call("http://10.0.0.2:3000/".parse().unwrap()).await.unwrap());
        }
        assert_eq!(open.len(), 50_000);
    }
}
