//! Load balancers that send the requests of one session to different servers.

use eio_tests::interop::{Case, Log, ServerKind, StockServer};
use serde_json::json;

use crate::cases;
use crate::proxies::{PASS_ON, Proxy, backend, upstream};
use crate::tool::{self, Tool};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        haproxy_in_turn_loses_a_session_on_polling,
        nginx_in_turn_loses_a_session_on_polling,
        in_turn_a_session_on_websocket_lives,
        a_websocket_that_reaches_another_server_leaves_the_session_on_polling,
    ]
}

async fn two_servers(log: &Log) -> [StockServer; 2] {
    let options = json!({ "pingInterval": 1_000 });
    [
        StockServer::start(ServerKind::Engine6, &options, log).await,
        StockServer::start(ServerKind::Engine6, &options, log).await,
    ]
}

async fn haproxy_in_turn_loses_a_session_on_polling(log: Log) {
    let servers = two_servers(&log).await;
    let in_turn = format!("{}    balance roundrobin\n", backend(&servers.each_ref().map(|s| s.address), ""));
    let proxy = Proxy::haproxy("", &in_turn, &log).await;
    let close = tool::ends(&[&proxy.url("http", "/")], "not-sticky", 11, &log).await;
    let explanation = close["explanation"].as_str().expect("text");
    assert!(explanation.contains("status 400 Bad Request, code 1, \"Session ID unknown\""), "{explanation}");
    tool::ends(&["--transport", "polling", &proxy.url("http", "/")], "not-sticky", 11, &log).await;
}

async fn nginx_in_turn_loses_a_session_on_polling(log: Log) {
    let servers = two_servers(&log).await;
    let upstream = upstream(&servers.each_ref().map(|server| server.address));
    let proxy = Proxy::nginx(&upstream, PASS_ON, &log).await;
    tool::ends(&[&proxy.url("http", "/")], "not-sticky", 11, &log).await;
    // With the setting that the advice names, the session lives.
    let sticky = upstream.replace("{ server", "{ ip_hash; server");
    let proxy = Proxy::nginx(&sticky, PASS_ON, &log).await;
    let mut tool = Tool::start(&["--for", "500ms", &proxy.url("http", "/")], &log);
    assert_eq!(tool.event("upgrade").await["outcome"], "websocket");
    tool.ends("closed", 0).await;
}

async fn in_turn_a_session_on_websocket_lives(log: Log) {
    let servers = two_servers(&log).await;
    let in_turn = format!("{}    balance roundrobin\n", backend(&servers.each_ref().map(|s| s.address), ""));
    let proxy = Proxy::haproxy("", &in_turn, &log).await;
    tool::ends(&["--for", "500ms", &proxy.url("ws", "/")], "closed", 0, &log).await;
}

async fn a_websocket_that_reaches_another_server_leaves_the_session_on_polling(log: Log) {
    let [one, two] = two_servers(&log).await;
    let rules = format!(
        "    acl is_websocket hdr(Upgrade) -i websocket\n    use_backend two if is_websocket\n{}backend two\n    server s {}\n",
        backend(&[one.address], ""),
        two.address
    );
    let proxy = Proxy::haproxy("", &rules, &log).await;
    let mut tool = Tool::start(&["--for", "1s", &proxy.url("http", "/")], &log);
    let failed = tool.event("failed").await;
    assert_eq!(
        (&failed["what"], &failed["diagnosis"]),
        (&"upgrade".into(), &"not-sticky".into()),
        "{failed}"
    );
    let close = tool.ends("not-sticky", 0).await;
    assert_eq!(close["transport"], "polling");
}
