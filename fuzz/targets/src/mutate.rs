//! Changes that a fuzzer would make, from a seed: the same in every run.

use crate::script::{Step, Steps};

/// A generator of pseudo-random numbers: small, and the same everywhere.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `below`, which is above zero.
    pub(crate) fn roll(&mut self, below: usize) -> usize {
        usize::try_from(self.next() >> 16).expect("48 bits") % below
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[1]
    }
}

/// So many bytes that mean nothing.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    (0..len).map(|_| dice.byte()).collect()
}

/// One of the inputs with some changes, perhaps by parts of another one. `inputs` is not empty.
pub(crate) fn mutated(dice: &mut Dice, inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut input = inputs[dice.roll(inputs.len())].clone();
    for _ in 0..=dice.roll(4) {
        let other = &inputs[dice.roll(inputs.len())];
        change(dice, &mut input, other);
    }
    input
}

/// One of the scripts with changed steps, perhaps with those of another one. In a quarter, the settings are others. `inputs`
/// is not empty.
pub(crate) fn stepped(dice: &mut Dice, inputs: &[Vec<u8>], steps: Steps) -> Vec<u8> {
    let (settings, mut script) = steps.read(&inputs[dice.roll(inputs.len())]);
    let settings = if dice.roll(4) == 0 { dice.byte() } else { settings };
    for _ in 0..=dice.roll(3) {
        let (_, other) = steps.read(&inputs[dice.roll(inputs.len())]);
        change_steps(dice, &mut script, &other);
    }
    Steps::write(settings, &script)
}

fn change_steps(dice: &mut Dice, script: &mut Vec<Step>, other: &[Step]) {
    let at = dice.roll(script.len() + 1);
    let what = dice.roll(8);
    let Some(step) = script.get_mut(at) else {
        script.extend(other.iter().skip(dice.roll(other.len() + 1)).take(4).cloned());
        return;
    };
    match what {
        0 => drop(script.remove(at)),
        1 => {
            let copy = step.clone();
            script.insert(at, copy);
        }
        2 => {
            let to = dice.roll(script.len());
            script.swap(at, to);
        }
        3 => {
            if let Some(step) = other.get(dice.roll(other.len() + 1)) {
                script.insert(at, step.clone());
            }
        }
        4 => script.insert(at, Step { letter: b't', numbers: vec![dice.byte()], bytes: None }),
        _ => {
            if let Some(number) = step.numbers.first_mut() {
                *number = dice.byte();
            }
            if let Some(bytes) = &mut step.bytes {
                let others: Vec<_> = other.iter().filter_map(|step| step.bytes.as_deref()).collect();
                let other = others.get(dice.roll(others.len() + 1)).copied().unwrap_or_default();
                change(dice, bytes, other);
            }
        }
    }
}

/// Bytes at which parsers turn.
const TURNS: &[u8] = b"\0\x01\x1e\x7e\x7f\x80\x81\x88\xc0\xff\"\\{}[]:,-+.%&=/0123456789 \r\n\tebdu";

fn change(dice: &mut Dice, input: &mut Vec<u8>, other: &[u8]) {
    let at = dice.roll(input.len() + 1);
    let len = dice.roll(8.min(input.len() - at + 1));
    match dice.roll(8) {
        0 => input.insert(at, dice.byte()),
        1 => input.insert(at, TURNS[dice.roll(TURNS.len())]),
        2 => drop(input.drain(at..at + len)),
        3 => input.truncate(at),
        4 => {
            let copy = input[at..at + len].to_vec();
            let to = dice.roll(input.len() + 1);
            input.splice(to..to, copy);
        }
        5 => {
            let from = dice.roll(other.len() + 1);
            let part = other[from..].iter().copied().take(1 + dice.roll(64));
            input.splice(at..at + len, part.collect::<Vec<_>>());
        }
        6 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << dice.roll(8);
            }
        }
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte = TURNS[dice.roll(TURNS.len())];
            }
        }
    }
}
