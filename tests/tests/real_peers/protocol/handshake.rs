//! How a session opens, and which requests open none.

use eio_core::Revision;
use eio_tests::interop::{Case, Log};
use serde_json::{Value, json};

use super::{Cases as _, Stage, open_packet, short_patience};

pub(super) fn cases(revision: Revision, cases: &mut Vec<Case>) {
    cases.push(revision.case("a session opens on polling", opens_on_polling));
    if revision == Revision::V4 {
        cases.push(
            revision.case("without a revision that exists no session opens on polling", revision_on_polling),
        );
    }
    cases.push(
        revision.case("without a transport that exists no session opens on polling", transport_on_polling),
    );
    cases.push(revision.case("only a GET opens a session", method));
    cases.push(revision.case("a session opens on a WebSocket", opens_on_websocket));
    cases.push(revision.case("without a revision that exists no WebSocket opens", revision_on_websocket));
    cases.push(revision.case("without a transport that exists no WebSocket opens", transport_on_websocket));
}

/// "handshake, HTTP long-polling: successfully opens a session". Protocol, "Handshake"; revision 3, "0 open".
async fn opens_on_polling(revision: Revision, log: Log) {
    let mut stage = Stage::with_heartbeat(revision, short_patience(), &log).await;
    let query = format!("EIO={revision}&transport=polling");
    let answer = stage.ask("GET", &query, None).await;
    assert_eq!(answer.status, 200);
    assert_handshake(&stage.handshake(answer.text()), &json!(["websocket"]));
}

/// "handshake, HTTP long-polling: fails with an invalid 'EIO' query parameter". Protocol, "Query parameters".
async fn revision_on_polling(revision: Revision, log: Log) {
    let mut stage = Stage::open(revision, &log).await;
    for query in ["transport=polling", "EIO=abc&transport=polling"] {
        assert_eq!(stage.ask("GET", query, None).await.status, 400, "{query}");
    }
}

/// "handshake, HTTP long-polling: fails with an invalid 'transport' query parameter". Protocol, "Query parameters";
/// revision 3, "URLs".
async fn transport_on_polling(revision: Revision, log: Log) {
    let mut stage = Stage::open(revision, &log).await;
    let number = revision;
    for query in [format!("EIO={number}"), format!("EIO={number}&transport=abc")] {
        assert_eq!(stage.ask("GET", &query, None).await.status, 400, "{query}");
    }
}

/// "handshake, HTTP long-polling: fails with an invalid request method". Protocol, "Handshake"; revision 3, "Polling".
async fn method(revision: Revision, log: Log) {
    let mut stage = Stage::open(revision, &log).await;
    let query = stage.polling(None);
    for method in ["POST", "PUT"] {
        assert_eq!(stage.ask(method, &query, None).await.status, 400, "{method}");
    }
}

/// "handshake, WebSocket: successfully opens a session". Protocol, "Handshake"; revision 3, "Sample session with
/// WebSocket only".
async fn opens_on_websocket(revision: Revision, log: Log) {
    let mut stage = Stage::with_heartbeat(revision, short_patience(), &log).await;
    let query = stage.websocket(None);
    let mut socket = stage.connect(&query);
    let message = socket.message().await;
    assert_handshake(&open_packet(message.as_text().expect("an open packet is text")), &json!([]));
}

/// "handshake, WebSocket: fails with an invalid 'EIO' query parameter". Protocol, "Query parameters". Revision 3 itself is
/// invalid where it is not served; where it is, whatever is not 4 counts as 3, as in the reference.
async fn revision_on_websocket(revision: Revision, log: Log) {
    let mut stage = Stage::open(Revision::V4, &log).await;
    let queries: &[&str] = match revision {
        Revision::V4 => &["transport=websocket", "EIO=abc&transport=websocket"],
        Revision::V3 => &["EIO=3&transport=websocket"],
    };
    for query in queries {
        assert_eq!(stage.connect(query).refused().await, 400, "{query}");
    }
}

/// "handshake, WebSocket: fails with an invalid 'transport' query parameter". Protocol, "Query parameters"; revision 3,
/// "URLs".
async fn transport_on_websocket(revision: Revision, log: Log) {
    let mut stage = Stage::open(revision, &log).await;
    let number = revision;
    for query in [format!("EIO={number}"), format!("EIO={number}&transport=abc")] {
        assert_eq!(stage.connect(&query).refused().await, 400, "{query}");
    }
}

/// The five members that revision 4 names; revision 3 lets a server say more than its four.
fn assert_handshake(handshake: &Value, upgrades: &Value) {
    let members: Vec<_> = handshake.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(members, ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"]);
    assert!(handshake["sid"].is_string(), "{handshake}");
    assert_eq!(&handshake["upgrades"], upgrades);
    assert_eq!(handshake["pingInterval"], 300);
    assert_eq!(handshake["pingTimeout"], 200);
    assert_eq!(handshake["maxPayload"], 1_000_000);
}
