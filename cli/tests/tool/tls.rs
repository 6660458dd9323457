//! Certificates that `eio connect` trusts, and those that it does not.

use std::net::TcpListener;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use crate::connection::{Directory, echoes, sentence, serve};
use crate::peer::redirecting;
use crate::program::Eio;

/// A TLS relay to another port of this machine.
struct Front {
    port: u16,
    /// The certificate of the authority, and of the server, in PEM form.
    authority: String,
    own: String,
}

impl Front {
    /// Starts the relay with a certificate for `localhost`, signed by its own authority or by itself.
    fn start(to: u16, is_self_signed: bool) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "An authority of our own");
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let own =
            if is_self_signed { params.self_signed(&key) } else { params.signed_by(&key, &issuer) }.unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(relay(listener, TlsAcceptor::from(Arc::new(config)), to));
        });
        Self { port, authority: root.pem(), own: own.pem() }
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}", self.port)
    }
}

async fn relay(listener: TcpListener, acceptor: TlsAcceptor, to: u16) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut server = tokio::net::TcpStream::connect(("127.0.0.1", to)).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
        });
    }
}

#[test]
fn a_private_authority_is_trusted_with_its_file() {
    let (_server, port) = serve();
    let front = Front::start(port, false);
    let directory = Directory::new("ca");
    let ca = directory.write("ca.pem", &front.authority);
    for scheme in ["https", "wss"] {
        echoes(&mut Eio::start(&["connect", "--json", "--ca", &ca, &front.url(scheme)]));
        let explained = sentence(&[&front.url(scheme)], 3);
        assert!(
            explained.contains("certificate-unknown-issuer: ") && explained.contains("with --ca FILE"),
            "{explained}"
        );
    }
}

#[test]
fn a_self_signed_certificate_is_trusted_with_its_file_or_without_a_check() {
    let (_server, port) = serve();
    let front = Front::start(port, true);
    let directory = Directory::new("self");
    let ca = directory.write("own.pem", &front.own);
    let url = front.url("wss");
    echoes(&mut Eio::start(&["connect", "--json", "--ca", &ca, &url]));
    let explained = sentence(&[&url], 3);
    assert!(
        explained.contains("certificate is self-signed") && explained.contains("--ca FILE"),
        "{explained}"
    );
    assert!(!explained.contains("CaUsedAsEndEntity"), "{explained}");

    let mut client = Eio::start(&["connect", "--json", "--insecure", &url]);
    echoes(&mut client);
    let errors = client.errors();
    assert!(errors.contains("--insecure: the server's certificate is not checked"), "{errors}");
}

#[test]
fn a_redirect_from_plain_text_leads_to_a_server_with_a_private_authority() {
    let (_server, port) = serve();
    let front = Front::start(port, false);
    let directory = Directory::new("redirect");
    let ca = directory.write("ca.pem", &front.authority);
    let moved = "HTTP/1.1 308 Permanent Redirect\r\nContent-Length: 0\r\nLocation: ";
    let old = redirecting(&format!("{moved}{}/engine.io/\r\n\r\n", front.url("https")));
    for trust in [&["--ca", &ca][..], &["--insecure"]] {
        echoes(&mut Eio::start(&[&["connect", "--json", "--follow-redirects"], trust, &[&old]].concat()));
    }
    let explained = sentence(&["--follow-redirects", &old], 3);
    assert!(explained.contains("certificate-unknown-issuer: "), "{explained}");
}

#[test]
fn a_certificate_file_that_cannot_be_used_is_one_sentence_and_code_2() {
    let directory = Directory::new("files");
    let files = [
        (directory.file("missing"), "No such file"),
        (directory.write("empty", " \n"), "is empty"),
        (directory.write("text", "hello"), "there is no -----BEGIN CERTIFICATE----- in it"),
        (
            directory.write("broken", "-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n"),
            "not PEM as it should be: what is between",
        ),
        (
            directory.write("half", "-----BEGIN CERTIFICATE-----\nAAAA\n"),
            "not PEM as it should be: the line \"-----END CERTIFICATE-----\" is missing",
        ),
        (
            directory.write("other", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            "there is no",
        ),
        (
            directory.write("nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "cannot be used: its bytes are not a certificate",
        ),
    ];
    for (file, expected) in &files {
        let mut client = Eio::start(&["connect", "--ca", file, "https://localhost"]);
        assert_eq!(client.exit_code(), 2, "{file}");
        let errors = client.errors();
        assert!(errors.starts_with("eio: --ca: ") && errors.contains(expected), "{errors}");
        assert!(errors.contains(file.as_str()), "{errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
    for option in [&["--ca", "f"][..], &["--insecure"]] {
        let mut client = Eio::start(&[&["connect", "http://localhost"], option].concat());
        assert_eq!(client.exit_code(), 2);
        assert!(client.errors().contains("needs TLS: expected https:// or wss://"));
    }
}

#[test]
fn the_wrong_scheme_for_a_port_is_recognized() {
    let (_server, port) = serve();
    let front = Front::start(port, false);
    for scheme in ["http", "ws"] {
        let explained = sentence(&[&front.url(scheme)], 3);
        assert!(
            explained.contains("the server speaks TLS on this port: expected https or wss"),
            "{explained}"
        );
    }
    for scheme in ["https", "wss"] {
        let explained = sentence(&[&format!("{scheme}://localhost:{port}")], 3);
        assert!(
            explained.contains("the server does not speak TLS on this port: expected http or ws"),
            "{explained}"
        );
    }
    // nginx answers like this.
    let body =
        "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n</html>";
    let url =
        redirecting(&format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    for url in [url.clone(), url.replacen("http", "ws", 1)] {
        let explained = sentence(&[&url], 3);
        assert!(
            explained.contains("needs-tls: The server speaks TLS on this port. Use https or wss"),
            "{explained}"
        );
    }
}
