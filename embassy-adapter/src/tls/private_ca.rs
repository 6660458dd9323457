//! Servers whose certificates are signed by an authority of the board's owner.

use core::net::IpAddr;
use core::time::Duration;

use der::asn1::{GeneralizedTime, UtcTime};
use der::{Decode as _, Reader as _, SliceReader, Tag};
use embedded_tls::CertificateEntryRef;
use p256::ecdsa::signature::Verifier as _;

use super::certificate::{Certificate, finished, reader};
use super::extensions::Extensions;
use super::verify::Accept;
use super::{Field, PublicKey, Refusal, Trust};

/// Trusts a server whose certificate is signed by one of these authorities' keys and names the server.
///
/// The authority must have signed the server's certificate itself, by ECDSA with P-256 and SHA-256: a certificate that was
/// signed by another server's or board's key is refused, whatever chain the server sends with it. The certificate must
/// have the server's name or address as an alternative name, and must not be limited to other purposes: it is no
/// authority's (`basicConstraints`), may sign (`keyUsage`) and is for servers (`extendedKeyUsage`), as far as it says so.
///
/// There is no revocation. If a server's key has leaked, its certificate stays good until it expires, and for boards
/// without a clock for ever: give the server another name, or change the authority's key.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PrivateCa<'k> {
    authorities: &'k [PublicKey],
    server: ServerName<'k>,
    dates: Dates,
}

/// The name that a server's certificate must contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "what TLS servers are named by")]
pub enum ServerName<'k> {
    /// A name, such as `server.example`. A star in the certificate stands for the first label of it.
    Dns(&'k str),
    /// An address.
    Ip(#[cfg_attr(feature = "defmt", defmt(Debug2Format))] IpAddr),
}

/// What to do with the dates between which a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "a board knows the time or it does not")]
pub enum Dates {
    /// Checks that the certificate is valid at this time, in seconds since 1970 without leap seconds (Unix time).
    ///
    /// Take it from a source that nobody on the network can set: a clock with a battery, or a protocol that authenticates
    /// the time. Plain SNTP does not.
    ValidAt(u64),
    /// Does not check. A certificate that has expired, and whose key may have been given up, is as good as a valid one.
    NotChecked,
}

impl<'k> PrivateCa<'k> {
    /// Trusts certificates that one of these authorities has signed for this server. List two authorities to change
    /// between them.
    #[must_use]
    pub const fn new(authorities: &'k [PublicKey], server: ServerName<'k>, dates: Dates) -> Self {
        Self { authorities, server, dates }
    }

    /// Checks that the certificate is good for this server, if it is signed. Returns the server's key, and the algorithm
    /// with which the certificate says it is signed.
    fn check_content<'c>(&self, certificate: &Certificate<'c>) -> Result<(PublicKey, &'c [u8]), Refusal> {
        let body = certificate.body()?;
        let key = PublicKey::from_der(body.public_key_info)?;
        self.dates.check(body.validity)?;
        let algorithm = body.signature;
        let extensions = Extensions::read(body.extensions()?)?;
        extensions.allow_server()?;
        extensions.have_name(self.server)?;
        Ok((key, algorithm))
    }

    /// Checks that one of the authorities has signed the certificate.
    fn check_signature(&self, certificate: Certificate<'_>, algorithm: &[u8]) -> Result<(), Refusal> {
        // ecdsa-with-SHA256, which has no parameters (RFC 5758, section 3.2).
        const ALGORITHM: [u8; 12] = [0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
        let content = certificate.tbs_certificate;
        let signed = certificate.signed()?;
        if algorithm != ALGORITHM || signed.algorithm != ALGORITHM {
            return Err(Refusal::CertificateSignatureAlgorithm);
        }
        let Ok(signature) = p256::ecdsa::Signature::from_der(signed.signature) else {
            return Err(Refusal::Malformed(Field::SignatureValue));
        };
        for authority in self.authorities {
            if authority.verifying_key()?.verify(content, &signature).is_ok() {
                return Ok(());
            }
        }
        Err(Refusal::UnknownAuthority)
    }
}

impl Trust for PrivateCa<'_> {}

impl Accept for PrivateCa<'_> {
    fn accept(&self, chain: &[CertificateEntryRef<'_>]) -> Result<PublicKey, Refusal> {
        let Some(CertificateEntryRef::X509(der)) = chain.first() else { return Err(Refusal::NoCertificate) };
        let certificate = Certificate::read(der)?;
        let (key, algorithm) = self.check_content(&certificate)?;
        // Last, because it takes the longest.
        self.check_signature(certificate, algorithm)?;
        Ok(key)
    }
}

impl Dates {
    fn check(self, validity: &[u8]) -> Result<(), Refusal> {
        let Self::ValidAt(seconds) = self else { return Ok(()) };
        let now = Duration::from_secs(seconds);
        let mut dates = reader(validity, Field::Validity)?;
        let (not_before, not_after) = (date(&mut dates)?, date(&mut dates)?);
        finished(&dates, Field::Validity)?;
        match now {
            now if now < not_before => Err(Refusal::NotYetValid),
            now if now > not_after => Err(Refusal::Expired),
            _ => Ok(()),
        }
    }
}

/// Reads one of the two kinds of dates, and returns the time since 1970.
fn date(dates: &mut SliceReader<'_>) -> Result<Duration, Refusal> {
    let date = match dates.peek_tag() {
        Ok(Tag::GeneralizedTime) => GeneralizedTime::decode(dates).map(|it| it.to_unix_duration()),
        _ => UtcTime::decode(dates).map(|it| it.to_unix_duration()),
    };
    date.map_err(|_| Refusal::Malformed(Field::Validity))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::String;
    use std::vec::Vec;

    use rcgen::{
        CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData as _,
    };

    use super::*;

    /// A server's certificate with everything in it that is read, and its key.
    fn certificate() -> (Vec<u8>, KeyPair) {
        let names = ["a.example", "192.0.2.1", "server.example"].map(String::from);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names).unwrap();
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = [KeyUsagePurpose::DigitalSignature].into();
        params.extended_key_usages = [ExtendedKeyUsagePurpose::ServerAuth].into();
        (params.self_signed(&key).unwrap().der().to_vec(), key)
    }

    /// Signed by its own key, which is the only difference that no check of the content sees.
    fn trust(authority: &PublicKey) -> PrivateCa<'_> {
        let server = ServerName::Dns("server.example");
        PrivateCa::new(core::slice::from_ref(authority), server, Dates::ValidAt(1_700_000_000))
    }

    fn key_of(pair: &KeyPair) -> PublicKey {
        PublicKey::from_der(&pair.subject_public_key_info()).unwrap()
    }

    #[test]
    fn no_certificate_panics_and_none_that_is_cut_off_is_good() {
        let (der, pair) = certificate();
        let authority = key_of(&pair);
        let check =
            |der: &[u8]| Certificate::read(der).and_then(|it| trust(&authority).check_content(&it).map(drop));
        assert_eq!(check(&der), Ok(()));
        for len in 0..der.len() {
            assert!(check(&der[..len]).is_err(), "{len}");
        }
        let mut changed = der.clone();
        for position in 0..der.len() {
            for byte in 0..=u8::MAX {
                changed[position] = byte;
                // What a change makes of it is the next test's.
                let _ = check(&changed);
                let _ =
                    Certificate::read(&changed).and_then(Certificate::signed).map(|it| it.signature.len());
            }
            changed[position] = der[position];
        }
    }

    #[test]
    fn a_certificate_that_was_changed_after_it_was_signed_is_refused() {
        let (mut der, pair) = certificate();
        let authority = key_of(&pair);
        let accepts = |der: &[u8]| trust(&authority).accept(&[CertificateEntryRef::X509(der)]).is_ok();
        assert!(accepts(&der));
        // Not all of them, because a signature takes long to check without optimisation.
        for position in (0..der.len()).step_by(3) {
            der[position] ^= 1;
            assert!(!accepts(&der), "byte {position}");
            der[position] ^= 1;
        }
    }
}
