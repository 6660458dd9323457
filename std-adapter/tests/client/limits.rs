//! What a session of the client does at its limits: a full outbox, messages that are too large, an application that does not read.

use core::time::Duration;

use eio_core::{DisconnectReason, Heartbeat};
use eio_tokio::{Message, SendErrorKind, Server, Socket};

use crate::support::{Way, echo, serve};

#[tokio::test(start_paused = true)]
async fn a_send_waits_for_room_and_dropping_it_sends_nothing() {
    let (_server, address) = serve(Server::builder(|mut socket: Socket| async move {
        // Reads nothing until told by time, then sends back what came.
        tokio::time::sleep(Duration::from_secs(1)).await;
        while let Ok(message) = socket.recv().await {
            let _ = socket.send(message).await;
        }
    }))
    .await;
    let client = Way::Polling.client(address).outbox(1, 1_000).build().unwrap();
    let mut socket = client.connect().await.unwrap();
    let mut accepted = Vec::new();
    for i in 0..50 {
        let send = socket.send(format!("{i}"));
        if tokio::time::timeout(Duration::ZERO, send).await.is_ok() {
            accepted.push(i);
        }
        if matches!(socket.try_send(format!("{}", i + 100)), Ok(())) {
            accepted.push(i + 100);
        }
    }
    assert!(accepted.len() < 100, "some had to wait");
    for i in accepted {
        assert_eq!(socket.recv().await.unwrap(), Message::text(format!("{i}")));
    }
    assert!(tokio::time::timeout(Duration::from_secs(2), socket.recv()).await.is_err(), "nothing else came");
}

#[tokio::test(start_paused = true)]
async fn dropping_recv_send_and_closed_at_every_await_loses_and_doubles_nothing() {
    /// Polls once and drops.
    async fn once<F: Future>(future: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            output = future => Some(output),
            () = core::future::ready(()) => None,
        }
    }
    for way in Way::ALL {
        let (_server, address) = serve(Server::builder(echo)).await;
        let mut socket = way.client(address).outbox(3, 1_000).build().unwrap().connect().await.unwrap();
        let mut sent = 0;
        let mut received = 0;
        while received < 2_000 {
            if sent < 2_000 && once(socket.send(format!("{sent}"))).await.is_some_and(|sent| sent.is_ok()) {
                sent += 1;
            }
            if let Some(message) = once(socket.recv()).await {
                assert_eq!(message.unwrap(), Message::text(format!("{received}")), "{way:?}");
                received += 1;
            }
            assert!(once(socket.closed()).await.is_none());
            tokio::task::yield_now().await;
        }
        assert_eq!(sent, 2_000);
        assert!(
            tokio::time::timeout(Duration::from_secs(1), socket.recv()).await.is_err(),
            "nothing else came"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_the_server_would_not_take_is_handed_back() {
    let (_server, address) = serve(Server::builder(echo).max_payload(1_000)).await;
    for way in [Way::Polling, Way::WebSocket] {
        let mut socket = way.client(address).build().unwrap().connect().await.unwrap();
        let error = socket.send("x".repeat(1_000)).await.unwrap_err();
        assert_eq!(error.kind, SendErrorKind::TooLarge { max_payload: 1_000 });
        assert_eq!(error.message.len(), 1_000);
        // The largest that fits arrives, and many of them do not end up in one request.
        for _ in 0..20 {
            socket.send("x".repeat(999)).await.unwrap();
        }
        for _ in 0..20 {
            assert_eq!(socket.recv().await.unwrap().len(), 999);
        }
        let largest = if way == Way::Polling { 747 } else { 1_000 };
        socket.send(vec![7; largest]).await.unwrap();
        assert_eq!(socket.recv().await.unwrap().len(), largest);
        assert!(socket.send(vec![7; largest + 3]).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_above_the_clients_own_limit_ends_the_session() {
    for way in [Way::Polling, Way::WebSocket] {
        let (_server, address) = serve(Server::builder(|socket: Socket| async move {
            socket.send("x".repeat(20_000)).await.unwrap();
            socket.closed().await;
        }))
        .await;
        let mut socket = way.client(address).max_payload(10_000).build().unwrap().connect().await.unwrap();
        let end = socket.recv().await.unwrap_err();
        assert_eq!(end.reason.to_string(), "transport error: payload too large", "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_application_that_does_not_read_is_stalled_not_silent() {
    for way in [Way::Polling, Way::WebSocket] {
        let heartbeat = Heartbeat::new(Duration::from_secs(1), Duration::from_secs(1)).unwrap();
        let (_server, address) = serve(
            Server::builder(|socket: Socket| async move {
                for i in 0..100 {
                    if socket.send(format!("{i}")).await.is_err() {
                        break;
                    }
                }
                socket.closed().await;
            })
            .heartbeat(heartbeat),
        )
        .await;
        let client = way.client(address).inbox(10, 1_000_000).app_stall_timeout(Duration::from_millis(1_500));
        let mut socket = client.build().unwrap().connect().await.unwrap();
        let started = tokio::time::Instant::now();
        let end = socket.closed().await;
        assert_eq!(end.reason, DisconnectReason::ApplicationStalled, "{way:?}");
        assert!(started.elapsed() >= Duration::from_millis(1_400), "{way:?}: {:?}", started.elapsed());
        assert!(started.elapsed() <= Duration::from_millis(1_600), "{way:?}: {:?}", started.elapsed());
        assert_eq!(socket.recv().await.unwrap(), Message::text("0"), "what had come in can still be taken");
    }
}
