//! Takes over a connection that no longer carries HTTP.

use core::any::TypeId;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
#[cfg(feature = "http2")]
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::carrier::gate::Permit;
use crate::carrier::raw_socket::RawSocket;
#[cfg(feature = "tls")]
use crate::carrier::tls::stream::TlsStream;
use crate::carrier::websocket::Stream;
#[cfg(feature = "test-util")]
use crate::test_util::NetworkStream;
use crate::web::watched::{Unwatched, WatchedIo};

/// A connection that an HTTP server has given up.
pub(crate) struct Taken {
    pub(crate) stream: Stream,
    /// The bytes that the server had read beyond the request.
    pub(crate) received: Vec<u8>,
    /// The answer that switches protocols, if the server has held it back.
    pub(crate) held: Vec<u8>,
}

/// Returns whether a connection of this type is taken over without any wrapper around it.
pub(crate) fn is_socket<T: 'static>() -> bool {
    let of = TypeId::of::<T>();
    #[cfg(feature = "tls")]
    if of == TypeId::of::<TlsStream>() {
        return true;
    }
    #[cfg(unix)]
    if of == TypeId::of::<UnixStream>() {
        return true;
    }
    #[cfg(feature = "test-util")]
    if of == TypeId::of::<NetworkStream>() {
        return true;
    }
    of == TypeId::of::<TcpStream>()
}

/// Takes over the connection of an HTTP server.
pub(crate) fn take_stream(upgraded: Upgraded) -> Taken {
    let upgraded = match socket_of::<TcpStream>(upgraded) {
        Ok(socket) => return socket,
        Err(upgraded) => upgraded,
    };
    #[cfg(feature = "tls")]
    let upgraded = match socket_of::<TlsStream>(upgraded) {
        Ok(socket) => return socket,
        Err(upgraded) => upgraded,
    };
    #[cfg(unix)]
    let upgraded = match socket_of::<UnixStream>(upgraded) {
        Ok(socket) => return socket,
        Err(upgraded) => upgraded,
    };
    #[cfg(feature = "test-util")]
    let upgraded = match socket_of::<NetworkStream>(upgraded) {
        Ok(socket) => return socket,
        Err(upgraded) => upgraded,
    };
    let stream = Stream::Other(Box::new(TokioIo::new(upgraded)));
    Taken { stream, received: Vec::new(), held: Vec::new() }
}

/// A connection that a session can use without any wrapper around it.
trait Usable: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn with(self, permit: Option<Permit>) -> Stream;
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Into<RawSocket> + 'static> Usable for T {
    fn with(self, permit: Option<Permit>) -> Stream {
        Stream::Socket { socket: self.into(), _permit: permit }
    }
}

#[cfg(feature = "tls")]
impl Usable for TlsStream {
    fn with(self, permit: Option<Permit>) -> Stream {
        Stream::Tls { stream: self, _permit: permit }
    }
}

/// Takes over the connection if it is a `T`.
fn socket_of<T: Usable>(upgraded: Upgraded) -> Result<Taken, Upgraded> {
    // This crate's server also watches the socket.
    let upgraded = match downcast::<WatchedIo<T>>(upgraded) {
        Ok((watched, received)) => {
            let Unwatched { io, permit, held } = watched.into_parts();
            return Ok(Taken { stream: io.with(permit), received, held });
        }
        Err(upgraded) => upgraded,
    };
    let (socket, received) = downcast::<T>(upgraded)?;
    let stream = socket.with(None);
    if let Stream::Socket { socket: RawSocket::Tcp(socket), .. } = &stream {
        // Other servers leave Nagle's algorithm on, as axum's does. Then a heartbeat that follows a message waits for the
        // peer's delayed acknowledgement.
        let _ = socket.set_nodelay(true);
    }
    Ok(Taken { stream, received, held: Vec::new() })
}

/// The connection if it is a `T`, and what an HTTP server had read beyond the request.
fn downcast<T>(upgraded: Upgraded) -> Result<(T, Vec<u8>), Upgraded>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Servers that choose between HTTP/1.1 and HTTP/2, such as axum's, wrap the socket once more.
    #[cfg(feature = "http2")]
    let upgraded = match auto::upgrade::downcast::<TokioIo<T>>(upgraded) {
        Ok(parts) => return Ok((parts.io.into_inner(), parts.read_buf.to_vec())),
        Err(upgraded) => upgraded,
    };
    let parts = upgraded.downcast::<TokioIo<T>>()?;
    Ok((parts.io.into_inner(), parts.read_buf.to_vec()))
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;

    use http::{Request, Response, StatusCode};
    use hyper::body::Incoming;
    use hyper_util::rt::TokioExecutor;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::*;

    /// Upgrades a connection whose client sends a frame without waiting, and returns what the session gets of it.
    async fn upgraded(any_http: bool) -> Taken {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, mut receiver) = mpsc::channel(1);
        let client = tokio::spawn(async move {
            let mut client = TcpStream::connect(address).await.unwrap();
            let head = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nframe";
            client.write_all(head.as_bytes()).await.unwrap();
            let _ = client.read(&mut [0; 512]).await;
            client
        });
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let sender = sender.clone();
            tokio::spawn(async move { sender.send(hyper::upgrade::on(&mut request).await.unwrap()).await });
            let mut response = Response::new(String::new());
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            async move { Ok::<_, Infallible>(response) }
        });
        let io = TokioIo::new(listener.accept().await.unwrap().0);
        if any_http {
            auto::Builder::new(TokioExecutor::new())
                .serve_connection_with_upgrades(io, service)
                .await
                .unwrap();
        } else {
            let server = hyper::server::conn::http1::Builder::new();
            server.serve_connection(io, service).with_upgrades().await.unwrap();
        }
        drop(client.await);
        take_stream(receiver.recv().await.unwrap())
    }

    #[tokio::test]
    async fn the_socket_is_found_under_both_of_hypers_servers_with_what_was_read_of_it() {
        for any_http in [true, false] {
            let Taken { stream, received, held } = upgraded(any_http).await;
            let Stream::Socket { socket: RawSocket::Tcp(socket), .. } = stream else { panic!("no socket") };
            assert!(socket.nodelay().unwrap());
            assert_eq!(received, b"frame");
            assert_eq!(held, b"");
        }
    }
}
