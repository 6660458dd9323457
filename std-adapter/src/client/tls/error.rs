//! Errors from TLS, in terms that users know.

use core::fmt;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, InvalidMessage, OtherError};

use crate::wire::rough::Rough;

/// Errors from opening a TLS connection.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The server answered, but not in TLS. Most such servers speak plain HTTP on this port.
    #[error("the server does not speak TLS on this port: expected http or ws in the URL, or another port")]
    NotTls,
    /// The certificate is signed by its own key, and is not one of the [roots](crate::ClientBuilder::root_certificate).
    #[error("the server's certificate is self-signed and not trusted")]
    SelfSigned,
    /// The authority that signed the certificate is not trusted. It may be private, or the server does not send the
    /// certificates between its own and its root.
    #[error("the server's certificate is signed by an authority that is not trusted")]
    UnknownIssuer,
    /// The authority that the certificate names has not signed it. This also happens if the authority was created again
    /// under the same name, and the client trusts the old one.
    #[error(
        "the server's certificate is not signed by the trusted authority that it names, but by another of the same name"
    )]
    BadSignature,
    /// The certificate is past its date, or this machine's clock is wrong.
    #[error("the server's certificate expired {} ago", Rough(*ago))]
    Expired {
        /// The time since then, in whole seconds.
        ago: Duration,
    },
    /// The certificate's date has not come, or this machine's clock is wrong.
    #[error("the server's certificate is not valid yet: it becomes valid in {}", Rough(*wait))]
    NotValidYet {
        /// The time until then, in whole seconds.
        wait: Duration,
    },
    /// The certificate does not name the URL's host.
    #[error("the server's certificate is not for {host:?}, but for {}", Names(names))]
    WrongHost {
        /// The URL's host.
        host: String,
        /// The first names in the certificate, at most eight.
        names: Vec<String>,
    },
    /// The certificate says that it belongs to an authority, so it does not prove a server's identity. Self-signed
    /// certificates often say so.
    #[error("the server's certificate is for an authority, not for a server")]
    AuthorityAsServer,
    /// The server requires a client certificate, which a [configuration](crate::ClientBuilder::tls_config) can provide.
    #[error("the server requires a client certificate")]
    ClientCertificateRequired,
    /// The URL's host is neither a name nor an address that a certificate could be for.
    #[error("no certificate can name the host {0:?}")]
    Host(String),
    /// Any other TLS failure.
    #[error("{0}")]
    Other(#[source] rustls::Error),
    /// The connection ended during the handshake.
    #[error("the connection ended during the handshake: {0}")]
    Io(#[source] Arc<io::Error>),
}

/// The error of this crate's verifier for a self-signed certificate.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the certificate is self-signed")]
pub(super) struct SelfSigned;

/// The largest number of a certificate's names that an error contains.
const NAMES: usize = 8;

impl TlsError {
    pub(super) fn of(error: io::Error) -> Self {
        Self::in_io(&error).unwrap_or_else(|| Self::Io(Arc::new(error)))
    }

    /// Returns the TLS error behind a failed request, if there is one. A server may check its client only after the
    /// handshake.
    pub(crate) fn behind(error: &hyper::Error) -> Option<Self> {
        let cause = core::error::Error::source(error)?.downcast_ref::<io::Error>()?;
        Self::in_io(cause)
    }

    /// Returns the TLS error within an I/O error, if there is one.
    fn in_io(error: &io::Error) -> Option<Self> {
        let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
        Some(match error {
            rustls::Error::InvalidCertificate(cause) => {
                Self::of_certificate(cause).unwrap_or_else(|| Self::Other(error.clone()))
            }
            // The first bytes of an answer in plain HTTP are not a TLS record, and cause one of these errors.
            rustls::Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => Self::NotTls,
            rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
                Self::ClientCertificateRequired
            }
            error => Self::Other(error.clone()),
        })
    }

    fn of_certificate(cause: &CertificateError) -> Option<Self> {
        let seconds = |later: u64, earlier: u64| Duration::from_secs(later.saturating_sub(earlier));
        Some(match cause {
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::BadSignature => Self::BadSignature,
            CertificateError::ExpiredContext { time, not_after } => {
                Self::Expired { ago: seconds(time.as_secs(), not_after.as_secs()) }
            }
            CertificateError::NotValidYetContext { time, not_before } => {
                Self::NotValidYet { wait: seconds(not_before.as_secs(), time.as_secs()) }
            }
            CertificateError::NotValidForNameContext { expected, presented } => Self::WrongHost {
                host: expected.to_str().into_owned(),
                names: presented.iter().take(NAMES).map(|name| plain_name(name)).collect(),
            },
            CertificateError::Other(OtherError(other)) if other.is::<SelfSigned>() => Self::SelfSigned,
            CertificateError::Other(_) if is_authority(cause) => Self::AuthorityAsServer,
            _ => return None,
        })
    }
}

/// Returns whether the certificate was refused because it belongs to an authority.
pub(super) fn is_authority(cause: &CertificateError) -> bool {
    let CertificateError::Other(OtherError(other)) = cause else { return false };
    matches!(other.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// Returns the plain name in webpki's form `DnsName("example.org")`.
fn plain_name(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"').to_owned()
}

/// Displays the names of a certificate. They are quoted, because they are the server's text.
struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            write!(f, "{}{name:?}", if index > 0 { ", " } else { "" })?;
        }
        if self.0.is_empty() { f.write_str("no host: it has no subjectAltName") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_without_the_librarys_words_and_escaped() {
        assert_eq!(plain_name("DnsName(\"example.org\")"), "example.org");
        assert_eq!(plain_name("something else"), "something else");
        let names = ["a\u{1b}".to_owned(), "b".to_owned()];
        assert_eq!(Names(&names).to_string(), "\"a\\u{1b}\", \"b\"");
        assert_eq!(Names(&[]).to_string(), "no host: it has no subjectAltName");
    }
}
