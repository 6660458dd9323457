//! socket.io: who joins no namespace, or one that does not want them.

use eio_tests::interop::{Case, Log, ServerKind, StockServer};
use serde_json::{Value, json};

use crate::cases;
use crate::tool::{self, Tool};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        a_client_that_joins_no_namespace_is_told_to_join_one,
        a_line_for_a_server_whose_namespace_was_not_joined_is_explained,
        a_namespace_that_does_not_exist_is_named,
        a_middleware_that_refuses_is_named,
        a_server_that_disconnects_a_client_is_named,
        a_server_without_socket_io_never_answers_the_join,
    ]
}

async fn socket_io(options: Value, log: &Log) -> StockServer {
    StockServer::start(ServerKind::SocketIo4, &options, log).await
}

async fn a_client_that_joins_no_namespace_is_told_to_join_one(log: Log) {
    // The usual timeout is 45 s.
    let server = socket_io(json!({ "connectTimeout": 1_000 }), &log).await;
    let url = format!("{}/socket.io/", server.url());
    for transport in ["polling", "websocket"] {
        tool::ends(&["--transport", transport, &url], "no-namespace-joined", 6, &log).await;
    }
    tool::joins(&["--socketio", &server.url()], &log).await;
}

async fn a_line_for_a_server_whose_namespace_was_not_joined_is_explained(log: Log) {
    let server = socket_io(json!({}), &log).await;
    let mut tool = Tool::start(&["--transport", "websocket", "--path", "/socket.io/", &server.url()], &log);
    tool.event("open").await;
    tool.say("hello").await;
    tool.ends("no-namespace-joined", 6).await;
}

async fn a_namespace_that_does_not_exist_is_named(log: Log) {
    let server = socket_io(json!({}), &log).await;
    let close = tool::ends(&["--socketio=/nowhere", &server.url()], "wrong-namespace", 4, &log).await;
    assert_eq!(close["detail"], "Invalid namespace");
}

async fn a_middleware_that_refuses_is_named(log: Log) {
    let server = socket_io(json!({ "token": "secret" }), &log).await;
    let close = tool::ends(&["--socketio=/admin", &server.url()], "namespace-refused", 4, &log).await;
    assert_eq!(close["detail"], "wrong token");
    tool::joins(&["--socketio=/admin", "--auth", r#"{"token":"secret"}"#, &server.url()], &log).await;
}

async fn a_server_that_disconnects_a_client_is_named(log: Log) {
    let mut server = socket_io(json!({}), &log).await;
    let mut tool = Tool::start(&["--socketio", &server.url()], &log);
    tool.event("joined").await;
    let mut session = server.accept().await;
    session.event("join").await;
    session.command("leave", json!({ "namespace": "/", "close": false }));
    tool.ends("disconnected-from-namespace", 10).await;
}

async fn a_server_without_socket_io_never_answers_the_join(log: Log) {
    let server = StockServer::start(ServerKind::Engine6, &json!({}), &log).await;
    let join = ["--socketio", "--path", "/engine.io/", "--for", "3s", &server.url()];
    tool::ends(&join, "join-unanswered", 0, &log).await;
}
