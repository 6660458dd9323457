//! The server.

pub(crate) mod ack;
pub(crate) mod acknowledgement;
pub(crate) mod answers;
pub(crate) mod audience;
pub(crate) mod builder;
mod change;
#[cfg(feature = "cluster")]
pub(crate) mod cluster;
#[cfg(feature = "serde")]
pub(crate) mod config;
mod connection;
pub(crate) mod context;
mod delivery;
pub(crate) mod disconnect;
mod guard;
pub(crate) mod handler;
mod link;
pub(crate) mod namespace;
mod random_id;
pub(crate) mod recovery;
pub(crate) mod refusal;
pub(crate) mod rooms;
mod running;
pub(crate) mod shared;
pub(crate) mod socket;
pub(crate) mod socket_id;
mod space;
mod spaces;

use core::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use eio_tokio::{Broadcast, CutOff, Listener};

use crate::args::IntoArgs;
use crate::errors::EmitError;
use crate::server::audience::Audience;
use crate::server::builder::ServerBuilder;
use crate::server::shared::Shared;

/// A Socket.IO server. Clones are the same server.
///
/// ```
/// use eio_socketio::{Data, EmitError, Namespace, Server, Socket};
///
/// async fn message(socket: Socket, Data(text): Data<String>) -> Result<(), EmitError> {
///     socket.broadcast().emit("message", text)?;
///     Ok(())
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::builder().namespace("/", Namespace::new().on("message", message)).build()?;
/// server.serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?).await?;
/// # Ok(())
/// # }
/// # let _ = example;
/// ```
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
    engine: eio_tokio::Server,
}

impl Server {
    /// Returns the builder of a server without state.
    #[must_use]
    pub fn builder() -> ServerBuilder<()> {
        ServerBuilder::new(())
    }

    /// Returns the builder of a server whose handlers extract [`State`](crate::State).
    #[must_use]
    pub fn with_state<S: Send + Sync + 'static>(state: S) -> ServerBuilder<S> {
        ServerBuilder::new(state)
    }

    pub(crate) fn new(shared: Arc<Shared>, engine: eio_tokio::Server) -> Self {
        Self { shared, engine }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Returns the Engine.IO server beneath. It mounts in axum, in tower and in hyper, and serves listeners: everything that
    /// the [guide of `eio_tokio`](eio_tokio::guide) says about mounting, TLS, proxies and metrics holds for it.
    ///
    /// ```
    /// use eio_socketio::{Namespace, Server};
    ///
    /// let server = Server::builder().namespace("/", Namespace::new()).build()?;
    /// println!("{} sessions", server.engine().len());
    /// # Ok::<(), eio_socketio::BuildError>(())
    /// ```
    #[must_use]
    pub fn engine(&self) -> &eio_tokio::Server {
        &self.engine
    }

    /// Addresses all sockets of a namespace. A name without its leading slash gets one, as in the reference.
    pub fn of(&self, namespace: impl Into<ByteString>) -> Audience {
        Audience::new(self.clone(), with_slash(namespace.into()))
    }

    /// Addresses the sockets in a room of the namespace `/`.
    pub fn to(&self, room: impl AsRef<str>) -> Audience {
        self.of("/").to(room)
    }

    /// Sends an event to all sockets of the namespace `/`. See [`Audience::emit`].
    ///
    /// # Errors
    /// Returns [`EmitError::Encode`] if the data cannot be written.
    pub fn emit(&self, event: impl Into<ByteString>, args: impl IntoArgs) -> Result<Broadcast, EmitError> {
        self.of("/").emit(event, args)
    }

    /// Accepts connections until the server has shut down: see [`eio_tokio::Server::serve`].
    ///
    /// # Errors
    /// Returns the error of the listener if it cannot accept any more.
    pub async fn serve(&self, listener: impl Listener) -> io::Result<()> {
        self.engine.serve(listener).await
    }

    /// Accepts connections until `stop` is ready, and then shuts down: see [`eio_tokio::Server::serve_until`].
    ///
    /// # Errors
    /// Returns the error of the listener if it cannot accept any more.
    pub async fn serve_until(
        &self,
        listener: impl Listener,
        stop: impl Future,
        limit: Duration,
    ) -> io::Result<CutOff> {
        self.engine.serve_until(listener, stop, limit).await
    }

    /// Closes every session, and waits for the handlers of their ends: see [`eio_tokio::Server::shutdown`]. Sockets end with
    /// [`Reason::ServerShuttingDown`](crate::Reason::ServerShuttingDown).
    pub async fn shutdown(&self, limit: Duration) -> CutOff {
        self.engine.shutdown(limit).await
    }
}

/// Returns the name of a namespace with its leading slash.
pub(crate) fn with_slash(name: ByteString) -> ByteString {
    if name.starts_with('/') { name } else { format!("/{name}").into() }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("engine", &self.engine).finish_non_exhaustive()
    }
}
