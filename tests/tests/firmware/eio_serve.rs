//! Our own server at the other end: the same core decides on both sides of the wire.

use core::time::Duration;

use eio_tests::firmware::{Board, Peer, Power};

use crate::{SOON, assert_at_the_bound, assert_readings_in_order, reason};

/// The numbers of the readings that the server took.
fn counts(server: &mut Peer) -> Vec<u64> {
    let messages = server.reports().iter().filter(|report| report["event"] == "message");
    messages
        .filter_map(|report| {
            let reading: serde_json::Value = serde_json::from_str(report["data"].as_str()?).ok()?;
            reading["count"].as_u64()
        })
        .collect()
}

#[test]
fn our_own_server_and_the_board_agree_about_heartbeats_hanging_cuts_and_restarts() {
    let power = Power::on();
    let mut server = Peer::eio(0, 1_000, 500);
    let port = server.port();
    let mut board = Board::start(power, "firmware", &format!("port={port} limit=240 backoff=100"));
    board.expect("open interval=1000 timeout=500", SOON);
    for _ in 0..10 {
        server.expect("pong", SOON);
    }

    server.freeze();
    let lost = board.expect("lost ", SOON);
    assert_at_the_bound(&lost, Duration::from_millis(1_500));
    server.thaw();
    board.expect("open ", Duration::from_secs(40));

    server.wait("a reading of the new session", SOON, |report| report["event"] == "message");
    server.expect("pong", SOON);
    board.set_line(false);
    let lost = board.expect("lost ", SOON);
    assert_at_the_bound(&lost, Duration::from_millis(1_500));
    let close = server.wait("silence", SOON, |report| report["reason"] == "ping timeout");
    // At most I + 2T of silence are allowed, and a busy host is a little late.
    assert!(close["silent_ms"].as_u64().is_some_and(|silent| (1_500..2_500).contains(&silent)), "{close}");
    board.set_line(true);
    board.expect("open ", SOON);
    server.expect("message", SOON);

    let counts = counts(&mut server);
    assert_readings_in_order(&counts);
    server.kill();
    let lost = board.expect("lost ", SOON);
    assert!(["transport close", "transport error"].contains(&reason(&lost)), "{lost}");
    let mut server = Peer::eio(port, 1_000, 500);
    board.expect("open ", SOON);
    server.expect("message", SOON);
    assert!(!board.log().iter().any(|line| line.level == "error"));
}
