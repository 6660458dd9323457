//! Messages in both directions, shorter and longer than the board's buffers of 512 bytes.

use serde_json::json;

use crate::security::Security;
use crate::{SOON, assert_content};

/// Longer than any buffer of the board, and not by a round number.
const LONG: u32 = 20_011;

#[test]
fn text_and_binary_arrive_whole_both_ways_longer_than_the_buffers_too() {
    exchange(&Security::Tcp);
}

pub(crate) fn exchange(security: &Security) {
    let (mut board, mut server) = security.engine_io(1_000, 5_000, "");
    server.order(json!({"do": "text", "text": "every 0"}));

    server.order(json!({"do": "text", "text": "say grüße, 板"}));
    server.wait("the echo", SOON, |report| report["text"] == "grüße, 板");
    server.order(json!({"do": "binary", "base64": "AAEC/w=="}));
    let got = format!("got binary 4 {:08x}", hash(&[0, 1, 2, 255]));
    server.wait(&got, SOON, |report| report["text"] == got);

    for (order, kind) in [("long text", "text"), ("long binary", "binary")] {
        server.order(json!({"do": order, "length": LONG}));
        let sent = if kind == "text" { pattern_text(LONG) } else { pattern(LONG) };
        let got = format!("got {kind} {LONG} {:08x}", hash(&sent));
        server.wait(&got, SOON, |report| report["text"] == got);
    }
    for (command, event) in [("upload", "binary"), ("upload text", "text")] {
        server.order(json!({"do": "text", "text": format!("{command} {LONG}")}));
        let report =
            server.wait(command, SOON, |report| report["event"] == event && report["length"] == LONG);
        assert_eq!(report["matches"], true, "{report}");
    }
    assert!(!board.log().iter().any(|line| line.text.starts_with("lost")), "one session carried it all");
    assert_content(board, server);
}

/// The bytes that the board and the servers know (`pattern` in `tests/nest/src/wire.ts`).
fn pattern(len: u32) -> Vec<u8> {
    let mut state = len;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    core::iter::repeat_with(next).take(len as usize).collect()
}

fn pattern_text(len: u32) -> Vec<u8> {
    pattern(len).into_iter().map(|byte| b'a' + byte % 26).collect()
}

/// FNV-1a, with which the board confirms what it got.
fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811C_9DC5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
