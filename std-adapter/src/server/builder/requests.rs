//! The settings about requests and their answers.

use core::time::Duration;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::server::builder::ServerBuilder;
use crate::web::cookie::Cookie;
use crate::web::cors::Cors;
use crate::web::origins::AllowedOrigins;
use crate::web::proxies::TrustedProxies;

impl ServerBuilder {
    /// Sets which pages of other origins may read the answers to polling requests. Default: none.
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Self {
        self.http.cors = Some(cors);
        self
    }

    /// Sets which pages may open and use sessions, on polling and on WebSocket. Others get status 403. Requests from
    /// programs that are not browsers have no origin, and pass.
    ///
    /// Default: the pages that [`cors`](Self::cors) lists, and the server's own, so that a page that may not read
    /// polling answers cannot open a WebSocket either. Without such a list, the default is [any](AllowedOrigins::Any),
    /// as in the reference. Set this if your application recognises its users by cookies.
    #[must_use]
    pub fn allowed_origins(mut self, origins: AllowedOrigins) -> Self {
        self.allowed_origins = Some(origins);
        self
    }

    /// Sets which proxies the server trusts to name the client of a request.
    /// [`Socket::peer_addr`](crate::Socket::peer_addr) returns the address that they name, and limits count by it.
    /// Default: none.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.http.trusted_proxies = Some(proxies);
        self
    }

    /// Sets how many sessions one address may open at once, and how many more in every period. An IPv6 network of 64
    /// bits counts as one address. An upgrade to WebSocket counts as well, from a session's second try on. A client
    /// that opens more gets status 429 and the time to wait. `count` is at least 1, and `period` at least one
    /// microsecond. Default: no limit.
    ///
    /// Behind a proxy, set which proxies are [trusted](Self::trusted_proxies), or all clients count as one address.
    /// Many people may share one address, too: a hundred per minute is not much for a school.
    #[must_use]
    pub fn handshakes_per_address(mut self, count: u32, period: Duration) -> Self {
        self.handshakes = Some((count, period));
        self
    }

    /// Sets a cookie with the session's identifier, for load balancers that pin clients. Default: none.
    #[must_use]
    pub fn cookie(mut self, cookie: Cookie) -> Self {
        self.http.cookie = Some(cookie);
        self
    }

    /// Adds a header to every answer, including errors and the switch to WebSocket. It replaces the server's own header
    /// of that name, except that values of `Set-Cookie` and `Vary` are sent beside the server's. Default: none.
    ///
    /// Only two kinds of answers go without it: to what is no HTTP request or has too long a head (statuses 400, 414 and
    /// 431), and to a request in which [`on_headers`](Self::on_headers), the log or the metrics panic (500).
    ///
    /// This is so for headers of the WebSocket's opening handshake, too: a client refuses an answer that names a subprotocol
    /// or an extension that it has not offered.
    #[must_use]
    pub fn response_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.http.headers.append(name, value);
        self
    }

    /// Sets a function that adds headers to every answer, as [`response_header`](Self::response_header) does, depending
    /// on the request's head. The map contains the headers of both that setter and CORS. Corresponds to the reference's
    /// event `headers`. Default: none.
    #[must_use]
    pub fn on_headers(mut self, add: impl Fn(&Parts, &mut HeaderMap) + Send + Sync + 'static) -> Self {
        self.http.add_headers = Some(Arc::new(add));
        self
    }

    /// Sets a function that adds headers to the answer that opens a session, depending on the request's head. Use it to
    /// set cookies. Corresponds to the reference's event `initial_headers`. Default: none.
    #[must_use]
    pub fn on_initial_headers(
        mut self,
        add: impl Fn(&Parts, &mut HeaderMap) + Send + Sync + 'static,
    ) -> Self {
        self.http.add_initial_headers = Some(Arc::new(add));
        self
    }

    /// Sets a function that chooses one of the subprotocols that a client offers for its WebSocket
    /// (`Sec-WebSocket-Protocol`, RFC 6455 section 1.9), depending on the request's head. With `None` the answer names
    /// no subprotocol, which most clients treat as a failure. The server calls it only if there is an offer, for new
    /// sessions and for upgrades. A choice that the client did not offer counts as `None`, and is logged. Default: the
    /// first one offered, as in the reference (engine.io 6.6.12 on ws 8).
    ///
    /// Engine.IO has no subprotocol of its own: the choice does not change the data on the WebSocket.
    ///
    /// ```
    /// use eio_tokio::Server;
    ///
    /// let server = Server::builder(|_socket| async {})
    ///     .choose_subprotocol(|_request, offered| offered.iter().copied().find(|name| *name == "chat.v2"))
    ///     .build()?;
    /// # Ok::<(), eio_tokio::BuildError>(())
    /// ```
    #[must_use]
    pub fn choose_subprotocol(
        mut self,
        choose: impl for<'o> Fn(&Parts, &[&'o str]) -> Option<&'o str> + Send + Sync + 'static,
    ) -> Self {
        self.http.choose_subprotocol = Some(Arc::new(choose));
        self
    }

    /// Sets the size in bytes from which the server compresses an answer to a poll, for clients that accept gzip or
    /// deflate. With `None` it never does. Default: 1,024.
    ///
    /// Compression takes 15 to 25 ms of processor time per megabyte, in steps that let other sessions run, and
    /// meanwhile some 400 KiB of memory. An attacker who can make a server send their own text together with a secret,
    /// and can see how long the answers are, can guess the secret (BREACH). Switch compression off if that matters.
    #[cfg(feature = "compression")]
    #[must_use]
    pub fn compression(mut self, threshold: Option<usize>) -> Self {
        self.http.compression_threshold = threshold;
        self
    }
}
