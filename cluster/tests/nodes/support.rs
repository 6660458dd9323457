//! Nodes, and what they have heard.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eio_cluster::bus::Memory;
use eio_cluster::{Channel, Cluster, Incoming, NodeState, To};
use eio_tokio::Server;

/// How long a node may be silent: the interval and the timeout.
pub(crate) const BOUND: Duration = Duration::from_secs(10);

/// Starts a node that does not wait for the bus.
pub(crate) fn start(bus: &Memory, name: &str) -> Cluster {
    let server = Server::builder(|_socket| async {}).node(name).build().unwrap();
    Cluster::builder(&server, bus.end(name)).join().unwrap()
}

/// Starts nodes and waits until they know of each other, and know that these are all.
pub(crate) async fn nodes<const N: usize>(bus: &Memory, names: [&str; N]) -> [Cluster; N] {
    let nodes = names.map(|name| start(bus, name));
    for node in &nodes {
        node.connected().await;
    }
    sleep(Duration::from_millis(300)).await;
    for node in &nodes {
        assert_eq!(there(node), names.map(|name| (name.to_owned(), NodeState::Up)));
    }
    nodes
}

/// Lets everything happen that happens at once.
pub(crate) async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

/// Lets time pass, which costs none.
pub(crate) async fn sleep(time: Duration) {
    tokio::time::sleep(time).await;
}

/// The nodes that are there, as one of them sees it.
pub(crate) fn there(node: &Cluster) -> Vec<(String, NodeState)> {
    node.nodes().into_iter().map(|info| (info.name.to_string(), info.state)).collect()
}

/// What a service has heard: from whom, and what.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    /// Opens a channel that keeps what it hears.
    pub(crate) fn at(node: &Cluster) -> (Channel, Self) {
        let heard = Self::default();
        let keep = heard.clone();
        let channel = node.channel("test", move |message: Incoming<'_>| {
            let text = String::from_utf8_lossy(&message.payload);
            keep.0.lock().unwrap().push(format!("{}: {text}", message.from));
        });
        (channel.unwrap(), heard)
    }

    pub(crate) fn take(&self) -> Vec<String> {
        core::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Publishes, whether it is lost or not.
pub(crate) fn publish(channel: &Channel, to: To<'_>, text: &str) {
    let _ = channel.publish(to, text.as_bytes());
}
