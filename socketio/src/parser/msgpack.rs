//! The parser of socket.io-msgpack-parser.

mod date;
mod error;
mod read;
mod write;

use eio_core::socketio::{self, Expected, MAX_ID};
use eio_tokio::Message;

pub use error::{MsgPackError, MsgPackErrorKind};

use super::{Decoder, Encoded, ParseError, Parser, name};
use crate::args::{EncodeError, RawArgs};
use crate::packet::{Body, Packet};
use crate::value::Value;

/// The parser of `socket.io-msgpack-parser`: each packet is one binary message in the `MessagePack` format, binary data in
/// its place. Use it if all peers use it, too.
///
/// It reads what version 3 of the reference reads, except reserved names of events, events without a name, values that nest
/// more than 64 levels deep, and messages of more than about 1 KB whose values take more than 64 times the memory that the
/// message does, such as long lists of empty objects. A date is the text that JSON has for it, so that handlers need not know which
/// parser is in use. Members that are undefined are left out, as in JSON. A packet whose number is nil has none, and so is it
/// with the data of packets that need none: python-socketio writes nil for what it leaves out, which the reference refuses.
///
/// ```
/// use eio_socketio::{Args, MsgPackParser, Packet, Parser, RawArgs};
/// use eio_tokio::Message;
///
/// let packet = Packet::event("/", "hi", RawArgs::new(7)?);
/// let encoded = MsgPackParser.encode(&packet)?;
/// let bytes = b"\x83\xa4type\x02\xa4data\x92\xa2hi\x07\xa3nsp\xa1/";
/// assert!(encoded.messages().eq([&Message::binary(&bytes[..])]));
/// # Ok::<(), eio_socketio::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no settings")]
pub struct MsgPackParser;

impl Parser for MsgPackParser {
    fn encode(&self, packet: &Packet) -> Result<Encoded, EncodeError> {
        Ok(Encoded::new(Message::binary(write::packet(packet)?), []))
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(MsgPackDecoder)
    }

    fn name(&self) -> &'static str {
        "msgpack"
    }
}

struct MsgPackDecoder;

impl Decoder for MsgPackDecoder {
    fn decode(&mut self, message: Message) -> Result<Option<Packet>, ParseError> {
        let Message::Binary(bytes) = message else {
            return Err(MsgPackError { at: 0, kind: MsgPackErrorKind::Text }.into());
        };
        let len = bytes.len();
        let value = read::document(bytes)?;
        let packet = packet(value).map_err(|kind| MsgPackError { at: 0, kind })?;
        Ok(Some(packet.of_message(len)))
    }
}

/// Makes a packet of a message's value.
fn packet(value: Value) -> Result<Packet, MsgPackErrorKind> {
    let Value::Object(mut members) = value else {
        return Err(MsgPackErrorKind::NotAPacket);
    };
    let id = match members.get("id") {
        None | Some(Value::Null) => None,
        Some(id) => Some(id.as_u64().filter(|id| *id <= MAX_ID).ok_or(MsgPackErrorKind::InvalidId)?),
    };
    let Some(Value::String(namespace)) = members.swap_remove("nsp") else {
        return Err(MsgPackErrorKind::InvalidNamespace);
    };
    if socketio::Packet::disconnect().in_namespace(&namespace).is_err() {
        return Err(MsgPackErrorKind::InvalidNamespace);
    }
    let data = members.swap_remove("data").filter(|data| *data != Value::Null);
    let body = match members.get("type").and_then(Value::as_u64).ok_or(MsgPackErrorKind::InvalidType)? {
        0 => match data {
            None => Body::Connect(RawArgs::none()),
            Some(data @ Value::Object(_)) => Body::Connect(RawArgs::from_values([data])),
            Some(_) => return Err(MsgPackErrorKind::WrongData(Expected::Object)),
        },
        1 if data.is_some() => return Err(MsgPackErrorKind::WrongData(Expected::Nothing)),
        1 => Body::Disconnect,
        2 => event(data, id)?,
        3 => match data {
            // No event has this number.
            Some(Value::Array(values)) => {
                Body::Ack { id: id.unwrap_or(u64::MAX), args: RawArgs::from_values(values) }
            }
            _ => return Err(MsgPackErrorKind::WrongData(Expected::Array)),
        },
        4 => match data {
            Some(data @ (Value::Object(_) | Value::String(_))) => {
                Body::ConnectError(RawArgs::from_values([data]))
            }
            _ => return Err(MsgPackErrorKind::WrongData(Expected::ObjectOrString)),
        },
        _ => return Err(MsgPackErrorKind::InvalidType),
    };
    Ok(Packet { namespace: namespace.into(), body })
}

fn event(data: Option<Value>, id: Option<u64>) -> Result<Body, MsgPackErrorKind> {
    let wrong = MsgPackErrorKind::WrongData(Expected::NamedArray);
    let Some(Value::Array(values)) = data else {
        return Err(wrong);
    };
    let mut values = values.into_iter();
    let name = match values.next() {
        Some(Value::String(name)) => name,
        Some(Value::Number(number)) => name::of_number(&number.to_string()),
        _ => return Err(wrong),
    };
    if socketio::Packet::event(&name, "").is_err() {
        return Err(MsgPackErrorKind::ReservedName);
    }
    Ok(Body::Event { name: name.into(), args: RawArgs::from_values(values), id })
}

#[cfg(test)]
mod tests;
