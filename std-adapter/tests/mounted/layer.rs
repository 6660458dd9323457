//! The layer: the server's requests to the server, and all others to the service beneath it.

use core::future::{Ready, ready};
use core::task::{Context, Poll};

use axum::Router;
use axum::routing::get as on_get;
use eio_tokio::tower_layer::Layer as _;
use http::{Request, Response};
use tower_service::Service;

use crate::support::{OPEN, echo, get, status};

/// A service that answers with the path, fails at `/fails`, and may be busy.
#[derive(Clone, Debug)]
struct Inner {
    is_busy: bool,
}

impl<B> Service<Request<B>> for Inner {
    type Response = Response<String>;
    type Error = &'static str;
    type Future = Ready<Result<Response<String>, &'static str>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        if self.is_busy { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(match request.uri().path() {
            "/fails" => Err("failed"),
            path => Ok(Response::new(path.to_owned())),
        })
    }
}

#[tokio::test]
async fn a_layer_answers_under_the_servers_path_and_passes_everything_else_on() {
    let server = echo().build().unwrap();
    let service = server.layer().layer(Inner { is_busy: false });
    for path in ["/engine.io/", "/engine.io", "/engine.io/below"] {
        let (status, body) = get(service.clone(), &format!("{path}?{OPEN}")).await;
        assert!(status == 200 && body.starts_with("0{"), "{path} {status} {body}");
    }
    assert_eq!(server.len(), 3);
    for path in ["/", "/engine.iox", "/below/engine.io/"] {
        assert_eq!(get(service.clone(), path).await, (http::StatusCode::OK, path.to_owned()));
    }
    let mut service = service;
    assert_eq!(
        service.call(Request::get("/fails").body(String::new()).unwrap()).await.unwrap_err(),
        "failed"
    );
}

#[tokio::test(start_paused = true)]
async fn a_busy_inner_service_delays_no_session() {
    let service = echo().build().unwrap().layer().layer(Inner { is_busy: true });
    assert_eq!(get(service.clone(), &format!("/engine.io/?{OPEN}")).await.0, 200);
    let second = core::time::Duration::from_secs(1);
    assert!(tokio::time::timeout(second, get(service, "/")).await.is_err(), "it must wait for its service");
}

#[tokio::test]
async fn around_an_axum_router_the_layer_leaves_the_routers_routes_and_its_fallback() {
    let server = echo().build().unwrap();
    let router = Router::new()
        .route("/", on_get(async || "the page"))
        .fallback(async || (http::StatusCode::IM_A_TEAPOT, "nothing here"))
        .layer(server.layer());
    assert_eq!(get(router.clone(), "/").await.1, "the page");
    assert_eq!(get(router.clone(), "/elsewhere").await.1, "nothing here");
    assert_eq!(status(&router, "/engine.io/").await, 200);
    assert_eq!(server.len(), 1);
}
