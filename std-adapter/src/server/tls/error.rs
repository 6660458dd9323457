//! What can be wrong with the files of a certificate and its key.

use core::time::Duration;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::wire::rough::Rough;
use crate::wire::tls_reason::unusable;

/// The reason why [`TlsCertificates`](crate::TlsCertificates) cannot use a certificate or its key.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsFileError {
    /// A file cannot be read. It may be missing, or this process may lack the permission.
    #[error("cannot read {path:?}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        error: Arc<io::Error>,
    },
    /// A file is larger than 1 MiB, so it contains something else.
    #[error("{path:?} is larger than 1 MiB: expected a certificate or a key in PEM form")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A file has nothing in it.
    #[error("{path:?} is empty")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A file is not in PEM form, but in a binary one.
    #[error("{path:?} is binary, such as DER or PKCS #12: expected PEM, which is text with -----BEGIN in it")]
    Binary {
        /// The file.
        path: PathBuf,
    },
    /// A file does not contain what it should. `found` is what it contains instead, if that is known.
    #[error("there is no {expected} in {path:?}{}", found.map(|found| format!(", but a {found}")).unwrap_or_default())]
    Missing {
        /// The file.
        path: PathBuf,
        /// `certificate` or `private key`.
        expected: &'static str,
        /// `certificate` or `private key`, for files that were exchanged.
        found: Option<&'static str>,
    },
    /// The blocks of a file are not PEM.
    #[error("{path:?} is not PEM as it should be: {reason}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The private key is encrypted with a password.
    #[error(
        "the private key in {path:?} is encrypted: expected one without a password, as openssl pkey writes it"
    )]
    EncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// The private key is broken, or of a kind that TLS servers cannot use.
    #[error(
        "the private key in {path:?} cannot be used: {}: expected RSA with 2048 bits or more, ECDSA with P-256 or \
         P-384, or Ed25519",
        unusable(error)
    )]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        error: rustls::Error,
    },
    /// The certificate is broken, or clients would refuse it for its form.
    #[error("the certificate in {path:?} cannot be used: {}", unusable(error))]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        error: rustls::Error,
    },
    /// The key does not belong to the first certificate of the file, which must be the server's own.
    #[error(
        "the private key in {key:?} does not belong to the {}certificate in {certificate:?}{}",
        if matches.is_some() { "first " } else { "" },
        matches.map(|number| format!(", but to number {number}, which should come first")).unwrap_or_default()
    )]
    WrongKey {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// The place of the certificate that the key does belong to, from 1.
        matches: Option<usize>,
    },
    /// The certificate is past its date, or this machine's clock is wrong.
    #[error("the certificate in {path:?} expired {} ago", Rough(*ago))]
    Expired {
        /// The file.
        path: PathBuf,
        /// The time since then, in whole seconds.
        ago: Duration,
    },
    /// The certificate's date has not come, or this machine's clock is wrong.
    #[error("the certificate in {path:?} is not valid yet: it becomes valid in {}", Rough(*wait))]
    NotValidYet {
        /// The file.
        path: PathBuf,
        /// The time until then, in whole seconds.
        wait: Duration,
    },
}
