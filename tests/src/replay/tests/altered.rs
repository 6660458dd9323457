//! Recordings that were made to lie: the replay must notice.

use serde_json::json;

use super::super::Verdict;
use super::{change, differs, is_end, is_frame, recording, remove, shift, verdict};

#[test]
fn a_ping_100_ms_late_or_early_differs() {
    for millis in [-100.0, -3.0, 30.0, 100.0] {
        for name in ["eio4--timeout-websocket", "eio4-655--timeout-websocket", "eio4--upgrade-then-heartbeat"]
        {
            let mut lie = recording(name);
            change(&mut lie, |event| is_frame(event, "server", "2"), |event| shift(event, millis));
            assert!(differs(&lie), "{name} {millis}");
        }
    }
}

#[test]
fn a_ping_100_ms_late_on_polling_differs() {
    let is_ping =
        |event: &serde_json::Value| event["kind"] == "http_response" && event["body"]["text"] == "2";
    for millis in [-100.0, 100.0] {
        let mut lie = recording("eio4--heartbeat-polling");
        change(&mut lie, is_ping, |event| shift(event, millis));
        assert!(differs(&lie), "{millis}");
    }
}

#[test]
fn a_client_ping_at_the_wrong_time_differs() {
    for millis in [-100.0, 100.0] {
        let mut lie = recording("eio3-client--ping-timeout-ws");
        change(&mut lie, |event| is_frame(event, "client", "2"), |event| shift(event, millis));
        assert!(differs(&lie), "{millis}");
    }
}

#[test]
fn a_missing_ping_differs() {
    let mut lie = recording("eio4--heartbeat-period-drift");
    remove(&mut lie, |event| is_frame(event, "server", "2"));
    assert!(differs(&lie));
}

#[test]
fn a_missing_pong_differs_whoever_should_have_sent_it() {
    for (name, who, text) in [
        ("eio3--heartbeat-websocket", "server", "3"),
        ("eio4-client--heartbeat-normal", "client", "3"),
        ("eio4--upgrade-then-heartbeat", "client", "3"),
        ("sio09--client--heartbeat", "client", "2::"),
        ("sio09--ws-heartbeat", "client", "2::"),
    ] {
        let mut lie = recording(name);
        remove(&mut lie, |event| is_frame(event, who, text));
        assert!(differs(&lie), "{name}");
    }
}

#[test]
fn a_packet_too_many_differs() {
    for (name, who, text) in [
        ("eio4--timeout-websocket", "server", "2"),
        ("eio3--heartbeat-websocket", "server", "3"),
        ("eio4-client--heartbeat-normal", "client", "3"),
    ] {
        let mut lie = recording(name);
        let events = lie["events"].as_array_mut().expect("events");
        let index = events.iter().position(|event| is_frame(event, who, text)).expect("a frame");
        let mut twin = events[index].clone();
        shift(&mut twin, 40.0);
        events.push(twin);
        assert!(differs(&lie), "{name}");
    }
}

#[test]
fn another_reason_differs() {
    for (name, reason) in [
        ("eio4--timeout-websocket", "transport close"),
        ("eio4--close-by-client-tcp", "ping timeout"),
        ("eio3--parse-error-websocket", "transport error"),
        ("eio4--overlap-get", "transport close"),
        ("eio4-client--polling-ping-timeout", "transport error"),
        ("eio4-client--tcp-death-ws", "transport error"),
    ] {
        let mut lie = recording(name);
        change(&mut lie, is_end, |event| event["args"]["reason"] = json!(reason));
        assert!(differs(&lie), "{name}");
    }
}

#[test]
fn an_end_at_the_wrong_time_differs() {
    for name in ["eio4--timeout-websocket", "eio3on6--timeout-polling-nopoll", "eio4-client--wrong-direction"]
    {
        for millis in [-50.0, -3.0, 30.0, 300.0] {
            let mut lie = recording(name);
            change(&mut lie, is_end, |event| shift(event, millis));
            assert!(differs(&lie), "{name} {millis}");
        }
    }
}

#[test]
fn an_end_that_did_not_come_differs() {
    let mut lie = recording("eio4--timeout-websocket");
    remove(&mut lie, |event| is_end(event) || event["kind"] == "ws_close");
    let events = lie["events"].as_array_mut().expect("events");
    events.push(json!({ "t_ms": 900, "who": "observer", "kind": "note", "text": "nothing" }));
    assert!(differs(&lie));
}

#[test]
fn the_rules_of_another_version_differ() {
    for (name, version) in [
        ("eio4--message-once-while-ping-outstanding", "engine.io 6.6.9"),
        ("eio4--message-once-while-ping-outstanding", "engine.io 6.5.5"),
        ("eio4-669--message-once-while-ping-outstanding", "engine.io 6.6.12"),
        ("eio4-655--messages-only-no-heartbeat", "engine.io 6.6.0"),
        ("eio3on655--messages-only-no-heartbeat", "engine.io 6.6.12"),
        ("eio3on6--messages-only-no-heartbeat", "engine.io 6.5.5"),
    ] {
        let mut lie = recording(name);
        lie["server"] = json!(version);
        assert!(differs(&lie), "{name} as {version}");
    }
}

#[test]
fn an_answer_to_a_probe_that_is_missing_differs() {
    let mut lie = recording("eio4--upgrade-then-heartbeat");
    remove(&mut lie, |event| is_frame(event, "server", "3probe"));
    assert!(differs(&lie));
}

#[test]
fn noops_at_another_pace_differ() {
    let mut lie = recording("eio4--upgrade-noop-cadence");
    let is_noop =
        |event: &serde_json::Value| event["kind"] == "http_response" && event["body"]["text"] == "6";
    change(&mut lie, is_noop, |event| shift(event, 60.0));
    assert!(differs(&lie));
}

#[test]
fn a_candidate_given_up_at_another_time_differs() {
    let mut lie = recording("eio4--upgrade-timeout-no-5");
    change(&mut lie, |event| event["kind"] == "ws_close", |event| shift(event, 100.0));
    assert!(differs(&lie));
}

#[test]
fn a_close_packet_that_is_missing_differs() {
    for name in ["eio4--overlap-get", "eio3--timeout-polling-pending"] {
        let mut lie = recording(name);
        let is_close = |event: &serde_json::Value| {
            event["kind"] == "http_response" && matches!(event["body"]["text"].as_str(), Some("1" | "1:1"))
        };
        change(&mut lie, is_close, |event| event["body"]["text"] = json!("4x"));
        assert!(differs(&lie), "{name}");
    }
}

#[test]
fn a_period_of_socket_io_0_9_that_is_wrong_differs() {
    for (name, option, seconds) in [
        ("sio09--ws-heartbeat", "heartbeat interval", 0.35),
        ("sio09--xhr-poll-aborted", "polling duration", 0.6),
    ] {
        let mut lie = recording(name);
        lie["options"][option] = json!(seconds);
        assert!(differs(&lie), "{name}");
    }
}

#[test]
fn what_is_no_recording_is_refused() {
    for text in ["", "{}", r#"{"format":"eio-transcript/2"}"#] {
        assert!(super::Transcript::parse(text).is_err(), "{text}");
    }
}

#[test]
fn an_unaltered_recording_agrees() {
    assert_eq!(verdict(&recording("eio4--timeout-websocket")), Verdict::Agrees);
}
