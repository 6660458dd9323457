//! TLS between a WebSocket and its socket.

#[cfg(feature = "server")]
mod hello;
#[cfg(feature = "server")]
pub(crate) mod places;
#[cfg(feature = "server")]
pub(crate) mod stream;
#[cfg(test)]
pub(crate) mod test_configs;

use core::task::Poll;
use std::io::{self, Read};

use rustls::{ConnectionCommon, SideData};

/// The largest number of reads from the socket that bring no data, such as those of tickets and of incomplete records.
const MAX_READS: usize = 1024;

/// Reads what has arrived, decrypted, past the readiness that the runtime has cached. Returns `Pending` if no data has
/// arrived.
pub(crate) fn read_now<S: SideData>(
    connection: &mut ConnectionCommon<S>,
    mut socket: impl Read,
    room: &mut [u8],
) -> Poll<io::Result<usize>> {
    for _ in 0..MAX_READS {
        match connection.reader().read(room) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
        match connection.read_tls(&mut socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(error) => return Poll::Ready(Err(error)),
            Ok(_) => {
                if let Err(error) = connection.process_new_packets() {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
                }
            }
        }
    }
    Poll::Pending
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConnection, ServerConnection, StreamOwned};
    use socket2::Socket;

    use super::test_configs::configs;
    use super::*;

    type Client = StreamOwned<ClientConnection, std::net::TcpStream>;

    /// Opens a TLS connection without any runtime. Returns both ends, and the server's socket.
    fn connected() -> (Client, ServerConnection, Socket) {
        let (server, client) = configs();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = std::thread::spawn(move || {
            let name = ServerName::try_from("localhost").unwrap();
            let connection = ClientConnection::new(client, name).unwrap();
            let mut client = StreamOwned::new(connection, std::net::TcpStream::connect(address).unwrap());
            client.write_all(b"hello").unwrap();
            client
        });
        let mut socket = listener.accept().unwrap().0;
        let mut server = ServerConnection::new(server).unwrap();
        while server.is_handshaking() {
            server.complete_io(&mut socket).unwrap();
        }
        socket.set_nonblocking(true).unwrap();
        (client.join().unwrap(), server, socket.into())
    }

    /// Reads until something has arrived: the kernel needs a moment.
    fn next(server: &mut ServerConnection, socket: &Socket, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match read_now(server, socket, room) {
                Poll::Ready(read) => return read,
                Poll::Pending => std::thread::yield_now(),
            }
        }
    }

    #[test]
    fn what_has_arrived_beneath_tls_is_read_without_a_runtime() {
        let (mut client, mut server, socket) = connected();
        let mut room = [0; 64];
        assert_eq!(next(&mut server, &socket, &mut room).unwrap(), 5);
        assert_eq!(&room[..5], b"hello");
        assert!(read_now(&mut server, &socket, &mut room).is_pending());
        client.write_all(&[7; 100]).unwrap();
        // Data that does not fit stays.
        assert_eq!(next(&mut server, &socket, &mut room).unwrap(), 64);
        assert_eq!(next(&mut server, &socket, &mut room).unwrap(), 36);
        assert!(read_now(&mut server, &socket, &mut room).is_pending());
    }

    #[test]
    fn ends_and_broken_records_beneath_tls_are_told_apart() {
        let mut room = [0; 64];
        let (mut client, mut server, socket) = connected();
        assert_eq!(next(&mut server, &socket, &mut room).unwrap(), 5);
        client.conn.send_close_notify();
        client.flush().unwrap();
        assert_eq!(next(&mut server, &socket, &mut room).unwrap(), 0);

        let (client, mut server, socket) = connected();
        assert_eq!(next(&mut server, &socket, &mut room).unwrap(), 5);
        // Dropped, it would reset the connection: it has not read its tickets.
        client.sock.shutdown(std::net::Shutdown::Write).unwrap();
        let error = next(&mut server, &socket, &mut room).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);

        let (mut client, mut server, socket) = connected();
        assert_eq!(next(&mut server, &socket, &mut room).unwrap(), 5);
        client.sock.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let error = next(&mut server, &socket, &mut room).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
