//! What sessions and their parts take in memory, printed and bounded, and that this is all: they store nothing of what a
//! peer sends (rule 9).

use core::any::type_name;
use core::mem::needs_drop;

use eio_core::heartbeat::Machine;
use eio_core::packet::Data;
use eio_core::payload::v3::Framing;
use eio_core::payload::{DEFAULT_MAX_PACKETS, Format};
use eio_core::polling::{ClientPolling, ServerPolling};
use eio_core::upgrade::{ClientUpgrade, ServerUpgrade};
use eio_core::{ClientSession, Heartbeat, Instant, Liveness, ServerSession, SessionEvent, ws};

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

/// Panics if values of the type own memory elsewhere, which they would have to free.
fn assert_owns_nothing<T: 'static>() {
    assert!(!needs_drop::<T>(), "{} owns memory", type_name::<T>());
}

#[test]
fn sessions_and_their_parts_own_no_memory_and_borrow_none() {
    assert_owns_nothing::<ServerSession>();
    assert_owns_nothing::<ClientSession>();
    assert_owns_nothing::<Machine>();
    assert_owns_nothing::<ServerUpgrade>();
    assert_owns_nothing::<ClientUpgrade>();
    assert_owns_nothing::<ServerPolling>();
    assert_owns_nothing::<ClientPolling>();
    assert_owns_nothing::<ws::Decoder>();
    assert_owns_nothing::<ws::Connection>();
}

#[test]
fn messages_are_handed_out_where_the_caller_has_their_bytes() {
    let text = &b"4text\x1e4more"[..];
    let binary = &[0, 5, 0xff, b'4', b't', b'e', b'x', b't', 1, 3, 0xff, 4, 7, 8];
    for (format, framing, body) in [
        (Format::V4, Framing::Text, text),
        (Format::V3, Framing::Text, b"5:4text6:b4AAAA"),
        (Format::V3, Framing::Binary, binary),
    ] {
        let mut session =
            ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), Instant::from_micros(0));
        for packet in format.decode(framing, body, DEFAULT_MAX_PACKETS) {
            let event = session.handle_packet(Instant::from_micros(0), packet);
            let Some(SessionEvent::Message(data)) = event else { panic!("{event:?}") };
            let bytes = match data {
                Data::Text(text) => text.as_bytes(),
                Data::Binary(bytes) => bytes,
                // Its text cannot be seen from outside. It borrows from the body, and owns nothing.
                Data::Base64(_) => continue,
            };
            let (body, bytes) = (body.as_ptr_range(), bytes.as_ptr_range());
            assert!(body.start <= bytes.start && bytes.end <= body.end, "{data:?} was copied");
        }
    }
}
