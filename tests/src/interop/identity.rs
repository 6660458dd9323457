//! Certificates, made on the spot.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// A certificate and its key in PEM form, and the authority that signed it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// The certificate of the authority that signed it.
    pub authority: String,
}

impl Identity {
    /// A certificate for this name, which `change` changes, signed by an authority of our own.
    ///
    /// # Panics
    /// If the name is none.
    #[must_use]
    pub fn signed(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "An authority of our own");
        let key = KeyPair::generate().expect("a key");
        let authority = params.self_signed(&key).expect("a certificate").pem();
        let issuer = Issuer::new(params, key);
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate").pem();
        Self { certificate, key: key.serialize_pem(), authority }
    }

    /// A certificate for this name, which `change` changes, signed by itself.
    ///
    /// # Panics
    /// If the name is none.
    #[must_use]
    pub fn self_signed(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        Self { authority: certificate.clone(), certificate, key: key.serialize_pem() }
    }
}
