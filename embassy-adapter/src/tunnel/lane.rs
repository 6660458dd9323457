//! One direction of a tunnel: a few bytes, which belong to the stream's future and to the client's half in turn.

use core::cell::{Cell, RefCell};
use core::future::{Future, pending, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll};

use embedded_io_async::{Read, Write};

use super::StreamEnd;

pub(super) struct Lane<E, B: ?Sized> {
    /// How the stream ended in this direction.
    end: Cell<Option<StreamEnd<E>>>,
    /// The range of bytes that the other side is still to take.
    from: Cell<usize>,
    to: Cell<usize>,
    /// Borrowed by the stream's future while it waits. So the client's half borrows it only while the range says that it
    /// is the client's turn.
    bytes: RefCell<B>,
}

impl<E, const N: usize> Lane<E, [u8; N]> {
    pub(super) const fn new() -> Self {
        const { assert!(N > 0, "a tunnel for no bytes") };
        Self { end: Cell::new(None), from: Cell::new(0), to: Cell::new(0), bytes: RefCell::new([0; N]) }
    }
}

#[expect(clippy::await_holding_refcell_ref, reason = "the client's half borrows only when it is its turn")]
impl<E: Copy, const N: usize> Lane<E, [u8; N]> {
    /// Reads bytes of the stream into the lane.
    pub(super) async fn fill(&self, stream: &mut impl Read<Error = E>) -> Result<usize, E> {
        match self.bytes.try_borrow_mut() {
            Ok(mut bytes) => stream.read(&mut *bytes).await,
            Err(_) => pending().await,
        }
    }

    /// Writes the lane's bytes to the stream, and flushes it. Returns false if the stream takes no more.
    pub(super) async fn drain(&self, stream: &mut impl Write<Error = E>) -> Result<bool, E> {
        let Ok(bytes) = self.bytes.try_borrow() else { return pending().await };
        loop {
            let rest = bytes.get(self.from.get()..self.to.get()).unwrap_or_default();
            if rest.is_empty() {
                stream.flush().await?;
                return Ok(true);
            }
            match stream.write(rest).await? {
                0 => return Ok(false),
                written => self.from.set(self.from.get().saturating_add(written)),
            }
        }
    }
}

impl<E: Copy, B: ?Sized> Lane<E, B> {
    pub(super) fn end(&self) -> Option<StreamEnd<E>> {
        self.end.get()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.to.get() == 0
    }

    pub(super) fn set(&self, from: usize, to: usize) {
        self.from.set(from);
        self.to.set(to);
    }

    /// Waits for a change that the client's half makes, and which therefore needs no waker: the half polls next.
    pub(super) async fn until(&self, done: impl Fn(&Self) -> bool) {
        poll_fn(|_| if done(self) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Polls the stream's future, unless the stream has ended.
    pub(super) fn poll(
        &self,
        stream: &mut Pin<&mut (dyn Future<Output = StreamEnd<E>> + '_)>,
        cx: &mut Context<'_>,
    ) -> Option<StreamEnd<E>> {
        if self.end.get().is_none()
            && let Poll::Ready(end) = stream.as_mut().poll(cx)
        {
            self.end.set(Some(end));
        }
        self.end.get()
    }
}

impl<E: Copy> Lane<E, [u8]> {
    /// Moves bytes that were read to the client.
    pub(super) fn take(&self, to: &mut [u8]) -> usize {
        let Ok(bytes) = self.bytes.try_borrow() else { return 0 };
        let rest = bytes.get(self.from.get()..self.to.get()).unwrap_or_default();
        let mut taken = 0_usize;
        for (slot, byte) in to.iter_mut().zip(rest) {
            *slot = *byte;
            taken = taken.saturating_add(1);
        }
        let from = self.from.get().saturating_add(taken);
        if from == self.to.get() {
            self.set(0, 0);
        } else {
            self.from.set(from);
        }
        taken
    }

    /// Moves the client's bytes into the lane.
    pub(super) fn put(&self, from: &[u8]) -> usize {
        let Ok(mut bytes) = self.bytes.try_borrow_mut() else { return 0 };
        let mut taken = 0_usize;
        for (slot, byte) in bytes.iter_mut().zip(from) {
            *slot = *byte;
            taken = taken.saturating_add(1);
        }
        self.set(0, taken);
        taken
    }
}
