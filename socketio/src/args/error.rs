//! The errors of arguments.

use std::fmt;

use bytestring::ByteString;
use eio_core::socketio::{MAX_ATTACHMENTS, PacketError};
use serde::de::{Expected, Unexpected};

/// The error for a packet or for arguments that cannot be sent. Nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// An argument cannot be written.
    #[error("the argument cannot be written: {0}")]
    Serialize(Box<str>),
    /// What [`Args`](crate::Args) holds is not a sequence.
    #[error("the arguments are one value: expected a sequence, such as a tuple")]
    NotASequence,
    /// There are more pieces of binary data than receivers accept.
    #[error("{count} attachments in one packet: expected at most {MAX_ATTACHMENTS}")]
    TooManyAttachments {
        /// The number of attachments.
        count: usize,
    },
    /// Lists and objects nest deeper than receivers of this library accept.
    #[error("the arguments nest too deep: expected at most 63 levels")]
    TooDeep,
    /// The name of the event is one that Socket.IO itself uses, which receivers refuse.
    #[error("{name:?} is a reserved event name")]
    ReservedName {
        /// The name.
        name: ByteString,
    },
    /// Packets cannot carry the namespace.
    #[error(
        "{namespace:?} cannot be a namespace: expected a leading slash, and neither commas nor control characters"
    )]
    InvalidNamespace {
        /// The namespace.
        namespace: ByteString,
    },
    /// The packet is not one that the protocol allows.
    #[error(transparent)]
    Packet(PacketError),
}

/// The error for an argument that does not fit the Rust type it is read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    argument: Option<usize>,
    missing: bool,
    problem: Box<str>,
}

impl DecodeError {
    /// Returns the index of the argument, from 0. Returns `None` if the type cannot hold arguments at all.
    #[must_use]
    pub const fn argument(&self) -> Option<usize> {
        self.argument
    }

    /// Returns whether the argument does not exist.
    #[must_use]
    pub const fn is_missing(&self) -> bool {
        self.missing
    }

    /// Returns what is wrong with the data, without the argument that it was in.
    #[cfg(feature = "server")]
    pub(crate) fn problem(&self) -> &str {
        &self.problem
    }

    /// Takes an error of `serde_json`, without its position: that is one in the rest of a text which the reader of the error
    /// does not have.
    pub(super) fn of_json(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let position = format!(" at line {} column {}", error.line(), error.column());
        serde::de::Error::custom(text.strip_suffix(&position).unwrap_or(&text))
    }

    pub(super) fn at(self, index: usize) -> Self {
        Self { argument: Some(index), ..self }
    }

    pub(super) fn missing(self, index: usize) -> Self {
        Self { argument: Some(index), missing: true, ..self }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.argument {
            Some(index) => {
                let is_missing = if self.missing { " is missing" } else { "" };
                write!(f, "argument {}{is_missing}: {}", index.saturating_add(1), self.problem)
            }
            None => f.write_str(&self.problem),
        }
    }
}

impl std::error::Error for DecodeError {}

/// How long the text of a problem may be, in bytes. Errors of serde repeat the text that arrived, however long it is.
const MAX_PROBLEM: usize = 256;

/// What serde calls a type that was expected, before its name in Rust, and what it is for everybody else. Peers are told of
/// problems, and the names of types mean nothing to them.
const KINDS: [(&str, &str); 9] = [
    ("struct variant ", "an object"),
    ("tuple variant ", "a list"),
    ("newtype variant ", "a value"),
    ("unit struct ", "null"),
    ("tuple struct ", "a list"),
    ("struct ", "an object"),
    ("internally tagged enum ", "an object"),
    ("adjacently tagged enum ", "an object"),
    ("enum ", "a string, or an object with one member"),
];

/// Replaces the name of a Rust type in what was expected.
fn without_type_name(problem: &str) -> String {
    const UNTAGGED: &str = "data did not match any variant";
    if problem.strip_prefix(UNTAGGED).is_some_and(|rest| rest.starts_with(" of untagged enum ")) {
        return UNTAGGED.to_owned();
    }
    let named = problem.rsplit_once(", expected ").and_then(|(before, expected)| {
        let (kind, name) =
            KINDS.iter().find_map(|(kind, plain)| Some((plain, expected.strip_prefix(kind)?)))?;
        let after = name.find(' ').and_then(|end| name.get(end..)).unwrap_or_default();
        Some(format!("{before}, expected {kind}{after}"))
    });
    named.unwrap_or_else(|| problem.to_owned())
}

/// The beginning of a text.
struct Short(String);

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_PROBLEM.saturating_sub(self.0.len());
        let fitting = text.floor_char_boundary(room);
        self.0.push_str(text.get(..fitting).unwrap_or_default());
        if fitting < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

impl serde::de::Error for DecodeError {
    fn custom<T: fmt::Display>(problem: T) -> Self {
        let mut text = Short(String::new());
        // It fails at the end of the room. What was written before is the text.
        let is_whole = fmt::write(&mut text, format_args!("{problem}")).is_ok();
        let problem = if is_whole { without_type_name(&text.0) } else { text.0 + "…" };
        Self { argument: None, missing: false, problem: problem.into() }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        // What is called unit in Rust is null to everybody else.
        match unexpected {
            Unexpected::Unit => Self::custom(format_args!("invalid type: null, expected {expected}")),
            other => Self::custom(format_args!("invalid type: {other}, expected {expected}")),
        }
    }
}
