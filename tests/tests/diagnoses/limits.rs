//! Proxies whose limits are below what a session needs: idle limits, connections, sizes, rates.

use eio_tests::interop::{Case, Log, ServerKind, StockServer};
use serde_json::{Value, json};

use crate::cases;
use crate::proxies::{PASS_ON, Proxy, backend, upstream};
use crate::tool::{self, Tool};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        a_websocket_is_cut_by_the_idle_limit_of_haproxy,
        a_websocket_is_cut_by_the_limit_for_clients_of_haproxy,
        a_poll_is_cut_by_the_limit_for_servers_of_haproxy,
        a_websocket_is_cut_by_the_idle_limit_of_nginx,
        a_poll_is_cut_by_the_idle_limit_of_nginx,
        a_poll_that_takes_the_only_connection_of_haproxy_keeps_the_rest_of_the_session_out,
        haproxy_that_has_run_out_of_connections_accepts_and_is_silent,
        a_post_above_the_limit_of_nginx_is_refused,
        headers_above_the_limits_of_nginx_and_node_are_named,
        more_requests_than_nginx_allows_are_refused,
    ]
}

/// A server whose pings come far later than the limits of these proxies.
async fn engine(log: &Log) -> StockServer {
    StockServer::start(ServerKind::Engine6, &json!({ "echo": true }), log).await
}

fn assert_idle(close: &Value) {
    let silent_ms = close["silent_ms"].as_u64().expect("a number");
    assert!((1_000..20_000).contains(&silent_ms), "{close}");
}

async fn a_websocket_is_cut_by_the_idle_limit_of_haproxy(log: Log) {
    let server = engine(&log).await;
    let proxy = Proxy::haproxy("timeout tunnel 1500ms", &backend(&[server.address], ""), &log).await;
    assert_idle(&tool::ends(&[&proxy.url("ws", "/")], "idle-limit", 6, &log).await);
}

async fn a_websocket_is_cut_by_the_limit_for_clients_of_haproxy(log: Log) {
    let server = engine(&log).await;
    // Without a limit for tunnels, the two others hold for them.
    let proxy = Proxy::haproxy("timeout client 1500ms", &backend(&[server.address], ""), &log).await;
    assert_idle(&tool::ends(&[&proxy.url("ws", "/")], "idle-limit", 6, &log).await);
}

async fn a_poll_is_cut_by_the_limit_for_servers_of_haproxy(log: Log) {
    let server = engine(&log).await;
    let proxy = Proxy::haproxy("timeout server 1500ms", &backend(&[server.address], ""), &log).await;
    let close =
        tool::ends(&["--transport", "polling", &proxy.url("http", "/")], "idle-limit", 17, &log).await;
    assert_idle(&close);
    let explanation = close["explanation"].as_str().expect("text");
    assert!(explanation.contains("status 504 Gateway Timeout"), "{explanation}");
    assert!(explanation.contains("(HAProxy answered)"), "{explanation}");
}

async fn a_websocket_is_cut_by_the_idle_limit_of_nginx(log: Log) {
    let server = engine(&log).await;
    let limited = format!("proxy_read_timeout 1500ms; {PASS_ON}");
    let proxy = Proxy::nginx(&upstream(&[server.address]), &limited, &log).await;
    assert_idle(&tool::ends(&[&proxy.url("ws", "/")], "idle-limit", 6, &log).await);
}

async fn a_poll_is_cut_by_the_idle_limit_of_nginx(log: Log) {
    let server = engine(&log).await;
    let limited = format!("proxy_read_timeout 1500ms; {PASS_ON}");
    let proxy = Proxy::nginx(&upstream(&[server.address]), &limited, &log).await;
    let close =
        tool::ends(&["--transport", "polling", &proxy.url("http", "/")], "idle-limit", 17, &log).await;
    assert_idle(&close);
    assert!(close["explanation"].as_str().expect("text").contains("(nginx answered)"), "{close}");
}

async fn a_poll_that_takes_the_only_connection_of_haproxy_keeps_the_rest_of_the_session_out(log: Log) {
    let server = engine(&log).await;
    let full = backend(&[server.address], "maxconn 1");
    let proxy = Proxy::haproxy("timeout queue 1s", &full, &log).await;
    let mut tool = Tool::start(&["--transport", "polling", &proxy.url("http", "/")], &log);
    tool.event("open").await;
    tool.say("hello").await;
    let close = tool.ends("unavailable", 16).await;
    assert!(close["explanation"].as_str().expect("text").contains("(HAProxy answered)"), "{close}");
}

async fn haproxy_that_has_run_out_of_connections_accepts_and_is_silent(log: Log) {
    let server = engine(&log).await;
    let one = format!("    maxconn 1\n{}", backend(&[server.address], ""));
    let proxy = Proxy::haproxy("", &one, &log).await;
    let mut first = Tool::start(&[&proxy.url("ws", "/")], &log);
    first.event("open").await;
    let mut second = Tool::start(&[&proxy.url("ws", "/")], &log);
    assert_eq!(second.event("waiting").await["waiting_for"], "handshake");
    second.ends("accepted-but-silent", 3).await;
}

async fn a_post_above_the_limit_of_nginx_is_refused(log: Log) {
    let server = engine(&log).await;
    let limited = format!("client_max_body_size 100; {PASS_ON}");
    let proxy = Proxy::nginx(&upstream(&[server.address]), &limited, &log).await;
    let mut tool = Tool::start(&["--transport", "polling", &proxy.url("http", "/")], &log);
    tool.event("open").await;
    tool.say(&"x".repeat(200)).await;
    tool.ends("payload-too-large", 13).await;
}

async fn headers_above_the_limits_of_nginx_and_node_are_named(log: Log) {
    let server = engine(&log).await;
    let proxy = Proxy::nginx(&upstream(&[server.address]), PASS_ON, &log).await;
    let header = format!("X-Token: {}", "x".repeat(40_000));
    for url in [proxy.url("http", "/"), server.url()] {
        tool::ends(&["--header", &header, &url], "headers-too-large", 12, &log).await;
    }
}

async fn more_requests_than_nginx_allows_are_refused(log: Log) {
    let server = engine(&log).await;
    for (status, name, code) in [(429, "too-many-requests", 14), (503, "unavailable", 16)] {
        let zone = "limit_req_zone $binary_remote_addr zone=all:1m rate=1r/m;";
        let http =
            format!("{zone} limit_req_status {status}; limit_req zone=all; {}", upstream(&[server.address]));
        let proxy = Proxy::nginx(&http, PASS_ON, &log).await;
        let polling = ["--transport", "polling", &proxy.url("http", "/")];
        tool::ends(&polling, name, code, &log).await;
    }
}
