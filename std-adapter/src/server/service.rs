//! Answers HTTP requests: routing, the headers of every answer, and refusals.

use core::convert::Infallible;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use std::sync::Arc;

use eio_core::handshake::Transport;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::server::admission::{callback, find, sender};
use crate::server::connection::Answers;
use crate::server::sessions::ServerShared;
use crate::server::{polling, refusals, upgrade};
use crate::session::guard::guarded;
use crate::web::activity::CameOn;
use crate::web::path::is_at;
use crate::web::peer_addr::PeerAddr;
use crate::web::request::{Query, is_websocket_upgrade, names_its_host};
use crate::web::request_body::RequestBody;
use crate::web::respond::{Body, Refusal, empty, replace_with};
use crate::wire::targets;

/// A service that answers Engine.IO requests: a [`tower_service::Service`] for axum, tower and hyper.
#[derive(Clone)]
pub struct EngineService {
    server: Arc<ServerShared>,
}

impl EngineService {
    pub(crate) fn new(server: Arc<ServerShared>) -> Self {
        Self { server }
    }

    /// Returns whether the service answers requests for this path. It answers requests for the server's
    /// [path](crate::ServerBuilder::path), with or without its final slash, and for paths below it. It refuses all others
    /// with status 404. A router can call this method to decide which requests to pass on.
    ///
    /// ```
    /// let server = eio_tokio::Server::builder(|_socket| async {}).build()?;
    /// let service = server.service();
    /// assert!(service.serves("/engine.io/") && service.serves("/engine.io"));
    /// assert!(!service.serves("/engine.iox"));
    /// # Ok::<(), eio_tokio::BuildError>(())
    /// ```
    #[must_use]
    pub fn serves(&self, path: &str) -> bool {
        is_at(self.path(), path)
    }

    /// Returns the path of the server, with a slash at its end.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.server.http.path
    }
}

impl core::fmt::Debug for EngineService {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EngineService").finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for EngineService
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let came_on = request.extensions_mut().remove::<CameOn>();
        Box::pin(answer_guarded(Arc::clone(&self.server), request, came_on))
    }
}

/// The server answers the requests of its own connections without a router, and its future needs no box.
impl Answers for EngineService {
    type Body = Body;

    fn answer(
        self,
        request: Request<Incoming>,
        came_on: CameOn,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send {
        answer_guarded(self.server, request, Some(came_on))
    }
}

/// Answers a request, and catches its panic.
fn answer_guarded<B>(
    server: Arc<ServerShared>,
    request: Request<B>,
    came_on: Option<CameOn>,
) -> Caught<impl Future<Output = Response<Body>> + Send>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    Caught { answer: answer(server, request, came_on) }
}

pin_project! {
    /// An answer whose panic is caught. Panics of callbacks are caught where they are called. This catches those of log
    /// subscribers and metrics recorders.
    ///
    /// It is not an async function, which would keep the request beside the future that has taken it.
    struct Caught<F> {
        #[pin]
        answer: F,
    }
}

impl<F: Future<Output = Response<Body>>> Future for Caught<F> {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = self.project().answer;
        guarded(|| answer.poll(cx)).map_or_else(
            |panicked| {
                panicked.report("request", "-");
                Poll::Ready(Ok(empty(StatusCode::INTERNAL_SERVER_ERROR)))
            },
            |poll| poll.map(Ok),
        )
    }
}

/// Answers a request. It is one function, because a pending poll keeps its future: another function would keep another
/// copy of the head. For the same reason, the head is outside of the block.
fn answer<B>(
    server: Arc<ServerShared>,
    mut request: Request<B>,
    came_on: Option<CameOn>,
) -> impl Future<Output = Response<Body>> + Send
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    let upgrade = hyper::upgrade::on(&mut request);
    let (mut head, body) = request.into_parts();
    async move {
        let is_http1 = head.version < Version::HTTP_2;
        let mut is_read = false;
        let mut body = pin!(body);
        let body = RequestBody::new(body.as_mut(), &mut is_read);
        name_sender(&server, &mut head);
        let Ok(mut headers) = callback("on_headers", || server.http.common_headers(&head)) else {
            return headers_panicked(&server, &head);
        };
        let mut response = match &server.http.cors {
            // Whatever its path, so that a page learns that the path is wrong.
            Some(cors) if head.method == Method::OPTIONS => cors.preflight(&head, &mut headers),
            _ if !is_at(&server.http.path, head.uri.path()) => not_found(&server, &head),
            _ => {
                let query = Query::parse(&head);
                let asked = transport_of(&head);
                let answered = if !names_its_host(&head) {
                    Err(Refusal::Header {
                        name: header::HOST,
                        message: "Missing, repeated or invalid Host header",
                        expected: "exactly one valid host",
                    })
                } else if asked == Transport::WebSocket {
                    upgrade::answer(&server, &mut head, &query, upgrade, came_on).await
                } else {
                    drop(upgrade);
                    polling::answer(&server, &mut head, query, body, came_on).await
                };
                answered.unwrap_or_else(|refusal| {
                    refusals::tell(&server, &refusal, asked, &head);
                    refusal.response(asked)
                })
            }
        };
        replace_with(response.headers_mut(), headers);
        if !is_http1 {
            // HTTP/2 forbids it (RFC 9113 section 8.2.2).
            response.headers_mut().remove(header::CONNECTION);
        }
        closing_if(is_http1 && !is_read, response)
    }
}

/// Answers a request for a path that is not the server's.
fn not_found(server: &ServerShared, head: &Parts) -> Response<Body> {
    tracing::debug!(
        target: targets::REQUEST,
        path = head.uri.path(),
        expected = server.http.path,
        "no path of the server: a router may have removed its beginning"
    );
    empty(StatusCode::NOT_FOUND)
}

/// Closes the connection behind the response if the body of the request is unread, because the connection then cannot
/// carry another request (RFC 9112 section 9.3).
fn closing_if(is_unread: bool, mut response: Response<Body>) -> Response<Body> {
    if is_unread && response.status().is_client_error() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Returns the transport that a request asks for, by its headers.
fn transport_of(head: &Parts) -> Transport {
    if is_websocket_upgrade(head) { Transport::WebSocket } else { Transport::Polling }
}

/// Ends the session that the request names, because `on_headers` panicked, and returns the answer.
fn headers_panicked(server: &ServerShared, parts: &Parts) -> Response<Body> {
    let named = Query::parse(parts).sid.and_then(|named| find(server, named));
    if let Some(session) = named {
        session.application_panicked();
    }
    let asked = transport_of(parts);
    refusals::tell(server, &Refusal::Internal, asked, parts);
    Refusal::Internal.response(asked)
}

/// Finds the address of the connection, and replaces it by the client's address that trusted proxies name.
fn name_sender(server: &ServerShared, parts: &mut Parts) {
    #[cfg(feature = "axum")]
    crate::web::peer_addr::adopt_connect_info(&mut parts.extensions);
    if let Some(proxies) = &server.http.trusted_proxies
        && let Some(sender) = proxies.sender(sender(parts), &parts.headers)
    {
        parts.extensions.insert(PeerAddr(sender));
    }
}
