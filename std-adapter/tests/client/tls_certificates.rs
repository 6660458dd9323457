//! The certificate files of our server: loaded again when they change, and refused for every mistake with a sentence.

use core::cell::RefCell;
use core::time::Duration;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use eio_tokio::rustls::ClientConfig;
use eio_tokio::{Message, Server, TlsCertificates, TlsFileError, TlsListener};
use rcgen::{CertificateParams, date_time_ymd};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::support;
use crate::tls::{Authority, clients};
use crate::tls_listener::{client_config, dial};

/// A directory for one test, which removes it at its end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("eio-tls-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Writes both files of an identity.
    fn write_pair(&self, pair: &Pair) -> (PathBuf, PathBuf) {
        (self.write("certificate.pem", &pair.certificate), self.write("key.pem", &pair.key))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A certificate and its key in PEM form, and the certificate in DER form.
struct Pair {
    certificate: String,
    key: String,
    der: Vec<u8>,
}

impl Pair {
    fn new(authority: &Authority) -> Self {
        Self::with(authority, |_| {})
    }

    fn with(authority: &Authority, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let identity = authority.sign("localhost", change);
        let pem = |label: &str, der: &[u8]| {
            use base64::Engine as _;
            let text = base64::engine::general_purpose::STANDARD.encode(der);
            format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
        };
        Self {
            certificate: pem("CERTIFICATE", &identity.certificate),
            key: pem("PRIVATE KEY", identity.key.secret_der()),
            der: identity.certificate.to_vec(),
        }
    }
}

/// The certificate that a new connection is shown.
async fn shown(address: SocketAddr, config: &Arc<ClientConfig>) -> Vec<u8> {
    let mut stream = dial(address, Arc::clone(config)).await;
    // Reads the tickets for later connections.
    let request = b"GET /nothing HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request).await.unwrap();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut Vec::new()).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// What a listener reports about changed files.
#[derive(Clone, Default)]
struct Reports(Arc<Mutex<Vec<Option<String>>>>);

impl Reports {
    fn watch(&self, certificates: TlsCertificates) -> TlsCertificates {
        let reports = self.clone();
        certificates.on_reload(move |reloaded| {
            reports.0.lock().unwrap().push(reloaded.err().map(ToString::to_string));
        })
    }

    fn take(&self) -> Vec<Option<String>> {
        core::mem::take(&mut self.0.lock().unwrap())
    }
}

thread_local! {
    static ERRORS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps the messages of each thread's errors in the log. It is the subscriber of all threads: what one without a subscriber
/// learns about an error counts for the others.
struct Errors;

impl Visit for Errors {
    fn record_debug(&mut self, field: &Field, value: &dyn core::fmt::Debug) {
        if field.name() == "message" {
            ERRORS.with_borrow_mut(|errors| errors.push(format!("{value:?}")));
        }
    }
}

impl Subscriber for Errors {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Self);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A server whose certificate is in files.
struct Stage {
    directory: Directory,
    authority: Authority,
    reports: Reports,
    address: SocketAddr,
    client: Arc<ClientConfig>,
    _server: Server,
}

impl Stage {
    async fn new() -> (Self, Pair) {
        let (directory, authority) = (Directory::new(), Authority::new());
        let first = Pair::new(&authority);
        let (certificate, key) = directory.write_pair(&first);
        let reports = Reports::default();
        let certificates = reports.watch(TlsCertificates::from_pem_files(certificate, key).unwrap());
        let (server, address) = support::serve_over(Server::builder(support::echo), |listener| {
            TlsListener::new(listener, certificates)
        })
        .await;
        let client = Arc::new(client_config(&authority, &[]));
        (Self { directory, authority, reports, address, client, _server: server }, first)
    }
}

/// Longer than until the files are read, and judged when they have settled.
async fn a_while() {
    tokio::time::sleep(Duration::from_secs(12)).await;
}

#[tokio::test(start_paused = true)]
async fn new_connections_get_a_new_certificate_and_open_sessions_stay() {
    let (stage, first) = Box::pin(Stage::new()).await;
    let mut sockets = Vec::new();
    for client in clients(stage.address) {
        let client = client.upgrade(false).tls_config(Arc::clone(&stage.client)).build().unwrap();
        sockets.push(client.connect().await.unwrap());
    }
    assert_eq!(shown(stage.address, &stage.client).await, first.der);
    a_while().await;
    assert_eq!(shown(stage.address, &stage.client).await, first.der);
    assert_eq!(stage.reports.take(), [], "nothing has changed");

    let second = Pair::new(&stage.authority);
    stage.directory.write_pair(&second);
    a_while().await;
    assert_eq!(stage.reports.take(), [None]);
    // The client has tickets for the session with the old certificate.
    assert_eq!(shown(stage.address, &stage.client).await, second.der);
    for socket in &mut sockets {
        socket.send("still here").await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Message::text("still here"));
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_new_files_leave_the_old_certificate_in_use_and_are_reported_once() {
    tracing::subscriber::set_global_default(Errors).unwrap();
    let (stage, first) = Box::pin(Stage::new()).await;
    let second = Pair::new(&stage.authority);
    // As while a tool writes one file after the other, but for longer.
    stage.directory.write("certificate.pem", &second.certificate);
    a_while().await;
    let reports = stage.reports.take();
    assert!(matches!(&reports[..], [Some(error)] if error.contains("does not belong to the certificate")));
    a_while().await;
    a_while().await;
    assert_eq!(stage.reports.take(), []);
    assert_eq!(shown(stage.address, &stage.client).await, first.der);

    fs::remove_file(stage.directory.0.join("key.pem")).unwrap();
    a_while().await;
    a_while().await;
    assert!(matches!(&stage.reports.take()[..], [Some(error)] if error.starts_with("cannot read")));
    assert_eq!(shown(stage.address, &stage.client).await, first.der);

    stage.directory.write_pair(&second);
    a_while().await;
    assert_eq!(stage.reports.take(), [None]);
    assert_eq!(shown(stage.address, &stage.client).await, second.der);
    let logged = "the changed certificate cannot be used: the old one remains in use";
    assert_eq!(ERRORS.take(), [logged, logged]);
}

#[tokio::test(start_paused = true)]
async fn files_are_judged_when_they_have_stayed_the_same_for_a_second() {
    let (stage, first) = Box::pin(Stage::new()).await;
    let second = Pair::new(&stage.authority);
    tokio::time::sleep(Duration::from_millis(9_500)).await;
    stage.directory.write("certificate.pem", &second.certificate);
    // Read at 10 s; the other file follows before they are read again.
    tokio::time::sleep(Duration::from_secs(1)).await;
    stage.directory.write("key.pem", &second.key);
    a_while().await;
    assert_eq!(stage.reports.take(), [None], "the mixed pair was never judged");
    assert_ne!(shown(stage.address, &stage.client).await, first.der);
}

fn error(certificate: &PathBuf, key: &PathBuf) -> TlsFileError {
    TlsCertificates::from_pem_files(certificate, key).unwrap_err()
}

#[test]
fn every_mistake_in_the_files_has_its_sentence() {
    let (directory, authority) = (Directory::new(), Authority::new());
    let pair = Pair::new(&authority);
    let (certificate, key) = directory.write_pair(&pair);
    let wrong = |error: TlsFileError, expected: &str| {
        let sentence = error.to_string();
        assert!(sentence.contains(expected), "{sentence}");
        assert!(sentence.contains(directory.0.to_str().unwrap()), "{sentence}");
    };
    let missing = directory.0.join("missing.pem");
    wrong(error(&missing, &key), "cannot read");
    wrong(error(&certificate, &missing), "cannot read");
    wrong(error(&directory.0, &key), "cannot read");
    wrong(error(&directory.write("empty", " \n"), &key), "is empty");
    wrong(error(&directory.write("der", &pair.der), &key), "is binary, such as DER");
    wrong(error(&directory.write("large", vec![b'\n'; (1 << 20) + 1]), &key), "is larger than 1 MiB");
    wrong(error(&directory.write("text", "hello"), &key), "there is no certificate in");
    wrong(error(&key, &certificate), "there is no certificate in");
    wrong(error(&key, &certificate), ", but a private key");
    wrong(error(&certificate, &certificate), "there is no private key in");
    wrong(error(&certificate, &certificate), ", but a certificate");
    let broken = "-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n";
    wrong(error(&directory.write("broken", broken), &key), "is not PEM as it should be: what is between");
    let half = &pair.certificate[..pair.certificate.len() / 2];
    wrong(error(&directory.write("half", half), &key), "is not PEM as it should be: the line \"-----END");
    let nothing = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    wrong(
        error(&directory.write("nothing", nothing), &key),
        "cannot be used: its bytes are not a certificate",
    );
    let nothing = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let unusable = error(&certificate, &directory.write("no-key", nothing));
    wrong(unusable, "cannot be used: failed to parse private key as RSA, ECDSA, or EdDSA: expected RSA with");
    for encrypted in [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
    ] {
        wrong(error(&certificate, &directory.write("encrypted", encrypted)), "is encrypted");
    }
    let other = Pair::new(&authority);
    let other_key = directory.write("other", &other.key);
    wrong(error(&certificate, &other_key), "does not belong to the certificate in");
    let chain = format!("{}{}", other.certificate, pair.certificate);
    wrong(error(&directory.write("chain", chain), &key), "but to number 2, which should come first");
}

#[test]
fn a_certificate_out_of_its_time_is_refused_with_how_long() {
    let (directory, authority) = (Directory::new(), Authority::new());
    let expired = Pair::with(&authority, |params| params.not_after = date_time_ymd(2002, 1, 1));
    let (certificate, key) = directory.write_pair(&expired);
    let expired = error(&certificate, &key);
    let year = Duration::from_hours(24 * 365);
    assert!(matches!(expired, TlsFileError::Expired { ago, .. } if ago > 20 * year), "{expired:?}");
    assert!(expired.to_string().ends_with("days ago"), "{expired}");
    let early = Pair::with(&authority, |params| {
        params.not_before = date_time_ymd(2999, 1, 1);
        params.not_after = date_time_ymd(2999, 2, 1);
    });
    let (certificate, key) = directory.write_pair(&early);
    let early = error(&certificate, &key);
    assert!(matches!(early, TlsFileError::NotValidYet { .. }), "{early:?}");
    assert!(early.to_string().contains("it becomes valid in"), "{early}");
}

#[test]
fn one_file_may_hold_the_chain_and_the_key_and_other_text() {
    let (directory, authority) = (Directory::new(), Authority::new());
    let pair = Pair::new(&authority);
    let all = format!("# of ours\n{}{}# the chain\n{}", pair.key, pair.certificate, authority.pem);
    let all = directory.write("all.pem", all);
    TlsCertificates::from_pem_files(&all, &all).unwrap();
    // As `openssl ecparam -genkey` writes it: the parameters come first.
    let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let key = directory.write("ec.pem", format!("{parameters}{}", pair.key));
    TlsCertificates::from_pem_files(&all, key).unwrap();
}
