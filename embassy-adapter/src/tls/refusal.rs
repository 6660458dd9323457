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
    /// The server sent a certificate, and the board trusts only a shared key.
    #[error("the server sent a certificate; expected it to use the shared key")]
    CertificateInsteadOfKey,
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
    /// The certificate was not signed by an authority that is trusted. What else signed it does not matter.
    #[error("the certificate is not signed by a trusted authority")]
    UnknownAuthority,
    /// The certificate was signed by another algorithm.
    #[error("the certificate is signed by another algorithm; expected ecdsa-with-SHA256")]
    CertificateSignatureAlgorithm,
    /// None of the certificate's alternative names is the server's. Its common name does not count.
    #[error("the certificate is for another server: its subjectAltName does not contain the expected name")]
    OtherName,
    /// The certificate is limited to other purposes, such as clients, by its `keyUsage` or `extendedKeyUsage`.
    #[error("the certificate is not for servers: its keyUsage or extendedKeyUsage does not allow it")]
    NotForServers,
    /// The certificate is an authority's.
    #[error("the certificate is an authority's, not a server's")]
    IsAuthority,
    /// The certificate contains a critical extension that is not known here.
    #[error("the certificate has a critical extension that is not known")]
    CriticalExtension,
    /// The certificate is not valid yet, or the board's clock is wrong.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// The certificate has expired, or the board's clock is wrong.
    #[error("the certificate has expired")]
    Expired,
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
    /// The name of the signature's algorithm, inside the signed part.
    Signature,
    /// The name of the issuer.
    Issuer,
    /// The dates between which it is valid.
    Validity,
    /// The name of the subject.
    Subject,
    /// The public key.
    SubjectPublicKeyInfo,
    /// The extensions.
    Extensions,
    /// The name of the signature's algorithm, outside of the signed part.
    SignatureAlgorithm,
    /// The signature.
    SignatureValue,
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
            Self::Extensions => "extensions",
            Self::SignatureAlgorithm => "signatureAlgorithm",
            Self::SignatureValue => "signatureValue",
        }
    }
}
