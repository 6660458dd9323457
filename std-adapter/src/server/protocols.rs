//! The versions of HTTP that connections may speak, with hyper's limits.
//!
//! hyper has limits of time of its own, which are switched off: its time for the head of a request runs between requests
//! as well, and its pings end an HTTP/2 connection whose session may be silent for longer.

#[cfg(feature = "http2")]
use hyper_util::rt::TokioExecutor;
#[cfg(feature = "http2")]
use hyper_util::server::conn::auto;

use crate::server::config::HttpConfig;

/// How many requests an HTTP/2 connection may have under way. A session needs two.
#[cfg(feature = "http2")]
const MAX_STREAMS: u32 = 128;

/// HTTP/1.1, and HTTP/2 unless it is switched off.
#[cfg(feature = "http2")]
pub(super) fn builder(settings: &HttpConfig) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .header_read_timeout(None)
        .max_headers(settings.max_headers)
        .max_buf_size(settings.max_head);
    builder
        .http2()
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(settings.max_head).unwrap_or(u32::MAX));
    if settings.http2 { builder } else { builder.http1_only() }
}

/// HTTP/1.1.
#[cfg(not(feature = "http2"))]
pub(super) fn builder(settings: &HttpConfig) -> hyper::server::conn::http1::Builder {
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.header_read_timeout(None).max_headers(settings.max_headers).max_buf_size(settings.max_head);
    builder
}
