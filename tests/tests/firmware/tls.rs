//! Sessions over TLS with a server whose public key the board knows: what holds over TCP holds over TLS.

use core::time::Duration;

use eio_tests::firmware::{Board, Line};
use serde_json::json;

use crate::security::{Identity, Security};
use crate::socketio::joined_over;
use crate::{SOON, assert_at_the_bound, chaos, ends, link, messages};

#[test]
fn a_nestjs_gateway_over_tls_gets_and_gives_events_and_has_the_board_back_when_the_line_is_mended() {
    let security = Security::tls();
    let (mut board, mut server) = joined_over(&security, "gateway", 1_000, 500);
    let hello = server.wait("hello", SOON, |report| report["name"] == "hello");
    assert_eq!(hello["args"][0]["commands"][0], "lamp", "{hello}");
    server.order(json!({"do": "ask", "name": "every", "args": [100]}));
    assert_eq!(server.expect("ack", SOON)["answer"], "done");
    server.wait("a reading", SOON, |report| report["name"] == "reading");
    server.expect("pong", SOON);

    board.set_line(false);
    let lost = board.expect("lost ", SOON);
    assert_at_the_bound(&lost, Duration::from_millis(1_500));
    assert_eq!(server.expect("reason", SOON)["reason"], "ping timeout");
    board.set_line(true);
    board.expect("open ", SOON);
    server.expect("open", SOON);
    server.order(json!({"do": "ask", "name": "lamp", "args": ["on"]}));
    assert_eq!(server.expect("ack", SOON)["answer"], "done");
    server.order(json!({"do": "emit", "name": "stop"}));
    assert_eq!(board.exit_code(SOON), 0, "the firmware's verdict");
    println!("{}", handshake(&board));
}

#[test]
fn a_server_whose_key_was_replaced_is_refused_with_the_reason_and_the_right_one_is_not() {
    let right = Security::tls();
    let (mut board, server) = joined_over(&right, "gateway", 25_000, 20_000);
    let port = server.port();
    server.kill();
    board.expect("lost ", SOON);

    let wrong = Security::Tls(Identity::new());
    let mut server = wrong.server("gateway", port, 25_000, 20_000);
    for _ in 0..3 {
        let refused = board.expect("no session: the server ", SOON);
        assert_eq!(refused.text, "no session: the server was refused: the server's key is not a pinned key");
    }
    assert!(!server.reports().iter().any(|report| report["event"] == "open"), "it was told nothing");
    server.kill();

    let mut server = right.server("gateway", port, 25_000, 20_000);
    board.expect("open ", SOON);
    server.expect("open", SOON);
    server.wait("hello", SOON, |report| report["name"] == "hello");
    server.order(json!({"do": "emit", "name": "stop"}));
    assert_eq!(board.exit_code(SOON), 0, "the firmware's verdict");
}

#[test]
fn over_tls_a_server_that_hangs_is_noticed_at_the_bound() {
    ends::hang(&Security::tls());
}

#[test]
fn over_tls_a_server_that_is_killed_is_noticed_at_once_and_waited_for() {
    ends::kill(&Security::tls());
}

#[test]
fn over_tls_a_server_that_closes_the_session_gets_another() {
    ends::close(&Security::tls());
}

#[test]
fn over_tls_both_ends_notice_a_cut_line_at_their_bounds_and_the_board_comes_back() {
    link::cut(&Security::tls());
}

#[test]
fn over_tls_text_and_binary_arrive_whole_both_ways_longer_than_the_buffers_too() {
    messages::exchange(&Security::tls());
}

#[test]
fn over_tls_three_quarters_of_a_minute_of_chaos_end_every_session_on_time_and_send_nothing_twice() {
    chaos::chaos(&Security::tls(), Duration::from_secs(45), 2);
}

/// How long the board took from the first step of connecting to an open session, by its own clock: each time.
fn handshake(board: &Board) -> String {
    let mut connecting: Option<&Line> = None;
    let mut times = Vec::new();
    for line in board.seen() {
        if line.text.contains("connecting") {
            connecting = Some(line);
        } else if line.text.starts_with("open ")
            && let Some(begun) = connecting.take()
        {
            times.push(format!("{} ms", line.at.saturating_sub(begun.at).as_millis()));
        }
    }
    format!("from connecting to an open session over TLS: {}", times.join(", "))
}
