//! The ways to a server: Unix sockets, an application's own streams, and proxies.

use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use eio_core::DisconnectReason;
use eio_tokio::{Client, ClientBuilder, ConnectError, Message, Server, Transport};
use tokio::io::DuplexStream;
use tokio::time::Instant;

use crate::support::{Raw, echo, header, noting, open_packet};

/// One client for each way to carry a session.
pub(crate) fn clients(host: &str) -> [ClientBuilder; 3] {
    [
        Client::builder(format!("http://{host}")).upgrade(false),
        Client::builder(format!("ws://{host}")),
        Client::builder(format!("http://{host}")),
    ]
}

/// Holds a session, and moves it to WebSocket if it may.
pub(crate) async fn echoes(builder: ClientBuilder) {
    let mut socket = builder.build().unwrap().connect().await.unwrap();
    for number in 0..20 {
        socket.send(format!("message {number}")).await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Message::text(format!("message {number}")));
    }
    socket.close();
    assert_eq!(socket.closed().await.reason, DisconnectReason::LocalClose);
}

/// A connector that gives the other end of every stream to `take`.
fn duplex(builder: ClientBuilder, take: impl Fn(DuplexStream) + Send + Sync + 'static) -> ClientBuilder {
    builder.connector(move |_, _| {
        let (ours, theirs) = tokio::io::duplex(1024);
        take(theirs);
        async move { Ok(ours) }
    })
}

#[tokio::test]
async fn an_own_connector_carries_every_kind_of_session() {
    let server = Server::builder(echo).build().unwrap();
    for (client, most) in clients("in-process:7").into_iter().zip([2, 1, 3]) {
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let server = server.clone();
        echoes(client.connector(move |host, port| {
            assert_eq!((host.as_str(), port), ("in-process", 7));
            counted.fetch_add(1, Ordering::Relaxed);
            let server = server.clone();
            async move {
                let (ours, theirs) = tokio::io::duplex(1024);
                tokio::spawn(async move { server.serve_connection(theirs, None).await });
                Ok(ours)
            }
        }))
        .await;
        let connections = connections.load(Ordering::Relaxed);
        assert!((1..=most).contains(&connections), "{connections} connections");
    }
}

#[tokio::test]
async fn what_an_own_connector_fails_with_is_the_error() {
    for client in clients("h") {
        let client = client.connector(|_, _| async {
            Err::<DuplexStream, _>(io::Error::new(io::ErrorKind::NotFound, "no such modem"))
        });
        let error = client.build().unwrap().connect().await.unwrap_err();
        let ConnectError::Io(error) = error else { panic!("{error:?}") };
        assert_eq!((error.kind(), error.to_string().as_str()), (io::ErrorKind::NotFound, "no such modem"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_hangs_ends_with_the_open_timeout_and_is_dropped() {
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    for client in clients("h") {
        let dropped = Arc::clone(&dropped);
        let client = client.open_timeout(Duration::from_secs(3)).connector(move |_, _| {
            let guard = Dropped(Arc::clone(&dropped));
            async move {
                let _guard = guard;
                core::future::pending::<io::Result<DuplexStream>>().await
            }
        });
        let begin = Instant::now();
        let error = client.build().unwrap().connect().await.unwrap_err();
        assert!(matches!(error, ConnectError::Timeout), "{error:?}");
        assert!(begin.elapsed() >= Duration::from_secs(3) && begin.elapsed() < Duration::from_millis(3_010));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn silence_on_a_stream_that_is_not_a_socket_ends_the_session_on_time() {
    let client = duplex(Client::builder("ws://h"), |theirs| {
        tokio::spawn(async move {
            let mut peer = Raw(theirs);
            let request = peer.request().await;
            peer.switch_protocols(&request).await;
            peer.text(&open_packet(300, 200, "")).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            peer.text("2").await;
            // Nothing more is said, and nothing is closed.
            core::future::pending::<()>().await;
        });
    });
    let mut socket = client.build().unwrap().connect().await.unwrap();
    let opened = Instant::now();
    let end = socket.recv().await.unwrap_err();
    let elapsed = opened.elapsed();
    assert_eq!((end.reason, end.transport), (DisconnectReason::PingTimeout, Transport::WebSocket));
    assert!(elapsed >= Duration::from_millis(800) && elapsed <= Duration::from_millis(802), "{elapsed:?}");
}

#[cfg(unix)]
mod unix {
    use eio_tokio::Socket;
    use eio_tokio::{Forwarding, TrustedProxies};
    use tokio::net::{UnixListener, UnixStream};

    use super::*;

    /// A directory of its own, gone with the test.
    struct Directory(std::path::PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("eio-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn socket(&self) -> std::path::PathBuf {
            self.0.join("s")
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn a_unix_socket_carries_every_kind_of_session() {
        let directory = Directory::new("kinds");
        let server = Server::builder(|socket: Socket| {
            assert_eq!(socket.peer_addr(), None);
            echo(socket)
        });
        let server = server.build().unwrap();
        let listener = UnixListener::bind(directory.socket()).unwrap();
        let handle = server.clone();
        let serving = tokio::spawn(async move { handle.serve(listener).await });
        for client in clients("localhost") {
            echoes(client.unix_socket(directory.socket())).await;
        }
        assert!(server.shutdown(Duration::from_secs(5)).await.is_empty());
        serving.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn nobody_behind_a_unix_sockets_file_is_an_io_error_that_names_it() {
        let directory = Directory::new("nobody");
        let error = |path: std::path::PathBuf| async move {
            let client = Client::builder("http://localhost").unix_socket(&path).build().unwrap();
            let error = client.connect().await.unwrap_err();
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
            let ConnectError::Io(error) = error else { panic!("{error:?}") };
            error.kind()
        };
        assert_eq!(error(directory.socket()).await, io::ErrorKind::NotFound);
        drop(UnixListener::bind(directory.socket()).unwrap());
        assert_eq!(error(directory.socket()).await, io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_on_a_unix_socket_ends_the_session_on_time() {
        let directory = Directory::new("silence");
        let listener = UnixListener::bind(directory.socket()).unwrap();
        let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
        let heartbeat =
            eio_core::Heartbeat::new(Duration::from_millis(300), Duration::from_millis(200)).unwrap();
        let server = Server::builder(move |mut socket: Socket| {
            let ended = ended.clone();
            async move {
                let end = socket.recv().await.unwrap_err();
                ended.send((Instant::now(), end)).unwrap();
            }
        });
        let server = server.heartbeat(heartbeat).build().unwrap();
        tokio::spawn(async move { server.serve(listener).await });
        let opened = Instant::now();
        let mut peer = Raw(UnixStream::connect(directory.socket()).await.unwrap());
        peer.write(
            "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        )
        .await;
        let (at, end) = ends.recv().await.unwrap();
        assert_eq!(end.reason, DisconnectReason::PingTimeout);
        let elapsed = at - opened;
        assert!(
            elapsed >= Duration::from_millis(500) && elapsed <= Duration::from_millis(502),
            "{elapsed:?}"
        );
    }

    #[tokio::test]
    async fn a_proxy_over_a_unix_socket_is_trusted_if_the_settings_say_so() {
        let directory = Directory::new("proxy");
        let proxies = TrustedProxies::new(Forwarding::XForwardedFor, ["10.0.0.0/8"]).unwrap();
        let server = Server::builder(|socket: Socket| async move {
            let _ = socket.send(format!("{:?}", socket.peer_addr())).await;
            socket.closed().await;
        });
        let server = server.trusted_proxies(proxies.and_without_address()).build().unwrap();
        let listener = UnixListener::bind(directory.socket()).unwrap();
        tokio::spawn(async move { server.serve(listener).await });
        let client = Client::builder("ws://localhost").unix_socket(directory.socket());
        let client = client.header("X-Forwarded-For", "6.6.6.6, 192.0.2.1, 10.0.0.9").build().unwrap();
        let told = client.connect().await.unwrap().recv().await.unwrap();
        assert_eq!(told, Message::text("Some(192.0.2.1:0)"));
    }
}

#[tokio::test]
async fn user_and_password_in_the_url_are_sent_unless_a_header_says_otherwise() {
    let (address, heads) = noting(|mut raw, noted| async move {
        let (head, _) = raw.head().await;
        noted.lock().unwrap().push(head);
        raw.answer("401 Unauthorized", "who are you").await;
    })
    .await;
    for scheme in ["http", "ws"] {
        let url = format!("{scheme}://ann:se%63ret@{address}/?token=hidden");
        let own = Client::builder(url.clone()).header("authorization", "Bearer t");
        for (client, expected) in [(Client::builder(url), "Basic YW5uOnNlY3JldA=="), (own, "Bearer t")] {
            let client = client.build().unwrap();
            let error = client.connect().await.unwrap_err();
            let head = heads.lock().unwrap().pop().unwrap();
            assert_eq!(header(&head, "authorization").as_deref(), Some(expected));
            assert_eq!(header(&head, "host").as_deref(), Some(address.to_string().as_str()));
            let shown = format!("{error} {error:?} {client:?}");
            assert!(
                !shown.contains("se%63ret") && !shown.contains("secret") && !shown.contains("hidden"),
                "{shown}"
            );
        }
    }
}

#[test]
fn no_error_shows_the_secrets_of_a_url() {
    for url in [
        "http://ann:secret@h:99999/?token=secret",
        "ann:secret@h",
        "http://ann:sec ret@h?token=secret",
        "http://ann:secret@",
        "http://h:1 /?token=secret#secret",
    ] {
        let error = Client::builder(url).build().unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("secret") && !shown.contains("sec ret"), "{shown}");
    }
    let error = Client::builder("http://h").path("/a?token=secret").build().unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    let builder = Client::builder("http://ann:secret@h");
    assert!(!format!("{builder:?}").contains("secret"));
}
