//! The items that a [`Decoder`](super::Decoder) returns.

use core::str::Utf8Error;

use super::ControlFrame;
use crate::packet::WebSocketMessage;

/// The result of [`Decoder::decode`](super::Decoder::decode).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "an answer has these two parts")]
pub struct Decoded<'b> {
    /// The number of bytes at the start of the input that were consumed. The item's bytes are the last of them.
    pub consumed: usize,
    /// The item at the end of these bytes, or `None` if more bytes are needed.
    pub item: Option<Item<'b>>,
}

/// One item that a peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(
    clippy::exhaustive_enums,
    reason = "RFC 6455 has data and control frames, and data may come in pieces"
)]
pub enum Item<'b> {
    /// A whole message in one frame that was completely in the input. Most messages arrive like this.
    Message(WebSocketMessage<'b>),
    /// The next bytes of a message that is not completely in the input.
    Piece(Piece<'b>),
    /// A control frame. It may come between two pieces of a message.
    Control(ControlFrame<'b>),
}

/// Some bytes of a message, in order. A message either has at least two pieces, or is returned as [`Item::Message`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "a piece is some bytes and their place in the message")]
pub struct Piece<'b> {
    /// The kind of the message.
    pub kind: MessageKind,
    /// The bytes. They are empty only in a last piece.
    ///
    /// In a text message they may begin or end inside a character. All pieces so far are the beginning of valid
    /// UTF-8, and all pieces up to the last are valid UTF-8.
    pub bytes: &'b [u8],
    /// Whether the message begins here.
    pub first: bool,
    /// Whether the message ends here.
    pub last: bool,
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 has two kinds of data messages")]
pub enum MessageKind {
    /// A text message; its bytes are UTF-8.
    Text,
    /// A binary message; its bytes may have any value.
    Binary,
}

impl MessageKind {
    /// Returns the message of this kind with these bytes: the pieces of a message, or an entry of a queue.
    ///
    /// ```
    /// use eio_core::packet::WebSocketMessage;
    /// use eio_core::ws::MessageKind;
    ///
    /// assert_eq!(MessageKind::Text.message(b"4hi"), Ok(WebSocketMessage::Text("4hi")));
    /// assert_eq!(MessageKind::Binary.message(b"\xff"), Ok(WebSocketMessage::Binary(b"\xff")));
    /// assert!(MessageKind::Text.message(b"\xff").is_err());
    /// ```
    ///
    /// # Errors
    /// Returns the error of [`core::str::from_utf8`] for a text that is not UTF-8. The pieces of one message, put
    /// together, always are.
    pub const fn message(self, bytes: &[u8]) -> Result<WebSocketMessage<'_>, Utf8Error> {
        match self {
            Self::Text => match core::str::from_utf8(bytes) {
                Ok(text) => Ok(WebSocketMessage::Text(text)),
                Err(error) => Err(error),
            },
            Self::Binary => Ok(WebSocketMessage::Binary(bytes)),
        }
    }
}
