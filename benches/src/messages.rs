//! Messages: one of 20 bytes in a WebSocket frame, and ten of them in a polling payload.

use core::hint::black_box;

use eio_core::packet::{Packet, WebSocketMessage, v4};
use eio_core::payload;
use eio_core::ws::{Decoded, Decoder, FrameHeader, Item, OpCode, mask};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "packet-decode",
        about: "decodes the text of a message of 20 bytes into a packet",
        run: packet_decode,
        bare,
    },
    Case {
        name: "frame-encode",
        about: "encodes a message of 20 bytes into a server's WebSocket frame, in place",
        run: frame_encode,
        bare,
    },
    Case {
        name: "frame-decode",
        about: "decodes a client's masked WebSocket frame of 20 bytes into a packet, in place",
        run: frame_decode,
        bare: bare_decode,
    },
    Case {
        name: "frame-decode-unchecked",
        about: "decodes the same frame, and leaves the check of its text to the caller",
        run: frame_decode_unchecked,
        bare: bare_decode,
    },
    Case {
        name: "payload-encode",
        about: "writes a polling payload of 10 messages of 19 characters",
        run: payload_encode,
        bare,
    },
    Case {
        name: "payload-decode",
        about: "reads the same payload into 10 packets",
        run: payload_decode,
        bare: bare_packets,
    },
];

const TEXT: &str = "nineteen characters";
const PACKETS: usize = 10;
/// The length of a payload with [`TEXT`].
const LEN: usize = TEXT.len() + 1;
/// The length of a client's frame: header, key, payload.
const FRAME: usize = 2 + 4 + LEN;

/// Calls `once` repeatedly.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a loop of its own for each case, as in the caller's program")]
pub(crate) fn repeat<R>(times: u64, mut once: impl FnMut() -> R) {
    for _ in 0..times {
        black_box(once());
    }
}

#[inline(never)]
fn bare(times: u64) {
    repeat(times, || black_box(TEXT));
}

const PACKET: &str = "4nineteen characters";

#[inline(never)]
fn packet_decode(times: u64) {
    repeat(times, || v4::decode(WebSocketMessage::Text(black_box(PACKET))));
}

#[inline(never)]
fn frame_encode(times: u64) {
    let mut buffer = [0; 64];
    repeat(times, || {
        let packet = Packet::message(WebSocketMessage::Text(black_box(TEXT)));
        let room = &mut buffer[FrameHeader::MAX_LEN..];
        let Ok(WebSocketMessage::Text(text)) = v4::encode(&packet, true, room) else { panic!("text") };
        let header = FrameHeader::new(OpCode::Text, text.len());
        black_box(header.frame_in_place(&mut buffer).expect("room")).len()
    });
    let end = FrameHeader::MAX_LEN + LEN;
    assert_eq!(&buffer[FrameHeader::MAX_LEN..end], b"4nineteen characters");
}

/// Returns the frame that a client sends.
fn masked_frame() -> [u8; FRAME] {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = [0; FRAME];
    let (header, payload) = frame.split_at_mut(FRAME - LEN);
    header.copy_from_slice(&[0x81, 0x94, KEY[0], KEY[1], KEY[2], KEY[3]]);
    payload[0] = b'4';
    payload[1..].copy_from_slice(TEXT.as_bytes());
    mask(payload, KEY, 0);
    frame
}

/// Copies the frame, because decoding in place changes it.
#[inline(never)]
fn bare_decode(times: u64) {
    let frame = black_box(masked_frame());
    repeat(times, || black_box(&mut black_box(frame)[..]).len());
}

#[inline(never)]
fn frame_decode(times: u64) {
    let frame = black_box(masked_frame());
    let mut decoder = black_box(Decoder::server(1_000_000));
    repeat(times, || {
        let mut frame = black_box(frame);
        let Ok(Decoded { item: Some(Item::Message(message)), .. }) =
            decoder.decode(black_box(&mut frame[..]))
        else {
            panic!("a message");
        };
        black_box(v4::decode(message)).is_ok()
    });
}

#[inline(never)]
fn frame_decode_unchecked(times: u64) {
    let frame = black_box(masked_frame());
    let mut decoder = black_box(Decoder::server(1_000_000));
    repeat(times, || {
        let mut frame = black_box(frame);
        let result = decoder.decode_unchecked_text(black_box(&mut frame[..]));
        let Ok(Decoded { item: Some(Item::Piece(piece)), .. }) = result else { panic!("a message") };
        black_box(piece.bytes).len()
    });
}

#[inline(never)]
fn payload_encode(times: u64) {
    let packets = black_box([Packet::message(WebSocketMessage::Text(TEXT)); PACKETS]);
    let mut buffer = [0; PACKETS * (LEN + 1)];
    repeat(times, || {
        let mut payload = payload::v4::Encoder::new(&mut buffer);
        for packet in &packets {
            payload.push(packet).expect("room");
        }
        black_box(payload.finish()).len()
    });
    assert!(buffer.starts_with(b"4nineteen characters\x1e4"));
}

#[inline(never)]
fn bare_packets(times: u64) {
    let packets = black_box([Packet::message(WebSocketMessage::Text(TEXT)); PACKETS]);
    repeat(times, || {
        for packet in &packets {
            black_box(packet);
        }
    });
}

#[inline(never)]
fn payload_decode(times: u64) {
    let body = black_box([PACKET; PACKETS].join("\x1e"));
    repeat(times, || {
        for packet in payload::v4::decode(body.as_bytes(), payload::DEFAULT_MAX_PACKETS) {
            black_box(packet).expect("a packet");
        }
    });
}
