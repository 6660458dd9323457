//! Answers requests: with the page, with its data, or from the sessions.

mod html;
mod sessions;

use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use eio_cluster::forward::NodeBody;
use eio_tokio::{PeerAddr, TimedBody};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Body as _;
use http_body_util::{Either, Full};
use tokio::sync::Semaphore;
use tower_service::Service;

pub(crate) use self::sessions::Sessions;
use super::access::{Access, Denial};
use super::dashboard::Dashboard;
use super::event::Event;
use super::feed::Feed;
use super::settings::Settings;
use crate::clock::Clock;
use crate::log::Log;
use crate::style::cut;

/// How many pages can be open at once.
const MAX_FEEDS: usize = 64;

/// After how many seconds to try again where all feeds are taken or the server shuts down.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// The body of an answer.
type Body = Either<Either<Full<Bytes>, NodeBody>, Feed>;

/// The service that answers every request.
#[derive(Clone)]
pub(crate) struct Pages {
    sessions: Sessions,
    shared: Arc<Shared>,
}

struct Shared {
    dashboard: Arc<Dashboard>,
    clock: Clock,
    /// The description of the server for the page, in JSON.
    about: String,
    path: String,
    speaks_socketio: bool,
    feeds: Arc<Semaphore>,
    access: Access,
    log: Log<Event>,
    is_closing: AtomicBool,
}

impl Pages {
    pub(crate) fn new(
        sessions: Sessions,
        dashboard: Arc<Dashboard>,
        clock: Clock,
        settings: &Settings,
        access: Access,
        log: Log<Event>,
    ) -> Self {
        let feeds = Arc::new(Semaphore::new(MAX_FEEDS));
        let path = sessions.path().to_owned();
        let (about, speaks_socketio) = (settings.about(&path).to_string(), settings.speaks_socketio());
        let is_closing = AtomicBool::new(false);
        let shared =
            Shared { dashboard, clock, about, path, speaks_socketio, feeds, access, log, is_closing };
        Self { sessions, shared: Arc::new(shared) }
    }

    /// Says from now on that the server shuts down, instead of showing the page: a balancer that asks for the page then sends new
    /// sessions to other nodes.
    pub(crate) fn begin_close(&self) {
        self.shared.is_closing.store(true, Ordering::Relaxed);
    }
}

impl Service<Request<TimedBody>> for Pages {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<TimedBody>) -> Self::Future {
        let is_sessions = self.sessions.serves(request.uri().path());
        let route = Route::of(is_sessions, request.method(), request.uri());
        let (parts, body) = request.into_parts();
        let mut answer = match self.shared.denial(route, &parts) {
            Some(denial) => self.shared.deny(&parts, denial),
            None if route == Route::Session => {
                let answer = self.sessions.call(Request::from_parts(parts, body));
                return Box::pin(async move { Ok(answer.await?.map(Either::Left)) });
            }
            None => self.shared.answer(route),
        };
        // The body stays unread, so no further request can follow it on this connection (RFC 9112 section 9.3).
        if parts.version < Version::HTTP_2 && !body.is_end_stream() {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Box::pin(async move { Ok(answer) })
    }
}

/// The target of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Page,
    Events,
    Session,
    /// A session at a path that has none.
    WrongPath,
    WrongMethod,
    Nothing,
}

impl Route {
    /// Returns the target. `is_sessions` says whether the path belongs to the sessions.
    fn of(is_sessions: bool, method: &Method, uri: &http::Uri) -> Self {
        // The path of the sessions can be a prefix of ours. Their requests always have the parameter EIO.
        let has_revision =
            uri.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("EIO=")));
        let route = match uri.path() {
            "/" if !has_revision => Self::Page,
            "/events" if !has_revision => Self::Events,
            _ if is_sessions => return Self::Session,
            _ if has_revision => return Self::WrongPath,
            _ => return Self::Nothing,
        };
        if [Method::GET, Method::HEAD].contains(method) { route } else { Self::WrongMethod }
    }
}

impl Shared {
    /// Returns why the request must not be answered. For sessions, the engine itself checks the origin, and whether there
    /// is a host name.
    fn denial(&self, route: Route, request: &Parts) -> Option<Denial> {
        let host = self.access.check_host(request).err();
        let origin = || self.access.check_origin(request).err();
        match route {
            Route::Session => host.filter(|(status, _)| *status == StatusCode::FORBIDDEN),
            // A link on another site may lead to the page: that site learns nothing from it.
            Route::Page if !request.headers.contains_key(header::ORIGIN) => host,
            _ => {
                host.or_else(origin).or_else(|| (route == Route::WrongPath).then(|| self.wrong_path(request)))
            }
        }
    }

    /// Denies a session at a path that has none. This is logged, because clients often report no more than an error.
    fn wrong_path(&self, request: &Parts) -> Denial {
        let (ours, theirs) = (&self.path, cut(request.uri.path()));
        let other_kind = match theirs.trim_end_matches('/') {
            "/socket.io" if !self.speaks_socketio => "with --socketio for clients of Socket.IO, ",
            "/engine.io" if self.speaks_socketio => "without --socketio for clients of Engine.IO alone, ",
            _ => "",
        };
        let sentence = format!(
            "sessions are at {ours}, not at {theirs}: start eio serve {other_kind}with --path {theirs}, or change the client\n"
        );
        (StatusCode::NOT_FOUND, sentence)
    }

    fn deny(&self, request: &Parts, (status, sentence): Denial) -> Response<Body> {
        self.log.put(Event::Denied {
            target: cut(request.uri.path()),
            status: status.as_u16(),
            message: sentence.trim_end().to_owned(),
            peer: request.extensions.get::<PeerAddr>().map(|peer| peer.0),
        });
        text(status, sentence)
    }

    fn answer(&self, route: Route) -> Response<Body> {
        match route {
            Route::Page if self.is_closing.load(Ordering::Relaxed) => {
                unavailable("eio serve shuts down\n".to_owned())
            }
            Route::Page => html::page(),
            Route::Events => self.events(),
            Route::WrongMethod => {
                let mut response = text(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "this method is not allowed here: use GET\n".to_owned(),
                );
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
            Route::Session | Route::WrongPath | Route::Nothing => {
                let path = &self.path;
                let sentence =
                    format!("there is nothing at this path: sessions are at {path}, and the page is at /\n");
                text(StatusCode::NOT_FOUND, sentence)
            }
        }
    }

    fn events(&self) -> Response<Body> {
        let Ok(permit) = Arc::clone(&self.feeds).try_acquire_owned() else {
            let sentence = format!("{MAX_FEEDS} pages are open already: try again later\n");
            return unavailable(sentence);
        };
        let feed = Feed::new(Arc::clone(&self.dashboard), self.clock, &self.about, permit);
        guarded(Response::new(Either::Right(feed)), "text/event-stream")
    }
}

fn unavailable(sentence: String) -> Response<Body> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, sentence);
    response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    response
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = guarded(Response::new(full(text)), "text/plain; charset=utf-8");
    *response.status_mut() = status;
    response
}

fn full(text: String) -> Body {
    Either::Left(Either::Left(Full::new(text.into())))
}

/// Adds the headers that keep browsers from guessing the type of an answer, storing it, or embedding it elsewhere.
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
    use eio_tokio::Server;

    use super::*;

    fn route(engine_path: &str, method: &Method, uri: &str) -> Route {
        let uri: http::Uri = uri.parse().unwrap();
        let server = Server::builder(|_| async {}).path(engine_path).build().unwrap();
        Route::of(server.service().serves(uri.path()), method, &uri)
    }

    #[tokio::test]
    async fn the_page_is_found_whatever_the_path_of_the_sessions() {
        for path in ["/engine.io/", "/", "/e", "/events"] {
            assert_eq!(route(path, &Method::GET, "/"), Route::Page, "{path}");
            assert_eq!(route(path, &Method::GET, "/events"), Route::Events, "{path}");
            assert_eq!(route(path, &Method::GET, &format!("{path}?EIO=4&transport=polling")), Route::Session);
        }
        assert_eq!(route("/engine.io/", &Method::GET, "/engine.io?EIO=4"), Route::Session);
        assert_eq!(route("/engine.io/", &Method::GET, "/favicon.ico"), Route::Nothing);
        assert_eq!(route("/e", &Method::GET, "/ears"), Route::Nothing);
        assert_eq!(route("/engine.io/", &Method::POST, "/socket.io/?EIO=4"), Route::WrongPath);
    }

    #[tokio::test]
    async fn the_page_can_only_be_read_and_sessions_take_every_method() {
        assert_eq!(route("/engine.io/", &Method::POST, "/"), Route::WrongMethod);
        assert_eq!(route("/engine.io/", &Method::HEAD, "/"), Route::Page);
        assert_eq!(route("/engine.io/", &Method::DELETE, "/engine.io/?EIO=4"), Route::Session);
    }
}
