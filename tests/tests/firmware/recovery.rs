//! Socket.IO's connection state recovery, and binary events, with a stock server.

use core::time::Duration;

use eio_tests::firmware::{Board, Peer, Power};
use serde_json::json;

use crate::{SOON, reason};

#[test]
fn what_was_sent_while_the_line_was_cut_arrives_after_the_reconnect_and_nothing_arrives_twice() {
    let power = Power::on();
    let settings = json!({
        "port": 0, "pingInterval": 1000, "pingTimeout": 500,
        "connectionStateRecovery": {"maxDisconnectionDuration": 60_000},
    });
    let mut server = Peer::node_with("socketio", &settings);
    let arguments = format!("port={} namespace=/devices token=s3cret limit=120 backoff=100", server.port());
    let mut board = Board::start(power, "firmware", &arguments);
    board.expect("joined recovered=false", SOON);
    let open = server.expect("open", SOON);
    assert_eq!((&open["recovered"], &open["auth"]), (&json!(false), &json!({"token": "s3cret"})));
    server.order(json!({"do": "ask", "name": "every", "args": [0]}));
    assert_eq!(server.expect("ack", SOON)["answer"], "done");
    server.order(json!({"do": "broadcast", "name": "say", "args": ["before"]}));
    let before = server.wait("said", SOON, |report| report["name"] == "said");

    // An attachment longer than the board's send buffer, and one of no bytes.
    for length in [600, 0] {
        server.order(json!({"do": "emit", "name": "upload", "args": [length]}));
        let uploaded = server.wait("uploaded", SOON, |report| report["name"] == "uploaded");
        let [attachment] = uploaded["args"].as_array().expect("arguments").as_slice() else {
            panic!("{uploaded}")
        };
        assert_eq!((&attachment["length"], &attachment["matches"]), (&json!(length), &json!(true)));
    }

    // The board judges silence from the last ping.
    server.expect("pong", SOON);
    board.set_line(false);
    assert_eq!(reason(&board.expect("lost ", SOON)), "ping timeout");
    assert_eq!(server.expect("close", SOON)["reason"], "ping timeout");
    server.order(json!({"do": "broadcast", "name": "say", "args": ["missed", 1]}));
    server.order(json!({"do": "emit", "name": "say", "args": ["missed", 2]}));
    board.set_line(true);
    board.expect("joined recovered=true", SOON);
    let again = server.expect("open", SOON);
    assert_eq!((&again["recovered"], &again["sid"]), (&json!(true), &open["sid"]), "the same socket");
    assert_eq!(again["auth"]["token"], "s3cret");
    // It knows the position of the last event that it got, which came back with what it said.
    assert_eq!(again["auth"]["pid"].as_str().map(str::len), Some(20));
    for number in [1, 2] {
        let said = server.wait("said", SOON, |report| report["name"] == "said");
        assert_eq!((&said["args"][0], &said["args"][1]), (&json!("missed"), &json!(number)), "in order");
    }
    server.order(json!({"do": "emit", "name": "say", "args": ["after"]}));
    server.wait("after", SOON, |report| report["args"][0] == "after");
    let said = server.reports().iter().filter(|report| report["name"] == "said").count();
    assert_eq!((said, &before["args"][0]), (4, &json!("before")), "nothing twice");

    // A server that was restarted remembers nothing, and says so.
    let port = server.port();
    server.kill();
    board.expect("lost ", SOON);
    let server_again =
        json!({"port": port, "pingInterval": 1000, "pingTimeout": 500, "connectionStateRecovery": {}});
    let mut server = Peer::node_with("socketio", &server_again);
    board.expect("joined recovered=false", SOON);
    assert_eq!(server.expect("open", Duration::from_secs(1))["recovered"], false);
    server.order(json!({"do": "emit", "name": "stop"}));
    assert_eq!(board.exit_code(SOON), 0, "the firmware's verdict");
}
