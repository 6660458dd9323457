//! Where a client's polling requests go and what they hold: connections that servers close without a word, and servers
//! that take only so much at once.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use eio_core::DisconnectReason;
use eio_tokio::{ClientBuilder, ClientSocket};
use tokio::time::Instant;

use crate::support::{Notes, Way, noting, open_packet, scripted};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A server that drops a request which comes on a connection that was idle for `limit`, as one does whose close crosses
/// the request on the wire. Says `keep_alive` with each answer, and counts connections.
async fn impatient(limit: Duration, keep_alive: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    let address = scripted(move |mut raw| {
        counter.fetch_add(1, Ordering::Relaxed);
        async move {
            loop {
                let idle_since = Instant::now();
                let request = raw.request().await;
                if request.is_empty() || idle_since.elapsed() >= limit {
                    return;
                }
                let body = match &request {
                    request if request.starts_with("POST") => "ok".to_owned(),
                    request if request.contains("sid=") => {
                        tokio::time::sleep(Duration::from_mins(10)).await;
                        "6".to_owned()
                    }
                    _ => open_packet(3_600_000, 20_000, ""),
                };
                let length = body.len();
                raw.write(format!("HTTP/1.1 200 OK\r\n{keep_alive}Content-Length: {length}\r\n\r\n{body}"))
                    .await;
            }
        }
    })
    .await;
    (address, connections)
}

async fn connect(address: SocketAddr) -> ClientSocket {
    Way::Polling.client(address).build().unwrap().connect().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn b30_a_connection_that_was_idle_for_a_second_carries_no_request_unless_the_server_keeps_it() {
    for limit in [1_001, 2_000, 5_000, 30_000] {
        let (address, connections) = impatient(millis(limit), "").await;
        let socket = connect(address).await;
        let mut expected = 1;
        for idle in [900, 1_100, limit - 1, limit, limit + 1, 2 * limit, 50] {
            tokio::time::sleep(millis(idle)).await;
            socket.send(format!("after {idle} ms")).await.unwrap();
            tokio::time::sleep(millis(50)).await;
            assert_eq!(socket.end(), None, "a limit of {limit} ms, after {idle} ms");
            // The first has none to take over, and those after less than a second do.
            expected += usize::from(idle >= 1_000 - 50 || expected == 1);
            assert_eq!(
                connections.load(Ordering::Relaxed),
                expected,
                "a limit of {limit} ms, after {idle} ms"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn b30_a_connection_that_the_server_promised_to_keep_is_used_until_a_second_before_its_end() {
    let (address, connections) = impatient(millis(5_000), "Keep-Alive: timeout=5\r\n").await;
    let socket = connect(address).await;
    for (idle, expected) in [(10, 2), (3_900, 2), (3_900, 2), (4_100, 3), (4_990, 4), (5_000, 5), (60_000, 6)]
    {
        tokio::time::sleep(millis(idle)).await;
        socket.send("x").await.unwrap();
        tokio::time::sleep(millis(10)).await;
        assert_eq!(socket.end(), None, "after {idle} ms");
        assert_eq!(connections.load(Ordering::Relaxed), expected, "after {idle} ms");
    }
}

/// What python-engineio does with a request: all of its packets are taken, or none if there are more than `most`. The
/// answer is `ok` either way. Pings once, with the first poll, and notes the packets of each request.
async fn takes_at_most(most: usize) -> (SocketAddr, Notes<Vec<String>>) {
    let pinged = Arc::new(AtomicUsize::new(0));
    noting(move |mut raw, noted| {
        let pinged = Arc::clone(&pinged);
        async move {
            loop {
                let request = raw.request().await;
                if request.is_empty() {
                    return;
                }
                let body = request.split_once("\r\n\r\n").unwrap().1;
                if request.starts_with("POST") {
                    let packets: Vec<_> = body.split('\x1e').map(str::to_owned).collect();
                    noted.lock().unwrap().push(if packets.len() > most { Vec::new() } else { packets });
                    raw.answer("200 OK", "ok").await;
                } else if !request.contains("sid=") {
                    raw.answer("200 OK", &open_packet(25_000, 20_000, "")).await;
                } else if pinged.fetch_add(1, Ordering::Relaxed) == 0 {
                    raw.answer("200 OK", "2").await;
                } else {
                    tokio::time::sleep(Duration::from_mins(10)).await;
                }
            }
        }
    })
    .await
}

/// Sends 100 messages, among them goes a pong, and closes; checks what came of it.
async fn all_arrive(most: usize, settings: impl FnOnce(ClientBuilder) -> ClientBuilder) {
    let (address, requests) = takes_at_most(most).await;
    let socket = settings(Way::Polling.client(address)).build().unwrap().connect().await.unwrap();
    let started = Instant::now();
    for i in 0..100 {
        socket.try_send(format!("{i}")).unwrap();
    }
    while !requests.lock().unwrap().iter().flatten().any(|packet| packet == "3") {
        tokio::time::sleep(millis(1)).await;
    }
    socket.close();
    let end = socket.closed().await;
    assert_eq!((end.reason.as_str(), end.unsent), ("forced close", 0), "{end}");
    assert!(started.elapsed() < millis(100), "at once, not after {:?}", started.elapsed());
    let requests = requests.lock().unwrap();
    let packets: Vec<&str> = requests.iter().flatten().map(String::as_str).collect();
    let messages: Vec<&str> = packets.iter().filter_map(|packet| packet.strip_prefix('4')).collect();
    assert_eq!(messages, (0..100).map(|i| i.to_string()).collect::<Vec<_>>(), "at most {most}");
    assert_eq!(packets.iter().filter(|packet| **packet == "3").count(), 1, "the pong");
    assert_eq!(packets.last(), Some(&"1"), "the close packet is the last");
    assert!(requests.iter().all(|packets| (1..=most).contains(&packets.len())), "{requests:?}");
    assert!(requests.len() <= 102_usize.div_ceil(most) + 2, "as full as they may be: {requests:?}");
}

#[tokio::test(start_paused = true)]
async fn b31_a_request_holds_at_most_16_packets_and_the_rest_follows_at_once_in_order() {
    all_arrive(16, |client| client).await;
}

#[tokio::test(start_paused = true)]
async fn b31_another_limit_on_the_packets_of_a_request_is_kept() {
    for most in [1, 2, 3, 101, 1_000] {
        all_arrive(most, |client| client.max_packets_per_payload(most)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_holds_64_kib_of_messages_and_the_rest_follows() {
    let (address, requests) = takes_at_most(1_000).await;
    let client = Way::Polling.client(address).max_packets_per_payload(1_000);
    let socket = client.build().unwrap().connect().await.unwrap();
    for _ in 0..100 {
        socket.try_send("x".repeat(1_000)).unwrap();
    }
    socket.flush().await.unwrap();
    let messages = |packets: &Vec<String>| packets.iter().filter(|packet| packet.starts_with('4')).count();
    let counts: Vec<_> = requests.lock().unwrap().iter().map(messages).filter(|count| *count > 0).collect();
    // 65 messages, their types and what separates them are 65,129 bytes.
    assert_eq!(counts, [65, 35]);
}

#[tokio::test(start_paused = true)]
async fn a_post_without_an_answer_ends_the_session_after_two_intervals_and_two_timeouts() {
    let address = scripted(|mut raw| async move {
        loop {
            let request = raw.request().await;
            if request.is_empty() || request.starts_with("POST") {
                return tokio::time::sleep(Duration::from_mins(10)).await;
            } else if request.contains("sid=") {
                tokio::time::sleep(millis(300)).await;
                raw.answer("200 OK", "2").await;
            } else {
                raw.answer("200 OK", &open_packet(300, 200, "")).await;
            }
        }
    })
    .await;
    let socket = connect(address).await;
    tokio::time::sleep(millis(150)).await;
    socket.send("x").await.unwrap();
    let sent = Instant::now();
    assert_eq!(socket.closed().await.reason, DisconnectReason::TransportError);
    assert!((1_000..=1_002).contains(&sent.elapsed().as_millis()), "{:?}", sent.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_connections_of_polling_end_with_the_upgrade() {
    let (address, noted) = noting(|mut raw, noted: Notes<&str>| async move {
        loop {
            let request = raw.request().await;
            if request.is_empty() {
                return noted.lock().unwrap().push("end");
            } else if request.contains("transport=websocket") {
                raw.switch_protocols(&request).await;
                assert_eq!(raw.frame().await.as_deref(), Some("2probe"));
                raw.text("3probe").await;
                assert_eq!(raw.frame().await.as_deref(), Some("5"));
                noted.lock().unwrap().push("upgraded");
                return tokio::time::sleep(Duration::from_mins(10)).await;
            } else if request.starts_with("POST") {
                raw.answer("200 OK", "ok").await;
            } else if request.contains("sid=") {
                tokio::time::sleep(millis(100)).await;
                raw.answer("200 OK", "6").await;
            } else {
                raw.answer("200 OK", &open_packet(25_000, 20_000, "\"websocket\"")).await;
            }
        }
    })
    .await;
    let socket = Way::Upgrade.client(address).build().unwrap().connect().await.unwrap();
    socket.send("in a request of its own").await.unwrap();
    tokio::time::sleep(millis(500)).await;
    assert_eq!(*noted.lock().unwrap(), ["upgraded", "end", "end"]);
    assert_eq!(socket.end(), None);
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_hold_as_many_packets_as_its_bytes_allow() {
    const COUNT: usize = 20_000;
    let address = scripted(|mut raw| async move {
        raw.request().await;
        raw.answer("200 OK", &open_packet(25_000, 20_000, "")).await;
        raw.request().await;
        raw.answer("200 OK", &vec!["4"; COUNT].join("\x1e")).await;
        raw.request().await;
    })
    .await;
    let mut socket = connect(address).await;
    for number in 0..COUNT {
        assert_eq!(socket.recv().await.as_ref().map(eio_tokio::Message::len), Ok(0), "message {number}");
    }
}
