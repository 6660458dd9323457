//! Recordings that could have been made, and others of their kind: other periods, other transports, other failures.

use serde_json::json;

use super::super::Verdict;
use super::{Scene, excepted};

const SERVER: &str = "engine.io 6.6.12";
const SCRIPT: &str = "raw (scripted)";

#[test]
fn a_ping_that_nobody_polls_for_expires_like_any_other() {
    for (interval, timeout) in [(300_u16, 200_u16), (1_000, 400), (70, 60)] {
        let end = 1.0 + f64::from(interval + timeout) + 1.5;
        let scene = Scene::new("eio4", SERVER, "raw").polling(1.0, 4, interval.into(), timeout.into());
        assert_eq!(scene.end(end, "server", "ping timeout").verdict(), Verdict::Agrees);
    }
}

#[test]
fn a_late_message_restarts_the_timeout_once() {
    let scene = |at| {
        let scene = Scene::new("eio4", SERVER, "raw").socket(1.0, 4, 300, 200);
        let scene =
            scene.frame(302.0, "server", "2").frame(491.0, "client", "4x").frame(600.0, "client", "4x");
        scene.end(at, "server", "ping timeout").socket_closed(at + 0.5, "server").verdict()
    };
    assert_eq!(scene(692.0), Verdict::Agrees);
    assert!(matches!(scene(502.5), Verdict::Differs(_)));
    assert!(matches!(scene(801.0), Verdict::Differs(_)));
}

#[test]
fn a_message_in_the_race_with_a_ping_is_on_the_recorded_side_of_it() {
    // The timer was 3 ms late: the reference handled the message before its ping, and extended nothing.
    let scene = Scene::new("eio4", SERVER, "raw").socket(1.0, 4, 300, 200);
    let scene = scene.frame(303.0, "client", "4x").frame(304.0, "server", "2");
    let scene = scene.end(505.0, "server", "ping timeout").socket_closed(505.5, "server");
    assert_eq!(scene.verdict(), Verdict::Agrees);
}

#[test]
fn a_message_in_the_wait_of_a_revision_3_client_counts() {
    let scene = Scene::new("eio3", SCRIPT, "engine.io-client 3.5.6").socket(1.0, 3, 300, 200);
    let scene = scene.frame(302.0, "client", "2").frame(400.0, "server", "4x");
    let scene = scene.end(901.0, "client", "ping timeout").socket_closed(901.5, "client");
    assert_eq!(scene.verdict(), Verdict::Agrees);
}

#[test]
fn a_second_open_packet_ends_ours() {
    let second = super::open_packet(&[], 600, 200);
    let scene = Scene::new("eio4", SCRIPT, "engine.io-client 6.6.8").socket(1.0, 4, 300, 200);
    let scene = scene.frame(101.0, "server", &second);
    let scene = scene.end(902.0, "client", "ping timeout").socket_closed(902.5, "client");
    assert_eq!(scene.verdict(), excepted("12.8"));
}

#[test]
fn a_ping_outstanding_at_an_upgrade_still_expires() {
    for (server, ends) in [(SERVER, 2_600.0), ("engine.io 6.5.5", 1_300.0), ("engine.io 6.6.9", 5_000.0)] {
        let scene = Scene::new("eio4", server, "raw").polling(1.0, 4, 300, 200).candidate(2.0, 4);
        let scene = scene.frame(3.0, "client", "2probe").frame(3.2, "server", "3probe");
        let scene = scene.get(250.0, 2, 4, "&sid=SID").answer(302.0, 2, "2").frame(302.1, "client", "5");
        let scene = scene.end(ends, "server", "transport close").socket_closed(ends, "client");
        assert_eq!(scene.verdict(), excepted("B1"), "{server}");
    }
}

#[test]
fn a_revision_3_session_still_expires_after_an_upgrade() {
    let upgraded = |server| {
        let scene = Scene::new("eio3", server, "raw").polling(1.0, 3, 300, 200).candidate(2.0, 3);
        let scene = scene.frame(3.0, "client", "2probe").frame(3.2, "server", "3probe");
        scene.frame(4.0, "client", "5")
    };
    let silent =
        |scene: Scene| scene.end(2_600.0, "server", "transport close").socket_closed(2_600.0, "client");
    assert_eq!(silent(upgraded(SERVER)).verdict(), excepted("B2"));
    assert_eq!(silent(upgraded("engine.io 3.6.2")).verdict(), excepted("12.2"));
    let pinged = |server| upgraded(server).frame(100.0, "client", "2").frame(100.2, "server", "3");
    assert_eq!(silent(pinged(SERVER)).verdict(), excepted("B2"));
    // The oldest rule is repaired by any packet: then the reference must notice too.
    assert!(matches!(silent(pinged("engine.io 3.6.2")).verdict(), Verdict::Differs(_)));
}

#[test]
fn a_black_hole_after_an_upgrade_is_noticed_by_ours_on_both_sides() {
    let scene =
        Scene::new("eio3", SERVER, "engine.io-client 3.5.6").polling(1.0, 3, 300, 200).candidate(2.0, 3);
    let scene = scene.event(1.2, "client", "api", json!({ "event": "open" }));
    let scene = scene.frame(3.0, "client", "2probe").frame(3.2, "server", "3probe").frame(4.0, "client", "5");
    let scene = scene.frame(302.0, "client", "2").frame(302.2, "server", "3");
    let scene = scene.note(400.0, "all WebSocket frames are dropped from here; TCP is dropped as well");
    let scene = scene.dropped(603.0, "client", "2").end(804.0, "client", "ping timeout");
    let scene = scene.socket_closed(804.5, "client").note(3_000.0, "the server's session is still open");
    assert_eq!(scene.verdict(), excepted("B2"));
}

#[test]
fn an_upgrade_that_was_not_offered_is_refused() {
    let url = "/engine.io/?EIO=4&transport=polling";
    let scene = Scene::new("eio4", SERVER, "raw")
        .event(1.0, "client", "http_request", json!({ "id": 1, "method": "GET", "url": url, "body": null }))
        .answer(2.0, 1, &super::open_packet(&[], 25_000, 20_000))
        .candidate(3.0, 4)
        .frame(4.0, "client", "2probe")
        .frame(4.2, "server", "3probe")
        .frame(5.0, "client", "5")
        .end(30.0, "server", "transport close")
        .socket_closed(30.1, "client");
    assert_eq!(scene.verdict(), excepted("B27"));
}

#[test]
fn an_upgrade_in_another_revision_is_refused() {
    let scene =
        Scene::new("eio4", "engine.io 6.6.9", "raw").polling(1.0, 4, 25_000, 20_000).candidate(3.0, 3);
    let scene = scene.frame(4.0, "client", "2").socket_closed(6.0, "server");
    assert_eq!(scene.verdict(), excepted("B6"));
}

#[test]
fn a_pong_that_was_not_read_in_a_block_is_read_before_expiry() {
    let scene = Scene::new("eio4", SERVER, "raw").socket(1.0, 4, 300, 200).frame(302.0, "server", "2");
    let scene = scene.note(310.0, "event loop blocked for 1000 ms").frame(320.0, "client", "3");
    let scene = scene.note(1_310.0, "unblocked").end(1_311.0, "server", "ping timeout");
    assert_eq!(scene.socket_closed(1_311.5, "server").verdict(), excepted("B3"));
}

#[test]
fn a_ping_that_was_not_read_in_a_block_is_read_before_expiry() {
    for sent in [148.0, 149.8, 160.0, 900.0] {
        let scene = Scene::new("eio4", SCRIPT, "engine.io-client 6.6.8").socket(1.0, 4, 300, 200);
        let mut scene = scene.note(150.0, "event loop blocked for 1000 ms").frame(sent, "server", "2");
        scene.events.sort_by(|a, b| a["t_ms"].as_f64().partial_cmp(&b["t_ms"].as_f64()).expect("times"));
        let scene = scene.note(1_150.0, "unblocked").end(1_151.0, "client", "ping timeout");
        assert_eq!(scene.socket_closed(1_151.5, "client").verdict(), excepted("12.1"), "{sent}");
    }
}

#[test]
fn a_block_without_anything_to_read_ends_when_it_is_over() {
    let scene = Scene::new("eio4", SCRIPT, "engine.io-client 6.6.8").socket(1.0, 4, 300, 200);
    let scene = scene.note(150.0, "event loop blocked for 1000 ms").note(1_150.0, "unblocked");
    let scene = scene.end(1_151.0, "client", "ping timeout").socket_closed(1_151.5, "client");
    assert_eq!(scene.verdict(), Verdict::Agrees);
}

#[test]
fn a_pong_while_upgrading_is_sent_behind_the_upgrade() {
    let scene =
        Scene::new("eio4", SCRIPT, "engine.io-client 6.6.8").polling(1.0, 4, 300, 200).candidate(2.0, 4);
    let scene = scene.event(1.2, "client", "api", json!({ "event": "open" })).get(3.0, 2, 4, "&sid=SID");
    let scene = scene.frame(3.5, "client", "2probe").frame(3.6, "server", "3probe");
    let scene = scene.answer(250.0, 2, "2").frame(252.0, "client", "5").frame(252.1, "client", "3");
    let scene = scene.end(300.0, "client", "forced close").socket_closed(300.5, "client");
    assert_eq!(scene.verdict(), Verdict::Agrees);
}

#[test]
fn the_next_ping_counts_from_the_previous_one_too() {
    let scene = |next: f64| {
        let scene = Scene::new("eio4", SERVER, "raw").socket(1.0, 4, 300, 200).frame(302.0, "server", "2");
        let scene =
            scene.frame(480.0, "client", "3").frame(next, "server", "2").frame(next + 150.0, "client", "3");
        scene.end(next + 160.0, "server", "transport close").socket_closed(next + 160.0, "client").verdict()
    };
    assert_eq!(scene(781.0), excepted("12.11"));
    assert!(matches!(scene(850.0), Verdict::Differs(_)));
}

#[test]
fn a_request_that_was_answered_with_an_error_is_told_to_the_server() {
    let scene = Scene::new("eio4", SCRIPT, "engine.io-client 6.6.8").polling(1.0, 4, 25_000, 20_000);
    let scene = scene.get(2.0, 2, 4, "&sid=SID");
    let failed = json!({ "id": 2, "status": 502, "body": { "text": "" } });
    let scene = scene.event(40.0, "server", "http_response", failed).end(42.0, "client", "transport error");
    assert_eq!(scene.post(43.0, 3, 4, "1").verdict(), Verdict::Agrees);
}

#[test]
fn a_pong_just_before_its_ping_is_no_answer_to_it() {
    // The reference read it after its ping, and went on.
    let scene = Scene::new("eio4", SERVER, "raw").socket(1.0, 4, 300, 200).frame(300.0, "client", "3");
    let scene = scene.frame(302.0, "server", "2").frame(603.0, "server", "2").frame(604.0, "client", "3");
    let scene = scene.end(700.0, "server", "transport close").socket_closed(700.5, "client");
    assert_eq!(scene.verdict(), excepted("B4"));
}
