//! The target `board_socketio`, played without end.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| eio_fuzz::Target::play("board_socketio", data));
