//! Where a WebSocket's received bytes come from: from the runtime, or from the socket itself.

use core::task::{Context, Poll, ready};
use std::io;

use super::limits::{AT_ONCE, LARGE};
use super::stream::Stream;

/// How many bytes are read from a socket before the silence of its peer is judged. This is more than a kernel buffers, so
/// later bytes had not arrived in time.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The largest number of these reads. It suffices for as many bytes in large messages, which take two reads each.
const MAX_READS: usize = 2 * MAX_BYTES / LARGE;

/// Where received bytes come from.
pub(super) trait Source {
    /// Reads into `room`.
    fn read(&mut self, stream: &mut Stream, room: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Reads to the end of `bytes`, at most `at_most` bytes, for which there is room.
    fn read_onto(
        &mut self,
        stream: &mut Stream,
        bytes: &mut Vec<u8>,
        at_most: usize,
    ) -> Poll<io::Result<usize>>;
}

/// Reads what the runtime reports, up to [`AT_ONCE`] bytes.
pub(super) struct FromRuntime<'c, 'w> {
    cx: &'c mut Context<'w>,
    budget: usize,
    is_exhausted: bool,
}

impl<'c, 'w> FromRuntime<'c, 'w> {
    pub(super) fn new(cx: &'c mut Context<'w>) -> Self {
        Self { cx, budget: AT_ONCE, is_exhausted: false }
    }

    /// Returns whether reading stopped because the budget was used up.
    pub(super) fn is_exhausted(&self) -> bool {
        self.is_exhausted
    }

    /// Takes at most `room` bytes from the budget for `read`.
    fn within_budget(
        &mut self,
        room: usize,
        read: impl FnOnce(&mut Context<'_>, usize) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.budget == 0 {
            self.is_exhausted = true;
            return Poll::Pending;
        }
        let read = ready!(read(self.cx, room.min(self.budget)));
        self.budget = self.budget.saturating_sub(*read.as_ref().unwrap_or(&0));
        Poll::Ready(read)
    }
}

impl Source for FromRuntime<'_, '_> {
    fn read(&mut self, stream: &mut Stream, room: &mut [u8]) -> Poll<io::Result<usize>> {
        self.within_budget(room.len(), |cx, at_most| {
            stream.poll_read(cx, room.get_mut(..at_most).unwrap_or_default())
        })
    }

    fn read_onto(
        &mut self,
        stream: &mut Stream,
        bytes: &mut Vec<u8>,
        at_most: usize,
    ) -> Poll<io::Result<usize>> {
        self.within_budget(at_most, |cx, at_most| stream.poll_read_onto(cx, bytes, at_most))
    }
}

/// Reads from the socket itself, at most [`MAX_BYTES`] with at most [`MAX_READS`] reads.
pub(super) struct FromSocket {
    reads: usize,
    bytes: usize,
}

impl Default for FromSocket {
    fn default() -> Self {
        Self { reads: MAX_READS, bytes: MAX_BYTES }
    }
}

impl Source for FromSocket {
    fn read(&mut self, stream: &mut Stream, room: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.reads == 0 || self.bytes == 0 {
            return Poll::Pending;
        }
        let read = ready!(stream.read_now(room));
        self.reads -= 1;
        self.bytes = self.bytes.saturating_sub(*read.as_ref().unwrap_or(&0));
        Poll::Ready(read)
    }

    fn read_onto(
        &mut self,
        stream: &mut Stream,
        bytes: &mut Vec<u8>,
        at_most: usize,
    ) -> Poll<io::Result<usize>> {
        let before = bytes.len();
        bytes.resize(before + at_most, 0);
        let read = self.read(stream, bytes.get_mut(before..).unwrap_or_default());
        let len = if let Poll::Ready(Ok(len)) = read { len } else { 0 };
        bytes.truncate(before + len);
        read
    }
}
