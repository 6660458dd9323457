//! The memory of small received messages, which share buffers: an allocation for each would cost more than the message.

use core::cell::RefCell;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

/// The longest payload that shares a buffer with others.
const SMALL: usize = 128;

/// The length of a shared buffer. An application that keeps one message keeps the rest of its buffer as well.
const BUFFER: usize = 2 * 1024;

thread_local! {
    /// The buffer that is being filled, and the one before it. Its memory is used again once its messages are gone.
    static BUFFERS: RefCell<[BytesMut; 2]> = RefCell::default();
}

/// Copies a payload.
#[inline]
pub(crate) fn copy(payload: &[u8]) -> Bytes {
    let shared = match payload.len() {
        1..=SMALL => BUFFERS.try_with(|buffers| put(&mut buffers.borrow_mut(), payload)).ok(),
        _ => None,
    };
    // A thread that ends has no shared buffers any more.
    shared.unwrap_or_else(|| Bytes::copy_from_slice(payload))
}

/// Copies the payload of a text message.
#[expect(unsafe_code, reason = "the checked constructor would look at each byte again")]
pub(crate) fn copy_text(payload: &str) -> ByteString {
    // SAFETY: these are the bytes of a `str`, and `Bytes` never change.
    unsafe { ByteString::from_bytes_unchecked(copy(payload.as_bytes())) }
}

#[inline]
fn put(buffers: &mut [BytesMut; 2], payload: &[u8]) -> Bytes {
    let [filling, previous] = buffers;
    if filling.capacity() < payload.len() {
        core::mem::swap(filling, previous);
        if !filling.try_reclaim(BUFFER) {
            *filling = BytesMut::with_capacity(BUFFER);
        }
    }
    filling.extend_from_slice(payload);
    filling.split().freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_keep_their_content_whatever_is_copied_after_them() {
        let payloads: Vec<Vec<u8>> = (0..400_usize).map(|i| vec![i.to_le_bytes()[0]; i % 140]).collect();
        let copies: Vec<Bytes> = payloads.iter().map(|payload| copy(payload)).collect();
        assert_eq!(copies, payloads);
        assert_eq!(copy_text("grüße"), "grüße");
    }

    #[test]
    fn small_payloads_use_the_same_memory_again_once_they_are_gone() {
        let mut buffers = <[BytesMut; 2]>::default();
        let mut seen = std::collections::HashSet::new();
        let rounds = if cfg!(miri) { 200 } else { 10_000 };
        for _ in 0..rounds {
            // One message is always kept while the next one is copied.
            let both = [put(&mut buffers, b"twenty bytes of data"), put(&mut buffers, b"and another one")];
            seen.extend(both.iter().map(|payload| payload.as_ptr() as usize / BUFFER));
        }
        // Two buffers, each of which may lie across a border.
        assert!(seen.len() <= 4, "{}", seen.len());
    }
}
