//! TLS set up by the application, and redirects to it.

use std::sync::Arc;

use eio_tokio::rustls::crypto::{CryptoProvider, ring};
use eio_tokio::rustls::server::WebPkiClientVerifier;
use eio_tokio::rustls::{self, ClientConfig, RootCertStore};
use eio_tokio::{Client, ClientBuildError, ConnectError, Message, Server, TlsError};
use tokio::net::TcpListener;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use crate::support;
use crate::tls::{Authority, clients, connect_error, echoes, refused, serve, server_config};

#[tokio::test]
async fn a_configuration_of_ones_own_brings_client_certificates_and_another_provider() {
    let authority = Authority::new();
    let verifier = WebPkiClientVerifier::builder_with_provider(
        Arc::new(authority.store()),
        Arc::new(ring::default_provider()),
    );
    let identity = authority.sign("localhost", |_| {});
    let config = server_config()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![identity.certificate], identity.key);
    let address = serve(config.unwrap()).await;
    // A provider of a single cipher suite.
    let suites = ring::default_provider().cipher_suites.into_iter().take(1).collect();
    let provider = Arc::new(CryptoProvider { cipher_suites: suites, ..ring::default_provider() });
    let config = || {
        ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(authority.store())
    };
    for client in clients(address) {
        let own = authority.sign("a client", |_| {});
        let mut config = config().with_client_auth_cert(vec![own.certificate], own.key).unwrap();
        // Not spoken here, and a server that chooses it would be lost.
        config.alpn_protocols = vec![b"h2".to_vec()];
        echoes(client.tls_config(config)).await;
    }
    for client in clients(address) {
        let error = refused(client.tls_config(config().with_no_client_auth())).await;
        assert!(matches!(error, TlsError::ClientCertificateRequired), "{error:?}");
    }
}

#[tokio::test]
async fn the_handshake_names_the_server_unless_the_url_has_an_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for scheme in ["https", "wss"] {
        for (host, expected) in [("localhost", Some("localhost")), ("127.0.0.1", None)] {
            let client = Client::builder(format!("{scheme}://{host}:{port}")).build().unwrap();
            let named = async {
                let (stream, _) = listener.accept().await.unwrap();
                let hello =
                    LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await.unwrap();
                hello.client_hello().server_name().map(str::to_owned)
            };
            let (refused, named) = tokio::join!(client.connect(), named);
            refused.unwrap_err();
            assert_eq!(named.as_deref(), expected, "{scheme} {host}");
        }
    }
}

#[test]
fn roots_that_cannot_be_read_or_none_at_all_are_refused() {
    let https = || Client::builder("https://localhost");
    let error = https().root_certificate(b"-----BEGIN".to_vec()).build().unwrap_err();
    assert!(matches!(error, ClientBuildError::RootCertificate(_)), "{error}");
    assert_eq!(https().without_public_roots().build().unwrap_err(), ClientBuildError::NoRoots);
    for pem in [
        "",
        "not PEM",
        "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ] {
        let error = https().root_certificates_pem(pem).build().unwrap_err();
        assert!(matches!(error, ClientBuildError::RootCertificate(_)), "{pem}: {error}");
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let both = https().tls_config(config).root_certificates_pem(Authority::new().pem);
    assert_eq!(both.build().unwrap_err(), ClientBuildError::RootsBesideTlsConfig);
}

/// Answers with a redirect, over whatever stream.
async fn redirect(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin, location: &str) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let _ = stream.read(&mut vec![0; 4096]).await;
    let answer = format!("HTTP/1.1 308 x\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

#[tokio::test]
async fn a_redirect_leads_to_tls_and_never_back_to_plain_text() {
    let authority = Authority::new();
    let secure = authority.serve("localhost").await;
    let location = format!("https://localhost:{}/engine.io/", secure.port());
    let plain = support::scripted(move |raw| {
        let location = location.clone();
        async move { redirect(raw.0, &location).await }
    })
    .await;
    for scheme in ["http", "ws"] {
        let client = Client::builder(format!("{scheme}://localhost:{}", plain.port())).follow_redirects(1);
        let client = authority.trusted_by(client).build().unwrap();
        let mut socket = client.connect().await.unwrap();
        socket.send("hello").await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Message::text("hello"), "{scheme}");
    }
    // The certificate is checked as ever.
    let client = Client::builder(format!("http://localhost:{}", plain.port())).follow_redirects(1);
    assert!(matches!(connect_error(client).await, ConnectError::Tls(_)));

    let (_server, target) = support::serve(Server::builder(support::echo)).await;
    let acceptor = TlsAcceptor::from(Arc::new(authority.sign("localhost", |_| {}).config()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let secure = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            Box::pin(redirect(stream, &format!("http://localhost:{}/engine.io/", target.port()))).await;
        }
    });
    let client = Client::builder(format!("https://localhost:{}", secure.port())).follow_redirects(5);
    let error = connect_error(authority.trusted_by(client)).await;
    let ConnectError::Refused(refused) = error else { panic!("{error}") };
    assert_eq!(refused.kind(), eio_tokio::RefusalKind::Redirect);
}
