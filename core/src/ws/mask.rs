//! Masking (RFC 6455 section 5.3).

/// Masks or unmasks `payload` in place. The operation is its own inverse.
///
/// `offset` is the number of bytes of the same frame's payload that came before, so that a payload can be masked in
/// pieces.
///
/// ```
/// let key = [0x37, 0xfa, 0x21, 0x3d];
/// let mut payload = *b"Hello";
/// eio_core::ws::mask(&mut payload, key, 0);
/// assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
///
/// let (head, tail) = payload.split_at_mut(3);
/// eio_core::ws::mask(head, key, 0);
/// eio_core::ws::mask(tail, key, 3);
/// assert_eq!(&payload, b"Hello");
/// ```
pub fn mask(payload: &mut [u8], key: [u8; 4], offset: usize) {
    apply(payload, advance(u32::from_le_bytes(key), offset));
}

/// Returns the key for the byte after the next `len` bytes. A key is stored so that its least significant byte masks
/// the next byte.
#[expect(clippy::cast_possible_truncation, reason = "only its last two bits matter to a rotation of 32 bits")]
pub(super) const fn advance(key: u32, len: usize) -> u32 {
    key.rotate_right((len as u32) << 3)
}

/// Masks `payload` with a key whose least significant byte masks the first byte.
pub(super) fn apply(payload: &mut [u8], key: u32) {
    let (words, rest) = payload.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_le_bytes(*word) ^ key).to_le_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(&key.to_le_bytes()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
    fn masking_equals_the_formula_of_the_rfc_at_every_length_offset_and_alignment() {
        let key = [0x11, 0x22, 0x44, 0x88];
        for start in 0..9 {
            for len in 0..40 {
                for offset in 0..9 {
                    let mut buffer: [u8; 48] = core::array::from_fn(|i| u8::try_from(i * 5).unwrap());
                    let original = buffer;
                    mask(&mut buffer[start..start + len], key, offset);
                    for (i, (&now, &before)) in buffer.iter().zip(&original).enumerate() {
                        let inside = (start..start + len).contains(&i);
                        let xor = if inside { key[(i - start + offset) % 4] } else { 0 };
                        assert_eq!(now, before ^ xor, "start {start}, len {len}, offset {offset}, byte {i}");
                    }
                    mask(&mut buffer[start..start + len], key, offset);
                    assert_eq!(buffer, original);
                }
            }
        }
    }

    #[test]
    fn a_payload_may_be_masked_in_two_pieces() {
        let key = [1, 2, 3, 4];
        let mut whole: [u8; 33] = core::array::from_fn(|i| u8::try_from(i).unwrap());
        for cut in 0..=whole.len() {
            let mut pieces = whole;
            let (head, tail) = pieces.split_at_mut(cut);
            mask(head, key, 0);
            mask(tail, key, cut);
            mask(&mut whole, key, 0);
            assert_eq!(pieces, whole, "cut at {cut}");
            mask(&mut whole, key, 0);
        }
    }
}
