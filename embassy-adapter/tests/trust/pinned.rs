//! Boards that know the server's key.

use eio_embassy::embedded_tls::TlsConfig;
use eio_embassy::tls::{KeyError, OpenError, PinnedKeys, PublicKey, Refusal};

use crate::board::{talk, talk_with};
use crate::keys::Keys;
use crate::peers::Server;

fn refusal(result: Result<String, OpenError>) -> Refusal {
    match result {
        Err(OpenError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn openssl_is_trusted_with_a_pinned_key_and_with_no_other() {
    let (keys, others) = (Keys::make("openssl"), Keys::make("openssl-other"));
    let server = Server::openssl(&keys);
    assert_eq!(talk(&server.address, &PinnedKeys::new(&[keys.public()])).expect("trusted"), "draob\n");
    let wrong = talk(&server.address, &PinnedKeys::new(&[others.public()]));
    assert_eq!(refusal(wrong), Refusal::UnknownKey);
    assert_eq!(refusal(talk(&server.address, &PinnedKeys::new(&[]))), Refusal::UnknownKey);
}

#[test]
fn node_is_trusted_with_a_pinned_key_and_with_no_other() {
    let (keys, others) = (Keys::make("node"), Keys::make("node-other"));
    let server = Server::node(&keys);
    assert_eq!(talk(&server.address, &PinnedKeys::new(&[keys.public()])).expect("trusted"), "board\n");
    let wrong = talk(&server.address, &PinnedKeys::new(&[others.public()]));
    assert_eq!(refusal(wrong), Refusal::UnknownKey);
}

#[test]
fn a_board_with_two_pins_stays_connected_when_the_server_takes_the_second_key() {
    let (current, next) = (Keys::make("current"), Keys::make("next"));
    let pins = [current.public(), next.public()];
    for keys in [&current, &next] {
        let server = Server::openssl(keys);
        assert_eq!(talk(&server.address, &PinnedKeys::new(&pins)).expect("trusted"), "draob\n");
    }
}

#[test]
fn a_certificate_that_expired_long_ago_is_trusted_for_its_key() {
    let keys = Keys::make("expired");
    let pair =
        rcgen::KeyPair::from_pem(&String::from_utf8(keys.read("server.key")).expect("text")).expect("a key");
    let mut params = rcgen::CertificateParams::default();
    (params.not_before, params.not_after) =
        (rcgen::date_time_ymd(1999, 1, 1), rcgen::date_time_ymd(2000, 1, 1));
    let expired = params.self_signed(&pair).expect("a certificate");
    std::fs::write(keys.folder.join("server.crt"), expired.pem()).expect("a file");
    let server = Server::openssl(&keys);
    assert_eq!(talk(&server.address, &PinnedKeys::new(&[keys.public()])).expect("trusted"), "draob\n");
}

#[test]
fn the_key_of_a_certificate_is_read_as_the_documentation_says() {
    let keys = Keys::make("read");
    let made = keys.read("server-public.der");
    std::fs::remove_file(keys.folder.join("server-public.der")).expect("a file");
    keys.run("Reading the key");
    assert_eq!(keys.read("server-public.der"), made);
    assert_eq!(made.len(), 91);
}

#[test]
fn a_server_whose_only_key_is_rsa_is_refused_and_the_error_says_what_is_expected() {
    let keys = Keys::folder("rsa");
    keys.openssl(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key -subj /CN=a -days 30 -out server.crt",
    );
    let known = Keys::make("rsa-other");
    let server = Server::openssl(&keys);
    let error = talk(&server.address, &PinnedKeys::new(&[known.public()])).expect_err("no common signature");
    assert!(matches!(error, OpenError::NoCommonParameters), "{error}");
    assert!(error.to_string().contains("a key on P-256"), "{error}");
    // A board that asks for RSA as well gets the certificate, and cannot use it.
    let config = TlsConfig::new().enable_rsa_signatures();
    let result = talk_with(&server.address, &config, &PinnedKeys::new(&[known.public()]));
    assert_eq!(refusal(result), Refusal::Key(KeyError::Rsa));
}

#[test]
fn a_server_without_tls_1_3_is_refused_and_the_error_says_so() {
    let keys = Keys::make("old");
    let server = Server::openssl_with(&keys, "-cert server.crt -key server.key -tls1_2");
    let error = talk(&server.address, &PinnedKeys::new(&[keys.public()])).expect_err("another version");
    assert!(matches!(error, OpenError::ProtocolVersion), "{error}");
}

#[test]
fn a_file_that_is_no_public_key_on_p_256_is_named_for_what_it_is() {
    let keys = Keys::make("files");
    let convert = |command: &str| {
        keys.openssl(command);
        PublicKey::from_der(&keys.read("out"))
    };
    assert_eq!(convert("openssl pkey -in server.key -pubout -out out"), Err(KeyError::Pem));
    assert_eq!(convert("openssl pkey -in server.key -outform der -out out"), Err(KeyError::Private));
    assert_eq!(convert("openssl ec -in server.key -outform der -out out"), Err(KeyError::Private));
    assert_eq!(
        convert("openssl ec -in server.key -pubout -conv_form compressed -outform der -out out"),
        Err(KeyError::Compressed)
    );
    assert_eq!(convert("openssl x509 -in server.crt -outform der -out out"), Err(KeyError::Malformed));
    for (arguments, error) in [
        ("EC -pkeyopt ec_paramgen_curve:P-384", KeyError::OtherCurve),
        ("EC -pkeyopt ec_paramgen_curve:P-521", KeyError::OtherCurve),
        ("EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit", KeyError::OtherCurve),
        ("RSA -pkeyopt rsa_keygen_bits:2048", KeyError::Rsa),
        ("RSA -pkeyopt rsa_keygen_bits:1024", KeyError::Rsa),
        ("ED25519", KeyError::OtherKind),
    ] {
        keys.openssl(&format!("openssl genpkey -algorithm {arguments} -out other.key"));
        assert_eq!(
            convert("openssl pkey -in other.key -pubout -outform der -out out"),
            Err(error),
            "{arguments}"
        );
    }
    assert_eq!(PublicKey::from_der(&[]), Err(KeyError::Malformed));
}
