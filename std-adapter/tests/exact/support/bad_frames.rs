//! Frames that break a rule of RFC 6455. The tests of the client include this file as well, and so do
//! those of `eio-embassy`.

/// What is wrong, the bytes, and the code of the close frame that answers them.
pub(crate) type BadFrame = (&'static str, Vec<u8>, u16);

/// All of them, as a client sends them or as a server does.
pub(crate) fn bad_frames(of_client: bool) -> Vec<BadFrame> {
    let frame = |first: u8, payload: &[u8]| frame(of_client, first, payload);
    let close = |code: u16| frame(0x88, &code.to_be_bytes());
    let mask = if of_client { 0x80 } else { 0 };
    let message_within = [frame(0x01, b"4"), frame(0x81, b"4")].concat();
    let cut_character = [frame(0x01, b"4\xc3"), frame(0x80, b"x")].concat();
    vec![
        ("the first reserved bit", frame(0xc1, b"4"), 1002),
        ("the second reserved bit", frame(0xa1, b"4"), 1002),
        ("the third reserved bit", frame(0x99, b""), 1002),
        ("a reserved opcode of data", frame(0x83, b""), 1002),
        ("a reserved opcode of control", frame(0x8b, b""), 1002),
        ("the wrong masking", self::frame(!of_client, 0x81, b"4"), 1002),
        ("a ping in fragments", frame(0x09, b""), 1002),
        ("a close frame in fragments", frame(0x08, b""), 1002),
        ("a ping of 126 bytes", frame(0x89, &[0; 126]), 1002),
        ("a continuation of nothing", frame(0x80, b"4"), 1002),
        ("a message within a message", message_within, 1002),
        ("a length in more bytes than it needs", vec![0x81, mask + 126, 0, 1, 0, 0, 0, 0, b'4'], 1002),
        ("a length of 64 bits", vec![0x82, mask + 127, 0x80, 0, 0, 0, 0, 0, 0, 0], 1002),
        ("text that is not UTF-8", frame(0x81, b"4\xff"), 1007),
        ("text that is not UTF-8 across fragments", cut_character, 1007),
        ("a close frame of one byte", frame(0x88, b"a"), 1002),
        ("a close code below all", close(999), 1002),
        ("a close code for no code", close(1005), 1002),
        ("a close code for no close frame", close(1006), 1002),
        ("a close code for a failure of TLS", close(1015), 1002),
        ("a close reason that is not UTF-8", frame(0x88, b"\x03\xe8\xff"), 1007),
    ]
}

/// A frame with this first byte. A mask of zeros changes nothing.
pub(crate) fn frame(masked: bool, first: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).expect("short");
    let (mut frame, mask) = (vec![first], if masked { 0x80 } else { 0 });
    match len {
        126.. => frame.extend([mask + 126, 0, len]),
        _ => frame.push(mask + len),
    }
    frame.extend(masked.then_some([0; 4]).into_iter().flatten());
    frame.extend(payload);
    frame
}
