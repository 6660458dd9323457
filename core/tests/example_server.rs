//! The server that the examples share, without I/O and in simulated time: silence ends its sessions on time, a ping that
//! waited has its whole timeout, and a request counts and is answered also if its client has closed its side behind it.
#![allow(clippy::restriction, reason = "a test with std, which fails by panicking")]
#![allow(dead_code, reason = "what only a runtime needs")]

use eio_core::transports::SocketEnd;
use eio_core::{Heartbeat, Instant, Liveness, detect};

#[path = "../examples/support/server.rs"]
mod server;
#[path = "../examples/support/session.rs"]
mod session;
use server::{Io, Server};

/// A connection that nothing is done with.
struct Nowhere;

impl Io for Nowhere {
    fn wake(&self) {}
    fn cut(&self) {}
}

fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1_000)
}

/// Sends bytes to the server, and returns what it writes.
fn exchange(server: &mut Server<Nowhere>, id: usize, now: Instant, bytes: &str) -> String {
    server.receive(id, now, bytes.as_bytes());
    let mut written = Vec::new();
    loop {
        let (output, is_last) = server.transmit(id, now);
        written.extend(&output);
        if output.is_empty() || is_last {
            return String::from_utf8_lossy(&written).into_owned();
        }
        server.written(id, now);
    }
}

/// A server with a session on polling, the connection that has opened it, and its identifier.
fn opened() -> (Server<Nowhere>, usize, String) {
    let mut server = Server::new(Heartbeat::DEFAULT);
    let id = server.accept(at(0), |_| Nowhere).unwrap();
    let request = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n";
    let open = exchange(&mut server, id, at(0), request);
    let sid = open.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
    (server, id, sid.to_owned())
}

/// The head of a post with these headers.
fn post(sid: &str, headers: &str) -> String {
    format!("POST /engine.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: x\r\n{headers}\r\n")
}

/// A request for a WebSocket, with more behind its query.
fn websocket(query: &str) -> String {
    format!(
        "GET /engine.io/?EIO=4&transport=websocket{query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// A client that never polls sends one post behind the other on one connection: the end of each and the head of the next one
/// arrive together.
#[test]
fn a_client_that_only_posts_is_given_up() {
    let longest = detect::eio4_server(Heartbeat::DEFAULT, Liveness::default()).after_heartbeat.unwrap();
    for post_takes in [200, 7_000, 20_000] {
        // The first post behind the end is refused.
        let noticed = at(post_takes + 1).saturating_add(longest);
        let (mut server, id, sid) = opened();
        let head = post(&sid, "Content-Length: 1\r\n");
        let mut bytes = head.clone();
        for now in (1..).map(|post| at(post * post_takes)) {
            assert!(now < noticed, "open after {now:?} with posts of {post_takes} ms");
            while let Some(due) = server.poll_timeout().filter(|due| *due < now) {
                server.handle_timeout(due);
            }
            let answer = exchange(&mut server, id, now, &bytes);
            if answer.contains("Session ID unknown") {
                break;
            }
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 200"), "{answer}");
            bytes = format!("6{head}");
        }
    }
}

/// A client sends its next request as soon as the answer is there, and vanishes. The server learns of all of it before its own
/// writer has reported that the answer is written.
#[test]
fn a_request_whose_client_has_closed_behind_it_is_handled() {
    for (request, is_still_there) in [
        ("GET /engine.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: x\r\n\r\n", false),
        ("GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n", true),
    ] {
        let mut server = Server::new(Heartbeat::DEFAULT);
        let id = server.accept(at(0), |_| Nowhere).unwrap();
        server.receive(id, at(0), b"GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n");
        let open = String::from_utf8(server.transmit(id, at(0)).0).unwrap();
        let sid = open.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
        server.receive(id, at(1), request.replace("{sid}", sid).as_bytes());
        server.end(id, at(2), SocketEnd::Closed);
        server.written(id, at(3));
        let answer = String::from_utf8(server.transmit(id, at(3)).0).unwrap();
        assert_eq!(answer.starts_with("HTTP/1.1 200"), is_still_there, "{answer}");
        server.written(id, at(4));
        assert_eq!(server.wants_read(id), None, "the connection is not forgotten");
        let other = server.accept(at(5), |_| Nowhere).unwrap();
        let pong = post(sid, "Content-Length: 1\r\n") + "3";
        let status = if is_still_there { "HTTP/1.1 200" } else { "HTTP/1.1 400" };
        let answer = exchange(&mut server, other, at(5), &pong);
        assert!(answer.starts_with(status), "{answer}");
    }
}

/// A client that sends one request closes its writing side behind it, and the server reads both before it writes.
#[test]
fn a_client_that_has_closed_its_side_gets_the_answer() {
    let (mut server, id, sid) = opened();
    for (request, status) in [
        (post(&sid, "Content-Length: 6\r\n") + "4hello", 200),
        (post(&sid, "Connection: close\r\nContent-Length: 6\r\n") + "4world", 200),
        (post(&sid, ""), 411),
        (post(&sid, "Content-Length: 1000001\r\n"), 413),
        ("GET /other HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 404),
        ("GET  /\r\n\r\n".to_owned(), 400),
    ] {
        let id = server.accept(at(1), |_| Nowhere).unwrap();
        server.receive(id, at(1), request.as_bytes());
        server.end(id, at(1), SocketEnd::Closed);
        let answer = String::from_utf8(server.transmit(id, at(1)).0).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {answer}");
        server.written(id, at(1));
        assert_eq!(server.wants_read(id), None, "the connection is not forgotten");
    }
    let poll = format!("GET /engine.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = exchange(&mut server, id, at(2), &poll);
    assert!(answer.ends_with("4hello\x1e4world"), "{answer}");
}

#[test]
fn a_refusal_that_cannot_be_written_leaves_the_session_alone() {
    let (mut server, id, sid) = opened();
    let upgrade = websocket(&format!("&sid={sid}"));
    for status in [101, 400] {
        let candidate = server.accept(at(1), |_| Nowhere).unwrap();
        server.receive(candidate, at(1), upgrade.as_bytes());
        let answer = String::from_utf8(server.transmit(candidate, at(1)).0).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        if status == 400 {
            server.end(candidate, at(1), SocketEnd::Failed);
        }
    }
    let pong = post(&sid, "Content-Length: 1\r\n") + "3";
    let answer = exchange(&mut server, id, at(2), &pong);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// The WebSocket takes what was written before only shortly before the deadline.
#[test]
fn a_ping_that_waited_for_room_on_the_websocket_has_its_whole_timeout() {
    let mut server = Server::new(Heartbeat::DEFAULT);
    let id = server.accept(at(0), |_| Nowhere).unwrap();
    let open = exchange(&mut server, id, at(0), &websocket(""));
    assert!(open.starts_with("HTTP/1.1 101"), "{open}");
    server.handle_timeout(at(25_000));
    assert_eq!(server.poll_timeout(), Some(at(45_000)));
    assert_eq!(server.transmit(id, at(44_900)).0, b"\x81\x012");
    assert_eq!(server.poll_timeout(), Some(at(64_900)));
}
