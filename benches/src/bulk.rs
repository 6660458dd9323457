//! The work for each byte of long messages: masking, and checking UTF-8 as it arrives.

use core::hint::black_box;

use eio_core::ws::{Decoded, Decoder, FrameHeader, Item, OpCode, mask};

use crate::Case;
use crate::messages::repeat;

pub(crate) const CASES: &[Case] = &[
    Case { name: "mask-4k", about: "masks 4,096 bytes in place", run: mask_4k, bare: bare_mask },
    Case {
        name: "utf8-4k-ascii",
        about: "checks a piece of 4,096 ASCII characters of a long text",
        run: |times| pieces(times, OpCode::Text, ASCII),
        bare: |times| pieces(times, OpCode::Binary, ASCII),
    },
    Case {
        name: "utf8-4k-mixed",
        about: "checks a piece of 4,096 bytes of a long text, of which 61 % are not ASCII",
        run: |times| pieces(times, OpCode::Text, MIXED),
        bare: |times| pieces(times, OpCode::Binary, MIXED),
    },
];

const LEN: usize = 4_096;
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const ASCII: &str = "The quick brown fox jumps over the lazy dog, 1234567890 times. \n";
/// Characters of one to four bytes, in words, as they follow each other in a chat.
const MIXED: &str = "Grüße aus Köln! Привет, こんにちは 🎉 ça va...\n";

const _: () = assert!(LEN.is_multiple_of(ASCII.len()) && LEN.is_multiple_of(MIXED.len()));

#[inline(never)]
fn bare_mask(times: u64) {
    let mut buffer = [0; LEN];
    repeat(times, || black_box(&mut buffer).len());
}

#[inline(never)]
fn mask_4k(times: u64) {
    let mut buffer = [0; LEN];
    repeat(times, || mask(black_box(&mut buffer), black_box(KEY), black_box(1)));
}

/// Decodes pieces of one long message of repeated `text`. The cost of text above that of bytes is that of its check.
#[inline(never)]
fn pieces(times: u64, opcode: OpCode, text: &str) {
    let mut decoder = Decoder::client(u32::MAX);
    let mut header = [0; FrameHeader::MAX_LEN];
    let len = FrameHeader::new(opcode, LEN * 1_000_000).encode(&mut header).expect("room");
    decoder.decode(&mut header[..len]).expect("a header");
    let mut buffer = text.repeat(LEN / text.len()).into_bytes();
    repeat(times, || {
        let Ok(Decoded { item: Some(Item::Piece(piece)), .. }) = decoder.decode(black_box(&mut buffer))
        else {
            panic!("a piece");
        };
        black_box(piece.bytes).len()
    });
}
