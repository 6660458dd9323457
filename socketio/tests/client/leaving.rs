//! What is still delivered when a client leaves, closes or flushes, if its events are sent until they are answered.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use eio_socketio::client::{Client, ClientBuilder, Incoming, Socket};
use eio_socketio::engine::test_util::Network;
use eio_socketio::{AckError, EmitError, Namespace, Reply, Server};
use tokio::time::{Instant, sleep, timeout};

use crate::support::event;

const SECOND: Duration = Duration::from_secs(1);

/// A server that saves what it is sent, which takes a second each, and how much it has saved.
fn server() -> (Network, Arc<AtomicUsize>) {
    let saved = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&saved);
    let save = move |socket: eio_socketio::Socket| {
        let counting = Arc::clone(&counting);
        async move {
            for _ in 0..20 {
                socket.send("saving", ()).await?;
            }
            sleep(SECOND).await;
            counting.fetch_add(1, Ordering::Relaxed);
            Ok::<_, EmitError>(Reply("saved"))
        }
    };
    let namespace = || {
        Namespace::new()
            .on("save", save.clone())
            .on("silent", async || {})
            .on("cut", async |socket: eio_socketio::Socket| socket.engine().close())
    };
    let server =
        Server::builder().namespace("/", namespace()).namespace("/other", namespace()).build().unwrap();
    let network = Network::new();
    let listener = network.listen();
    tokio::spawn(async move { server.serve(listener).await });
    (network, saved)
}

fn builder(network: &Network) -> ClientBuilder {
    let link = network.link();
    Client::builder("http://store.test").engine(move |engine| engine.link(&link))
}

/// How a client sees to it that what it has emitted arrives.
#[derive(Clone, Copy, Debug)]
enum By {
    Flushing,
    Leaving,
    Closing,
}

impl By {
    async fn finish(self, client: &Client, socket: Socket) {
        match self {
            Self::Flushing => assert!(socket.emitter().flush().await),
            Self::Leaving => socket.leave().await,
            Self::Closing => client.close().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_emitted_is_answered_before_the_client_leaves_or_closes_or_has_flushed() {
    for by in [By::Flushing, By::Leaving, By::Closing] {
        let (network, saved) = server();
        let client = builder(&network).retries(3, 5 * SECOND).build().unwrap();
        let socket = client.join("/").await.unwrap();
        for number in 0..3 {
            socket.emit("save", number).unwrap();
        }
        let answer = socket.emit_with_ack::<String>("save", 3);
        by.finish(&client, socket).await;
        assert_eq!(saved.load(Ordering::Relaxed), 4, "{by:?}");
        assert_eq!(answer.await.unwrap(), "saved", "{by:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_other_namespaces_have_emitted_counts_for_a_flush_and_a_close() {
    for by in [By::Flushing, By::Closing] {
        let (network, saved) = server();
        let client = builder(&network).retries(3, 5 * SECOND).build().unwrap();
        let socket = client.join("/").await.unwrap();
        let other = client.join("/other").await.unwrap();
        other.emit("save", 0).unwrap();
        other.emit("save", 1).unwrap();
        by.finish(&client, socket).await;
        assert_eq!(saved.load(Ordering::Relaxed), 2, "{by:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_waited_for_as_often_as_it_is_asked_and_at_most_half_a_minute() {
    for (by, retries, seconds) in [
        (By::Flushing, 1, 4),
        (By::Flushing, 30, 62),
        (By::Leaving, 1, 4),
        (By::Leaving, 30, 30),
        (By::Closing, 1, 4),
        (By::Closing, 30, 30),
    ] {
        let (network, _) = server();
        let client = builder(&network).retries(retries, SECOND).build().unwrap();
        let socket = client.join("/").await.unwrap();
        socket.emit("silent", ()).unwrap();
        socket.emit("silent", ()).unwrap();
        let start = Instant::now();
        by.finish(&client, socket).await;
        assert_eq!(start.elapsed().as_secs(), seconds, "{by:?}, {retries}");
    }
}

#[tokio::test(start_paused = true)]
async fn to_stop_waiting_for_a_leave_or_a_close_does_not_stop_it() {
    for by in [By::Leaving, By::Closing] {
        let (network, _) = server();
        let client = builder(&network).retries(30, SECOND).build().unwrap();
        let socket = client.join("/").await.unwrap();
        let emitter = socket.emitter();
        let unanswered = emitter.emit_with_ack::<()>("silent", ());
        let finished = timeout(SECOND, by.finish(&client, socket)).await;
        assert!(finished.is_err(), "{by:?}");
        assert!(!emitter.is_connected(), "{by:?}");
        assert_eq!(emitter.emit("silent", ()), Err(EmitError::Disconnected), "{by:?}");
        let failed = unanswered.await;
        assert!(matches!(failed, Err(AckError::Disconnected | AckError::Emit(_))), "{by:?}: {failed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_fails_with_the_connection_and_a_close_outlasts_it() {
    let (network, saved) = server();
    let client = builder(&network).retries(1, 5 * SECOND).build().unwrap();
    let mut socket = client.join("/").await.unwrap();
    socket.emit("cut", ()).unwrap();
    socket.emit("save", 0).unwrap();
    assert!(!socket.emitter().flush().await);
    assert!(matches!(socket.recv().await.unwrap(), Incoming::Disconnected(_)));
    assert!(!socket.emitter().flush().await, "not connected");
    // The cut is sent once more, and cuts again.
    client.close().await;
    assert_eq!(saved.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_left_holds_up_no_answers_with_what_it_does_not_receive() {
    // After a minute, the connection has ended once, and the namespace with the full inbox was not joined again.
    for (wait, is_connected) in [(Duration::ZERO, true), (60 * SECOND, false)] {
        let (network, _) = server();
        let client = builder(&network)
            .retries(100, 5 * SECOND)
            .inbox(8, 1_000_000)
            .engine(|engine| engine.inbox(4, 100_000))
            .build()
            .unwrap();
        let mut socket = client.join("/").await.unwrap();
        let answers = [0, 1, 2].map(|number| socket.emit_with_ack::<String>("save", number));
        assert_eq!(event(&mut socket).await.0, "saving");
        sleep(wait).await;
        assert_eq!(socket.is_connected(), is_connected);
        socket.leave().await;
        for answer in answers {
            assert_eq!(answer.await.unwrap(), "saved", "{wait:?}");
        }
    }
}
