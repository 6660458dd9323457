//! The target `socketio_sessions`, played without end.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| eio_fuzz::Target::play("socketio_sessions", data));
