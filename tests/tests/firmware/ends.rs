//! Servers that hang, die, close and restart.

use core::time::Duration;

use eio_tests::firmware::{Board, Peer, Power};
use serde_json::json;

use crate::security::Security;
use crate::{SOON, assert_at_the_bound, assert_content, assert_readings_in_order, readings, reason};

#[test]
fn a_server_that_hangs_is_noticed_at_the_bound() {
    hang(&Security::Tcp);
}

pub(crate) fn hang(security: &Security) {
    let (mut board, mut server) = security.engine_io(1_000, 500, "");
    server.order(json!({"do": "text", "text": "every 0"}));
    server.expect("pong", SOON);
    server.expect("pong", SOON);
    server.freeze();
    let lost = board.expect("lost ", SOON);
    assert_at_the_bound(&lost, Duration::from_millis(1_500));
    // Its kernel still takes connections; nobody answers on them, until it goes on.
    server.thaw();
    board.expect("open ", Duration::from_secs(40));
    server.expect("open", SOON);
    assert_content(board, server);
}

#[test]
fn a_server_that_is_killed_is_noticed_at_once_and_waited_for() {
    kill(&Security::Tcp);
}

pub(crate) fn kill(security: &Security) {
    let (mut board, server) = security.engine_io(25_000, 20_000, "");
    let port = server.port();
    server.kill();
    let lost = board.expect("lost ", SOON);
    assert!(["transport close", "transport error"].contains(&reason(&lost)), "{lost}");
    let refused = board.expect("no session: ", SOON);
    assert_eq!(refused.text, "no session: the connection was refused");
    let mut server = security.server("engineio", port, 25_000, 20_000);
    board.expect("open ", SOON);
    server.expect("open", SOON);
    assert_content(board, server);
}

#[test]
fn a_server_that_closes_the_session_gets_another() {
    close(&Security::Tcp);
}

pub(crate) fn close(security: &Security) {
    let (mut board, mut server) = security.engine_io(25_000, 20_000, "");
    server.order(json!({"do": "close"}));
    let lost = board.expect("lost ", SOON);
    assert_eq!(reason(&lost), "transport close");
    assert_eq!(server.expect("close", SOON)["reason"], "forced close");
    board.expect("open ", SOON);
    server.expect("open", SOON);
    assert_content(board, server);
}

#[test]
fn a_server_that_restarts_five_times_has_the_board_back_each_time() {
    let power = Power::on();
    let mut server = Peer::node("engineio", 0, 1_000, 500);
    let port = server.port();
    let mut board = Board::start(power, "firmware", &format!("port={port} limit=240 backoff=100"));
    let mut counts = Vec::new();
    for _ in 0..5 {
        board.expect("open ", SOON);
        server.expect("open", SOON);
        server.wait("a reading", SOON, |report| report["event"] == "text");
        counts.extend(readings(&mut server));
        server.kill();
        let lost = board.expect("lost ", SOON);
        assert!(["transport close", "transport error"].contains(&reason(&lost)), "{lost}");
        server = Peer::node("engineio", port, 1_000, 500);
    }
    board.expect("open ", SOON);
    server.expect("open", SOON);
    assert_readings_in_order(&counts);
    assert!(counts.len() >= 5, "{counts:?}");
    assert_content(board, server);
}
