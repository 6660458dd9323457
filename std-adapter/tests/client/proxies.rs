//! The client through HTTP proxies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use eio_tokio::{Client, ClientBuildError, ConnectError, ProxyError, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::routes::{clients, echoes};
use crate::support::{Notes, assert_gives_up, echo, header, noting, scripted, serve};

/// A proxy that opens the tunnels that it is asked for, and notes what it was asked.
async fn proxy() -> (SocketAddr, Notes<String>) {
    noting(|mut raw, noted| async move {
        let (head, rest) = raw.head().await;
        assert!(rest.is_empty(), "nothing is sent before the tunnel stands");
        noted.lock().unwrap().push(head.clone());
        let target = head.split(' ').nth(1).unwrap();
        let mut server = TcpStream::connect(target).await.unwrap();
        raw.write("HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n").await;
        let _ = tokio::io::copy_bidirectional(&mut raw.0, &mut server).await;
    })
    .await
}

/// Why there is no tunnel through a proxy that answers so.
async fn refusal(url: impl Fn(SocketAddr) -> String, answer: &'static str) -> ProxyError {
    let address = scripted(move |mut raw| async move {
        raw.head().await;
        raw.write(answer).await;
        // Until the client has gone.
        let _ = raw.0.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let client = Client::builder("ws://server.example").proxy(url(address)).build().unwrap();
    match client.connect().await.unwrap_err() {
        ConnectError::Proxy(error) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_proxy_carries_every_kind_of_session_and_knows_who_asks() {
    let (_server, address) = serve(Server::builder(echo)).await;
    let (proxy, heads) = proxy().await;
    for client in clients(&address.to_string()) {
        echoes(client.proxy(format!("http://ann:se%63ret@{proxy}"))).await;
    }
    let heads = heads.lock().unwrap();
    assert!(heads.len() >= 3, "{heads:?}");
    for head in &*heads {
        assert!(head.starts_with(&format!("CONNECT {address} HTTP/1.1\r\n")), "{head}");
        assert_eq!(header(head, "host").as_deref(), Some(address.to_string().as_str()));
        assert_eq!(header(head, "proxy-authorization").as_deref(), Some("Basic YW5uOnNlY3JldA=="));
        assert_eq!(header(head, "authorization"), None);
    }
}

#[tokio::test]
async fn each_way_in_which_a_proxy_fails_has_its_error() {
    let plain = |address: SocketAddr| format!("http://{address}");
    let named = |address: SocketAddr| format!("http://ann:secret@{address}");
    let error =
        refusal(plain, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n").await;
    assert!(matches!(error, ProxyError::CredentialsMissing), "{error:?}");
    let error =
        refusal(named, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n").await;
    assert!(matches!(error, ProxyError::CredentialsRefused), "{error:?}");
    assert!(!error.to_string().contains("secret") && !error.to_string().contains("ann"), "{error}");
    let error = refusal(plain, "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\ndenied").await;
    assert_eq!(error.to_string(), "the proxy refused the tunnel: status 403 Forbidden");
    let error = refusal(plain, "SSH-2.0-OpenSSH_9.6\r\n").await;
    assert!(matches!(error, ProxyError::Http(_)), "{error:?}");
    // An alert of TLS 1.2: handshake failure.
    let error = refusal(plain, "\x15\x03\x03\0\x02\x02\x28").await;
    assert!(matches!(error, ProxyError::SpeaksTls), "{error:?}");
    let error = refusal(plain, "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n").await;
    assert!(matches!(error, ProxyError::TooMuch), "{error:?}");
    // Nobody listens there.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = Client::builder("http://server.example").proxy(free.to_string()).build().unwrap();
    let error = client.connect().await.unwrap_err();
    assert!(matches!(&error, ConnectError::Proxy(ProxyError::Io(_))), "{error:?}");
    assert!(
        error.to_string().starts_with("cannot connect through the proxy: cannot connect to the proxy: "),
        "{error}"
    );
}

#[tokio::test]
async fn a_proxys_answer_is_read_up_to_a_limit() {
    let written = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&written);
    let proxy = scripted(move |mut raw| {
        let counted = Arc::clone(&counted);
        async move {
            raw.head().await;
            raw.write("HTTP/1.1 200 OK\r\n").await;
            let line = format!("X-Endless: {}\r\n", "x".repeat(8_000));
            while raw.0.write_all(line.as_bytes()).await.is_ok() {
                counted.fetch_add(line.len(), Ordering::Relaxed);
            }
        }
    })
    .await;
    let client = Client::builder("ws://server.example").proxy(format!("http://{proxy}")).build().unwrap();
    let error = client.connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::Proxy(ProxyError::Http(_))), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_hangs_ends_with_the_open_timeout_and_with_the_future() {
    let (sender, mut ended) = tokio::sync::mpsc::unbounded_channel();
    let proxy = scripted(move |mut raw| {
        let sender = sender.clone();
        async move {
            raw.head().await;
            let _ = raw.0.read(&mut [0]).await;
            sender.send(()).unwrap();
        }
    })
    .await;
    for client in clients("server.example") {
        assert_gives_up(client.proxy(format!("http://{proxy}")), &mut ended).await;
    }
}

#[test]
fn an_invalid_proxy_is_refused_when_the_client_is_built() {
    for url in ["socks5://ann:secret@p:1", "https://ann:secret@p", "", "http://ann:secret@p:x"] {
        let error = Client::builder("http://h").proxy(url).build().unwrap_err();
        assert!(matches!(error, ClientBuildError::Proxy { .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
}
