//! Where the server listens: an address, or a Unix socket; with TLS or without.

use core::net::SocketAddr;
use std::io;
#[cfg(unix)]
use std::path::PathBuf;

use eio_tokio::{Server, TlsCertificates, TlsListener};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use super::pages::Pages;
use super::settings::Settings;
#[cfg(unix)]
use super::unix::{self, SocketFile};

/// The address that a server listens on.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix(PathBuf),
}

/// A listener on either kind of address, with its certificate if it speaks TLS.
pub(super) struct Listener {
    socket: Listening,
    certificates: Option<TlsCertificates>,
}

enum Listening {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

/// Cleans up when the server ends and this is dropped.
#[derive(Default)]
pub(super) struct Cleanup {
    #[cfg(unix)]
    _file: Option<SocketFile>,
}

/// Listens on the address in the settings.
pub(super) async fn listen(settings: &Settings) -> Result<(Listener, Address, Cleanup), String> {
    // Before anybody can connect.
    let certificates = settings.certificates()?;
    #[cfg(unix)]
    if let Some(path) = settings.unix() {
        let (listener, file) = unix::listen(path, settings.unix_mode())?;
        let listener = Listener { socket: Listening::Unix(listener), certificates };
        return Ok((listener, Address::Unix(path.clone()), Cleanup { _file: Some(file) }));
    }
    let listener = tcp(settings.listen().as_str()).await?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let listener = Listener { socket: Listening::Tcp(listener), certificates };
    Ok((listener, Address::Tcp(address), Cleanup::default()))
}

async fn tcp(at: &str) -> Result<TcpListener, String> {
    TcpListener::bind(at).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("cannot listen on {at}: another program uses it; choose another address with --listen")
        }
        io::ErrorKind::PermissionDenied => {
            format!("cannot listen on {at}: permission denied; choose a port above 1023 with --listen")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!(
                "cannot listen on {at}: this machine does not have that address; choose another with --listen"
            )
        }
        _ => format!("cannot listen on {at}: {error}"),
    })
}

impl Listener {
    /// Returns whether it speaks TLS.
    pub(super) fn has_tls(&self) -> bool {
        self.certificates.is_some()
    }

    /// Serves the connections that it accepts.
    pub(super) async fn serve(self, server: &Server, pages: Pages) -> io::Result<()> {
        let certificates = self.certificates;
        match self.socket {
            Listening::Tcp(listener) => Box::pin(serve_on(listener, certificates, server, pages)).await,
            #[cfg(unix)]
            Listening::Unix(listener) => Box::pin(serve_on(listener, certificates, server, pages)).await,
        }
    }
}

async fn serve_on(
    listener: impl eio_tokio::Listener,
    certificates: Option<TlsCertificates>,
    server: &Server,
    pages: Pages,
) -> io::Result<()> {
    match certificates {
        Some(certificates) => server.serve_with(TlsListener::new(listener, certificates), pages).await,
        None => server.serve_with(listener, pages).await,
    }
}
