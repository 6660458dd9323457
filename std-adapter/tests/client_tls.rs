//! TLS: servers whose certificate ends at a root that was added are trusted, and no others.
#![cfg(feature = "tls")]

#[path = "support/client.rs"]
mod support;

use std::net::SocketAddr;
use std::sync::Arc;

use eio_tokio::{Client, ClientBuildError, ClientBuilder, ConnectError, Message, Server, Transport};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A certificate authority of our own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: Vec<u8>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().der().to_vec();
        Self { issuer: Issuer::new(params, key), root }
    }

    /// Serves TLS with a certificate for `name`.
    async fn serve(&self, name: &str) -> SocketAddr {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder(support::echo).max_payload(2_000_000).build().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                let service = hyper_util::service::TowerToHyperService::new(server.service());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let _ =
                        Box::pin(builder.serve_connection_with_upgrades(TokioIo::new(stream), service)).await;
                });
            }
        });
        address
    }
}

async fn refused(builder: ClientBuilder) -> String {
    match builder.build().unwrap().connect().await.unwrap_err() {
        ConnectError::Tls(error) => error.to_string(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn sessions_run_over_https_and_wss_with_a_root_that_was_added() {
    let authority = Authority::new();
    let port = authority.serve("localhost").await.port();
    for scheme in ["https", "wss"] {
        let client = Client::builder(format!("{scheme}://localhost:{port}"))
            .root_certificate(authority.root.clone())
            .without_public_roots()
            .build()
            .unwrap();
        let mut socket = client.connect().await.unwrap();
        let big = Message::binary(vec![7; 1_000_000]);
        for _ in 0..3 {
            socket.send("over TLS").await.unwrap();
            socket.send(big.clone()).await.unwrap();
            assert_eq!(socket.recv().await.unwrap(), Message::text("over TLS"));
            assert!(socket.recv().await.unwrap() == big);
        }
        // Polling has moved to WebSocket by now, or will.
        while socket.transport() != Transport::WebSocket {
            tokio::time::sleep(core::time::Duration::from_millis(5)).await;
        }
        socket.close();
        assert_eq!(socket.closed().await.reason.as_str(), "forced close");
    }
}

#[tokio::test]
async fn a_certificate_for_an_address_is_checked_against_it() {
    let authority = Authority::new();
    let address = authority.serve("127.0.0.1").await;
    let client = Client::builder(format!("wss://{address}")).root_certificate(authority.root.clone());
    assert!(client.build().unwrap().connect().await.is_ok());
}

#[tokio::test]
async fn without_the_root_or_with_another_name_nobody_is_trusted() {
    let authority = Authority::new();
    let port = authority.serve("localhost").await.port();
    for scheme in ["https", "wss"] {
        let error = refused(Client::builder(format!("{scheme}://localhost:{port}"))).await;
        assert!(error.contains("UnknownIssuer") || error.contains("unknown issuer"), "{error}");
        let other = Client::builder(format!("{scheme}://localhost:{port}"))
            .root_certificate(Authority::new().root)
            .without_public_roots();
        refused(other).await;
        let wrong_name =
            Client::builder(format!("{scheme}://127.0.0.1:{port}")).root_certificate(authority.root.clone());
        let error = refused(wrong_name).await;
        assert!(error.contains("not valid for"), "{error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_an_error_of_tls() {
    let (_server, address) = support::serve(Server::builder(support::echo)).await;
    refused(Client::builder(format!("https://{address}"))).await;
}

#[test]
fn roots_that_cannot_be_read_or_none_at_all_are_refused() {
    let https = || Client::builder("https://localhost");
    let error = https().root_certificate(b"-----BEGIN".to_vec()).build().unwrap_err();
    assert!(matches!(error, ClientBuildError::RootCertificate(_)), "{error}");
    assert_eq!(https().without_public_roots().build().unwrap_err(), ClientBuildError::NoRoots);
}
