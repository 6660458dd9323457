//! Answering HTTP requests: routing, headers that every answer carries, and refusals.

use core::convert::Infallible;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use tower_service::Service;

use crate::server::admission::{callback, sender};
use crate::server::shared::ServerShared;
use crate::server::{polling, upgrade};
use crate::session::guard::guarded;
use crate::web::activity::CameOn;
use crate::web::peer_addr::PeerAddr;
use crate::web::request::{Query, is_at, is_websocket_upgrade, names_its_host};
use crate::web::request_body::RequestBody;
use crate::web::respond::{Body, Refusal, empty};
use crate::wire::transport::Transport;

/// A service that answers Engine.IO requests: a [`tower_service::Service`] for axum, tower and hyper.
#[derive(Clone)]
pub struct EngineService {
    server: Arc<ServerShared>,
}

impl EngineService {
    pub(crate) fn new(server: Arc<ServerShared>) -> Self {
        Self { server }
    }

    /// Returns whether the service answers requests for this path; it refuses others with status 404. It answers those
    /// at the server's [path](crate::ServerBuilder::path), with or without a slash at its end, and below it. A router
    /// can ask this method, or pass on all of these requests.
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
        is_at(&self.server.http.path, path)
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

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let server = Arc::clone(&self.server);
        Box::pin(async move {
            let mut answer = pin!(answer(server, request));
            // Callbacks are caught one by one. This is for the rest: subscribers of the log, recorders of the metrics.
            let answered = poll_fn(|cx| match guarded(|| answer.as_mut().poll(cx)) {
                Ok(poll) => poll.map(Ok),
                Err(panicked) => Poll::Ready(Err(panicked)),
            });
            Ok(answered.await.unwrap_or_else(|panicked| {
                panicked.report("request", "-");
                empty(StatusCode::INTERNAL_SERVER_ERROR)
            }))
        })
    }
}

/// Answers a request. One function, because a pending poll holds its future: one more would hold the head once more.
async fn answer<B>(server: Arc<ServerShared>, mut request: Request<B>) -> Response<Body>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    let upgrade = hyper::upgrade::on(&mut request);
    let came_on = request.extensions_mut().remove::<CameOn>();
    let (mut head, body) = request.into_parts();
    let is_http1 = head.version < Version::HTTP_2;
    let mut is_read = false;
    let mut body = pin!(body);
    let body = RequestBody::new(body.as_mut(), &mut is_read);
    if !is_at(&server.http.path, head.uri.path()) {
        return closing_if(is_http1 && !is_read, empty(StatusCode::NOT_FOUND));
    }
    name_sender(&server, &mut head);
    let Ok(mut headers) = callback("on_headers", || server.http.common_headers(&head)) else {
        return headers_panicked(&server, &head);
    };
    let mut response = match &server.http.cors {
        Some(cors) if head.method == Method::OPTIONS => cors.preflight(&head, &mut headers),
        _ => {
            let query = Query::parse(&head);
            let asked = transport_of(&head);
            let peer = sender(&head);
            let answered = if !names_its_host(&head) {
                Err(Refusal::Header("Missing, repeated or invalid Host header"))
            } else if asked == Transport::WebSocket {
                upgrade::answer(&server, head, &query, upgrade).await
            } else {
                drop(upgrade);
                polling::answer(&server, head, &query, body, came_on).await
            };
            answered.unwrap_or_else(|refusal| {
                server.refused(&refusal, asked, peer);
                refusal.response(asked)
            })
        }
    };
    put_all(response.headers_mut(), headers);
    closing_if(is_http1 && !is_read, response)
}

/// A refusal may leave the body of its request unread, and its connection takes no further request then (RFC 9112 section
/// 9.3).
fn closing_if(is_unread: bool, mut response: Response<Body>) -> Response<Body> {
    if is_unread && response.status().is_client_error() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The transport that a request asks for, by its headers.
fn transport_of(head: &Parts) -> Transport {
    if is_websocket_upgrade(head) { Transport::WebSocket } else { Transport::Polling }
}

/// `on_headers` panicked, and the session that the request names ends.
fn headers_panicked(server: &ServerShared, parts: &Parts) -> Response<Body> {
    let named = Query::parse(parts).sid.and_then(|sid| server.hub.find(&sid));
    if let Some(state) = named {
        state.application_panicked();
    }
    let asked = transport_of(parts);
    server.refused(&Refusal::Internal, asked, sender(parts));
    Refusal::Internal.response(asked)
}

/// Puts `more` in the place of what is there under the same names.
fn put_all(headers: &mut HeaderMap, more: HeaderMap) {
    let mut name = None;
    for (next, value) in more {
        match (next, &name) {
            (Some(next), _) => {
                headers.insert(&next, value);
                name = Some(next);
            }
            // A further value of the last name.
            (None, Some(name)) => {
                headers.append(name, value);
            }
            (None, None) => {}
        }
    }
}

/// Replaces the connection's address by that of whoever trusted proxies speak for.
fn name_sender(server: &ServerShared, parts: &mut Parts) {
    if let Some(proxies) = &server.http.trusted_proxies
        && let Some(sender) = proxies.sender(sender(parts), &parts.headers)
    {
        parts.extensions.insert(PeerAddr(sender));
    }
}
