//! `eio connect` behind proxies that cut idle connections or remove headers, and with servers that accept connections and
//! send nothing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use crate::program::Eio;
use crate::serve::serve;

/// Relays connections to `server`. `change` changes the head of a request. A connection on which the server sends nothing
/// for `limit` ends.
fn proxy(server: String, limit: Duration, change: fn(&str) -> String) -> String {
    relay(server, limit, change, |server, client| {
        let _ = server.shutdown(Shutdown::Both);
        let _ = client.shutdown(Shutdown::Both);
    })
}

/// Relays connections to `server`. Calls `end` with both sides of a connection on which the server sends nothing for
/// `limit`, or which the server closes.
fn relay(
    server: String,
    limit: Duration,
    change: fn(&str) -> String,
    end: fn(&mut TcpStream, &TcpStream),
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
            server.set_read_timeout(Some(limit)).unwrap();
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || pass_requests(from, to, change));
            std::thread::spawn(move || pass_answers(server, client, end));
        }
    });
    address
}

fn pass_requests(client: TcpStream, mut server: TcpStream, change: fn(&str) -> String) {
    let mut client = BufReader::new(client);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if client.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let _ = server.write_all(change(&head).as_bytes());
    let _ = std::io::copy(&mut client, &mut server);
    let _ = server.shutdown(Shutdown::Write);
}

/// Ends when the server closes, and when the limit has passed without a byte.
fn pass_answers(mut server: TcpStream, mut client: TcpStream, end: fn(&mut TcpStream, &TcpStream)) {
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = server.read(&mut bytes) {
        if client.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    end(&mut server, &client);
}

/// HTTP/1.0 proxies do this, and nginx by default.
fn without_upgrade(head: &str) -> String {
    let is_passed = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        !["upgrade", "connection"].iter().any(|stripped| name.eq_ignore_ascii_case(stripped))
    };
    head.split_inclusive("\r\n").filter(is_passed).collect()
}

const NO_LIMIT: Duration = Duration::from_mins(1);

#[test]
fn a_proxy_that_closes_idle_connections_is_named_with_the_numbers_and_the_setting() {
    for (transport, code) in [("websocket", 6), ("polling", 7)] {
        let (_server, address) = serve(&["--ping-interval", "20s"]);
        let proxy = proxy(address, Duration::from_millis(1_500), str::to_owned);
        let mut client =
            Eio::start(&["connect", "--json", "--transport", transport, &format!("http://{proxy}")]);
        let close = client.event("close");
        assert_eq!(close["exit_code"], code, "{close}");
        let sentence = close["explanation"].as_str().unwrap();
        let silence = close["silent_ms"].as_f64().unwrap() / 1_000.0;
        let expected = format!(
            " Nothing arrived for {silence:.1} s, longer than ever before on this connection, and pings come only every 20 s: \
             a proxy with an idle limit probably cut it. Set that limit above pingInterval + pingTimeout, here 40 s (nginx: proxy_read_timeout; HAProxy: timeout \
             client, server and tunnel), or keep that sum below {silence:.1} s."
        );
        assert!(silence > 1.4 && sentence.contains(&expected), "{sentence}\n{expected}");
        assert_eq!(client.exit_code(), code);
    }
}

#[test]
fn a_firewall_that_forgets_idle_connections_is_named_beside_the_server() {
    let (_server, address) = serve(&["--ping-interval", "3s", "--ping-timeout", "1s"]);
    // What comes later is lost, and neither end hears of it.
    let firewall = relay(address, Duration::from_millis(1_500), str::to_owned, |server, _| {
        server.set_read_timeout(None).unwrap();
        let _ = std::io::copy(server, &mut std::io::sink());
    });
    let mut client = Eio::start(&["connect", "--json", &format!("ws://{firewall}")]);
    let close = client.event("close");
    assert_eq!((&close["diagnosis"], &close["second_look"]), (&"never-pinged".into(), &"answered".into()));
    let [meaning, advice] = ["meaning", "advice"].map(|member| close[member].as_str().unwrap());
    assert!(
        meaning.contains("or a firewall, a NAT or a proxy has forgotten the idle connection"),
        "{meaning}"
    );
    assert!(advice.contains("idle limits below 3 s on the way"), "{advice}");
    assert_eq!(client.exit_code(), 5);
}

#[test]
fn with_a_proxy_that_removes_upgrade_the_session_stays_on_polling_and_the_hint_says_why() {
    let (_server, address) = serve(&[]);
    let proxy = proxy(address, NO_LIMIT, without_upgrade);
    let mut client = Eio::start(&["connect", "--json", &format!("http://{proxy}")]);
    assert_eq!(client.event("open")["upgrades"][0], "websocket");
    let failed = client.event("failed");
    assert_eq!(failed["what"], "upgrade");
    assert!(
        failed["hint"].as_str().unwrap().contains("removes the headers Upgrade and Connection"),
        "{failed}"
    );
    client.event("upgrade");
    client.interrupt();
    assert_eq!(client.event("close")["transport"], "polling");

    let mut client = Eio::start(&["connect", &format!("ws://{proxy}")]);
    assert_eq!(client.exit_code(), 4);
    let last = client.ending();
    assert!(last.contains("removes the headers Upgrade and Connection"), "{last}");
}

#[test]
fn an_ordinary_answer_to_an_upgrade_is_explained_by_removed_headers() {
    for status in ["200 OK", "400 Bad Request", "426 Upgrade Required"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut stream = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).unwrap() > 0 {}
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nhi");
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        });
        let mut client = Eio::start(&["connect", &format!("ws://{address}")]);
        assert_eq!(client.exit_code(), 4, "{status}");
        let last = client.ending();
        assert!(
            last.contains(status) && last.contains("removes the headers Upgrade and Connection"),
            "{last}"
        );
    }
}

#[test]
fn after_2_s_the_tool_says_what_a_silent_server_keeps_it_waiting_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    for (scheme, awaited, diagnosis) in [
        ("http", "handshake", "accepted-but-silent"),
        ("ws", "handshake", "accepted-but-silent"),
        ("https", "connection", "host-unreachable"),
    ] {
        let mut client = Eio::start(&["connect", "--json", &format!("{scheme}://{address}")]);
        let waiting = client.event("waiting");
        assert_eq!(waiting["waiting_for"], awaited, "{scheme}");
        assert!((2_000..10_000).contains(&waiting["waited_ms"].as_u64().unwrap()), "{waiting}");
        client.interrupt();
        let close = client.event("close");
        assert_eq!((&close["diagnosis"], &close["exit_code"]), (&diagnosis.into(), &130.into()), "{close}");
        assert_eq!(client.exit_code(), 130);
    }
}

#[test]
fn an_interval_above_the_idle_limits_of_proxies_is_warned_about_when_a_session_opens() {
    for (interval, is_warned_of) in [("59s", false), ("5m", true)] {
        let (_server, address) = serve(&["--ping-interval", interval]);
        let mut client = Eio::start(&["connect", "--json", "--for", "1ms", &format!("http://{address}")]);
        let open = client.event("open");
        assert_eq!(open["warning"].is_string(), is_warned_of, "{open}");
    }
}
