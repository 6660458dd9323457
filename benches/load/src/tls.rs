//! TLS, for the echo of the servers that have it.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream as BlockingStream;
use std::path::Path;
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};

use crate::failure::{Failure, Result};

/// The name that the certificate is for.
const NAME: &str = "localhost";

/// Writes a new certificate and its key to two PEM files.
///
/// # Errors
/// Fails if a file cannot be written.
pub fn write_certificate(certificate: &Path, key: &Path) -> Result<()> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]);
    let made = made.map_err(|error| Failure::Options(format!("no certificate can be made: {error}")))?;
    let unwritable = "the certificate cannot be written";
    fs::write(certificate, made.cert.pem()).map_err(Failure::system(unwritable))?;
    fs::write(key, made.signing_key.serialize_pem()).map_err(Failure::system(unwritable))
}

/// Returns settings that trust the certificate in a PEM file, and no other.
///
/// # Errors
/// Fails if the file holds none.
pub fn trust(certificate: &Path) -> Result<Arc<ClientConfig>> {
    let useless = |error: &dyn std::fmt::Display| {
        Failure::Options(format!("{} holds no usable certificate: {error}", certificate.display()))
    };
    let der = CertificateDer::from_pem_file(certificate).map_err(|error| useless(&error))?;
    let mut roots = RootCertStore::empty();
    roots.add(der).map_err(|error| useless(&error))?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| useless(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The client's side of a TLS connection, beside the socket that it runs on.
#[derive(Debug)]
pub struct Tls {
    connection: ClientConnection,
}

impl Tls {
    /// Begins TLS. The handshake takes place with the first bytes.
    ///
    /// # Errors
    /// Fails if the settings allow no connection.
    pub fn begin(config: Arc<ClientConfig>) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| Failure::Options(format!("TLS cannot begin: {error}"));
        let name = ServerName::try_from(NAME).map_err(|error| failed(&error))?;
        let connection = ClientConnection::new(config, name).map_err(|error| failed(&error))?;
        Ok(Self { connection })
    }

    /// Puts it on a socket that blocks.
    pub fn on<'t>(
        &'t mut self,
        socket: &'t mut BlockingStream,
    ) -> Stream<'t, ClientConnection, BlockingStream> {
        Stream::new(&mut self.connection, socket)
    }
}

/// A socket that never blocks, with or without TLS.
#[derive(Debug)]
pub struct Wire {
    socket: TcpStream,
    tls: Option<Box<Tls>>,
}

impl Wire {
    /// Puts TLS on a socket, or nothing.
    #[must_use]
    pub fn new(socket: TcpStream, tls: Option<Tls>) -> Self {
        Self { socket, tls: tls.map(Box::new) }
    }

    /// Returns whether a read that did not fill its buffer may have left something: TLS returns a record at a time.
    #[must_use]
    pub fn reads_in_parts(&self) -> bool {
        self.tls.is_some()
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.read(buffer),
            Some(tls) => Stream::new(&mut tls.connection, &mut self.socket).read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.write(bytes),
            Some(tls) => Stream::new(&mut tls.connection, &mut self.socket).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => self.socket.flush(),
            Some(tls) => Stream::new(&mut tls.connection, &mut self.socket).flush(),
        }
    }
}
