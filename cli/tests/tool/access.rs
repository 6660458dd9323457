//! Which host names and which web pages may use `eio serve`.

use crate::program::Eio;
use crate::serve::serve;

/// Returns the statuses of the page, of a session on polling, of one on WebSocket, and of the feed, for requests with these
/// headers.
fn statuses(address: &str, headers: &str) -> [String; 4] {
    const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                           Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let status = |target, headers: &str| {
        // Only the first line: a WebSocket has no end.
        let answer = crate::peer::first_line(address, target, headers);
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    [
        status("/", headers),
        status("/engine.io/?EIO=4&transport=polling", headers),
        status("/engine.io/?EIO=4&transport=websocket", &format!("{headers}{UPGRADE}")),
        status("/events", headers),
    ]
}

const ALL: [&str; 4] = ["200", "200", "101", "200"];
const NONE: [&str; 4] = ["403"; 4];

#[test]
fn on_a_loopback_address_other_sites_get_neither_page_nor_feed_nor_sessions() {
    let (mut server, address) = serve(&[]);
    let port = address.rsplit(':').next().unwrap();
    // Names that may have been made to point here.
    for host in ["evil.test", &format!("evil.test:{port}"), "localhost.evil.test", "127.0.0.1.evil.test"] {
        assert_eq!(statuses(&address, &format!("Host: {host}\r\n")), NONE, "{host}");
        let as_own = format!("Host: {host}\r\nOrigin: http://{host}\r\n");
        assert_eq!(statuses(&address, &as_own), NONE, "{host}");
    }
    let refused = server.event("refused");
    assert_eq!((&refused["status"], &refused["target"]), (&403.into(), &"/".into()), "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("start it with --host evil.test"), "{refused}");
    // Pages of elsewhere.
    for origin in ["https://evil.test", "http://localhost.evil.test", "null"] {
        let page = format!("Host: {address}\r\nOrigin: {origin}\r\n");
        assert_eq!(statuses(&address, &page), NONE, "{origin}");
    }
    for origins in [
        "Origin: http://localhost\r\nOrigin: https://evil.test\r\n",
        "Origin: chrome-extension://localhost\r\n",
    ] {
        assert_eq!(statuses(&address, &format!("Host: localhost\r\n{origins}")), NONE, "{origins}");
    }
    assert_eq!(statuses(&address, "Host: evil.test@localhost\r\n"), ["400"; 4]);
    let script = format!("Host: {address}\r\nSec-Fetch-Site: cross-site\r\n");
    assert_eq!(statuses(&address, &script), ["200", "403", "403", "403"], "a link may lead to the page");
    for host in [address.clone(), format!("localhost:{port}"), "app.localhost".to_owned(), "[::1]".to_owned()]
    {
        assert_eq!(statuses(&address, &format!("Host: {host}\r\n")), ALL, "{host}");
        let page = format!("Host: {host}\r\nOrigin: http://localhost:5173\r\n");
        assert_eq!(statuses(&address, &page), ALL, "{host}");
    }
}

#[test]
fn allowed_names_and_origins_are_answered_and_all_of_them_with_a_star() {
    let (_server, address) = serve(&["--host", "Dev.example", "--cors", "https://*.app.example"]);
    assert_eq!(statuses(&address, "Host: dev.example:3000\r\n"), ALL);
    for origin in ["https://a.app.example", "https://dev.example", "http://localhost:5173"] {
        assert_eq!(
            statuses(&address, &format!("Host: dev.example\r\nOrigin: {origin}\r\n")),
            ALL,
            "{origin}"
        );
    }
    assert_eq!(statuses(&address, "Host: dev.example\r\nOrigin: https://app.example\r\n"), NONE);
    assert_eq!(statuses(&address, "Host: a.dev.example\r\n"), NONE);
    let (_server, address) = serve(&["--cors", "*"]);
    assert_eq!(statuses(&address, "Host: localhost\r\nOrigin: https://evil.test\r\n"), ALL);
    assert_eq!(statuses(&address, "Host: evil.test\r\n"), NONE);
    for options in [&["--listen", "127.0.0.1:0", "--host", "*"][..], &["--listen", "0.0.0.0:0"]] {
        let mut server = Eio::start(&[&["serve", "--json"], options].concat());
        let address = server.event("listening")["address"].as_str().unwrap().replace("0.0.0.0", "127.0.0.1");
        assert_eq!(statuses(&address, "Host: evil.test\r\nOrigin: http://evil.test\r\n"), ALL, "{options:?}");
    }
}

#[test]
fn an_ipv4_loopback_address_written_as_ipv6_is_a_loopback_address() {
    let mut server = Eio::start(&["serve", "--json", "--listen", "[::ffff:127.0.0.1]:0"]);
    let address = server.event("listening")["address"].as_str().unwrap().to_owned();
    assert_eq!(statuses(&address, "Host: evil.test\r\nOrigin: http://evil.test\r\n"), NONE);
    assert_eq!(statuses(&address, "Host: localhost\r\n"), ALL);
}

#[test]
fn a_request_for_the_page_needs_exactly_one_host() {
    let (_server, address) = serve(&["--host", "*"]);
    for hosts in ["", "Host: a\r\nHost: a\r\n", "Host: evil.test@localhost\r\n"] {
        assert_eq!(statuses(&address, hosts), ["400"; 4], "{hosts:?}");
    }
}
