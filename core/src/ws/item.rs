//! What comes out of a [`Decoder`](super::Decoder).

use super::Control;
use crate::packet::Frame;

/// What [`Decoder::decode`](super::Decoder::decode) did with its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "an answer has these two parts")]
pub struct Decoded<'b> {
    /// How many bytes at the start of the input are done with. The item's bytes are the last of them.
    pub consumed: usize,
    /// What they end with, or `None` if more bytes are needed.
    pub item: Option<Item<'b>>,
}

/// One thing that a peer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(
    clippy::exhaustive_enums,
    reason = "RFC 6455 has data and control frames, and data may come in pieces"
)]
pub enum Item<'b> {
    /// A whole message, all of it in the input, in one frame: most messages are.
    Message(Frame<'b>),
    /// The next bytes of a message that is not there as a whole.
    Piece(Piece<'b>),
    /// A control frame; it may stand between two pieces of a message.
    Control(Control<'b>),
}

/// Some bytes of a message, in order. A message has at least two pieces, or comes as [`Item::Message`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "a piece is some bytes and where they stand")]
pub struct Piece<'b> {
    /// The kind of the message.
    pub kind: MessageKind,
    /// The bytes; empty only in a last piece.
    ///
    /// In a text message they may begin or end inside a character. All pieces so far are the beginning of valid
    /// UTF-8, and all pieces up to the last are valid UTF-8.
    pub bytes: &'b [u8],
    /// Whether the message begins here.
    pub first: bool,
    /// Whether the message ends here.
    pub last: bool,
}

/// What a message's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 has two kinds of data messages")]
pub enum MessageKind {
    /// UTF-8.
    Text,
    /// Anything.
    Binary,
}
