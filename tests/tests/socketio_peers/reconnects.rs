//! Clients that come back.

use std::time::Duration;

use eio_tests::interop::{Case, Log, Mode, soon};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::client::Client;
use crate::peer::{Library, Peer};
use crate::server::TestServer;

pub(crate) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(
        peer.case("a client that the server disconnected stays away until it is told to come", stays_away),
    );
    if peer.library == Library::Python && peer.mode == Mode::Polling {
        // It does not come back from the end of a session that a packet announces.
        return;
    }
    cases
        .push(peer.case("a client whose session the server closed comes back as another socket", comes_back));
    cases.push(peer.case("a client comes back to a server that was away", server_was_away));
    if !peer.is_old() {
        cases.push(peer.case("a client shows new credentials each time that it comes", new_credentials));
    }
}

/// Options of a client that comes back soon.
fn soon_back(peer: Peer) -> Value {
    match peer.library {
        Library::Python => {
            json!({ "reconnection": true, "reconnection_delay": 0.05, "reconnection_delay_max": 0.2, "randomization_factor": 0 })
        }
        _ => json!({ "reconnection": true, "reconnectionDelay": 50, "reconnectionDelayMax": 200 }),
    }
}

async fn comes_back(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let more = json!({ "options": soon_back(peer) });
    let mut client = Client::open_with(peer, &server, "/", more, &log).await;
    let first = client.joined().await;
    client.settled().await;
    let socket = server.joined().await;
    socket.engine().close();
    client.disconnected().await;
    if peer.library != Library::Python {
        // It keeps this until it is back.
        client.emit("while away", &json!([1]));
    }
    assert_eq!(server.left().await.0, socket);
    let second = client.joined().await;
    assert_ne!(first, second);
    let socket = server.joined().await;
    assert_eq!(socket.id().as_str(), second);
    if peer.library != Library::Python {
        assert_eq!(server.event().await.1, "while away");
    }
    assert_eq!(client.call("sum", &json!([1, 2])).await, json!([3]));
    client.command("leave", json!({}));
    assert_eq!(server.left().await.2, "client namespace disconnect");
}

async fn server_was_away(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let more = json!({ "options": soon_back(peer) });
    let mut client = Client::open_with(peer, &server, "/", more, &log).await;
    client.joined().await;
    client.settled().await;
    let (address, socket) = (server.address, server.joined().await);
    server.stop_accepting();
    soon("the shutdown", server.server.shutdown(Duration::from_secs(10))).await;
    assert_eq!(server.left().await, (socket, Vec::new(), "server shutting down"));
    client.disconnected().await;
    drop(server);
    // Some attempts fail.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let listener = soon("the port to be free", async {
        loop {
            match TcpListener::bind(address).await {
                Ok(listener) => return listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await;
    let server = TestServer::start_on(listener, &log, |builder| builder);
    client.joined().await;
    server.joined().await;
    assert_eq!(client.call("sum", &json!([1, 2])).await, json!([3]));
    client.command("leave", json!({}));
    assert_eq!(server.left().await.2, "client namespace disconnect");
}

async fn stays_away(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let more = json!({ "options": soon_back(peer) });
    let mut client = Client::open_with(peer, &server, "/", more, &log).await;
    client.joined().await;
    client.settled().await;
    server.joined().await.disconnect();
    server.left().await;
    client.disconnected().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!client.has_told("connect"));
    server.assert_quiet();
    if peer.library != Library::Python {
        client.command("connect", json!({}));
        client.joined().await;
        server.joined().await;
        client.command("leave", json!({}));
        assert_eq!(server.left().await.2, "client namespace disconnect");
    }
}

async fn new_credentials(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let (first, second) =
        (json!({ "token": "right", "number": 1 }), json!({ "token": "right", "number": 2 }));
    let more = json!({ "options": soon_back(peer), "everyAuth": [first, second] });
    let mut client = Client::open_with(peer, &server, "/guarded", more, &log).await;
    client.joined().await;
    client.settled().await;
    let socket = server.joined().await;
    assert_eq!(socket.auth().first::<Value>().expect("JSON"), first);
    socket.engine().close();
    server.left().await;
    assert_eq!(server.joined().await.auth().first::<Value>().expect("JSON"), second);
    client.joined().await;
    client.command("leave", json!({}));
    assert_eq!(server.left().await.2, "client namespace disconnect");
}
