//! Applications that take axum's extractors: what they find, when they run, and how they refuse.

use core::convert::Infallible;
use core::time::Duration;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{ConnectInfo, FromRef, FromRequestParts, MatchedPath, OriginalUri, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri, Version, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use eio_tokio::axum::{RouterExt as _, builder};
use eio_tokio::{Admission, Client, ConnectError, Observer, RefusedRequest, Rejection, Socket, Transport};
use serde::Deserialize;

use crate::support::{OPEN, get, serve_with_connect_info, status};

/// The state of an application: notes of what happened.
#[derive(Clone, Default)]
struct App {
    notes: Arc<Mutex<Vec<String>>>,
}

impl App {
    fn note(&self, text: impl Into<String>) {
        self.notes.lock().unwrap().push(text.into());
    }

    fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }
}

/// A part of the state.
#[derive(Clone)]
struct Greeting(&'static str);

impl FromRef<App> for Greeting {
    fn from_ref(_: &App) -> Self {
        Self("welcome")
    }
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

/// Who has signed in: a token in the query, as a browser's WebSocket has it.
struct User(String);

/// Why nobody has: an answer with a status, a header and a body of its own.
struct NotSignedIn;

impl IntoResponse for NotSignedIn {
    fn into_response(self) -> Response {
        (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], "sign in first").into_response()
    }
}

impl FromRequestParts<App> for User {
    type Rejection = NotSignedIn;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, NotSignedIn> {
        app.note("extracted");
        let Ok(Query(Token { token })) = Query::<Token>::from_request_parts(parts, app).await else {
            return Err(NotSignedIn);
        };
        tokio::task::yield_now().await;
        if token == "secret" { Ok(Self("Ada".to_owned())) } else { Err(NotSignedIn) }
    }
}

async fn greet(mut socket: Socket, State(app): State<App>, User(name): User) {
    app.note("started");
    socket.send(format!("hello {name}")).await.unwrap();
    while socket.recv().await.is_ok() {}
}

#[tokio::test(start_paused = true)]
async fn the_application_gets_the_state_and_the_user_on_both_transports() {
    let app = App::default();
    let address = serve_with_connect_info(&builder(app.clone(), greet).build().unwrap()).await;
    for transport in [Transport::Polling, Transport::WebSocket] {
        let client = Client::builder(format!("http://{address}")).transports([transport]);
        let client = client.query("token", "secret").build().unwrap();
        assert_eq!(client.connect().await.unwrap().recv().await.unwrap().as_text(), Some("hello Ada"));
    }
    assert_eq!(app.notes(), ["extracted", "started", "extracted", "started"], "once for a session");
}

#[tokio::test(start_paused = true)]
async fn a_rejection_is_the_answer_as_it_is_and_opens_no_session() {
    let app = App::default();
    let server = builder(app.clone(), greet).build().unwrap();
    let address = serve_with_connect_info(&server).await;
    for transport in [Transport::Polling, Transport::WebSocket] {
        let client = Client::builder(format!("http://{address}")).transports([transport]);
        let error = client.query("token", "wrong").build().unwrap().connect().await.unwrap_err();
        let ConnectError::Refused(refused) = &error else { panic!("{error:?}") };
        assert_eq!(refused.status, 401, "{error}");
        assert!(error.to_string().contains("sign in first"), "{error}");
    }
    assert_eq!(app.notes(), ["extracted", "extracted"]);
    assert!(server.is_empty());
    let mut router = Router::<()>::new().engine_io(&server);
    let request = axum::http::Request::get(format!("/engine.io/?{OPEN}")).header("host", "a");
    let request = request.body(Body::empty()).unwrap();
    let answer = tower_service::Service::call(&mut router, request).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()[header::WWW_AUTHENTICATE]),
        (401, &"Bearer".parse().unwrap())
    );
}

#[tokio::test]
async fn the_builder_is_one_of_a_server_and_its_other_settings_hold() {
    let server = builder(App::default(), greet).path("/chat").build().unwrap();
    let router = Router::new().engine_io(&server);
    assert_eq!(status(&router, "/chat/").await, 401);
    assert_eq!(get(router, &format!("/chat/?{OPEN}&token=secret")).await.0, 200);
}

#[tokio::test]
async fn as_many_as_eight_extractors_find_what_they_find_in_a_route() {
    #[expect(clippy::too_many_arguments, reason = "as many as there may be")]
    async fn application(
        _: Socket,
        State(app): State<App>,
        State(Greeting(greeting)): State<Greeting>,
        method: Method,
        uri: Uri,
        OriginalUri(original): OriginalUri,
        version: Version,
        headers: HeaderMap,
        Query(Token { token }): Query<Token>,
    ) {
        let (path, original, host) = (uri.path(), original.path(), &headers["host"]);
        app.note(format!("{greeting} {method} {path} {original} {version:?} {host:?} {token}"));
    }
    let app = App::default();
    let server = builder(app.clone(), application).build().unwrap();
    let router = Router::new().nest("/api", Router::new().engine_io(&server));
    assert_eq!(get(router, &format!("/api/engine.io/?{OPEN}&token=7")).await.0, 200);
    tokio::task::yield_now().await;
    assert_eq!(app.notes(), [r#"welcome GET /engine.io/ /api/engine.io/ HTTP/1.1 "a" 7"#]);
}

#[tokio::test]
async fn an_application_needs_no_extractor_and_may_be_a_closure() {
    let app = App::default();
    let noting = app.clone();
    let server = builder((), move |socket: Socket| {
        noting.note(socket.transport().as_str());
        async {}
    });
    assert_eq!(status(&Router::new().engine_io(&server.build().unwrap()), "/engine.io/").await, 200);
    tokio::task::yield_now().await;
    assert_eq!(app.notes(), ["polling"]);
}

#[tokio::test(start_paused = true)]
async fn connect_info_and_the_matched_route_are_there_under_axums_server() {
    async fn application(
        _: Socket,
        State(app): State<App>,
        ConnectInfo(peer): ConnectInfo<SocketAddr>,
        matched: MatchedPath,
    ) {
        app.note(format!("{} {}", peer.ip(), matched.as_str()));
    }
    let app = App::default();
    let address = serve_with_connect_info(&builder(app.clone(), application).build().unwrap()).await;
    let client = Client::builder(format!("ws://{address}")).build().unwrap();
    client.connect().await.unwrap().closed().await;
    assert_eq!(app.notes(), ["127.0.0.1 /engine.io/"]);
}

#[tokio::test]
async fn allow_request_goes_first_and_what_it_found_is_an_extension() {
    #[derive(Clone)]
    struct Found(u32);

    async fn application(socket: Socket, State(app): State<App>, Extension(Found(number)): Extension<Found>) {
        app.note(format!("found {number}"));
        assert_eq!(socket.extensions().get().map(|Found(number)| *number), Some(7));
    }
    let app = App::default();
    let server = builder(app.clone(), application).allow_request(|head| {
        let is_wanted = head.uri.query().is_some_and(|query| query.contains("wanted"));
        async move { if is_wanted { Ok(Admission::new().with(Found(7))) } else { Err("not wanted".into()) } }
    });
    let router = Router::new().engine_io(&server.build().unwrap());
    let (status, body) = get(router.clone(), &format!("/engine.io/?{OPEN}")).await;
    assert_eq!((status.as_u16(), body.as_str()), (403, r#"{"code":4,"message":"not wanted"}"#));
    assert_eq!(get(router, &format!("/engine.io/?{OPEN}&wanted=1")).await.0, 200);
    tokio::task::yield_now().await;
    assert_eq!(app.notes(), ["found 7"]);
}

/// Notes the contexts of refused requests.
struct Contexts(App);

impl Observer for Contexts {
    fn refused(&self, request: &RefusedRequest<'_>) {
        self.0.note(request.context.to_owned());
    }
}

#[tokio::test(start_paused = true)]
async fn allow_request_and_the_extractors_have_the_time_of_a_request_each_and_who_is_late_is_named() {
    let app = App::default();
    let server = builder((), |_: Socket, _: Hangs| async {})
        .request_timeout(Duration::from_secs(5))
        .observer(Contexts(app.clone()))
        .allow_request(|_| async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            Ok::<_, Rejection>(())
        });
    let start = tokio::time::Instant::now();
    assert_eq!(status(&Router::new().engine_io(&server.build().unwrap()), "/engine.io/").await, 503);
    assert_eq!(start.elapsed().as_secs(), 9);
    assert_eq!(app.notes(), ["extractor has not answered within the request_timeout of 5000 ms"]);
}

/// The status of the answer to a client whose request this extractor reads.
async fn answer_of<E: FromRequestParts<()> + Send + 'static>() -> u16 {
    let server = builder((), |_: Socket, _: E| async {}).request_timeout(Duration::from_secs(5));
    let server = server.build().unwrap();
    let status = status(&Router::new().engine_io(&server), "/engine.io/").await;
    assert!(server.is_empty());
    status
}

struct Panics;

impl<S: Sync> FromRequestParts<S> for Panics {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        panic!("as the test wants it")
    }
}

struct Hangs;

impl<S: Sync> FromRequestParts<S> for Hangs {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        core::future::pending().await
    }
}

struct Talks;

impl<S: Sync> FromRequestParts<S> for Talks {
    type Rejection = Response;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Response> {
        Err((StatusCode::UNAUTHORIZED, "x".repeat(64 * 1024 + 1)).into_response())
    }
}

#[tokio::test(start_paused = true)]
async fn an_extractor_that_panics_or_takes_too_long_or_rejects_with_too_much_opens_no_session() {
    assert_eq!(answer_of::<Panics>().await, 500);
    assert_eq!(answer_of::<Hangs>().await, 503);
    assert_eq!(answer_of::<Talks>().await, 500);
}
