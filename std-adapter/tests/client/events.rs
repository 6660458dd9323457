//! The callback for a client's events may use the session, and may panic: that ends that session, and nothing else.

use std::sync::{Arc, Mutex, PoisonError};

use eio_core::DisconnectReason;
use eio_tokio::{ClientEvent, ClientSender, ConnectError, Server};

use crate::support::{Way, echo, serve};

/// The name of an event, as a test knows it.
fn name(event: &ClientEvent) -> &'static str {
    match event {
        ClientEvent::Connecting => "connecting",
        ClientEvent::Opened { .. } => "opened",
        ClientEvent::Message(_) => "message",
        ClientEvent::Closed(_) => "closed",
        ClientEvent::ConnectFailed { .. } => "failed",
        _ => "other",
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_on_event_ends_that_session_which_is_told_in_order() {
    for way in [Way::Polling, Way::WebSocket] {
        for at in ["connecting", "opened", "message", "closed"] {
            let (_server, address) = serve(Server::builder(echo)).await;
            // Poisoned by the panic, and by then taken by the next call.
            let seen: Arc<Mutex<Vec<&str>>> = Arc::default();
            let notes = Arc::clone(&seen);
            let client = way.client(address).on_event(move |event| {
                let mut seen = notes.lock().unwrap_or_else(PoisonError::into_inner);
                let name = name(&event);
                if name != "other" {
                    seen.push(name);
                }
                assert_ne!(name, at, "as the test wants it");
            });
            let client = client.build().unwrap();
            match client.connect().await {
                Err(ConnectError::Session(end)) => {
                    assert_eq!(end.reason, DisconnectReason::ApplicationPanicked, "{way:?} {at}");
                    assert_eq!(
                        *seen.lock().unwrap_or_else(PoisonError::into_inner),
                        ["connecting", "failed"]
                    );
                }
                Err(error) => panic!("{way:?} {at}: {error}"),
                Ok(mut socket) => {
                    let _ = socket.send("hello").await;
                    let _ = socket.recv().await;
                    if at == "closed" {
                        socket.close();
                    }
                    let end = socket.closed().await;
                    let expected = match at {
                        "closed" => DisconnectReason::LocalClose,
                        _ => DisconnectReason::ApplicationPanicked,
                    };
                    assert_eq!(end.reason, expected, "{way:?} {at}");
                    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    assert_eq!(seen[..2], ["connecting", "opened"], "{way:?} {at}");
                    assert_eq!(
                        seen.iter().filter(|name| **name == "closed").count(),
                        1,
                        "{way:?} {at}: {seen:?}"
                    );
                    assert_eq!(seen.last(), Some(&"closed"), "{way:?} {at}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn on_event_may_use_the_session_that_the_event_is_about() {
    for way in [Way::Polling, Way::WebSocket] {
        let (_server, address) = serve(Server::builder(echo)).await;
        let sender: Arc<Mutex<Option<ClientSender>>> = Arc::default();
        let held = Arc::clone(&sender);
        let client = way.client(address).on_event(move |event| {
            let sender = held.lock().unwrap().clone();
            if let (ClientEvent::Message(message), Some(sender)) = (event, sender) {
                match message.as_text() {
                    Some("one") => sender.try_send("two").unwrap(),
                    _ => sender.close(),
                }
            }
        });
        let mut socket = client.build().unwrap().connect().await.unwrap();
        *sender.lock().unwrap() = Some(socket.sender());
        socket.send("one").await.unwrap();
        assert_eq!(socket.recv().await.unwrap().as_text(), Some("one"));
        assert_eq!(socket.recv().await.unwrap().as_text(), Some("two"));
        assert_eq!(socket.recv().await.unwrap_err().reason, DisconnectReason::LocalClose, "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_application_sees_nothing_before_its_event_is_told() {
    for way in [Way::Polling, Way::WebSocket] {
        for _ in 0..50 {
            let (_server, address) = serve(Server::builder(echo)).await;
            let seen: Arc<Mutex<Vec<&str>>> = Arc::default();
            let notes = Arc::clone(&seen);
            let client = way.client(address).on_event(move |event| notes.lock().unwrap().push(name(&event)));
            let socket = client.build().unwrap().connect().await.unwrap();
            assert!(seen.lock().unwrap().contains(&"opened"), "{way:?}");
            socket.close();
            socket.closed().await;
            assert_eq!(seen.lock().unwrap().last(), Some(&"closed"), "{way:?}");
        }
    }
}
