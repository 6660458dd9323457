//! Servers that break the rules of the handshake, and are refused whatever the board trusts.

use std::io::Read as _;
use std::net::TcpListener;

use eio_embassy::embedded_tls::{
    Aes128GcmSha256, CertificateRef, CertificateVerifyRef, CryptoProvider, CryptoRngCore, Sha256, TlsConfig,
    TlsConnection, TlsContext, TlsError, TlsVerifier,
};
use eio_embassy::tls::{Fault, Field, OpenError, PinnedKeys, PublicKey, Refusal};
use rcgen::{Certificate, CertificateParams, KeyPair};

use crate::board::{HostTcp, block_on, talk};
use crate::scripted::{Heard, Say, Scripted, honest, sign};

/// A self-signed certificate, its key and the pin.
fn identity() -> (Certificate, KeyPair, PublicKey) {
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::default().self_signed(&key).expect("a certificate");
    let pin = PublicKey::from_der(&rcgen::PublicKeyData::subject_public_key_info(&key)).expect("P-256");
    (certificate, key, pin)
}

/// Connects to a server that says this. Returns why it was refused, and checks that it learns nothing.
fn refused(script: Vec<Say>, pin: PublicKey) -> Refusal {
    let server = Scripted::new(script);
    match talk(&server.address, &PinnedKeys::new(&[pin])) {
        Err(OpenError::Refused(refusal)) => {
            assert_eq!(server.heard(), Heard::Nothing);
            refusal
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_scripted_server_is_trusted_when_it_keeps_the_rules() {
    let (certificate, key, pin) = identity();
    let server = Scripted::new(honest(&certificate, &key));
    assert_eq!(talk(&server.address, &PinnedKeys::new(&[pin])).expect("trusted"), "board\n");
    assert_eq!(server.heard(), Heard::Line("board\n".to_owned()));
}

#[test]
fn a_server_that_sends_no_certificate_is_refused() {
    let (_, _, pin) = identity();
    // The board sees it when the handshake is over, and sends nothing more.
    assert_eq!(refused(vec![Say::Finished], pin), Refusal::NoCertificate);
    let empty = vec![Say::Certificate(vec![]), Say::Finished];
    assert_eq!(refused(empty, pin), Refusal::NoCertificate);
}

#[test]
fn a_server_that_sends_the_right_certificate_and_proves_nothing_is_refused() {
    let (certificate, _, pin) = identity();
    let script = vec![Say::Certificate(vec![certificate.der().to_vec()]), Say::Finished];
    assert_eq!(refused(script, pin), Refusal::NoProof);
}

#[test]
fn a_server_that_signs_with_another_key_than_its_certificates_is_refused() {
    let (certificate, _, pin) = identity();
    let (_, other, _) = identity();
    assert_eq!(refused(honest(&certificate, &other), pin), Refusal::InvalidSignature);
}

#[test]
fn a_server_that_repeats_the_signature_of_another_connection_is_refused() {
    let (certificate, key, pin) = identity();
    let recorded = sign(&key.serialize_der(), b"what was signed there");
    let script =
        vec![Say::Certificate(vec![certificate.der().to_vec()]), Say::Bytes(0x0403, recorded), Say::Finished];
    assert_eq!(refused(script, pin), Refusal::InvalidSignature);
}

#[test]
fn a_signature_that_is_no_signature_is_refused() {
    let (certificate, _, pin) = identity();
    for bytes in [vec![], vec![0x30], vec![0x30, 6, 2, 1, 0, 2, 1, 0], vec![0xff; 104], vec![0x30; 300]] {
        let certificate = Say::Certificate(vec![certificate.der().to_vec()]);
        let script = vec![certificate, Say::Bytes(0x0403, bytes), Say::Finished];
        assert_eq!(refused(script, pin), Refusal::InvalidSignature);
    }
}

#[test]
fn a_signature_by_another_algorithm_is_refused_and_named() {
    let (certificate, _, pin) = identity();
    // ecdsa_secp384r1_sha384 and rsa_pss_rsae_sha256.
    for scheme in [0x0503, 0x0804] {
        let certificate = Say::Certificate(vec![certificate.der().to_vec()]);
        let script = vec![certificate, Say::Bytes(scheme, vec![1; 64]), Say::Finished];
        assert_eq!(refused(script, pin), Refusal::SignatureAlgorithm { scheme });
    }
}

#[test]
fn messages_out_of_order_are_refused() {
    let (certificate, key, pin) = identity();
    let certificate = || Say::Certificate(vec![certificate.der().to_vec()]);
    let proof = || Say::Proof(key.serialize_der());
    for script in [
        vec![proof(), certificate(), Say::Finished],
        vec![certificate(), certificate(), proof(), Say::Finished],
        // A second certificate cannot change what was proven.
        vec![certificate(), proof(), certificate(), Say::Finished],
        vec![certificate(), proof(), proof(), Say::Finished],
    ] {
        assert_eq!(refused(script, pin), Refusal::OutOfOrder);
    }
}

#[test]
fn a_certificate_that_is_no_certificate_is_refused() {
    let (certificate, key, pin) = identity();
    let der = certificate.der().to_vec();
    for (bytes, field) in [
        (vec![], Field::Certificate),
        (der[..der.len() - 1].to_vec(), Field::Certificate),
        ([&der[..], &[0]].concat(), Field::Certificate),
        (vec![0x30, 2, 0x30, 0], Field::SerialNumber),
        (vec![0x30, 0x80, 0, 0], Field::Certificate),
    ] {
        let script = vec![Say::Certificate(vec![bytes]), Say::Proof(key.serialize_der()), Say::Finished];
        assert_eq!(refused(script, pin), Refusal::Malformed(field));
    }
}

#[test]
fn a_pin_that_is_not_on_the_curve_is_refused_when_a_server_has_it() {
    let (certificate, key, pin) = identity();
    let mut info = rcgen::PublicKeyData::subject_public_key_info(&key);
    let start = certificate.der().windows(info.len()).position(|bytes| bytes == info).expect("its key");
    let mut der = certificate.der().to_vec();
    *info.last_mut().expect("a byte") ^= 1;
    der[start..][..info.len()].copy_from_slice(&info);
    let off = PublicKey::from_der(&info).expect("the form of a key");
    assert_ne!(off, pin);
    let script = vec![Say::Certificate(vec![der]), Say::Proof(key.serialize_der()), Say::Finished];
    assert_eq!(refused(script, off), Refusal::InvalidPoint);
}

/// Records that somebody without a key can send: a handshake message, an empty record, and an end.
fn injections() -> [Say; 3] {
    [Say::Injected(22, vec![8, 0, 0, 2, 0, 0]), Say::Injected(23, vec![0; 16]), Say::Injected(21, vec![1, 0])]
}

#[test]
fn a_record_that_somebody_injects_ends_the_handshake_or_the_connection_and_is_named() {
    let (certificate, key, pin) = identity();
    let error = |script| {
        talk(&Scripted::new(script).address, &PinnedKeys::new(&[pin]))
            .expect_err("the connection has ended")
            .to_string()
    };
    for injected in injections() {
        assert_eq!(error(vec![injected]), OpenError::UnexpectedRecord.to_string());
    }
    for injected in injections() {
        let script = honest(&certificate, &key).into_iter().chain([injected]);
        assert_eq!(error(script.collect()), OpenError::Tls(Fault::UnexpectedRecord).to_string());
    }
}

/// Refuses every certificate and every signature.
struct RefuseAll;

impl TlsVerifier<Aes128GcmSha256> for RefuseAll {
    fn set_hostname_verification(&mut self, _name: &str) -> Result<(), TlsError> {
        Ok(())
    }

    fn verify_certificate(
        &mut self,
        _transcript: &Sha256,
        _message: CertificateRef<'_>,
    ) -> Result<(), TlsError> {
        Err(TlsError::InvalidCertificate)
    }

    fn verify_signature(&mut self, _message: CertificateVerifyRef<'_>) -> Result<(), TlsError> {
        Err(TlsError::InvalidSignature)
    }
}

impl CryptoProvider for RefuseAll {
    type CipherSuite = Aes128GcmSha256;
    type Signature = &'static [u8];

    fn rng(&mut self) -> impl CryptoRngCore {
        rand_core::OsRng
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Aes128GcmSha256>, TlsError> {
        Ok(self)
    }
}

/// Opens a connection without this crate, sends a line and waits for one.
async fn alone(server: &Scripted) -> Result<usize, TlsError> {
    let (mut received, mut sent) = ([0; 8_192], [0; 1_024]);
    let mut connection = TlsConnection::new(HostTcp::connect(&server.address), &mut received, &mut sent);
    connection.open(TlsContext::new(&TlsConfig::new(), RefuseAll)).await?;
    connection.write(b"secret\n").await?;
    connection.flush().await?;
    connection.read(&mut [0; 100]).await
}

/// Why `open` looks again when the handshake is over. If this fails, embedded-tls has become stricter.
#[test]
fn embedded_tls_alone_talks_to_a_server_without_a_certificate_even_if_its_verifier_refuses_all() {
    let server = Scripted::new(vec![Say::Finished]);
    assert!(block_on(alone(&server)).is_ok());
    assert_eq!(server.heard(), Heard::Line("secret\n".to_owned()));
}

/// Why `Records` looks at them first. If this fails, embedded-tls no longer panics.
#[test]
#[should_panic(expected = "not implemented")]
fn embedded_tls_alone_panics_when_somebody_injects_a_handshake_message() {
    let [injected, ..] = injections();
    let server = Scripted::new(vec![Say::Finished, injected]);
    let _ = block_on(alone(&server));
}

#[test]
fn the_hello_of_a_board_names_its_server() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let (_, _, pin) = identity();
    let hello = std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().expect("a connection");
        let mut hello = [0; 2_048];
        let len = tcp.read(&mut hello).expect("a hello");
        hello[..len].to_vec()
    });
    assert!(talk(&address, &PinnedKeys::new(&[pin])).is_err());
    let hello = hello.join().expect("it was heard");
    // The kind, a DNS name, and its length stand before it.
    let name = b"\x00\x00\x0eserver.example";
    assert!(hello.windows(name.len()).any(|part| part == name), "{hello:02x?}");
}
