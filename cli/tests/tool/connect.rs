//! `eio connect` with servers that behave, refuse, fall silent and vanish.

use crate::connection::Directory;
use crate::peer::{OpenSession, SilentServer, polling, redirecting};
use crate::program::{Eio, lines_of};

fn serve(options: &[&str]) -> (Eio, String) {
    let mut server = Eio::start(&[&["serve", "--json", "--listen", "127.0.0.1:0"], options].concat());
    let url = server.event("listening")["url"].as_str().unwrap().to_owned();
    (server, url)
}

#[test]
fn a_session_is_shown_from_its_handshake_to_ctrl_c() {
    let (_server, url) = serve(&["--echo", "--ping-interval", "200ms", "--ping-timeout", "5s"]);
    let mut client = Eio::start(&["connect", "--json", &url]);
    assert_eq!(client.event("connecting")["url"], *url);
    let open = client.event("open");
    assert_eq!(open["transport"], "polling");
    assert_eq!(open["ping_interval_ms"], 200);
    assert_eq!(open["sid"].as_str().unwrap().chars().count(), 5);
    assert_eq!(client.event("upgrade")["outcome"], "websocket");
    client.say("grüß dich");
    assert_eq!(client.event("message")["data"], "grüß dich");
    let ping = client.event("ping");
    assert_eq!(ping["from"], "server");
    let (after, late) = (ping["after_ms"].as_f64().unwrap(), ping["late_ms"].as_f64().unwrap());
    assert!((190.0..5_200.0).contains(&after) && late < 5_000.0, "{ping}");
    assert_eq!(client.event("pong")["from"], "client");
    client.interrupt();
    let close = client.event("close");
    assert_eq!(close["reason"], "forced close");
    assert_eq!(client.exit_code(), 0);
}

#[test]
fn text_that_polling_cannot_carry_is_reported_as_unsent() {
    let (_server, url) = serve(&["--echo"]);
    let mut client = Eio::start(&["connect", "--json", "--transport", "polling", &url]);
    client.event("open");
    client.say("hi\u{1e}1");
    let why = client.event("unsent")["why"].as_str().unwrap().to_owned();
    assert!(why.starts_with("text with U+001E at byte 2 cannot be sent on polling"), "{why}");
    client.say("next");
    assert_eq!(client.event("message")["data"], "next");
}

#[test]
fn a_session_of_revision_3_shows_round_trips() {
    let (_server, url) = serve(&["--eio3", "--ping-interval", "200ms", "--ping-timeout", "5s"]);
    let mut client = Eio::start(&["connect", "--json", "--eio", "3", "--transport", "websocket", &url]);
    assert_eq!(client.event("open")["transport"], "websocket");
    assert_eq!(client.event("ping")["from"], "client");
    assert!(client.event("pong")["rtt_ms"].as_f64().unwrap() < 5_000.0);
}

#[test]
fn a_server_that_resets_the_second_connection_is_gone() {
    let mut client = Eio::start(&["connect", &SilentServer::start(300, 200).resetting().url()]);
    assert_eq!(client.exit_code(), 5);
    let end = client.ending();
    assert!(end.contains("  diagnosis  server-gone: "), "{end}");
}

#[test]
fn a_silent_server_is_a_ping_timeout_with_a_sentence_that_helps() {
    let server = || SilentServer::start(300, 200).url();
    let close = Eio::start(&["connect", "--json", &server()]).event("close");
    // At least the bound, and more on a busy machine.
    assert!(close["silent_ms"].as_u64().unwrap() >= 500, "{close}");
    let mut client = Eio::start(&["connect", &server()]);
    assert_eq!(client.exit_code(), 5);
    let end = client.ending();
    assert!(end.contains("ping timeout: no ping arrived for "), "{end}");
    assert!(end.contains("The server promised one every 300 ms, and eio waited 200 ms longer."), "{end}");
    // The last line is the answer.
    let last = end.lines().last().unwrap();
    assert!(
        last.contains(
            "  diagnosis  never-pinged: No heartbeat has arrived in this session, although the server"
        ),
        "{last}"
    );
    assert!(last.ends_with("try --eio 3. (exit code 5)"), "{last}");
}

#[test]
fn the_subprotocol_that_the_server_chose_is_shown() {
    let offer = ["connect", "--protocol", "chat.v2", "--protocol", "chat.v1"];
    let server = || SilentServer::start(25_000, 20_000).choosing("chat.v1").url();
    let mut client = Eio::start(&[&offer[..], &["--json", &server()]].concat());
    assert_eq!(client.event("open")["protocol"], "chat.v1");
    let mut client = Eio::start(&[&offer[..], &["--for", "10ms", &server()]].concat());
    assert_eq!(client.exit_code(), 0);
    let lines = client.rest();
    assert!(
        lines.iter().any(|line| line.contains("on websocket with the subprotocol chat.v1;")),
        "{lines:?}"
    );

    let (_server, url) = serve(&[]);
    let mut client = Eio::start(&[&offer[..], &["--json", &url]].concat());
    assert!(client.event("open")["protocol"].is_null());
    assert_eq!(client.event("upgrade")["protocol"], "chat.v2", "this server chooses the first");

    let mut client = Eio::start(&["connect", "--protocol", "no token", &url]);
    assert_eq!(client.exit_code(), 2);
}

#[test]
fn the_other_transport_is_tried_when_asked_for() {
    let (_server, url) = serve(&["--transports", "polling"]);
    let url = url.replacen("http", "ws", 1);
    let mut client = Eio::start(&["connect", "--json", &url]);
    assert_eq!(client.exit_code(), 4);

    let mut client = Eio::start(&["connect", "--json", "--try-all-transports", &url]);
    let trying = client.event("trying");
    assert_eq!(trying["transport"], "polling");
    assert!(trying["error"].as_str().unwrap().contains("Transport unknown"), "{trying}");
    assert_eq!(client.event("open")["transport"], "polling");

    let (_server, url) = serve(&["--transports", "websocket"]);
    let mut client = Eio::start(&["connect", "--try-all-transports", "--for", "10ms", &url]);
    assert_eq!(client.exit_code(), 0);
    let lines = client.rest();
    assert!(
        lines.iter().any(|line| line.contains("trying")
            && line.contains("websocket, because the other transport failed: ")),
        "{lines:?}"
    );
}

#[test]
fn a_server_that_stops_is_a_transport_close() {
    let (mut server, url) = serve(&[]);
    let mut client = Eio::start(&["connect", "--json", "--transport", "websocket", &url]);
    client.event("open");
    server.interrupt();
    let close = client.event("close");
    assert_eq!((&close["reason"], &close["exit_code"]), (&"transport close".into(), &6.into()));
    // Like engine.io, it closes with a close frame without a code.
    assert_eq!((&close["close_code"], &close["close_reason"]), (&1005.into(), &"".into()));
    let explanation = close["explanation"].as_str().unwrap();
    assert!(
        explanation.contains("the server closed the session with a close frame without a code"),
        "{explanation}"
    );
    assert_eq!(client.exit_code(), 6);
    assert_eq!(server.exit_code(), 0);
}

#[test]
fn a_server_that_stops_at_the_path_of_socket_io_is_one_that_shuts_down() {
    let (server, url) = serve(&["--path", "/socket.io/"]);
    let mut client =
        Eio::start(&["connect", "--json", "--transport", "websocket", "--path", "/socket.io/", &url]);
    client.event("open");
    server.interrupt();
    assert_eq!(client.event("close")["diagnosis"], "server-shut-down");
}

#[test]
fn an_interrupted_second_look_leaves_the_cause_open() {
    let server = SilentServer::start(25_000, 20_000).ignoring().doing(OpenSession::cut);
    let mut client = Eio::start(&["connect", "--json", &server.url()]);
    client.event("looking");
    client.interrupt();
    let close = client.event("close");
    assert!(close["second_look"].is_null(), "{close}");
    assert_eq!(close["diagnosis"], "cause-unknown");
    assert_eq!(client.exit_code(), 6);
}

#[test]
fn a_message_larger_than_eio_accepts_is_no_fault_of_the_server() {
    let server =
        SilentServer::start(25_000, 20_000).doing(|session| session.begin_message(16 * 1024 * 1024 + 1));
    let mut client = Eio::start(&["connect", "--json", &server.url()]);
    assert_eq!(client.event("close")["diagnosis"], "too-large-for-eio");
    assert_eq!(client.exit_code(), 13);
}

#[test]
fn the_reasons_why_no_session_opens_have_different_exit_codes() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut client = Eio::start(&["connect", &format!("http://{free}")]);
    assert_eq!(client.exit_code(), 3);
    assert!(client.ending().contains("nothing-listens: The host answers, but nothing listens on this port."));

    let (_server, url) = serve(&["--transports", "polling"]);
    let mut client = Eio::start(&["connect", "--transport", "websocket", &url]);
    assert_eq!(client.exit_code(), 4);
    assert!(client.ending().contains("Transport unknown"));

    let mut client = Eio::start(&["connect", "--socketio", &url]);
    assert_eq!(client.exit_code(), 20);
    let last = client.ending();
    assert!(last.contains("There are no sessions at this path."), "{last}");
    assert!(last.contains("use --socketio for a Socket.IO server, and only for one"), "{last}");
    assert!(last.contains("--socketio=/chat joins the namespace /chat"), "{last}");

    let (_server, socketio) = serve(&["--path", "/socket.io/"]);
    let mut client = Eio::start(&["connect", &socketio]);
    assert_eq!(client.exit_code(), 20);
    let last = client.ending();
    assert!(last.contains("use --socketio for a Socket.IO server"), "{last}");

    let mut client = Eio::start(&["connect", "--eio", "3", &url]);
    assert_eq!(client.exit_code(), 4);
    assert!(client.ending().contains("Try --eio 4."));

    let mut client = Eio::start(&["connect", "localhost"]);
    assert_eq!(client.exit_code(), 2);
    assert_eq!(lines_of(&client.errors()).len(), 2);
}

#[test]
fn a_namespace_is_joined_and_left() {
    let server = SilentServer::start(25_000, 20_000).saying(&[
        "40{\"sid\":\"abcdefgh\"}",
        "42[\"news\",{\"a\":1}]",
        "41",
    ]);
    let mut client = Eio::start(&["connect", "--json", "--socketio", &server.url()]);
    let joined = client.event("joined");
    assert_eq!((&joined["namespace"], &joined["sid"]), (&"/".into(), &"abcd".into()));
    let event = client.event("event");
    assert_eq!(event["name"], "news");
    assert_eq!(event["arguments"]["data"], "{\"a\":1}");
    client.event("disconnect");
    assert_eq!(client.event("close")["exit_code"], 10);
    assert_eq!(client.exit_code(), 10);
}

/// Servers close the session of a client that sends to a namespace that it has not joined, which takes as long as their
/// middleware.
#[test]
fn lines_wait_until_the_namespace_is_joined() {
    const PINGS: usize = 20;
    let (heard, notes) = std::sync::mpsc::channel();
    let server = SilentServer::start(25_000, 20_000).doing(move |client| {
        let hear = |client: &mut OpenSession| heard.send(client.hear().expect("a packet")).unwrap();
        hear(client);
        // A line that did not wait would come with the packet that joins, or with the answers to these.
        for _ in 0..PINGS {
            client.say("2");
            hear(client);
        }
        client.say("40/chat,{\"sid\":\"abcdefgh\"}");
        hear(client);
    });
    let mut client = Eio::start(&["connect", "--json", "--socketio=/chat", &server.url()]);
    client.say("early");
    client.event("joined");
    let pongs = vec!["3"; PINGS];
    let expected = [&["40/chat,"], &pongs[..], &["42/chat,[\"message\",\"early\"]"]].concat();
    assert_eq!(notes.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_namespace_that_is_joined_twice_keeps_no_line_back() {
    let (heard, notes) = std::sync::mpsc::channel();
    let server = SilentServer::start(25_000, 20_000).doing(move |client| {
        client.hear().expect("a packet");
        client.say("40{\"sid\":\"abcdefgh\"}");
        client.say("40{\"sid\":\"abcdefgh\"}");
        heard.send(client.hear().expect("a packet")).unwrap();
    });
    let mut client = Eio::start(&["connect", "--json", "--socketio", &server.url()]);
    client.event("joined");
    client.event("joined");
    client.say("late");
    assert_eq!(notes.iter().collect::<Vec<_>>(), ["42[\"message\",\"late\"]"]);
}

#[test]
fn lines_that_the_session_leaves_behind_are_reported() {
    let server = SilentServer::start(25_000, 20_000);
    let mut client = Eio::start(&["connect", "--json", "--socketio", "--for", "2s", &server.url()]);
    client.say("[\"order\",1]");
    client.say("[\"order\",2]");
    assert_eq!(client.event("unsent")["why"], "2 lines of input: the namespace was not joined");
    assert_eq!(client.event("close")["diagnosis"], "join-unanswered");
    assert_eq!(client.exit_code(), 0);
}

#[test]
fn a_client_that_has_not_joined_its_namespace_does_not_leave_it() {
    let (heard, notes) = std::sync::mpsc::channel();
    let server = SilentServer::start(25_000, 20_000).doing(move |client| {
        for _ in 0..2 {
            heard.send(client.hear()).unwrap();
        }
    });
    let mut client = Eio::start(&["connect", "--socketio", "--for", "10ms", &server.url()]);
    assert_eq!(client.exit_code(), 0);
    assert_eq!(notes.iter().collect::<Vec<_>>(), [Some("40".to_owned()), None]);
}

#[test]
fn text_from_the_server_cannot_change_the_terminal_and_is_cut() {
    let event = format!("42[\"\\u001b]0;title\\u0007{}\",\"\u{202e}\"]", "x".repeat(500));
    let refused = format!("44{{\"message\":\"\\u001b[2Jno{}\"}}", "x".repeat(500));
    let server = SilentServer::start(25_000, 20_000).saying(&["40{\"sid\":\"abcdefgh\"}", &event, &refused]);
    let mut client = Eio::start(&["connect", "--socketio", &server.url()]);
    assert_eq!(client.exit_code(), 4);
    let lines = client.rest();
    assert!(!lines.concat().contains(['\u{1b}', '\u{7}', '\u{202e}']), "{lines:?}");
    for beginning in [r"\u{1b}]0;title\u{7}xxx", r"refused    by /: \u{1b}[2Jnoxxx"] {
        let line = lines.iter().find(|line| line.contains(beginning));
        assert!(line.is_some_and(|line| line.contains("xxx…") && line.len() < 400), "{beginning}: {lines:?}");
    }
}

#[test]
fn an_answer_that_ends_a_session_has_an_exit_code_and_says_what_to_change() {
    let unknown = r#"{"code":1,"message":"Session ID unknown"}"#;
    let bad = r#"{"code":3,"message":"Bad request"}"#;
    for (status, body, code, expected) in [
        ("400 Bad Request", unknown, 11, "not-sticky"),
        ("400 Bad Request", bad, 12, "bad-request"),
        ("413 Payload Too Large", "", 13, "payload-too-large"),
        ("429 Too Many Requests", "", 14, "too-many-requests"),
        ("502 Bad Gateway", "<html>", 15, "bad-gateway"),
        ("503 Service Unavailable", "<html>", 16, "unavailable"),
        ("504 Gateway Time-out", "<html>", 17, "gateway-timeout"),
        ("401 Unauthorized", "", 18, "unauthorized"),
        ("403 Forbidden", "<html>", 19, "forbidden"),
        ("404 Not Found", "<html>", 20, "wrong-path"),
        ("302 Found\r\nLocation: /login", "", 21, "redirected"),
        ("500 Internal Server Error", "", 22, "server-error"),
        ("200 OK", "<html>Log in", 23, "web-page"),
        ("511 Network Authentication Required", "<html>Log in", 23, "web-page"),
        ("200 OK\r\nContent-Encoding: gzip", "x", 23, "compressed"),
    ] {
        let open = r#"0{"sid":"abcdefgh","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#;
        let length = body.len();
        let url = polling(open, &format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}"));
        let mut client = Eio::start(&["connect", "--json", &url]);
        let close = client.event("close");
        assert_eq!(close["diagnosis"], expected, "{status}: {close}");
        assert_eq!(client.exit_code(), code, "{status}");
    }
}

#[test]
fn a_server_of_the_other_revision_is_named_with_the_option_to_give() {
    let open = r#"0{"sid":"abcdefgh","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#;
    let third = format!("{}:{open}", open.len());
    for (first, option, expected) in [(third.as_str(), "4", "Try --eio 3."), (open, "3", "Try --eio 4.")] {
        let mut client = Eio::start(&["connect", "--eio", option, &polling(first, "")]);
        assert_eq!(client.exit_code(), 4);
        let last = client.ending();
        assert!(last.contains(&format!("but this client speaks {option}.\n")), "{last}");
        assert!(last.ends_with(&format!("{expected} (exit code 4)")), "{last}");
    }
}

#[test]
fn a_server_that_is_full_is_named() {
    let directory = Directory::new("full");
    let config = directory.write("eio.toml", "maxSessions = 1\n");
    let (_server, url) = serve(&["--config", &config]);
    let mut first = Eio::start(&["connect", "--json", &url]);
    first.event("open");
    let mut second = Eio::start(&["connect", "--json", &url]);
    assert_eq!(second.event("close")["diagnosis"], "server-full");
    assert_eq!(second.exit_code(), 16);
}

#[test]
fn a_redirect_is_shown_and_followed_when_asked_for() {
    let (_server, url) = serve(&[]);
    let url = url.trim_end_matches("/engine.io/").trim_end_matches('/');
    let moved = "HTTP/1.1 308 Permanent Redirect\r\nContent-Length: 0\r\nLocation: ";
    let old = redirecting(&format!("{moved}{url}/engine.io/\r\n\r\n"));
    let mut client = Eio::start(&["connect", &old]);
    assert_eq!(client.exit_code(), 21);
    let last = client.ending();
    assert!(
        last.contains(&format!("to \"{url}/engine.io/\"")) && last.contains("--follow-redirects"),
        "{last}"
    );

    let mut client = Eio::start(&["connect", "--json", "--follow-redirects", &old]);
    assert_eq!(client.event("redirected")["to"], format!("{url}/engine.io/"));
    client.event("open");
}
