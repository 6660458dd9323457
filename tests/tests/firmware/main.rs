//! The example firmware on an emulated board, against real servers: engine.io, Socket.IO and a NestJS gateway, and our own.
//!
//! What the board says is judged by the board's own clock, to 100 ms; what the servers say by the host's, generously.
//! Four boards run at a time. `cargo xtask test firmware` builds what these tests need, and runs them.

mod bounds;
mod chaos;
mod eio_serve;
mod ends;
mod link;
mod messages;
mod recovery;
mod replay;
mod security;
mod socketio;
mod tls;

use core::time::Duration;

use eio_tests::firmware::{Board, Line, Peer};

use security::Security;

/// How late the board may report an end, by its own clock.
const WINDOW: Duration = Duration::from_millis(100);
/// How long anything that should happen at once may take on a busy host.
const SOON: Duration = Duration::from_secs(15);

/// The board and a plain Engine.IO server that it has a session with.
fn engine_io(ping_interval: u64, ping_timeout: u64, arguments: &str) -> (Board, Peer) {
    Security::Tcp.engine_io(ping_interval, ping_timeout, arguments)
}

/// Why a session ended: what follows `reason=` in the board's line, in the reference's words.
fn reason(line: &Line) -> &str {
    line.text.split_once("reason=").expect("an end has a reason").1
}

/// The duration after `key=`, in microseconds.
fn micros(line: &Line, key: &str) -> Duration {
    Duration::from_micros(line.number(key).unwrap_or_else(|| panic!("{line} lacks {key}")))
}

/// Asserts that the board reported silence at its bound: never before, and at most [`WINDOW`] after.
fn assert_at_the_bound(lost: &Line, bound: Duration) {
    assert_eq!(reason(lost), "ping timeout", "{lost}");
    let silent = micros(lost, "silent_us");
    assert!(silent >= bound, "{lost}: before {bound:?}");
    assert!(silent <= bound + WINDOW, "{lost}: later than {bound:?} and {WINDOW:?}");
}

/// That no reading came twice, and none after a later one, in all that the server reported; how many came.
fn assert_readings_in_order(counts: &[u64]) {
    assert!(counts.is_sorted_by(|a, b| a < b), "a reading came twice or out of order: {counts:?}");
}

/// The counts of the readings in the reports of a plain Engine.IO server.
fn readings(server: &mut Peer) -> Vec<u64> {
    let texts = server.reports().iter().filter(|report| report["event"] == "text");
    texts
        .filter_map(|report| {
            let reading: serde_json::Value = serde_json::from_str(report["text"].as_str()?).ok()?;
            reading["count"].as_u64()
        })
        .collect()
}

/// Tells the board to stop, and checks what its own judge found.
fn assert_content(mut board: Board, mut server: Peer) {
    server.order(serde_json::json!({"do": "text", "text": "stop"}));
    assert_eq!(board.exit_code(SOON), 0, "the firmware's verdict");
}
