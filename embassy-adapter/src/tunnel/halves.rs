//! The client's halves of a tunnel.

use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::Poll;

use embedded_io_async::{Error, ErrorType, Read, Write};

use super::StreamEnd;
use super::lane::Lane;

/// The half of a [`Tunnel`](super::Tunnel) from which a client reads. Its futures may be dropped.
pub struct TunnelReader<'t, E> {
    lane: &'t Lane<E, [u8]>,
    stream: Pin<&'t mut (dyn Future<Output = StreamEnd<E>> + 't)>,
}

impl<'t, E> TunnelReader<'t, E> {
    pub(super) const fn new(
        lane: &'t Lane<E, [u8]>,
        stream: Pin<&'t mut (dyn Future<Output = StreamEnd<E>> + 't)>,
    ) -> Self {
        Self { lane, stream }
    }
}

impl<E: Error + Copy> ErrorType for TunnelReader<'_, E> {
    type Error = E;
}

impl<E: Error + Copy> Read for TunnelReader<'_, E> {
    async fn read(&mut self, to: &mut [u8]) -> Result<usize, E> {
        let Self { lane, stream } = self;
        poll_fn(|cx| {
            if lane.is_empty() && !to.is_empty() {
                // What was read before the end comes before it.
                match lane.poll(stream, cx) {
                    Some(StreamEnd::Closed) => return Poll::Ready(Ok(0)),
                    Some(StreamEnd::Failed(error)) => return Poll::Ready(Err(error)),
                    None if lane.is_empty() => return Poll::Pending,
                    None => {}
                }
            }
            Poll::Ready(Ok(lane.take(to)))
        })
        .await
    }
}

/// The half of a [`Tunnel`](super::Tunnel) to which a client writes. Its futures may be dropped.
///
/// A write returns when the stream has taken the bytes. After a write that was dropped, write the same bytes again: the
/// next call continues where it stopped.
pub struct TunnelWriter<'t, E> {
    lane: &'t Lane<E, [u8]>,
    stream: Pin<&'t mut (dyn Future<Output = StreamEnd<E>> + 't)>,
    /// How many bytes of the current write are in the lane.
    taken: usize,
}

impl<'t, E> TunnelWriter<'t, E> {
    pub(super) const fn new(
        lane: &'t Lane<E, [u8]>,
        stream: Pin<&'t mut (dyn Future<Output = StreamEnd<E>> + 't)>,
    ) -> Self {
        Self { lane, stream, taken: 0 }
    }
}

impl<E: Error + Copy> ErrorType for TunnelWriter<'_, E> {
    type Error = E;
}

impl<E: Error + Copy> Write for TunnelWriter<'_, E> {
    async fn write(&mut self, from: &[u8]) -> Result<usize, E> {
        let Self { lane, stream, taken } = self;
        poll_fn(|cx| {
            if *taken == 0 && lane.end().is_none() {
                *taken = lane.put(from);
            }
            match lane.poll(stream, cx) {
                Some(StreamEnd::Closed) => Poll::Ready(Ok(0)),
                Some(StreamEnd::Failed(error)) => Poll::Ready(Err(error)),
                None if lane.is_empty() => Poll::Ready(Ok(core::mem::take(taken))),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Does nothing: every write has been flushed when it returns.
    async fn flush(&mut self) -> Result<(), E> {
        Ok(())
    }
}

impl<E> fmt::Debug for TunnelReader<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelReader").finish_non_exhaustive()
    }
}

impl<E> fmt::Debug for TunnelWriter<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelWriter").field("taken", &self.taken).finish_non_exhaustive()
    }
}
