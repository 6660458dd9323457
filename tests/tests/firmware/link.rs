//! The line, cut and mended; the cable, pulled and plugged in.

use core::time::Duration;

use serde_json::json;

use crate::security::Security;
use crate::{
    SOON, WINDOW, assert_at_the_bound, assert_content, assert_readings_in_order, engine_io, readings, reason,
};

#[test]
fn when_the_line_is_cut_both_ends_notice_at_their_bounds_and_the_board_comes_back() {
    cut(&Security::Tcp);
}

pub(crate) fn cut(security: &Security) {
    let (mut board, mut server) = security.engine_io(1_000, 500, "");
    server.order(json!({"do": "text", "text": "every 100"}));
    server.expect("pong", SOON);
    server.expect("pong", SOON);
    let reading = server.wait("a reading", SOON, |report| report["event"] == "text");
    board.set_line(false);
    let lost = board.expect("lost ", SOON);
    assert_at_the_bound(&lost, Duration::from_millis(1_500));
    let close = server.expect("close", SOON);
    assert_eq!(close["reason"], "ping timeout");
    // At most I + 2T after its last packet; the host's clock, read by a busy host.
    let passed = close["at"].as_u64().zip(reading["at"].as_u64()).map(|(close, reading)| close - reading);
    assert!(passed.is_some_and(|passed| passed < 2_000 + 1_000), "{close}");

    board.expect("waiting ", SOON);
    board.set_line(true);
    board.expect("open ", SOON);
    server.expect("open", SOON);
    for _ in 0..5 {
        server.wait("a reading", SOON, |report| report["event"] == "text");
    }
    assert_readings_in_order(&readings(&mut server));
    assert_content(board, server);
}

#[test]
fn a_cable_pulled_out_of_the_board_is_noticed_at_once_and_nothing_is_tried_until_it_is_back() {
    let (mut board, mut server) = engine_io(1_000, 500, "");
    board.set_plug(false);
    let down = board.expect("link_up = false", SOON);
    let lost = board.expect("lost ", SOON);
    assert_eq!(reason(&lost), "transport close");
    assert!(lost.at <= down.at + WINDOW, "{lost}");
    board.expect("offline", SOON);
    assert_eq!(server.expect("close", SOON)["reason"], "ping timeout");

    board.set_plug(true);
    let up = board.expect("link_up = true", SOON);
    let connecting = board.expect("connecting", SOON);
    assert!(connecting.at >= up.at, "{connecting}");
    board.expect("open ", SOON);
    server.expect("open", SOON);
    assert_content(board, server);
}

#[test]
fn while_nobody_answers_the_board_waits_longer_and_longer() {
    let (mut board, server) = engine_io(1_000, 500, "backoff=100");
    server.kill();
    board.expect("lost ", SOON);
    let mut waits = Vec::new();
    for attempt in 0..6 {
        let waiting = board.expect("waiting ", SOON);
        let wait = waiting.number("ms").expect("a number");
        let longest = (100 << (attempt + 1)).min(800);
        // What is left when it is logged: some of the first milliseconds have passed.
        assert!((80..=longest).contains(&wait), "{waiting}: attempt {attempt}");
        let connecting = board.expect("connecting", SOON);
        assert!(connecting.at >= waiting.at + Duration::from_millis(wait), "{waiting}, then {connecting}");
        waits.push(wait);
    }
    assert!(waits.windows(2).any(|pair| pair[0] != pair[1]), "no jitter: {waits:?}");
}
