//! What only real sockets show. Time is real here: nothing is judged by how fast it happens.

use core::future::poll_fn;
use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use eio_core::Heartbeat;
use eio_tokio::{Server, Socket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[path = "exact/support/watch.rs"]
#[expect(dead_code, reason = "no task of a session panics here")]
mod watch;

use watch::watch_sessions;

const UPGRADE: &str = "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
     upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

async fn listen(mut socket: Socket) {
    while socket.recv().await.is_ok() {}
}

fn server() -> Server {
    watch_sessions();
    let short = Duration::from_millis(100);
    Server::builder(listen).heartbeat(Heartbeat::new(short, short).unwrap()).build().unwrap()
}

/// Reads until the connection ends: in order, or with a reset.
async fn ends_by_reset(address: SocketAddr) -> bool {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(UPGRADE.as_bytes()).await.unwrap();
    let mut received = [0; 1024];
    loop {
        match client.read(&mut received).await {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

#[tokio::test]
async fn a_session_that_ends_for_silence_resets_its_connection() {
    let server = server();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve(listener).await }
    });
    assert!(ends_by_reset(address).await);
    serving.abort();
}

#[tokio::test]
async fn it_does_so_in_axum_too() {
    let service = server().service();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback_service(service);
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    assert!(ends_by_reset(address).await);
    serving.abort();
}

#[tokio::test]
async fn and_in_bare_hyper() {
    use hyper_util::rt::TokioIo;
    use hyper_util::service::TowerToHyperService;

    let service = server().service();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = TowerToHyperService::new(service);
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let _ = connection.with_upgrades().await;
    });
    assert!(ends_by_reset(address).await);
    serving.abort();
}

#[tokio::test]
async fn the_answer_that_opens_a_websocket_comes_together_with_the_open_packet() {
    let server = server();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { server.serve(listener).await });
    for _ in 0..10 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(UPGRADE.as_bytes()).await.unwrap();
        // What the server writes at once arrives at once.
        let mut received = [0; 1024];
        let len = client.read(&mut received).await.unwrap();
        let received = String::from_utf8_lossy(&received[..len]);
        assert!(received.starts_with("HTTP/1.1 101 ") && received.contains("0{\"sid\":"), "{received}");
    }
    serving.abort();
}

#[tokio::test]
async fn sessions_outlive_the_future_that_accepted_them() {
    let server = Server::builder(|mut socket: Socket| async move {
        while let Ok(message) = socket.recv().await {
            let _ = socket.send(message).await;
        }
    })
    .build()
    .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let opened = async {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(UPGRADE.as_bytes()).await.unwrap();
        let mut received = Vec::new();
        while !received.windows(2).any(|window| window == b"0{") {
            assert_ne!(client.read_buf(&mut received).await.unwrap(), 0);
        }
        client
    };
    let mut client = tokio::select! {
        _ = server.serve(listener) => panic!("it serves for ever"),
        client = opened => client,
    };
    // Nobody accepts any more, and the session goes on: a masked frame with `4hi` comes back.
    assert!(TcpStream::connect(address).await.is_err());
    client.write_all(&[0x81, 0x83, 0, 0, 0, 0, b'4', b'h', b'i']).await.unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"4hi") {
        assert_ne!(client.read_buf(&mut received).await.unwrap(), 0);
    }
    drop(client);
    assert!(server.shutdown(Duration::from_secs(5)).await.is_empty());
}

#[tokio::test]
async fn a_server_that_shuts_down_answers_polls_on_new_connections_until_its_last_session_has_ended() {
    async fn get(address: SocketAddr, query: &str) -> String {
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /engine.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        );
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    }

    let server = Server::builder(listen).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve(listener).await }
    });
    let answer = get(address, "").await;
    let (sid, _) = answer.split_once("\"sid\":\"").unwrap().1.split_once('"').unwrap();
    let shutdown = {
        let server = server.clone();
        tokio::spawn(async move { server.shutdown(Duration::from_secs(20)).await })
    };
    while get(address, "").await.starts_with("HTTP/1.1 200") {
        // Not told yet.
        tokio::task::yield_now().await;
    }
    let answer = get(address, &format!("&sid={sid}")).await;
    assert!(answer.ends_with("\r\n\r\n6\x1e1"), "{answer}");
    // Those that got in before the server was told would end with its limit.
    for session in server.sessions() {
        get(address, &format!("&sid={}", session.id().as_str())).await;
    }
    assert!(shutdown.await.unwrap().is_empty());
    serving.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[test]
fn the_answers_that_end_sessions_leave_before_shutdown_is_over() {
    use std::io::{Read as _, Write as _};

    const LARGE: usize = 20_000_000;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (sender, sent) = std::sync::mpsc::channel();
    let server = Server::builder(move |mut socket: Socket| {
        let sender = sender.clone();
        async move {
            sender.send(socket.send("x".repeat(LARGE)).await.is_ok()).unwrap();
            while socket.recv().await.is_ok() {}
        }
    })
    .build()
    .unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn({
        let server = server.clone();
        async move { server.serve(listener).await }
    });
    let mut client = std::net::TcpStream::connect(address).unwrap();
    let mut ask = |query: &str| {
        write!(client, "GET /engine.io/?{query} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut chunk = vec![0; 64 * 1024];
        let len = client.read(&mut chunk).unwrap();
        String::from_utf8(chunk[..len].to_vec()).unwrap()
    };
    let opened = ask("EIO=4&transport=polling");
    let sid = opened.split("sid\":\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(sent.recv().unwrap());
    server.get(sid).unwrap().close();
    // The session ends with the answer to this poll, of which the client reads a little now and the rest later.
    let first = ask(&format!("EIO=4&transport=polling&sid={sid}"));
    let reading = std::thread::spawn(move || {
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).unwrap();
        first.len() + rest.len()
    });
    assert!(runtime.block_on(server.shutdown(Duration::from_secs(30))).is_empty());
    runtime.shutdown_background();
    assert!(reading.join().unwrap() > LARGE);
}

/// A look for room that finds none has no reason to look again until something changes. On a socket of the kernel, every
/// pass of the session's task ends with nothing left to flush, which is no progress.
#[tokio::test]
async fn an_application_that_waits_for_room_is_not_woken_while_nothing_progresses() {
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&looks);
    let flood = move |socket: Socket| {
        let looks = Arc::clone(&counted);
        async move {
            loop {
                let mut sending = pin!(socket.send(vec![0; 64 * 1024]));
                let sent = poll_fn(|cx| {
                    looks.fetch_add(1, Ordering::Relaxed);
                    sending.as_mut().poll(cx)
                });
                if sent.await.is_err() {
                    return;
                }
            }
        }
    };
    let server = Server::builder(flood).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { server.serve(listener).await });
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(UPGRADE.as_bytes()).await.unwrap();
    // The kernel's buffers and the outbox are full once the application looks no more.
    let mut before = usize::MAX;
    tokio::time::timeout(Duration::from_secs(20), async {
        while looks.load(Ordering::Relaxed) != before || before == 0 {
            before = looks.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await
    .expect("the application looks for room for as long as there is none");
    serving.abort();
}

/// Sends 480 kB, and listens.
async fn owe(mut socket: Socket) {
    for _ in 0..480 {
        socket.send("x".repeat(1_000)).await.unwrap();
    }
    while socket.recv().await.is_ok() {}
}

#[test]
fn a_client_that_is_owed_much_and_talks_gets_everything_from_a_process_that_ends_after_its_shutdown() {
    let (listening, address) = std::sync::mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let process = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // What the runtime drops with itself is lost, as at the end of a process.
        runtime.block_on(async move {
            let server = Server::builder(owe).build().unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listening.send(listener.local_addr().unwrap()).unwrap();
            server.serve_until(listener, stopped, Duration::from_mins(1)).await.unwrap()
        })
    });
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    // So that most of it waits in the server's kernel.
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    socket.connect(&address.recv().unwrap().into()).unwrap();
    let mut client = std::net::TcpStream::from(socket);
    client.write_all(UPGRADE.as_bytes()).unwrap();
    client.read_exact(&mut [0; 1]).unwrap();
    stop.send(()).unwrap();
    let mut received = 1;
    let mut end = Vec::new();
    let mut chunk = [0; 16 * 1024];
    // An empty close frame ends it.
    while !end.ends_with(b"\x88\0") {
        // A pong of RFC 6455, masked with zeros.
        client.write_all(b"\x8a\x80\0\0\0\0").unwrap();
        let len = client.read(&mut chunk).unwrap();
        assert!(len > 0, "it ended after {received} bytes");
        received += len;
        end = chunk[..len].to_vec();
    }
    assert!(received > 480 * 1_005, "{received}");
    client.write_all(b"\x88\x80\0\0\0\0").unwrap();
    assert!(process.join().unwrap().is_empty());
}
