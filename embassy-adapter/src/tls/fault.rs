//! How TLS fails, apart from a server that is refused.

use embedded_io_async::{Error, ErrorKind};
use embedded_tls::TlsError;

/// How a TLS connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Fault {
    /// The stream beneath TLS was reset.
    #[error("the connection was reset")]
    Reset,
    /// The stream beneath TLS failed in another way.
    #[error("the connection failed")]
    Stream,
    /// The stream beneath TLS ended before the handshake was over.
    #[error("the connection ended during the TLS handshake")]
    Ended,
    /// The server ended the handshake with an alert. Its log says more.
    #[error("the server ended the TLS handshake with alert {alert}")]
    Alert {
        /// The `AlertDescription` of RFC 8446, section 6.
        alert: u8,
    },
    /// The server ended an open connection with an alert. Its log says more.
    #[error("the server ended the TLS connection with an alert")]
    Aborted,
    /// A record does not fit into the buffer for received records. Every record fits into 16,640 bytes.
    ///
    /// In an open connection, the server sends longer records than the board asks for
    /// ([`RecordBuffers::received`](super::RecordBuffers::received)). Some can be given a limit: servers on rustls by its
    /// `max_fragment_size`. In the handshake, it can also be the record with the server's certificates.
    #[error(
        "a TLS record is longer than the buffer for received records; 16640 bytes are enough for every server"
    )]
    RecordTooLong,
    /// The server's certificates do not fit into one record of the length that the board asks for, or their message is
    /// broken. Give the board a longer buffer for received records, or the server fewer certificates or shorter ones.
    #[error(
        "the server's certificates do not fit into one TLS record: the buffer for received records is too short"
    )]
    CertificatesTooLong,
    /// The request for a connection does not fit into the buffer for sent records.
    #[error("the buffer for sent TLS records is too short for the handshake; 1024 bytes are enough")]
    BufferTooShort,
    /// A record was changed on its way, or encrypted with another key. With a shared key: the server has another one.
    #[error("a TLS record is not authentic")]
    NotAuthentic,
    /// A record arrived that TLS 1.3 does not allow there. Somebody on the way may have sent it.
    #[error("a record arrived that TLS 1.3 does not allow there")]
    UnexpectedRecord,
    /// The server used a part of TLS that is not implemented, such as a change of keys in an open connection.
    #[error("the server uses a part of TLS that is not implemented")]
    NotImplemented,
    /// The server broke a rule of TLS.
    #[error("the server broke a rule of TLS")]
    Protocol,
}

impl From<TlsError> for Fault {
    fn from(error: TlsError) -> Self {
        match error {
            TlsError::Io(
                ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe,
            ) => Self::Reset,
            TlsError::Io(ErrorKind::InvalidData) => Self::UnexpectedRecord,
            TlsError::Io(_) => Self::Stream,
            TlsError::IoError | TlsError::ConnectionClosed => Self::Ended,
            TlsError::HandshakeAborted(_, description) => Self::Alert { alert: description as u8 },
            TlsError::InternalError => Self::Aborted,
            TlsError::InsufficientSpace => Self::RecordTooLong,
            TlsError::InvalidCertificate | TlsError::InvalidCertificateEntry => Self::CertificatesTooLong,
            TlsError::EncodeError | TlsError::OutOfMemory => Self::BufferTooShort,
            TlsError::CryptoError => Self::NotAuthentic,
            TlsError::Unimplemented => Self::NotImplemented,
            _ => Self::Protocol,
        }
    }
}

impl Error for Fault {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Reset => ErrorKind::ConnectionReset,
            Self::RecordTooLong | Self::CertificatesTooLong => ErrorKind::OutOfMemory,
            Self::NotAuthentic | Self::UnexpectedRecord | Self::Protocol => ErrorKind::InvalidData,
            Self::NotImplemented => ErrorKind::Unsupported,
            _ => ErrorKind::Other,
        }
    }
}
