//! The client joins namespaces of any Socket.IO server, all of them over one connection.
//!
//! ```
//! # #[cfg(not(feature = "server"))]
//! # fn main() {}
//! # #[cfg(feature = "server")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # async fn reading(socket: eio_socketio::Socket) {
//! #     let _ = socket.emit_with_ack::<String>("led", true).await;
//! #     socket.disconnect();
//! # }
//! # let namespace = eio_socketio::Namespace::new()
//! #     .on("reading", reading)
//! #     .on("question", async || eio_socketio::Reply("because"));
//! # let server = eio_socketio::Server::builder().namespace("/", namespace).build()?;
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let url = format!("http://{}", listener.local_addr()?);
//! # tokio::spawn(async move { server.serve(listener).await });
//! use std::time::Duration;
//!
//! use eio_socketio::client::{Client, Credentials, Incoming};
//! use serde_json::json;
//!
//! let client = Client::builder(url).auth(Credentials::new(json!({ "token": "t0k3n" }))).build()?;
//! let mut socket = client.join("/").await?;
//! let reply: String = socket.emit_with_ack("question", "why").timeout(Duration::from_secs(5)).await?;
//! assert_eq!(reply, "because");
//! socket.emit("reading", 21.5)?;
//! while let Ok(incoming) = socket.recv().await {
//!     match incoming {
//!         Incoming::Event { name, args, ack } if name == "led" => {
//!             let on: bool = args.first()?;
//!             if let Some(ack) = ack {
//!                 ack.send(if on { "on" } else { "off" })?;
//!             }
//!         }
//!         // "io server disconnect" is final. After "transport close", the client reconnects.
//!         Incoming::Disconnected(end) => println!("{end}"),
//!         other => println!("{other:?}"),
//!     }
//! }
//! client.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What happens when the connection is lost
//! Every namespace receives [`Incoming::Disconnected`], and answers that were waited for fail with
//! [`AckError::Disconnected`](crate::AckError::Disconnected). The client connects again, after a [delay](ClientBuilder::backoff), and joins the
//! namespaces again in their order, with [credentials](Credentials::asked) that are asked for anew. Each receives
//! [`Incoming::Connected`]. Events that were emitted meanwhile [wait](ClientBuilder::buffer_while_away) until then, also if that
//! takes a [`Socket::rejoin`]. If the
//! server recovers connections, the socket keeps its id and rooms, and the events that it missed arrive.
//!
//! A server that disconnects a client from a namespace, or refuses it, does so on purpose: the client then does not join
//! by itself, and [`Socket::rejoin`] does.
//!
//! [A chapter of the guide](crate::guide::client) has the rest: what waits and how much of it, every end and what to do,
//! and the names that socket.io-client and `rust_socketio` have for the same.

mod ack;
mod builder;
mod credentials;
mod disconnect;
mod emitter;
mod error;
mod inbox;
mod incoming;
mod joining;
mod leaving;
mod manager;
mod namespace;
mod outbox;
mod receiving;
mod recovery;
mod refused;
mod retries;
mod sending;
mod settings;
mod shared;
mod socket;
mod target;

use core::fmt;
use std::sync::Arc;

use shared::Shared;

pub use ack::AckFuture;
pub use builder::ClientBuilder;
pub use credentials::Credentials;
pub use disconnect::{Disconnect, DisconnectReason};
pub use emitter::Emitter;
pub use error::{JoinError, RecvError};
pub use incoming::{Ack, Incoming};
pub use refused::Refused;
pub use socket::Socket;

/// A client of one server. Cloning is cheap, and clones share the connection.
///
/// The connection opens when the first namespace is joined, and closes when the last one is left.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

impl Client {
    /// Returns the builder of a client for the server at `url`: see [`eio_tokio::Client::builder`].
    ///
    /// A path in the URL is that at which the server answers, and not a namespace as in the reference. Default:
    /// `/socket.io/`.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(url.into())
    }

    /// Joins a namespace (`/` is the main one), with the [credentials](ClientBuilder::auth) of the client. Connects if
    /// necessary.
    ///
    /// If the connection does not open, the client tries again, as after it was lost. It does so until
    /// [`max_attempts`](ClientBuilder::max_attempts), or a [final](ClientBuilder::reconnecting) refusal;
    /// [`tokio::time::timeout`] limits the whole wait. Dropping the future gives up the request.
    ///
    /// Do not await it in the task that receives the events of another namespace: the answer stands in line behind the events that
    /// arrived before it, and once that inbox is full the client reads no further.
    ///
    /// A namespace whose [`Socket`] is still there is not joined again by this, but by [`Socket::rejoin`].
    ///
    /// # Errors
    /// Returns a [`JoinError`].
    ///
    /// # Panics
    /// Panics outside of a tokio runtime, or if the runtime's timer or I/O is not enabled.
    pub async fn join(&self, namespace: &str) -> Result<Socket, JoinError> {
        self.join_with_auth(namespace, self.shared.settings.credentials.clone()).await
    }

    /// Joins a namespace as [`join`](Self::join) does, with other credentials.
    ///
    /// # Errors
    /// Returns a [`JoinError`].
    ///
    /// # Panics
    /// Panics as [`join`](Self::join) does.
    pub async fn join_with_auth(
        &self,
        namespace: &str,
        credentials: Credentials,
    ) -> Result<Socket, JoinError> {
        Ok(Socket::new(self.shared.join(namespace, credentials).await?))
    }

    /// Leaves all namespaces, and waits until the connection has closed. What was sent before is still delivered, for which
    /// the connection takes at most a minute; [`tokio::time::timeout`] shortens the wait. With
    /// [retries](ClientBuilder::retries), the client first waits until every event has been answered or given up, for 30
    /// seconds at the most, also if it is away. It does not wait for namespaces that are out. What has not been sent then is given up:
    /// [`Disconnect::dropped`] counts it, or a warning in the log.
    ///
    /// Joined namespaces receive [`Incoming::Disconnected`] with the reason `io client disconnect`. The client can join
    /// again: with [`Socket::rejoin`], or with [`join`](Self::join) once the namespace's socket is dropped.
    pub async fn close(&self) {
        self.shared.close().await;
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("engine", &self.shared.engine).finish_non_exhaustive()
    }
}
