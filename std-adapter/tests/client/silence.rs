//! The client against servers that fall silent: the end comes on time, with the true reason, whatever else hangs.

use core::time::Duration;

use eio_core::session::CheckSendError;
use eio_core::{DisconnectReason, Heartbeat};
use eio_tokio::{Client, Message, SendErrorKind, Server, Socket, Transport, TrySendError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::{self, Raw, noting, open_packet, scripted, serve};

/// What a connection ended with: bytes to read, an orderly end, or a reset.
pub(crate) async fn end_of(raw: &mut Raw) -> std::io::Result<Vec<u8>> {
    let mut rest = Vec::new();
    raw.0.read_to_end(&mut rest).await.map(|_| rest)
}

#[tokio::test(start_paused = true)]
async fn a_silent_websocket_ends_exactly_after_interval_plus_timeout_and_is_reset() {
    let (address, reset) = noting(|mut raw, noted| async move {
        let request = raw.request().await;
        raw.switch_protocols(&request).await;
        raw.text(&open_packet(300, 200, "")).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        raw.text("2").await;
        // Messages are no sign of life to a client of revision 4.
        tokio::time::sleep(Duration::from_millis(400)).await;
        raw.text("4still talking").await;
        let end = end_of(&mut raw).await;
        noted.lock().unwrap().push(end.map_err(|error| error.kind()));
    })
    .await;
    let mut socket = Client::builder(format!("ws://{address}")).build().unwrap().connect().await.unwrap();
    let opened = Instant::now();
    assert_eq!(socket.recv().await.unwrap(), Message::text("still talking"));
    let end = socket.recv().await.unwrap_err();
    let elapsed = opened.elapsed();
    assert_eq!(end.reason, DisconnectReason::PingTimeout);
    assert!(elapsed >= Duration::from_millis(800) && elapsed <= Duration::from_millis(802), "{elapsed:?}");
    assert!(end.silent_for >= Duration::from_millis(99) && end.silent_for <= Duration::from_millis(102));
    tokio::time::sleep(Duration::from_millis(10)).await;
    let end = reset.lock().unwrap().pop().unwrap();
    assert_eq!(end, Err(std::io::ErrorKind::ConnectionReset), "no orderly end for a dead peer");
}

#[tokio::test(start_paused = true)]
async fn silence_on_polling_ends_while_the_poll_hangs_and_the_server_is_told() {
    let (address, requests) = noting(|mut raw, noted| async move {
        loop {
            let request = raw.request().await;
            if request.is_empty() {
                break;
            }
            noted.lock().unwrap().push(request.clone());
            if request.starts_with("POST") {
                raw.answer("200 OK", "ok").await;
            } else if !request.contains("sid=") {
                raw.answer("200 OK", &open_packet(300, 200, "")).await;
            } // the poll hangs
        }
    })
    .await;
    let mut socket = Client::builder(format!("http://{address}")).build().unwrap().connect().await.unwrap();
    let opened = Instant::now();
    socket.send("hello").await.unwrap();
    let end = socket.recv().await.unwrap_err();
    let elapsed = opened.elapsed();
    assert_eq!((end.reason, end.transport), (DisconnectReason::PingTimeout, Transport::Polling));
    assert!(elapsed >= Duration::from_millis(500) && elapsed <= Duration::from_millis(502), "{elapsed:?}");
    tokio::time::sleep(Duration::from_millis(10)).await;
    let requests = requests.lock().unwrap();
    let bodies: Vec<_> = requests
        .iter()
        .filter(|request| request.starts_with("POST"))
        .map(|request| request.split_once("\r\n\r\n").unwrap().1)
        .collect();
    assert_eq!(bodies, ["4hello", "1"]);
}

/// In revision 3 the client pings, and on polling its ping waits until the post before it is answered.
#[tokio::test(start_paused = true)]
async fn a_ping_that_waited_for_the_answer_to_a_post_may_be_answered_for_the_whole_timeout_from_then() {
    let (address, pings) = noting(|mut raw, noted| async move {
        loop {
            let request = raw.request().await;
            if request.is_empty() {
                break;
            }
            if request.starts_with("POST") && request.ends_with("1:2") {
                noted.lock().unwrap().push(Instant::now());
                raw.answer("200 OK", "ok").await;
            } else if request.starts_with("POST") {
                tokio::time::sleep(Duration::from_millis(400)).await;
                raw.answer("200 OK", "ok").await;
            } else if !request.contains("sid=") {
                let open = open_packet(300, 200, "");
                raw.answer("200 OK", &format!("{}:{open}", open.len())).await;
            } // the poll hangs
        }
    })
    .await;
    let client = Client::builder(format!("http://{address}")).eio3(true).build().unwrap();
    let mut socket = client.connect().await.unwrap();
    let opened = Instant::now();
    tokio::time::sleep(Duration::from_millis(50)).await;
    socket.send("hello").await.unwrap();
    let end = socket.recv().await.unwrap_err();
    let elapsed = opened.elapsed();
    assert_eq!(end.reason, DisconnectReason::PingTimeout);
    let sent = pings.lock().unwrap()[0] - opened;
    assert!(
        sent >= Duration::from_millis(450) && sent <= Duration::from_millis(452),
        "due at 300 ms: {sent:?}"
    );
    assert!(elapsed >= Duration::from_millis(650) && elapsed <= Duration::from_millis(652), "{elapsed:?}");
}

/// The upgrade pauses polling until the server closes the WebSocket, and the ping is due in the meantime.
#[tokio::test(start_paused = true)]
async fn a_ping_that_waited_for_an_upgrade_that_failed_may_be_answered_for_the_whole_timeout_from_then() {
    let (address, pings) = noting(|mut raw, noted| async move {
        loop {
            let request = raw.request().await;
            if request.is_empty() {
                break;
            }
            if request.contains("transport=websocket") {
                raw.switch_protocols(&request).await;
                assert_eq!(raw.frame().await.as_deref(), Some("2probe"));
                raw.text("3probe").await;
                tokio::time::sleep(Duration::from_millis(450)).await;
                break;
            }
            if request.starts_with("POST") {
                noted.lock().unwrap().push((request.ends_with("1:2"), Instant::now()));
                raw.answer("200 OK", "ok").await;
            } else if !request.contains("sid=") {
                let open = open_packet(300, 200, "\"websocket\"");
                raw.answer("200 OK", &format!("{}:{open}", open.len())).await;
            } // the poll hangs
        }
    })
    .await;
    let client = Client::builder(format!("http://{address}")).eio3(true).build().unwrap();
    let mut socket = client.connect().await.unwrap();
    let opened = Instant::now();
    let end = socket.recv().await.unwrap_err();
    let elapsed = opened.elapsed().as_millis();
    assert_eq!((end.reason, end.transport), (DisconnectReason::PingTimeout, Transport::Polling));
    let (is_ping, at) = pings.lock().unwrap()[0];
    let sent = (at - opened).as_millis();
    assert!(is_ping && (450..=453).contains(&sent), "due at 300 ms: {sent}");
    assert!((650..=655).contains(&elapsed), "{elapsed}");
}

#[tokio::test(start_paused = true)]
async fn silence_on_polling_resets_the_connection_of_the_poll_and_the_server_is_told_on_a_new_one() {
    let (address, noted) = noting(|mut raw, noted: support::Notes<String>| async move {
        loop {
            let request = raw.request().await;
            let note = |what: &str| noted.lock().unwrap().push(what.to_owned());
            if request.is_empty() {
                break;
            } else if request.starts_with("POST") {
                note(request.split_once("\r\n\r\n").unwrap().1);
                raw.answer("200 OK", "ok").await;
            } else if request.contains("sid=") {
                let end = end_of(&mut raw).await;
                return note(if end.is_err() { "reset" } else { "end" });
            } else {
                raw.answer("200 OK", &open_packet(300, 200, "")).await;
            }
        }
    })
    .await;
    let socket = Client::builder(format!("http://{address}")).build().unwrap().connect().await.unwrap();
    assert_eq!(socket.closed().await.reason, DisconnectReason::PingTimeout);
    tokio::time::sleep(Duration::from_millis(10)).await;
    noted.lock().unwrap().sort();
    assert_eq!(*noted.lock().unwrap(), ["1", "reset"]);
}

#[tokio::test(start_paused = true)]
async fn b21_a_client_sends_no_pong_that_nobody_asked_for() {
    let (address, first) = noting(|mut raw, noted| async move {
        let request = raw.request().await;
        raw.switch_protocols(&request).await;
        raw.text(&open_packet(300, 200, "")).await;
        let unasked = tokio::time::timeout(Duration::from_millis(300), raw.frame()).await;
        raw.text("2").await;
        let pong = raw.frame().await;
        noted.lock().unwrap().push((unasked.is_ok(), pong));
        tokio::time::sleep(Duration::from_secs(1)).await;
    })
    .await;
    let mut socket = Client::builder(format!("ws://{address}")).build().unwrap().connect().await.unwrap();
    assert!(socket.recv().await.is_err());
    let (unasked, pong) = first.lock().unwrap().pop().unwrap();
    assert!(!unasked, "nothing was asked for before the ping");
    assert_eq!(pong.as_deref(), Some("3"));
}

#[tokio::test(start_paused = true)]
async fn b22_a_stalled_write_hides_no_silence() {
    for scheme in ["http", "ws"] {
        let address = scripted(|mut raw| async move {
            let (request, _) = raw.head().await;
            if request.contains("transport=websocket") {
                raw.switch_protocols(&request).await;
                raw.text(&open_packet(300, 200, "")).await;
            } else if request.starts_with("GET") && !request.contains("sid=") {
                raw.answer("200 OK", &open_packet(300, 200, "").replace("1000000", "0")).await;
            }
            // Nothing more is read, and nothing is closed.
            tokio::time::sleep(Duration::from_hours(1)).await;
        })
        .await;
        let client =
            Client::builder(format!("{scheme}://{address}")).outbox(100, 100_000_000).build().unwrap();
        let mut socket = client.connect().await.unwrap();
        let opened = Instant::now();
        // More than the kernel's buffers of both ends hold.
        let (count, len) = if scheme == "ws" { (50, 900_000) } else { (1, 20_000_000) };
        for _ in 0..count {
            socket.try_send("x".repeat(len)).unwrap();
        }
        let end = socket.recv().await.unwrap_err();
        let elapsed = opened.elapsed();
        assert_eq!(end.reason, DisconnectReason::PingTimeout, "{scheme}");
        assert!(elapsed >= Duration::from_millis(500), "{scheme}: {elapsed:?}");
        assert!(elapsed <= Duration::from_millis(510), "{scheme}: {elapsed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_of_revision_3_pings_by_itself_and_gives_up_without_an_answer() {
    let (address, pings) = noting(|mut raw, noted| async move {
        let request = raw.request().await;
        raw.switch_protocols(&request).await;
        raw.text(&open_packet(300, 200, "")).await;
        let opened = Instant::now();
        for _ in 0..2 {
            assert_eq!(raw.frame().await.as_deref(), Some("2"));
            noted.lock().unwrap().push(opened.elapsed().as_millis());
            tokio::time::sleep(Duration::from_millis(20)).await;
            raw.text("3").await;
        }
        let _ = end_of(&mut raw).await;
    })
    .await;
    let client = Client::builder(format!("ws://{address}")).eio3(true).build().unwrap();
    let mut socket = client.connect().await.unwrap();
    let opened = Instant::now();
    let end = socket.recv().await.unwrap_err();
    assert_eq!(end.reason, DisconnectReason::PingTimeout);
    // Pings at 300 and 620, answered 20 ms later, and at 940, which nobody answers.
    assert!((1_140..=1_146).contains(&opened.elapsed().as_millis()), "{:?}", opened.elapsed());
    let pings = pings.lock().unwrap().clone();
    assert!((299..=302).contains(&pings[0]) && (619..=624).contains(&pings[1]), "{pings:?}");
    assert!((20..=21).contains(&socket.rtt().unwrap().as_millis()), "{:?}", socket.rtt());
}

#[tokio::test(start_paused = true)]
async fn a_client_may_be_stricter_than_the_handshake() {
    let address = scripted(|mut raw| async move {
        let request = raw.request().await;
        raw.switch_protocols(&request).await;
        raw.text(&open_packet(300, 60_000, "")).await;
        tokio::time::sleep(Duration::from_hours(1)).await;
    })
    .await;
    let client = Client::builder(format!("ws://{address}")).ping_timeout_at_most(Duration::from_millis(100));
    let socket = client.build().unwrap().connect().await.unwrap();
    let opened = Instant::now();
    assert_eq!(
        socket.handshake().heartbeat().ping_timeout(),
        Duration::from_mins(1),
        "as the server said it"
    );
    assert_eq!(socket.closed().await.reason, DisconnectReason::PingTimeout);
    assert!((400..=402).contains(&opened.elapsed().as_millis()), "{:?}", opened.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_message_for_a_server_past_its_deadline_is_handed_back() {
    let address = scripted(|mut raw| async move {
        let request = raw.request().await;
        raw.switch_protocols(&request).await;
        raw.text(&open_packet(300, 200, "")).await;
        tokio::time::sleep(Duration::from_hours(1)).await;
    })
    .await;
    let socket = Client::builder(format!("ws://{address}")).build().unwrap().connect().await.unwrap();
    assert!(socket.time_to_deadline() <= Duration::from_millis(500));
    // As after a suspend: the clock has moved on, and no task has run yet.
    tokio::time::advance(Duration::from_millis(501)).await;
    match socket.try_send("lost?").unwrap_err() {
        TrySendError::Refused(error) => {
            let refused = [CheckSendError::Expired, CheckSendError::Closed].map(SendErrorKind::Session);
            assert!(refused.contains(&error.kind), "{error}");
            assert_eq!(error.message, Message::text("lost?"));
        }
        other => panic!("{other}"),
    }
    assert_eq!(socket.closed().await.reason, DisconnectReason::PingTimeout);
    assert_eq!(socket.time_to_deadline(), Duration::ZERO);
}

/// The client takes a long message while the server's runtime stands still, so its ping has room only after that.
#[tokio::test(start_paused = true)]
async fn a_ping_that_a_stalled_server_could_not_write_in_time_is_written_before_silence_is_judged() {
    const LONG: usize = 20_000_000;
    let heartbeat = Heartbeat::from_millis(300, 200).unwrap();
    let application = |socket: Socket| async move {
        socket.sender().try_send(vec![0; LONG]).unwrap();
        core::future::pending::<()>().await;
    };
    let (server, address) = serve(Server::builder(application).heartbeat(heartbeat).outbox(1, LONG)).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let upgrade = "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    client.write_all(upgrade.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(310)).await;
    tokio::time::advance(Duration::from_millis(400)).await;
    // The message, and what is around it.
    let mut received = 0;
    let mut last = Vec::new();
    while received < LONG || !last.ends_with(b"\x81\x012") {
        last.resize(1_000_000, 0);
        let len = client.read(&mut last).await.unwrap();
        assert!(len > 0, "the session has ended");
        last.truncate(len);
        received += len;
    }
    assert_eq!(server.sessions().len(), 1);
}

#[tokio::test]
async fn pings_that_wait_in_the_socket_of_a_stalled_runtime_count() {
    let (ready, opened) = std::sync::mpsc::channel();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // A server on a thread of its own pings on while the client's runtime stands still.
    let server = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let len = stream.read(&mut request).unwrap();
        let request = String::from_utf8_lossy(&request[..len]).to_string();
        let key = support::header(&request, "sec-websocket-key").unwrap();
        let accept = eio_core::ws::Key::parse(key.as_bytes()).unwrap().accept();
        let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
        write!(stream, "{head}Sec-WebSocket-Accept: {}\r\n\r\n", core::str::from_utf8(&accept).unwrap())
            .unwrap();
        let open = open_packet(100, 100, "");
        stream.write_all(&[0x81, u8::try_from(open.len()).unwrap()]).unwrap();
        stream.write_all(open.as_bytes()).unwrap();
        opened.recv().unwrap();
        stream.write_all(b"\x81\x012").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let mut socket = Client::builder(format!("ws://{address}")).build().unwrap().connect().await.unwrap();
    ready.send(()).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the runtime is to stand still")]
    std::thread::sleep(Duration::from_millis(300));
    // The ping came 200 ms before anybody looked, and counts from now.
    let now = Instant::now();
    let end = socket.recv().await.unwrap_err();
    assert_eq!(end.reason, DisconnectReason::PingTimeout);
    assert!(now.elapsed() >= Duration::from_millis(190), "{:?}", now.elapsed());
    server.join().unwrap();
}
