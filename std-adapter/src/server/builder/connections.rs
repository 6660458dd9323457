//! The settings about connections, and how long they may take.

use std::time::Duration;

use crate::server::builder::ServerBuilder;

impl ServerBuilder {
    /// Sets how long a request's head, its body, and `allow_request` may each take. A body that takes longer ends its
    /// session with status 408. [`serve`](crate::Server::serve) also keeps a connection that has never sent a request for this
    /// long, and one that has not taken the whole of an answer for twice this long.
    /// [`serve_with`](crate::Server::serve_with) documents what it means for requests outside of sessions. Must not be zero.
    /// Default: 30 s.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.http.request_timeout = timeout;
        self
    }

    /// Sets how long [`serve`](crate::Server::serve) keeps a connection between two requests. At least 1 s. Default: 75 s,
    /// which is longer than load balancers keep their own end.
    ///
    /// Answers on HTTP/1 announce the time in whole seconds, as `Keep-Alive: timeout=75`. The server keeps the
    /// connection 2 s longer than that, for a request that is on its way. If a session uses polling, the server keeps
    /// its connections, and announces so, for at least ping interval plus ping timeout. They stay open as long as the
    /// session needs them: a request with a heartbeat never meets a connection that is about to close. HTTP/2
    /// connections are kept for the same time, and announce their end when it comes (RFC 9113 section 6.8).
    ///
    /// A connection whose next request has begun gets the [request timeout](Self::request_timeout) to finish it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use eio_tokio::Server;
    ///
    /// let server = Server::builder(|_socket| async {}).idle_timeout(Duration::from_secs(620)).build()?;
    /// # Ok::<(), eio_tokio::BuildError>(())
    /// ```
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.http.idle_timeout = timeout;
        self
    }

    /// Sets how many sessions may be open at once. Requests for further sessions get status 503 with `Retry-After: 5`.
    /// Default: 1,000,000.
    #[must_use]
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.sessions.max_sessions = sessions;
        self
    }

    /// Names this node of a server that consists of several, so that a balancer can send each request to the node that has
    /// the session: the identifiers of its sessions begin with this name. One to four characters of the URL alphabet of
    /// base64 (letters, digits, `-` and `_`). Give each node a name of its own, all of the same length. Identifiers keep their
    /// length of 20 characters, at least 16 of which are random: 96 bits. Default: no name.
    ///
    /// A request for a session of another node is refused as one for an unknown session is;
    /// [`RefusedRequest::unknown`](crate::RefusedRequest::unknown) and the log tell the difference.
    ///
    /// ```
    /// use eio_tokio::Server;
    ///
    /// let server = Server::builder(|socket| async move { println!("{}", socket.id().short()) }) // a7Xm3k…
    ///     .node("a7")
    ///     .build()?;
    /// assert_eq!(server.node(), Some("a7"));
    /// # Ok::<(), eio_tokio::BuildError>(())
    /// ```
    #[must_use]
    pub fn node(mut self, name: impl Into<String>) -> Self {
        self.node = Some(name.into());
        self
    }

    /// Sets how many of the sessions that have ended the server remembers, so that the log and
    /// [`RefusedRequest::unknown`](crate::RefusedRequest::unknown) can tell a late request from one for a session that it never
    /// had. Each takes about 60 bytes. Default: 10,000. With 0, it remembers none.
    #[must_use]
    pub fn remember_ended(mut self, sessions: usize) -> Self {
        self.sessions.remember_ended = sessions;
        self
    }

    /// Sets how many connections of [`serve`](crate::Server::serve) may be open at once, WebSockets included, also those of
    /// ended sessions that the client has not closed yet. Further ones wait until a connection ends. At least 1. Default: no
    /// limit but the process's descriptors.
    ///
    /// While there are as many as there may be, and for five seconds after, short times apply, whether or not others wait: the
    /// server closes a connection that has not sent the head of a request after 1 s, instead of the [request
    /// timeout](Self::request_timeout). Answers outside of a session announce 1 s instead of the [idle
    /// timeout](Self::idle_timeout), but earlier announcements still hold. The same times apply when the process runs out of
    /// descriptors.
    ///
    /// A listener that waits for a connection takes it, even if another one has taken the last place meanwhile. So there
    /// may be one more connection for each further listener, or for one listener beside
    /// [`serve_connection`](crate::Server::serve_connection).
    ///
    /// Leave some of the process's descriptors to the rest of the application. A session on polling sometimes has two
    /// connections. The server keeps all on which its client has sent a request for as long as it lives, also when there are
    /// as many as there may be. [`max_connections_per_address`](Self::max_connections_per_address) stops a client that opens
    /// more and more.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.http.max_connections = Some(connections);
        self
    }

    /// Sets how many connections of [`serve`](crate::Server::serve) one address may have open at once, WebSockets included. An
    /// IPv6 network of 64 bits counts as one address. The server closes further ones as they come, without an answer.
    /// At least 1. Default: no limit.
    ///
    /// The address is that of the connection itself. Connections from [trusted proxies](Self::trusted_proxies), and
    /// those without an address, have no limit. A browser opens up to six connections for polling, and many people may
    /// share one address.
    ///
    /// ```
    /// use eio_tokio::Server;
    ///
    /// let server = Server::builder(|_socket| async {})
    ///     .max_connections(10_000)
    ///     .max_connections_per_address(100)
    ///     .build()?;
    /// # Ok::<(), eio_tokio::BuildError>(())
    /// ```
    #[must_use]
    pub fn max_connections_per_address(mut self, connections: usize) -> Self {
        self.http.max_connections_per_address = Some(connections);
        self
    }

    /// Sets whether [`serve`](crate::Server::serve) also speaks HTTP/2: over TLS if the client chooses it, and without TLS
    /// by prior knowledge. HTTP/2 carries polling only: this server supports WebSockets on HTTP/1.1. A client that does not
    /// take one of its answers loses the connection with all of its streams. Default: yes.
    #[cfg(feature = "http2")]
    #[must_use]
    pub fn http2(mut self, enabled: bool) -> Self {
        self.http.http2 = enabled;
        self
    }

    /// Sets how many bytes, and how many headers, the head of a request may have when [`serve`](crate::Server::serve)
    /// reads it. Longer heads get status 431. At least 8,192 bytes and 1 header, and at most 10,000 headers. Default: 16 KiB, 100 headers.
    ///
    /// On HTTP/2, each header counts as 32 bytes more than its name and its value (RFC 9113 section 6.5.2), and all cookies
    /// count as one header.
    #[must_use]
    pub fn max_request_head(mut self, bytes: usize, headers: usize) -> Self {
        self.http.max_head = bytes;
        self.http.max_headers = headers;
        self
    }
}
