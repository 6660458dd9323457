//! The client opens sessions with any Engine.IO server, over polling, WebSocket, or first one and then the other.

mod attempts;
pub(crate) mod builder;
mod candidate;
mod coding;
mod config;
mod cookies;
mod credentials;
mod dial;
mod endpoint;
mod error;
mod event;
mod events;
mod handshake;
mod http;
mod http_connection;
mod kind;
mod opening;
mod polling;
mod proxy;
mod reconnect;
mod refusal;
mod route;
mod secrets;
mod session;
mod socket;
#[cfg(feature = "tls")]
mod tls;

use core::fmt;
use std::sync::Arc;

use eio_core::backoff::Backoff;

use crate::client::config::Config;
use crate::client::route::Route;
use crate::wire::clock::Clock;

pub use error::{ClientBuildError, ConnectError};
pub use event::ClientEvent;
pub use handshake::HandshakeInfo;
pub use proxy::error::ProxyError;
pub use reconnect::Reconnecting;
pub use refusal::{RefusalKind, Refused};
pub use socket::{ClientSender, ClientSocket};
#[cfg(feature = "tls")]
pub use tls::TlsError;

/// A client, which opens sessions with one server. Cloning is cheap.
///
/// Not supported: WebTransport, permessage-deflate, and compressed answers.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let server = eio_tokio::Server::builder(|mut socket: eio_tokio::Socket| async move {
/// #     while let Ok(message) = socket.recv().await {
/// #         let _ = socket.send(message).await;
/// #     }
/// # }).build()?;
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let url = format!("http://{}", listener.local_addr()?);
/// # tokio::spawn(async move { server.serve(listener).await });
/// use eio_tokio::{Client, Message};
///
/// let mut socket = Client::builder(url).build()?.connect().await?;
/// socket.send("hello").await?;
/// assert_eq!(socket.recv().await?, Message::from("hello"));
/// socket.close();
/// println!("{}", socket.closed().await); // forced close: closed by this side (after 1 ms of silence, on polling)
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    config: Arc<Config>,
    clock: Clock,
}

impl Client {
    fn new(config: Config) -> Self {
        Self { config: Arc::new(config), clock: Clock::start() }
    }

    /// Opens a session. The session runs in a separate task on the caller's runtime.
    ///
    /// Dropping the future abandons the session.
    ///
    /// # Errors
    /// Returns a [`ConnectError`] that says why the session did not open, at the latest after the open timeout.
    ///
    /// # Panics
    /// Panics outside of a tokio runtime, or if the runtime's timer or I/O is not enabled.
    pub async fn connect(&self) -> Result<ClientSocket, ConnectError> {
        attempts::open(self).await
    }

    /// Returns a [`Reconnecting`], which opens sessions one after another, with the delays of `backoff` between them.
    #[must_use]
    pub fn reconnecting(&self, backoff: Backoff) -> Reconnecting {
        Reconnecting::new(self.clone(), backoff)
    }

    /// Returns the [proxy](crate::ClientBuilder::proxy) that connections go through, as host and port; `None` without one.
    #[must_use]
    pub fn proxy(&self) -> Option<&str> {
        match &self.config.route {
            Route::Proxy(proxy) => Some(proxy.host_and_port()),
            _ => None,
        }
    }

    fn clock(&self) -> Clock {
        self.clock
    }

    /// Reports an event between sessions. A panic of its receiver is logged.
    fn tell(&self, event: &ClientEvent) {
        events::tell(event, "", self.config.on_event.as_ref());
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("server", &self.config.endpoint.authority).finish_non_exhaustive()
    }
}
