//! Matches binary packets with their attachments.

use super::{Args, Packet, PacketError, PacketErrorKind};
use crate::json::{self, Kind};
use crate::packet::WebSocketMessage;
use crate::text::read_decimal;

/// Matches packets with the attachments that follow them, without storing any of their bytes.
///
/// An event with binary arguments is sent as one text message, with a placeholder for each binary argument. One binary
/// message for each follows, in order, with nothing in between. If you use no binary data, you do not need this type:
/// call [`Packet::decode`] on each text.
///
/// ```
/// use eio_core::packet::WebSocketMessage;
/// use eio_core::socketio::{self, Body, Decoder, Received};
///
/// let mut decoder = Decoder::new();
/// let header = r#"51-["image",{"_placeholder":true,"num":0}]"#;
/// let Received::Packet(packet) = decoder.decode(WebSocketMessage::Text(header))? else { unreachable!() };
/// let Body::Event(event) = packet.body() else { unreachable!() };
/// assert_eq!(event.args().iter().next().and_then(socketio::placeholder), Some(0));
/// assert_eq!(decoder.missing(), 1);
///
/// let image = Received::Attachment { num: 0, data: b"\x89PNG", last: true };
/// assert_eq!(decoder.decode(WebSocketMessage::Binary(b"\x89PNG"))?, image);
/// assert_eq!(decoder.missing(), 0);
/// # Ok::<(), eio_core::socketio::PacketError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Decoder {
    announced: u32,
    received: u32,
}

/// The content of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "a message is a packet or an attachment")]
pub enum Received<'a> {
    /// A packet. The messages that follow carry its [`attachments`](Packet::attachments).
    Packet(Packet<'a>),
    /// One attachment of the previous packet.
    Attachment {
        /// Its number, from 0, which is also in its placeholder.
        num: u32,
        /// Its bytes.
        data: &'a [u8],
        /// Whether the packet is complete now.
        last: bool,
    },
}

impl Decoder {
    /// Creates a decoder that expects a packet.
    #[must_use]
    pub const fn new() -> Self {
        Self { announced: 0, received: 0 }
    }

    /// Takes the next message of the session.
    ///
    /// # Errors
    /// Returns the errors of [`Packet::decode`], and an error for a text where an attachment was expected or a binary
    /// message where none was expected. Reference implementations end the connection then. The decoder is unchanged.
    pub fn decode<'a>(&mut self, message: WebSocketMessage<'a>) -> Result<Received<'a>, PacketError> {
        match message {
            WebSocketMessage::Text(_) if self.missing() > 0 => {
                Err(PacketError { at: 0, kind: PacketErrorKind::AttachmentMissing })
            }
            WebSocketMessage::Text(text) => {
                let packet = Packet::decode(text)?;
                *self = Self { announced: packet.attachments, received: 0 };
                Ok(Received::Packet(packet))
            }
            WebSocketMessage::Binary(_) if self.missing() == 0 => {
                Err(PacketError { at: 0, kind: PacketErrorKind::UnexpectedBinary })
            }
            WebSocketMessage::Binary(data) => {
                let num = self.received;
                self.received = self.received.saturating_add(1);
                Ok(Received::Attachment { num, data, last: self.missing() == 0 })
            }
        }
    }

    /// Returns the number of attachments of the last packet that are still to come.
    #[must_use]
    pub const fn missing(&self) -> u32 {
        self.announced.saturating_sub(self.received)
    }
}

/// Returns the number of the attachment that belongs in the place of this JSON value, or `None` if the value is not a
/// placeholder.
///
/// ```
/// use eio_core::socketio::placeholder;
///
/// assert_eq!(placeholder(r#"{"_placeholder":true,"num":3}"#), Some(3));
/// assert_eq!(placeholder(r#"{"num":3}"#), None);
/// ```
#[must_use]
pub fn placeholder(value: &str) -> Option<u32> {
    if json::member(value, PLACEHOLDER)? != "true" {
        return None;
    }
    plain_number(json::member(value, NUM)?)
}

/// Checks that every placeholder in `values`, at any depth, refers to one of `attachments`.
///
/// The reference implementations check this only when the last attachment has arrived. This check is early, for callers
/// that look up attachments by these numbers.
pub(super) fn check_placeholders(values: Args<'_>, attachments: u32) -> Result<(), PacketError> {
    let list = values.as_str();
    let mut at = 0;
    while at < list.len() {
        at = json::skip_whitespace(list, check_value(list, at, attachments)?).saturating_add(1);
    }
    Ok(())
}

/// Checks the value at `at` in the same way, and returns the offset after it.
fn check_value(text: &str, at: usize, attachments: u32) -> Result<usize, PacketError> {
    let mut reader = json::Reader::new(text, at, 0);
    let mut member = Member::Other;
    // One bit per open container, the innermost lowest: `marked` if it says that it is a placeholder, `numbered` if it
    // has a valid number.
    let (mut marked, mut numbered) = (0_u64, 0_u64);
    loop {
        let token = reader.next()?;
        // As in JavaScript, the last of several members with one name counts.
        match member {
            Member::Mark => marked = (marked & !1) | u64::from(token.kind == Kind::True),
            Member::Num => {
                let valid = token.kind == Kind::Number
                    && plain_number(token.raw).is_some_and(|num| num < attachments);
                numbered = (numbered & !1) | u64::from(valid);
            }
            Member::Other => {}
        }
        member = Member::Other;
        match token.kind {
            Kind::Key if json::raw_eq(token.raw, PLACEHOLDER) => member = Member::Mark,
            Kind::Key if json::raw_eq(token.raw, NUM) => member = Member::Num,
            Kind::End => return Ok(reader.at()),
            Kind::Object | Kind::Array => (marked, numbered) = (marked << 1, numbered << 1),
            Kind::ObjectEnd | Kind::ArrayEnd => {
                if marked & !numbered & 1 == 1 {
                    return Err(PacketError { at: token.at, kind: PacketErrorKind::InvalidPlaceholder });
                }
                (marked, numbered) = (marked >> 1, numbered >> 1);
            }
            _ => {}
        }
    }
}

const PLACEHOLDER: &str = "_placeholder";
const NUM: &str = "num";

/// The member whose value the next token is or begins.
enum Member {
    Mark,
    Num,
    Other,
}

/// A number written as digits and nothing else.
fn plain_number(text: &str) -> Option<u32> {
    let (number, length) = read_decimal(text, u64::from(u32::MAX))?;
    if length == text.len() { u32::try_from(number).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socketio::Packet;

    /// Whether these arguments may have two attachments.
    fn is_allowed(args: &str) -> bool {
        let event = Packet::event("x", args).expect("an event");
        match event.with_attachments(2).map_err(|error| error.kind) {
            Ok(_) => true,
            Err(PacketErrorKind::InvalidPlaceholder) => false,
            Err(other) => panic!("{args}: {other}"),
        }
    }

    #[test]
    fn a_placeholder_has_the_number_of_an_attachment() {
        for args in [
            r#"{"_placeholder":true,"num":0},{"num":1,"_placeholder":true}"#,
            r#"{"_placeholder":false,"num":9},{"_placeholder":1},{"num":9}"#,
            r#"{"_placeholder":true,"_placeholder":false}"#,
            r#"{"_placeholder":true,"num":9,"num":0}"#,
            r#"{"num":0,"_placeholder":true,"other":"9"}"#,
        ] {
            assert!(is_allowed(args), "{args}");
        }
        for args in [
            r#"{"_placeholder":true,"num":2}"#,
            r#"{"_placeholder":true,"num":-1}"#,
            r#"{"_placeholder":true,"num":1.0}"#,
            r#"{"_placeholder":true,"num":"0"}"#,
            r#"{"_placeholder":true,"num":[0]}"#,
            r#"{"_placeholder":true}"#,
            r#"{"_placeholder":true,"other":0}"#,
            r#"{"_placeholder":false,"_placeholder":true}"#,
            r#"{"_placeholder":true,"num":0,"num":9}"#,
            r#"{"num":0},{"_placeholder":true}"#,
        ] {
            assert!(!is_allowed(args), "{args}");
        }
    }

    #[test]
    fn each_of_nested_containers_is_judged_by_its_own_members() {
        for args in [
            r#"[[{"a":{"_placeholder":true,"num":1}}]]"#,
            r#"{"_placeholder":true,"num":0,"a":{"_placeholder":false,"num":9},"b":[{}]}"#,
            r#"{"_placeholder":true,"num":0,"a":{"_placeholder":true,"num":1}}"#,
            r#"{"_placeholder":true,"a":[{"_placeholder":true,"num":0}],"num":1}"#,
        ] {
            assert!(is_allowed(args), "{args}");
        }
        for args in [
            r#"[[{"a":{"_placeholder":true,"num":2}}]]"#,
            r#"{"_placeholder":true,"a":{}}"#,
            r#"{"_placeholder":true,"a":[]}"#,
            r#"{"_placeholder":true,"a":{"num":0}}"#,
            r#"{"_placeholder":true,"a":{"_placeholder":false}}"#,
            r#"{"_placeholder":true,"num":{"num":0}}"#,
            r#"{"_placeholder":true,"a":[{"_placeholder":true,"num":0}]}"#,
        ] {
            assert!(!is_allowed(args), "{args}");
        }
    }
}
