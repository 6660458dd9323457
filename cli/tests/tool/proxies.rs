//! `eio connect` behind what stands between clients and servers: proxies that lose patience, or pass half of a request
//! on, and ports where somebody accepts and says nothing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use crate::program::Eio;

fn serve(options: &[&str]) -> (Eio, String) {
    let mut server = Eio::start(&[&["serve", "--json", "--listen", "127.0.0.1:0"], options].concat());
    let address = server.event("listening")["address"].as_str().unwrap().to_owned();
    (server, address)
}

/// Relays connections to `server`. What `change` makes of a request's head is passed on; a server that says nothing for
/// `limit` ends the connection.
fn proxy(server: String, limit: Duration, change: fn(&str) -> String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
            server.set_read_timeout(Some(limit)).unwrap();
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || pass_requests(from, to, change));
            std::thread::spawn(move || pass_answers(server, client));
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

/// Ends at the server's end, and when the limit has passed without a byte.
fn pass_answers(mut server: TcpStream, mut client: TcpStream) {
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = server.read(&mut bytes) {
        if client.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
    let _ = client.shutdown(Shutdown::Both);
}

/// As HTTP/1.0 did, and nginx does unless told otherwise.
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
            " The connection was idle for {silence:.1} s, and pings come every 20 s: a proxy with an idle limit may have cut \
             it. Set that limit above 20 s (nginx: proxy_read_timeout), or the server's ping interval below {silence:.1} s."
        );
        assert!(silence > 1.4 && sentence.contains(&expected), "{sentence}\n{expected}");
        assert_eq!(client.exit_code(), code);
    }
}

#[test]
fn a_proxy_that_strips_upgrade_is_named_and_the_session_stays_on_polling() {
    let (_server, address) = serve(&[]);
    let proxy = proxy(address, NO_LIMIT, without_upgrade);
    let mut client = Eio::start(&["connect", "--json", &format!("http://{proxy}")]);
    assert_eq!(client.event("open")["upgrades"][0], "websocket");
    let failed = client.event("failed");
    assert_eq!(failed["what"], "upgrade");
    assert!(
        failed["hint"].as_str().unwrap().contains("remove the headers Upgrade and Connection"),
        "{failed}"
    );
    client.event("upgrade");
    client.interrupt();
    assert_eq!(client.event("close")["transport"], "polling");

    let mut client = Eio::start(&["connect", &format!("ws://{proxy}")]);
    assert_eq!(client.exit_code(), 4);
    let last = client.rest().pop().unwrap();
    assert!(last.contains("remove the headers Upgrade and Connection"), "{last}");
}

#[test]
fn an_answer_that_is_no_switch_is_told_as_a_stripped_upgrade() {
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
        let last = client.rest().pop().unwrap();
        assert!(
            last.contains(status) && last.contains("remove the headers Upgrade and Connection"),
            "{last}"
        );
    }
}

#[test]
fn what_a_server_that_accepts_and_never_answers_keeps_waiting_is_said_after_2_s() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    for (scheme, awaited) in [("http", "handshake"), ("ws", "handshake"), ("https", "connection")] {
        let mut client = Eio::start(&["connect", "--json", &format!("{scheme}://{address}")]);
        let waiting = client.event("waiting");
        assert_eq!(waiting["waiting_for"], awaited, "{scheme}");
        assert!((2_000..10_000).contains(&waiting["waited_ms"].as_u64().unwrap()), "{waiting}");
        client.interrupt();
        assert_eq!(client.exit_code(), 130);
    }
}

#[test]
fn an_interval_that_proxies_do_not_bear_is_warned_of_when_a_session_opens() {
    for (interval, is_warned_of) in [("59s", false), ("5m", true)] {
        let (_server, address) = serve(&["--ping-interval", interval]);
        let mut client = Eio::start(&["connect", "--json", "--for", "1ms", &format!("http://{address}")]);
        let open = client.event("open");
        assert_eq!(open["warning"].is_string(), is_warned_of, "{open}");
    }
}
