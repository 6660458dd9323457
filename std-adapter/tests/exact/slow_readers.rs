//! Applications that take their messages slowly. Only one that takes none for the stall timeout is stalled.

use eio_tokio::Message;
use tokio::time::sleep;

use crate::support::{Harness, Reason, handing_out, ms, noting, settle};

#[tokio::test(start_paused = true)]
async fn the_stall_timeout_counts_from_the_last_message_that_the_application_took() {
    let (mut harness, mut sockets) = handing_out(|builder| builder.inbox(10, 1_000_000));
    let mut websocket = harness.websocket(4).await;
    for _ in 0..30 {
        websocket.send("4x").await;
    }
    let mut socket = sockets.recv().await.unwrap();
    // Not half of the inbox, so reading does not resume.
    for count in 1..=4 {
        harness.at(count * 400).await;
        assert_eq!(socket.recv().await, Ok(Message::from("x")));
    }
    harness.assert_ends(2_100, Reason::ApplicationStalled).await;
}

#[tokio::test(start_paused = true)]
async fn it_also_counts_from_a_message_that_was_received_ahead() {
    let (mut harness, mut sockets) = handing_out(|builder| builder.inbox(100, 1_000_000));
    let mut websocket = harness.websocket(4).await;
    for _ in 0..20 {
        websocket.send("4x").await;
    }
    settle().await;
    let mut socket = sockets.recv().await.unwrap();
    // The other ones are received ahead with it.
    assert_eq!(socket.recv().await, Ok(Message::from("x")));
    for _ in 0..200 {
        websocket.send("4x").await;
    }
    for count in 1..=10 {
        harness.at(count * 400).await;
        assert_eq!(socket.recv().await, Ok(Message::from("x")));
    }
    harness.assert_ends(4_500, Reason::ApplicationStalled).await;
}

#[tokio::test(start_paused = true)]
async fn an_application_that_works_between_its_messages_gets_them_all() {
    for transport in ["websocket", "polling"] {
        let (builder, journal) = noting(|mut socket, journal| async move {
            while socket.recv().await.is_ok() {
                journal.note("read");
                sleep(ms(400)).await;
            }
        });
        let mut harness = Harness::patient(builder.inbox(10, 1_000_000).app_stall_timeout(ms(500)));
        let (_websocket, _polling);
        if transport == "websocket" {
            let mut websocket = harness.websocket(4).await;
            for _ in 0..30 {
                websocket.send("4x").await;
            }
            _websocket = websocket;
        } else {
            let mut polling = harness.polling(4).await;
            assert_eq!(polling.post(&["4x"; 30]).await.0, 200);
            _polling = polling;
        }
        harness.at(12_100).await;
        assert_eq!(journal.read().len(), 30, "{transport}");
        harness.assert_alive();
    }
}
