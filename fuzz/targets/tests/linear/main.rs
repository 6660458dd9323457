//! What a peer's bytes cost: each decoder reads hostile input of some length, and of four times that. `cargo xtask test
//! linear` counts the instructions of both, and fails if the longer input costs more than linear work does.
//!
//! A shape is one way to fill an input: as many separators, digits, backslashes or brackets as fit.

mod frames;
mod heads;
mod json;
mod legacy;
mod packets;
mod payloads;
mod socketio;

use core::hint::black_box;

/// One decoder, and one shape of its input.
struct Case {
    decoder: &'static str,
    shape: &'static str,
    /// Makes an input of about this many bytes.
    input: fn(usize) -> Vec<u8>,
    /// Reads it to its end, or to the error that ends it.
    read: fn(&mut [u8]),
}

/// The length of the shorter input. The longer one has [`TIMES`] as many bytes.
const LENGTH: usize = 8_192;
const TIMES: usize = 4;

fn cases() -> impl Iterator<Item = &'static Case> {
    let cases = [
        packets::CASES,
        payloads::CASES,
        json::CASES,
        frames::CASES,
        heads::CASES,
        socketio::CASES,
        legacy::CASES,
        CONTROLS,
    ];
    cases.into_iter().flatten()
}

/// What must be noticed, and what must not: a measure that cannot tell them apart is worth nothing.
const CONTROLS: &[Case] = &[
    Case {
        decoder: "control: linear",
        shape: "one look at each byte",
        input: |length| repeated(b"a", length),
        read: |input| {
            black_box(input.contains(&b'b'));
        },
    },
    Case {
        decoder: "control: not linear",
        shape: "for each 8 bytes, one look at all bytes before",
        input: |length| repeated(b"a", length),
        read: |input| {
            for end in (0..input.len()).step_by(8) {
                black_box(input[..end].contains(&b'b'));
            }
        },
    },
];

/// As many whole patterns as fit.
fn repeated(pattern: &[u8], length: usize) -> Vec<u8> {
    pattern.repeat(length / pattern.len())
}

/// As many whole patterns as fit between two ends.
fn between(start: &str, pattern: &str, end: &str, length: usize) -> Vec<u8> {
    let room = length.saturating_sub(start.len() + end.len());
    [start.as_bytes(), &repeated(pattern.as_bytes(), room), end.as_bytes()].concat()
}

/// The text of an input that is made of text.
fn text(input: &[u8]) -> &str {
    core::str::from_utf8(input).expect("a text")
}

/// What callgrind counts: nothing but this call.
#[inline(never)]
fn measured(read: fn(&mut [u8]), input: &mut [u8]) {
    read(black_box(input));
}

#[test]
#[ignore = "says something under callgrind alone: `cargo xtask test linear`"]
fn measure() {
    for case in cases() {
        for length in [LENGTH, TIMES * LENGTH] {
            let mut input = (case.input)(length);
            println!("linear: {}\t{}\t{}", case.decoder, case.shape, input.len());
            measured(case.read, &mut input);
        }
    }
}

#[test]
fn every_input_is_read_and_four_times_as_long_as_the_shorter_one() {
    for case in cases() {
        let [mut short, mut long] = [LENGTH, TIMES * LENGTH].map(case.input);
        assert!(
            short.len() > LENGTH / 2 && (7 * short.len()..9 * short.len()).contains(&(2 * long.len())),
            "{}: {}",
            case.decoder,
            case.shape
        );
        (case.read)(&mut short);
        (case.read)(&mut long);
    }
}
