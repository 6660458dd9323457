//! Reads a certificate and its key, and checks them as far as a server can.

use core::time::Duration;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::{self, Ticketer};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use webpki::{EndEntityCert, KeyUsage};

use crate::server::tls::error::TlsFileError;
use crate::wire::tls_reason;

/// The size of the largest file that is read.
const MAX_LEN: u64 = 1 << 20;

/// What an error calls the content of the files.
const CERTIFICATE: &str = "certificate";
const KEY: &str = "private key";

/// Where a certificate and its key are.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// What both files contain, or why they cannot be read.
pub(super) type Read = Result<Contents, TlsFileError>;

/// What both files contain.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// What a server uses.
pub(super) struct Loaded {
    /// Without ALPN.
    pub(super) config: ServerConfig,
    /// When the certificate expires.
    pub(super) not_after: UnixTime,
}

impl Files {
    /// Reads both files. Blocks.
    pub(super) fn read(&self) -> Read {
        Ok(Contents { certificate: read(&self.certificate)?, key: read(&self.key)? })
    }

    /// Returns whether both files can be read more than once: a pipe cannot, and would block.
    pub(super) fn can_be_read_again(&self) -> bool {
        [&self.certificate, &self.key].iter().all(|path| !path.exists() || path.is_file())
    }

    /// Checks what was read: its form, whether the key belongs to the certificate, and the dates.
    pub(super) fn check(&self, contents: &Contents, now: UnixTime) -> Result<Loaded, TlsFileError> {
        let chain = chain(&self.certificate, &contents.certificate)?;
        let own = chain.first().ok_or_else(|| missing(&self.certificate, &[], CERTIFICATE, None))?;
        ParsedCertificate::try_from(own)
            .map_err(|error| TlsFileError::Certificate { path: self.certificate.clone(), error })?;
        let unusable = |error| TlsFileError::Key { path: self.key.clone(), error };
        let provider = ring::default_provider();
        let key = key(&self.key, &contents.key)?;
        let key = provider.key_provider.load_private_key(key).map_err(unusable)?;
        self.check_match(&chain, &*key)?;
        let not_after = self.check_dates(own, now)?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key))));
        if let Ok(ticketer) = Ticketer::new() {
            config.ticketer = ticketer;
        }
        Ok(Loaded { config, not_after })
    }

    /// Checks that the key belongs to the first certificate.
    fn check_match(&self, chain: &[CertificateDer<'_>], key: &dyn SigningKey) -> Result<(), TlsFileError> {
        // A kind of key that does not tell its public half cannot be compared.
        let Some(public) = key.public_key() else { return Ok(()) };
        let matches = chain.iter().position(|certificate| {
            ParsedCertificate::try_from(certificate)
                .is_ok_and(|certificate| certificate.subject_public_key_info() == public)
        });
        if matches == Some(0) {
            return Ok(());
        }
        let (certificate, key) = (self.certificate.clone(), self.key.clone());
        Err(TlsFileError::WrongKey { certificate, key, matches: matches.map(|index| index + 1) })
    }

    /// Checks the dates of a certificate, and returns the latter one.
    fn check_dates(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> Result<UnixTime, TlsFileError> {
        let path = || self.certificate.clone();
        match dates(certificate, now) {
            Some(webpki::Error::CertExpired { not_after, .. }) => {
                return Err(TlsFileError::Expired { path: path(), ago: between(not_after, now) });
            }
            Some(webpki::Error::CertNotValidYet { not_before, .. }) => {
                return Err(TlsFileError::NotValidYet { path: path(), wait: between(now, not_before) });
            }
            _ => {}
        }
        let end_of_time = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
        Ok(match dates(certificate, end_of_time) {
            Some(webpki::Error::CertExpired { not_after, .. }) => not_after,
            _ => end_of_time,
        })
    }
}

/// Returns the time from one to the other.
pub(super) fn between(earlier: UnixTime, later: UnixTime) -> Duration {
    Duration::from_secs(later.as_secs().saturating_sub(earlier.as_secs()))
}

/// Returns what webpki says about a certificate at this time. No authority is trusted here, so there is always an error. It
/// is about the dates if these are wrong, because webpki checks them first.
fn dates(certificate: &CertificateDer<'_>, time: UnixTime) -> Option<webpki::Error> {
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    certificate.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None).err()
}

fn read(path: &Path) -> Result<Vec<u8>, TlsFileError> {
    let cannot = |error: io::Error| TlsFileError::Read { path: path.to_owned(), error: Arc::new(error) };
    let mut content = Vec::new();
    File::open(path).map_err(cannot)?.take(MAX_LEN + 1).read_to_end(&mut content).map_err(cannot)?;
    if content.len() as u64 > MAX_LEN {
        return Err(TlsFileError::TooLarge { path: path.to_owned() });
    }
    if content.trim_ascii().is_empty() {
        return Err(TlsFileError::Empty { path: path.to_owned() });
    }
    Ok(content)
}

fn chain(path: &Path, content: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let chain = CertificateDer::pem_slice_iter(content).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| not_pem(path, content, &error))?;
    if chain.is_empty() {
        let is_key = PrivateKeyDer::from_pem_slice(content).is_ok();
        return Err(missing(path, content, CERTIFICATE, is_key.then_some(KEY)));
    }
    Ok(chain)
}

fn key(path: &Path, content: &[u8]) -> Result<PrivateKeyDer<'static>, TlsFileError> {
    // PKCS #8 says it in the first way, and the older form of OpenSSL in the second (RFC 1421 section 4.6.1.1).
    for sign in ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"] {
        if content.windows(sign.len()).any(|part| part == sign.as_bytes()) {
            return Err(TlsFileError::EncryptedKey { path: path.to_owned() });
        }
    }
    PrivateKeyDer::from_pem_slice(content).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            let is_certificate = CertificateDer::from_pem_slice(content).is_ok();
            missing(path, content, KEY, is_certificate.then_some(CERTIFICATE))
        }
        error => not_pem(path, content, &error),
    })
}

/// Returns the error for a file without what it should contain.
fn missing(path: &Path, content: &[u8], expected: &'static str, found: Option<&'static str>) -> TlsFileError {
    if is_binary(content) {
        return TlsFileError::Binary { path: path.to_owned() };
    }
    TlsFileError::Missing { path: path.to_owned(), expected, found }
}

fn not_pem(path: &Path, content: &[u8], error: &pem::Error) -> TlsFileError {
    if is_binary(content) {
        return TlsFileError::Binary { path: path.to_owned() };
    }
    TlsFileError::Pem { path: path.to_owned(), reason: tls_reason::not_pem(error) }
}

/// Returns whether the content is one long sequence in DER, as certificates, keys and PKCS #12 are.
fn is_binary(content: &[u8]) -> bool {
    const SEQUENCE: u8 = 0x30;
    content.first() == Some(&SEQUENCE) && core::str::from_utf8(content).is_err()
}
