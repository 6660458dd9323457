//! Heartbeats, and what they cost while nothing happens.

use core::time::Duration;

use serde_json::json;

use crate::{SOON, assert_content, engine_io, micros, reason};

/// One for each ping, and nothing for the time between.
const HEARTBEATS: u64 = 10;
/// The order, the readings before it, the close frame, the end of the stream.
const BESIDES: u64 = 4;

#[test]
fn a_session_lives_through_ten_heartbeats_and_wakes_for_nothing_else() {
    let (mut board, mut server) = engine_io(1_000, 5_000, "");
    server.order(json!({"do": "text", "text": "every 0"}));
    for _ in 0..HEARTBEATS {
        server.expect("pong", SOON);
    }
    server.order(json!({"do": "close"}));
    let lost = board.expect("lost ", SOON);
    assert_eq!(reason(&lost), "transport close");
    assert!(micros(&lost, "open_us") >= Duration::from_secs(10), "{lost}");
    let wakes = lost.number("wakes").expect("a count");
    println!("{wakes} wake-ups in a session of ten heartbeats");
    assert!((HEARTBEATS..=HEARTBEATS + BESIDES).contains(&wakes), "{lost}");
    server.expect("open", SOON);
    assert_content(board, server);
}
