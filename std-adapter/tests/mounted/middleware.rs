//! Middleware around the server: what harms no session, and what does.

use core::time::Duration;

use axum::Router;
use axum::routing::get as on_get;
use eio_core::Heartbeat;
use eio_tokio::axum::RouterExt as _;
use eio_tokio::{Client, Disconnect, Observer, Server, SessionId, Transport};
use http::StatusCode;
use tokio::sync::mpsc;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use crate::support::{assert_echoes, client, echo, get, serve};

/// The layers of axum's users that a session does not notice.
#[tokio::test]
async fn traces_and_compression_around_a_server_harm_no_transport() {
    let router = Router::new()
        .engine_io(&echo().build().unwrap())
        .layer(CompressionLayer::new())
        .layer(TraceLayer::new_for_http())
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, Duration::from_mins(1)));
    let address = serve(router).await;
    assert_echoes(|| Client::builder(format!("http://{address}"))).await;
}

/// Reports the end of every session.
struct Ends(mpsc::UnboundedSender<Disconnect>);

impl Observer for Ends {
    fn closed(&self, _: SessionId, end: &Disconnect) {
        self.0.send(end.clone()).unwrap();
    }
}

/// A server with the default heartbeat, 25 s and 20 s.
fn server() -> (Server, mpsc::UnboundedReceiver<Disconnect>) {
    let (sender, ends) = mpsc::unbounded_channel();
    let builder = echo().heartbeat(Heartbeat::DEFAULT).observer(Ends(sender));
    (builder.build().unwrap(), ends)
}

fn timeout(seconds: u64) -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(seconds))
}

/// Holds a session on this transport for two minutes in which nobody says anything: whether it lived.
async fn lives(router: Router, transport: Transport) -> bool {
    let address = serve(router).await;
    let socket = client(address, transport).build().unwrap().connect().await.unwrap();
    tokio::time::timeout(Duration::from_mins(2), socket.closed()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn a_timeout_shorter_than_a_heartbeat_ends_sessions_on_polling() {
    let (server, mut ends) = server();
    let router = Router::new().engine_io(&server).layer(timeout(10));
    assert!(!lives(router, Transport::Polling).await);
    let end = ends.recv().await.unwrap();
    assert_eq!(end.reason.as_str(), "transport error", "{end}");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_ends_no_websocket_because_its_answer_is_there_at_once() {
    let (server, _ends) = server();
    let router = Router::new().engine_io(&server).layer(timeout(10));
    assert!(lives(router, Transport::WebSocket).await);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_longer_than_ping_interval_and_timeout_ends_no_session() {
    let (server, _ends) = server();
    let router = Router::new().engine_io(&server).layer(timeout(50));
    assert!(lives(router, Transport::Polling).await);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_for_the_routes_that_were_added_before_the_server_ends_no_session() {
    let slow = on_get(async || tokio::time::sleep(Duration::from_secs(20)).await);
    let (server, _ends) = server();
    let router = Router::new().route("/slow", slow).layer(timeout(10)).engine_io(&server);
    assert_eq!(get(router.clone(), "/slow").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert!(lives(router, Transport::Polling).await);
}
