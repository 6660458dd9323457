//! Servers that are known by their keys.

use embedded_tls::CertificateEntryRef;

use super::certificate::Certificate;
use super::verify::Accept;
use super::{PublicKey, Refusal, Trust};

/// Trusts a server that has the private key of one of these public keys.
///
/// Only the key counts. The certificate around it may be self-signed, and have any name and any dates: the board needs
/// no clock, and a certificate that is renewed with the same key stays valid. Who knows the private key is the server,
/// until the firmware no longer contains the public key.
///
/// List two keys to change keys without an interruption: see [how to rotate](super#rotating-the-key).
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PinnedKeys<'k> {
    keys: &'k [PublicKey],
}

impl<'k> PinnedKeys<'k> {
    /// Trusts these keys. An empty list trusts no server.
    #[must_use]
    pub const fn new(keys: &'k [PublicKey]) -> Self {
        Self { keys }
    }
}

impl Trust for PinnedKeys<'_> {}

impl Accept for PinnedKeys<'_> {
    fn accept(&self, chain: &[CertificateEntryRef<'_>]) -> Result<PublicKey, Refusal> {
        // The server's own certificate comes first (RFC 8446, section 4.4.2). The others say who signed it, which does
        // not matter here.
        let Some(CertificateEntryRef::X509(certificate)) = chain.first() else {
            return Err(Refusal::NoCertificate);
        };
        let key = PublicKey::from_der(Certificate::read(certificate)?.body()?.public_key_info)?;
        if self.keys.contains(&key) { Ok(key) } else { Err(Refusal::UnknownKey) }
    }
}
