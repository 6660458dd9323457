//! TLS: servers whose certificate ends at a root that was added are trusted, no others, and each reason has its error.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use eio_tokio::rustls::crypto::ring;
use eio_tokio::rustls::{self, RootCertStore, ServerConfig};
use eio_tokio::{Client, ClientBuilder, ConnectError, Message, Server, TlsError, Transport};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support;

/// A certificate and its key.
pub(crate) struct Identity {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Signed by nobody else, as `openssl req -x509` makes it, but for the names.
    pub(crate) fn self_signed(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        let certificate = params.self_signed(&key).unwrap();
        Self::new(certificate.der().clone(), &key)
    }

    pub(crate) fn new(certificate: CertificateDer<'static>, key: &KeyPair) -> Self {
        Self { certificate, key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() }
    }

    pub(crate) fn clone(&self) -> Self {
        Self { certificate: self.certificate.clone(), key: self.key.clone_key() }
    }

    pub(crate) fn config(self) -> ServerConfig {
        server_config().with_no_client_auth().with_single_cert(vec![self.certificate], self.key).unwrap()
    }

    /// Serves TLS as this one.
    pub(crate) async fn serve(self) -> SocketAddr {
        serve(self.config()).await
    }
}

pub(crate) fn server_config() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
}

/// A certificate authority of our own.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("An authority of our own")
    }

    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let (root, pem) = (certificate.der().clone(), certificate.pem());
        Self { issuer: Issuer::new(params, key), root, pem }
    }

    pub(crate) fn sign(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        Identity::new(params.signed_by(&key, &self.issuer).unwrap().der().clone(), &key)
    }

    /// Serves TLS with a certificate for `name`.
    pub(crate) async fn serve(&self, name: &str) -> SocketAddr {
        self.sign(name, |_| {}).serve().await
    }

    pub(crate) fn trusted_by(&self, builder: ClientBuilder) -> ClientBuilder {
        builder.root_certificate(self.root.to_vec()).without_public_roots()
    }

    pub(crate) fn store(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        store.add(self.root.clone()).unwrap();
        store
    }
}

/// Serves TLS.
pub(crate) async fn serve(config: ServerConfig) -> SocketAddr {
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
                let _ = Box::pin(builder.serve_connection_with_upgrades(TokioIo::new(stream), service)).await;
            });
        }
    });
    address
}

pub(crate) async fn connect_error(builder: ClientBuilder) -> ConnectError {
    builder.build().unwrap().connect().await.unwrap_err()
}

pub(crate) async fn refused(builder: ClientBuilder) -> TlsError {
    match connect_error(builder).await {
        ConnectError::Tls(error) => error,
        other => panic!("{other:?}"),
    }
}

/// The ways to a server, by scheme.
pub(crate) fn clients(address: SocketAddr) -> [ClientBuilder; 2] {
    ["https", "wss"].map(|scheme| Client::builder(format!("{scheme}://localhost:{}", address.port())))
}

pub(crate) async fn echoes(builder: ClientBuilder) {
    let mut socket = builder.build().unwrap().connect().await.unwrap();
    socket.send("over TLS").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Message::text("over TLS"));
}

#[tokio::test]
async fn sessions_run_over_https_and_wss_with_a_root_that_was_added() {
    let authority = Authority::new();
    for client in clients(authority.serve("localhost").await) {
        let mut socket = authority.trusted_by(client).build().unwrap().connect().await.unwrap();
        let big = Message::binary(vec![7; 1_000_000]);
        for _ in 0..3 {
            socket.send("over TLS").await.unwrap();
            socket.send(big.clone()).await.unwrap();
            assert_eq!(socket.recv().await.unwrap(), Message::text("over TLS"));
            assert!(socket.recv().await.unwrap() == big);
        }
        // Polling has moved to WebSocket by now, or will.
        while socket.transport() != Transport::WebSocket {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        socket.close();
        assert_eq!(socket.closed().await.reason.as_str(), "forced close");
    }
}

#[tokio::test]
async fn roots_come_in_pem_form_too() {
    let authority = Authority::new();
    let pem = format!("# ours\n{}\n{}", Authority::new().pem, authority.pem);
    for client in clients(authority.serve("localhost").await) {
        echoes(client.root_certificates_pem(pem.clone())).await;
    }
}

#[tokio::test]
async fn a_certificate_for_an_address_is_checked_against_it() {
    let authority = Authority::new();
    let address = authority.serve("127.0.0.1").await;
    echoes(authority.trusted_by(Client::builder(format!("wss://{address}")))).await;
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_reported_as_that() {
    let authority = Authority::new();
    for client in clients(authority.serve("localhost").await) {
        let other = Authority::named("Another authority");
        let error = refused(other.trusted_by(client)).await;
        assert!(matches!(error, TlsError::UnknownIssuer), "{error:?}");
        assert_eq!(
            error.to_string(),
            "the server's certificate is signed by an authority that is not trusted"
        );
    }
}

#[tokio::test]
async fn an_authority_that_was_made_anew_under_its_name_is_reported_as_that() {
    for client in clients(Authority::new().serve("localhost").await) {
        let error = refused(Authority::new().trusted_by(client)).await;
        assert!(matches!(error, TlsError::BadSignature), "{error:?}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_is_reported_with_both_names() {
    let authority = Authority::new();
    for client in clients(authority.serve("shop.example").await) {
        let error = refused(authority.trusted_by(client)).await;
        assert_eq!(
            error.to_string(),
            "the server's certificate is not for \"localhost\", but for \"shop.example\""
        );
        let TlsError::WrongHost { host, names } = error else { panic!("{error:?}") };
        assert_eq!((host.as_str(), names), ("localhost", vec!["shop.example".to_owned()]));
    }
    let address = authority.serve("localhost").await;
    let error = refused(authority.trusted_by(Client::builder(format!("wss://{address}")))).await;
    assert_eq!(error.to_string(), "the server's certificate is not for \"127.0.0.1\", but for \"localhost\"");
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_reported_with_how_long() {
    let authority = Authority::new();
    let expired = authority.sign("localhost", |params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    let early = authority.sign("localhost", |params| {
        params.not_before = date_time_ymd(2999, 1, 1);
        params.not_after = date_time_ymd(2999, 2, 1);
    });
    for client in clients(expired.serve().await) {
        let error = refused(authority.trusted_by(client)).await;
        let day = Duration::from_hours(24);
        assert!(matches!(error, TlsError::Expired { ago } if ago > 365 * 20 * day), "{error:?}");
        assert!(error.to_string().contains("expired") && error.to_string().ends_with("days ago"), "{error}");
    }
    for client in clients(early.serve().await) {
        let error = refused(authority.trusted_by(client)).await;
        assert!(matches!(error, TlsError::NotValidYet { .. }), "{error:?}");
        assert!(error.to_string().contains("it becomes valid in"), "{error}");
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_reported_as_that_whether_it_calls_itself_an_authority_or_not() {
    for is_ca in [IsCa::Ca(BasicConstraints::Unconstrained), IsCa::NoCa, IsCa::ExplicitNoCa] {
        let identity = Identity::self_signed("localhost", |params| params.is_ca = is_ca);
        for client in clients(identity.serve().await) {
            let error = refused(client).await;
            assert!(matches!(error, TlsError::SelfSigned), "{is_ca:?}: {error:?}");
            assert_eq!(error.to_string(), "the server's certificate is self-signed and not trusted");
        }
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_when_it_is_a_root_and_in_order() {
    let trusting = |client: ClientBuilder, identity: &Identity| {
        client.root_certificate(identity.certificate.to_vec()).without_public_roots()
    };
    for is_ca in [IsCa::Ca(BasicConstraints::Unconstrained), IsCa::NoCa] {
        let identity = Identity::self_signed("localhost", |params| params.is_ca = is_ca);
        for client in clients(identity.clone().serve().await) {
            echoes(trusting(client, &identity)).await;
        }
        let other = Identity::self_signed("shop.example", |params| params.is_ca = is_ca);
        for client in clients(other.clone().serve().await) {
            let error = refused(trusting(client, &other)).await;
            assert!(matches!(error, TlsError::WrongHost { .. }), "{error:?}");
        }
        let old = Identity::self_signed("localhost", |params| {
            params.is_ca = is_ca;
            params.not_after = date_time_ymd(2002, 1, 1);
        });
        for client in clients(old.clone().serve().await) {
            let error = refused(trusting(client, &old)).await;
            assert!(matches!(error, TlsError::Expired { .. }), "{error:?}");
        }
        // The same names and another key.
        let impostor = Identity::self_signed("localhost", |params| params.is_ca = is_ca);
        for client in clients(impostor.serve().await) {
            refused(trusting(client, &identity)).await;
        }
    }
}

#[tokio::test]
async fn any_certificate_is_accepted_by_a_client_that_asks_for_that_danger() {
    let identity =
        Identity::self_signed("shop.example", |params| params.not_after = date_time_ymd(2002, 1, 1));
    let address = identity.serve().await;
    for client in clients(address) {
        refused(client).await;
    }
    for client in clients(address) {
        echoes(client.danger_accept_any_certificate()).await;
    }
}

#[tokio::test]
async fn an_authoritys_certificate_is_refused_as_a_servers() {
    let authority = Authority::new();
    let identity = authority.sign("localhost", |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "An authority below");
    });
    for client in clients(identity.serve().await) {
        let error = refused(authority.trusted_by(client)).await;
        assert!(matches!(error, TlsError::AuthorityAsServer), "{error:?}");
    }
}

#[tokio::test]
async fn https_to_a_plain_port_is_reported_as_that() {
    let (_server, address) = support::serve(Server::builder(support::echo)).await;
    for client in clients(address) {
        let error = refused(client).await;
        assert!(matches!(error, TlsError::NotTls), "{error:?}");
        assert!(error.to_string().contains("does not speak TLS on this port"), "{error}");
    }
    let address = support::scripted(|mut raw| async move {
        // Node: closes on what it does not understand.
        let _ = raw.0.read(&mut [0; 4096]).await;
    })
    .await;
    for client in clients(address) {
        let error = refused(client).await;
        assert!(matches!(error, TlsError::Io(_)), "{error:?}");
        assert!(error.to_string().contains("ended during the handshake"), "{error}");
    }
}

#[tokio::test]
async fn http_to_a_tls_port_is_reported_as_that() {
    let address = Authority::new().serve("localhost").await;
    for scheme in ["http", "ws"] {
        let error = connect_error(Client::builder(format!("{scheme}://{address}"))).await;
        assert!(matches!(error, ConnectError::SpeaksTls), "{error:?}");
        assert_eq!(error.to_string(), "the server speaks TLS on this port: expected https or wss in the URL");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_hangs_ends_with_the_open_timeout_and_with_the_future() {
    let (sender, mut ended) = tokio::sync::mpsc::unbounded_channel();
    let address = support::scripted(move |mut raw| {
        let sender = sender.clone();
        async move {
            // Takes the handshake, and says nothing.
            while raw.0.read(&mut [0; 4096]).await.unwrap_or(0) > 0 {}
            sender.send(()).unwrap();
        }
    })
    .await;
    for client in clients(address) {
        support::assert_gives_up(client, &mut ended).await;
    }
}
