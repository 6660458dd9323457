//! The halves of a connection, as embedded-tls takes them and as a tunnel takes them.

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embedded_io_async::{Error as _, ErrorKind, ErrorType, Read, Write};
use embedded_tls::TlsError;

use super::Fault;

/// The two halves of one connection, for a TLS connection that is split later. Its reader uses only one half and its
/// writer only the other, so neither waits for a lock.
pub(super) struct Halves<'h, R, W> {
    pub(super) reader: &'h Mutex<NoopRawMutex, R>,
    pub(super) writer: &'h Mutex<NoopRawMutex, W>,
}

impl<R, W> Clone for Halves<'_, R, W> {
    fn clone(&self) -> Self {
        Self { reader: self.reader, writer: self.writer }
    }
}

impl<R: Read, W: Write> ErrorType for Halves<'_, R, W> {
    type Error = ErrorKind;
}

impl<R: Read, W: Write> Read for Halves<'_, R, W> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.reader.lock().await.read(buf).await.map_err(|error| error.kind())
    }
}

impl<R: Read, W: Write> Write for Halves<'_, R, W> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        match self.writer.lock().await.write(buf).await {
            // `write_all`, which embedded-tls calls, would panic.
            Ok(0) if !buf.is_empty() => Err(ErrorKind::WriteZero),
            Ok(written) => Ok(written),
            Err(error) => Err(error.kind()),
        }
    }

    /// Does nothing. A TCP socket's `flush` waits until the peer has acknowledged everything, which never happens on a
    /// cut link.
    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// A half of an open TLS connection, with the errors of this crate.
pub(super) struct Open<S>(pub(super) S);

impl<S> ErrorType for Open<S> {
    type Error = Fault;
}

impl<R: Read<Error = TlsError>> Read for Open<R> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Fault> {
        match self.0.read(buf).await {
            // The server's `close_notify`, or the end of the stream without one: a session that ends so has ended in
            // either case, and a message that is cut off is never delivered.
            Err(TlsError::ConnectionClosed | TlsError::IoError) => Ok(0),
            read => read.map_err(Fault::from),
        }
    }
}

impl<W: Write<Error = TlsError>> Write for Open<W> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Fault> {
        self.0.write(buf).await.map_err(Fault::from)
    }

    async fn flush(&mut self) -> Result<(), Fault> {
        self.0.flush().await.map_err(Fault::from)
    }
}
