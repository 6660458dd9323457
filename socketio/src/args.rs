//! The arguments of events and answers.

mod error;
mod read;
mod write;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use error::{DecodeError, EncodeError};

use crate::value::{Attachments, Value};

/// The arguments of an event or of an answer, as they travel. A clone shares them.
///
/// Reading and writing them as Rust types needs no tree between: arguments without binary data stay the JSON text that
/// arrived until a handler asks for its types.
///
/// ```
/// use eio_socketio::{Args, RawArgs};
///
/// let args = RawArgs::new(Args(("hello", 7)))?;
/// assert_eq!(args.len(), 2);
/// assert_eq!(args.to_string(), r#"["hello",7]"#);
/// assert_eq!(args.first::<String>()?, "hello");
/// assert_eq!(args.all::<(String, u8)>()?, ("hello".to_owned(), 7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Two values are equal if their texts and attachments are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawArgs(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Json {
        /// A JSON array without its brackets.
        list: ByteString,
        /// What the placeholders in it refer to. `None` if the packet has none: placeholders mean nothing then.
        attachments: Option<Arc<[Bytes]>>,
    },
    Values {
        values: Arc<[Value]>,
        byte_len: usize,
    },
}

impl RawArgs {
    /// Returns no arguments.
    #[must_use]
    pub const fn none() -> Self {
        Self(Form::Json { list: ByteString::new(), attachments: None })
    }

    /// Writes arguments; see [`IntoArgs`] for what is how many.
    ///
    /// # Errors
    /// Returns an [`EncodeError`] if JSON cannot express a value, such as a map whose keys are lists, or if the values
    /// nest more than 63 levels deep.
    pub fn new(args: impl IntoArgs) -> Result<Self, EncodeError> {
        args.into_args()
    }

    /// Takes arguments as values. This is how parsers other than ours make them.
    ///
    /// ```
    /// use eio_socketio::{RawArgs, Value};
    ///
    /// let args = RawArgs::from_values([Value::from("hello"), Value::from(7)]);
    /// assert_eq!(args.all::<(String, u8)>()?, ("hello".to_owned(), 7));
    /// # Ok::<(), eio_socketio::DecodeError>(())
    /// ```
    pub fn from_values(values: impl IntoIterator<Item = Value>) -> Self {
        let values: Arc<[Value]> = values.into_iter().collect();
        let byte_len = values.iter().map(Value::byte_len).sum();
        Self(Form::Values { values, byte_len })
    }

    /// Takes a JSON array without its brackets, which was checked, and what its placeholders refer to.
    pub(crate) fn from_json(list: ByteString, attachments: Vec<Bytes>) -> Self {
        let attachments = (!attachments.is_empty()).then(|| attachments.into());
        Self(Form::Json { list, attachments })
    }

    /// Returns whether there are no arguments.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Form::Json { list, .. } => list.is_empty(),
            Form::Values { values, .. } => values.is_empty(),
        }
    }

    /// Returns the number of arguments. It is counted, in time linear in their length.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Json { list, .. } => read::Unread::new(list).count(),
            Form::Values { values, .. } => values.len(),
        }
    }

    /// Reads the first argument, and ignores the others. A missing argument is read as null, so an `Option` is `None`.
    ///
    /// # Errors
    /// Returns a [`DecodeError`] that says what was expected if the argument does not fit the type.
    pub fn first<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        match &self.0 {
            Form::Json { list, .. } if list.is_empty() => read::missing(0),
            Form::Json { list, attachments } => {
                let mut unread = read::Unread::new(list);
                let first = match attachments {
                    None => unread.read(PhantomData),
                    Some(attachments) => {
                        read::filled_value(&mut unread, Some(&mut Attachments::new(attachments)))
                            .and_then(|value| T::deserialize(&value))
                    }
                };
                first.map_err(|error| error.at(0))
            }
            Form::Values { values, .. } => read::first_of_values(values),
        }
    }

    /// Reads all arguments as one sequence: a tuple, a `Vec`, an array, or a struct, whose fields are read in order.
    ///
    /// As in JavaScript, a tuple ignores further arguments, and reads null for missing ones.
    ///
    /// # Errors
    /// Returns a [`DecodeError`] that says which argument does not fit the type, and what was expected.
    pub fn all<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        match &self.0 {
            Form::Json { list, attachments: None } => read::all_of_text(list),
            _ => read::all_of_values(&self.cow_values()?),
        }
    }

    /// Reads all arguments as values, binary data in its places.
    ///
    /// ```
    /// use eio_socketio::{Binary, RawArgs, Value};
    ///
    /// let args = RawArgs::new(vec![Binary::from(&b"\x89PNG"[..])])?;
    /// assert_eq!(args.values()?, [Value::Array(vec![Value::Binary(b"\x89PNG"[..].into())])]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns a [`DecodeError`] if an argument holds text that is not Unicode: JSON can express half of a surrogate
    /// pair.
    pub fn values(&self) -> Result<Vec<Value>, DecodeError> {
        Ok(self.cow_values()?.into_owned())
    }

    /// Reads all arguments as values, unless they are values.
    pub(crate) fn cow_values(&self) -> Result<Cow<'_, [Value]>, DecodeError> {
        match &self.0 {
            Form::Json { list, attachments } => {
                let mut attachments = attachments.as_deref().map(Attachments::new);
                let (mut unread, mut values) = (read::Unread::new(list), Vec::new());
                while !unread.is_empty() {
                    let value = read::filled_value(&mut unread, attachments.as_mut());
                    values.push(value.map_err(|error| error.at(values.len()))?);
                }
                Ok(Cow::Owned(values))
            }
            Form::Values { values, .. } => Ok(Cow::Borrowed(values)),
        }
    }

    /// Returns the attachments, to which placeholders in the arguments refer. There are none if the parser writes
    /// binary data in its places, as that for `MessagePack` does.
    #[must_use]
    pub fn attachments(&self) -> &[Bytes] {
        match &self.0 {
            Form::Json { attachments, .. } => attachments.as_deref().unwrap_or_default(),
            Form::Values { .. } => &[],
        }
    }

    /// Returns the size of the arguments in bytes: that of their text and of all binary data. Of values, it is about the
    /// memory that they take.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        match &self.0 {
            Form::Json { list, .. } => list.len() + self.attachments().iter().map(Bytes::len).sum::<usize>(),
            Form::Values { byte_len, .. } => *byte_len,
        }
    }

    /// Copies what is a part of a message, so that the message can go. [`byte_len`](Self::byte_len) then says what is kept.
    pub(crate) fn into_own_memory(self) -> Self {
        match self.0 {
            Form::Json { list, attachments } => {
                let attachments = attachments.iter().flat_map(|all| all.iter());
                let copies = attachments.map(|bytes| Bytes::copy_from_slice(bytes)).collect();
                Self::from_json(String::from(&*list).into(), copies)
            }
            Form::Values { values, byte_len } => {
                let values = values.iter().cloned().map(Value::into_own_memory).collect();
                Self(Form::Values { values, byte_len })
            }
        }
    }

    /// Returns the text of a JSON array without its brackets, and what its placeholders refer to.
    pub(crate) fn to_json(&self) -> Result<(Cow<'_, ByteString>, Cow<'_, [Bytes]>), EncodeError> {
        match &self.0 {
            Form::Json { list, .. } => Ok((Cow::Borrowed(list), Cow::Borrowed(self.attachments()))),
            Form::Values { values, .. } => {
                let (list, attachments) = write::list(&**values)?;
                Ok((Cow::Owned(list), Cow::Owned(attachments)))
            }
        }
    }

    /// Returns the last argument if it is a string. One that JSON writes with escapes may be left out.
    #[cfg(feature = "client")]
    pub(crate) fn last_string(&self) -> Option<&str> {
        match &self.0 {
            Form::Json { list, .. } => read::last_string(list),
            Form::Values { values, .. } => values.last()?.as_str(),
        }
    }

    /// Adds what the placeholders in the arguments refer to.
    pub(crate) fn attach(&mut self, new: Vec<Bytes>) {
        if let Form::Json { attachments, .. } = &mut self.0 {
            *attachments = (!new.is_empty()).then(|| new.into());
        }
    }

    /// Adds a string after the other arguments.
    #[cfg(any(test, feature = "server"))]
    pub(crate) fn push_string(&mut self, text: &str) {
        match &mut self.0 {
            Form::Json { list, .. } => {
                let comma = if list.is_empty() { "" } else { "," };
                *list = format!("{list}{comma}{}", serde_json::Value::from(text)).into();
            }
            Form::Values { values, byte_len } => {
                *values = values.iter().cloned().chain([Value::from(text)]).collect();
                *byte_len += Value::from(text).byte_len();
            }
        }
    }
}

/// What can be sent: the arguments of an event or of an answer.
///
/// - Any value that is [`Serialize`] is one argument. Also a tuple or a `Vec` is one: a list.
/// - `()`, and any other value without a size that JSON writes as null, is no argument.
/// - [`Args`] of a tuple, or of another sequence, is one argument for each of its members.
/// - [`RawArgs`] are what they are.
///
/// Bytes that the value serializes as bytes travel as attachments, however deep they are: those of
/// [`Binary`](crate::Binary), of `bytes::Bytes` with its feature `serde`, and of the crate `serde_bytes`. A plain
/// `Vec<u8>` is a list of numbers.
pub trait IntoArgs {
    /// Writes the arguments.
    ///
    /// # Errors
    /// Returns an [`EncodeError`] if they cannot be written; see [`RawArgs::new`].
    fn into_args(self) -> Result<RawArgs, EncodeError>;
}

impl<T: Serialize> IntoArgs for T {
    fn into_args(self) -> Result<RawArgs, EncodeError> {
        let (text, attachments) = write::value(&self)?;
        if size_of::<T>() == 0 && text == "null" {
            return Ok(RawArgs::none());
        }
        Ok(RawArgs::from_json(text, attachments))
    }
}

/// Displays the arguments as a JSON array. A placeholder stands for each piece of binary data, as on the wire.
impl fmt::Display for RawArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_json() {
            Ok((list, _)) => write!(f, "[{list}]"),
            Err(error) => write!(f, "({error})"),
        }
    }
}

impl IntoArgs for RawArgs {
    fn into_args(self) -> Result<RawArgs, EncodeError> {
        Ok(self)
    }
}

/// All arguments: each member of a tuple, or of another sequence, is one.
///
/// ```
/// use eio_socketio::{Args, RawArgs};
///
/// assert_eq!(RawArgs::new(Args(("hello", 7)))?.len(), 2);
/// assert_eq!(RawArgs::new(("hello", 7))?.len(), 1);
/// # Ok::<(), eio_socketio::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a wrapper, made and taken apart by its users")]
pub struct Args<T>(pub T);

impl<T: Serialize> IntoArgs for Args<T> {
    fn into_args(self) -> Result<RawArgs, EncodeError> {
        let (list, attachments) = write::list(&self.0)?;
        Ok(RawArgs::from_json(list, attachments))
    }
}

/// What an answer can be read as.
///
/// - A type that implements [`DeserializeOwned`] is the first argument. A missing argument reads as null.
/// - [`Args`] of a tuple, or of another sequence, are all arguments.
/// - [`RawArgs`] are what arrived.
///
/// ```
/// use eio_socketio::{Args, FromArgs, RawArgs};
///
/// let answer = RawArgs::new(Args((200, "done")))?;
/// assert_eq!(u16::from_args(&answer)?, 200);
/// assert_eq!(Args::<(u16, String)>::from_args(&answer)?, Args((200, "done".to_owned())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait FromArgs: Sized {
    /// Reads the arguments.
    ///
    /// # Errors
    /// Returns a [`DecodeError`] if they do not fit the type.
    fn from_args(args: &RawArgs) -> Result<Self, DecodeError>;
}

impl<T: DeserializeOwned> FromArgs for T {
    fn from_args(args: &RawArgs) -> Result<Self, DecodeError> {
        args.first()
    }
}

impl<T: DeserializeOwned> FromArgs for Args<T> {
    fn from_args(args: &RawArgs) -> Result<Self, DecodeError> {
        args.all().map(Self)
    }
}

impl FromArgs for RawArgs {
    fn from_args(args: &RawArgs) -> Result<Self, DecodeError> {
        Ok(args.clone())
    }
}

#[cfg(test)]
mod tests;
