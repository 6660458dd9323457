//! The guide: from an empty project to a server in production, one topic a chapter.
//!
//! # What to put into `Cargo.toml`
//!
//! The default features give a server and a client. This is for a server in an axum application:
//!
//! ```toml
//! [dependencies]
//! eio-tokio = { version = "0.1", features = ["axum"] }
//! axum = "0.8"
//! tokio = { version = "1", features = ["macros", "net", "rt-multi-thread", "signal"] }
//! ```
//!
//! Until the crates are published, write `path = "../eio/std-adapter"`, the folder in your checkout, in place of
//! `version = "0.1"`, here and in each chapter.
//!
//! [The first page](crate) lists the features and what each adds. A chapter that needs a further feature or crate begins
//! with the line for it. Types of `bytes`, `http`, `hyper` and `eio-core` appear in this crate's API. They are at its
//! root, so that you need not name these crates, and cannot name other versions of them by mistake.
//!
//! # A server in five lines
//!
//! A server is one async function. It runs once for each session, beside the session's heartbeat, and ends when it likes:
//! the session closes when its [`Socket`](crate::Socket) is dropped.
//!
//! ```
//! # #[cfg(all(feature = "client", feature = "server"))]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use eio_tokio::{Client, Server, Socket};
//!
//! async fn echo(mut socket: Socket) {
//!     while let Ok(message) = socket.recv().await {
//!         let _ = socket.send(message).await;
//!     }
//!     println!("{} ended: {}", socket.id().short(), socket.closed().await);
//! }
//!
//! let server = Server::builder(echo).build()?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let url = format!("http://{}", listener.local_addr()?);
//! tokio::spawn(async move { server.serve(listener).await });
//!
//! // In a browser, with engine.io.min.js: `const socket = eio(url)`. Here, for a test of the server, this crate's client.
//! let mut socket = Client::builder(url).build()?.connect().await?;
//! socket.send("hello").await?;
//! assert_eq!(socket.recv().await?.as_text(), Some("hello"));
//! # Ok(())
//! # }
//! # #[cfg(not(all(feature = "client", feature = "server")))]
//! # fn main() {}
//! ```
//!
//! # Where to go
//!
//! | I want to | read |
//! |---|---|
//! | put the server into an axum application | [`axum`] |
//! | let only those in whom I know | [`authentication`] |
//! | hand my state to sessions, and find it again | [`state`] |
//! | send a message to a room, or to all but one | [`groups`] |
//! | send to slow peers, know that a message has left, and use streams and sinks | [`sending`] |
//! | read the server's settings from a file in TOML, YAML or JSON | [`configuration`] |
//! | serve `https` and `wss`, and renew the certificate without a restart | [`tls`] |
//! | run behind nginx, HAProxy, AWS or Cloudflare, and see the clients' own addresses | [`proxies`] |
//! | count sessions, messages and disconnects, and draw them in Grafana | [`metrics`] |
//! | see in the log what a session does, and why it ended | [`logs`] |
//! | end a server without losing messages | [`shutdown`] |
//! | test my application without sockets and without waiting | [`testing`] |
//!
//! The repository's `docs/examples.md` lists whole programs. Without tokio, drive the state machines of [`core`](crate::core)
//! by hand: its [`ServerSession`](crate::core::ServerSession) and [`ClientSession`](crate::core::ClientSession) are all that
//! this crate knows about time. The repository's `docs/own-runtime.md` shows servers on threads, smol and mio.

#[doc = include_str!("guide/axum.md")]
#[cfg(feature = "axum")]
pub mod axum {}

#[doc = include_str!("guide/authentication.md")]
#[cfg(feature = "server")]
pub mod authentication {}

#[doc = include_str!("guide/state.md")]
#[cfg(feature = "server")]
pub mod state {}

#[doc = include_str!("guide/groups.md")]
#[cfg(feature = "server")]
pub mod groups {}

#[doc = include_str!("guide/sending.md")]
#[cfg(all(feature = "client", feature = "server", feature = "stream"))]
pub mod sending {}

#[doc = include_str!("guide/configuration.md")]
#[cfg(feature = "serde")]
pub mod configuration {}

#[doc = include_str!("guide/tls.md")]
#[cfg(all(feature = "server", feature = "tls"))]
pub mod tls {}

#[doc = include_str!("guide/proxies.md")]
#[cfg(feature = "server")]
pub mod proxies {}

#[doc = include_str!("guide/metrics.md")]
#[cfg(feature = "metrics")]
pub mod metrics {}

#[doc = include_str!("guide/logs.md")]
#[cfg(feature = "server")]
pub mod logs {}

#[doc = include_str!("guide/shutdown.md")]
#[cfg(feature = "server")]
pub mod shutdown {}

#[doc = include_str!("guide/testing.md")]
#[cfg(all(feature = "client", feature = "server", feature = "test-util"))]
pub mod testing {}
