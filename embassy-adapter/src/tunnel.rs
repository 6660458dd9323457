//! Halves that may be dropped, over a stream whose own futures must not be.
//!
//! A TLS connection cannot continue if a future that reads or writes a record is dropped halfway. A [`Client`](crate::Client)
//! drops its reads and writes all the time. Between the two stands a [`Tunnel`]: two futures own the stream's halves and
//! are kept for as long as the connection lives, and the client's halves poll them and exchange bytes with them.

mod halves;
mod lane;

pub use self::halves::{TunnelReader, TunnelWriter};

use core::fmt;
use core::future::Future;
use core::pin::Pin;

use embedded_io_async::{Read, Write};

use self::lane::Lane;

/// Carries the bytes of one connection, at most `N` in each direction at a time. `E` is the error of the stream.
///
/// [`read_from`](Self::read_from) and [`write_to`](Self::write_to) return the two futures that own the stream's halves.
/// Pin them beside the client. [`reader`](Self::reader) and [`writer`](Self::writer) return the client's halves, which
/// poll them: no other code may. So the stream moves only while the application awaits the client, as without a tunnel,
/// and needs no task of its own. Dropping a read or a write of the client drops nothing of the stream.
///
/// ```
/// use core::pin::pin;
/// use eio_embassy::{Buffers, Client, ClientSettings, Endpoint, Tunnel};
/// # use embedded_io_async::{Read, Write};
///
/// # async fn example<E: embedded_io_async::Error + Copy>(
/// #     tls_reader: impl Read<Error = E>,
/// #     tls_writer: impl Write<Error = E>,
/// #     buffers: Buffers<'_>,
/// #     random: &mut dyn FnMut() -> u32,
/// # ) -> Result<(), eio_embassy::ConnectError> {
/// let tunnel = Tunnel::<_, 128>::new();
/// let mut reading = pin!(tunnel.read_from(tls_reader));
/// let mut writing = pin!(tunnel.write_to(tls_writer));
/// let (reader, writer) = (tunnel.reader(reading.as_mut()), tunnel.writer(writing.as_mut()));
/// let mut client = Client::new(reader, writer, buffers, random, &ClientSettings::DEFAULT)?;
/// client.connect(&Endpoint::socketio("board.example")).await?;
/// // `socketio::Socket::join(&mut client, ..)`, `recv`, `send`, `close`: as over any stream.
/// client.close().await;
/// if tunnel.is_idle() {
///     // No record is half written, so the stream can be closed in order.
/// }
/// # Ok(())
/// # }
/// ```
///
/// Each write of up to `N` bytes is followed by a `flush`, which makes a record of it. A shorter tunnel costs less RAM and
/// more records; TLS adds 22 bytes to each. The `flush` must not wait for the peer. That of a TCP socket of embassy-net
/// does, so a TLS connection over such a socket must not pass it on.
pub struct Tunnel<E, const N: usize> {
    inward: Lane<E, [u8; N]>,
    outward: Lane<E, [u8; N]>,
}

/// How a stream ended in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEnd<E> {
    /// The stream is at its end, or takes no more bytes.
    Closed,
    /// The stream failed.
    Failed(E),
}

impl<E: Copy, const N: usize> Tunnel<E, N> {
    /// Creates the tunnel of one connection.
    #[must_use]
    pub const fn new() -> Self {
        Self { inward: Lane::new(), outward: Lane::new() }
    }

    /// Returns the future that reads from the stream. It returns how the stream ended.
    ///
    /// Call it once for each tunnel.
    pub async fn read_from(&self, mut stream: impl Read<Error = E>) -> StreamEnd<E> {
        let lane = &self.inward;
        loop {
            match lane.fill(&mut stream).await {
                Ok(0) => return StreamEnd::Closed,
                Ok(len) => lane.set(0, len),
                Err(error) => return StreamEnd::Failed(error),
            }
            lane.until(Lane::is_empty).await;
        }
    }

    /// Returns the future that writes to the stream and flushes it. It returns how the stream ended.
    ///
    /// Call it once for each tunnel.
    pub async fn write_to(&self, mut stream: impl Write<Error = E>) -> StreamEnd<E> {
        let lane = &self.outward;
        loop {
            lane.until(|lane| !lane.is_empty()).await;
            match lane.drain(&mut stream).await {
                Ok(true) => lane.set(0, 0),
                Ok(false) => return StreamEnd::Closed,
                Err(error) => return StreamEnd::Failed(error),
            }
        }
    }

    /// Returns the half from which a client reads. `reading` is the future that [`read_from`](Self::read_from) returned.
    pub fn reader<'t>(
        &'t self,
        reading: Pin<&'t mut (dyn Future<Output = StreamEnd<E>> + 't)>,
    ) -> TunnelReader<'t, E> {
        TunnelReader::new(&self.inward, reading)
    }

    /// Returns the half to which a client writes. `writing` is the future that [`write_to`](Self::write_to) returned.
    pub fn writer<'t>(
        &'t self,
        writing: Pin<&'t mut (dyn Future<Output = StreamEnd<E>> + 't)>,
    ) -> TunnelWriter<'t, E> {
        TunnelWriter::new(&self.outward, writing)
    }

    /// Returns whether the stream still works for writing and has written all it was given.
    ///
    /// Otherwise a record may be half written. Then nothing more may be written, not even a `close_notify`: it would be
    /// encrypted with the nonce of that record, which gives the key away. Reset the connection instead.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.outward.is_empty() && self.outward.end().is_none()
    }

    /// Returns how the stream ended, or `None` if it has not. A failure comes before an end.
    #[must_use]
    pub fn end(&self) -> Option<StreamEnd<E>> {
        match (self.inward.end(), self.outward.end()) {
            (Some(StreamEnd::Failed(error)), _) | (_, Some(StreamEnd::Failed(error))) => {
                Some(StreamEnd::Failed(error))
            }
            (inward, outward) => inward.or(outward),
        }
    }
}

impl<E: Copy, const N: usize> Default for Tunnel<E, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Copy + fmt::Debug, const N: usize> fmt::Debug for Tunnel<E, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").field("end", &self.end()).finish_non_exhaustive()
    }
}
