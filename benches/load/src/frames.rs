//! The frames that are sent, and the bytes that answer them.

use eio_core::Revision;
use eio_core::packet::{Packet, WebSocketMessage};
use eio_core::ws::PacketFrame;

/// The key that masks every frame. A client must draw a fresh one for each frame; a server cannot tell.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A pong, as a client sends it.
pub const PONG: [u8; 7] = [0x81, 0x81, KEY[0], KEY[1], KEY[2], KEY[3], b'3' ^ KEY[0]];

/// A close frame with the code 1000, as a client sends it.
pub const CLOSE: [u8; 8] = [0x88, 0x82, KEY[0], KEY[1], KEY[2], KEY[3], 0x03 ^ KEY[0], 0xe8 ^ KEY[1]];

/// A Socket.IO packet that joins the namespace `/`, as a client sends it.
pub const JOIN: [u8; 8] = two_digits(*b"40");

/// A Socket.IO packet that leaves the namespace `/`, as a client sends it.
pub const LEAVE: [u8; 8] = two_digits(*b"41");

/// A message of two characters, as a client sends it.
const fn two_digits([first, second]: [u8; 2]) -> [u8; 8] {
    [0x81, 0x82, KEY[0], KEY[1], KEY[2], KEY[3], first ^ KEY[0], second ^ KEY[1]]
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the command line names them")]
pub enum Kind {
    /// Text, in ASCII.
    Text,
    /// Bytes.
    Binary,
    /// The Socket.IO event `echo` with a string, in ASCII, that comes back as the same event.
    Event,
    /// The Socket.IO event `ask` with a string, in ASCII, that comes back as the event's acknowledgement.
    AskingEvent,
}

/// The number of every event that asks for an acknowledgement. A client must draw a fresh one for each event that is under
/// way; a server only repeats it.
const ASKED: u32 = 17;

/// A message as a client sends it, and as a server that echoes sends it back.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Message {
    /// The client's frame.
    pub sent: Vec<u8>,
    /// The server's frame.
    pub reply: Vec<u8>,
}

impl Message {
    /// Encodes a message of `size` bytes.
    #[must_use]
    pub fn new(kind: Kind, size: usize) -> Self {
        let letters = payload(size);
        let (sent, reply) = match kind {
            Kind::Text | Kind::Binary => (letters.clone(), letters),
            Kind::Event => {
                let event = format!(r#"2["echo","{letters}"]"#);
                (event.clone(), event)
            }
            Kind::AskingEvent => {
                (format!(r#"2{ASKED}["ask","{letters}"]"#), format!(r#"3{ASKED}["{letters}"]"#))
            }
        };
        let packet = |text| match kind {
            Kind::Binary => Packet::message(WebSocketMessage::Binary(str::as_bytes(text))),
            _ => Packet::message(WebSocketMessage::Text(text)),
        };
        Self { sent: frame(&packet(&sent), Some(KEY)), reply: frame(&packet(&reply), None) }
    }
}

/// Encodes a packet as a client sends it.
#[must_use]
pub fn from_client(packet: &Packet<'_>) -> Vec<u8> {
    frame(packet, Some(KEY))
}

/// Returns `size` letters, in an order that shows when some are missing.
#[must_use]
pub fn payload(size: usize) -> String {
    ('a'..='z').cycle().take(size).collect()
}

fn frame(packet: &Packet<'_>, key: Option<[u8; 4]>) -> Vec<u8> {
    let frame = PacketFrame::new(Revision::V4, packet, true, key);
    let mut bytes = vec![0; frame.len()];
    frame.encode(&mut bytes).expect("a buffer of the frame's length");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_masked_frame_and_its_reply_the_same_without_a_mask() {
        let text = Message::new(Kind::Text, 20);
        assert_eq!((text.sent.len(), &text.sent[..2]), (2 + 4 + 21, &[0x81, 0x95][..]));
        assert_eq!(text.reply, b"\x81\x154abcdefghijklmnopqrst");
        let unmasked: Vec<u8> =
            text.sent[6..].iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        assert_eq!(unmasked, text.reply[2..]);

        let binary = Message::new(Kind::Binary, 3);
        assert_eq!(binary.reply, b"\x82\x03abc");
    }

    #[test]
    fn an_event_comes_back_as_itself_and_one_that_asks_as_its_acknowledgement() {
        let event = Message::new(Kind::Event, 3);
        assert_eq!(event.reply, b"\x81\x1042[\"echo\",\"abc\"]");
        assert_eq!(event.sent.len(), event.reply.len() + 4);
        let asking = Message::new(Kind::AskingEvent, 3);
        assert_eq!(asking.reply, b"\x81\x0b4317[\"abc\"]");
        let text = br#"4217["ask","abc"]"#;
        let unmasked: Vec<u8> =
            asking.sent[6..].iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        assert_eq!(unmasked, text);
    }

    #[test]
    fn the_constant_frames_are_what_the_core_writes() {
        assert_eq!(from_client(&Packet::PONG), PONG);
        let digit = |digit| from_client(&Packet::message(WebSocketMessage::Text(digit)));
        assert_eq!((digit("0"), digit("1")), (JOIN.to_vec(), LEAVE.to_vec()));
        let close = eio_core::ws::Close::new(eio_core::ws::CloseCode::NORMAL, "").unwrap();
        let mut out = [0; 16];
        let len = eio_core::ws::ControlFrame::Close(Some(close)).encode(Some(KEY), &mut out).unwrap();
        assert_eq!(out[..len], CLOSE);
    }
}
