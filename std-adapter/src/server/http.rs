//! Settings of the HTTP side.

use core::time::Duration;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::ServerBuilder;
use crate::cookie::Cookie;
use crate::cors::Cors;
use crate::origins::AllowedOrigins;
use crate::proxies::TrustedProxies;

impl ServerBuilder {
    /// Which pages of other origins may read the answers to polling requests. Default: none.
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Self {
        self.config.http.cors = Some(cors);
        self
    }

    /// Which pages may open and use sessions, on polling and on WebSocket; others get status 403. Requests of programs
    /// that are no browser have no origin, and pass.
    ///
    /// Default: those that [`cors`](Self::cors) lists, and the server's own, so that a page that may not read polling
    /// answers cannot open a WebSocket either. Without such a list: [any](AllowedOrigins::Any), as the reference. Set it
    /// if cookies tell your application who is talking.
    #[must_use]
    pub fn allowed_origins(mut self, origins: AllowedOrigins) -> Self {
        self.allowed_origins = Some(origins);
        self
    }

    /// Which proxies are believed when they say whom they speak for. The address that they name is what
    /// [`Socket::peer_addr`](crate::Socket::peer_addr) tells and what limits count. Default: none.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.config.http.trusted_proxies = Some(proxies);
        self
    }

    /// How many sessions one address may open at once, and how many more over every period; an IPv6 network of 64 bits
    /// counts as one address. An upgrade to WebSocket counts as well, from a session's second try on. Whoever opens more gets status 429 and the time to wait. Both at least 1, the period in
    /// microseconds. Default: no limit.
    ///
    /// Behind a proxy, say which ones are [trusted](Self::trusted_proxies), or all clients are one address. Many people
    /// may share one, too: a hundred per minute is not much for a school.
    #[must_use]
    pub fn handshakes_per_address(mut self, count: u32, period: Duration) -> Self {
        self.handshakes = Some((count, period));
        self
    }

    /// A cookie with the session's identifier, for load balancers that pin clients. Default: none.
    #[must_use]
    pub fn cookie(mut self, cookie: Cookie) -> Self {
        self.config.http.cookie = Some(cookie);
        self
    }

    /// A header on every answer, errors and the switch to WebSocket included; in the place of the server's own of that
    /// name. Default: none.
    #[must_use]
    pub fn response_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.config.http.headers.append(name, value);
        self
    }

    /// Adds headers to every answer, as [`response_header`](Self::response_header) does, by the request's head. The map
    /// holds those and CORS's. The reference's event `headers`. Default: nobody is asked.
    #[must_use]
    pub fn on_headers(mut self, add: impl Fn(&Parts, &mut HeaderMap) + Send + Sync + 'static) -> Self {
        self.config.http.add_headers = Some(Arc::new(add));
        self
    }

    /// Adds headers to the answer that opens a session, by the request's head: the place to set cookies. The reference's
    /// event `initial_headers`. Default: nobody is asked.
    #[must_use]
    pub fn on_initial_headers(
        mut self,
        add: impl Fn(&Parts, &mut HeaderMap) + Send + Sync + 'static,
    ) -> Self {
        self.config.http.add_initial_headers = Some(Arc::new(add));
        self
    }

    /// Chooses which of the subprotocols that a client offers for its WebSocket (`Sec-WebSocket-Protocol`, RFC 6455
    /// section 1.9) is answered, by the request's head; `None` answers none, which most clients take for a failure.
    /// Asked only when there is an offer, for new sessions and for upgrades; anything that is not offered counts as `None`,
    /// and is logged. Default: the first one offered, as the reference (engine.io 6.6.12 on ws 8).
    ///
    /// Engine.IO has no subprotocol of its own: what is spoken on the WebSocket stays the same.
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
        self.config.http.choose_subprotocol = Some(Arc::new(choose));
        self
    }

    /// From how many bytes on an answer to a poll is compressed for clients that accept gzip or deflate; `None` never.
    /// Default: 1,024.
    ///
    /// Costs 15 to 25 ms of processor time per megabyte, in turns that let other sessions run, and some 400 KiB of
    /// memory meanwhile. Whoever can make a server send their own text beside a secret, and can see how long the answers
    /// are, can guess the secret (BREACH): switch it off where that matters.
    #[must_use]
    pub fn compression(mut self, threshold: Option<usize>) -> Self {
        self.config.http.compression_threshold = threshold;
        self
    }

    /// Whether [`serve`](crate::Server::serve) speaks HTTP/2 too, without TLS by prior knowledge. It carries polling
    /// only: WebSockets are HTTP/1.1's here. Default: yes.
    #[must_use]
    pub fn http2(mut self, enabled: bool) -> Self {
        self.config.http.http2 = enabled;
        self
    }

    /// How many bytes, and how many headers, the head of a request may have where [`serve`](crate::Server::serve) reads
    /// it; more gets status 431. At least 8,192 bytes, and 1 header. Default: 16 KiB, 100 headers.
    #[must_use]
    pub fn max_request_head(mut self, bytes: usize, headers: usize) -> Self {
        self.config.http.max_head = bytes;
        self.config.http.max_headers = headers;
        self
    }
}
