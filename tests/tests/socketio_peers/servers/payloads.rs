//! What is in events: each row of arguments there and back, and each name.

use eio_socketio::{Args, RawArgs, Value};
use eio_tests::interop::{Case, Log, soon};
use eio_tests::javascript::same;
use serde_json::json;

use super::ours::{Ours, line};
use super::stock::{Peer, StockServer};
use crate::lines::{canonical, to_ours};
use crate::samples::{Kind, NAMES, arguments};

pub(super) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    for (name, kind, args) in arguments() {
        cases.push(peer.case(&format!("{name} in events and answers, both ways"), move |peer, log| {
            there_and_back(peer, kind, args, log)
        }));
    }
    cases.push(peer.case("events of every name", names));
}

/// What travels is what was sent, whoever reads and writes it on the way.
async fn there_and_back(peer: Peer, kind: Kind, args: serde_json::Value, log: Log) {
    let mut server = StockServer::start(peer, &log).await;
    let mut ours = Ours::settle(peer, &server, &log).await;
    let sent = canonical(&args);
    let assert_same =
        |way: &str, got: &serde_json::Value| assert!(same(got, &sent), "{way}: {got} for {sent}");

    let call = server.ask("look", &args);
    let (name, got, ack) = ours.event().await;
    assert_eq!(name, "look");
    if kind == Kind::HalfPair {
        assert!(got.values().is_err(), "text that is not Unicode cannot be read");
    } else {
        assert_same("an event of the server's", &line(&got));
    }
    ack.expect("the server asks").send(got).expect("it is connected");
    assert_same("an answer handed on as it came", &server.answered(call).await);
    if kind == Kind::HalfPair {
        return;
    }

    let values: Vec<Value> = sent.as_array().expect("a list").iter().filter_map(to_ours).collect();
    ours.send("look", Args(&values)).await.expect("it is connected");
    assert_same("an event that the server reads", &server.event().await.1);
    ours.send("back", Args(&values)).await.expect("it is connected");
    assert_same("an event that comes back", &line(&ours.event().await.1));
    let answer = soon("the answer", ours.emit_with_ack::<RawArgs>("back", Args(&values))).await;
    assert_same("an answer", &line(&answer.expect("an answer")));
}

async fn names(peer: Peer, log: Log) {
    let mut server = StockServer::start(peer, &log).await;
    let mut ours = Ours::settle(peer, &server, &log).await;
    for name in NAMES {
        ours.emit(name, Args((name, 1))).expect("there is room");
        assert_eq!(server.event().await, (name.to_owned(), json!([name, 1])));
        server.emit(name, &json!([name, 1]));
        let (seen, args, _) = ours.event().await;
        assert_eq!((seen.as_str(), line(&args)), (name, json!([name, 1])));
    }
}
