//! Load balancers that send the requests of one session to different servers.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::sync::Arc;

use eio_tests::interop::{Case, Log, ServerKind, StockServer};
use eio_tokio::{Server, Socket};
use serde_json::json;
use tokio::net::TcpListener;

use crate::cases;
use crate::proxies::{PASS_ON, Proxy, backend, upstream};
use crate::tool::{self, Tool};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        haproxy_in_turn_loses_a_session_on_polling,
        nginx_in_turn_loses_a_session_on_polling,
        in_turn_a_session_on_websocket_lives,
        a_websocket_that_reaches_another_server_leaves_the_session_on_polling,
        by_the_names_of_the_nodes_haproxy_finds_each_session,
        by_the_names_of_the_nodes_nginx_finds_each_session,
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
    let mut tool = Tool::start(&[&proxy.url("http", "/")], &log);
    assert_eq!(tool.event("upgrade").await["outcome"], "websocket");
    tool.leaves("closed").await;
}

async fn in_turn_a_session_on_websocket_lives(log: Log) {
    let servers = two_servers(&log).await;
    let in_turn = format!("{}    balance roundrobin\n", backend(&servers.each_ref().map(|s| s.address), ""));
    let proxy = Proxy::haproxy("", &in_turn, &log).await;
    tool::ends(&["--for", "500ms", &proxy.url("ws", "/")], "closed", 0, &log).await;
}

/// The page whose configurations users copy.
pub(crate) const SCALING: &str = include_str!("../../../docs/scaling.md");

async fn by_the_names_of_the_nodes_haproxy_finds_each_session(log: Log) {
    // In turn, so that no session has two requests sent to one server by chance.
    Box::pin(finds_each_session("haproxy", ("balance leastconn", "balance roundrobin"), &log)).await;
}

async fn by_the_names_of_the_nodes_nginx_finds_each_session(log: Log) {
    Box::pin(finds_each_session("nginx", ("", ""), &log)).await;
}

/// Opens sessions by way of this balancer, which lead to all nodes, and on every transport.
async fn finds_each_session(who: &'static str, (from, to): (&str, &str), log: &Log) {
    let nodes = [node("a7").await, node("b2").await, node("c3").await];
    let change = |block: &str| at(block, nodes.each_ref().map(|(_, address)| *address)).replace(from, to);
    let proxy = Proxy::documented(SCALING, who, change, log).await;
    for transport in [&["--transport", "polling"][..], &["--transport", "websocket"], &[]] {
        for _ in 0..4 {
            let url = proxy.url("http", "/");
            let mut tool = Tool::start(&[transport, &[&url]].concat(), log);
            if transport.is_empty() {
                assert_eq!(tool.event("upgrade").await["outcome"], "websocket");
            } else {
                tool.event("open").await;
                // Time for polls that would lead elsewhere.
                tool::pause(Duration::from_millis(500)).await;
            }
            tool.leaves("closed").await;
        }
    }
    let opened = nodes.map(|(opened, _)| opened.load(Ordering::Relaxed));
    assert!(opened.iter().sum::<u32>() == 12 && opened.iter().all(|opened| *opened > 1), "{opened:?}");
}

/// A documented configuration with these addresses in the place of those of a7, b2 and c3.
pub(crate) fn at(block: &str, nodes: [SocketAddr; 3]) -> String {
    ["10.0.0.7:3000", "10.0.0.2:3000", "10.0.0.3:3000"].into_iter().zip(nodes).fold(
        block.to_owned(),
        |block, (documented, node)| {
            assert!(block.contains(documented), "{block}");
            block.replace(documented, &node.to_string())
        },
    )
}

/// Starts a node of ours with this name, whose sessions are counted.
async fn node(name: &str) -> (Arc<AtomicU32>, SocketAddr) {
    let opened = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&opened);
    let application = move |mut socket: Socket| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move { while socket.recv().await.is_ok() {} }
    };
    let server = Server::builder(application).node(name).build().expect("a valid name");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { server.serve(listener).await });
    (opened, address)
}

async fn a_websocket_that_reaches_another_server_leaves_the_session_on_polling(log: Log) {
    let [one, two] = two_servers(&log).await;
    let rules = format!(
        "    acl is_websocket hdr(Upgrade) -i websocket\n    use_backend two if is_websocket\n{}backend two\n    server s {}\n",
        backend(&[one.address], ""),
        two.address
    );
    let proxy = Proxy::haproxy("", &rules, &log).await;
    let mut tool = Tool::start(&[&proxy.url("http", "/")], &log);
    let failed = tool.event("failed").await;
    assert_eq!(
        (&failed["what"], &failed["diagnosis"]),
        (&"upgrade".into(), &"not-sticky".into()),
        "{failed}"
    );
    let close = tool.leaves("not-sticky").await;
    assert_eq!(close["transport"], "polling");
}
