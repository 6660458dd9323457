//! What is in events: each row of arguments there and back, and each name.

use eio_socketio::{Args, RawArgs, Value};
use eio_tests::interop::{Case, Log, soon};
use eio_tests::javascript::same;
use serde_json::json;

use super::library::Need;
use super::ours::{Ours, line};
use super::stock::{Peer, StockServer};
use crate::lines::{canonical, to_ours};
use crate::samples::{Kind, NAMES, arguments};

pub(super) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    for (name, kind, args) in arguments() {
        let is_first_key_escaped = is_first_key_escaped(&args);
        let sentence = format!("{name} in events and answers, both ways");
        let run = move |peer, log| there_and_back(peer, kind, args, log);
        cases.push(if kind == Kind::HalfPair {
            peer.case_that_needs(Need::HalfPairs, &sentence, run)
        } else if is_first_key_escaped {
            peer.case_that_needs(Need::EscapedKeys, &sentence, run)
        } else {
            peer.case(&sentence, run)
        });
    }
    cases.push(peer.case("names of every kind in events", names));
}

/// Whether JSON has to escape this text.
fn is_escaped(text: &str) -> bool {
    json!(text).to_string().len() != text.len() + 2
}

/// Whether some object in a value begins with a key that JSON has to escape.
fn is_first_key_escaped(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Array(items) => items.iter().any(is_first_key_escaped),
        serde_json::Value::Object(members) => {
            members.keys().next().is_some_and(|key| is_escaped(key))
                || members.values().any(is_first_key_escaped)
        }
        _ => false,
    }
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
    for name in NAMES.into_iter().filter(|name| peer.can(Need::EscapedNames) || !is_escaped(name)) {
        ours.emit(name, Args((name, 1))).expect("there is room");
        assert_eq!(server.event().await, (name.to_owned(), json!([name, 1])));
        server.emit(name, &json!([name, 1]));
        let (seen, args, _) = ours.event().await;
        assert_eq!((seen.as_str(), line(&args)), (name, json!([name, 1])));
    }
}
