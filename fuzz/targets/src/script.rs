//! What happens on the network, step by step, as bytes: a letter for the step, and what belongs to it.

use core::time::Duration;

use tokio::runtime::Builder;

/// What belongs to the letters of a target's scripts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    /// The letters behind which numbers of one byte come, and how many.
    pub(crate) numbers: &'static [(u8, usize)],
    /// The letters behind which bytes come, behind the numbers.
    pub(crate) bytes: &'static [u8],
}

/// A step of a script.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) letter: u8,
    pub(crate) numbers: Vec<u8>,
    pub(crate) bytes: Option<Vec<u8>>,
}

impl Steps {
    /// The settings of a script, and its steps.
    pub(crate) fn read(self, script: &[u8]) -> (u8, Vec<Step>) {
        let mut script = Script::new(script);
        let settings = script.byte().unwrap_or(0);
        let mut steps = Vec::new();
        while let Some(letter) = script.byte() {
            let numbers = self.numbers.iter().find(|(of, _)| *of == letter).map_or(0, |(_, count)| *count);
            let numbers = (0..numbers).filter_map(|_| script.byte()).collect();
            let bytes = self.bytes.contains(&letter).then(|| script.bytes().to_vec());
            steps.push(Step { letter, numbers, bytes });
        }
        (settings, steps)
    }

    /// The script of these settings and steps.
    pub(crate) fn write(settings: u8, steps: &[Step]) -> Vec<u8> {
        let mut script = vec![settings];
        for step in steps {
            script.push(step.letter);
            script.extend(&step.numbers);
            if let Some(bytes) = &step.bytes {
                script.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes());
                script.extend(bytes);
            }
        }
        script
    }
}

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
