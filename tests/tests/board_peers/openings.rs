//! What the request for a session carries, and how servers refuse it.

use eio_core::DisconnectReason;
use eio_core::packet::WebSocketMessage;
use eio_core::ws::opening::ResponseError;
use eio_embassy::{BasicAuth, ClientSettings, ConnectError, Endpoint, Loss};
use serde_json::json;

use crate::board::{ENGINEIO, in_session, refused};
use crate::server::{Server, engineio};

const RIGHT: BasicAuth<64> = login("device:s3cret");
const WRONG: BasicAuth<64> = login("device:guess");
const PLAIN: ClientSettings = ClientSettings::DEFAULT;
const TELEMETRY: ClientSettings = ClientSettings { subprotocol: Some("telemetry.v2"), ..PLAIN };

const fn login(user_and_password: &str) -> BasicAuth<64> {
    BasicAuth::new(user_and_password).expect("it is short")
}

/// Opens a session, says something, and returns what the server told of it.
fn greet(server: &mut Server, headers: &[(&str, &str)], settings: &ClientSettings) -> serde_json::Value {
    let endpoint = Endpoint { headers, ..ENGINEIO };
    in_session(server, &endpoint, settings, async |client, server| {
        let opened = server.hears("open").await;
        client.send(WebSocketMessage::Text("hello")).await.expect("it is open");
        client.recv().await.expect("the echo");
        assert_eq!(server.hears("message").await["text"], "hello");
        json!(opened)
    })
}

#[test]
fn headers_and_a_password_reach_engine_io() {
    let mut server = engineio(&json!({ "credentials": "device:s3cret", "echo": true }));
    let opened = greet(&mut server, &[("X-Api-Key", "k3y"), RIGHT.header()], &PLAIN);
    assert_eq!((&opened["key"], &opened["transport"]), (&json!("k3y"), &json!("websocket")));
}

#[test]
fn a_wrong_password_is_refused_in_the_servers_words_and_the_right_one_is_not() {
    let status = |status| Loss::Connect(ConnectError::Response(ResponseError::Status { status }));
    for (options, expected) in [
        // A proxy, or what ws recommends.
        (json!({ "credentials": "device:s3cret", "echo": true }), status(401)),
        // The engine answers every refusal of a WebSocket with 400.
        (json!({ "refuse": "who are you" }), status(400)),
    ] {
        let mut server = engineio(&options);
        for header in [WRONG.header(), ("X-Api-Key", "s3cret")] {
            let endpoint = Endpoint { headers: &[header], ..ENGINEIO };
            assert_eq!(refused(&mut server, &endpoint, &PLAIN), expected, "{options}");
        }
        assert!(!server.has_told("open"), "{options}");
        if options["echo"] == true {
            greet(&mut server, &[RIGHT.header()], &PLAIN);
        }
    }
}

/// engine.io drops the connection of a WebSocket that a middleware answers: its status is lost.
#[test]
fn a_password_that_a_middleware_refuses_ends_the_connection() {
    let mut server = engineio(&json!({ "middleware": "device:s3cret", "echo": true }));
    let endpoint = Endpoint { headers: &[WRONG.header()], ..ENGINEIO };
    let Loss::Connect(error) = refused(&mut server, &endpoint, &PLAIN) else { panic!("it has connected") };
    let reason = error.reason().expect("it has ended");
    assert!(
        matches!(reason, DisconnectReason::TransportClosed | DisconnectReason::TransportReset),
        "{reason:?}"
    );
    greet(&mut server, &[RIGHT.header()], &PLAIN);
}

#[test]
fn a_server_chooses_the_subprotocol_that_is_offered() {
    for options in [json!({ "echo": true }), json!({ "echo": true, "subprotocol": "telemetry.v2" })] {
        let opened = greet(&mut engineio(&options), &[], &TELEMETRY);
        assert_eq!(opened["subprotocol"], "telemetry.v2", "{options}");
    }
    let opened = greet(&mut engineio(&json!({ "echo": true })), &[], &PLAIN);
    assert_eq!(opened["subprotocol"], "", "nothing is offered");
}

#[test]
fn a_server_without_the_subprotocol_is_left_at_once() {
    for (answer, expected) in [
        ("", ConnectError::SubprotocolRefused),
        ("telemetry.v1", ConnectError::Response(ResponseError::Protocol)),
    ] {
        let mut server = engineio(&json!({ "subprotocol": answer }));
        assert_eq!(refused(&mut server, &ENGINEIO, &TELEMETRY), Loss::Connect(expected), "{answer}");
        let closed = server.runtime().block_on(async {
            server.hears("open").await;
            server.hears("close").await
        });
        assert_eq!(closed["reason"], "transport close", "{answer}: its session does not stay");
    }
}
