//! HTTP requests, one at a time on each of a client's connections.
//!
//! The future that uses a connection also drives it, so the session's own task does. Nothing is spawned, and dropping the
//! session drops all connections.

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::sync::atomic::AtomicBool;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use eio_core::Instant;
use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;

use crate::carrier::dialed::Dialed;
use crate::client::config::{Body, Config};
use crate::client::cookies::Cookies;
use crate::client::dial::dial;
use crate::client::error::ConnectError;
use crate::client::event::ClientEvent;
use crate::client::events;
use crate::client::refusal::Refused;
use crate::client::secrets::Secrets;
use crate::wire::clock::Clock;

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
            self.cookies.put(request.headers_mut(), self.clock.now());
        }
        request
    }

    /// Takes the cookies that an answer sets.
    pub(crate) fn take_cookies<B>(&self, answer: &Response<B>) {
        if self.config.keep_cookies {
            let Config { endpoint, path, .. } = &*self.config;
            self.cookies.take(answer.headers(), self.clock.now(), endpoint.secure, path);
        }
    }
}

/// One connection, idle or in use.
pub(crate) struct HttpConnection {
    sender: SendRequest<Body>,
    connection: Connection<TokioIo<Dialed>, Body>,
    ended: bool,
    /// From when on the server may close the connection without notice.
    stale_at: Instant,
}

/// How long an idle connection may be reused if the server has not promised to keep it.
///
/// A server closes an idle connection without notice. A request that is on its way at that moment is lost, and cannot be
/// sent again, because the server may have received it. Servers keep idle connections for at least 5 s (uvicorn, Node).
const UNPROMISED: Duration = Duration::from_secs(1);

/// How long the client reads the body of a refusal. Some bodies never end.
const REFUSAL_BODY: Duration = Duration::from_secs(1);

impl HttpConnection {
    pub(crate) async fn open(dialer: &Dialer) -> Result<Self, ConnectError> {
        let stream = dial(&dialer.config, &dialer.reset).await?;
        // The event is about a connection, not a session. So a panic of its receiver is logged and ends no session.
        events::tell(&ClientEvent::Connected, "", dialer.config.on_event.as_ref());
        Self::on(stream, dialer.clock.now()).await.map_err(ConnectError::http)
    }

    /// Starts HTTP on a connection that was opened at `now`.
    pub(crate) async fn on(stream: Dialed, now: Instant) -> hyper::Result<Self> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, connection, ended: false, stale_at: now })
    }

    /// Sends a request and reads the head of the answer.
    pub(crate) async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, Unsent> {
        let answer = self.sender.try_send_request(request);
        self.drive(answer).await.map_err(|mut error| match error.take_message() {
            Some(request) => Unsent::NotBegun(Box::new(request), error.into_error()),
            None => Unsent::Failed(error.into_error()),
        })
    }

    /// Runs the connection until `future`, which uses it, is done.
    pub(crate) async fn drive<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let _ = self.poll_connection(cx);
            future.as_mut().poll(cx)
        })
        .await
    }

    /// Ready once the connection has ended, or its stream can be taken.
    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.ended {
            // The failed request returns the error of the connection.
            let _ = ready!(self.connection.poll_without_shutdown(cx));
            self.ended = true;
        }
        Poll::Ready(())
    }

    /// Returns the stream after an answer that switched protocols, and the bytes that were read after that answer.
    pub(crate) async fn into_stream(mut self) -> (Dialed, Bytes) {
        poll_fn(|cx| self.poll_connection(cx)).await;
        let parts = self.connection.into_parts();
        (parts.io.into_inner(), parts.read_buf)
    }

    /// Reads a body of at most `limit` bytes.
    pub(crate) async fn read(&mut self, body: Incoming, limit: usize) -> Result<Bytes, ReadError> {
        match self.drive(Limited::new(body, limit).collect()).await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(ReadError::TooLarge),
            Err(error) => match error.downcast::<hyper::Error>() {
                Ok(error) => Err(ReadError::Http(*error)),
                Err(_) => Err(ReadError::TooLarge),
            },
        }
    }

    /// Returns the refusal in an answer.
    pub(crate) async fn refusal(&mut self, answer: Response<Incoming>, secrets: &Secrets) -> ConnectError {
        let (head, mut body) = answer.into_parts();
        let mut beginning = Vec::new();
        let read = async {
            while beginning.len() < Refused::MAX_BODY
                && let Some(Ok(frame)) = self.drive(body.frame()).await
            {
                beginning.extend(frame.into_data().unwrap_or_default());
            }
        };
        // The body only explains the status, so a late or broken body is ignored.
        let _ = tokio::time::timeout(REFUSAL_BODY, read).await;
        ConnectError::Refused(Refused::new(head.status, &head.headers, &beginning, secrets))
    }

    /// Returns the connection if another request may use it.
    async fn recycle(mut self, dialer: &Dialer, keep_alive: Duration) -> Option<Self> {
        let sender = &mut self.sender;
        let connection = &mut self.connection;
        poll_fn(|cx| {
            let ended = connection.poll_without_shutdown(cx).is_ready();
            if ended { Poll::Ready(Err(())) } else { sender.poll_ready(cx).map_err(drop) }
        })
        .await
        .ok()?;
        self.stale_at = dialer.clock.now().saturating_add(keep_alive);
        Some(self)
    }
}

/// The reason why a request got no answer.
pub(crate) enum Unsent {
    /// The connection was closed before the request began: it may be sent again.
    NotBegun(Box<Request<Body>>, hyper::Error),
    Failed(hyper::Error),
}

/// The reason why a body could not be read.
pub(crate) enum ReadError {
    TooLarge,
    Http(hyper::Error),
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
            None => match HttpConnection::open(&dialer).await {
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
    let connection = connection.recycle(&dialer, keep_alive).await;
    (connection, Ok(Answer { is_binary, body }))
}

/// Returns the content codings of a body that the client cannot read, quoted: all except `identity`.
pub(crate) fn foreign_coding(headers: &HeaderMap, secrets: impl FnOnce() -> Secrets) -> Option<String> {
    let codings = headers.get_all(header::CONTENT_ENCODING);
    let codings: Vec<_> = codings.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let codings = codings.join(", ");
    let is_foreign = |coding: &str| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity");
    let foreign = codings.split(',').any(|coding| is_foreign(coding.trim()));
    foreign.then(|| format!("{:?}", secrets().hide(&codings).chars().take(64).collect::<String>()))
}

/// Returns the beginning of a body that is a web page. Proxies, login pages and captive portals send these with status
/// 200. No payload, and no answer to a POST, begins like one.
fn web_page(body: &[u8]) -> Option<Cow<'_, str>> {
    let beginning = body.trim_ascii_start();
    let beginning = beginning.get(..beginning.len().min(400)).unwrap_or_default();
    beginning.starts_with(b"<").then(|| String::from_utf8_lossy(beginning))
}

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
    fn a_body_in_another_coding_than_identity_is_named() {
        let coding = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_ENCODING, value.parse().unwrap());
            }
            foreign_coding(&headers, Secrets::default)
        };
        assert_eq!(coding(&[]), None);
        assert_eq!(coding(&["Identity"]), None);
        assert_eq!(coding(&["", "identity, "]), None);
        assert_eq!(coding(&["gzip"]).as_deref(), Some("\"gzip\""));
        assert_eq!(coding(&["identity", "br"]).as_deref(), Some("\"identity, br\""));
        assert!(coding(&[&"x".repeat(500)]).unwrap().len() < 70);
    }

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
