//! Heartbeats, and what they cost while nothing happens.

use core::time::Duration;

use serde_json::json;

use crate::{SOON, assert_content, engine_io, micros, reason};

/// How often the session's task may wake for a heartbeat: for the ping, and for an alarm that embassy-time's queue did
/// not take back when the deadline moved.
const WAKES_PER_HEARTBEAT: u64 = 2;
/// For the opening, the order and the closing.
const WAKES_BESIDES: u64 = 4;

#[test]
fn a_session_lives_through_ten_heartbeats_and_wakes_for_nothing_else() {
    let (mut board, mut server) = engine_io(1_000, 500, "");
    server.order(json!({"do": "text", "text": "every 0"}));
    for _ in 0..10 {
        server.expect("pong", SOON);
    }
    server.order(json!({"do": "close"}));
    let lost = board.expect("lost ", SOON);
    assert_eq!(reason(&lost), "transport close");
    assert!(micros(&lost, "open_us") >= Duration::from_secs(10), "{lost}");
    let wakes = lost.number("wakes").expect("a count");
    println!("{wakes} wake-ups in a session of ten heartbeats");
    assert!(wakes <= 10 * WAKES_PER_HEARTBEAT + WAKES_BESIDES, "{lost}");
    assert!(wakes >= 10, "{lost}: they are not counted");
    server.expect("open", SOON);
    assert_content(board, server);
}
