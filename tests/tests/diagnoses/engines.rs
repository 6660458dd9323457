//! engine.io and what it does when it is blocked, stopped, of the other revision, or asked for too much.

use core::time::Duration;

use eio_tests::interop::{Case, Log, ServerKind, StockServer};
use eio_tests::signal::send_signal;
use serde_json::{Value, json};

use crate::cases;
use crate::proxies::{PASS_ON, Proxy, upstream};
use crate::tool::{self, Tool, pause};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        a_server_blocked_for_30_s_hangs,
        a_server_blocked_past_its_own_ping_timeout_is_named_when_it_closes_the_session,
        a_server_that_is_blocked_for_a_while_sends_late_pings,
        a_server_that_was_blocked_too_long_and_answers_again_has_dropped_the_connection,
        a_server_blocked_behind_a_proxy_is_named,
        a_server_whose_process_is_stopped_hangs,
        a_server_whose_process_is_killed_is_gone,
        a_server_that_shuts_down_in_order_is_told_from_one_that_closes_a_session,
        a_restart_behind_a_proxy_is_a_bad_gateway,
        a_session_that_is_lost_after_its_heartbeats_is_unknown,
        a_server_that_never_pings_is_told_from_one_of_the_other_revision,
        a_heartbeat_that_is_stuck_while_messages_arrive_is_named,
        the_other_revision_is_named,
        a_transport_that_is_off_is_named,
        a_message_above_the_limit_is_named_on_both_transports,
        codes_of_close_frames_are_explained,
        a_connection_that_is_cut_while_the_server_lives_is_told_from_one_that_idles,
        a_silence_that_the_connection_has_survived_is_no_idle_limit,
        a_server_that_breaks_the_protocol_is_named,
        a_long_ping_interval_is_warned_of,
    ]
}

async fn engine(options: Value, log: &Log) -> StockServer {
    StockServer::start(ServerKind::Engine6, &options, log).await
}

fn transports(server: &StockServer) -> [[String; 3]; 2] {
    ["polling", "websocket"].map(|name| ["--transport".to_owned(), name.to_owned(), server.url()])
}

fn borrowed(words: &[String; 3]) -> [&str; 3] {
    words.each_ref().map(String::as_str)
}

fn block(server: &StockServer, ms: u64) {
    server.command(json!({ "command": "block", "ms": ms }));
}

async fn a_server_blocked_for_30_s_hangs(log: Log) {
    let options = json!({ "pingInterval": 1_000, "pingTimeout": 1_000 });
    let server = engine(options, &log).await;
    let [polling, websocket] = transports(&server);
    let mut tools = [Tool::start(&borrowed(&polling), &log), Tool::start(&borrowed(&websocket), &log)];
    for tool in &mut tools {
        tool.event("ping").await;
    }
    // Nobody waits for its end.
    block(&server, 30_000);
    for tool in tools {
        let close = tool.ends("server-hangs", 5).await;
        assert_eq!(close["second_look"], "accepted but not answered", "{close}");
    }
}

async fn a_server_blocked_past_its_own_ping_timeout_is_named_when_it_closes_the_session(log: Log) {
    // Its timers run before it reads the pong that has been waiting for seconds. If the pong came before the process was
    // blocked, the next one does not.
    let options = json!({ "pingInterval": 4_000, "pingTimeout": 3_000, "blockAfterPing": 5_500 });
    let servers = [engine(options.clone(), &log).await, engine(options, &log).await];
    let tool =
        |index: usize, transport| Tool::start(&["--transport", transport, &servers[index].url()], &log);
    let [polling, websocket] = [tool(0, "polling"), tool(1, "websocket")];
    // The waiting poll gets the close packet, or a request that is read later hears that there is no session.
    polling.ends_with("server-stalled", &[6, 11]).await;
    websocket.ends("server-stalled", 6).await;
}

async fn a_server_that_is_blocked_for_a_while_sends_late_pings(log: Log) {
    let server = engine(json!({ "pingInterval": 1_000, "pingTimeout": 15_000 }), &log).await;
    let mut tool = Tool::start(&[&server.url()], &log);
    tool.event("pong").await;
    block(&server, 3_000);
    let late_ms = tool.event("ping").await["late_ms"].as_f64().expect("a number");
    assert!(late_ms > 1_000.0, "{late_ms}");
    tool.leaves("late-pings").await;
}

async fn a_server_that_was_blocked_too_long_and_answers_again_has_dropped_the_connection(log: Log) {
    let server = engine(json!({ "pingInterval": 500, "pingTimeout": 500 }), &log).await;
    let mut tool = Tool::start(&["--transport", "websocket", &server.url()], &log);
    tool.event("pong").await;
    block(&server, 2_500);
    let close = tool.ends("connection-dropped", 5).await;
    assert_eq!(close["second_look"], "answered", "{close}");
}

async fn a_server_blocked_behind_a_proxy_is_named(log: Log) {
    let server = engine(json!({ "pingInterval": 1_000, "pingTimeout": 1_000 }), &log).await;
    let limited = format!("proxy_read_timeout 1500ms; {PASS_ON}");
    let proxy = Proxy::nginx(&upstream(&[server.address]), &limited, &log).await;
    let mut tool = Tool::start(&["--transport", "polling", &proxy.url("http", "/")], &log);
    tool.event("pong").await;
    block(&server, 30_000);
    tool.ends("gateway-timeout", 17).await;
}

async fn a_server_whose_process_is_stopped_hangs(log: Log) {
    let server = engine(json!({ "pingInterval": 1_000, "pingTimeout": 1_000 }), &log).await;
    let mut tool = Tool::start(&[&server.url()], &log);
    tool.event("ping").await;
    send_signal("STOP", server.id().expect("it runs"));
    tool.ends("server-hangs", 5).await;
}

async fn a_server_whose_process_is_killed_is_gone(log: Log) {
    for (transport, code) in [("polling", 7), ("websocket", 6)] {
        let mut server = engine(json!({}), &log).await;
        let mut tool = Tool::start(&["--transport", transport, &server.url()], &log);
        tool.event("open").await;
        let session = server.accept().await;
        server.kill().await;
        tool.ends("server-gone", code).await;
        drop(session);
    }
}

async fn a_server_that_shuts_down_in_order_is_told_from_one_that_closes_a_session(log: Log) {
    for transport in ["polling", "websocket"] {
        let mut server = engine(json!({}), &log).await;
        let mut tools = Vec::new();
        for name in ["closed-by-server", "server-shut-down"] {
            let mut tool = Tool::start(&["--transport", transport, &server.url()], &log);
            tool.event("open").await;
            tools.push((tool, name, server.accept().await));
        }
        for (tool, name, session) in tools {
            if name == "closed-by-server" {
                session.close();
            } else {
                server.command(json!({ "command": "shut-down" }));
            }
            tool.ends(name, 6).await;
        }
    }
}

async fn a_restart_behind_a_proxy_is_a_bad_gateway(log: Log) {
    for transport in ["polling", "websocket"] {
        let mut server = engine(json!({}), &log).await;
        let proxy = Proxy::nginx(&upstream(&[server.address]), PASS_ON, &log).await;
        let mut tool = Tool::start(&["--transport", transport, &proxy.url("http", "/")], &log);
        tool.event("open").await;
        let session = server.accept().await;
        server.kill().await;
        let code = if transport == "polling" { 15 } else { 6 };
        tool.ends("bad-gateway", code).await;
        drop(session);
    }
}

async fn a_session_that_is_lost_after_its_heartbeats_is_unknown(log: Log) {
    let mut server = engine(json!({ "pingInterval": 300, "pingTimeout": 20_000 }), &log).await;
    let mut tool = Tool::start(&["--transport", "polling", &server.url()], &log);
    for _ in 0..3 {
        tool.event("ping").await;
    }
    server.accept().await.command("forget", json!({}));
    tool.ends("unknown-session", 11).await;
}

async fn a_server_that_never_pings_is_told_from_one_of_the_other_revision(log: Log) {
    let periods = json!({ "pingInterval": 500, "pingTimeout": 500 });
    let mut never = periods.clone();
    never["neverPing"] = true.into();
    let server = engine(never, &log).await;
    for words in &transports(&server) {
        tool::ends(&borrowed(words), "never-pinged", 5, &log).await;
    }
    // It sends the same handshake on a WebSocket, and waits for the pings of its client.
    let server =
        StockServer::start(ServerKind::Engine3, &json!({ "pingInterval": 500, "pingTimeout": 2_000 }), &log)
            .await;
    let url = server.url().replacen("http", "ws", 1);
    let mut tool = Tool::start(&[&url], &log);
    tool.event("open").await;
    let close = tool.event("close").await;
    assert_eq!(close["diagnosis"], "wrong-revision", "{close:#}");
    assert!([5, 6].contains(&close["exit_code"].as_i64().expect("a number")), "{close:#}");
    assert_eq!(close["advice"], "Try --eio 3.");
}

async fn a_heartbeat_that_is_stuck_while_messages_arrive_is_named(log: Log) {
    let options = json!({
        "pingInterval": 1_000, "pingTimeout": 2_000, "neverPing": true,
        "burst": { "prefix": "news ", "count": 100, "each": 1, "pause": 200 },
    });
    let server = engine(options, &log).await;
    tool::ends(&["--transport", "websocket", &server.url()], "heartbeat-stuck", 5, &log).await;
}

async fn the_other_revision_is_named(log: Log) {
    let server = engine(json!({}), &log).await;
    for transport in ["polling", "websocket"] {
        tool::ends(&["--eio", "3", "--transport", transport, &server.url()], "wrong-revision", 4, &log).await;
    }
    let server = StockServer::start(ServerKind::Engine3, &json!({}), &log).await;
    let close = tool::ends(&[&server.url()], "wrong-revision", 4, &log).await;
    assert_eq!(close["advice"], "Try --eio 3.");
}

async fn a_transport_that_is_off_is_named(log: Log) {
    let server = engine(json!({ "transports": ["websocket"] }), &log).await;
    tool::ends(&[&server.url()], "unknown-transport", 4, &log).await;
    tool::ends(&["--try-all-transports", "--for", "300ms", &server.url()], "closed", 0, &log).await;
    let server = engine(json!({ "transports": ["polling"] }), &log).await;
    tool::ends(&["--transport", "websocket", &server.url()], "unknown-transport", 4, &log).await;
}

async fn a_message_above_the_limit_is_named_on_both_transports(log: Log) {
    for (transport, name, code) in
        [("polling", "payload-too-large", 13), ("websocket", "message-too-large", 6)]
    {
        let server = engine(json!({ "maxHttpBufferSize": 100, "hideLimit": true }), &log).await;
        let mut tool = Tool::start(&["--transport", transport, &server.url()], &log);
        tool.event("open").await;
        tool.say(&"x".repeat(200)).await;
        tool.ends(name, code).await;
    }
}

async fn codes_of_close_frames_are_explained(log: Log) {
    let mut server = engine(json!({}), &log).await;
    for (code, name) in [
        (1000, "closed-by-server"),
        (1001, "server-restarting"),
        (1012, "server-restarting"),
        (1011, "server-error"),
        (1008, "closed-with-code"),
        (4001, "closed-with-code"),
    ] {
        let mut tool = Tool::start(&["--transport", "websocket", &server.url()], &log);
        tool.event("open").await;
        server.accept().await.command("close-with", json!({ "code": code, "reason": "why" }));
        let close = tool.ends(name, 6).await;
        assert_eq!((&close["close_code"], &close["close_reason"]), (&code.into(), &"why".into()));
        // The second connection of the tool.
        server.accept().await;
    }
}

async fn a_connection_that_is_cut_while_the_server_lives_is_told_from_one_that_idles(log: Log) {
    let mut server = engine(json!({}), &log).await;
    let mut tool = Tool::start(&["--transport", "websocket", &server.url()], &log);
    tool.event("open").await;
    let session = server.accept().await;
    session.command("send", json!({ "text": "busy" }));
    tool.event("message").await;
    session.command("cut", json!({}));
    let close = tool.ends("connection-cut", 6).await;
    assert_eq!(close["second_look"], "answered", "{close}");
}

async fn a_silence_that_the_connection_has_survived_is_no_idle_limit(log: Log) {
    let mut server = engine(json!({ "pingInterval": 6_000 }), &log).await;
    let mut tool = Tool::start(&["--transport", "websocket", &server.url()], &log);
    let session = server.accept().await;
    tool.event("pong").await;
    pause(Duration::from_millis(1_500)).await;
    session.command("cut", json!({}));
    let close = tool.ends("connection-cut", 6).await;
    assert!(close["silent_ms"].as_u64().expect("a number") > 1_000, "{close}");
}

async fn a_server_that_breaks_the_protocol_is_named(log: Log) {
    let mut server = engine(json!({}), &log).await;
    let mut tool = Tool::start(&["--transport", "websocket", &server.url()], &log);
    tool.event("open").await;
    server.accept().await.command("send-raw", json!({ "text": "9" }));
    tool.ends("protocol-broken", 8).await;
}

async fn a_long_ping_interval_is_warned_of(log: Log) {
    let server = engine(json!({ "pingInterval": 60_000 }), &log).await;
    let mut tool = Tool::start(&[&server.url()], &log);
    assert!(tool.event("open").await["warning"].is_string());
    tool.leaves("long-ping-interval").await;
}
