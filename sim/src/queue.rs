//! A queue whose first entry needs no memory of its own: most sessions have at most one segment under way.

use std::collections::VecDeque;

/// The largest capacity that an empty queue keeps.
const KEPT: usize = 16;

#[derive(Clone, Debug)]
pub(crate) struct Queue<T> {
    first: Option<T>,
    rest: VecDeque<T>,
}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self { first: None, rest: VecDeque::new() }
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    pub(crate) fn push_back(&mut self, entry: T) {
        if self.first.is_none() {
            self.first = Some(entry);
        } else {
            self.rest.push_back(entry);
        }
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let first = self.first.take();
        self.first = self.rest.pop_front();
        if self.first.is_none() && self.rest.capacity() > KEPT {
            self.rest = VecDeque::new();
        }
        first
    }

    /// Drops what stands behind the first `len` entries.
    pub(crate) fn truncate(&mut self, len: usize) {
        match len.checked_sub(1) {
            None => *self = Self::new(),
            Some(rest) => self.rest.truncate(rest),
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        match index.checked_sub(1) {
            None => self.first.as_ref(),
            Some(index) => self.rest.get(index),
        }
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        match index.checked_sub(1) {
            None => self.first.as_mut(),
            Some(index) => self.rest.get_mut(index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_in_order() {
        let mut queue = Queue::new();
        for round in 0..5 {
            for entry in 0..40 {
                queue.push_back(entry + round);
            }
            assert_eq!((queue.len(), queue.get(0), queue.get(39)), (40, Some(&round), Some(&(39 + round))));
            assert_eq!(queue.get(40), None);
            for entry in 0..40 {
                assert_eq!(queue.pop_front(), Some(entry + round));
            }
            assert_eq!(queue.pop_front(), None);
        }
    }

    #[test]
    fn what_stands_behind_a_place_is_dropped() {
        for (kept, left) in
            [(0, [None, None]), (1, [Some(1), None]), (2, [Some(1), Some(2)]), (4, [Some(1), Some(2)])]
        {
            let mut queue = Queue::new();
            (1..=3).for_each(|entry| queue.push_back(entry));
            queue.truncate(kept);
            assert_eq!([queue.pop_front(), queue.pop_front()], left, "{kept}");
        }
    }
}
