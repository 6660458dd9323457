//! The parser that peers speak unless they are told otherwise: text, and binary data in messages of its own.

use bytes::Bytes;
use bytestring::ByteString;
use eio_core::packet::WebSocketMessage;
use eio_core::socketio::{self, PacketError, Received};
use eio_tokio::Message;

use super::{Decoder, Encoded, ParseError, Parser, known, name, refusal};
use crate::args::{EncodeError, RawArgs};
use crate::packet::{Body, Packet};

/// The parser of the Socket.IO protocol, revisions 4 and 5: each packet is a text message with JSON, followed by a
/// message for each piece of binary data.
///
/// It reads what socket.io-parser 4.2 reads, except what
/// [the codec](eio_core::socketio#where-this-codec-is-stricter-than-the-reference) refuses.
///
/// ```
/// use eio_socketio::{Body, DefaultParser, Parser};
/// use eio_tokio::Message;
///
/// let mut decoder = DefaultParser.decoder();
/// let header = Message::text(r#"51-["image",{"_placeholder":true,"num":0}]"#);
/// assert_eq!(decoder.decode(header)?, None);
/// let packet = decoder.decode(Message::binary(&b"\x89PNG"[..]))?.expect("all has arrived");
/// let Body::Event { name, args, .. } = packet.body else { unreachable!() };
/// assert_eq!(name, "image");
/// assert_eq!(args.attachments(), [&b"\x89PNG"[..]]);
/// # Ok::<(), eio_socketio::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no settings")]
pub struct DefaultParser;

impl Parser for DefaultParser {
    fn encode(&self, packet: &Packet) -> Result<Encoded, EncodeError> {
        let (list, attachments) = match &packet.body {
            Body::Connect(args)
            | Body::ConnectError(args)
            | Body::Event { args, .. }
            | Body::Ack { args, .. } => args.to_json()?,
            Body::Disconnect => Default::default(),
        };
        let text = encode_text(packet, &list, attachments.len())
            .map_err(|error| refusal(error, packet, attachments.len()))?;
        Ok(Encoded::new(Message::text(text), attachments.iter().cloned().map(Message::binary)))
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(DefaultDecoder::default())
    }

    fn name(&self) -> &'static str {
        "default"
    }
}

/// Writes the text of a packet, whose arguments are `list`.
fn encode_text(packet: &Packet, list: &str, attachments: usize) -> Result<String, PacketError> {
    let count = u32::try_from(attachments).unwrap_or(u32::MAX);
    let list_follows = count == 0 && matches!(packet.body, Body::Event { .. } | Body::Ack { .. });
    // The list was written or checked by us: the codec need not read it again. Placeholders it has to check.
    let head = known(packet, if list_follows { "" } else { list })?.with_attachments(count)?;
    let mut short = [0; 128];
    let mut long = Vec::new();
    let head = match head.encode(&mut short) {
        Ok(text) => text,
        Err(error) => {
            long.resize(error.needed, 0);
            head.encode(&mut long).unwrap_or_default()
        }
    };
    if !list_follows || list.is_empty() {
        return Ok(head.to_owned());
    }
    // The head ends with the array's bracket: the list comes before it.
    let head = head.strip_suffix(']').unwrap_or(head);
    let comma = if head.ends_with('[') { "" } else { "," };
    Ok([head, comma, list, "]"].concat())
}

/// Reads packets, and collects their attachments.
#[derive(Debug, Default)]
struct DefaultDecoder {
    codec: socketio::Decoder,
    pending: Option<Pending>,
}

/// A packet that waits for attachments.
#[derive(Debug)]
struct Pending {
    packet: Packet,
    attachments: Vec<Bytes>,
}

impl Decoder for DefaultDecoder {
    fn decode(&mut self, message: Message) -> Result<Option<Packet>, ParseError> {
        match message {
            Message::Text(text) => {
                let Received::Packet(packet) = self.codec.decode(WebSocketMessage::Text(&text))? else {
                    return Ok(None);
                };
                // Nothing could be answered in a namespace of another name.
                let namespace = packet.namespace();
                socketio::Packet::disconnect()
                    .in_namespace(namespace)
                    .map_err(|error| moved(error, &text, namespace))?;
                if let socketio::Body::Connect(data) | socketio::Body::ConnectError(data) = packet.body() {
                    // It may be passed on as an argument, one level deeper.
                    socketio::Packet::ack(0, data).map_err(|error| moved(error, &text, data))?;
                }
                let attachments = packet.attachments();
                let packet = shared(&text, &packet).of_message(text.len());
                if attachments == 0 {
                    return Ok(Some(packet));
                }
                self.pending = Some(Pending { packet, attachments: Vec::new() });
                Ok(None)
            }
            Message::Binary(bytes) => {
                let received = self.codec.decode(WebSocketMessage::Binary(&bytes))?;
                let last = matches!(received, Received::Attachment { last: true, .. });
                let Some(pending) = &mut self.pending else {
                    return Ok(None);
                };
                pending.attachments.push(bytes);
                if last {
                    return Ok(self.pending.take().map(Pending::complete));
                }
                Ok(None)
            }
        }
    }
}

/// Returns the error about a part of the text, with its place in the whole text.
fn moved(mut error: PacketError, text: &str, part: &str) -> PacketError {
    let start = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    error.at = error.at.saturating_add(start);
    error
}

impl Pending {
    fn complete(self) -> Packet {
        let Self { mut packet, attachments } = self;
        if let Body::Event { args, .. } | Body::Ack { args, .. } = &mut packet.body {
            args.attach(attachments);
        }
        packet
    }
}

/// Returns a packet that shares the text it was read from.
fn shared(text: &ByteString, packet: &socketio::Packet<'_>) -> Packet {
    let args = |list: &str| RawArgs::from_json(text.slice_ref(list), Vec::new());
    let body = match packet.body() {
        socketio::Body::Connect(data) => Body::Connect(args(data)),
        socketio::Body::Disconnect => Body::Disconnect,
        socketio::Body::Event(event) => {
            let name = name::in_text(text, packet.namespace(), &event);
            Body::Event { name, args: args(event.args().as_str()), id: packet.id() }
        }
        // No event has this number.
        socketio::Body::Ack(list) => {
            Body::Ack { id: packet.id().unwrap_or(u64::MAX), args: args(list.as_str()) }
        }
        socketio::Body::ConnectError(data) => Body::ConnectError(args(data)),
    };
    let namespace = match packet.namespace() {
        "/" => ByteString::from_static("/"),
        other => text.slice_ref(other),
    };
    Packet { namespace, body }
}

#[cfg(test)]
pub(in crate::parser) mod tests;
