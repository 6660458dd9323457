//! Where the server listens: an address, or a Unix socket.

use core::net::SocketAddr;
use std::io;
#[cfg(unix)]
use std::path::PathBuf;

use eio_tokio::Server;
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use super::options::Options;
use super::pages::Pages;
#[cfg(unix)]
use super::unix::{self, SocketFile};

/// Where a server can be found.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix(PathBuf),
}

/// A listener of either kind.
pub(super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

/// What has to stay until the server has ended.
#[derive(Default)]
pub(super) struct Left {
    #[cfg(unix)]
    _file: Option<SocketFile>,
}

/// Listens where the options say.
pub(super) async fn listen(options: &Options) -> Result<(Listener, Place, Left), String> {
    #[cfg(unix)]
    if let Some(path) = &options.unix {
        let (listener, file) = unix::listen(path, options.unix_mode)?;
        return Ok((Listener::Unix(listener), Place::Unix(path.clone()), Left { _file: Some(file) }));
    }
    let listener = tcp(&options.listen).await?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    Ok((Listener::Tcp(listener), Place::Tcp(address), Left::default()))
}

async fn tcp(at: &str) -> Result<TcpListener, String> {
    TcpListener::bind(at).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("{at} is taken by another program: choose another address with --listen")
        }
        io::ErrorKind::PermissionDenied => {
            format!("{at} is not for everybody to listen on: choose a port above 1023 with --listen")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{at} is no address of this machine: choose another with --listen")
        }
        _ => format!("cannot listen on {at}: {error}"),
    })
}

impl Listener {
    /// Serves what it accepts.
    pub(super) async fn serve(self, server: &Server, pages: Pages) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => server.serve_with(listener, pages).await,
            #[cfg(unix)]
            Self::Unix(listener) => server.serve_with(listener, pages).await,
        }
    }
}
