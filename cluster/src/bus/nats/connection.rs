//! Bytes to and from a server.

use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWrite as _};
use tokio::time;

use crate::bus::nats::codec::{Decoder, Said};
use crate::bus::server::{Broken, Stream};

/// A connection, with what waits to be written.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    decoder: Decoder,
    pub(super) out: BytesMut,
    is_flushed: bool,
    /// When bytes came last, if nobody has taken note of it.
    pub(super) heard_at: Option<time::Instant>,
}

/// When this many bytes wait, no more commands are taken. A message goes on top of it.
const ENOUGH: usize = 256 * 1024;

impl Connection {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, decoder: Decoder::default(), out: BytesMut::new(), is_flushed: true, heard_at: None }
    }

    pub(super) fn has_room(&self) -> bool {
        self.out.len() < ENOUGH
    }

    /// Writes what waits, and returns what the server says, or `None` when there is room again.
    ///
    /// # Cancel safety
    /// This method is cancel safe.
    pub(super) async fn next(&mut self) -> Result<Option<Said>, Broken> {
        core::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Said>, Broken>> {
        let had_room = self.has_room();
        if let Poll::Ready(Err(broken)) = self.poll_write(cx) {
            return Poll::Ready(Err(broken));
        }
        if !had_room && self.has_room() {
            return Poll::Ready(Ok(None));
        }
        loop {
            if let Some(said) = self.decode()? {
                return Poll::Ready(Ok(Some(said)));
            }
            let read = pin!(self.stream.read_buf(self.decoder.space())).poll(cx);
            if ready!(read)? == 0 {
                return Poll::Ready(Err(Broken::new("the server has closed the connection")));
            }
            self.heard_at = Some(time::Instant::now());
        }
    }

    /// Returns what the server says, if it is there already.
    pub(super) fn decode(&mut self) -> Result<Option<Said>, Broken> {
        self.decoder
            .decode()
            .map_err(|error| Broken::new(format_args!("the server does not speak NATS: {error}")))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        while !self.out.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out))?;
            if written == 0 {
                return Poll::Ready(Err(Broken::new("the connection takes nothing more")));
            }
            self.out.advance(written);
            self.is_flushed = false;
        }
        if !self.is_flushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.is_flushed = true;
        }
        Poll::Ready(Ok(()))
    }
}
