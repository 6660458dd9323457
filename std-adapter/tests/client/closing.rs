//! How long a client takes to close its session, also one that reads nothing, because its inbox is full.

use core::time::Duration;

use eio_core::DisconnectReason;
use eio_tokio::test_util::Network;
use tokio::time::Instant;

use crate::network::{Stage, builder};
use crate::support::{Raw, Way, open_packet};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn kilobyte() -> String {
    "x".repeat(1_000)
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_is_delivered_to_a_server_that_waits_for_its_client_to_read() {
    for way in Way::ALL {
        let mut stage = Stage::new();
        let link = stage.link(ms(0));
        link.set_buffer(1_000);
        let client = builder(way, &link).inbox(10, 1_000_000).outbox(2_000, 10_000_000).build().unwrap();
        let socket = client.connect().await.unwrap();
        let start = Instant::now();
        for _ in 0..1_500 {
            socket.send(kilobyte()).await.unwrap();
        }
        // By now, the application of the server waits for room, and what it has not read for the application.
        tokio::time::sleep(ms(1_000)).await;
        assert!(tokio::time::timeout(ms(0), socket.flush()).await.is_err(), "{way:?}: nobody waits");
        socket.close();
        let end = socket.closed().await;
        assert_eq!((end.reason, end.unsent), (DisconnectReason::LocalClose, 0), "{way:?}");
        assert!(start.elapsed() < ms(1_100), "{way:?}: {:?}", start.elapsed());
        assert!(stage.end().await.0 < start + ms(1_100), "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn closed_waits_no_longer_than_the_close_timeout_and_a_server_that_comes_back_is_told() {
    for way in Way::ALL {
        let mut stage = Stage::new();
        let link = stage.link(ms(40));
        let client = builder(way, &link).close_timeout(ms(2_000)).build().unwrap();
        let socket = client.connect().await.unwrap();
        // A WebSocket to move to has opened by then, and has not been probed.
        tokio::time::sleep(ms(200)).await;
        link.cut();
        socket.send("in flight").await.unwrap();
        tokio::time::sleep(ms(100)).await;
        let start = Instant::now();
        socket.close();
        assert_eq!(socket.closed().await.reason, DisconnectReason::LocalClose, "{way:?}");
        assert_eq!(start.elapsed(), ms(2_000), "{way:?}");
        link.mend();
        let (at, _) = stage.end().await;
        assert!(at < start + ms(3_000), "{way:?}: told after {:?}", at - start);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_pings_and_does_not_read_is_not_silent() {
    let network = Network::new();
    let mut listener = network.listen();
    let link = network.link();
    link.set_buffer(1_000);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await;
        let mut raw = Raw(stream);
        let request = raw.request().await;
        raw.switch_protocols(&request).await;
        raw.text(&open_packet(300, 200, "")).await;
        raw.text("4fills the inbox").await;
        loop {
            tokio::time::sleep(ms(300)).await;
            raw.text("2").await;
        }
    });
    let client = builder(Way::WebSocket, &link).inbox(1, 1_000).close_timeout(ms(5_000)).build().unwrap();
    let socket = client.connect().await.unwrap();
    for _ in 0..10 {
        socket.send(kilobyte()).await.unwrap();
    }
    tokio::time::sleep(ms(100)).await;
    let start = Instant::now();
    socket.close();
    assert_eq!(socket.closed().await.reason, DisconnectReason::LocalClose);
    assert_eq!(start.elapsed(), ms(5_000));
}
