//! What comes instead of a session: web pages, redirects, walls, proxies without a server.

use core::net::SocketAddr;

use eio_tests::interop::{Case, Log, ServerKind, StockServer, free_port};
use serde_json::json;

use crate::cases;
use crate::proxies::{PASS_ON, Proxy, backend, upstream};
use crate::tool::{self, Tool};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        the_page_of_a_captive_portal_is_named_on_both_transports,
        a_login_that_redirects_is_named_and_followed_it_is_a_web_page,
        walls_that_want_credentials_or_forbid_are_named,
        an_origin_that_engine_io_does_not_allow_is_forbidden,
        a_path_without_sessions_is_named,
        other_errors_of_a_proxy_are_named,
        a_proxy_without_a_server_is_a_bad_gateway_or_unavailable,
        a_server_that_closes_without_an_answer_is_a_bad_gateway,
        a_server_that_does_not_answer_a_proxy_is_a_gateway_timeout,
        headers_that_nginx_removes_block_the_websocket,
        a_websocket_without_a_route_leaves_the_session_on_polling,
        a_websocket_that_gets_no_answer_leaves_the_session_on_polling,
        answers_that_a_proxy_compresses_are_named,
        text_that_is_no_handshake_is_named,
    ]
}

async fn engine(log: &Log) -> StockServer {
    StockServer::start(ServerKind::Engine6, &json!({}), log).await
}

const PORTAL: &str = "default_type text/html; location / { return 200 '<!DOCTYPE html><html><head>\
    <title>Welcome to Hotel Wi-Fi</title></head><body>Log in</body></html>'; }";

async fn the_page_of_a_captive_portal_is_named_on_both_transports(log: Log) {
    let portal = Proxy::nginx("", PORTAL, &log).await;
    for scheme in ["http", "ws"] {
        tool::ends(&[&portal.url(scheme, "/")], "web-page", 23, &log).await;
    }
}

async fn a_login_that_redirects_is_named_and_followed_it_is_a_web_page(log: Log) {
    let login = "default_type text/html; location /engine.io/ { return 302 /login; } \
                 location /login { return 200 '<html><title>Log in</title></html>'; }";
    let proxy = Proxy::nginx("", login, &log).await;
    let close = tool::ends(&[&proxy.url("http", "/")], "redirected", 21, &log).await;
    assert!(close["explanation"].as_str().expect("text").contains("/login"), "{close}");
    tool::ends(&["--follow-redirects", &proxy.url("http", "/")], "web-page", 23, &log).await;
}

async fn walls_that_want_credentials_or_forbid_are_named(log: Log) {
    let server = engine(&log).await;
    let files = [("users", "ann:{PLAIN}secret\n")];
    let wall = format!("auth_basic wall; auth_basic_user_file users; {PASS_ON}");
    let proxy = Proxy::nginx_with(&files, &upstream(&[server.address]), &wall, &log).await;
    tool::ends(&[&proxy.url("http", "/")], "unauthorized", 18, &log).await;
    let with_credentials = format!("http://ann:secret@127.0.0.1:{}/", proxy.port);
    tool::ends(&["--for", "300ms", &with_credentials], "closed", 0, &log).await;
    let proxy = Proxy::nginx("", "deny all;", &log).await;
    tool::ends(&[&proxy.url("http", "/")], "forbidden", 19, &log).await;
    let rules =
        format!("    http-request deny if {{ path_beg /engine.io }}\n{}", backend(&[server.address], ""));
    let proxy = Proxy::haproxy("", &rules, &log).await;
    tool::ends(&[&proxy.url("ws", "/")], "forbidden", 19, &log).await;
}

async fn an_origin_that_engine_io_does_not_allow_is_forbidden(log: Log) {
    let server =
        StockServer::start(ServerKind::Engine6, &json!({ "origin": "https://app.example" }), &log).await;
    tool::ends(&[&server.url()], "forbidden", 19, &log).await;
    let page = ["--header", "Origin: https://app.example", "--for", "300ms", &server.url()];
    tool::ends(&page, "closed", 0, &log).await;
}

async fn a_path_without_sessions_is_named(log: Log) {
    let proxy = Proxy::nginx("", "location / { return 404; }", &log).await;
    for scheme in ["http", "ws"] {
        tool::ends(&[&proxy.url(scheme, "/")], "wrong-path", 20, &log).await;
    }
    let server = StockServer::start(ServerKind::Python, &json!({}), &log).await;
    tool::ends(&["--path", "/elsewhere/", &server.url()], "wrong-path", 20, &log).await;
}

async fn other_errors_of_a_proxy_are_named(log: Log) {
    for (status, name, code) in [(400, "bad-request", 12), (500, "server-error", 22)] {
        let proxy = Proxy::nginx("", &format!("location / {{ return {status}; }}"), &log).await;
        tool::ends(&[&proxy.url("http", "/")], name, code, &log).await;
    }
}

fn nobody() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

async fn a_proxy_without_a_server_is_a_bad_gateway_or_unavailable(log: Log) {
    let proxy = Proxy::nginx(&upstream(&[nobody()]), PASS_ON, &log).await;
    for scheme in ["http", "ws"] {
        tool::ends(&[&proxy.url(scheme, "/")], "bad-gateway", 15, &log).await;
    }
    let proxy = Proxy::haproxy("retries 0", &backend(&[nobody()], ""), &log).await;
    let close = tool::ends(&[&proxy.url("http", "/")], "unavailable", 16, &log).await;
    assert!(close["explanation"].as_str().expect("text").contains("(HAProxy answered)"), "{close}");
}

/// Accepts connections, and does this with each.
async fn listener<R: Future<Output = ()> + Send + 'static>(
    each: impl Fn(tokio::net::TcpStream) -> R + Send + 'static,
) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(each(stream));
        }
    });
    address
}

async fn a_server_that_closes_without_an_answer_is_a_bad_gateway(log: Log) {
    let closes = listener(|stream| async move { drop(stream) }).await;
    let proxy = Proxy::haproxy("retries 0", &backend(&[closes], ""), &log).await;
    let close = tool::ends(&[&proxy.url("http", "/")], "bad-gateway", 15, &log).await;
    assert!(close["explanation"].as_str().expect("text").contains("(HAProxy answered)"), "{close}");
}

async fn a_server_that_does_not_answer_a_proxy_is_a_gateway_timeout(log: Log) {
    let silent = listener(|stream| async move {
        core::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let proxy = Proxy::haproxy("timeout server 1s", &backend(&[silent], ""), &log).await;
    tool::ends(&[&proxy.url("http", "/")], "gateway-timeout", 17, &log).await;
    let limited = format!("proxy_read_timeout 1s; {PASS_ON}");
    let proxy = Proxy::nginx(&upstream(&[silent]), &limited, &log).await;
    tool::ends(&[&proxy.url("http", "/")], "gateway-timeout", 17, &log).await;
}

async fn headers_that_nginx_removes_block_the_websocket(log: Log) {
    let server = engine(&log).await;
    // As nginx does unless told otherwise: HTTP/1.0, without the headers of upgrades.
    let proxy =
        Proxy::nginx(&upstream(&[server.address]), "location / { proxy_pass http://engine; }", &log).await;
    tool::ends(&[&proxy.url("ws", "/")], "websocket-blocked", 4, &log).await;
    let mut tool = Tool::start(&[&proxy.url("http", "/")], &log);
    assert_eq!(tool.event("failed").await["diagnosis"], "websocket-blocked");
    let close = tool.leaves("websocket-blocked").await;
    assert_eq!(close["transport"], "polling");
    let mut tool = Tool::start(&["--try-all-transports", "--for", "300ms", &proxy.url("ws", "/")], &log);
    assert_eq!(tool.event("open").await["transport"], "polling");
}

async fn a_websocket_without_a_route_leaves_the_session_on_polling(log: Log) {
    let server = engine(&log).await;
    let rules = format!(
        "    http-request deny deny_status 404 if {{ hdr(Upgrade) -i websocket }}\n{}",
        backend(&[server.address], "")
    );
    let proxy = Proxy::haproxy("", &rules, &log).await;
    let mut tool = Tool::start(&[&proxy.url("http", "/")], &log);
    assert_eq!(tool.event("failed").await["diagnosis"], "websocket-refused");
    tool.leaves("websocket-refused").await;
}

async fn a_websocket_that_gets_no_answer_leaves_the_session_on_polling(log: Log) {
    let server = StockServer::start(ServerKind::Engine6, &json!({ "muteUpgrades": true }), &log).await;
    let mut tool = Tool::start(&[&server.url()], &log);
    assert_eq!(tool.event("upgrade").await["diagnosis"], "upgrade-stuck");
    tool.leaves("upgrade-stuck").await;
}

async fn answers_that_a_proxy_compresses_are_named(log: Log) {
    // The client does not accept it, and gets it nevertheless.
    let files = [("page.gz", "bytes that nobody reads")];
    let always = "location / { root .; rewrite ^ /page break; gzip_static always; }";
    let proxy = Proxy::nginx_with(&files, "", always, &log).await;
    tool::ends(&[&proxy.url("http", "/")], "compressed", 23, &log).await;
}

async fn text_that_is_no_handshake_is_named(log: Log) {
    let hello = "default_type text/plain; location / { return 200 hello; }";
    let proxy = Proxy::nginx("", hello, &log).await;
    tool::ends(&[&proxy.url("http", "/")], "bad-handshake", 8, &log).await;
}
