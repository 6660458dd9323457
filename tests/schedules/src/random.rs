//! Random numbers of the system that are the same in each run: they decide in which order hash tables are read, and a
//! batch that is played again must take the same course.

use core::cell::Cell;
use core::ffi::{c_uint, c_void};

std::thread_local! {
    static STATE: Cell<u64> = const { Cell::new(0) };
}

/// Takes the place of the function of the C library.
///
/// # Safety
/// `buffer` points to `len` bytes that may be written.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn getrandom(buffer: *mut c_void, len: usize, _: c_uint) -> isize {
    // SAFETY: the caller promises it.
    let bytes = unsafe { core::slice::from_raw_parts_mut(buffer.cast::<u8>(), len) };
    for byte in bytes {
        *byte = next();
    }
    len.cast_signed()
}

/// splitmix64.
fn next() -> u8 {
    let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed.to_le_bytes()[7]
}
