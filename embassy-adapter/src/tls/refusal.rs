//! Why a server was refused.

use super::KeyError;

/// Why a server was refused. The board has sent it nothing but the messages of the handshake.
///
/// The server sees the end of the connection, and not the reason: the alerts of embedded-tls 0.19 are not those of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Refusal {
    /// The server sent no certificate.
    #[error("the server sent no certificate")]
    NoCertificate,
    /// The server sent its certificate, but no signature that proves that it has the key.
    #[error("the server did not prove that it has its certificate's key")]
    NoProof,
    /// The server sent a second certificate message, or a signature before its certificate.
    #[error("the server sent its certificate or its signature out of order")]
    OutOfOrder,
    /// A field of the certificate is not as RFC 5280 requires.
    #[error("the certificate is malformed: {}", .0.as_str())]
    Malformed(Field),
    /// The certificate's key is not on the curve P-256.
    #[error("the certificate cannot be used: {0}")]
    Key(#[from] KeyError),
    /// The certificate contains none of the pinned keys.
    #[error("the server's key is not a pinned key")]
    UnknownKey,
    /// The server signed with another algorithm.
    #[error("the server signed with algorithm {scheme:#06x}; expected 0x0403, ecdsa_secp256r1_sha256")]
    SignatureAlgorithm {
        /// The `SignatureScheme` of RFC 8446, section 4.2.3.
        scheme: u16,
    },
    /// The server's signature was not made with the certificate's key, or not in this connection.
    #[error("the server's signature is not valid")]
    InvalidSignature,
    /// The key's numbers are not a point on the curve.
    #[error("the key is not a point on the curve P-256")]
    InvalidPoint,
}

/// A field of a certificate. RFC 5280, section 4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Field {
    /// The certificate as a whole.
    Certificate,
    /// The signed part as a whole.
    TbsCertificate,
    /// The version.
    Version,
    /// The serial number.
    SerialNumber,
    /// The name of the signature's algorithm.
    Signature,
    /// The name of the issuer.
    Issuer,
    /// The dates between which it is valid.
    Validity,
    /// The name of the subject.
    Subject,
    /// The public key.
    SubjectPublicKeyInfo,
}

impl Field {
    /// Returns the field's name in RFC 5280.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "Certificate",
            Self::TbsCertificate => "tbsCertificate",
            Self::Version => "version",
            Self::SerialNumber => "serialNumber",
            Self::Signature => "signature",
            Self::Issuer => "issuer",
            Self::Validity => "validity",
            Self::Subject => "subject",
            Self::SubjectPublicKeyInfo => "subjectPublicKeyInfo",
        }
    }
}
