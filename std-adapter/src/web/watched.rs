//! Wrappers of a connection and of an answer's body, which report their activity.

use core::mem::MaybeUninit;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::carrier::gate::Permit;
use crate::web::activity::{Activity, Answering};

/// The largest number of bytes that are read at once to find out how a connection begins. Most heads are shorter.
const AHEAD: usize = 2048;

/// A connection that reports to its [`Activity`] when bytes arrive and whether the peer takes bytes.
#[derive(Debug)]
pub(crate) struct WatchedIo<I> {
    io: I,
    activity: Arc<Activity>,
    permit: Option<Permit>,
    /// Bytes that have been read to find out how the connection begins.
    ahead: Vec<u8>,
    /// The answer that was held back, because a session will write it together with its first packet.
    held: Vec<u8>,
}

/// What remains of a connection that is no longer watched.
pub(crate) struct Unwatched<I> {
    pub(crate) io: I,
    pub(crate) permit: Option<Permit>,
    /// The answer that has not been written.
    pub(crate) held: Vec<u8>,
}

impl<I> WatchedIo<I> {
    pub(crate) fn new(io: I, activity: Arc<Activity>, permit: Option<Permit>) -> Self {
        Self { io, activity, permit, ahead: Vec::new(), held: Vec::new() }
    }

    /// Returns the connection beneath.
    #[cfg(feature = "tls")]
    pub(crate) fn get_ref(&self) -> &I {
        &self.io
    }

    /// Returns the connection itself, which is no longer watched.
    pub(crate) fn into_parts(self) -> Unwatched<I> {
        Unwatched { io: self.io, permit: self.permit, held: self.held }
    }

    /// Takes bytes to write if they are to be held back.
    fn hold_back(&mut self, bufs: &[IoSlice<'_>]) -> Option<usize> {
        if !self.activity.holds_back() {
            return None;
        }
        for buf in bufs {
            self.held.extend_from_slice(buf);
        }
        Some(bufs.iter().map(|buf| buf.len()).sum())
    }
}

impl<I: AsyncRead + Unpin> WatchedIo<I> {
    /// Returns whether the connection begins with `preface`, as soon as the bytes that have arrived show it. Later reads
    /// return these bytes.
    pub(crate) fn poll_begins_with(
        &mut self,
        cx: &mut Context<'_>,
        preface: &[u8],
    ) -> Poll<io::Result<bool>> {
        loop {
            if self.ahead.starts_with(preface) {
                return Poll::Ready(Ok(true));
            }
            if !preface.starts_with(&self.ahead) {
                return Poll::Ready(Ok(false));
            }
            let mut room = [MaybeUninit::uninit(); AHEAD];
            let mut buf = ReadBuf::uninit(&mut room);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf))?;
            if buf.filled().is_empty() {
                return Poll::Ready(Ok(false));
            }
            self.activity.received();
            self.ahead.extend_from_slice(buf.filled());
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for WatchedIo<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let taken = self.ahead.len().min(buf.remaining());
            buf.put_slice(self.ahead.get(..taken).unwrap_or_default());
            self.ahead.drain(..taken);
            if self.ahead.is_empty() {
                self.ahead = Vec::new();
            }
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.activity.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for WatchedIo<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(held) = self.hold_back(&[IoSlice::new(buf)]) {
            return Poll::Ready(Ok(held));
        }
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.activity.wrote(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(held) = self.hold_back(bufs) {
            return Poll::Ready(Ok(held));
        }
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.activity.wrote(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// The body of an answer. It reports the requests for its pieces, and [each piece](WatchedPiece) that it was written.
pub(crate) struct WatchedBody<B> {
    /// `None` is an empty body.
    body: Option<B>,
    answering: Answering,
}

impl<B> WatchedBody<B> {
    pub(crate) fn new(body: Option<B>, activity: &Arc<Activity>) -> Self {
        Self { body, answering: Answering::begin(activity) }
    }
}

impl<B: Body + Unpin> Body for WatchedBody<B> {
    type Data = WatchedPiece<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        let watched = |data| WatchedPiece { data, _answering: self.answering.next_piece() };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(watched))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// A piece of an answer. It is dropped once it has been written: an HTTP/2 connection keeps it until the client's window lets
/// all of it through.
pub(crate) struct WatchedPiece<D> {
    data: D,
    _answering: Answering,
}

impl<D: Buf> Buf for WatchedPiece<D> {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn chunks_vectored<'a>(&'a self, pieces: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(pieces)
    }

    fn advance(&mut self, count: usize) {
        self.data.advance(count);
    }
}

#[cfg(test)]
mod tests {
    use core::future::poll_fn;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;
    use crate::wire::clock::Clock;

    fn watched() -> (WatchedIo<DuplexStream>, Arc<Activity>, DuplexStream) {
        let (io, peer) = tokio::io::duplex(1024);
        let activity = Activity::begin(Clock::start());
        (WatchedIo::new(io, Arc::clone(&activity), None), activity, peer)
    }

    #[tokio::test]
    async fn the_bytes_that_show_how_a_connection_begins_are_read_again() {
        for (sent, begins_so) in
            [("PRI * HTTP/2.0 and more", true), ("GET / HTTP/1.1", false), ("PRI", false)]
        {
            let (mut io, activity, mut peer) = watched();
            for byte in sent.as_bytes() {
                peer.write_all(&[*byte]).await.unwrap();
            }
            drop(peer);
            assert_eq!(poll_fn(|cx| io.poll_begins_with(cx, b"PRI * HTTP/2.0")).await.unwrap(), begins_so);
            assert!(activity.awaits_head());
            let mut read = String::new();
            io.read_to_string(&mut read).await.unwrap();
            assert_eq!(read, sent);
        }
    }

    #[tokio::test]
    async fn only_the_answer_that_opens_a_session_is_held_back() {
        let (mut io, activity, mut peer) = watched();
        activity.hold_back_opening();
        io.write_all(b"an answer").await.unwrap();
        assert_eq!(peer.read(&mut [0; 64]).await.unwrap(), "an answer".len());
        activity.opens_websocket();
        activity.hold_back_opening();
        io.write_all(b"101").await.unwrap();
        io.flush().await.unwrap();
        let Unwatched { io, held, .. } = io.into_parts();
        assert_eq!(held, b"101");
        drop(io);
        assert_eq!(peer.read(&mut [0; 64]).await.unwrap(), 0);
    }
}
