//! Servers that share a secret key with the board.

use embedded_tls::{CertificateEntryRef, TlsConfig};

use super::verify::Accept;
use super::{PublicKey, Refusal, Trust};

/// Trusts a server that has the same secret key (RFC 8446, section 4.2.11).
///
/// The server authenticates the board by it, too. An image with a shared key contains no code for certificates or
/// signatures, if nothing else in it does.
///
/// ```
/// use eio_embassy::tls::SharedKey;
///
/// # let key = [7; 16];
/// let trust = SharedKey { key: &key, identity: b"board-7" };
/// # let _ = trust;
/// ```
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a key has these two parts")]
pub struct SharedKey<'k> {
    /// The key: 16 or more random bytes, different on every board.
    pub key: &'k [u8],
    /// The name by which the server finds the key.
    pub identity: &'k [u8],
}

impl core::fmt::Debug for SharedKey<'_> {
    /// Leaves the key out.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SharedKey").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Trust for SharedKey<'_> {}

impl Accept for SharedKey<'_> {
    const CERTIFICATE: bool = false;

    fn configure<'c>(&'c self, config: TlsConfig<'c>) -> TlsConfig<'c> {
        config.with_psk(self.key, &[self.identity])
    }

    fn accept(&self, _: &[CertificateEntryRef<'_>]) -> Result<PublicKey, Refusal> {
        // A server that has the key does not send a certificate.
        Err(Refusal::CertificateInsteadOfKey)
    }
}
