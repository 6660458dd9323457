//! Unpredictable bytes, for session identifiers and for the masking keys of a client's frames.
//!
//! Each thread draws them from the system in batches, so that neither an opening nor a small message costs a system call
//! of its own. No byte is used twice, and none is kept after its use.

use std::cell::RefCell;
use std::io;

/// The number of bytes that are drawn at once.
const BATCH: usize = 256;

struct Bytes {
    batch: [u8; BATCH],
    used: usize,
}

thread_local! {
    static BYTES: RefCell<Bytes> = const { RefCell::new(Bytes { batch: [0; BATCH], used: BATCH }) };
}

/// Returns fresh bytes, at most as many as a batch has.
///
/// # Errors
/// Returns an error if the system has no random bytes.
pub(crate) fn bytes<const LEN: usize>() -> io::Result<[u8; LEN]> {
    const { assert!(LEN <= BATCH) }
    BYTES.with_borrow_mut(|bytes| {
        if let Some(fresh) = bytes.take() {
            return Ok(fresh);
        }
        // A part of a batch is worth nothing if this fails.
        bytes.used = BATCH;
        getrandom::fill(&mut bytes.batch).map_err(io::Error::other)?;
        bytes.used = 0;
        bytes.take().ok_or_else(|| io::Error::other("fewer random bytes than were asked for"))
    })
}

impl Bytes {
    fn take<const LEN: usize>(&mut self) -> Option<[u8; LEN]> {
        let next = self.batch.get_mut(self.used..)?.first_chunk_mut()?;
        self.used += LEN;
        Some(core::mem::replace(next, [0; LEN]))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_of_a_few_hundred_keys_are_alike() {
        let keys: HashSet<_> = (0..300).map(|_| bytes::<4>().unwrap()).collect();
        // Two of 300 random keys are equal about once in 100,000 runs; stuck or repeated batches would be far off.
        assert!(keys.len() >= 298, "{}", keys.len());
    }

    #[test]
    fn bytes_of_every_length_come_from_a_batch_once_and_are_forgotten() {
        let mut batch = core::array::from_fn(|place| u8::try_from(place % 255 + 1).unwrap());
        let drawn = batch;
        let mut left = Bytes { batch, used: 0 };
        assert_eq!(left.take::<20>().unwrap(), drawn[..20]);
        assert_eq!(left.take::<4>().unwrap(), drawn[20..24]);
        assert_eq!(left.take::<BATCH>(), None);
        batch[..24].fill(0);
        assert_eq!((left.batch, left.used), (batch, 24));
    }
}
