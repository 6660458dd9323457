//! The machine of the tool: a cable that is pulled, and a process that does not run.

use core::time::Duration;

use eio_core::Heartbeat;
use eio_tests::interop::{Case, Log, Network, ServerKind, StockServer};
use eio_tests::signal::send_signal;
use eio_tokio::{Server, Socket};
use serde_json::json;
use tokio::net::TcpListener;

use crate::cases;
use crate::tool::{Tool, pause};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        a_pulled_cable_is_a_cut_network,
        a_tool_that_was_stopped_says_so,
        a_session_that_survives_a_stop_does_not_blame_the_server,
        a_close_that_a_stopped_server_does_not_confirm_is_not_waited_for,
    ]
}

async fn a_pulled_cable_is_a_cut_network(log: Log) {
    let network = Network::new();
    let heartbeat = Heartbeat::from_millis(500, 1_500).expect("valid periods");
    let server = Server::builder(|mut socket: Socket| async move {
        while let Ok(message) = socket.recv().await {
            let _ = socket.send(message).await;
        }
    });
    let server = server.heartbeat(heartbeat).build().expect("valid settings");
    let listener = TcpListener::bind((network.host.as_str(), 0)).await.expect("an address of ours");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move { server.serve(listener).await });
    let mut tool = Tool::start_inside(&network.inside(), &["--transport", "websocket", &url], &log);
    tool.event("ping").await;
    // What came before the next ping was due says nothing about the cause.
    tool.say("there and back").await;
    tool.event("message").await;
    network.pull_cable();
    let close = tool.ends("network-cut", 5).await;
    assert_eq!(close["second_look"], "no connection", "{close}");
}

async fn a_tool_that_was_stopped_says_so(log: Log) {
    let periods = json!({ "pingInterval": 1_000, "pingTimeout": 1_000 });
    let server = StockServer::start(ServerKind::Engine6, &periods, &log).await;
    for (transport, code) in [("websocket", 6), ("polling", 11)] {
        let mut tool = Tool::start(&["--transport", transport, &server.url()], &log);
        tool.event("pong").await;
        tool.signal("STOP");
        // As a laptop does whose lid is closed.
        pause(Duration::from_secs(5)).await;
        tool.signal("CONT");
        tool.ends("eio-was-stopped", code).await;
    }
}

async fn a_session_that_survives_a_stop_does_not_blame_the_server(log: Log) {
    let periods = json!({ "pingInterval": 1_000, "pingTimeout": 20_000 });
    let server = StockServer::start(ServerKind::Engine6, &periods, &log).await;
    let mut tool = Tool::start(&["--transport", "websocket", &server.url()], &log);
    tool.event("pong").await;
    tool.signal("STOP");
    pause(Duration::from_secs(3)).await;
    tool.signal("CONT");
    let late_ms = tool.event("ping").await["late_ms"].as_f64().expect("a number");
    assert!(late_ms > 1_000.0, "{late_ms}");
    tool.event("ping").await;
    tool.leaves("eio-was-stopped").await;
}

async fn a_close_that_a_stopped_server_does_not_confirm_is_not_waited_for(log: Log) {
    let server = StockServer::start(ServerKind::Engine6, &json!({}), &log).await;
    let mut tool = Tool::start(&["--transport", "polling", &server.url()], &log);
    tool.event("open").await;
    send_signal("STOP", server.id().expect("it runs"));
    tool.signal("INT");
    // Two that arrive at once are one.
    pause(Duration::from_millis(300)).await;
    tool.signal("INT");
    tool.ends("close-unconfirmed", 130).await;
}
