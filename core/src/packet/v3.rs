//! Revision 3, used by Socket.IO 1 and 2, and by newer servers that allow old clients.
//!
//! | packet | as WebSocket text | as WebSocket bytes |
//! |---|---|---|
//! | text | type digit, then the text | – |
//! | binary | `b`, type digit, then base64 | type as a number (4, not `4`), then the bytes |
//!
//! Any packet can be binary, although in practice only messages are. Source: the Engine.IO protocol, revision 3,
//! "Encoding".

use super::{Base64, Data, DecodeError, Packet, WebSocketMessage, packet_type, writer::Writer};
use crate::BufferTooSmall;

/// Decodes the packet in `message`. Base64 in text is accepted from every peer, even from one that could send bytes.
///
/// # Errors
/// Returns a [`DecodeError`] if the message is empty, has no valid type, or has invalid base64.
///
/// ```
/// use eio_core::packet::{Packet, PacketType, WebSocketMessage, v3};
///
/// assert_eq!(v3::decode(WebSocketMessage::Text("2probe")), Ok(Packet::PING_PROBE));
/// assert_eq!(v3::decode(WebSocketMessage::Binary(&[4, 1, 2])), Ok(Packet::message(WebSocketMessage::Binary(&[1, 2]))));
/// assert_eq!(v3::decode(WebSocketMessage::Text("b4AQ")).unwrap().packet_type, PacketType::Message);
/// assert_eq!(v3::decode(WebSocketMessage::Text("b9AQ")).unwrap_err().at, 1);
/// ```
pub fn decode(message: WebSocketMessage<'_>) -> Result<Packet<'_>, DecodeError> {
    match message {
        WebSocketMessage::Text(text) => {
            let data = text.get(1..).unwrap_or_default();
            let [b'b', ..] = text.as_bytes() else {
                return Ok(Packet::text(packet_type(text.as_bytes(), b'0')?, data));
            };
            let packet_type = packet_type(data.as_bytes(), b'0').map_err(|error| error.after(1))?;
            let base64 = Base64::new(data.get(1..).unwrap_or_default()).map_err(|error| error.after(2))?;
            Ok(Packet { packet_type, data: Data::Base64(base64) })
        }
        WebSocketMessage::Binary(bytes) => {
            let packet_type = packet_type(bytes, 0)?;
            Ok(Packet { packet_type, data: Data::Binary(bytes.get(1..).unwrap_or_default()) })
        }
    }
}

/// Writes `packet` as one WebSocket message. `supports_binary` is false for a peer that asked for base64 (`b64` in its
/// query).
///
/// # Errors
/// Returns [`BufferTooSmall`] if `out` is shorter than [`encoded_len`]. Nothing was written then.
///
/// ```
/// use eio_core::packet::{Packet, WebSocketMessage, v3};
///
/// let mut buffer = [0; 64];
/// let packet = Packet::message(WebSocketMessage::Binary(&[1, 2, 3, 4]));
/// assert_eq!(v3::encode(&packet, true, &mut buffer), Ok(WebSocketMessage::Binary(&[4, 1, 2, 3, 4])));
/// assert_eq!(v3::encode(&packet, false, &mut buffer), Ok(WebSocketMessage::Text("b4AQIDBA==")));
/// assert_eq!(v3::encode(&Packet::PONG, true, &mut []).unwrap_err().needed, 1);
/// ```
pub fn encode<'o>(
    packet: &Packet<'_>,
    supports_binary: bool,
    out: &'o mut [u8],
) -> Result<WebSocketMessage<'o>, BufferTooSmall> {
    let mut writer = Writer::new(out);
    writer.reserve(encoded_len(packet, supports_binary))?;
    if supports_binary && packet.data.is_binary() {
        write_binary(packet, &mut writer);
        Ok(WebSocketMessage::Binary(writer.finish()))
    } else {
        write_text(packet, &mut writer);
        Ok(WebSocketMessage::Text(writer.finish_text()))
    }
}

/// Returns the length, in bytes, of the WebSocket message that [`encode`] writes for `packet`.
#[must_use]
pub const fn encoded_len(packet: &Packet<'_>, supports_binary: bool) -> usize {
    if !packet.data.is_binary() {
        packet.data.text_len().saturating_add(1)
    } else if supports_binary {
        packet.data.raw_len().saturating_add(1)
    } else {
        packet.data.text_len().saturating_add(2)
    }
}

/// Writes `packet` as text. The caller has reserved `encoded_len(packet, false)`.
pub(crate) fn write_text(packet: &Packet<'_>, writer: &mut Writer<'_>) {
    if packet.data.is_binary() {
        writer.byte(b'b');
    }
    writer.byte(packet.packet_type.as_ascii());
    packet.data.fill_text(writer.advance(packet.data.text_len()));
}

/// Writes `packet` as bytes. The caller has reserved `encoded_len(packet, true)`.
pub(crate) fn write_binary(packet: &Packet<'_>, writer: &mut Writer<'_>) {
    writer.byte(packet.packet_type.digit());
    packet.data.write_raw(writer);
}
