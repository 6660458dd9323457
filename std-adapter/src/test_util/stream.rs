//! One end of a connection, as a stream of bytes.

use core::fmt;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::test_util::connection::{Connection, Leave, Progress, Side};

/// One end of a connection over a [`Link`](crate::test_util::Link). [`Link::connect`](crate::test_util::Link::connect)
/// returns the client's, and a [`NetworkListener`](crate::test_util::NetworkListener) the server's.
///
/// It behaves like the socket of a TCP connection. A dropped stream closes the connection: the other end reads what was
/// sent, and then the end. If the dropped stream has not read everything that had arrived, or if the other end sends
/// more, the other end gets [`ConnectionReset`](io::ErrorKind::ConnectionReset).
pub struct NetworkStream {
    connection: Arc<Connection>,
    side: Side,
    leaves_with_reset: AtomicBool,
    read_timer: Timer,
    write_timer: Timer,
}

/// Fires when the next segment arrives. Without a delay there is never one.
#[derive(Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl NetworkStream {
    /// The client's and the server's end of a connection.
    pub(super) fn pair(connection: &Arc<Connection>) -> [Self; 2] {
        [Side::Client, Side::Server].map(|side| Self {
            connection: Arc::clone(connection),
            side,
            leaves_with_reset: AtomicBool::new(false),
            read_timer: Timer::default(),
            write_timer: Timer::default(),
        })
    }

    /// Reads what has arrived, whether a task has been woken for it or not. Returns
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing has.
    pub(crate) fn try_read(&self, room: &mut [u8]) -> io::Result<usize> {
        match self.connection.read(self.side, room, None) {
            Progress::Made(len) => Ok(len),
            Progress::Failed(kind) => Err(kind.into()),
            Progress::Wait(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Lets the connection be reset when this end is dropped.
    pub(crate) fn leave_with_reset(&self) {
        self.leaves_with_reset.store(true, Ordering::Relaxed);
    }
}

impl Timer {
    /// Ready at this time. Without one, never.
    fn poll(&mut self, at: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = at else {
            self.0 = None;
            return Poll::Pending;
        };
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }
}

/// Runs one step of a read or a write until it makes progress. It takes its share of the runtime, as sockets do.
fn poll_progress(
    cx: &mut Context<'_>,
    timer: &mut Timer,
    mut step: impl FnMut(&Context<'_>) -> Progress,
) -> Poll<io::Result<usize>> {
    let share = ready!(coop::poll_proceed(cx));
    loop {
        let result = match step(cx) {
            Progress::Made(len) => Ok(len),
            Progress::Failed(kind) => Err(kind.into()),
            Progress::Wait(at) => {
                ready!(timer.poll(at, cx));
                continue;
            }
        };
        share.made_progress();
        return Poll::Ready(result);
    }
}

impl AsyncRead for NetworkStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { connection, side, read_timer, .. } = self.get_mut();
        let room = buf.initialize_unfilled();
        let read = poll_progress(cx, read_timer, |cx| connection.read(*side, room, Some(cx.waker())));
        buf.advance(ready!(read)?);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for NetworkStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { connection, side, write_timer, .. } = self.get_mut();
        poll_progress(cx, write_timer, |cx| connection.write(*side, bufs, cx.waker()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.shut_down(self.side);
        Poll::Ready(Ok(()))
    }
}

impl Drop for NetworkStream {
    fn drop(&mut self) {
        let resets = self.leaves_with_reset.load(Ordering::Relaxed);
        self.connection.leave(self.side, if resets { Leave::WithReset } else { Leave::InOrder });
    }
}

impl fmt::Debug for NetworkStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkStream").field("side", &self.side).finish_non_exhaustive()
    }
}
