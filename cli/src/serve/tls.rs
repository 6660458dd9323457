//! The certificate that the server speaks TLS with.

use std::path::PathBuf;

use clap::Args;
use eio_tokio::{TlsCertificates, TlsFileError};

use crate::usage;

/// The files of the certificate.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct TlsFiles {
    /// Serve https and wss with this certificate, in PEM form. The certificates of its authorities follow it
    ///
    /// The server loads both files again when they change: new connections get the new certificate, and open ones stay. If
    /// the new files are wrong, it says so on standard error, and the old certificate remains in use.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,

    /// The private key of the certificate, in PEM form and without a password. Both may be in the same file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,
}

impl TlsFiles {
    /// Returns these files, or `others` if there are none.
    pub(super) fn or<'a>(&'a self, others: &'a Self) -> &'a Self {
        if self.tls_cert.is_some() { self } else { others }
    }

    /// Loads the certificate, if there is one. The settings have both files or neither.
    pub(super) fn load(&self) -> Result<Option<TlsCertificates>, TlsFileError> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(None) };
        let certificates = TlsCertificates::from_pem_files(certificate, key)?;
        Ok(Some(certificates.on_reload(|reloaded| match reloaded {
            Ok(()) => {
                usage::complain(format_args!("the certificate has changed, and new connections get it"));
            }
            Err(error) => usage::complain(format_args!("{error}; the old certificate remains in use")),
        })))
    }
}
