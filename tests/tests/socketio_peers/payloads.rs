//! What is in events: each row of arguments there and back, and each name.

use eio_socketio::{Args, Value};
use eio_tests::interop::{Case, Log};
use eio_tests::javascript::same;
use serde_json::json;

use crate::client::Client;
use crate::lines::{canonical, from_ours, to_ours};
use crate::peer::Peer;
use crate::samples::{Kind, NAMES, arguments};
use crate::server::TestServer;

pub(crate) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    for (name, kind, args) in arguments() {
        cases.push(peer.case(&format!("{name} in events and answers, both ways"), move |peer, log| {
            there_and_back(peer, kind, args, log)
        }));
    }
    cases.push(peer.case("events of every name", names));
}

/// What travels is what was sent, whoever reads and writes it on the way.
async fn there_and_back(peer: Peer, kind: Kind, args: serde_json::Value, log: Log) {
    let server = TestServer::start(&log).await;
    let mut client = peer.join(&server, &log).await;
    let socket = server.joined().await;
    let sent = canonical(&args);
    let assert_same =
        |way: &str, got: &serde_json::Value| assert!(same(got, &sent), "{way}: {got} for {sent}");

    client.emit("back", &args);
    let (name, back) = client.event().await;
    assert_eq!(name, "back");
    assert_same("an event handed on as it came", &back);
    assert_same("an answer handed on as it came", &client.call("back", &args).await);
    if kind == Kind::HalfPair {
        is_refused(&mut client, &args).await;
        return;
    }
    assert_same("an answer read and written", &client.call("back, read", &args).await);
    client.emit("look", &args);
    assert_same("an event that the server reads", &server.event().await.2);

    // From the server: the client answers with the arguments.
    let ours: Vec<Value> = sent.as_array().expect("a list").iter().filter_map(to_ours).collect();
    let Args(answer): Args<Vec<Value>> =
        socket.emit_with_ack("look", Args(&ours)).await.expect("the client answers");
    assert_same("an event of the server's", &client.event().await.1);
    assert_same("an answer to the server", &answer.iter().map(from_ours).collect());
    server.assert_quiet();
}

/// A handler that reads text that is no text does not run, and nothing else happens.
async fn is_refused(client: &mut Client, args: &serde_json::Value) {
    client.emit("look", args);
    let (name, error) = client.event().await;
    assert_eq!((name.as_str(), &error[0]), ("failed", &json!("look")));
    assert_eq!(client.call("sum", &json!([1, 2])).await, json!([3]));
}

async fn names(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let mut client = peer.join(&server, &log).await;
    let socket = server.joined().await;
    for name in NAMES {
        client.emit(name, &json!([name, 1]));
        let (_, seen, args) = server.event().await;
        assert_eq!((seen.as_str(), args), (name, json!([name, 1])));
        socket.emit(name, Args((name, 1))).expect("the client reads");
        assert_eq!(client.event().await, (name.to_owned(), json!([name, 1])));
    }
}
