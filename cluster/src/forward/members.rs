//! The members of the cluster as a directory.

use crate::Cluster;
use crate::forward::address::{Address, Directory};

/// The addresses that the nodes [say of themselves](crate::ClusterBuilder::address) on the bus.
///
/// A node that has said that it leaves has none. One that is gone without a word keeps its last one for a day, because it may
/// have lost its bus only, and its sessions live on: if it is dead, connections to it are refused or time out. A node does not
/// know where those are that have no bus since before it started.
///
/// A text that is not an [`Address`] counts as none.
///
/// The secret of the nodes does not protect this: whoever may publish on the bus can say that a node is at an address of their
/// own, and the requests of clients then go there, with their cookies, tokens and bodies. Where somebody else than the nodes
/// may publish, use an [`AddressList`](crate::forward::AddressList).
///
/// ```
/// use eio_cluster::bus::Memory;
/// use eio_cluster::forward::{Directory, Forwarder, Secret};
/// use eio_cluster::Cluster;
/// use eio_tokio::Server;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let bus = Memory::new();
/// let server = Server::builder(|_socket| async {}).node("a7").build()?;
/// let cluster = Cluster::builder(&server, bus.end("a7")).address("http://10.0.0.7:3000").join()?;
/// let secret = Secret::new("0b9e0a5d6c1f4be29d8f6a7c3e5b1d20")?;
/// let forwarder = Forwarder::builder(&server, cluster.clone(), secret).build()?;
/// # let _ = forwarder;
/// # Ok(())
/// # }
/// ```
impl Directory for Cluster {
    fn address(&self, node: &str) -> Option<Address> {
        self.node.members().address(node, self.node.clock.now())?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use eio_tokio::Server;

    use super::*;
    use crate::ClusterBuilder;
    use crate::bus::Memory;

    #[tokio::test(start_paused = true)]
    async fn a_node_is_where_it_says_until_it_has_left() {
        let bus = Memory::new();
        let join = |name: &str, address: Option<&str>| {
            let server = Server::builder(|_socket| async {}).node(name).build().unwrap();
            let builder = Cluster::builder(&server, bus.end(name));
            address.into_iter().fold(builder, ClusterBuilder::address).join().unwrap()
        };
        let a7 = join("a7", Some("https://a7:1"));
        let others = [join("b2", Some("b2:2")), join("c3", Some("not an address")), join("d4", None)];
        for cluster in others.iter().chain([&a7]) {
            cluster.connected().await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        let shown = |node| a7.address(node).map(|address| address.to_string());
        assert_eq!(shown("b2").as_deref(), Some("http://b2:2"));
        for node in ["c3", "d4", "e5"] {
            assert_eq!(shown(node), None, "{node}");
        }
        assert_eq!(others[0].address("a7").unwrap().to_string(), "https://a7:1");
        others[0].leave().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(shown("b2"), None);
    }
}
