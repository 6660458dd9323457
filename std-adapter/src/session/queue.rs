//! A queue that owns no memory while it is empty. The memory of queues that have emptied is kept for the next ones of the
//! same thread, so a session that sends and receives does not allocate for each message.

use core::cell::RefCell;
use std::collections::VecDeque;
use std::thread::LocalKey;

use crate::wire::message::Message;
use crate::wire::outgoing::Outgoing;

/// How many spare buffers of each kind a thread keeps. One session uses two at a time.
const SPARES: usize = 4;

/// The largest capacity that a spare buffer may have, in elements. It is the default limit of inbox and outbox.
const SPARE_CAPACITY: usize = 256;

type Buffer<T> = Box<VecDeque<T>>;
type Spares<T> = LocalKey<RefCell<Vec<Buffer<T>>>>;

/// What a [`Queue`] may hold.
pub(crate) trait Queued: Sized + 'static {
    /// The spare buffers of the thread.
    fn spares() -> &'static Spares<Self>;
}

macro_rules! queued {
    ($element:ty) => {
        impl Queued for $element {
            fn spares() -> &'static Spares<Self> {
                thread_local! {
                    static SPARES: RefCell<Vec<Buffer<$element>>> = const { RefCell::new(Vec::new()) };
                }
                &SPARES
            }
        }
    };
}

queued!(Message);
queued!(Outgoing);

/// A first-in, first-out queue of one pointer's size.
#[derive(Debug)]
pub(crate) struct Queue<T: Queued>(Option<Buffer<T>>);

impl<T: Queued> Queue<T> {
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |buffer| buffer.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.0.as_ref()?.get(index)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.as_ref().map(|buffer| buffer.iter()).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn push_back(&mut self, element: T) {
        self.buffer().push_back(element);
    }

    pub(crate) fn push_front(&mut self, element: T) {
        self.buffer().push_front(element);
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let buffer = self.0.as_mut()?;
        let element = buffer.pop_front();
        if buffer.is_empty() {
            self.recycle();
        }
        element
    }

    /// Moves all elements of `other` to the end of this queue.
    pub(crate) fn append(&mut self, other: &mut Self) {
        match (&mut self.0, &mut other.0) {
            (None, _) => core::mem::swap(self, other),
            (Some(_), None) => {}
            (Some(buffer), Some(more)) => {
                buffer.append(more);
                other.recycle();
            }
        }
    }

    /// Takes the first elements, at most `at_most`.
    pub(crate) fn take_first(&mut self, at_most: usize) -> Self {
        match &mut self.0 {
            Some(buffer) if at_most < buffer.len() => {
                buffer.drain(..at_most).fold(Self::default(), |mut taken, element| {
                    taken.push_back(element);
                    taken
                })
            }
            _ => core::mem::take(self),
        }
    }

    #[inline]
    fn buffer(&mut self) -> &mut VecDeque<T> {
        self.0.get_or_insert_with(Self::spare)
    }

    /// Returns a buffer that another queue has left, or a new one.
    #[inline(never)]
    #[expect(clippy::unnecessary_box_returns, reason = "the box is what is used again")]
    fn spare() -> Buffer<T> {
        let spare = T::spares().try_with(|spares| spares.borrow_mut().pop());
        spare.ok().flatten().unwrap_or_default()
    }

    /// Keeps the memory of a queue that has become empty for other queues.
    fn recycle(&mut self) {
        if let Some(buffer) = self.0.take().filter(|buffer| buffer.capacity() <= SPARE_CAPACITY) {
            // A thread that ends keeps nothing.
            let _ = T::spares().try_with(|spares| {
                let mut spares = spares.borrow_mut();
                if spares.len() < SPARES {
                    spares.push(buffer);
                }
            });
        }
    }
}

impl<T: Queued> Drop for Queue<T> {
    fn drop(&mut self) {
        if let Some(buffer) = &mut self.0 {
            buffer.clear();
            self.recycle();
        }
    }
}

impl<T: Queued> Default for Queue<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Queued> IntoIterator for Queue<T> {
    type Item = T;
    type IntoIter = core::iter::Flatten<core::option::IntoIter<VecDeque<T>>>;

    fn into_iter(mut self) -> Self::IntoIter {
        self.0.take().map(|buffer| *buffer).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_elements_are_taken_and_an_empty_queue_owns_nothing() {
        for (at_most, taken, left) in
            [(0, &[][..], &[1, 2, 3][..]), (2, &[1, 2], &[3]), (3, &[1, 2, 3], &[]), (4, &[1, 2, 3], &[])]
        {
            let mut queue = Queue::default();
            (1..=3).for_each(|len| queue.push_back(Message::binary(vec![0; len])));
            let lens = |queue: &Queue<Message>| queue.iter().map(Message::len).collect::<Vec<_>>();
            let first = queue.take_first(at_most);
            assert_eq!((&lens(&first)[..], &lens(&queue)[..]), (taken, left));
            assert_eq!((first.is_empty(), queue.is_empty()), (taken.is_empty(), left.is_empty()));
        }
    }
}
