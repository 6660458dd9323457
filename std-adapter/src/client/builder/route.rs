//! The settings of the route to the server.

use std::io;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::carrier::dialed::Duplex;
use crate::client::builder::ClientBuilder;
use crate::client::route::{Connect, Route, RouteSetting};
#[cfg(feature = "test-util")]
use crate::test_util::Link;

/// Settings that say how the client makes connections. The setter that you call last counts.
impl ClientBuilder {
    /// Makes connections with `connect`, which receives the URL's host, without brackets, and port. Default: TCP to
    /// them.
    ///
    /// The client calls it for every connection of polling and of WebSocket; polling needs up to two at once. The
    /// limits of the client apply: it drops a future that takes too long. With `https` or `wss`, TLS runs on top of the
    /// stream. The client reports a failure as [`ConnectError::Io`](crate::ConnectError::Io).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// use eio_tokio::{Client, Message, Server, Socket};
    ///
    /// // A server and its client in one process, without a socket between them.
    /// let server = Server::builder(|mut socket: Socket| async move {
    ///     while let Ok(message) = socket.recv().await {
    ///         let _ = socket.send(message).await;
    ///     }
    /// })
    /// .build()?;
    /// let client = Client::builder("http://in-process")
    ///     .connector(move |_host, _port| {
    ///         let server = server.clone();
    ///         async move {
    ///             let (ours, theirs) = tokio::io::duplex(64 * 1024);
    ///             tokio::spawn(async move { server.serve_connection(theirs, None).await });
    ///             Ok(ours)
    ///         }
    ///     })
    ///     .build()?;
    ///
    /// let mut socket = client.connect().await?;
    /// socket.send("hello").await?;
    /// assert_eq!(socket.recv().await?, Message::from("hello"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn connector<F, R, S>(mut self, connect: F) -> Self
    where
        F: Fn(String, u16) -> R + Send + Sync + 'static,
        R: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let connect: Connect = Arc::new(move |host, port| {
            let connecting = connect(host, port);
            Box::pin(async move { Ok(Box::new(connecting.await?) as Box<dyn Duplex>) })
        });
        self.route = RouteSetting::Route(Route::Own(connect));
        self
    }

    /// Connects to the Unix socket at `path`. The URL still describes the requests: its host goes into `Host` and, with
    /// `https` or `wss`, must match the certificate. `http://localhost` will do. Default: TCP.
    ///
    /// [`Server::serve`](crate::Server::serve) shows how to listen on one.
    #[cfg(unix)]
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.route = RouteSetting::Route(Route::Unix(path.into()));
        self
    }

    /// Connects over a link of an in-memory network, for tests. The URL still describes the requests: `http://chat.test` will
    /// do. Default: TCP.
    ///
    /// The link decides when a connection opens, and when bytes arrive. [`test_util`](crate::test_util) has an example.
    #[cfg(feature = "test-util")]
    pub fn link(mut self, link: &Link) -> Self {
        self.route = RouteSetting::Route(Route::Link(link.clone()));
        self
    }

    /// Connects through the HTTP proxy at `url`: `http://[user:password@]host[:port]`. Default: no proxy.
    ///
    /// Every connection is a tunnel (`CONNECT`, RFC 9110 section 9.3.6), including polling without TLS, so the proxy
    /// must allow tunnels to the server's port. The client sends the user name and the password, percent-encoded where
    /// needed, to the proxy as `Basic` credentials over an unencrypted connection. The default port is 80.
    /// A failure before the tunnel is open is a [`ProxyError`](crate::ProxyError).
    ///
    /// Proxies over TLS and SOCKS proxies are not supported. Write a [`connector`](Self::connector) for them.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.route = RouteSetting::ProxyUrl(url.into());
        self
    }

    /// Connects through the proxy that the environment of the process names when the client is built, if it names one.
    /// Default: the client does not read the environment. It reads the environment again for the URL of a
    /// [redirect](Self::follow_redirects), which may need another proxy, or none. An unusable proxy is then a
    /// [`ConnectError::Build`](crate::ConnectError::Build).
    ///
    /// The variable is `https_proxy` for `https` and `wss`, and `http_proxy` for `http` and `ws`; `all_proxy` applies
    /// if that is missing. The client looks for each name in lower case first and then in upper case. It ignores
    /// `HTTP_PROXY`, which a CGI program gets from its clients. A value without a scheme counts as an `http://` URL; an
    /// empty one means no proxy.
    ///
    /// The client uses no proxy for `localhost`, for addresses of this machine, and for the entries of `no_proxy`,
    /// which are separated by commas: `example.org` (with all names below it), `.example.org` (the same), an address, a
    /// network such as `10.0.0.0/8`, each optionally with a port after a colon, or `*` for everything.
    pub fn proxy_from_env(mut self) -> Self {
        self.route = RouteSetting::Environment;
        self
    }
}
