//! What sessions and their parts take in memory, printed and bounded.

use core::any::type_name;

use eio_core::heartbeat::Machine;
use eio_core::polling::{ClientPolling, ServerPolling};
use eio_core::upgrade::{ClientUpgrade, ServerUpgrade};
use eio_core::{ClientSession, ServerSession, ws};

fn assert_at_most<T>(limit: usize) {
    let size = size_of::<T>();
    println!("{size:3} bytes: {}", type_name::<T>());
    assert!(size <= limit, "{} has {size} bytes: expected at most {limit}", type_name::<T>());
}

/// One cache line for a session, and the state of its transport beside it.
#[test]
fn a_session_fits_one_cache_line() {
    assert_at_most::<ServerSession>(64);
    assert_at_most::<ClientSession>(64);
    assert_at_most::<Machine>(56);
    assert_at_most::<ws::Decoder>(32);
    assert_at_most::<ServerPolling>(9);
    assert_at_most::<ws::FrameWriter>(6);
    assert_at_most::<ws::Connection>(40);
}

#[test]
fn what_exists_only_at_times_is_small_too() {
    assert_at_most::<ServerUpgrade>(64);
    assert_at_most::<ClientUpgrade>(64);
    assert_at_most::<ClientPolling>(24);
}
