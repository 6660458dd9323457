//! Every way in which a socket can end, and what each side says of it.

use std::time::Duration;

use eio_socketio::Socket;
use eio_tests::interop::{Cable, Case, Log, Mode, soon};
use serde_json::json;

use crate::client::{Client, start_process};
use crate::peer::{Library, Peer};
use crate::server::TestServer;

/// What ends a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    ClientLeaves,
    ServerDisconnects,
    ServerCloses,
    ServerClosesSession,
    ServerShutsDown,
    ClientAbandons,
    ClientIsCut,
    ClientIsMute,
    Garbage,
    EventToOtherNamespace,
    JoinsTwice,
    SendsConnectError,
    AttachmentsMissing,
}

use Cause::{
    AttachmentsMissing, ClientAbandons, ClientIsCut, ClientIsMute, ClientLeaves, EventToOtherNamespace,
    Garbage, JoinsTwice, SendsConnectError, ServerCloses, ServerClosesSession, ServerDisconnects,
    ServerShutsDown,
};

/// What happens, the server's words, and those of socket.io-client.
const TABLE: [(&str, Cause, &str, &str); 13] = [
    ("the client leaves", ClientLeaves, "client namespace disconnect", "io client disconnect"),
    ("the server disconnects it", ServerDisconnects, "server namespace disconnect", "io server disconnect"),
    ("the server closes its connection", ServerCloses, "server namespace disconnect", "io server disconnect"),
    ("the server closes its session", ServerClosesSession, "forced close", "transport close"),
    ("the server shuts down", ServerShutsDown, "server shutting down", "transport close"),
    ("the client closes its session and does not leave", ClientAbandons, "transport close", "forced close"),
    ("its connection is cut", ClientIsCut, "transport close", "transport close"),
    ("the client's heartbeat stops", ClientIsMute, "ping timeout", "transport close"),
    ("it sends what is no packet", Garbage, "forced close", "transport close"),
    (
        "it sends to a namespace that it has not joined",
        EventToOtherNamespace,
        "forced close",
        "transport close",
    ),
    ("it joins twice", JoinsTwice, "forced close", "transport close"),
    ("it sends what only servers send", SendsConnectError, "forced close", "transport close"),
    ("it owes attachments", AttachmentsMissing, "forced close", "transport close"),
];

pub(crate) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    for (sentence, cause, at_server, javascript) in TABLE {
        if peer.mode == Mode::Polling && cause == ClientIsCut {
            continue;
        }
        let at_client =
            if peer.library == Library::Python { in_python(peer.mode, cause) } else { javascript };
        cases.push(
            peer.case(&format!("{sentence}: {at_server:?} here, {at_client:?} there"), move |peer, log| {
                end(peer, cause, at_server, at_client, log)
            }),
        );
    }
    cases.push(peer.case("its process is killed", killed));
    cases.push(peer.case("the cable between them is pulled", pulled));
}

/// The words of python-socketio.
fn in_python(mode: Mode, cause: Cause) -> &'static str {
    match (cause, mode) {
        (ClientLeaves | ClientAbandons, _) => "client disconnect",
        // On polling a packet says that the session ends.
        (ServerDisconnects | ServerCloses, _) | (_, Mode::Polling) => "server disconnect",
        _ => "transport error",
    }
}

const INTERVAL: Duration = Duration::from_millis(400);
const TIMEOUT: Duration = Duration::from_millis(1_500);

async fn end(peer: Peer, cause: Cause, at_server: &str, at_client: &str, log: Log) {
    let server = if cause == ClientIsMute {
        TestServer::start_beating(&log, INTERVAL, TIMEOUT).await
    } else {
        TestServer::start(&log).await
    };
    let mut client = peer.join(&server, &log).await;
    let socket = server.joined().await;
    client.call("join", &json!(["red", "blue"])).await;
    let shutting_down = bring_about(cause, &server, &socket, &client);
    let (ended, rooms, reason) = server.left().await;
    assert_eq!((&ended, reason), (&socket, at_server));
    assert_eq!(rooms, ["blue", "red"], "they are known while it leaves");
    assert_eq!(client.disconnected().await, at_client);
    if let Some(shutting_down) = shutting_down {
        soon("the shutdown", shutting_down).await.expect("no panic");
    }
    assert!(!socket.is_connected() && server.server.of("/").sockets().is_empty());
    soon("the session to end", socket.engine().closed()).await;
    server.assert_quiet();
}

fn bring_about(
    cause: Cause,
    server: &TestServer,
    socket: &Socket,
    client: &Client,
) -> Option<tokio::task::JoinHandle<()>> {
    let raw = |text: &str| client.command("raw", json!({ "text": text }));
    match cause {
        ClientLeaves => client.command("leave", json!({})),
        ServerDisconnects => socket.disconnect(),
        ServerCloses => socket.close(),
        ServerClosesSession => socket.engine().close(),
        ServerShutsDown => {
            let server = server.server.clone();
            return Some(tokio::spawn(async move {
                server.shutdown(Duration::from_secs(10)).await;
            }));
        }
        ClientAbandons => client.command("abandon", json!({})),
        ClientIsCut => client.command("cut", json!({})),
        ClientIsMute => client.command("mute", json!({})),
        Garbage => raw("2{}"),
        EventToOtherNamespace => raw("2/chat,[\"hello\"]"),
        JoinsTwice => raw("0"),
        SendsConnectError => raw("4{\"message\":\"no\"}"),
        AttachmentsMissing => {
            raw("51-[\"hello\",{\"_placeholder\":true,\"num\":0}]");
            raw("2[\"hello\"]");
        }
    }
    None
}

/// The kernel closes its connections.
async fn killed(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let mut process = start_process(peer.library);
    let mut client = Client::open_in(&process, peer, &server.url(), "/", json!({}), &log);
    client.joined().await;
    client.settled().await;
    let socket = server.joined().await;
    // On polling, its next poll is pending then.
    client.call("sum", &json!([1, 2])).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    process.kill().await;
    let (ended, _, reason) = server.left().await;
    assert_eq!(ended, socket);
    // A poll that was pending has failed.
    let expected = if peer.mode == Mode::Polling { "transport error" } else { "transport close" };
    assert_eq!(reason, expected);
    server.assert_quiet();
}

/// Neither side hears of the other any more, and neither hears of an end.
async fn pulled(peer: Peer, log: Log) {
    let server = TestServer::start_beating(&log, INTERVAL, TIMEOUT).await;
    let cable = Cable::start(server.address).await;
    let mut client = Client::open_at(peer, &cable.url(), json!({}), &log).await;
    client.joined().await;
    client.settled().await;
    let socket = server.joined().await;
    cable.pull();
    let (ended, _, reason) = server.left().await;
    assert_eq!((ended, reason), (socket, "ping timeout"));
    let at_client = client.disconnected().await;
    match peer.library {
        Library::Python => assert_eq!(at_client, "transport error"),
        _ => assert_eq!(at_client, "ping timeout"),
    }
    server.assert_quiet();
}
