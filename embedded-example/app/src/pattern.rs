//! The content of a long test message: bytes in which a lost, repeated or swapped byte shows.

/// Generates the bytes of a message of a given length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern {
    state: u32,
}

impl Pattern {
    pub(crate) const fn new(len: u32) -> Self {
        Self { state: len }
    }

    pub(crate) const fn next(&mut self) -> u8 {
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.state.to_be_bytes()[0]
    }

    /// Returns the next byte as a letter, for text.
    pub(crate) const fn next_letter(&mut self) -> u8 {
        b'a' + self.next() % 26
    }
}

/// The length of the received bytes, and a hash that depends on their order (FNV-1a).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digest {
    pub(crate) len: u32,
    pub(crate) hash: u32,
}

impl Digest {
    pub(crate) const fn new() -> Self {
        Self { len: 0, hash: 0x811C_9DC5 }
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.hash = (self.hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
        self.len = self.len.wrapping_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    }
}
