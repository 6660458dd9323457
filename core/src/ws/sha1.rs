//! SHA-1 (FIPS 180-4 section 6.1) for the one input length that a WebSocket handshake needs.
//!
//! This is not a general hash. It processes two blocks, keeps no state between calls, and has no path that can panic.

/// Returns the digest of 60 bytes: a key of 24 bytes and the RFC's GUID of 36 bytes.
pub(super) fn sha1(message: &[u8; 60]) -> [u8; 20] {
    // The message, the bit that ends it, zeros, and its length in bits: exactly two blocks of 16 words.
    let mut blocks = [[0; 16]; 2];
    let words = blocks.as_flattened_mut();
    let (message_words, _) = message.as_chunks::<4>();
    for (word, &bytes) in words.iter_mut().zip(message_words) {
        *word = u32::from_be_bytes(bytes);
    }
    let [head, tail] = &mut blocks;
    head[15] = 0x8000_0000;
    tail[15] = 480;
    let mut state = INITIAL;
    for block in &mut blocks {
        compress(&mut state, block);
    }
    let mut digest = [0; 20];
    let (digest_words, _) = digest.as_chunks_mut::<4>();
    for (out, word) in digest_words.iter_mut().zip(&state) {
        *out = word.to_be_bytes();
    }
    digest
}

/// Processes `block` into `state`. The message schedule overwrites the block word by word.
#[expect(clippy::many_single_char_names, reason = "the names of FIPS 180-4")]
fn compress(state: &mut [u32; 5], block: &mut [u32; 16]) {
    let before = *state;
    for round in 0..80_usize {
        let word_at = |ahead: usize| block.get(round.wrapping_add(ahead) % 16).copied().unwrap_or_default();
        let word = word_at(0);
        let scheduled = (word ^ word_at(2) ^ word_at(8) ^ word_at(13)).rotate_left(1);
        if let Some(slot) = block.get_mut(round % 16) {
            *slot = scheduled;
        }
        let [a, b, c, d, e] = *state;
        let (mix, constant) = match round {
            0..20 => ((b & c) | (!b & d), 0x5a82_7999),
            20..40 => (b ^ c ^ d, 0x6ed9_eba1),
            40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
            _ => (b ^ c ^ d, 0xca62_c1d6_u32),
        };
        let next =
            a.rotate_left(5).wrapping_add(mix).wrapping_add(e).wrapping_add(constant).wrapping_add(word);
        *state = [next, a, b.rotate_left(30), c, d];
    }
    for (word, before) in state.iter_mut().zip(&before) {
        *word = word.wrapping_add(*before);
    }
}

const INITIAL: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
