//! TLS 1.3 to a server that the board knows, without an allocator and without a clock.
//!
//! `embedded-tls` encrypts. By itself it trusts every server, and even with a verifier it opens a connection to a server
//! that sends no certificate at all. [`open`] opens a connection only to a server that has proven who it is, and keeps
//! records away from it that would make it panic ([`Records`]):
//!
//! | the board knows | use |
//! |---|---|
//! | the server's public key | [`PinnedKeys`] |
//! | the public key of an authority of one's own, and the server's name | [`PrivateCa`] |
//! | a secret that the server knows, too | a [`SharedKey`] |
//!
//! [`TlsConnector`] holds sessions over such connections: it reconnects, and its client is the one of every other stream.
//! To hold a session over a connection that you open yourself, use a [`Tunnel`](crate::Tunnel).
//!
//! ```no_run
//! use eio_embassy::embedded_tls::TlsConfig;
//! use eio_embassy::tls::{OpenError, PinnedKeys, PublicKey, RecordBuffers, open};
//! # use embedded_io_async::{Read, Write};
//!
//! # async fn connect<S: Read + Write + Clone>(tcp: S, random: &mut dyn FnMut() -> u32) -> Result<(), OpenError> {
//! # const DER: &[u8] = &[];
//! let Ok(server) = PublicKey::from_der(DER) else { panic!("DER is `include_bytes!(\"server-public.der\")`") };
//! // On a board, put both buffers into statics.
//! let (mut received, mut sent) = ([0; 4_096], [0; 1_024]);
//! let buffers = RecordBuffers { received: &mut received, sent: &mut sent };
//! let config = TlsConfig::new().with_server_name("server.example");
//! let mut connection = open(tcp, buffers, &config, &PinnedKeys::new(&[server]), random).await?;
//! let (reader, writer) = connection.split();
//! # let _ = (reader, writer);
//! # Ok(())
//! # }
//! ```
//!
//! # Making the key
//!
//! ```text
//! openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out server.key
//! openssl req -x509 -key server.key -subj /CN=server.example -days 3650 -out server.crt
//! openssl pkey -in server.key -pubout -outform der -out server-public.der
//! ```
//!
//! The server gets `server.key` and `server.crt`; the firmware contains the 91 bytes of `server-public.der`.
//!
//! # Reading the key
//!
//! These commands read the public key from a certificate that exists:
//!
//! ```text
//! openssl x509 -in server.crt -noout -pubkey -out server.pem
//! openssl pkey -pubin -in server.pem -outform der -out server-public.der
//! ```
//!
//! A certificate of a public authority works, too, if it is renewed with the same key (certbot: `--reuse-key`,
//! `--key-type ecdsa`, `--elliptic-curve secp256r1`).
//!
//! # Rotating the key
//!
//! 1. Make a second key with the commands above, and keep its private half away from the server.
//! 2. Build firmware that trusts both: `PinnedKeys::new(&[CURRENT, NEXT])`.
//! 3. When all boards run it, or when the server's key has leaked, give the server the second key.
//! 4. Build firmware that trusts the second key and a third, new one.
//!
//! Make the second key before the first boards leave the house: a board that trusts only a key that is lost cannot
//! connect any more, and needs an update by hand.
//!
//! # Making an authority
//!
//! With an authority, servers can get new keys and names without new firmware. The first three commands make it, the
//! others make a server's certificate:
//!
//! ```text
//! openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.key
//! openssl req -x509 -key ca.key -subj /CN=authority -days 7300 -out ca.crt
//! openssl pkey -in ca.key -pubout -outform der -out ca-public.der
//!
//! openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out server.key
//! openssl req -new -key server.key -subj /CN=server.example \
//!     -addext subjectAltName=DNS:server.example -out server.csr
//! openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -copy_extensions copy \
//!     -days 800 -out server.crt
//! ```
//!
//! The firmware contains `ca-public.der`; keep `ca.key` off the servers. Boards ask for the server's name, and for its
//! address if it has `IP:192.0.2.1` behind a comma after the name.
//!
//! # What it needs
//!
//! The server must speak TLS 1.3 with the cipher suite `TLS_AES_128_GCM_SHA256` and the group secp256r1, and have a
//! certificate with a key on P-256. OpenSSL, Node.js, nginx and others do so by default. The server's certificates must
//! fit into one record and into the buffer for received records: a self-signed certificate needs less than 1 KiB, the
//! certificates of a public authority need about 4 KiB.

use embedded_io_async::{ErrorKind, Read, Write};
use embedded_tls::alert::AlertDescription;
use embedded_tls::{Aes128GcmSha256, TlsConfig, TlsConnection, TlsContext, TlsError};

mod certificate;
mod connector;
mod extensions;
mod fault;
mod halves;
mod key;
mod pinned;
mod private_ca;
mod records;
mod refusal;
mod shared_key;
mod verify;

pub use connector::{TlsClient, TlsConnector, TlsLimits};
pub use fault::Fault;
pub use key::{KeyError, PublicKey};
pub use pinned::PinnedKeys;
pub use private_ca::{Dates, PrivateCa, ServerName};
pub use records::Records;
pub use refusal::{Field, Refusal};
pub use shared_key::SharedKey;

use verify::{Accept, Check, Provider, Random};

/// A TLS connection to a server that has proven who it is.
pub type Connection<'b, Stream> = TlsConnection<'b, Records<Stream>, Aes128GcmSha256>;

/// What makes a board trust a server: [`PinnedKeys`], a [`PrivateCa`] or a [`SharedKey`].
#[expect(private_bounds, reason = "what is trusted is checked here and nowhere else")]
pub trait Trust: Accept {}

/// The memory of a TLS connection, lent by the caller.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "built by its fields")]
pub struct RecordBuffers<'b> {
    /// For the record that is received. It must hold the longest one that the server sends, and 16,640 bytes hold every
    /// record.
    ///
    /// A [`TlsConnector`] asks the server for records that fit (`max_fragment_length` of RFC 6066, section 4): with 1,285
    /// bytes, for instance, for a content of at most 1,024. Servers on OpenSSL do as they are asked, such as Node.js and
    /// nginx, and so do those on the `TlsListener` of `eio-tokio` once the connection is open. Other servers
    /// put everything that they write at once into one record, up to 16 KiB, also several short messages.
    ///
    /// In any case, the server's certificates must fit into one record.
    pub received: &'b mut [u8],
    /// For the record that is sent, 1,024 bytes or more. What is longer is sent in several records.
    pub sent: &'b mut [u8],
}

/// Opens a TLS connection to a server that is trusted.
///
/// `random` must be fit for cryptography: the connection's keys come from it. Use the chip's generator, not a generator
/// with a seed. The name in `config` is only told to the server.
///
/// # Errors
/// [`OpenError`] says why the connection is not open. The stream is dropped.
pub async fn open<'b, Stream: Read + Write + 'b>(
    stream: Stream,
    buffers: RecordBuffers<'b>,
    config: &TlsConfig<'_>,
    trust: &impl Trust,
    random: &mut dyn FnMut() -> u32,
) -> Result<Connection<'b, Stream>, OpenError> {
    let mut check = Check::new(trust);
    let provider = Provider { random: Random(random), check: &mut check };
    let mut connection = TlsConnection::new(Records::new(stream), buffers.received, buffers.sent);
    let config = trust.configure(config.clone());
    match connection.open(TlsContext::new(&config, provider)).await {
        Ok(()) => check.finish().map(|()| connection).map_err(OpenError::Refused),
        Err(error) => Err(check.refusal().map_or_else(|| OpenError::of(error), OpenError::Refused)),
    }
}

/// Why no TLS connection opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum OpenError {
    /// The server is not one that is trusted.
    #[error("the server was refused: {0}")]
    Refused(Refusal),
    /// The server has nothing of what the board offers.
    #[error(
        "the server accepts none of the board's parameters; expected TLS_AES_128_GCM_SHA256, secp256r1 and a certificate \
         with a key on P-256"
    )]
    NoCommonParameters,
    /// The server does not speak TLS 1.3.
    #[error("the server does not speak TLS 1.3")]
    ProtocolVersion,
    /// A record arrived that TLS 1.3 does not allow there. (In an open connection, this is the error of the stream's kind
    /// `InvalidData`.)
    #[error("a record arrived that TLS 1.3 does not allow there")]
    UnexpectedRecord,
    /// The handshake was not over in time: [`TlsLimits::handshake_timeout`].
    #[error("the TLS handshake was not over in time")]
    Timeout,
    /// The connection ended or failed, the server broke a rule, or a buffer is too small.
    #[error("the TLS handshake failed: {0}")]
    Tls(Fault),
}

impl OpenError {
    fn of(error: TlsError) -> Self {
        match error {
            TlsError::HandshakeAborted(_, AlertDescription::HandshakeFailure) => Self::NoCommonParameters,
            TlsError::HandshakeAborted(_, AlertDescription::ProtocolVersion) => Self::ProtocolVersion,
            TlsError::Io(ErrorKind::InvalidData) => Self::UnexpectedRecord,
            error => Self::Tls(error.into()),
        }
    }
}
