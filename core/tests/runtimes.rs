//! The examples on threads, smol and mio, byte by byte: bad requests, clients that vanish, and clients that do not
//! read. Time is real here: nothing is judged by how fast it happens.
#![allow(clippy::restriction, reason = "a test with std, which fails by panicking")]
#![allow(clippy::duplicate_mod, reason = "each example is a program with modules of its own")]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use eio_core::Heartbeat;

#[path = "../examples/on_mio.rs"]
mod on_mio;
#[path = "../examples/on_smol.rs"]
mod on_smol;
#[path = "../examples/on_threads.rs"]
mod on_threads;

/// Runs a test on the server of each runtime, beside one another. The servers run until the test program ends.
fn on_each(interval: u64, timeout: u64, test: impl Fn(&str, SocketAddr) + Sync) {
    type Serve = fn(TcpListener, Heartbeat);
    let heartbeat = Heartbeat::new(Duration::from_millis(interval), Duration::from_millis(timeout)).unwrap();
    let servers: [(&str, Serve); 3] = [
        ("threads", |listener, heartbeat| on_threads::serve(&listener, heartbeat).unwrap()),
        ("smol", |listener, heartbeat| {
            let listener = smol::net::TcpListener::try_from(listener).unwrap();
            smol::block_on(on_smol::serve(listener, heartbeat)).unwrap();
        }),
        ("mio", |listener, heartbeat| {
            listener.set_nonblocking(true).unwrap();
            on_mio::serve(mio::net::TcpListener::from_std(listener), heartbeat).unwrap();
        }),
    ];
    let test = &test;
    thread::scope(|scope| {
        for (runtime, serve) in servers {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            thread::spawn(move || serve(listener, heartbeat));
            scope.spawn(move || test(runtime, address));
        }
    });
}

/// Never missed in a test.
const CALM: (u64, u64) = (25_000, 20_000);

/// A client, which fails its test if the server leaves it waiting.
struct Client(TcpStream);

impl Client {
    fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self(stream)
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.0.write_all(bytes.as_ref()).unwrap();
        self
    }

    fn get(&mut self, query: &str) -> &mut Self {
        self.send(format!("GET /engine.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: a\r\n\r\n"))
    }

    fn post(&mut self, sid: &str, body: &str) -> &mut Self {
        let head = format!(
            "POST /engine.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: a\r\nContent-Length: "
        );
        self.send(format!("{head}{}\r\n\r\n{body}", body.len()))
    }

    /// Reads one answer: its status and its body.
    fn answer(&mut self) -> (u16, String) {
        let head = self.until(b"\r\n\r\n");
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let mut body = vec![0; field("Content-Length: ").unwrap().parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        (field("HTTP/1.1 ").unwrap()[..3].parse().unwrap(), String::from_utf8(body).unwrap())
    }

    fn until(&mut self, end: &[u8]) -> String {
        let mut received = Vec::new();
        while !received.ends_with(end) {
            let mut byte = [0];
            self.0
                .read_exact(&mut byte)
                .unwrap_or_else(|error| panic!("{error}: {}", received.escape_ascii()));
            received.extend(byte);
        }
        String::from_utf8_lossy(&received).into_owned()
    }

    /// Opens a session on polling.
    fn open(&mut self) -> String {
        let (status, open) = self.get("").answer();
        assert_eq!(status, 200, "{open}");
        assert!(open.contains(r#""upgrades":["websocket"]"#), "{open}");
        open.split('"').nth(3).unwrap().to_owned()
    }

    /// Asks for a WebSocket.
    fn upgrade(&mut self, query: &str) -> &mut Self {
        self.send(format!(
            "GET /engine.io/?EIO=4&transport=websocket{query} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ))
    }

    /// Opens a WebSocket.
    fn websocket(&mut self, query: &str) -> &mut Self {
        let head = self.upgrade(query).until(b"\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        self
    }

    /// Sends nothing more.
    fn close_its_side(&mut self) {
        // The server may have closed the connection.
        drop(self.0.shutdown(std::net::Shutdown::Write));
    }

    /// What is left, until the server closes.
    fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).unwrap_or_else(|error| panic!("{error}: {}", rest.escape_ascii()));
        rest
    }
}

const UNKNOWN: &str = r#"{"code":1,"message":"Session ID unknown"}"#;

#[test]
fn bad_requests_get_the_codes_of_the_reference() {
    on_each(CALM.0, CALM.1, |runtime, address| {
        let sid = Client::new(address).open();
        let polling = format!("/engine.io/?EIO=4&transport=polling&sid={sid}");
        for (line, headers, status, body) in [
            ("GET /engine.io/?EIO=4", "", 400, r#"{"code":0,"message":"Transport unknown"}"#),
            ("GET /engine.io/?EIO=4&transport=polling&sid=x", "", 400, UNKNOWN),
            (
                "POST /engine.io/?EIO=4&transport=polling",
                "",
                400,
                r#"{"code":2,"message":"Bad handshake method"}"#,
            ),
            ("GET /engine.io/?EIO=4&transport=websocket", "", 400, r#"{"code":3,"message":"Bad request"}"#),
            ("GET  /", "", 400, r#"{"code":3,"message":"Bad request"}"#),
            (
                "GET /engine.io/?EIO=3&transport=polling",
                "",
                400,
                r#"{"code":5,"message":"Unsupported protocol version"}"#,
            ),
            ("GET /other", "", 404, ""),
            (&format!("POST {polling}"), "", 411, ""),
            (&format!("POST {polling}"), "Content-Length: 1000001\r\n", 413, ""),
            (&format!("PUT {polling}"), "", 500, ""),
        ] {
            for closes_first in [false, true] {
                let mut client = Client::new(address);
                client.send(format!("{line} HTTP/1.1\r\nHost: a\r\n{headers}\r\n"));
                if closes_first {
                    client.close_its_side();
                }
                assert_eq!(client.answer(), (status, body.to_owned()), "{runtime}: {line} {headers}");
                client.close_its_side();
                assert_eq!(client.rest(), b"", "{runtime}: {line}");
            }
        }
        // None of it has harmed the session.
        let mut client = Client::new(address);
        client.post(&sid, "4hello").close_its_side();
        assert_eq!(client.answer(), (200, "ok".to_owned()), "{runtime}");
        assert_eq!(client.rest(), b"", "{runtime}");
        let mut client = Client::new(address);
        assert_eq!(client.get(&format!("&sid={sid}")).answer(), (200, "4hello".to_owned()), "{runtime}");
    });
}

#[test]
fn a_request_is_bounded() {
    on_each(CALM.0, CALM.1, |runtime, address| {
        let mut client = Client::new(address);
        // The server may have closed already. It reads a bit of what is left, so that its answer arrives.
        let _ = client.0.write_all(&vec![b'x'; 100_000]);
        assert_eq!(client.answer().0, 400, "{runtime}");
        let mut client = Client::new(address);
        let sid = client.open();
        let body = "4".repeat(2_000_000);
        let _ = client.0.write_all(format!("POST /engine.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n{body}").as_bytes());
        assert_eq!(client.answer(), (413, String::new()), "{runtime}");
    });
}

#[test]
fn requests_that_follow_one_another_without_a_wait_are_answered_in_order() {
    on_each(CALM.0, CALM.1, |runtime, address| {
        let mut client = Client::new(address);
        let sid = client.open();
        client.post(&sid, "4a\x1e4b").get(&format!("&sid={sid}")).post(&sid, "4c");
        assert_eq!(client.answer().1, "ok", "{runtime}");
        assert_eq!(client.answer().1, "4a\x1e4b", "{runtime}");
        assert_eq!(client.answer().1, "ok", "{runtime}");
        // A post whose bytes are not packets ends the session.
        let (status, _) = client.post(&sid, "4d\x1e9").answer();
        assert_eq!(status, 400, "{runtime}");
        assert_eq!(
            Client::new(address).get(&format!("&sid={sid}")).answer(),
            (400, UNKNOWN.to_owned()),
            "{runtime}"
        );
    });
}

#[test]
fn the_body_of_a_get_is_not_taken_for_a_request() {
    on_each(CALM.0, CALM.1, |runtime, address| {
        let sid = Client::new(address).open();
        let body = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n";
        for query in [String::new(), format!("&sid={sid}")] {
            let mut client = Client::new(address);
            client.send(format!(
                "GET /engine.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ));
            let refused = (400, r#"{"code":3,"message":"Bad request"}"#.to_owned());
            assert_eq!(client.answer(), refused, "{runtime}: {query}");
            client.close_its_side();
            assert_eq!(client.rest(), b"", "{runtime}: {query}");
        }
    });
}

#[test]
fn a_connection_closes_behind_the_answer_if_its_client_asks_for_it() {
    on_each(CALM.0, CALM.1, |runtime, address| {
        for end in [" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", " HTTP/1.0\r\n\r\n"] {
            let mut client = Client::new(address);
            client.send(format!("GET /engine.io/?EIO=4&transport=polling{end}"));
            assert_eq!(client.answer().0, 200, "{runtime}");
            assert_eq!(client.rest(), b"", "{runtime}");
        }
    });
}

#[test]
fn a_client_that_falls_silent_on_polling_is_told_so_by_its_waiting_poll_on_time() {
    const HEARTBEAT: (u64, u64) = (300, 3_000);
    on_each(HEARTBEAT.0, HEARTBEAT.1, |runtime, address| {
        #[expect(clippy::disallowed_methods, reason = "the bound is real")]
        let start = std::time::Instant::now();
        let (mut client, mut other) = (Client::new(address), Client::new(address));
        let (sid, living) = (client.open(), other.open());
        let (query, living_query) = (format!("&sid={sid}"), format!("&sid={living}"));
        assert_eq!(client.get(&query).answer().1, "2", "{runtime}");
        client.get(&query);
        // Another session goes on meanwhile.
        for _ in 0..8 {
            assert_eq!(other.get(&living_query).answer().1, "2", "{runtime}");
            assert_eq!(other.post(&living, "3").answer().1, "ok", "{runtime}");
        }
        assert_eq!(client.answer().1, "1", "{runtime}");
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(HEARTBEAT.0 + HEARTBEAT.1), "{runtime}: {took:?}");
        assert_eq!(client.get(&query).answer(), (400, UNKNOWN.to_owned()), "{runtime}");
        assert_eq!(other.post(&living, "4still here").get(&living_query).answer().1, "ok", "{runtime}");
        let (_, payload) = other.answer();
        assert!(payload.ends_with("4still here"), "{runtime}: {payload}"); // behind a ping, perhaps
    });
}

#[test]
fn a_websocket_whose_client_falls_silent_is_closed_on_time() {
    on_each(200, 300, |runtime, address| {
        let mut client = Client::new(address);
        #[expect(clippy::disallowed_methods, reason = "the bound is real")]
        let start = std::time::Instant::now();
        client.websocket("").until(b"}");
        let rest = client.rest();
        let took = start.elapsed();
        assert!(rest.starts_with(b"\x81\x012"), "{runtime}: {}", rest.escape_ascii());
        assert!(took >= Duration::from_millis(500), "{runtime}: {took:?}");
        assert!(took < Duration::from_secs(10), "{runtime}: {took:?}");
    });
}

#[test]
fn the_end_of_a_waiting_poll_is_the_end_of_the_session() {
    on_each(CALM.0, CALM.1, |runtime, address| {
        let mut client = Client::new(address);
        let sid = client.open();
        let query = format!("&sid={sid}");
        client.get(&query);
        drop(client);
        // The server learns of it from its kernel.
        let gone = (0..1_000).any(|_| {
            #[expect(
                clippy::disallowed_methods,
                reason = "nothing tells when the kernel has told the server"
            )]
            thread::sleep(Duration::from_millis(10));
            Client::new(address).post(&sid, "3").answer() == (400, UNKNOWN.to_owned())
        });
        assert!(gone, "{runtime}");
    });
}

#[test]
fn a_second_poll_ends_the_session_and_no_other_one() {
    on_each(CALM.0, CALM.1, |runtime, address| {
        let (mut first, mut second, mut other) =
            (Client::new(address), Client::new(address), Client::new(address));
        let (sid, living) = (first.open(), other.open());
        let query = format!("&sid={sid}");
        // The post behind it shows that the server has the poll: they share a connection.
        first.get(&query);
        other.get(&format!("&sid={living}"));
        #[expect(clippy::disallowed_methods, reason = "nothing tells that the poll waits")]
        thread::sleep(Duration::from_millis(200));
        assert_eq!(second.get(&query).answer(), (400, String::new()), "{runtime}");
        assert_eq!(first.answer().1, "1", "{runtime}");
        assert_eq!(Client::new(address).post(&living, "4hello").answer().1, "ok", "{runtime}");
        assert_eq!(other.answer().1, "4hello", "{runtime}");
    });
}

#[test]
fn an_upgrade_in_one_read_moves_the_session_and_closes_its_poll() {
    on_each(CALM.0, CALM.1, |runtime, address| {
        let mut poll = Client::new(address);
        let sid = poll.open();
        poll.get(&format!("&sid={sid}"));
        let mut socket = Client::new(address);
        socket.websocket(&format!("&sid={sid}"));
        socket.send(b"\x81\x86\0\0\0\x002probe\x81\x81\0\0\0\x005\x81\x86\0\0\0\x004hello");
        socket.until(b"\x81\x063probe\x81\x064hello");
        let (status, body) = poll.answer();
        // Its thread may have read the poll only after the session had moved.
        let is_late = status == 400 && body.contains("\"code\":3");
        assert!(is_late || (status == 200 && (body == "1" || body == "6")), "{runtime}: {status} {body}");
        // A candidate beside it is refused.
        let mut second = Client::new(address);
        assert_eq!(
            second.upgrade(&format!("&sid={sid}")).answer(),
            (400, "Bad request".to_owned()),
            "{runtime}"
        );
        // It closes cleanly.
        socket.send(b"\x88\x82\0\0\0\0\x03\xe8");
        assert_eq!(socket.rest(), b"\x88\x02\x03\xe8", "{runtime}");
    });
}

#[test]
fn a_broken_frame_is_answered_with_its_code() {
    on_each(CALM.0, CALM.1, |runtime, address| {
        let mut client = Client::new(address);
        client.websocket("").until(b"}");
        client.send(b"\x81\x01x"); // not masked
        client.until(b"\x88\x02\x03\xea");
        client.close_its_side();
        assert_eq!(client.rest(), b"", "{runtime}");
    });
}

#[test]
fn a_client_that_does_not_read_is_not_read_either() {
    on_each(CALM.0, CALM.1, |runtime, address| {
        let (mut greedy, mut other) = (Client::new(address), Client::new(address));
        greedy.websocket("").until(b"}");
        greedy.0.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut frame = vec![0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        frame.resize(14 + 65_536, 7);
        let (mut sent, mut offset) = (0, 0);
        // What the kernels of both ends and the server hold.
        let stopped = loop {
            match greedy.0.write(&frame[offset..]) {
                Ok(len) => (sent, offset) = (sent + len, (offset + len) % frame.len()),
                Err(error) => break error.kind(),
            }
            assert!(sent < 100_000_000, "{runtime} has read {sent} bytes");
        };
        assert!(matches!(stopped, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{runtime}: {stopped}");
        let sid = other.open();
        assert_eq!(other.post(&sid, "4hello").answer().1, "ok", "{runtime}");
        assert_eq!(other.get(&format!("&sid={sid}")).answer().1, "4hello", "{runtime}");
    });
}
