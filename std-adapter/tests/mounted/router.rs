//! The server in an axum router: two lines, nested routers, and what applications find of the request.

use axum::Router;
use axum::extract::OriginalUri;
use axum::routing::get as on_get;
use eio_tokio::axum::RouterExt as _;
use eio_tokio::{Server, Socket};
use tokio::sync::mpsc;

use crate::support::{echo, get, status};

#[tokio::test]
async fn one_line_adds_the_server_to_a_router_at_its_path_without_the_slash_and_below() {
    let server = echo().build().unwrap();
    let router = Router::new().route("/", on_get(async || "the page")).engine_io(&server);
    assert_eq!(get(router.clone(), "/").await.1, "the page");
    for path in ["/engine.io/", "/engine.io", "/engine.io/below/it"] {
        assert_eq!(status(&router, path).await, 200, "{path}");
    }
    assert_eq!(server.len(), 3);
    for path in ["/engine.iox", "/elsewhere"] {
        assert_eq!(status(&router, path).await, 404, "{path}");
    }
}

#[tokio::test]
async fn a_path_of_the_application_is_the_routes_whatever_is_in_it() {
    for (path, without_slash) in [("/socket.io/", "/socket.io"), ("/a/{b}/", "/a/{b}"), ("/", "/")] {
        let server = echo().path(path).build().unwrap();
        let router: Router = Router::new().engine_io(&server);
        assert_eq!(status(&router, path).await, 200, "{path}");
        assert_eq!(status(&router, without_slash).await, 200, "{path}");
        assert_eq!(status(&router, &format!("{path}below")).await, 200, "{path}");
    }
}

#[tokio::test]
#[should_panic(expected = "/engine.io/")]
async fn a_route_that_is_there_already_is_named() {
    let server = echo().build().unwrap();
    let _: Router = Router::new().engine_io(&server).engine_io(&server);
}

#[tokio::test]
async fn a_nested_router_serves_sessions_below_its_prefix() {
    let server = echo().build().unwrap();
    let api = Router::new().engine_io(&server);
    let router = Router::new().nest("/api", api);
    assert_eq!(status(&router, "/api/engine.io/").await, 200);
    assert_eq!(status(&router, "/api/engine.io").await, 200);
    assert_eq!(status(&router, "/engine.io/").await, 404);
}

#[tokio::test]
async fn a_server_for_every_path_can_be_nested_as_a_service() {
    let server = echo().path("/").build().unwrap();
    let router = Router::new().nest_service("/rooms", server.service());
    assert_eq!(status(&router, "/rooms/").await, 200);
    assert_eq!(status(&router, "/rooms").await, 200);
    // The prefix is gone when the server sees the request.
    let router = Router::new().nest_service("/engine.io", echo().build().unwrap().service());
    assert_eq!(status(&router, "/engine.io/").await, 404, "say so in the guide");
}

#[tokio::test]
async fn a_layer_belongs_around_the_outermost_router() {
    let server = echo().build().unwrap();
    let api = Router::new().route("/", on_get(async || "the page"));
    let inside = Router::new().nest("/api", api.clone().layer(server.layer()));
    assert_eq!(status(&inside, "/api/engine.io/").await, 404, "say so in the guide");
    let outside = Router::new().nest("/api", api).layer(server.layer());
    assert_eq!(status(&outside, "/engine.io/").await, 200);
}

#[tokio::test]
async fn a_server_as_the_fallback_leaves_the_routes() {
    let server = echo().build().unwrap();
    let router = Router::new().route("/", on_get(async || "the page")).fallback_service(server.service());
    assert_eq!(get(router.clone(), "/").await.1, "the page");
    assert_eq!(status(&router, "/engine.io/").await, 200);
    assert_eq!(status(&router, "/elsewhere").await, 404);
}

#[tokio::test]
async fn the_application_finds_the_whole_path_of_its_request() {
    let (sender, mut uris) = mpsc::unbounded_channel();
    let server = Server::builder(move |mut socket: Socket| {
        let head = socket.take_request().unwrap();
        let OriginalUri(original) = head.extensions.get::<OriginalUri>().unwrap();
        sender.send((original.path().to_owned(), head.uri.path().to_owned())).unwrap();
        async {}
    });
    let router = Router::new().nest("/api", Router::new().engine_io(&server.build().unwrap()));
    assert_eq!(status(&router, "/api/engine.io/").await, 200);
    assert_eq!(uris.recv().await.unwrap(), ("/api/engine.io/".to_owned(), "/engine.io/".to_owned()));
}
