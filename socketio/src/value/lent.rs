//! Hands [`Bytes`] through serde, whose data model knows only slices: shared bytes need not be copied.

use std::cell::Cell;

use bytes::Bytes;

thread_local! {
    /// The bytes whose slice is handed to serde right now.
    static LENT: Cell<Option<Bytes>> = const { Cell::new(None) };
}

/// Hands the slice of `bytes` to `consume`. Within it, [`take`] of this slice returns a clone of `bytes`.
pub(crate) fn with<R>(bytes: &Bytes, consume: impl FnOnce(&[u8]) -> R) -> R {
    LENT.set(Some(bytes.clone()));
    let result = consume(bytes);
    LENT.set(None);
    result
}

/// Returns the bytes of a slice, copied only if it is not lent.
pub(crate) fn take(slice: &[u8]) -> Bytes {
    // What is lent is alive, so that no other slice has the same address.
    LENT.take()
        .filter(|bytes| bytes.as_ptr() == slice.as_ptr() && bytes.len() == slice.len())
        .unwrap_or_else(|| Bytes::copy_from_slice(slice))
}
