//! Where the server listens: an address, or a Unix socket.

use core::net::SocketAddr;
use std::io;
#[cfg(unix)]
use std::path::PathBuf;

use eio_tokio::Server;
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

/// A listener on either kind of address.
pub(super) enum Listener {
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
    #[cfg(unix)]
    if let Some(path) = settings.unix() {
        let (listener, file) = unix::listen(path, settings.unix_mode())?;
        return Ok((Listener::Unix(listener), Address::Unix(path.clone()), Cleanup { _file: Some(file) }));
    }
    let listener = tcp(settings.listen().as_str()).await?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    Ok((Listener::Tcp(listener), Address::Tcp(address), Cleanup::default()))
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
    /// Serves the connections that it accepts.
    pub(super) async fn serve(self, server: &Server, pages: Pages) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => server.serve_with(listener, pages).await,
            #[cfg(unix)]
            Self::Unix(listener) => server.serve_with(listener, pages).await,
        }
    }
}
