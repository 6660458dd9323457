//! A namespace that is left is not the session's end.

use serde_json::{Value, json};

use super::super::Verdict;
use super::{Scene, open_packet};

/// Periods in seconds: heartbeats every 300 ms, 600 ms for an echo, 800 ms to come back.
fn scene(role: &str) -> Scene {
    let (server, client) =
        if role == "server" { ("socket.io 0.9.19", "raw") } else { ("scripted", "socket.io-client 0.9.17") };
    let mut scene = Scene::new("sio09", server, client);
    scene.options = json!({ "heartbeat interval": 0.3, "heartbeat timeout": 0.6, "close timeout": 0.8 });
    let request = json!({ "id": 1, "method": "GET", "url": "/socket.io/1/", "body": null });
    let scene = scene.event(0.0, "client", "http_request", request).answer(0.5, 1, "SID:0.6:0.8:websocket");
    let connect = json!({ "conn": 1, "url": "/socket.io/1/websocket/SID" });
    scene.event(1.0, "client", "ws_connect", connect).frame(1.2, "server", "1::")
}

impl Scene {
    fn left(self, at: f64, who: &str, args: &Value) -> Self {
        self.event(at, who, "api", json!({ "event": "disconnect", "args": args }))
    }

    /// A heartbeat, and its echo.
    fn heartbeat(self, at: f64) -> Self {
        self.frame(at, "server", "2::").frame(at + 0.5, "client", "2::")
    }
}

#[test]
fn a_server_whose_client_leaves_a_namespace_goes_on_until_the_echo_stays_away() {
    for args in [json!({ "reason": "packet" }), json!({ "reason": "packet", "nsp": "/chat" }), json!({})] {
        let scene = scene("server").frame(100.0, "client", "1::/chat").frame(100.5, "server", "1::/chat");
        let scene = scene.frame(200.0, "client", "0::/chat").left(200.5, "server", &args);
        let scene = scene.heartbeat(302.0).frame(604.0, "server", "2::");
        let scene = scene.left(1_205.0, "server", &json!({ "reason": "heartbeat timeout" }));
        assert_eq!(scene.socket_closed(1_205.5, "server").verdict(), Verdict::Agrees, "{args}");
    }
}

#[test]
fn a_server_that_sends_a_client_out_of_a_namespace_goes_on() {
    // Reported before the packet is seen, and just before a heartbeat.
    let scene = scene("server").heartbeat(302.0).left(590.0, "server", &json!({ "reason": "booted" }));
    let scene = scene.frame(590.3, "server", "0::/chat").frame(603.0, "server", "2::");
    assert_eq!(scene.verdict(), Verdict::Agrees);
}

#[test]
fn a_session_that_ends_just_after_a_namespace_was_left_ends() {
    let scene = |reports: usize| {
        let mut scene = scene("server").heartbeat(302.0).frame(400.0, "client", "0::/chat");
        scene = scene.frame(401.0, "client", "0::");
        for _ in 0..reports {
            scene = scene.left(401.5, "server", &json!({ "reason": "booted" }));
        }
        scene.socket_closed(402.0, "server").note(2_000.0, "nothing more")
    };
    for reports in [1, 2] {
        assert_eq!(scene(reports).verdict(), Verdict::Agrees, "{reports}");
    }
}

#[test]
fn a_session_whose_heartbeats_stop_when_a_namespace_is_left_differs() {
    let scene = scene("server").frame(200.0, "client", "0::/chat");
    let scene = scene.left(200.5, "server", &json!({ "reason": "packet" })).note(900.0, "nothing more");
    assert!(matches!(scene.verdict(), Verdict::Differs(_)));
}

#[test]
fn a_client_that_leaves_a_namespace_or_is_sent_out_echoes_on_until_silence() {
    for who in ["client", "server"] {
        let scene = scene("client").frame(100.0, "client", "1::/chat").frame(100.5, "server", "1::/chat");
        let scene = scene.frame(200.0, who, "0::/chat").left(200.2, "client", &json!({ "reason": null }));
        let scene = scene.heartbeat(302.0).left(903.0, "client", &json!({ "reason": null }));
        assert_eq!(scene.socket_closed(903.5, "client").verdict(), Verdict::Agrees, "{who}");
    }
}

#[test]
fn a_client_of_socket_io_4_that_leaves_a_namespace_goes_on() {
    for word in ["io client disconnect", "io server disconnect"] {
        let scene = Scene::new("sio5/eio4", "socket.io 4.8.4", "socket.io-client 4.8.4");
        let scene = scene.event(1.0, "server", "api", json!({ "event": "engine connection", "args": {} }));
        let scene = scene.socket(1.0, 4, 300, 200).event(2.0, "client", "api", json!({ "event": "connect" }));
        let scene = scene.left(100.0, "client", &json!({ "reason": word, "nsp": "/chat" }));
        let scene =
            scene.frame(100.5, "client", "41/chat,").frame(301.5, "server", "2").frame(302.0, "client", "3");
        let engine = json!({ "event": "engine close", "args": { "reason": "transport close" } });
        let scene = scene.left(400.0, "client", &json!({ "reason": "io client disconnect" }));
        let scene = scene.socket_closed(400.5, "client").event(401.0, "server", "api", engine);
        assert_eq!(scene.verdict(), Verdict::Agrees, "{word}");
    }
}

/// A session of Socket.IO 4 on polling, whose second poll is pending.
fn polling(client: &'static str) -> Scene {
    let mut scene = Scene::new("sio5/eio4", "socket.io 4.8.4", client);
    scene.options = json!({});
    let scene = scene.event(1.0, "server", "api", json!({ "event": "engine connection", "args": {} }));
    let scene = scene.get(0.5, 1, 4, "").answer(1.5, 1, &open_packet(&["websocket"], 25_000, 20_000));
    scene.get(3.0, 2, 4, "&sid=SID")
}

#[test]
fn a_poll_that_was_aborted_is_heard_from_whatever_tells_of_it() {
    let said = json!({ "text": "destroys TCP connection of request 2" });
    let aborted = json!({ "id": 2, "error": "ECONNRESET" });
    // The request's end was seen in time, late, or never.
    let told: [&[(f64, &str, &Value)]; 4] = [
        &[(60.0, "action", &said), (60.7, "http_error", &aborted)],
        &[(60.2, "http_abort", &aborted)],
        &[(75.0, "http_abort", &aborted)],
        &[],
    ];
    for (number, events) in told.into_iter().enumerate() {
        let reason = json!({ "reason": "transport error" });
        let mut scene = polling("raw").left(60.5, "server", &reason);
        scene = scene.event(60.5, "server", "api", json!({ "event": "engine close", "args": reason }));
        for (at, kind, fields) in events {
            scene = scene.event(*at, "client", kind, (*fields).clone());
        }
        assert_eq!(scene.note(300.0, "nothing more").verdict(), Verdict::Agrees, "{number}");
    }
}

#[test]
fn a_client_hears_of_its_poll_s_end_from_its_own_report() {
    let scene = polling("socket.io-client 4.8.4").event(2.0, "client", "api", json!({ "event": "connect" }));
    let reason = json!({ "reason": "transport error" });
    let scene =
        scene.event(60.0, "server", "api", json!({ "event": "engine close", "args": reason.clone() }));
    let scene = scene.left(62.0, "client", &reason).post(62.5, 3, 4, "1");
    assert_eq!(scene.note(300.0, "nothing more").verdict(), Verdict::Agrees);
}

#[test]
fn a_poll_that_ends_long_before_it_is_reported_differs() {
    let aborted = json!({ "id": 2 });
    let scene = polling("raw").event(60.0, "client", "http_abort", aborted);
    let end = json!({ "event": "engine close", "args": { "reason": "transport error" } });
    let scene = scene.event(160.0, "server", "api", end).note(300.0, "nothing more");
    assert!(matches!(scene.verdict(), Verdict::Differs(_)));
}
