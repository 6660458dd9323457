//! Forwarding: any node takes any request, and passes it on to the node that has the session.
//!
//! It is for balancers that cannot [route by the sid](eio_tokio::ServerBuilder::node). A request without a sid opens a session
//! on the node that it comes to. The sid of each later request begins with the name of the session's node; another node passes
//! the request on to that one, and the answer back. A WebSocket is passed on byte by byte.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn core::error::Error>> {
//! use eio_cluster::forward::{AddressList, Forwarder, Secret};
//! use eio_tokio::{Client, Server, Socket};
//! use tokio::net::TcpListener;
//!
//! async fn greet(socket: Socket) {
//!     let _ = socket.send("hello").await;
//!     socket.closed().await;
//! }
//!
//! let listeners = [TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?];
//! let [a, b] = [listeners[0].local_addr()?, listeners[1].local_addr()?];
//! for (node, listener) in ["a7", "b2"].into_iter().zip(listeners) {
//!     let server = Server::builder(greet).node(node).build()?;
//!     let nodes = AddressList::new([("a7", a.to_string()), ("b2", b.to_string())])?;
//!     let secret = Secret::new("0b9e0a5d6c1f4be29d8f6a7c3e5b1d20")?;
//!     let forwarder = Forwarder::builder(&server, nodes, secret).build()?;
//!     tokio::spawn(async move { server.serve_with(listener, forwarder.service()).await });
//! }
//!
//! // A session of a7, opened by way of a7. A balancer may send its next request to b2.
//! let mut socket = Client::builder(format!("http://{a}")).build()?.connect().await?;
//! assert_eq!(socket.recv().await?, "hello".into());
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! - **One hop at most.** A node answers what another one has forwarded, and never forwards it again: what it does not know is
//!   `Session ID unknown`. An unknown sid costs at most one request to one node.
//! - **The heartbeat stays where the session is.** The node that forwards invents no silence and hides none. An end, a half-close
//!   or a reset of one side becomes the same on the other side at once. If the other node says nothing on a WebSocket for the
//!   session's ping interval, its ping timeout and one second more, it is asked whether the session lives. If it does not say so
//!   within 5 s, beside the [connect timeout](ForwarderBuilder::connect_timeout), the WebSocket is reset. A node may be silent for
//!   longer on a session that lives: while its application does not read, or where not only pongs
//!   [count](eio_tokio::Liveness).
//! - **Clients hear of a dead node.** If a node refuses connections, is not in the directory, or ends during a request, the client
//!   hears at once. If no connection comes about, it hears after the connect timeout. A request that waits for its answer is given
//!   up as a WebSocket is: after [the longest silence](ForwarderBuilder::max_silence) and the same question.
//! - **Memory is bounded.** Bodies are passed on piece by piece, and a direction of a WebSocket holds at most 16 KiB. While its
//!   receiver takes nothing, nothing is read.
//!
//! # What clients are told of a dead node
//!
//! Status 400 and `Session ID unknown`, as by a server that has restarted. Stock clients treat every status but 200 alike: the
//! transport has failed, so they open a new session within their backoff. Status 400 is the one that says so to those that look.
//! Balancers that take nodes out of service for statuses of 500 and above do not take out the node that has only passed this on.
//!
//! # How nodes know each other
//!
//! All nodes share a [`Secret`]. A forwarded request has the header `eio-forwarding`, with the name of the node, the time, a random
//! number, and the HMAC-SHA256 of these, the method, the path with its query, and the address of the client. A node refuses a
//! request with a wrong code, one that is older than [the window](ForwarderBuilder::window), and one that is the same as one of the
//! last 32,768, with status 403. It counts them and logs them. The answer has a code as well, so that no stranger who has got the
//! address of a node can answer for it. Bodies have none: use `https` between nodes where somebody else can write to their network.
//!
//! The address of the client goes on in the header `Forwarded` (RFC 7239), as the other end of its connection. The node that has
//! the session sees this address, and the headers of proxies as they came, as if the client were connected to it. So its
//! [trusted proxies](eio_tokio::ServerBuilder::trusted_proxies) apply as they are.
//!
//! The name, the time and the rest are no secrets. The sid is one, as in each request of a client.
//!
//! # Where the nodes are
//!
//! A [`Directory`] knows: an [`AddressList`], an [`AddressPattern`] for DNS, a closure, or the [`Cluster`](crate::Cluster), whose
//! nodes tell their addresses on the bus.
//!
//! # Where to put it
//!
//! Around everything that changes requests or answers: [`Forwarder::service`] for a server alone, and [`Forwarder::layer`]
//! around a router. It forwards only what is at the [path](eio_tokio::ServerBuilder::path) of the server.

mod address;
mod body;
mod carrier;
mod dial;
mod error;
mod exchange;
mod forwarder;
mod frames;
mod head;
mod limited;
mod lookup;
mod members;
mod question;
mod relay;
mod report;
mod seal;
mod secret;
mod seen;
mod service;
mod target;
mod tunnels;
mod way;

pub use self::address::{Address, AddressList, AddressPattern, Directory, InvalidAddress};
pub use self::body::NodeBody;
pub use self::dial::{DialError, Stream};
pub use self::error::ForwardError;
pub use self::forwarder::{Forwarder, ForwarderBuilder, NoNodeName};
pub use self::report::ForwardCounts;
pub use self::seal::SealError;
pub use self::secret::{Secret, ShortSecret};
pub use self::service::{ForwardFuture, ForwardLayer, ForwardService};
