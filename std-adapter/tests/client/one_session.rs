//! What a client asks of a server while one session lives: one request of a kind at a time, one WebSocket, and the name of
//! the session in each.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use eio_core::Revision;
use eio_tokio::{Message, Transport};

use crate::support::{Raw, Way, open_packet, scripted};

/// What a server has seen.
#[derive(Default)]
struct Seen {
    /// Method and target of each request.
    targets: Vec<String>,
    /// The requests in flight, of each method, and the most that there were.
    flying: [usize; 2],
    most: [usize; 2],
}

/// Answers each request after 30 ms, polls with a message, and WebSockets with a refusal or a move.
async fn slow(revision: Revision, moves: bool) -> (SocketAddr, Arc<Mutex<Seen>>) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let noted = Arc::clone(&seen);
    let address = scripted(move |raw| serve(raw, revision, moves, Arc::clone(&noted))).await;
    (address, seen)
}

async fn serve(mut raw: Raw, revision: Revision, moves: bool, seen: Arc<Mutex<Seen>>) {
    loop {
        let request = raw.request().await;
        let mut words = request.split(' ');
        let (Some(method), Some(target)) = (words.next(), words.next()) else { return };
        // What keeps caches away stands in the middle, and differs each time.
        let named = target.split('&').filter(|parameter| !parameter.starts_with("t="));
        let named: Vec<_> = named.collect();
        seen.lock().unwrap().targets.push(format!("{method} {}", named.join("&")));
        if request.contains("transport=websocket") {
            if !moves {
                return raw.answer("400 Bad Request", "").await;
            }
            raw.switch_protocols(&request).await;
            while let Some(frame) = raw.frame().await {
                if frame == "2probe" {
                    raw.text("3probe").await;
                }
            }
            return;
        }
        let kind = usize::from(method == "POST");
        {
            let mut seen = seen.lock().unwrap();
            seen.flying[kind] += 1;
            seen.most[kind] = seen.most[kind].max(seen.flying[kind]);
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
        seen.lock().unwrap().flying[kind] -= 1;
        let body = match (method, target.contains("&sid=")) {
            ("POST", _) => "ok".to_owned(),
            (_, false) => open_packet(25_000, 20_000, r#""websocket""#),
            (_, true) => "4x".to_owned(),
        };
        let framed = if revision == Revision::V3 && body != "ok" {
            format!("{}:{body}", body.chars().count())
        } else {
            body
        };
        raw.answer("200 OK", &framed).await;
    }
}

/// Opens a session, sends a message with each of 20 that come, and returns what the server saw.
async fn exchange(revision: Revision, way: Way, moves: bool) -> Seen {
    let (address, seen) = slow(revision, moves).await;
    let client = way.client(address).eio3(revision == Revision::V3).build().unwrap();
    let mut socket = client.connect().await.unwrap();
    for count in 0..20 {
        socket.send(format!("{count}")).await.unwrap();
        if socket.transport() == Transport::Polling {
            assert_eq!(socket.recv().await.unwrap(), Message::text("x"));
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(socket.end(), None);
    core::mem::take(&mut *seen.lock().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_client_has_one_poll_and_one_request_with_data_in_flight() {
    for revision in [Revision::V4, Revision::V3] {
        for (way, moves) in [(Way::Polling, false), (Way::Upgrade, false), (Way::Upgrade, true)] {
            let seen = exchange(revision, way, moves).await;
            assert_eq!(seen.most, [1, 1], "{revision} {way:?} {moves}: {:?}", seen.targets);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_opens_one_websocket_for_a_session_whether_it_is_taken_or_not() {
    for revision in [Revision::V4, Revision::V3] {
        for moves in [true, false] {
            let seen = exchange(revision, Way::Upgrade, moves).await;
            let opened = seen.targets.iter().filter(|target| target.contains("transport=websocket"));
            assert_eq!(opened.count(), 1, "{revision} {moves}: {:?}", seen.targets);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_request_names_revision_and_transport_and_after_the_first_the_session() {
    for revision in [Revision::V4, Revision::V3] {
        let seen = exchange(revision, Way::Upgrade, true).await;
        let expected = |method: &str, transport: &str, sid: &str| {
            format!("{method} /engine.io/?EIO={revision}&transport={transport}{sid}")
        };
        assert_eq!(seen.targets[0], expected("GET", "polling", ""));
        let sid = "&sid=Qd3cV1abcdefghij0123";
        let later = [("GET", "polling"), ("POST", "polling"), ("GET", "websocket")];
        let later = later.map(|(method, transport)| expected(method, transport, sid));
        assert!(seen.targets[1..].iter().all(|target| later.contains(target)), "{:?}", seen.targets);
        assert!(later.iter().all(|target| seen.targets.contains(target)), "{:?}", seen.targets);
    }
}
