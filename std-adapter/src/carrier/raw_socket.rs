//! A TCP or Unix socket that both roles can also query directly, without the runtime.

#[cfg(feature = "tls")]
use core::any::Any;
use core::task::Poll;
use core::time::Duration;
use std::io::{self, Read};

use socket2::SockRef;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::carrier::delegate::{read_from_variants, write_to_variants};
#[cfg(feature = "test-util")]
use crate::test_util::NetworkStream;

/// A connected stream socket.
#[derive(Debug)]
pub(crate) enum RawSocket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    /// A connection in memory. It is boxed, so that a socket does not need room for it.
    #[cfg(feature = "test-util")]
    Network(Box<NetworkStream>),
}

impl RawSocket {
    /// Returns the socket itself, without the runtime's cached readiness.
    pub(crate) fn direct(&self) -> Direct<'_> {
        match self {
            Self::Tcp(stream) => Direct::System(stream.into()),
            #[cfg(unix)]
            Self::Unix(stream) => Direct::System(stream.into()),
            #[cfg(feature = "test-util")]
            Self::Network(stream) => Direct::Network(stream),
        }
    }
}

/// A socket itself, without the runtime's cached readiness.
pub(crate) enum Direct<'s> {
    System(SockRef<'s>),
    #[cfg(feature = "test-util")]
    Network(&'s NetworkStream),
}

#[cfg(feature = "tls")]
impl<'s> Direct<'s> {
    /// Returns the socket itself if this is one.
    pub(crate) fn of(stream: &'s dyn Any) -> Option<Self> {
        #[cfg(unix)]
        if let Some(socket) = stream.downcast_ref::<UnixStream>() {
            return Some(Self::System(socket.into()));
        }
        #[cfg(feature = "test-util")]
        if let Some(stream) = stream.downcast_ref() {
            return Some(Self::Network(stream));
        }
        stream.downcast_ref::<TcpStream>().map(|socket| Self::System(socket.into()))
    }
}

impl Direct<'_> {
    /// Reads without the runtime. Returns `Pending` if nothing has arrived.
    pub(crate) fn read_now(mut self, room: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.read(room) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            result => Poll::Ready(result),
        }
    }

    /// Lets the connection be reset when it is dropped.
    pub(crate) fn reset_when_dropped(&self) {
        match self {
            // If this fails, the connection closes in order, which is slower but also correct.
            Self::System(socket) => _ = socket.set_linger(Some(Duration::ZERO)),
            #[cfg(feature = "test-util")]
            Self::Network(stream) => stream.leave_with_reset(),
        }
    }
}

impl Read for Direct<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::System(socket) => (&**socket).read(room),
            #[cfg(feature = "test-util")]
            Self::Network(stream) => stream.try_read(room),
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

#[cfg(feature = "test-util")]
impl From<NetworkStream> for RawSocket {
    fn from(stream: NetworkStream) -> Self {
        Self::Network(Box::new(stream))
    }
}

read_from_variants!(
    RawSocket: Tcp(stream) => *stream,
    #[cfg(unix)] Unix(stream) => *stream,
    #[cfg(feature = "test-util")] Network(stream) => **stream,
);
write_to_variants!(
    RawSocket: Tcp(stream) => *stream,
    #[cfg(unix)] Unix(stream) => *stream,
    #[cfg(feature = "test-util")] Network(stream) => **stream,
);
