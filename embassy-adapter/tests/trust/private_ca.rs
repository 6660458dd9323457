//! Boards that know the key of an authority of their owner.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::slice::from_ref;

use eio_embassy::embedded_tls::pki::CertVerifier;
use eio_embassy::embedded_tls::{
    Aes128GcmSha256, Certificate as Trusted, CryptoProvider, CryptoRngCore, NoClock, TlsConfig,
    TlsConnection, TlsContext, TlsError, TlsVerifier,
};
use eio_embassy::tls::{Dates, KeyError, OpenError, PrivateCa, PublicKey, Refusal, ServerName};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData as _, date_time_ymd,
};

use crate::board::{HostTcp, block_on, talk};
use crate::keys::Keys;
use crate::peers::Server;
use crate::scripted::{Say, Scripted};

const NAME: ServerName<'static> = ServerName::Dns("server.example");

/// An authority, whose certificates a scripted server shows.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: Vec<u8>,
    key: PublicKey,
}

impl Authority {
    fn new() -> Self {
        let pair = KeyPair::generate().expect("a key");
        let mut params = named("authority", vec![]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let der = params.self_signed(&pair).expect("a certificate").der().to_vec();
        let key = PublicKey::from_der(&pair.subject_public_key_info()).expect("P-256");
        Self { issuer: Issuer::new(params, pair), der, key }
    }

    /// A certificate for the server's name, changed before it is signed, and its key.
    fn sign(&self, change: impl FnOnce(&mut CertificateParams)) -> (Vec<u8>, KeyPair) {
        sign(&self.issuer, change)
    }

    /// What boards trust that know this authority and the server's name.
    fn trust(&self) -> PrivateCa<'_> {
        PrivateCa::new(from_ref(&self.key), NAME, Dates::NotChecked)
    }

    /// What a board that trusts this authority says to a server with such a certificate.
    fn refused(&self, change: impl FnOnce(&mut CertificateParams)) -> Refusal {
        let (certificate, key) = self.sign(change);
        refusal(show(&[certificate], &key, &self.trust()))
    }
}

fn named(common: &str, alternatives: Vec<String>) -> CertificateParams {
    let mut params = CertificateParams::new(alternatives).expect("names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, common);
    params
}

fn sign(issuer: &Issuer<'_, KeyPair>, change: impl FnOnce(&mut CertificateParams)) -> (Vec<u8>, KeyPair) {
    let key = KeyPair::generate().expect("a key");
    let mut params = named("server.example", vec!["server.example".to_owned()]);
    change(&mut params);
    (params.signed_by(&key, issuer).expect("a certificate").der().to_vec(), key)
}

/// Connects to a server that sends this chain and signs with this key.
fn show(chain: &[Vec<u8>], key: &KeyPair, trust: &PrivateCa<'_>) -> Result<String, OpenError> {
    let script = vec![Say::Certificate(chain.to_vec()), Say::Proof(key.serialize_der()), Say::Finished];
    talk(&Scripted::new(script).address, trust)
}

fn refusal(result: Result<String, OpenError>) -> Refusal {
    match result {
        Err(OpenError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn openssl_and_node_are_trusted_with_a_certificate_made_as_documented_and_not_under_another_name_or_authority()
 {
    let (keys, others) = (Keys::make_authority("authority"), Keys::make_authority("authority-other"));
    for (server, answer) in [(Server::openssl(&keys), "draob\n"), (Server::node(&keys), "board\n")] {
        let ask = |authorities: &[PublicKey], name| {
            talk(&server.address, &PrivateCa::new(authorities, name, Dates::NotChecked))
        };
        assert_eq!(ask(&[keys.authority()], NAME).expect("trusted"), answer);
        // While one authority replaces another.
        assert_eq!(ask(&[others.authority(), keys.authority()], NAME).expect("trusted"), answer);
        assert_eq!(refusal(ask(&[others.authority()], NAME)), Refusal::UnknownAuthority);
        assert_eq!(refusal(ask(&[], NAME)), Refusal::UnknownAuthority);
        assert_eq!(refusal(ask(&[keys.authority()], ServerName::Dns("other.example"))), Refusal::OtherName);
    }
}

#[test]
fn a_certificate_is_trusted_for_each_of_its_names_and_addresses_and_no_other() {
    let authority = Authority::new();
    let names =
        ["a.example", "b.example", "c.example", "d.example", "*.farm.example", "192.0.2.1", "2001:db8::1"];
    let (certificate, key) = authority.sign(|params| {
        *params = named("common.example", names.map(str::to_owned).to_vec());
    });
    let ask =
        |name| show(from_ref(&certificate), &key, &PrivateCa::new(&[authority.key], name, Dates::NotChecked));
    let addresses = [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), "2001:db8::1".parse().expect("an address")];
    let hosts = ["a.example", "D.example", "one.farm.example"].map(ServerName::Dns);
    for name in hosts.into_iter().chain(addresses.map(ServerName::Ip)) {
        assert!(ask(name).is_ok(), "{name:?}");
    }
    let others = [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let hosts = ["common.example", "192.0.2.1", "one.two.farm.example", ""].map(ServerName::Dns);
    for name in hosts.into_iter().chain(others.map(ServerName::Ip)) {
        assert_eq!(refusal(ask(name)), Refusal::OtherName, "{name:?}");
    }
}

#[test]
fn a_certificate_without_alternative_names_names_no_server() {
    let refused = Authority::new().refused(|params| *params = named("server.example", vec![]));
    assert_eq!(refused, Refusal::OtherName);
}

#[test]
fn a_certificate_for_something_else_than_servers_is_refused() {
    let authority = Authority::new();
    let client = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::Any];
    };
    assert_eq!(authority.refused(client), Refusal::NotForServers);
    let encipher =
        |params: &mut CertificateParams| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
    assert_eq!(authority.refused(encipher), Refusal::NotForServers);
    let authorities =
        |params: &mut CertificateParams| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    assert_eq!(authority.refused(authorities), Refusal::IsAuthority);
}

#[test]
fn a_certificate_that_says_that_it_is_a_servers_is_trusted() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign(|params| {
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyAgreement];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        params.custom_extensions.push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 9], vec![5, 0]));
    });
    // The authority's own certificate may follow, as some servers send it.
    let chain = [certificate, authority.der.clone()];
    let trust = authority.trust();
    assert_eq!(show(&chain, &key, &trust).expect("trusted"), "board\n");
}

#[test]
fn a_critical_extension_that_is_not_known_is_refused() {
    let refused = Authority::new().refused(|params| {
        let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 9], vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
    });
    assert_eq!(refused, Refusal::CriticalExtension);
}

#[test]
fn dates_are_checked_by_the_time_that_the_board_gives() {
    let authority = Authority::new();
    // With two digits for the year, and with four.
    for (first, last) in [(2020, 2030), (2050, 2060), (1990, 2055)] {
        let (not_before, not_after) = (date_time_ymd(first, 1, 1), date_time_ymd(last, 1, 1));
        let (certificate, key) =
            authority.sign(|params| (params.not_before, params.not_after) = (not_before, not_after));
        let ask = |dates| show(from_ref(&certificate), &key, &PrivateCa::new(&[authority.key], NAME, dates));
        let at = |seconds: i64| ask(Dates::ValidAt(u64::try_from(seconds).expect("after 1970")));
        let (start, end) = (not_before.unix_timestamp(), not_after.unix_timestamp());
        assert_eq!(refusal(at(start - 1)), Refusal::NotYetValid);
        assert!(at(start).is_ok());
        assert!(at(end).is_ok());
        assert_eq!(refusal(at(end + 1)), Refusal::Expired);
        assert!(ask(Dates::NotChecked).is_ok());
    }
}

#[test]
fn a_server_that_does_not_have_the_key_of_its_certificate_is_refused() {
    let authority = Authority::new();
    let (certificate, _) = authority.sign(|_| {});
    let (_, other) = authority.sign(|_| {});
    let trust = authority.trust();
    assert_eq!(refusal(show(&[certificate], &other, &trust)), Refusal::InvalidSignature);
}

#[test]
fn other_curves_are_refused_by_name() {
    let authority = Authority::new();
    let trust = authority.trust();
    let params = || named("server.example", vec!["server.example".to_owned()]);
    let proof = KeyPair::generate().expect("a key");

    let big = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key");
    let certificate = params().signed_by(&big, &authority.issuer).expect("a certificate").der().to_vec();
    assert_eq!(refusal(show(&[certificate], &proof, &trust)), Refusal::Key(KeyError::OtherCurve));

    let issuer = Issuer::new(named("authority", vec![]), big);
    let certificate = params().signed_by(&proof, &issuer).expect("a certificate").der().to_vec();
    assert_eq!(refusal(show(&[certificate], &proof, &trust)), Refusal::CertificateSignatureAlgorithm);
}

/// A certificate that a device signed with its own key, though its certificate is no authority's.
struct Forged {
    authority: Authority,
    chain: [Vec<u8>; 2],
    key: KeyPair,
}

impl Forged {
    fn new() -> Self {
        let authority = Authority::new();
        let mut device = named("device-7", vec!["device-7.example".to_owned()]);
        device.is_ca = IsCa::ExplicitNoCa;
        device.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let device_key = KeyPair::generate().expect("a key");
        let device_certificate = device.signed_by(&device_key, &authority.issuer).expect("a certificate");
        let (certificate, key) = sign(&Issuer::new(device, device_key), |_| {});
        Self { authority, chain: [certificate, device_certificate.der().to_vec()], key }
    }
}

#[test]
fn a_certificate_that_a_device_signed_is_refused_as_openssl_refuses_it() {
    let Forged { authority, chain, key } = Forged::new();
    let trust = authority.trust();
    assert_eq!(refusal(show(&chain, &key, &trust)), Refusal::UnknownAuthority);
    let [forged, device] = chain;
    assert_eq!(refusal(show(from_ref(&forged), &key, &trust)), Refusal::UnknownAuthority);

    let keys = Keys::folder("forged");
    for (file, der) in [("authority", &authority.der), ("device", &device), ("forged", &forged)] {
        std::fs::write(keys.folder.join(file), der).expect("a file");
        keys.openssl(&format!("openssl x509 -inform der -in {file} -out {file}.pem"));
    }
    let verify = "openssl verify -CAfile authority.pem -untrusted device.pem";
    keys.openssl(&format!("{verify} device.pem"));
    assert!(keys.fails(&format!("{verify} forged.pem")).contains("invalid CA certificate"));
}

/// embedded-tls's own check of certificates.
struct Rustpki<'c>(CertVerifier<'c, Aes128GcmSha256, NoClock, 4_096>);

impl CryptoProvider for Rustpki<'_> {
    type CipherSuite = Aes128GcmSha256;
    type Signature = &'static [u8];

    fn rng(&mut self) -> impl CryptoRngCore {
        rand_core::OsRng
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Aes128GcmSha256>, TlsError> {
        Ok(&mut self.0)
    }
}

/// Why this crate checks certificates itself. If this fails, embedded-tls has become stricter.
#[test]
fn embedded_tls_alone_trusts_a_certificate_that_a_device_signed() {
    let Forged { authority, chain, key } = Forged::new();
    let server =
        Scripted::new(vec![Say::Certificate(chain.to_vec()), Say::Proof(key.serialize_der()), Say::Finished]);
    let (mut received, mut sent) = ([0; 8_192], [0; 1_024]);
    let mut connection = TlsConnection::new(HostTcp::connect(&server.address), &mut received, &mut sent);
    let provider = Rustpki(CertVerifier::new(Trusted::X509(&authority.der)));
    let config = TlsConfig::new().with_server_name("server.example");
    assert!(block_on(Box::pin(connection.open(TlsContext::new(&config, provider)))).is_ok());
}
