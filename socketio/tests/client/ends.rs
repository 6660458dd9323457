//! How namespaces are disconnected.

use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;

use eio_socketio::client::{Client, DisconnectReason, Incoming, JoinError, RecvError};
use eio_socketio::engine::Transport;
use eio_socketio::{AckError, EmitError, Namespace, Server};

use crate::support::{Way, next, runtime, serve, soon};

fn server() -> Server {
    let namespace = || {
        Namespace::new()
            .on("kick", async |socket: eio_socketio::Socket| socket.disconnect())
            .on("close", async |socket: eio_socketio::Socket| socket.engine().close())
            .on("silent", async || {})
    };
    Server::builder().namespace("/", namespace()).namespace("/other", namespace()).build().unwrap()
}

#[tokio::test]
async fn a_server_that_disconnects_the_client_is_not_joined_again_by_itself() {
    for way in Way::ALL {
        let client = way.client(&serve(&server()).await).build().unwrap();
        let mut socket = soon(client.join("/")).await.unwrap();
        let mut other = soon(client.join("/other")).await.unwrap();
        let unanswered = socket.emit_with_ack::<()>("silent", ());
        socket.emit("kick", ()).unwrap();
        let Incoming::Disconnected(end) = next(&mut socket).await else { panic!("it is disconnected") };
        assert!(matches!(end.reason, DisconnectReason::ServerDisconnect));
        assert_eq!(
            (end.as_str(), end.reconnects, end.engine.is_none()),
            ("io server disconnect", false, true)
        );
        assert_eq!(soon(unanswered).await, Err(AckError::Disconnected));
        assert!(matches!(soon(socket.recv()).await, Err(RecvError::Disconnected(_))));
        assert_eq!(socket.emit("silent", ()), Err(EmitError::Disconnected));
        assert_eq!(socket.id(), None);
        assert!(other.is_connected(), "other namespaces stay");
        soon(socket.rejoin()).await.unwrap();
        assert!(socket.is_connected());
        other.emit("kick", ()).unwrap();
        socket.emit("kick", ()).unwrap();
        for socket in [&mut other, &mut socket] {
            assert!(matches!(next(socket).await, Incoming::Disconnected(_)));
        }
        soon(socket.rejoin()).await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_connection_tells_what_the_engine_knows() {
    let client = Client::builder(serve(&server()).await)
        .engine(|engine| engine.transports([Transport::WebSocket]))
        .reconnection(false)
        .build()
        .unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    let mut other = soon(client.join("/other")).await.unwrap();
    socket.emit("close", ()).unwrap();
    for socket in [&mut socket, &mut other] {
        let Incoming::Disconnected(end) = next(socket).await else { panic!("it is disconnected") };
        assert_eq!((end.as_str(), end.reconnects), ("transport close", false));
        assert_eq!(end.engine.unwrap().transport, Transport::WebSocket);
        assert!(matches!(soon(socket.recv()).await, Err(RecvError::Disconnected(_))));
    }
    soon(other.rejoin()).await.unwrap();
}

/// Whoever is told that an event was not sent may send it elsewhere.
#[tokio::test]
async fn an_event_that_was_sent_at_least_once_is_not_said_to_be_unsent() {
    let url = serve(&server()).await;
    let client = Client::builder(url).retries(3, Duration::from_secs(10)).build().unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    let (sent, behind) = (socket.emit_with_ack::<()>("kick", ()), socket.emit_with_ack::<()>("silent", ()));
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
    // Nobody rejoins.
    soon(client.close()).await;
    assert_eq!(soon(sent).await, Err(AckError::Disconnected));
    assert_eq!(soon(behind).await, Err(AckError::Emit(EmitError::Disconnected)));
}

/// Polls a future once.
async fn poll_once<F: Future + Unpin>(future: &mut F) {
    let polled = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx).is_ready()));
    assert!(!polled.await, "it waits");
}

#[test]
fn a_runtime_that_ends_before_the_client_has_begun_leaves_a_client_that_can_join() {
    for retries in [false, true] {
        let (first, second) = (runtime(), runtime());
        let url = second.block_on(serve(&server()));
        let builder = Client::builder(url);
        let client =
            if retries { builder.retries(1, Duration::from_secs(1)) } else { builder }.build().unwrap();
        let mut joining = Box::pin(client.join("/"));
        first.block_on(poll_once(&mut joining));
        drop(first);
        second.block_on(async {
            let ended = soon(joining).await;
            assert!(matches!(ended, Err(JoinError::Disconnected(_))), "{ended:?}");
            let socket = soon(client.join("/")).await.unwrap();
            assert!(socket.is_connected());
            soon(client.close()).await;
        });
    }
}
