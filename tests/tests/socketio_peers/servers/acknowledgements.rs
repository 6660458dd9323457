//! Answers in both directions.

use core::time::Duration;

use eio_socketio::{AckError, Args};
use eio_tests::interop::{Case, Log, soon};
use serde_json::json;

use super::library::Need;
use super::ours::{Ours, line};
use super::stock::{Peer, StockServer};

pub(super) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case("typed answers", typed));
    cases.push(peer.case("answers come late and out of order", late));
    cases.push(peer.case("an answer that does not come in time, and one that comes twice", misbehaved));
    cases.push(peer.case("five hundred questions each way while it upgrades", many));
    cases.push(peer.case("an event is sent again until it is answered", retried));
    cases.push(peer.case_that_needs(Need::Handlers, "what a handler returns and throws are events", handled));
}

async fn typed(peer: Peer, log: Log) {
    let mut server = StockServer::start(peer, &log).await;
    let mut ours = Ours::join(peer, &server, &log).await;
    assert_eq!(soon("the sum", ours.emit_with_ack::<i64>("sum", Args((1, 41)))).await, Ok(42));
    let Args((text, list)): Args<(String, Vec<u8>)> =
        soon("both", ours.emit_with_ack("all", Args(("é", [1, 2])))).await.expect("they fit");
    assert_eq!((text.as_str(), list.as_slice()), ("é", [1, 2].as_slice()));
    assert_eq!(soon("nothing", ours.emit_with_ack::<()>("none", ())).await, Ok(()));
    let wrong = soon("a text", ours.emit_with_ack::<i64>("text", "é")).await;
    assert!(matches!(wrong, Err(AckError::Decode(_))), "{wrong:?}");
    let call = server.ask("question", &json!(["is it?"]));
    let (_, args, ack) = ours.event().await;
    assert_eq!(args.first::<String>().expect("a text"), "is it?");
    ack.expect("it asks").send(Args(("it is", 1))).expect("it is connected");
    assert_eq!(server.answered(call).await, json!(["it is", 1]));
}

async fn late(peer: Peer, log: Log) {
    let server = StockServer::start(peer, &log).await;
    let ours = Ours::join(peer, &server, &log).await;
    let ask = |millis: u64| ours.emit_with_ack::<u64>("late", millis);
    let (slow, quick) = (ask(200), ask(1));
    let both = async { tokio::join!(slow, quick) };
    assert_eq!(soon("both answers", both).await, (Ok(200), Ok(1)));
}

async fn misbehaved(peer: Peer, log: Log) {
    let server = StockServer::start(peer, &log).await;
    let ours = Ours::join(peer, &server, &log).await;
    let none = ours.emit_with_ack::<()>("silent", ()).timeout(Duration::from_millis(100)).await;
    assert_eq!(none, Err(AckError::Timeout));
    let late = ours.emit_with_ack::<()>("late", 1500).timeout(Duration::from_millis(100)).await;
    assert_eq!(late, Err(AckError::Timeout));
    assert_eq!(soon("an answer", ours.emit_with_ack::<u8>("twice", 1)).await, Ok(1));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(
        soon("the sum", ours.emit_with_ack::<i64>("sum", Args((1, 2)))).await,
        Ok(3),
        "nothing has mixed"
    );
}

async fn many(peer: Peer, log: Log) {
    const COUNT: u64 = 500;
    let mut server = StockServer::start(peer, &log).await;
    let mut ours = Ours::join(peer, &server, &log).await;
    let emitter = ours.emitter();
    let asking = tokio::spawn(async move {
        for number in 0..COUNT {
            let sum = emitter.emit_with_ack::<u64>("sum", Args((number, 1)));
            if number % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            assert_eq!(soon("a sum", sum).await, Ok(number + 1));
        }
    });
    for number in 0..COUNT {
        server.ask("number", &json!([number]));
    }
    for number in 0..COUNT {
        let (_, args, ack) = ours.event().await;
        assert_eq!(args.first::<u64>().expect("a number"), number);
        ack.expect("it asks").send(args).expect("it is connected");
    }
    for number in 0..COUNT {
        assert_eq!(server.answered(number + 1).await, json!([number]));
    }
    asking.await.expect("all sums are right");
}

async fn retried(peer: Peer, log: Log) {
    let mut server = StockServer::start(peer, &log).await;
    let ours =
        Ours::join_with(peer, &server, &log, |builder| builder.retries(2, Duration::from_secs(1))).await;
    let unanswered = ours.emit_with_ack::<()>("silent", "again");
    ours.emit("next", 1).expect("there is room");
    assert_eq!(soon("it to be given up", unanswered).await, Err(AckError::Timeout));
    for _ in 0..3 {
        assert_eq!(server.event().await, ("silent".to_owned(), json!(["again"])));
    }
    assert_eq!(server.event().await, ("next".to_owned(), json!([1])));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!server.has_told("event"), "what was answered is not sent again");
}

async fn handled(peer: Peer, log: Log) {
    let server = StockServer::start(peer, &log).await;
    let mut ours = Ours::join(peer, &server, &log).await;
    ours.emit("report", 7).expect("there is room");
    let (name, args, _) = ours.event().await;
    assert_eq!((name.as_str(), line(&args)), ("reported", json!([7])));
    // An exception is no answer, so the question waits for its timeout.
    let answer = ours.emit_with_ack::<()>("fail", 8).timeout(Duration::from_millis(300));
    let cause = json!({ "pattern": "fail", "data": 8 });
    let (name, args, _) = ours.event().await;
    assert_eq!(name, "exception");
    assert_eq!(line(&args), json!([{ "status": "error", "message": "it cannot be done", "cause": cause }]));
    assert_eq!(soon("the timeout", answer).await, Err(AckError::Timeout));
}
