//! The limits on opening a session and on an upgrade: a server that withholds the next step ends each in time.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use eio_core::upgrade::{UpgradeFailure, UpgradeOutcome};
use eio_tokio::{Client, ClientEvent, ConnectError, Message, Transport};
use tokio::time::Instant;

use crate::silence::end_of;
use crate::support::{Events, Raw, noting, open_packet, scripted};

#[tokio::test(start_paused = true)]
async fn b28_opening_has_a_limit_whatever_the_server_withholds() {
    // Nothing at all; half an answer; a WebSocket without a handshake.
    for step in 0..3 {
        for scheme in ["http", "ws"] {
            let address = scripted(move |mut raw| async move {
                let request = raw.request().await;
                match step {
                    0 => {}
                    1 => raw.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0{").await,
                    _ if request.contains("websocket") => raw.switch_protocols(&request).await,
                    _ => raw.write("HTTP/1.1 200 OK\r\n").await,
                }
                let _ = end_of(&mut raw).await;
            })
            .await;
            let client =
                Client::builder(format!("{scheme}://{address}")).open_timeout(Duration::from_secs(7));
            let started = Instant::now();
            let error = client.build().unwrap().connect().await.unwrap_err();
            if (scheme, step) == ("ws", 1) {
                // The rest of a refusal is not worth that wait.
                assert!(matches!(error, ConnectError::Refused(_)), "{error}");
                assert!(started.elapsed() <= Duration::from_millis(1_002), "{:?}", started.elapsed());
                continue;
            }
            assert!(matches!(error, ConnectError::Timeout), "{scheme}, {step}: {error}");
            assert!((7_000..=7_002).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_connect_gives_the_session_up() {
    let (address, closed) = noting(|mut raw, noted| async move {
        let request = raw.request().await;
        raw.switch_protocols(&request).await;
        let _ = end_of(&mut raw).await;
        noted.lock().unwrap().push("closed");
    })
    .await;
    let client = Client::builder(format!("ws://{address}")).build().unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(1), client.connect()).await.is_err());
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(*closed.lock().unwrap(), ["closed"]);
}

/// Serves polling, and gives WebSocket requests to `websocket`.
async fn polling_and<F, R>(websocket: F) -> std::net::SocketAddr
where
    F: Fn(Raw, String) -> R + Clone + Send + 'static,
    R: Future<Output = ()> + Send,
{
    let polled = Arc::new(Mutex::new(0));
    scripted(move |mut raw| {
        let websocket = websocket.clone();
        let polled = Arc::clone(&polled);
        async move {
            loop {
                let request = raw.request().await;
                if request.is_empty() {
                    break;
                }
                if request.contains("transport=websocket") {
                    return websocket(raw, request).await;
                }
                if request.starts_with("POST") {
                    raw.answer("200 OK", "ok").await;
                } else if !request.contains("sid=") {
                    raw.answer("200 OK", &open_packet(300, 200, r#""websocket""#)).await;
                } else {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    let count = {
                        let mut polled = polled.lock().unwrap();
                        *polled += 1;
                        *polled
                    };
                    let body = if count % 3 == 0 { "2" } else { "6" };
                    raw.answer("200 OK", &format!("{body}\u{1e}4{count}")).await;
                }
            }
        }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_fails_leaves_polling_alone() {
    type Script = fn(Raw, String) -> core::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
    let refuse: Script =
        |mut raw, _| Box::pin(async move { raw.answer("400 Bad Request", "Bad request").await });
    let silent: Script = |mut raw, request| {
        Box::pin(async move {
            raw.switch_protocols(&request).await;
            let _ = end_of(&mut raw).await;
        })
    };
    let wrong: Script = |mut raw, request| {
        Box::pin(async move {
            raw.switch_protocols(&request).await;
            raw.text("3prob").await;
            let _ = end_of(&mut raw).await;
        })
    };
    let closes: Script = |mut raw, request| {
        Box::pin(async move {
            raw.switch_protocols(&request).await;
            assert_eq!(raw.frame().await.as_deref(), Some("2probe"));
        })
    };
    let cases = [
        (refuse, UpgradeFailure::TransportClosed, 0..=5),
        (silent, UpgradeFailure::Timeout, 2_000..=2_005),
        (wrong, UpgradeFailure::UnexpectedPacket, 0..=5),
        (closes, UpgradeFailure::TransportClosed, 0..=5),
    ];
    for (script, failure, when) in cases {
        let address = polling_and(script).await;
        let events = Events::default();
        let client = events
            .watch(Client::builder(format!("http://{address}")))
            .upgrade_timeout(Duration::from_secs(2))
            .build()
            .unwrap();
        let mut socket = client.connect().await.unwrap();
        let opened = Instant::now();
        let outcome = events
            .wait_for(|event| match event {
                ClientEvent::UpgradeEnded(outcome) => Some(*outcome),
                _ => None,
            })
            .await;
        assert_eq!(outcome, UpgradeOutcome::Failed(failure));
        assert!(when.contains(&opened.elapsed().as_millis()), "{failure:?} {:?}", opened.elapsed());
        for count in 1..=50 {
            assert_eq!(socket.recv().await.unwrap(), Message::text(format!("{count}")));
        }
        assert_eq!(socket.transport(), Transport::Polling);
        let refused = events.all().iter().any(|event| matches!(event, ClientEvent::UpgradeFailed { .. }));
        assert_eq!(refused, script as usize == refuse as usize);
    }
}

#[tokio::test(start_paused = true)]
async fn polling_goes_on_during_a_probe_and_five_comes_only_when_it_is_paused() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&order);
    let address = polling_and(move |mut raw, request| {
        let noted = Arc::clone(&noted);
        async move {
            raw.switch_protocols(&request).await;
            for _ in 0..2 {
                let frame = raw.frame().await.unwrap();
                noted.lock().unwrap().push(frame.clone());
                if frame == "2probe" {
                    tokio::time::sleep(Duration::from_millis(450)).await;
                    raw.text("3probe").await;
                }
            }
            raw.text("4over here").await;
            let frame = raw.frame().await.unwrap();
            noted.lock().unwrap().push(frame);
            let _ = end_of(&mut raw).await;
        }
    })
    .await;
    let mut socket = Client::builder(format!("http://{address}")).build().unwrap().connect().await.unwrap();
    for count in 1..=5 {
        assert_eq!(socket.recv().await.unwrap(), Message::text(format!("{count}")));
    }
    assert_eq!(socket.transport(), Transport::WebSocket);
    assert_eq!(socket.recv().await.unwrap(), Message::text("over here"));
    socket.send("here too").await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(*order.lock().unwrap(), ["2probe", "5", "4here too"]);
}
