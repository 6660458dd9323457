//! The page of `eio serve` and its data, as a browser asks for them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::peer::{WebSocket, events, exchange, feed, get};
use crate::program::Eio;
use crate::serve::serve;

#[test]
fn the_page_allows_its_own_script_and_nothing_else() {
    let (_server, address) = serve(&[]);
    let (first, second) = (get(&address, "/"), get(&address, "/"));
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    let policy = |page: &str| {
        let line = page.lines().find(|line| line.starts_with("content-security-policy: "));
        line.expect("a policy").to_owned()
    };
    assert!(policy(&first).contains("default-src 'none'"));
    assert_ne!(policy(&first), policy(&second), "the nonce is another one every time");
    let nonce = policy(&first).split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    assert_eq!(first.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
    assert!(get(&address, "/favicon.ico").starts_with("HTTP/1.1 404"));
}

#[test]
fn a_refused_post_is_the_last_request_on_its_connection() {
    let (_server, address) = serve(&[]);
    for (target, host, status) in
        [("/", "localhost", 405), ("/nowhere", "localhost", 404), ("/", "evil.test", 403)]
    {
        // The body looks like another request.
        let body = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let length = body.len();
        let head = format!("POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n");
        let answer = exchange(&address, &(head + body));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    }
}

#[test]
fn a_client_at_the_wrong_path_is_told_and_logged_with_the_option_to_use() {
    let (mut server, address) = serve(&[]);
    let answer = get(&address, "/socket.io/?EIO=4&transport=polling");
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("--path /socket.io/"), "{answer}");
    let refused = server.event("refused");
    assert_eq!((&refused["status"], &refused["target"]), (&404.into(), &"/socket.io/".into()), "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("--path /socket.io/"), "{refused}");
    assert!(answer.contains("start eio serve with --socketio for clients of Socket.IO"), "{answer}");
    let (_server, address) = serve(&["--socketio"]);
    let answer = get(&address, "/engine.io/?EIO=4&transport=polling");
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(
        answer.contains("without --socketio for clients of Engine.IO alone, with --path /engine.io/"),
        "{answer}"
    );
}

#[test]
fn a_line_about_a_refused_request_has_only_the_beginnings_of_its_texts() {
    let (mut server, address) = serve(&[]);
    let long = "a".repeat(6_000);
    for head in [
        format!("GET /{long}?EIO=4 HTTP/1.1\r\nHost: localhost"),
        format!("GET /{long} HTTP/1.1\r\nHost: {long}"),
        format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://{long}"),
        format!("GET /engine.io/?EIO=4&transport={long} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {long}"),
    ] {
        assert!(
            exchange(&address, &format!("{head}\r\nConnection: close\r\n\r\n")).starts_with("HTTP/1.1 4")
        );
        let refused = server.event("refused");
        assert!(refused.to_string().len() < 1_500, "{refused}");
        assert!(refused["message"].as_str().unwrap().len() > 10, "{refused}");
    }
}

#[test]
fn more_open_pages_than_allowed_are_told_when_to_try_again() {
    let (_server, address) = serve(&[]);
    let open: Vec<_> = (0..64).map(|_| feed(&address)).collect();
    assert!(open.iter().all(|(_, head)| head.starts_with("HTTP/1.1 200")));
    let (_, refused) = feed(&address);
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("\r\nretry-after: 5\r\n"), "{refused}");
}

#[test]
fn neither_the_page_nor_its_data_nor_a_line_names_a_session_whole() {
    for form in [&["--json"][..], &[]] {
        let options = [&["serve", "--listen", "127.0.0.1:0"], form].concat();
        let mut server = Eio::start(&options);
        let first = server.line();
        let url = first.split("http://").nth(1).unwrap();
        let address = url.split('/').next().unwrap().to_owned();
        let mut client = WebSocket::open(&address, 4);
        client.send("4hello");
        let mut lines = vec![first];
        while !lines.iter().any(|line| line.contains("hello")) {
            lines.push(server.line());
        }
        let data = crate::peer::events(&address, 2);
        assert!(data[0].starts_with("{\"version\":"), "{}", data[0]);
        assert!(data[1].contains("\"number\":1") && data[1].contains(&client.sid[..4]), "{}", data[1]);
        // It ends, and is remembered.
        client.send("9");
        while !lines.iter().any(|line| line.contains("parse error")) {
            lines.push(server.line());
        }
        let remembered = crate::peer::events(&address, 2);
        assert!(remembered[1].contains("\"lived_ms\""), "{}", remembered[1]);
        assert!(![&data[..], &remembered].concat().concat().contains("127.0.0.1"));
        let target = format!("/engine.io/?EIO=4&transport=websocket&sid={}", client.sid);
        let answers = vec![get(&address, "/"), WebSocket::refused(&address, &target)];
        lines.push(server.line());
        server.interrupt();
        assert_eq!(server.exit_code(), 0);
        lines.extend(server.rest());
        lines.push(server.errors());
        let all = [data, remembered, answers, lines].concat().join("\n");
        assert!(all.contains(&format!("{}…", &client.sid[..4])), "{all}");
        assert!(!all.contains(&client.sid), "{all}");
    }
}

/// Returns what a page gets when it is opened now.
pub(crate) fn changes(address: &str) -> Value {
    serde_json::from_str(&events(address, 2)[1]).expect("JSON")
}

#[test]
fn a_page_that_is_opened_later_sees_how_sessions_ended_and_how_long_round_trips_took() {
    let (mut server, address) = serve(&["--ping-interval", "200ms", "--ping-timeout", "2s"]);
    let mut client = WebSocket::open(&address, 4);
    WebSocket::open(&address, 4).close(1000, "");
    assert_eq!(server.event("close")["reason"], "transport close");
    assert_eq!(client.next().as_deref(), Some("2"));
    client.send("3");
    server.event("pong");
    // From here on, it is silent.
    assert_eq!(server.event("close")["reason"], "ping timeout");
    let changes = changes(&address);
    assert!(changes["ended"].as_array().unwrap().iter().all(|end| end["unsent"] == 0), "{changes}");
    let history = &changes["history"];
    assert_eq!(history["bounds_ms"].as_array().unwrap().len(), 35);
    for (scale, width) in [(0, 2_000), (1, 30_000)] {
        let scale = &history["scales"][scale];
        assert_eq!(scale["width_ms"], width);
        let (mut ends, mut trips, mut most) = (BTreeMap::new(), 0, 0);
        for bucket in scale["buckets"].as_array().unwrap() {
            for (reason, count) in bucket["ends"].as_object().unwrap() {
                *ends.entry(reason.as_str()).or_insert(0) += count.as_u64().unwrap();
            }
            let counts = bucket["round_trips"].as_array().unwrap();
            trips += counts.iter().map(|pair| pair[1].as_u64().unwrap()).sum::<u64>();
            most = most.max(bucket["open"][2].as_u64().unwrap());
        }
        assert_eq!(ends, BTreeMap::from([("ping timeout", 1), ("transport close", 1)]));
        assert_eq!((trips, most), (1, 2));
    }
}

#[test]
fn the_data_of_the_page_does_not_grow_with_the_number_of_sessions() {
    let (_server, address) = serve(&[]);
    let mut clients: Vec<_> = (0..260).map(|_| WebSocket::open(&address, 4)).collect();
    let before = changes(&address);
    assert_eq!((&before["totals"]["open"], before["open"].as_array().unwrap().len()), (&260.into(), 250));
    clients.extend((0..100).map(|_| WebSocket::open(&address, 4)));
    let after = changes(&address);
    assert_eq!((&after["totals"]["open"], after["open"].as_array().unwrap().len()), (&360.into(), 250));
    let buckets = after["history"]["scales"][1]["buckets"].as_array().unwrap();
    assert_eq!(buckets.last().unwrap()["open"][3], 360);
    assert!(buckets.len() <= 2, "{buckets:?}");
}
