//! What is checked during a handshake, whatever the board trusts.

use embedded_tls::{
    Aes128GcmSha256, CertificateEntryRef, CertificateRef, CertificateVerifyRef, CryptoProvider,
    CryptoRngCore, Sha256, SignatureScheme, TlsConfig, TlsError, TlsVerifier,
};
use p256::ecdsa::Signature;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::signature::digest::Digest as _;

use super::{PublicKey, Refusal};

/// Decides about a server's certificate.
pub(super) trait Accept {
    /// Whether the server proves by a certificate and a signature who it is. If not, it has to know a key without which
    /// the handshake cannot succeed.
    const CERTIFICATE: bool = true;

    /// Adds to the parameters of the handshake.
    fn configure<'c>(&'c self, config: TlsConfig<'c>) -> TlsConfig<'c> {
        config
    }

    /// Returns the key with which the server has to sign.
    fn accept(&self, chain: &[CertificateEntryRef<'_>]) -> Result<PublicKey, Refusal>;
}

/// How far the server has come.
enum Step {
    /// It has sent no certificate.
    Start,
    /// It has sent a certificate that is trusted, and has to sign this transcript with this key.
    Certificate(PublicKey, [u8; 32]),
    /// It has proven that it has the key.
    Proven,
}

/// Follows the server's messages.
///
/// embedded-tls reports a certificate and a signature when they come, and does not mind if they do not come: it would
/// open a connection to a server that sends neither. So the last word is that of [`finish`](Self::finish).
pub(super) struct Check<'t, T> {
    trust: &'t T,
    step: Step,
    refusal: Option<Refusal>,
}

impl<'t, T: Accept> Check<'t, T> {
    pub(super) const fn new(trust: &'t T) -> Self {
        Self { trust, step: Step::Start, refusal: None }
    }

    /// Returns why the server was refused during the handshake.
    pub(super) const fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// Checks, once the handshake is over, that the server has shown who it is.
    pub(super) const fn finish(&self) -> Result<(), Refusal> {
        match self.step {
            Step::Proven => Ok(()),
            Step::Start if !T::CERTIFICATE => Ok(()),
            Step::Start => Err(Refusal::NoCertificate),
            Step::Certificate(..) => Err(Refusal::NoProof),
        }
    }

    fn certificate(&self, transcript: &Sha256, message: &CertificateRef<'_>) -> Result<Step, Refusal> {
        let Step::Start = self.step else { return Err(Refusal::OutOfOrder) };
        let key = self.trust.accept(&message.entries)?;
        Ok(Step::Certificate(key, transcript.clone().finalize().into()))
    }

    fn signature(&self, message: &CertificateVerifyRef<'_>) -> Result<Step, Refusal> {
        let Step::Certificate(key, transcript) = &self.step else { return Err(Refusal::OutOfOrder) };
        let SignatureScheme::EcdsaSecp256r1Sha256 = message.signature_scheme else {
            return Err(Refusal::SignatureAlgorithm { scheme: message.signature_scheme.as_u16() });
        };
        let signature = Signature::from_der(message.signature).map_err(|_| Refusal::InvalidSignature)?;
        key.verifying_key()?
            .verify(&signed_content(transcript), &signature)
            .map_err(|_| Refusal::InvalidSignature)?;
        Ok(Step::Proven)
    }

    /// Advances, or keeps the refusal and ends the handshake.
    fn advance(&mut self, step: Result<Step, Refusal>) -> Result<(), TlsError> {
        match step {
            Ok(step) => {
                self.step = step;
                Ok(())
            }
            Err(refusal) => {
                self.refusal = Some(refusal);
                // An `AbortHandshake` would send an alert in a record of another type.
                Err(TlsError::InvalidHandshake)
            }
        }
    }
}

/// RFC 8446, section 4.4.3: 64 spaces, the context and a zero, and the hash of the handshake up to the certificate.
fn signed_content(transcript: &[u8; 32]) -> [u8; 130] {
    const CONTEXT: &[u8; 34] = b"TLS 1.3, server CertificateVerify\0";
    let mut content = [b' '; 130];
    let (start, hash) = content.split_at_mut(98);
    hash.copy_from_slice(transcript);
    start.split_at_mut(64).1.copy_from_slice(CONTEXT);
    content
}

impl<T: Accept> TlsVerifier<Aes128GcmSha256> for Check<'_, T> {
    fn set_hostname_verification(&mut self, _name: &str) -> Result<(), TlsError> {
        // What is trusted knows the name that it has to check. This one is only what the server is told.
        Ok(())
    }

    fn verify_certificate(
        &mut self,
        transcript: &Sha256,
        message: CertificateRef<'_>,
    ) -> Result<(), TlsError> {
        let step = self.certificate(transcript, &message);
        self.advance(step)
    }

    fn verify_signature(&mut self, message: CertificateVerifyRef<'_>) -> Result<(), TlsError> {
        let step = self.signature(&message);
        self.advance(step)
    }
}

/// What embedded-tls asks for.
pub(super) struct Provider<'p, 't, T> {
    pub(super) random: Random<'p>,
    pub(super) check: &'p mut Check<'t, T>,
}

impl<T: Accept> CryptoProvider for Provider<'_, '_, T> {
    type CipherSuite = Aes128GcmSha256;
    type Signature = &'static [u8];

    fn rng(&mut self) -> impl CryptoRngCore {
        &mut self.random
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Aes128GcmSha256>, TlsError> {
        Ok(&mut *self.check)
    }
}

/// The caller's randomness under the traits that embedded-tls asks for.
pub(super) struct Random<'r>(pub(super) &'r mut dyn FnMut() -> u32);

impl rand_core::RngCore for Random<'_> {
    fn next_u32(&mut self) -> u32 {
        (self.0)()
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_u32(self)
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        rand_core::impls::fill_bytes_via_next(self, dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl rand_core::CryptoRng for Random<'_> {}
