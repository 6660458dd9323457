//! A TCP or Unix socket that both roles can also query directly, without the runtime.

use socket2::SockRef;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::carrier::delegate::{read_from_variants, write_to_variants};

/// A connected stream socket.
#[derive(Debug)]
pub(crate) enum RawSocket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl RawSocket {
    /// Returns the system's socket, without the runtime's cached readiness.
    pub(crate) fn system(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(stream) => SockRef::from(stream),
            #[cfg(unix)]
            Self::Unix(stream) => SockRef::from(stream),
        }
    }
}

impl From<TcpStream> for RawSocket {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

#[cfg(unix)]
impl From<UnixStream> for RawSocket {
    fn from(stream: UnixStream) -> Self {
        Self::Unix(stream)
    }
}

read_from_variants!(RawSocket: Tcp(stream) => *stream, #[cfg(unix)] Unix(stream) => *stream);
write_to_variants!(RawSocket: Tcp(stream) => *stream, #[cfg(unix)] Unix(stream) => *stream);
