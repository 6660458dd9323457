//! The options of a server that is one of several nodes.

use std::path::PathBuf;

use clap::Args;
use eio_cluster::forward::{Address, Secret};
use eio_tokio::{BuildError, Server};

/// The options of a server that is one of several nodes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Several nodes")]
pub(crate) struct ClusterOptions {
    /// The name of this node, if several servers act as one: 1 to 4 letters, digits, - or _, of the same length on each
    ///
    /// The sid of each session begins with it, so that a balancer can send all requests of a session to the node that has
    /// opened it. docs/scaling.md has configurations of HAProxy and nginx.
    #[arg(long, value_name = "NAME", value_parser = node_name)]
    pub(crate) node: Option<String>,

    /// Act as one with the other nodes at this bus: redis://HOST:PORT or nats://HOST:PORT. Needs --node
    ///
    /// With --socketio, events reach the sockets in a room on all nodes. The page shows all nodes. rediss:// and tls:// use
    /// TLS. The URL can have a user and a password, which every user of this machine can read on the command line: put it
    /// into the configuration file instead. May be repeated, for the servers of a cluster of Redis or NATS.
    ///
    /// The server starts without the bus, serves its own clients while the bus is away, and connects again by itself.
    #[arg(long, value_name = "URL", value_parser = BusUrl::parse)]
    pub(crate) bus: Vec<BusUrl>,

    /// Forward requests for sessions of other nodes to these, and take those that they forward. FILE contains a secret of at
    /// least 16 bytes, the same on each node. Needs --bus
    ///
    /// With it, a balancer need not know which node has a session: any node takes any request. Make the file by
    /// `openssl rand -hex 32`.
    #[arg(long, value_name = "FILE")]
    pub(crate) node_secret: Option<PathBuf>,

    /// The address at which the other nodes reach this one, for forwarded requests [default: http:// and the address that the
    /// server listens on, if that is of one interface and without TLS]
    #[arg(long, value_name = "URL", value_parser = |text: &str| text.parse::<Address>())]
    pub(crate) node_address: Option<Address>,
}

impl ClusterOptions {
    /// Takes from a configuration file what the command line leaves out.
    pub(in crate::serve) fn or(mut self, file: &Self) -> Self {
        if self.bus.is_empty() {
            self.bus.clone_from(&file.bus);
        }
        self.node_secret = self.node_secret.or_else(|| file.node_secret.clone());
        self.node_address = self.node_address.or_else(|| file.node_address.clone());
        self
    }

    /// Refuses options that do nothing without a bus.
    pub(super) fn check_without_bus(&self) -> Result<(), String> {
        if self.node_secret.is_some() {
            return Err(
                "--node-secret needs --bus, by which the nodes tell each other where they are".to_owned()
            );
        }
        if self.node_address.is_some() {
            return Err(
                "--node-address needs --bus, by which the nodes tell each other where they are".to_owned()
            );
        }
        Ok(())
    }

    /// Reads the secret, if the nodes have one.
    pub(super) fn secret(&self) -> Result<Option<Secret>, String> {
        let Some(path) = &self.node_secret else { return Ok(None) };
        let shown = path.display();
        let bytes =
            std::fs::read(path).map_err(|error| format!("--node-secret: cannot read {shown:?}: {error}"))?;
        Secret::new(bytes.trim_ascii())
            .map(Some)
            .map_err(|error| format!("--node-secret: {shown:?}: {error}"))
    }
}

/// Checks the name of a node as the server does.
fn node_name(text: &str) -> Result<String, BuildError> {
    Server::builder(async |_| {}).node(text).build().map(|_| text.to_owned())
}

/// The URL of a bus. It may contain a password, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct BusUrl(String);

impl BusUrl {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        if ["redis", "rediss", "nats", "tls"].contains(&scheme) {
            Ok(Self(text.to_owned()))
        } else {
            Err("expected redis://HOST:PORT, rediss://HOST:PORT, nats://HOST:PORT or tls://HOST:PORT")
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is_redis(&self) -> bool {
        self.0.starts_with("redis")
    }
}

/// The URLs of a bus in a configuration file: one, or a list.
#[derive(serde::Deserialize)]
#[serde(
    untagged,
    expecting = "expected the URL of a bus, or a list of them: redis://HOST:PORT or nats://HOST:PORT"
)]
pub(crate) enum BusUrls {
    One(BusUrl),
    Several(Vec<BusUrl>),
}

impl From<BusUrls> for Vec<BusUrl> {
    fn from(urls: BusUrls) -> Self {
        match urls {
            BusUrls::One(url) => vec![url],
            BusUrls::Several(urls) => urls,
        }
    }
}

/// The address of a node in a configuration file.
#[derive(serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct NodeAddress(pub(crate) Address);

impl TryFrom<String> for NodeAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error: eio_cluster::forward::InvalidAddress| error.to_string())
    }
}

impl core::fmt::Debug for BusUrl {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("BusUrl(..)")
    }
}

impl TryFrom<String> for BusUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::parse(&text)
    }
}
