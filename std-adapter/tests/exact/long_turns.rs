//! An application that takes long in one turn: heartbeats wait for it, and the client has all of its time afterwards (rules 6
//! and 14).

use eio_tokio::{Server, Socket};
use futures_util::FutureExt as _;

use crate::support::{Harness, Reason, ms};

/// Takes so long in this turn.
fn take(millis: u64) {
    let _ = tokio::time::advance(ms(millis)).now_or_never();
}

/// Takes 150 ms in the turn in which the first ping is due.
async fn take_long(mut socket: Socket) {
    tokio::time::sleep(ms(300)).await;
    take(150);
    while socket.recv().await.is_ok() {}
}

#[tokio::test(start_paused = true)]
async fn a_ping_behind_a_long_turn_counts_from_when_it_leaves_on_websocket() {
    let mut harness = Harness::new(Server::builder(take_long));
    let mut websocket = harness.websocket(4).await;
    assert_eq!(websocket.text().await, "2");
    assert_eq!(harness.elapsed(), ms(450));
    harness.assert_ends(650, Reason::PingTimeout).await;
}

#[tokio::test(start_paused = true)]
async fn a_ping_behind_a_long_turn_counts_from_when_it_leaves_on_polling() {
    let mut harness = Harness::new(Server::builder(take_long));
    let mut polling = harness.polling(4).await;
    assert_eq!(polling.poll().await, ["2"]);
    assert_eq!(harness.elapsed(), ms(450));
    polling.begin_poll().await;
    harness.assert_ends(650, Reason::PingTimeout).await;
}

#[tokio::test(start_paused = true)]
async fn silence_behind_a_full_inbox_counts_from_the_end_of_the_turn_that_makes_room() {
    let builder = Server::builder(|mut socket: Socket| async move {
        tokio::time::sleep(ms(400)).await;
        take(150);
        while socket.recv().await.is_ok() {}
    });
    let mut harness = Harness::new(builder.inbox(1, 1_000_000).app_stall_timeout(ms(10_000)));
    let mut websocket = harness.websocket(4).await;
    assert_eq!(websocket.text().await, "2");
    websocket.send("4full").await;
    harness.assert_ends(750, Reason::PingTimeout).await;
}
