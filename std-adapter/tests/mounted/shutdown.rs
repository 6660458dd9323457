//! Ending: by a signal of the application, beside the graceful shutdown of the server around it.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get as on_get;
use eio_tokio::axum::RouterExt as _;
use eio_tokio::{ClientSocket, CutOff, Server, ServerBuilder, Transport};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{client, listener};

const LIMIT: Duration = Duration::from_secs(10);

/// A server whose sessions take some time to leave, and how many have left.
fn leaving() -> (ServerBuilder, Arc<AtomicUsize>) {
    let left = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&left);
    let builder = Server::builder(|mut socket| async move { while socket.recv().await.is_ok() {} })
        .on_disconnect(move |_, _| {
            let counted = Arc::clone(&counted);
            async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
    (builder, left)
}

/// One session on each transport.
async fn sessions(address: SocketAddr) -> [ClientSocket; 2] {
    let polling = client(address, Transport::Polling).build().unwrap().connect().await.unwrap();
    let websocket = client(address, Transport::WebSocket).build().unwrap().connect().await.unwrap();
    [polling, websocket]
}

/// A server that a recipe runs, until its token is cancelled.
struct Running {
    server: Server,
    address: SocketAddr,
    left: Arc<AtomicUsize>,
    token: CancellationToken,
    serving: JoinHandle<io::Result<CutOff>>,
}

/// Runs the server of `leaving` as a recipe does.
async fn run<R>(recipe: impl FnOnce(TcpListener, Server, CancellationToken) -> R) -> Running
where
    R: Future<Output = io::Result<CutOff>> + Send + 'static,
{
    let (builder, left) = leaving();
    let server = builder.build().unwrap();
    let (listener, address) = listener().await;
    let token = CancellationToken::new();
    let serving = tokio::spawn(recipe(listener, server.clone(), token.clone()));
    Running { server, address, left, token, serving }
}

/// Sends last words to everybody, ends the server, and sees that everybody heard them and that it has ended.
async fn assert_graceful<R>(recipe: impl FnOnce(TcpListener, Server, CancellationToken) -> R)
where
    R: Future<Output = io::Result<CutOff>> + Send + 'static,
{
    let Running { server, address, left, token, serving } = run(recipe).await;
    let sessions = sessions(address).await;
    assert_eq!(server.len(), 2);
    server.broadcast("last words");
    token.cancel();
    for mut socket in sessions {
        assert_eq!(socket.recv().await.unwrap().as_text(), Some("last words"), "{socket:?}");
        let end = socket.recv().await.unwrap_err();
        assert_eq!(end.reason.as_str(), "transport close", "{end}");
    }
    let cut_off = serving.await.unwrap().unwrap();
    assert!(cut_off.is_empty(), "{cut_off:?}");
    assert_eq!(left.load(Ordering::Relaxed), 2);
    assert!(server.is_empty());
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "the listener is still there");
}

/// The recipe for eio alone.
async fn serve_until_cancelled(
    listener: TcpListener,
    server: Server,
    signal: CancellationToken,
) -> io::Result<CutOff> {
    server.serve_until(listener, signal.cancelled(), LIMIT).await
}

#[tokio::test(start_paused = true)]
async fn a_token_ends_a_server_that_serves_until_it_is_cancelled() {
    assert_graceful(serve_until_cancelled).await;
}

#[tokio::test(start_paused = true)]
async fn serving_until_a_signal_ends_as_well_with_a_shutdown_by_somebody_else() {
    let Running { server, address, left, serving, .. } = run(serve_until_cancelled).await;
    let _sessions = sessions(address).await;
    assert!(server.shutdown(LIMIT).await.is_empty());
    assert!(serving.await.unwrap().unwrap().is_empty());
    assert_eq!(left.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_fetches_its_last_words_is_counted_by_serve_until() {
    let Running { address, token, serving, .. } = run(serve_until_cancelled).await;
    open_and_leave(address).await;
    token.cancel();
    assert_eq!(serving.await.unwrap().unwrap().sessions, 1);
}

/// Opens a session on polling and never polls.
async fn open_and_leave(address: SocketAddr) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
}

/// The recipe for axum.
async fn serve_on_axum(
    listener: TcpListener,
    server: Server,
    signal: CancellationToken,
) -> io::Result<CutOff> {
    let router = Router::new().engine_io(&server);
    let (report, cut_off) = tokio::sync::oneshot::channel();
    axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            signal.cancelled().await;
            let _ = report.send(server.shutdown(LIMIT).await);
        })
        .await?;
    Ok(cut_off.await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn sessions_of_both_transports_end_with_their_messages_under_axums_graceful_shutdown() {
    assert_graceful(serve_on_axum).await;
}

#[tokio::test(start_paused = true)]
async fn without_the_servers_own_shutdown_axum_leaves_websockets_behind_and_waits_for_polls() {
    let server = leaving().0.build().unwrap();
    let (listener, address) = listener().await;
    let token = CancellationToken::new();
    let router = Router::new().engine_io(&server);
    let signal = token.clone().cancelled_owned();
    let mut serving =
        tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(signal).await });
    let [polling, _websocket] = sessions(address).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    token.cancel();
    let second = Duration::from_secs(1);
    assert!(tokio::time::timeout(second, &mut serving).await.is_err(), "a poll is under way");
    drop(polling);
    serving.await.unwrap().unwrap();
    assert_eq!(server.len(), 1, "say so in the guide");
}

/// The recipe for axum-server.
async fn serve_on_axum_server(
    listener: TcpListener,
    server: Server,
    signal: CancellationToken,
) -> io::Result<CutOff> {
    let router = Router::new().engine_io(&server);
    let handle = axum_server::Handle::new();
    let ending = tokio::spawn({
        let handle = handle.clone();
        async move {
            signal.cancelled().await;
            let cut_off = server.shutdown(LIMIT).await;
            handle.graceful_shutdown(Some(LIMIT));
            cut_off
        }
    });
    let listener = listener.into_std()?;
    let http = axum_server::from_tcp(listener)?.handle(handle);
    http.serve(router.into_make_service()).await?;
    Ok(ending.await?)
}

#[tokio::test(start_paused = true)]
async fn sessions_of_both_transports_end_with_their_messages_in_axum_server() {
    assert_graceful(serve_on_axum_server).await;
}

/// The recipe for a router that eio serves.
async fn serve_router(
    listener: TcpListener,
    server: Server,
    signal: CancellationToken,
) -> io::Result<CutOff> {
    let router = Router::new().route("/", on_get(async || "the page")).engine_io(&server);
    let ending = async {
        signal.cancelled().await;
        server.shutdown(LIMIT).await
    };
    let (outcome, cut_off) = tokio::join!(server.serve_with(listener, router), ending);
    outcome.map(|()| cut_off)
}

#[tokio::test(start_paused = true)]
async fn sessions_of_both_transports_end_with_their_messages_when_eio_serves_the_router() {
    assert_graceful(serve_router).await;
}

#[tokio::test(start_paused = true)]
async fn closing_is_ready_once_the_server_begins_to_shut_down_for_those_who_asked_before_and_after() {
    let server = leaving().0.build().unwrap();
    let closing = server.closing();
    let second = Duration::from_secs(1);
    assert!(tokio::time::timeout(second, server.closing()).await.is_err());
    let (closed, cut_off) = tokio::join!(tokio::time::timeout(second, closing), server.shutdown(LIMIT));
    assert!(closed.is_ok() && cut_off.is_empty());
    server.closing().await;
}
