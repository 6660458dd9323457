//! Encodes whole messages, each as one frame.

use super::{FrameHeader, OpCode};
use crate::BufferTooSmall;
use crate::packet::WebSocketMessage;

/// Writes one message as one frame, masked if a key is given, and returns the frame's length.
///
/// The payload is copied into `out`; [`FrameHeader::frame_in_place`] and [`FrameHeader::encode`] copy nothing.
///
/// ```
/// use eio_core::packet::WebSocketMessage;
/// use eio_core::ws;
///
/// let mut out = [0; 32];
/// let len = ws::encode_message(WebSocketMessage::Text("3probe"), None, &mut out)?;
/// assert_eq!(&out[..len], b"\x81\x063probe");
/// # Ok::<(), eio_core::BufferTooSmall>(())
/// ```
///
/// # Errors
/// Returns [`BufferTooSmall`] if the frame does not fit. Nothing was written then.
pub fn encode_message(
    message: WebSocketMessage<'_>,
    key: Option<[u8; 4]>,
    out: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let (opcode, payload) = match message {
        WebSocketMessage::Text(text) => (OpCode::Text, text.as_bytes()),
        WebSocketMessage::Binary(bytes) => (OpCode::Binary, bytes),
    };
    let header = FrameHeader { mask: key, ..FrameHeader::new(opcode, payload.len()) };
    header.encode_frame(payload.iter(), out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_6455_section_5_7_are_written_as_it_shows_them() {
        let mut out = [0; 16];
        let len = encode_message(WebSocketMessage::Text("Hello"), None, &mut out).unwrap();
        assert_eq!(out[..len], [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
        let len = encode_message(WebSocketMessage::Text("Hello"), Some([0x37, 0xfa, 0x21, 0x3d]), &mut out)
            .unwrap();
        assert_eq!(out[..len], [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }

    #[test]
    fn a_message_that_does_not_fit_is_not_begun() {
        let mut out = [0xee; 6];
        assert_eq!(
            encode_message(WebSocketMessage::Binary(b"Hello"), None, &mut out),
            Err(BufferTooSmall { needed: 7 })
        );
        assert_eq!(out, [0xee; 6]);
    }
}
