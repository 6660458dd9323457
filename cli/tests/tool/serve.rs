//! `eio serve`: its events, its signals and its limits.

use crate::pages::changes;
use crate::peer::{WebSocket, get, get_with, head, post};
use crate::program::{Eio, lines_of};

/// Soon over, and with time enough for an answer on a busy machine.
const QUICK: [&str; 4] = ["--ping-interval", "200ms", "--ping-timeout", "2s"];

/// Starts a server that prints events, and returns its address.
pub(crate) fn serve(options: &[&str]) -> (Eio, String) {
    let mut server = Eio::start(&[&["serve", "--json", "--listen", "127.0.0.1:0"], options].concat());
    let address = server.event("listening")["address"].as_str().unwrap().to_owned();
    (server, address)
}

#[test]
fn the_first_line_says_where_it_listens() {
    let mut server = Eio::start(&["serve", "--listen", "127.0.0.1:0"]);
    let line = server.line();
    assert!(line.starts_with("eio listens on http://127.0.0.1:"), "{line}");
    // Standard output is not a terminal.
    assert!(!line.contains('\x1b'), "{line}");
    server.interrupt();
    assert_eq!(server.exit_code(), 0);
    assert_eq!(server.errors(), "");
}

#[test]
fn a_taken_port_is_one_sentence_and_code_2() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut server = Eio::start(&["serve", "--listen", &address]);
    assert_eq!(server.exit_code(), 2);
    let errors = server.errors();
    let expected = format!(
        "eio: cannot listen on {address}: another program uses it; choose another address with --listen"
    );
    assert_eq!(lines_of(&errors), [expected]);
    assert!(server.rest().is_empty());
}

#[test]
fn a_bad_option_is_one_sentence_and_code_2() {
    for options in [
        &["serve", "--ping-interval", "25"][..],
        &["serve", "--ping-timeout", "0s"],
        &["serve", "--transports", "pigeon"],
        &["serve", "--path", "engine.io"],
        &["serve", "--cors", "example.org/path"],
        &["serve", "--no-such-thing"],
        &["serve", "--workers", "0"],
        &["serve", "--node", "toolong"],
        &["srve"],
        &["simulate", "--bandwidth", "fast"],
    ] {
        let mut program = Eio::start(options);
        assert_eq!(program.exit_code(), 2, "{options:?}");
        let errors = program.errors();
        let lines = lines_of(&errors);
        assert_eq!(lines.len(), 2, "{errors}");
        assert!(lines[0].starts_with("eio: ") && !lines[0].ends_with('.'), "{errors}");
        assert!(
            lines[1].starts_with("Run 'eio") && lines[1].ends_with(" --help' to see the options"),
            "{errors}"
        );
        assert!(program.rest().is_empty());
    }
}

#[test]
fn help_goes_to_standard_output() {
    for options in [
        &["--help"][..],
        &["-h"],
        &["serve", "--help"],
        &["connect", "--help"],
        &["simulate", "-h"],
        &["--version"],
    ] {
        let mut program = Eio::start(options);
        assert_eq!(program.exit_code(), 0, "{options:?}");
        assert!(!program.rest().is_empty() && program.errors().is_empty());
    }
}

#[test]
fn a_session_is_printed_from_its_opening_to_its_ping_timeout() {
    let (mut server, address) = serve(&[&["--echo"], &QUICK[..]].concat());
    let mut client = WebSocket::open(&address, 4);
    let open = server.event("open");
    assert_eq!(
        (&open["transport"], &open["eio"], &open["session"]),
        (&"websocket".into(), &4.into(), &1.into())
    );
    assert_eq!(open["sid"], format!("{}…", &client.sid[..4]));
    assert!(open["peer"].as_str().unwrap().starts_with("127.0.0.1:"));

    client.send("4hello");
    let message = server.event("message");
    assert_eq!(
        (&message["kind"], &message["bytes"], &message["data"]),
        (&"text".into(), &5.into(), &"hello".into())
    );
    assert_eq!(client.next().as_deref(), Some("4hello"));

    assert_eq!(client.next().as_deref(), Some("2"));
    assert_eq!(server.event("ping")["from"], "server");
    client.send("3");
    let pong = server.event("pong");
    assert!(pong["rtt_ms"].as_f64().unwrap() > 0.0, "{pong}");

    // From here on, the client is silent.
    assert_eq!(client.next().as_deref(), Some("2"));
    let close = server.event("close");
    assert_eq!((&close["reason"], &close["transport"]), (&"ping timeout".into(), &"websocket".into()));
    assert_eq!(close["detail"], "ping timeout: the peer was silent");
    let silent = close["silent_ms"].as_u64().unwrap();
    assert!(silent >= 2_200, "silent for {silent} ms");
    assert!(close["lived_ms"].as_u64().unwrap() >= silent);
    assert_eq!(close["sid"], open["sid"]);
}

#[test]
fn an_idle_connection_is_kept_for_as_long_as_the_option_says() {
    for (options, announced) in [(&[][..], "timeout=75"), (&["--idle-timeout", "620s"], "timeout=620")] {
        let (_server, address) = serve(options);
        let answer = head(&address, "/").to_lowercase();
        assert!(answer.contains(&format!("\r\nkeep-alive: {announced}\r\n")), "{answer}");
    }
}

#[test]
fn clients_of_revision_3_ping_themselves() {
    let (mut server, address) = serve(&["--eio3"]);
    let mut client = WebSocket::open(&address, 3);
    client.send("2");
    assert_eq!(client.next().as_deref(), Some("3"));
    assert_eq!(server.event("open")["eio"], 3);
    assert_eq!(server.event("ping")["from"], "client");
}

#[test]
fn ctrl_c_closes_every_session() {
    let (mut server, address) = serve(&[]);
    let mut clients = [4, 4].map(|eio| WebSocket::open(&address, eio));
    server.event("open");
    server.event("open");
    server.interrupt();
    assert_eq!(server.event("closing")["sessions"], 2);
    for _ in &clients {
        assert_eq!(server.event("close")["reason"], "forced close");
    }
    for client in &mut clients {
        assert_eq!(client.next(), None, "a close frame ends what comes in");
    }
    assert_eq!(server.exit_code(), 0);
}

/// Opens a session on polling that never polls. Returns its sid.
fn open_polling(address: &str) -> String {
    let open = get(address, "/engine.io/?EIO=4&transport=polling");
    let sid = open.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next());
    sid.unwrap_or_else(|| panic!("{open}")).to_owned()
}

#[test]
fn a_polling_client_that_has_vanished_does_not_delay_the_end() {
    let (mut server, address) = serve(&[]);
    open_polling(&address);
    server.event("open");
    server.terminate();
    let closing = server.event("closing")["ms"].as_u64().unwrap();
    let close = server.event("close");
    assert_eq!(close["reason"], "forced close");
    let took = close["ms"].as_u64().unwrap() - closing;
    assert!(took < 4_000, "waited for {took} ms");
    assert_eq!(server.exit_code(), 0);
}

/// Starts a server that does not end by itself for some seconds: a client never polls for the echo of its message.
fn serve_an_unread_message() -> (Eio, String) {
    let (mut server, address) = serve(&["--echo"]);
    let sid = open_polling(&address);
    let target = format!("/engine.io/?EIO=4&transport=polling&sid={sid}");
    assert!(post(&address, &target, "4hello").starts_with("HTTP/1.1 200"));
    server.event("message");
    (server, address)
}

#[test]
fn a_server_that_shuts_down_says_so_to_a_balancer() {
    let (mut server, address) = serve_an_unread_message();
    assert!(get(&address, "/").starts_with("HTTP/1.1 200"));
    server.interrupt();
    server.event("closing");
    let page = get(&address, "/");
    assert!(page.starts_with("HTTP/1.1 503") && page.contains("\r\nretry-after: 5\r\n"), "{page}");
}

#[test]
fn a_second_ctrl_c_leaves_at_once() {
    let (mut server, _) = serve_an_unread_message();
    server.interrupt();
    server.event("closing");
    let interrupted = std::time::Duration::from_secs(2);
    server.interrupt();
    assert_eq!(server.exit_code_within(interrupted), 130);
}

#[test]
fn a_reader_that_goes_away_ends_the_server() {
    let (mut server, address) = serve(&QUICK);
    server.stop_reading();
    let _client = WebSocket::open(&address, 4);
    assert_eq!(server.exit_code(), 0);
}

#[test]
fn transports_that_are_off_are_refused() {
    let (mut server, address) = serve(&["--transports", "websocket", "--cors", "https://app.example"]);
    let page = format!("Host: {address}\r\nOrigin: https://app.example\r\n");
    let refused = get_with(&address, "/engine.io/?EIO=4&transport=polling", &page);
    assert!(refused.starts_with("HTTP/1.1 400") && refused.contains("Transport unknown"), "{refused}");
    assert!(refused.contains("access-control-allow-origin: https://app.example"), "{refused}");
    let refused = server.event("refused");
    assert_eq!(
        (&refused["transport"], &refused["status"], &refused["code"], &refused["message"]),
        (&"polling".into(), &400.into(), &0.into(), &"Transport unknown".into())
    );
    assert!(refused["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert_eq!(refused["context"], r#"transport "polling": expected websocket"#);
    let refused = get(&address, "/engine.io/?EIO=3&transport=websocket");
    assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
}

#[test]
fn a_refused_websocket_is_a_line_in_the_log() {
    let mut server = Eio::start(&["serve", "--listen", "127.0.0.1:0"]);
    let line = server.line();
    let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap();
    let refused = WebSocket::refused(address, "/engine.io/?EIO=4&transport=websocket&sid=gone");
    assert!(refused.starts_with("HTTP/1.1 400") && refused.ends_with("Session ID unknown"), "{refused}");
    let line = server.line();
    assert!(line.contains("refused") && line.contains("websocket, status 400: Session ID unknown"), "{line}");
    assert!(line.contains(r#"(sid "gone": unknown: ended, or opened by another server)"#), "{line}");
    // Offering a subprotocol is not a reason to refuse.
    let answer = WebSocket::asked(
        address,
        "/engine.io?EIO=4&transport=websocket",
        "Sec-WebSocket-Protocol: arduino\r\n",
    );
    assert!(answer.contains("\r\nsec-websocket-protocol: arduino\r\n"), "{answer}");
    assert!(server.line().contains("open"));
}

#[test]
fn a_close_reason_cannot_change_the_terminal() {
    let mut server = Eio::start(&["serve", "--listen", "127.0.0.1:0"]);
    let line = server.line();
    let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap();
    WebSocket::open(address, 4).close(4001, "\u{1b}[2J\u{9b}2J\r\n\u{202e}bye");
    let line = core::iter::from_fn(|| Some(server.line())).find(|line| line.contains("close")).unwrap();
    assert!(line.contains(r#"close frame 4001 "\u{1b}[2J\u{9b}2J\r\n\u{202e}bye""#), "{line}");
}

#[test]
fn a_clients_close_frame_is_printed_with_its_code_and_reason() {
    let (mut server, address) = serve(&[]);
    let mut client = WebSocket::open(&address, 4);
    server.event("open");
    client.close(4001, "bye");
    let close = server.event("close");
    assert_eq!(
        (&close["reason"], &close["detail"]),
        (&"transport close".into(), &"transport close: the connection ended".into())
    );
    assert_eq!((&close["close_code"], &close["close_reason"]), (&4001.into(), &"bye".into()));
    let ended = &changes(&address)["ended"][0];
    assert_eq!((&ended["close_code"], &ended["close_reason"]), (&4001.into(), &"bye".into()), "{ended}");
}

#[test]
fn a_server_without_descriptors_reports_it_once_accepts_new_clients_and_reports_the_end() {
    const DESCRIPTORS: u32 = 40;
    let arguments = ["serve", "--json", "--listen", "127.0.0.1:0", "--workers", "1"];
    let mut server = Eio::start_with_descriptors(DESCRIPTORS, &arguments);
    let address = server.event("listening")["address"].as_str().unwrap().to_owned();
    let silent: Vec<_> = (0..DESCRIPTORS)
        .map(|_| std::net::TcpStream::connect(&address).expect("the backlog has room"))
        .collect();
    let complaint = server.complaint();
    assert!(
        complaint.starts_with("eio: cannot accept connections: Too many open files")
            && complaint.ends_with("raise its limit (ulimit -n)"),
        "{complaint}"
    );
    // The server closes silent connections sooner than after the 30 s that a head may take.
    assert!(get(&address, "/").starts_with("HTTP/1.1 200"));
    drop(silent);
    let complaint = server.complaint();
    assert!(complaint.starts_with("eio: accepting connections again after "), "{complaint}");
}

#[test]
fn connections_beyond_the_limit_wait_and_those_of_one_address_are_closed() {
    let (mut server, address) = serve(&["--max-connections", "2"]);
    let silent = [(); 2].map(|()| std::net::TcpStream::connect(&address).unwrap());
    assert!(get(&address, "/").starts_with("HTTP/1.1 200"));
    assert_eq!(
        server.complaint(),
        "eio: cannot accept connections: the limit of 2 open connections is reached; raise the limit with \
         --max-connections"
    );
    drop(silent);

    let (_server, address) = serve(&["--max-connections-per-address", "1"]);
    let first = WebSocket::open(&address, 4);
    let mut second = std::net::TcpStream::connect(&address).unwrap();
    assert!(matches!(std::io::Read::read(&mut second, &mut [0]), Ok(0) | Err(_)));
    drop(first);
}

/// Opens a session on polling that makes a connection for each request, and stops the server while `messages` echoes wait
/// for the session. Returns everything that the session polls until the server has ended.
fn polled_at_the_end(server: &mut Eio, address: &str, messages: usize) -> Vec<String> {
    const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
    let open = get(address, POLLING);
    let (_, sid) = open.split_once("\"sid\":\"").unwrap();
    let target = format!("{POLLING}&sid={}", sid.split('"').next().unwrap());
    let payload: Vec<String> = (0..messages).map(|number| format!("4{number}")).collect();
    for payload in payload.chunks(16) {
        assert!(post(address, &target, &payload.join("\u{1e}")).ends_with("ok"));
    }
    for _ in 0..messages {
        server.event("message");
    }
    server.terminate();
    server.event("closing");
    let mut packets: Vec<String> = Vec::new();
    while packets.last().is_none_or(|last| last != "1") {
        let answer = get(address, &target);
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        packets.extend(body.split('\u{1e}').map(str::to_owned));
    }
    packets
}

#[test]
fn polling_clients_fetch_their_last_messages_on_new_connections_while_the_server_stops() {
    for messages in [40, 0] {
        let (mut server, address) = serve(&["--echo"]);
        let packets = polled_at_the_end(&mut server, &address, messages);
        let echoes: Vec<&String> = packets.iter().filter(|packet| packet.starts_with('4')).collect();
        assert_eq!(
            echoes,
            (0..messages).map(|number| format!("4{number}")).collect::<Vec<_>>().iter().collect::<Vec<_>>()
        );
        assert_eq!(server.exit_code(), 0);
    }
}
