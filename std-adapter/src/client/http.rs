//! HTTP requests, one at a time on each of a client's connections.
//!
//! The future that uses a connection also drives it, so the session's own task does. Nothing is spawned, and dropping the
//! session drops all connections.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri, header};

use crate::client::coding::foreign_coding;
use crate::client::config::Config;
use crate::client::cookies::Cookies;
use crate::client::dial::dial;
use crate::client::error::ConnectError;
use crate::client::event::ClientEvent;
use crate::client::events;
use crate::client::http_connection::{Body, HttpConnection, ReadError, Unsent};
use crate::client::secrets::Secrets;
use crate::wire::clock::Clock;
use crate::wire::sync::AtomicBool;

/// The parts that all requests of a session share.
#[derive(Clone)]
pub(crate) struct Dialer {
    pub(crate) config: Arc<Config>,
    pub(crate) clock: Clock,
    /// Once set, connections are reset when they are dropped.
    pub(crate) reset: Arc<AtomicBool>,
    pub(crate) cookies: Arc<Cookies>,
}

impl Dialer {
    /// Returns a request with the headers that every request of the session carries.
    pub(crate) fn request(&self, target: Uri, body: Body) -> Request<Body> {
        let mut request = self.config.request(target, body);
        if self.config.keep_cookies {
            self.cookies.put(request.headers_mut(), self.clock.now(), &self.config.path);
        }
        request
    }

    /// Takes the cookies that an answer sets.
    pub(crate) fn take_cookies<B>(&self, answer: &Response<B>) {
        if self.config.keep_cookies {
            self.cookies.take(answer.headers(), self.clock.now(), self.config.endpoint.secure);
        }
    }
}

/// Opens a connection to the server.
pub(crate) async fn connect(dialer: &Dialer) -> Result<HttpConnection, ConnectError> {
    let stream = dial(&dialer.config, &dialer.reset).await?;
    // The event is about a connection, not a session. So a panic of its receiver is logged and ends no session.
    events::tell(&ClientEvent::Connected, "", dialer.config.on_event.as_ref());
    HttpConnection::on(stream, dialer.clock.now()).await.map_err(ConnectError::http)
}

/// An answer with status 200 to a polling request.
pub(crate) struct Answer {
    /// Whether the content type is `application/octet-stream`, the binary framing of revision 3.
    pub(crate) is_binary: bool,
    pub(crate) body: Bytes,
}

type Exchange = Pin<Box<dyn Future<Output = (Option<HttpConnection>, Result<Answer, ConnectError>)> + Send>>;

/// A connection for one kind of request, with at most one of them in flight.
#[derive(Default)]
pub(crate) struct PollingConnection {
    idle: Option<Box<HttpConnection>>,
    in_flight: Option<Exchange>,
}

impl PollingConnection {
    pub(crate) fn is_busy(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Sends a request. The connection must not be busy.
    pub(crate) fn start(&mut self, dialer: &Dialer, request: Request<Body>) {
        debug_assert!(!self.is_busy(), "one request at a time");
        let dialer = dialer.clone();
        let idle = self.idle.take().map(|idle| *idle);
        self.in_flight = Some(Box::pin(exchange(dialer, idle, request)));
    }

    /// Returns the answer to the request in flight once it is complete.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answer, ConnectError>> {
        if let Some(in_flight) = &mut self.in_flight {
            let (connection, answer) = ready!(in_flight.as_mut().poll(cx));
            self.in_flight = None;
            self.idle = connection.map(Box::new);
            return Poll::Ready(answer);
        }
        // The server may close an idle connection.
        if self.idle.as_mut().is_some_and(|idle| idle.poll_connection(cx).is_ready()) {
            self.idle = None;
        }
        Poll::Pending
    }

    /// Drops the request in flight, and its connection with it.
    pub(crate) fn abort(&mut self) {
        self.in_flight = None;
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

async fn exchange(
    dialer: Dialer,
    mut idle: Option<HttpConnection>,
    mut request: Request<Body>,
) -> (Option<HttpConnection>, Result<Answer, ConnectError>) {
    let now = dialer.clock.now();
    let target = request.uri().clone();
    let (mut connection, answer) = loop {
        let reused = idle.take().filter(|idle| now < idle.stale_at);
        let was_reused = reused.is_some();
        let mut connection = match reused {
            Some(connection) => connection,
            None => match connect(&dialer).await {
                Ok(connection) => connection,
                Err(error) => return (None, Err(error)),
            },
        };
        match connection.send(request).await {
            Ok(answer) => break (connection, answer),
            // The server closed the idle connection. No byte of the request has been sent.
            Err(Unsent::NotBegun(unsent, _)) if was_reused => request = *unsent,
            Err(Unsent::NotBegun(_, error) | Unsent::Failed(error)) => {
                return (None, Err(ConnectError::http(error)));
            }
        }
    };
    dialer.take_cookies(&answer);
    if answer.status() != StatusCode::OK {
        let refusal = connection.refusal(answer, &Secrets::of(&target)).await;
        return (None, Err(refusal));
    }
    if let Some(coding) = foreign_coding(answer.headers(), || Secrets::of(&target)) {
        return (None, Err(ConnectError::Coding(coding)));
    }
    let is_binary = answer
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/octet-stream"));
    let keep_alive = keep_alive(answer.headers());
    let max_payload = dialer.config.max_payload;
    let body =
        match connection.read(answer.into_body(), usize::try_from(max_payload).unwrap_or(usize::MAX)).await {
            Ok(body) => body,
            Err(ReadError::TooLarge) => return (None, Err(ConnectError::TooLarge { max_payload })),
            Err(ReadError::Http(error)) => return (None, Err(ConnectError::http(error))),
        };
    if let Some(beginning) = web_page(&body) {
        let page = Secrets::of(&target).hide_in_part(&beginning).chars().take(100).collect();
        return (None, Err(ConnectError::WebPage(page)));
    }
    let connection = connection.recycle(dialer.clock, keep_alive).await;
    (connection, Ok(Answer { is_binary, body }))
}

/// Returns the beginning of a body that is a web page. Proxies, login pages and captive portals send these with status
/// 200. No payload, and no answer to a POST, begins like one.
fn web_page(body: &[u8]) -> Option<Cow<'_, str>> {
    let beginning = body.trim_ascii_start();
    let beginning = beginning.get(..beginning.len().min(400)).unwrap_or_default();
    beginning.starts_with(b"<").then(|| String::from_utf8_lossy(beginning))
}

/// How long an idle connection may be reused if the server has not promised to keep it.
///
/// A server closes an idle connection without notice. A request that is on its way at that moment is lost, and cannot be
/// sent again, because the server may have received it. Servers keep idle connections for at least 5 s (uvicorn, Node).
const UNPROMISED: Duration = Duration::from_secs(1);

/// Returns how long an idle connection is safe to use: a second less than the server has promised to keep it, so that the
/// server does not close it while a request is on its way, or [`UNPROMISED`] without a promise.
fn keep_alive(headers: &HeaderMap) -> Duration {
    let promised = || {
        let value = headers.get("keep-alive")?.to_str().ok()?;
        let mut parameters = value.split(',').filter_map(|parameter| parameter.split_once('='));
        let (_, seconds) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"))?;
        seconds.trim().parse().ok()
    };
    promised().map_or(UNPROMISED, |seconds: u64| Duration::from_secs(seconds.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_page_is_no_payload() {
        assert_eq!(web_page(b" \n<!doctype html>").as_deref(), Some("<!doctype html>"));
        assert!(web_page("<é".repeat(500).as_bytes()).unwrap().len() < 410);
        for payload in [&b""[..], b"ok", b"0{}", b"4<b>", b"6:4<html", b"\x00\x01\xff4"] {
            assert_eq!(web_page(payload), None, "{payload:?}");
        }
    }

    #[test]
    fn a_connection_is_given_up_a_second_before_the_server_does() {
        let seconds = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("keep-alive", value.parse().unwrap());
            keep_alive(&headers).as_secs()
        };
        assert_eq!(seconds("timeout=5"), 4);
        assert_eq!(seconds("max=100, Timeout=72"), 71);
        assert_eq!(seconds("timeout=0"), 0);
        assert_eq!(seconds("timeout=18446744073709551615"), u64::MAX - 1);
        for promise_nothing in ["max=100", "timeout=soon", "timeout", ""] {
            assert_eq!(seconds(promise_nothing), 1, "{promise_nothing:?}");
        }
        assert_eq!(keep_alive(&HeaderMap::new()), UNPROMISED);
    }
}
