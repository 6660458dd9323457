//! What happens on the network, step by step, as bytes: a letter for the step, and what belongs to it.

use core::time::Duration;

use tokio::runtime::Builder;

/// Reads steps.
#[derive(Debug)]
pub(crate) struct Script<'d>(&'d [u8]);

impl<'d> Script<'d> {
    pub(crate) fn new(data: &'d [u8]) -> Self {
        Self(data)
    }

    /// The next byte: a step, or a number that belongs to it.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    /// Whether all steps have been read.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes behind their length, which has two bytes. What is missing is missing.
    pub(crate) fn bytes(&mut self) -> &'d [u8] {
        let (low, high) = (self.byte().unwrap_or(0), self.byte().unwrap_or(0));
        let len = usize::from(u16::from_le_bytes([low, high])).min(self.0.len());
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        bytes
    }

    /// A time: from 1 ms to 18 hours, in powers of two.
    pub(crate) fn time(&mut self) -> Duration {
        Duration::from_millis(1 << (self.byte().unwrap_or(0) % 27))
    }
}

/// A step with bytes, as [`Script::bytes`] reads them.
pub(crate) fn step(letter: u8, bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).expect("short");
    [&[letter][..], &len.to_le_bytes(), bytes].concat()
}

/// Puts `by` into the place of each `name` in the bytes.
pub(crate) fn replace(bytes: &[u8], name: &[u8], by: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::new();
    let mut rest = bytes;
    while let Some((&first, next)) = rest.split_first() {
        if let Some(next) = rest.strip_prefix(name) {
            replaced.extend(by);
            rest = next;
        } else {
            replaced.push(first);
            rest = next;
        }
    }
    replaced
}

/// Runs to the end, on a clock that stands still while anything can happen.
pub(crate) fn in_virtual_time<F: Future>(story: F) -> F::Output {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(story)
}
