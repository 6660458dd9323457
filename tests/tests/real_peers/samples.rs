//! Messages that are worth sending.

use eio_tokio::Message;

/// Of the numbered messages of each direction, how many wait for the upgrade: on a busy machine, it may take longer than all
/// others.
pub(crate) const AFTER_UPGRADE: usize = 100;

/// Every kind of message, the empty binary one last: some programs cannot take that.
pub(crate) fn every_kind() -> Vec<Message> {
    vec![
        Message::text("hello"),
        Message::text("€ is three bytes, 😀 and 𝒳 are four, e\u{301} is two characters"),
        Message::text("\u{0} \u{7f} \u{80} \u{7ff} \u{800} \u{fffd} \u{ffff} \u{10000} \u{10ffff}"),
        Message::text("line\nline\r\n\ttab \\n \" % & = + ; 12:4"),
        Message::text("4"),
        Message::text("2probe"),
        Message::text("b4AQ=="),
        Message::text(""),
        Message::binary(vec![0]),
        Message::binary(vec![4, 0xff, 0x1e]),
        Message::binary((0..=255).collect::<Vec<u8>>()),
        Message::binary(vec![]),
    ]
}

/// Of a million bytes and more.
pub(crate) fn megabytes() -> [Message; 3] {
    let text: String = "ab😀é".chars().cycle().take(350_000).collect();
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    [Message::text("x".repeat(1_000_000)), Message::text(text), Message::binary(bytes)]
}
