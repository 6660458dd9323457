//! Who answers what: the page, its data, or the sessions.

use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use bytes::Bytes;
use eio_tokio::{EngineService, PeerAddr, Server};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::sync::Semaphore;
use tower_service::Service;

use super::board::Board;
use super::event::Event;
use super::feed::Feed;
use super::guard::{Guard, Objection};
use crate::clock::Clock;
use crate::log::Log;

/// The page. Its script and its style carry a nonce, which is another one in every answer.
const PAGE: &str = include_str!("page.html");
const NONCE: &str = "{nonce}";

/// How many pages may look at once.
const WATCHERS: usize = 64;

/// What every answer is.
type Body = Either<Full<Bytes>, Feed>;

/// Answers every request.
#[derive(Clone)]
pub(crate) struct Pages {
    engine: EngineService,
    shared: Arc<Shared>,
}

struct Shared {
    board: Arc<Board>,
    clock: Clock,
    /// The server, as the page describes it.
    about: String,
    path: String,
    watchers: Arc<Semaphore>,
    guard: Guard,
    log: Log<Event>,
}

impl Pages {
    pub(crate) fn new(
        server: &Server,
        board: Arc<Board>,
        clock: Clock,
        path: &str,
        about: &Value,
        guard: Guard,
        log: Log<Event>,
    ) -> Self {
        let watchers = Arc::new(Semaphore::new(WATCHERS));
        let (about, path) = (about.to_string(), path.to_owned());
        let shared = Shared { board, clock, about, path, watchers, guard, log };
        Self { engine: server.service(), shared: Arc::new(shared) }
    }
}

impl Service<Request<Incoming>> for Pages {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let is_sessions = self.engine.serves(request.uri().path());
        let route = Route::of(is_sessions, request.method(), request.uri());
        let (parts, body) = request.into_parts();
        let answer = match self.shared.objection(route, &parts) {
            Some(objection) => self.shared.refuse(&parts, objection),
            None if route == Route::Session => {
                let answer = self.engine.call(Request::from_parts(parts, body));
                return Box::pin(async move { Ok(answer.await?.map(Either::Left)) });
            }
            None => self.shared.answer(route),
        };
        Box::pin(async move { Ok(answer) })
    }
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Page,
    Events,
    Session,
    WrongMethod,
    Nothing,
}

impl Route {
    /// `is_sessions`: the path is one of the sessions'.
    fn of(is_sessions: bool, method: &Method, uri: &http::Uri) -> Self {
        // The sessions' path may be a prefix of ours; their requests always name the protocol's revision.
        let of_a_session =
            uri.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("EIO=")));
        let route = match uri.path() {
            "/" if !of_a_session => Self::Page,
            "/events" if !of_a_session => Self::Events,
            _ if is_sessions => return Self::Session,
            _ => return Self::Nothing,
        };
        if [Method::GET, Method::HEAD].contains(method) { route } else { Self::WrongMethod }
    }
}

impl Shared {
    /// What speaks against answering. About the origin of a session's request, and about one without a host, the server
    /// itself says it.
    fn objection(&self, route: Route, request: &Parts) -> Option<Objection> {
        let host = self.guard.check_host(request).err();
        let origin = || self.guard.check_origin(request).err();
        match route {
            Route::Session => host.filter(|(status, _)| *status == StatusCode::FORBIDDEN),
            // A link on another site's page leads here, too, and gives that page nothing.
            Route::Page if !request.headers.contains_key(header::ORIGIN) => host,
            _ => host.or_else(origin),
        }
    }

    fn refuse(&self, request: &Parts, (status, sentence): Objection) -> Response<Body> {
        self.log.put(Event::Stranger {
            target: request.uri.path().to_owned(),
            status: status.as_u16(),
            message: sentence.trim_end().to_owned(),
            peer: request.extensions.get::<PeerAddr>().map(|peer| peer.0),
        });
        text(status, sentence)
    }

    fn answer(&self, route: Route) -> Response<Body> {
        match route {
            Route::Page => page(),
            Route::Events => self.events(),
            Route::WrongMethod => {
                let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "expected GET\n".to_owned());
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
            Route::Session | Route::Nothing => {
                let path = &self.path;
                let sentence =
                    format!("nothing is here: sessions are at {path}, the page that shows them is at /\n");
                text(StatusCode::NOT_FOUND, sentence)
            }
        }
    }

    fn events(&self) -> Response<Body> {
        let Ok(permit) = Arc::clone(&self.watchers).try_acquire_owned() else {
            return text(StatusCode::SERVICE_UNAVAILABLE, format!("{WATCHERS} pages are looking already\n"));
        };
        let feed = Feed::new(Arc::clone(&self.board), self.clock, &self.about, permit);
        guarded(Response::new(Either::Right(feed)), "text/event-stream")
    }
}

fn page() -> Response<Body> {
    let mut random = [0; 16];
    if getrandom::fill(&mut random).is_err() {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "the system has no random numbers\n".to_owned());
    }
    let nonce = format!("{:032x}", u128::from_ne_bytes(random));
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    );
    let body = PAGE.replace(NONCE, &nonce);
    let mut response = guarded(Response::new(full(body)), "text/html; charset=utf-8");
    if let Ok(policy) = HeaderValue::try_from(policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = guarded(Response::new(full(text)), "text/plain; charset=utf-8");
    *response.status_mut() = status;
    response
}

fn full(text: String) -> Body {
    Either::Left(Full::new(text.into()))
}

/// Headers that keep an answer from being taken for something else, kept, or embedded.
fn guarded(mut response: Response<Body>, content_type: &'static str) -> Response<Body> {
    const CROSS_ORIGIN_RESOURCE_POLICY: header::HeaderName =
        header::HeaderName::from_static("cross-origin-resource-policy");
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(engine_path: &str, method: &Method, uri: &str) -> Route {
        let uri: http::Uri = uri.parse().unwrap();
        let server = Server::builder(|_| async {}).path(engine_path).build().unwrap();
        Route::of(server.service().serves(uri.path()), method, &uri)
    }

    #[tokio::test]
    async fn the_page_is_found_whatever_the_sessions_path() {
        for path in ["/engine.io/", "/", "/e", "/events"] {
            assert_eq!(route(path, &Method::GET, "/"), Route::Page, "{path}");
            assert_eq!(route(path, &Method::GET, "/events"), Route::Events, "{path}");
            assert_eq!(route(path, &Method::GET, &format!("{path}?EIO=4&transport=polling")), Route::Session);
        }
        assert_eq!(route("/engine.io/", &Method::GET, "/engine.io?EIO=4"), Route::Session);
        assert_eq!(route("/engine.io/", &Method::GET, "/favicon.ico"), Route::Nothing);
        assert_eq!(route("/e", &Method::GET, "/ears"), Route::Nothing);
    }

    #[tokio::test]
    async fn pages_are_only_read_and_sessions_do_what_they_like() {
        assert_eq!(route("/engine.io/", &Method::POST, "/"), Route::WrongMethod);
        assert_eq!(route("/engine.io/", &Method::HEAD, "/"), Route::Page);
        assert_eq!(route("/engine.io/", &Method::DELETE, "/engine.io/?EIO=4"), Route::Session);
    }

    #[test]
    fn the_page_holds_its_nonce_twice_and_nothing_from_elsewhere() {
        assert_eq!(PAGE.matches(NONCE).count(), 2);
        for outside in ["https://", "http://", "src=", "innerHTML", "style=\"", "onclick=\""] {
            let allowed =
                PAGE.matches("http://www.w3.org/2000/svg").count() * usize::from(outside == "http://");
            assert_eq!(PAGE.matches(outside).count(), allowed, "{outside}");
        }
    }
}
