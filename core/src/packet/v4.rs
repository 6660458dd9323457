//! Revision 4, used by Socket.IO 3 and 4.
//!
//! | packet | as WebSocket text | as WebSocket bytes |
//! |---|---|---|
//! | text | type digit, then the text | – |
//! | binary message | `b`, then base64 | the bytes alone |
//!
//! Only messages can be binary. In text, `b` alone marks a binary message: no type digit follows it. Source:
//! the Engine.IO protocol, revision 4, "Packet encoding".

use super::{Base64, Data, DecodeError, Packet, PacketType, WebSocketMessage, packet_type, writer::Writer};
use crate::BufferTooSmall;

/// Decodes the packet in `message`. Base64 in text is accepted from every peer, even from one that could send bytes.
///
/// # Errors
/// Returns a [`DecodeError`] if the message is empty text, starts with neither a digit from 0 to 6 nor `b`, or has
/// invalid base64.
///
/// ```
/// use eio_core::packet::{Packet, PacketType, WebSocketMessage, v4};
///
/// assert_eq!(v4::decode(WebSocketMessage::Text("2")), Ok(Packet::PING));
/// assert_eq!(v4::decode(WebSocketMessage::Text("4hi")), Ok(Packet::text(PacketType::Message, "hi")));
/// assert_eq!(v4::decode(WebSocketMessage::Binary(&[1, 2])), Ok(Packet::message(WebSocketMessage::Binary(&[1, 2]))));
/// assert_eq!(v4::decode(WebSocketMessage::Text("bAQ!D")).unwrap_err().at, 3);
/// ```
#[inline]
pub fn decode(message: WebSocketMessage<'_>) -> Result<Packet<'_>, DecodeError> {
    let WebSocketMessage::Text(text) = message else { return Ok(Packet::message(message)) };
    // One step for both forms, and no `strip_prefix` with a `char`: it brings more code into a small image.
    let data = text.get(1..).unwrap_or_default();
    let [b'b', ..] = text.as_bytes() else {
        return Ok(Packet::text(packet_type(text.as_bytes(), b'0')?, data));
    };
    let base64 = Base64::new(data).map_err(|error| error.after(1))?;
    Ok(Packet { packet_type: PacketType::Message, data: Data::Base64(base64) })
}

/// Decodes the packet in `message` like [`decode`], for a peer that never writes base64 in text: a client that has not
/// asked for it with `b64` in its query has such a server. It saves a small image the code for base64.
///
/// # Errors
/// Those of [`decode`]. Base64 in text is an unknown type.
///
/// ```
/// use eio_core::packet::{DecodeErrorKind, Packet, WebSocketMessage, v4};
///
/// assert_eq!(v4::decode_without_base64(WebSocketMessage::Text("2")), Ok(Packet::PING));
/// let error = v4::decode_without_base64(WebSocketMessage::Text("bAQID")).unwrap_err();
/// assert_eq!(error.kind, DecodeErrorKind::UnknownType(b'b'));
/// ```
#[inline]
pub fn decode_without_base64(message: WebSocketMessage<'_>) -> Result<Packet<'_>, DecodeError> {
    let WebSocketMessage::Text(text) = message else { return Ok(Packet::message(message)) };
    Ok(Packet::text(packet_type(text.as_bytes(), b'0')?, text.get(1..).unwrap_or_default()))
}

/// Writes `packet` as one WebSocket message.
///
/// `supports_binary` is false for a peer that asked for base64 (`b64` in its query). For any other peer, a binary
/// packet is sent as it is: the function returns its bytes unchanged and does not write to `out`. A packet with binary
/// data is always encoded as a message.
///
/// # Errors
/// Returns [`BufferTooSmall`] if the message does not fit into `out`. A buffer of [`encoded_len`] bytes is always enough.
///
/// ```
/// use eio_core::packet::{Packet, WebSocketMessage, v4};
///
/// let mut buffer = [0; 64];
/// let packet = Packet::message(WebSocketMessage::Text("hi"));
/// assert_eq!(v4::encode(&packet, true, &mut buffer), Ok(WebSocketMessage::Text("4hi")));
///
/// let packet = Packet::message(WebSocketMessage::Binary(&[1, 2, 3, 4]));
/// assert_eq!(v4::encode(&packet, true, &mut []), Ok(WebSocketMessage::Binary(&[1, 2, 3, 4])));
/// assert_eq!(v4::encode(&packet, false, &mut buffer), Ok(WebSocketMessage::Text("bAQIDBA==")));
/// assert_eq!(v4::encode(&packet, false, &mut [0; 4]).unwrap_err().needed, 9);
/// ```
pub fn encode<'o>(
    packet: &Packet<'o>,
    supports_binary: bool,
    out: &'o mut [u8],
) -> Result<WebSocketMessage<'o>, BufferTooSmall> {
    match packet.data {
        Data::Binary(bytes) if supports_binary => Ok(WebSocketMessage::Binary(bytes)),
        Data::Base64(text) if supports_binary => text.decode(out).map(WebSocketMessage::Binary),
        _ => {
            let mut writer = Writer::new(out);
            let len = text_len(packet);
            writer.reserve(len)?;
            fill_text(packet, writer.advance(len));
            Ok(WebSocketMessage::Text(writer.finish_text()))
        }
    }
}

/// Returns the length, in bytes, of the WebSocket message that [`encode`] writes for `packet`.
#[must_use]
pub const fn encoded_len(packet: &Packet<'_>, supports_binary: bool) -> usize {
    if supports_binary && packet.data.is_binary() { packet.data.raw_len() } else { text_len(packet) }
}

/// Returns the length of `packet` as text, in bytes.
pub(crate) const fn text_len(packet: &Packet<'_>) -> usize {
    packet.data.text_len().saturating_add(1)
}

/// Writes `packet` as text into `out`, whose length is `text_len`.
#[inline]
pub(crate) fn fill_text(packet: &Packet<'_>, out: &mut [u8]) {
    let Some((first, data)) = out.split_first_mut() else { return };
    *first = if packet.data.is_binary() { b'b' } else { packet.packet_type.as_ascii() };
    packet.data.fill_text(data);
}
