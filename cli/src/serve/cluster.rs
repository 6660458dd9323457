//! Several servers that act as one: the bus between them, and the requests that they forward to each other.

mod nodes;
mod options;

use core::time::Duration;

use eio_cluster::Cluster;
use eio_cluster::bus::{Bus, Nats, Redis};
use eio_cluster::forward::{Forwarder, Secret};
use eio_tokio::Server;

pub(super) use self::nodes::{NodeChange, watch};
use self::options::BusUrl;
pub(super) use self::options::{BusUrls, ClusterOptions, NodeAddress};
use super::listen::Address;
use crate::usage::Failure;

/// How long the other nodes are waited for when this one leaves.
const LEAVE_LIMIT: Duration = Duration::from_secs(2);

/// What this server and the others need to act as one.
#[derive(Clone)]
pub(super) struct Plan {
    bus: Vec<BusUrl>,
    address: Option<eio_cluster::forward::Address>,
    secret: Option<Secret>,
}

/// A node of a cluster.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) cluster: Cluster,
    pub(super) forwarder: Option<Forwarder>,
}

impl Plan {
    /// Makes a plan from the settings, if they ask for a bus. `address` is where the server listens, and `has_tls` says
    /// whether it speaks TLS there.
    ///
    /// # Errors
    /// Returns a sentence that says what is missing or wrong.
    pub(super) fn new(
        options: &ClusterOptions,
        address: &Address,
        has_tls: bool,
    ) -> Result<Option<Self>, Failure> {
        let bus = options.bus.clone();
        if bus.is_empty() {
            options.check_without_bus()?;
            return Ok(None);
        }
        let secret = options.secret().map_err(Failure::unusable)?;
        let address = match &options.node_address {
            Some(address) => Some(address.clone()),
            None => reachable(address, has_tls),
        };
        if secret.is_some() && address.is_none() {
            let sentence = "--node-secret needs --node-address: the address that the server listens on does not \
                            tell other machines where they reach it";
            return Err(sentence.to_owned().into());
        }
        Ok(Some(Self { bus, address, secret }))
    }

    /// Lets the server join the others.
    ///
    /// # Errors
    /// Returns a sentence that says what is missing or wrong.
    pub(super) fn join(self, server: &Server) -> Result<Node, String> {
        let mut builder = Cluster::builder(server, bus(&self.bus)?);
        if let Some(address) = &self.address {
            builder = builder.address(address.to_string());
        }
        let cluster = builder.join().map_err(|error| error.to_string())?;
        let forwarder = match self.secret {
            Some(secret) => {
                let forwarder = Forwarder::builder(server, cluster.clone(), secret).build();
                Some(forwarder.map_err(|error| error.to_string())?)
            }
            None => None,
        };
        Ok(Node { cluster, forwarder })
    }
}

impl Node {
    /// Tells the others that this node takes no new sessions, and ends what it forwards.
    pub(super) async fn drain(&self, limit: Duration) {
        self.cluster.drain();
        if let Some(forwarder) = &self.forwarder {
            forwarder.shutdown(limit).await;
        }
    }

    /// Tells the others that this node is gone.
    pub(super) async fn leave(&self) {
        let _ = tokio::time::timeout(LEAVE_LIMIT, self.cluster.leave()).await;
    }
}

/// Returns the bus at these URLs, which are of one kind.
fn bus(urls: &[BusUrl]) -> Result<Box<dyn Bus>, String> {
    let texts = urls.iter().map(BusUrl::as_str);
    if urls.iter().all(BusUrl::is_redis) {
        return Redis::new(texts).map(|bus| Box::new(bus) as _).map_err(|error| error.to_string());
    }
    if urls.iter().any(BusUrl::is_redis) {
        return Err("--bus names servers of Redis and of NATS: expected those of one".to_owned());
    }
    Nats::new(texts).map(|bus| Box::new(bus) as _).map_err(|error| error.to_string())
}

/// Returns the address for other nodes, if the one that the server listens on tells it.
fn reachable(address: &Address, has_tls: bool) -> Option<eio_cluster::forward::Address> {
    match address {
        // The name in a certificate is not known here.
        Address::Tcp(address) if !address.ip().to_canonical().is_unspecified() && !has_tls => {
            format!("http://{address}").parse().ok()
        }
        _ => None,
    }
}
