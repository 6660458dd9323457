//! A request on a session whose time has come: what is due happens at once, and what came in beside the request counts
//! (rules 5 and 6). tokio's timer ticks once in a millisecond; all of this happens between two ticks.

use core::time::Duration;

use eio_tokio::Server;

use crate::support::{Harness, Polling, Reason, listen, ms, settle};

const UNKNOWN: &str = r#"{"code":1,"message":"Session ID unknown"}"#;

/// Moves the clock on to this many microseconds after the start, whatever the timers say.
async fn move_to(harness: &Harness, micros: u64) {
    tokio::time::advance(Duration::from_micros(micros).saturating_sub(harness.elapsed())).await;
    settle().await;
}

/// A session that opened 300 µs behind a tick: its time is up at 500.3 ms, and the timer comes at 501 ms.
async fn between_ticks(revision: u8) -> (Harness, Polling) {
    let harness = Harness::new(Server::builder(listen));
    move_to(&harness, 300).await;
    let polling = harness.polling(revision).await;
    assert_eq!(harness.elapsed(), Duration::from_micros(300));
    (harness, polling)
}

#[tokio::test(start_paused = true)]
async fn a_poll_on_a_session_whose_time_is_up_is_refused_without_waiting_for_the_timer() {
    let (mut harness, mut polling) = between_ticks(3).await;
    move_to(&harness, 500_100).await;
    harness.assert_alive();
    move_to(&harness, 500_500).await;
    let query = polling.query();
    assert_eq!(polling.poll.request("GET", &query, b"").await, (400, UNKNOWN.to_owned()));
    let end = harness.end().await;
    assert_eq!((end.at, end.disconnect.reason), (Duration::from_micros(500_500), Reason::PingTimeout));
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_of_a_session_whose_time_is_up_is_refused_as_unknown() {
    let (harness, polling) = between_ticks(3).await;
    move_to(&harness, 500_100).await;
    move_to(&harness, 500_500).await;
    let mut candidate = harness.connect();
    candidate.send_upgrade(3, Some(&polling.sid)).await;
    assert_eq!(candidate.response().await, (400, "Session ID unknown".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_request_never_judges_a_session_on_websocket_whose_task_alone_sees_its_socket() {
    let mut harness = Harness::new(Server::builder(listen));
    move_to(&harness, 300).await;
    let mut websocket = harness.connect().upgrade(3, None).await;
    let open = websocket.text().await;
    move_to(&harness, 500_100).await;
    move_to(&harness, 500_500).await;
    let mut surplus = harness.connect();
    surplus.send_upgrade(3, open.split('"').nth(3)).await;
    assert_eq!(surplus.response().await.0, 101, "it is opened to be closed");
    harness.assert_alive();
    assert_eq!(harness.end().await.disconnect.reason, Reason::PingTimeout);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_refused_a_moment_before() {
    let (mut harness, mut polling) = between_ticks(3).await;
    move_to(&harness, 500_299).await;
    polling.begin_poll().await;
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn what_came_in_beside_the_poll_is_read_before_it_is_judged() {
    let (mut harness, mut polling) = between_ticks(3).await;
    move_to(&harness, 500_100).await;
    tokio::time::advance(Duration::from_micros(400)).await;
    let (query, ping) = (polling.query(), polling.payload(&["2"]));
    polling.poll.send_request("GET", &query, b"").await;
    polling.data.send_request("POST", &query, ping.as_bytes()).await;
    assert_eq!(polling.poll_answer().await, ["3"]);
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn data_that_is_still_coming_in_is_waited_for_until_the_timer_comes() {
    let (mut harness, mut polling) = between_ticks(3).await;
    let (query, ping) = (polling.query(), polling.payload(&["2"]));
    let head =
        format!("POST /engine.io/?{query} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", ping.len());
    polling.data.write(head.as_bytes()).await;
    move_to(&harness, 500_100).await;
    move_to(&harness, 500_500).await;
    polling.begin_poll().await;
    harness.assert_alive();
    polling.data.write(ping.as_bytes()).await;
    assert_eq!(polling.poll_answer().await, ["3"]);
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn data_without_a_sign_of_life_is_taken_and_judged_at_once() {
    let (mut harness, mut polling) = between_ticks(3).await;
    move_to(&harness, 500_100).await;
    move_to(&harness, 500_500).await;
    // Messages are none for a server of revision 3.
    assert_eq!(polling.post(&["4late"]).await.0, 200);
    let end = harness.end().await;
    assert_eq!((end.at, end.disconnect.reason), (Duration::from_micros(500_500), Reason::PingTimeout));
}

#[tokio::test(start_paused = true)]
async fn a_poll_after_a_stall_waits_for_what_the_stall_held_up() {
    let (mut harness, mut polling) = between_ticks(3).await;
    tokio::time::advance(ms(700)).await;
    let (query, ping) = (polling.query(), polling.payload(&["2"]));
    polling.poll.send_request("GET", &query, b"").await;
    settle().await;
    tokio::time::sleep(ms(2)).await;
    harness.assert_alive();
    polling.data.send_request("POST", &query, ping.as_bytes()).await;
    assert_eq!(polling.poll_answer().await, ["3"]);
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_fetches_a_ping_in_the_last_moment_has_the_whole_timeout_for_the_answer() {
    let (mut harness, mut polling) = between_ticks(4).await;
    move_to(&harness, 300_400).await;
    // T counts from then.
    move_to(&harness, 500_350).await;
    harness.assert_alive();
    move_to(&harness, 500_450).await;
    assert_eq!(polling.poll().await, ["2"]);
    move_to(&harness, 700_400).await;
    harness.assert_alive();
    assert_eq!(harness.end().await.disconnect.reason, Reason::PingTimeout);
    assert!((700_450..702_000).contains(&harness.elapsed().as_micros()), "{:?}", harness.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_fetches_nothing_saves_nobody() {
    let (mut harness, mut polling) = between_ticks(4).await;
    polling.begin_poll().await;
    move_to(&harness, 301_000).await;
    assert_eq!(polling.poll_answer().await, ["2"]);
    move_to(&harness, 400_000).await;
    polling.begin_poll().await;
    harness.assert_ends(501, Reason::PingTimeout).await;
}

/// The client has done all that it can, and what it sent waits at the server, which does not run.
#[tokio::test(start_paused = true)]
async fn a_stall_that_keeps_a_ping_from_leaving_does_not_cost_the_client_its_session() {
    let mut harness = Harness::new(Server::builder(listen));
    let mut polling = harness.polling(4).await;
    harness.at(301).await;
    let query = polling.query();
    polling.poll.send_request("GET", &query, b"").await;
    tokio::time::advance(ms(400)).await;
    assert_eq!(polling.poll_answer().await, ["2"]);
    harness.at(900).await;
    harness.assert_alive();
    assert_eq!(polling.post(&["3"]).await.0, 200);
    polling.begin_poll().await;
    harness.at(999).await;
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn nor_does_one_in_the_midst_of_an_upgrade() {
    let mut harness = Harness::new(Server::builder(listen));
    let polling = harness.polling(4).await;
    harness.at(250).await;
    let mut websocket = harness.probed(&polling).await;
    harness.at(301).await;
    websocket.send("5").await;
    tokio::time::advance(ms(400)).await;
    assert_eq!(websocket.text().await, "2");
    harness.at(890).await;
    harness.assert_alive();
    websocket.send("3").await;
    harness.at(1_000).await;
    harness.assert_alive();
}
