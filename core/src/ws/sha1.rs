//! SHA-1 (FIPS 180-4 section 6.1) of the one input length that a WebSocket handshake needs.
//!
//! Not a general hash: two blocks, no state between calls, and no path that can panic.

/// The digest of 60 bytes: a key of 24 and the RFC's GUID of 36.
pub(super) fn sha1(message: &[u8; 60]) -> [u8; 20] {
    // The message, the bit that ends it, zeros, and its length in bits: exactly two blocks of 16 words.
    let mut head = [0x8000_0000; 16];
    let tail = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 480];
    let (message_words, _) = message.as_chunks::<4>();
    for (word, &bytes) in head.iter_mut().zip(message_words) {
        *word = u32::from_be_bytes(bytes);
    }
    let state = compress(compress(INITIAL, head), tail);
    let mut digest = [0; 20];
    let (digest_words, _) = digest.as_chunks_mut::<4>();
    for (out, word) in digest_words.iter_mut().zip(state) {
        *out = word.to_be_bytes();
    }
    digest
}

#[expect(clippy::many_single_char_names, reason = "the names of FIPS 180-4")]
fn compress(state: [u32; 5], block: [u32; 16]) -> [u32; 5] {
    // `window` holds the message schedule's next 16 words.
    let mut window = block;
    let [mut a, mut b, mut c, mut d, mut e] = state;
    for round in 0..80 {
        let (mix, constant) = match round {
            0..20 => ((b & c) | (!b & d), 0x5a82_7999),
            20..40 => (b ^ c ^ d, 0x6ed9_eba1),
            40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
            _ => (b ^ c ^ d, 0xca62_c1d6_u32),
        };
        let [word, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15] = window;
        let next =
            a.rotate_left(5).wrapping_add(mix).wrapping_add(e).wrapping_add(constant).wrapping_add(word);
        (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
        let scheduled = (word ^ w2 ^ w8 ^ w13).rotate_left(1);
        window = [w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15, scheduled];
    }
    let [h0, h1, h2, h3, h4] = state;
    [h0.wrapping_add(a), h1.wrapping_add(b), h2.wrapping_add(c), h3.wrapping_add(d), h4.wrapping_add(e)]
}

const INITIAL: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
