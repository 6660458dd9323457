//! Masking keys for the frames of a client.
//!
//! Each frame gets four new unpredictable bytes (RFC 6455 section 5.3). Each thread draws them from the system in
//! batches, so that a small message costs no system call.

use std::cell::RefCell;
use std::io;

/// The number of bytes that are drawn at once.
const BATCH: usize = 256;

struct Keys {
    bytes: [u8; BATCH],
    used: usize,
}

thread_local! {
    static KEYS: RefCell<Keys> = const { RefCell::new(Keys { bytes: [0; BATCH], used: BATCH }) };
}

/// Returns a fresh key.
///
/// # Errors
/// Returns an error if the system has no random bytes.
pub(crate) fn next() -> io::Result<[u8; 4]> {
    KEYS.with_borrow_mut(|keys| {
        if let Some(key) = keys.take() {
            return Ok(key);
        }
        getrandom::fill(&mut keys.bytes).map_err(io::Error::other)?;
        keys.used = 0;
        keys.take().ok_or_else(|| io::Error::other("fewer random bytes than a key"))
    })
}

impl Keys {
    fn take(&mut self) -> Option<[u8; 4]> {
        let key = self.bytes.get(self.used..)?.first_chunk()?;
        self.used += key.len();
        Some(*key)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn no_two_of_a_few_hundred_keys_are_alike() {
        let keys: HashSet<_> = (0..300).map(|_| super::next().unwrap()).collect();
        // Two of 300 random keys are equal about once in 100,000 runs; stuck or repeated batches would be far off.
        assert!(keys.len() >= 298, "{}", keys.len());
    }
}
