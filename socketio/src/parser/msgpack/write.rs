//! Writes packets in `MessagePack`.

use std::borrow::Cow;

use rmp::encode::{self, ByteBuf};

use crate::args::{EncodeError, RawArgs};
use crate::packet::{Body, Packet};
use crate::parser::{known, refusal};
use crate::value::Value;

/// How deep an argument may nest: receivers accept 64 levels, and the list of arguments is one.
const MAX_DEPTH: u8 = 63;
/// About how many bytes a packet has besides its arguments.
const HEAD: usize = 48;

/// Writes a packet: an object with the members that it needs, in the order of the reference.
pub(super) fn packet(packet: &Packet) -> Result<Vec<u8>, EncodeError> {
    let (kind, name, args, id) = match &packet.body {
        Body::Connect(data) => (0, None, Some(data), None),
        Body::Disconnect => (1, None, None, None),
        Body::Event { name, args, id } => (2, Some(name), Some(args), *id),
        Body::Ack { id, args } => (3, None, Some(args), Some(*id)),
        Body::ConnectError(data) => (4, None, Some(data), None),
    };
    let values = args.map(values).transpose()?.unwrap_or_default();
    let list = matches!(packet.body, Body::Event { .. } | Body::Ack { .. });
    known(packet, if list { "" } else { outline(&values) }).map_err(|error| refusal(error, packet, 0))?;
    let has_data = list || !values.is_empty();

    let mut out = Writer(ByteBuf::with_capacity(args.map_or(0, RawArgs::byte_len) + HEAD));
    out.map(2 + usize::from(has_data) + usize::from(id.is_some()));
    out.text("type");
    out.unsigned(kind);
    if has_data {
        out.text("data");
    }
    if list {
        out.array(values.len() + usize::from(name.is_some()));
    }
    if let Some(name) = name {
        out.text(name);
    }
    for value in &*values {
        out.value(value, MAX_DEPTH)?;
    }
    out.text("nsp");
    out.text(&packet.namespace);
    if let Some(id) = id {
        out.text("id");
        out.unsigned(id);
    }
    let mut bytes = out.0.into_vec();
    // Values take much more memory than their bytes, which may wait in many outboxes.
    bytes.shrink_to_fit();
    Ok(bytes)
}

fn values(args: &RawArgs) -> Result<Cow<'_, [Value]>, EncodeError> {
    // JSON that was passed on as it arrived may hold text that is not Unicode.
    args.cow_values().map_err(|error| EncodeError::Serialize(error.to_string().into()))
}

/// Returns JSON of the same kind as the data of a packet: the protocol allows some kinds.
fn outline(data: &[Value]) -> &'static str {
    match data {
        [] => "",
        [Value::Object(_)] => "{}",
        [Value::String(_)] => "\"\"",
        _ => "0",
    }
}

struct Writer(ByteBuf);

impl Writer {
    fn value(&mut self, value: &Value, depth: u8) -> Result<(), EncodeError> {
        let deeper = || depth.checked_sub(1).ok_or(EncodeError::TooDeep);
        match value {
            Value::Null => {
                let Ok(()) = encode::write_nil(&mut self.0);
            }
            Value::Bool(value) => {
                let Ok(()) = encode::write_bool(&mut self.0, *value);
            }
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), ..) => self.unsigned(value),
                (None, Some(value), _) => {
                    let Ok(_) = encode::write_sint(&mut self.0, value);
                }
                (None, None, value) => {
                    let Ok(()) = encode::write_f64(&mut self.0, value.unwrap_or(f64::NAN));
                }
            },
            Value::String(text) => self.text(text),
            Value::Binary(bytes) => {
                let Ok(()) = encode::write_bin(&mut self.0, bytes);
            }
            Value::Array(values) => {
                let depth = deeper()?;
                self.array(values.len());
                for value in values {
                    self.value(value, depth)?;
                }
            }
            Value::Object(members) => {
                let depth = deeper()?;
                self.map(members.len());
                for (key, value) in &**members {
                    self.text(key);
                    self.value(value, depth)?;
                }
            }
        }
        Ok(())
    }

    fn unsigned(&mut self, value: u64) {
        let Ok(_) = encode::write_uint(&mut self.0, value);
    }

    fn text(&mut self, text: &str) {
        let Ok(()) = encode::write_str(&mut self.0, text);
    }

    fn array(&mut self, len: usize) {
        let Ok(_) = encode::write_array_len(&mut self.0, length(len));
    }

    fn map(&mut self, len: usize) {
        let Ok(_) = encode::write_map_len(&mut self.0, length(len));
    }
}

/// No message is as long as lengths of 32 bits allow.
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
