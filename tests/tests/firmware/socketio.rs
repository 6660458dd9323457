//! Stock Socket.IO, and a NestJS gateway as people configure it.

use core::time::Duration;

use eio_tests::firmware::{Board, Peer, Power};
use serde_json::json;

use crate::security::Security;
use crate::{SOON, assert_at_the_bound, assert_readings_in_order};

/// The board, and a server whose namespace it has joined.
fn joined(script: &str, ping_interval: u64, ping_timeout: u64) -> (Board, Peer) {
    joined_over(&Security::Tcp, script, ping_interval, ping_timeout)
}

pub(crate) fn joined_over(
    security: &Security,
    script: &str,
    ping_interval: u64,
    ping_timeout: u64,
) -> (Board, Peer) {
    let power = Power::on();
    let mut server = security.server(script, 0, ping_interval, ping_timeout);
    let mut board = security.board(power, server.port(), "namespace=/devices token=s3cret");
    board.expect("open ", SOON);
    assert_eq!(server.expect("open", SOON)["auth"], json!({"token": "s3cret"}));
    (board, server)
}

fn counts(server: &mut Peer) -> Vec<u64> {
    let reports = server.reports().iter();
    reports
        .filter(|report| report["name"] == "reading")
        .filter_map(|r| r["args"][0]["count"].as_u64())
        .collect()
}

#[test]
fn a_stock_socket_io_server_gets_events_and_answers_and_gives_both() {
    let (mut board, mut server) = joined("socketio", 25_000, 20_000);
    let hello = server.wait("hello", SOON, |report| report["name"] == "hello");
    assert_eq!(hello["wantsAck"], true);
    server.wait("a reading", SOON, |report| report["name"] == "reading");

    server.order(json!({"do": "emit", "name": "say", "args": ["grüße", {"deep": [1, null]}]}));
    let said = server.wait("said", SOON, |report| report["name"] == "said");
    assert_eq!(said["args"], json!(["grüße", {"deep": [1, null]}]));
    server.order(json!({"do": "ask", "name": "lamp", "args": ["on"]}));
    assert_eq!(server.expect("ack", SOON)["answer"], "done");
    server.order(json!({"do": "ask", "name": "every", "args": [100]}));
    assert_eq!(server.expect("ack", SOON)["answer"], "done");

    // Sent away from the namespace, it opens another session and joins again.
    server.order(json!({"do": "disconnect"}));
    assert_eq!(server.expect("close", SOON)["reason"], "server namespace disconnect");
    server.expect("open", SOON);
    board.expect("open ", SOON);
    server.order(json!({"do": "emit", "name": "stop"}));
    assert_eq!(board.exit_code(SOON), 0, "the firmware's verdict");
    assert_readings_in_order(&counts(&mut server));
}

#[test]
fn a_board_without_the_token_is_refused_and_goes_on_asking() {
    let power = Power::on();
    let server = Peer::node("socketio", 0, 25_000, 20_000);
    let arguments = format!("port={} namespace=/devices token=wrong limit=60 backoff=100", server.port());
    let mut board = Board::start(power, "firmware", &arguments);
    for _ in 0..3 {
        board.expect("open ", SOON);
        board.expect("waiting ", SOON);
    }
}

#[test]
fn a_nestjs_gateway_is_told_when_the_line_is_cut_and_has_the_board_back() {
    let (mut board, mut server) = joined("gateway", 5_000, 3_000);
    server.wait("hello", SOON, |report| report["name"] == "hello");
    server.order(json!({"do": "ask", "name": "every", "args": [200]}));
    server.wait("a reading", SOON, |report| report["name"] == "reading");
    server.order(json!({"do": "ask", "name": "every", "args": [0]}));
    assert_eq!(server.expect("ack", SOON)["answer"], "done");
    server.expect("pong", SOON);
    board.set_line(false);
    let lost = board.expect("lost ", SOON);
    assert_at_the_bound(&lost, Duration::from_secs(8));
    let reason = server.expect("reason", SOON);
    assert_eq!(reason["reason"], "ping timeout");
    assert_eq!(server.expect("handleDisconnect", SOON)["sid"], reason["sid"]);

    board.set_line(true);
    board.expect("open ", SOON);
    server.expect("open", SOON);
    server.order(json!({"do": "ask", "name": "every", "args": [100]}));
    server.wait("a reading", SOON, |report| report["name"] == "reading");

    // A gateway that hangs.
    server.order(json!({"do": "ask", "name": "every", "args": [0]}));
    assert_eq!(server.expect("ack", SOON)["answer"], "done");
    assert_readings_in_order(&counts(&mut server));
    server.expect("pong", SOON);
    server.freeze();
    assert_at_the_bound(&board.expect("lost ", SOON), Duration::from_secs(8));
}
