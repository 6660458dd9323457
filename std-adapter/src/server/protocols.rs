//! The versions of HTTP that connections may speak, with hyper's limits.
//!
//! hyper has limits of time of its own, which are switched off: its time for the head of a request runs between requests
//! as well, and its pings end an HTTP/2 connection whose session may be silent for longer.

use core::error::Error;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use http_body::Body;
use hyper::body::Incoming;
#[cfg(feature = "http2")]
use hyper::rt::bounds::Http2ServerConnExec;
use hyper::server::conn::http1;
#[cfg(feature = "http2")]
use hyper::server::conn::http2;
use hyper::service::HttpService;
#[cfg(feature = "http2")]
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::server::config::HttpConfig;
use crate::web::watched::WatchedIo;

/// How many requests an HTTP/2 connection may have under way. A session needs two.
#[cfg(feature = "http2")]
const MAX_STREAMS: u32 = 128;

/// The first bytes of an HTTP/2 connection (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

type BoxError = Box<dyn Error + Send + Sync>;

/// A connection that hyper serves.
pub(super) trait Served {
    fn poll_served(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>>;

    /// Ends the connection behind its current requests.
    fn finish(&mut self);
}

impl<I, S, B> Served for http1::UpgradeableConnection<TokioIo<I>, S>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HttpService<Incoming, ResBody = B, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>> + 'static,
{
    fn poll_served(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        Pin::new(self).poll(cx)
    }

    fn finish(&mut self) {
        Pin::new(self).graceful_shutdown();
    }
}

#[cfg(feature = "http2")]
impl<I, S, B> Served for http2::Connection<TokioIo<I>, S, TokioExecutor>
where
    I: AsyncRead + AsyncWrite + Unpin,
    S: HttpService<Incoming, ResBody = B, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>> + 'static,
    TokioExecutor: Http2ServerConnExec<S::Future, B>,
{
    fn poll_served(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        Pin::new(self).poll(cx)
    }

    fn finish(&mut self) {
        Pin::new(self).graceful_shutdown();
    }
}

/// Serves HTTP/1.1 on a connection.
pub(super) fn http1<I, S, B>(settings: &HttpConfig, io: I, service: S) -> Box<dyn Served + Send>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HttpService<Incoming, ResBody = B, Error: Into<BoxError>, Future: Send> + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.header_read_timeout(None).max_headers(settings.max_headers).max_buf_size(settings.max_head);
    Box::new(builder.serve_connection(TokioIo::new(io), service).with_upgrades())
}

/// Serves HTTP/2 on a connection.
#[cfg(feature = "http2")]
pub(super) fn http2<I, S, B>(settings: &HttpConfig, io: I, service: S) -> Box<dyn Served + Send>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: HttpService<Incoming, ResBody = B, Error: Into<BoxError>, Future: Send> + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    TokioExecutor: Http2ServerConnExec<S::Future, B>,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(settings.max_head).unwrap_or(u32::MAX));
    Box::new(builder.serve_connection(TokioIo::new(io), service))
}

/// A connection from its first byte, which tells the version of HTTP.
///
/// The first bytes are read together with what came beside them. hyper's own way to tell the versions apart costs each
/// connection another read, and a larger buffer.
pub(super) enum Connection<I, F> {
    /// `None` if the server closed the connection before it had said anything.
    Beginning(Option<(WatchedIo<I>, F)>),
    Served(Box<dyn Served + Send>),
}

impl<I, F> Connection<I, F>
where
    I: AsyncRead + Unpin,
    F: FnOnce(WatchedIo<I>, bool) -> Box<dyn Served + Send>,
{
    /// `serve` serves HTTP/2 on a connection if its second argument says so, and otherwise HTTP/1.1. `chooses` says whether
    /// the client may choose.
    pub(super) fn new(io: WatchedIo<I>, chooses: bool, serve: F) -> Self {
        if chooses { Self::Beginning(Some((io, serve))) } else { Self::Served(serve(io, false)) }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        loop {
            match self {
                Self::Served(served) => return served.poll_served(cx).map_err(Into::into),
                Self::Beginning(None) => return Poll::Ready(Ok(())),
                Self::Beginning(Some((io, _))) => {
                    let is_http2 = ready!(io.poll_begins_with(cx, PREFACE))?;
                    if let Self::Beginning(beginning) = self
                        && let Some((io, serve)) = beginning.take()
                    {
                        *self = Self::Served(serve(io, is_http2));
                    }
                }
            }
        }
    }

    /// Ends the connection behind its current requests.
    pub(super) fn finish(&mut self) {
        match self {
            Self::Beginning(beginning) => *beginning = None,
            Self::Served(served) => served.finish(),
        }
    }
}
