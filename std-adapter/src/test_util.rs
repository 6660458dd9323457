//! An in-memory network, for tests of applications in virtual time (feature `test-util`).
//!
//! A server and its clients run in one process, and a [`Network`] connects them instead of sockets. A test cuts the cable of
//! one client, delays it, resets its connections or refuses new ones. With tokio's clock paused, hours of heartbeats
//! take milliseconds, and every timeout comes at the exact millisecond.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use eio_tokio::test_util::Network;
//! use eio_tokio::{Client, Message, Server, Socket};
//! use tokio::time::Instant;
//!
//! // The application: it tells everybody who is still there that somebody has left.
//! async fn chat(mut socket: Socket) {
//!     while socket.recv().await.is_ok() {}
//!     socket.server().broadcast("somebody has left");
//! }
//!
//! let network = Network::new();
//! let server = Server::builder(chat).build()?;
//! let listener = network.listen();
//! tokio::spawn(async move { server.serve(listener).await });
//!
//! // Two clients, each with a link of its own.
//! let (near, far) = (network.link(), network.link());
//! let mut ann = Client::builder("http://chat.test").link(&near).build()?.connect().await?;
//! let bob = Client::builder("http://chat.test").link(&far).build()?.connect().await?;
//!
//! let opened = Instant::now();
//! far.cut(); // nobody is told
//! assert_eq!(ann.recv().await?, Message::from("somebody has left"));
//! // The server pings after 25 s, and waits 20 s for the answer.
//! assert_eq!(opened.elapsed(), Duration::from_secs(45));
//! # drop(bob);
//! # Ok(())
//! # }
//! ```
//!
//! # What a test can do
//!
//! | to the link of a client | what happens |
//! |---|---|
//! | [`cut`](Link::cut), [`mend`](Link::mend) | nothing arrives, and neither side is told; after the mending, everything arrives |
//! | [`set_delay`](Link::set_delay) | everything takes this time in one direction |
//! | [`reset`](Link::reset) | both ends of each connection get `ConnectionReset` at once |
//! | [`refuse`](Link::refuse) | new connections get `ConnectionRefused` |
//! | [`set_buffer`](Link::set_buffer) | a connection holds fewer or more bytes before its writer waits |
//! | [`connect`](Link::connect) | a stream, for a client that is not of this crate, or that breaks the protocol |
//!
//! | to the network | what happens |
//! |---|---|
//! | [`listen`](Network::listen) | the server is reached by all links: with [`Server::serve`](crate::Server::serve), under a [`TlsListener`](crate::TlsListener), or with `axum::serve` |
//! | drop the [`NetworkListener`] | new connections are refused, as when the server's process has ended |
//! | [`link`](Network::link), [`link_from`](Network::link_from) | one more client, with an address of its own |
//!
//! All transports run over it: polling, WebSocket and the upgrade between them, TLS, and the reconnecting of clients. A
//! session treats the connection as it treats a socket. Before a ping timeout, it asks the connection itself for bytes that
//! no task has read yet, and it resets the connection of a silent peer.
//!
//! `eio-socketio` has the feature under the same name. Its servers take the listener, and its clients the link:
//! `Client::builder(url).engine(move |engine| engine.link(&link))`.
//!
//! # Time
//!
//! The network follows tokio's clock. Pause it with `#[tokio::test(start_paused = true)]`. tokio then moves the clock to the
//! next timer whenever all tasks wait, and only then. So what happens between two timers takes no time. Some things do not
//! fit into that:
//!
//! - Real sockets, processes and threads. While tasks wait for one of them, tokio sees only idle tasks, and moves the clock:
//!   timeouts come that no peer has caused. Replace the database by one in memory, or do not pause the clock.
//! - `spawn_blocking`, and all that uses it: `tokio::fs`, the resolving of names. tokio does not move the clock while such a
//!   task runs. So timers stand still for as long as it really takes.
//! - A task that never waits, such as one that calls `yield_now` in a loop: the clock does not move. Wait with
//!   `tokio::time::sleep`, or for a message.
//! - `std::time::Instant` and `SystemTime`, which run on. Use `tokio::time::Instant`.
//! - The runtime with several threads, whose clock cannot be paused. `#[tokio::test]` uses the one with one thread.
//! - [`tokio::time::advance`] moves the clock at once, past timers that are due in between: as after a suspend or a stall.
//!   Use `tokio::time::sleep` to let time pass.
//! - What happens in the very millisecond in which a test wakes may come before it or after it. Look a millisecond earlier and
//!   later, or wait for a message or for an end.
//! - Random times: the delays of a [`Backoff`](crate::Backoff) are, unless its two delays are equal, and so is the first ping
//!   of a server with [`first_ping_jitter`](crate::ServerBuilder::first_ping_jitter).
//!
//! tokio's timers round up to whole milliseconds. Delays and heartbeats in whole milliseconds are therefore exact.
//!
//! # How it differs from TCP
//!
//! What was sent during a cut arrives one delay after the mending. TCP sends again after 200 ms at the earliest, and doubles
//! the wait each time, so bytes can come later: as a rule of thumb, by up to the time that the cut has lasted. To test an
//! outage of 30 s as bad as it gets, mend the cable after 60 s.
//!
//! Bandwidth is not limited, no byte is lost or changed, and TCP's own timeouts do not exist: a connection survives a cut of
//! any length if nobody closes it.

mod connection;
mod link;
mod listening;
mod network;
mod pipe;
mod stream;

pub use self::link::Link;
pub use self::network::{Network, NetworkListener};
pub use self::stream::NetworkStream;
