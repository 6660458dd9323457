//! The client's halves of the stream: those of a tunnel, to a stream that does not survive a dropped future.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use eio_embassy::{Tunnel, TunnelReader, TunnelWriter};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};

use crate::fakes::{FarReader, FarWriter};

pub(crate) type Reader = TunnelReader<'static, ErrorKind>;
pub(crate) type Writer = TunnelWriter<'static, ErrorKind>;

/// The length of the tunnel: long frames need several records.
pub(crate) const LEN: usize = 100;

/// How many stories the storm tells.
pub(crate) const STORIES: u64 = 20;

/// The client's halves. They live as long as the test, as the client's buffers do.
pub(crate) fn halves(reader: FarReader, writer: FarWriter) -> (Reader, Writer) {
    let (_, reader, writer) = tunnel(reader, writer);
    (reader, writer)
}

/// The same, and the tunnel.
pub(crate) fn tunnel(
    reader: FarReader,
    writer: FarWriter,
) -> (&'static Tunnel<ErrorKind, LEN>, Reader, Writer) {
    tunnel_of(Strict(reader), writer)
}

/// The same, with another reader.
pub(crate) fn tunnel_of(
    reader: impl Read<Error = ErrorKind> + 'static,
    writer: FarWriter,
) -> (&'static Tunnel<ErrorKind, LEN>, Reader, Writer) {
    let tunnel: &Tunnel<_, LEN> = Box::leak(Box::new(Tunnel::new()));
    let reading = Box::leak(Box::new(tunnel.read_from(reader)));
    let writing = Box::leak(Box::new(tunnel.write_to(Records { stream: writer, record: Vec::new() })));
    // Nothing that is leaked moves.
    let (reading, writing) = (Pin::static_mut(reading), Pin::static_mut(writing));
    (tunnel, tunnel.reader(reading), tunnel.writer(writing))
}

/// A stream whose waiting futures must not be dropped.
struct Strict<S>(S);

/// Fails the test if it is dropped while it waits.
struct Whole<F> {
    future: F,
    waits: bool,
}

impl<F: Future + Unpin> Future for Whole<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let result = Pin::new(&mut self.future).poll(cx);
        self.waits = result.is_pending();
        result
    }
}

impl<F> Drop for Whole<F> {
    fn drop(&mut self) {
        assert!(!self.waits || std::thread::panicking(), "dropped while it waits");
    }
}

impl<S> ErrorType for Strict<S> {
    type Error = ErrorKind;
}

impl Read for Strict<FarReader> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        Whole { future: Box::pin(self.0.read(buf)), waits: false }.await
    }
}

/// A stream that sends nothing before it is flushed, like a TLS connection.
struct Records {
    stream: FarWriter,
    record: Vec<u8>,
}

impl ErrorType for Records {
    type Error = ErrorKind;
}

impl Write for Records {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        // A record may take only a part.
        let taken = buf.len().min(LEN - 1);
        self.record.extend(&buf[..taken]);
        Ok(taken)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        let (stream, record) = (&mut self.stream, &mut self.record);
        let write = async {
            while !record.is_empty() {
                let written = stream.write(record).await?;
                record.drain(..written);
            }
            Ok(())
        };
        Whole { future: Box::pin(write), waits: false }.await
    }
}
