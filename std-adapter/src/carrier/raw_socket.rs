//! A TCP or Unix socket that both roles can also query directly, without the runtime.

use core::task::Poll;
use std::io::{self, Read as _};

use socket2::{SockRef, Socket};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::carrier::delegate::{read_from_variants, write_to_variants};

/// Reads from the socket without the runtime. Returns `Pending` if nothing has arrived.
pub(crate) fn read_now(mut socket: &Socket, room: &mut [u8]) -> Poll<io::Result<usize>> {
    match socket.read(room) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

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
