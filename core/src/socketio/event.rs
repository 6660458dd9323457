//! Events and their arguments, for Socket.IO 5 and 0.9.

use crate::json::{self, Kind, Token};

/// An event: a name and its arguments.
///
/// Two events are equal if their texts are equal, so different escapes make them different. To compare the name, use
/// [`is`](Self::is).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Event<'a> {
    name: Name<'a>,
    args: Args<'a>,
}

/// The form of the name in the text that it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Name<'a> {
    /// Without escapes.
    Plain(&'a str),
    /// With escapes.
    Escaped(&'a str),
    /// A number, which JavaScript allows.
    Number(&'a str),
}

impl<'a> Event<'a> {
    /// Creates a value from text that is known to be a valid list of values.
    pub(crate) const fn new(name: &'a str, args: Args<'a>) -> Self {
        Self { name: Name::Plain(name), args }
    }

    /// Creates an event from the text of a packet. Returns `None` if `name` cannot be a name.
    pub(crate) fn from_json(name: Token<'a>, args: Args<'a>) -> Option<Self> {
        let name = match name.kind {
            Kind::String if name.raw.bytes().any(|byte| byte == b'\\') => Name::Escaped(name.raw),
            Kind::String => Name::Plain(name.raw),
            Kind::Number => Name::Number(name.raw),
            _ => return None,
        };
        Some(Self { name, args })
    }

    /// Returns the event's name. Returns `None` if the name arrived with escapes, because decoding needs a buffer.
    /// [`is`](Self::is) recognises such names too. JavaScript also allows numbers as names: they are returned
    /// unchanged.
    #[must_use]
    pub const fn name(&self) -> Option<&'a str> {
        match self.name {
            Name::Plain(name) | Name::Number(name) => Some(name),
            Name::Escaped(_) => None,
        }
    }

    /// Returns whether the event is called `name`, however its sender escaped the name. Some servers escape every
    /// character that is not ASCII.
    ///
    /// ```
    /// use eio_core::socketio::{Body, Packet};
    ///
    /// let packet = Packet::decode(r#"2["\u00e9tat",1]"#)?;
    /// let Body::Event(event) = packet.body() else { unreachable!() };
    /// assert!(event.is("état"));
    /// assert_eq!(event.name(), None);
    /// # Ok::<(), eio_core::socketio::PacketError>(())
    /// ```
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        match self.name {
            Name::Plain(own) | Name::Number(own) => own == name,
            Name::Escaped(own) => json::raw_eq(own, name),
        }
    }

    /// Returns the arguments of the event.
    #[must_use]
    pub const fn args(&self) -> Args<'a> {
        self.args
    }

    /// Passes the name to `put` as a JSON value.
    pub(crate) fn put_name(&self, put: &mut dyn FnMut(&str)) {
        let quote = if matches!(self.name, Name::Number(_)) { "" } else { "\"" };
        put(quote);
        match self.name {
            Name::Plain(name) => json::escape(name, put),
            Name::Escaped(name) | Name::Number(name) => put(name),
        }
        put(quote);
    }
}

/// The arguments of an event or of an acknowledgement: JSON values separated by commas, as raw text that was checked.
///
/// ```
/// use eio_core::socketio::{Body, Packet};
///
/// let packet = Packet::decode(r#"2["reading",21.5,{"unit":"C"}]"#)?;
/// let Body::Event(event) = packet.body() else { unreachable!() };
/// let mut args = event.args().iter();
/// assert_eq!(args.next().and_then(|json| json.parse().ok()), Some(21.5));
/// assert_eq!(args.next(), Some(r#"{"unit":"C"}"#));
/// assert_eq!(args.next(), None);
/// # Ok::<(), eio_core::socketio::PacketError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Args<'a>(&'a str);

impl<'a> Args<'a> {
    /// Creates a value from text that is known to be a valid list of values.
    pub(crate) fn new(list: &'a str) -> Self {
        Self(json::trim(list))
    }

    /// Returns all arguments unchanged: the text of an array without its brackets. It is empty if there are no
    /// arguments.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Returns whether there are no arguments.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Returns an iterator over the text of each value.
    #[must_use]
    pub const fn iter(self) -> ArgsIter<'a> {
        ArgsIter { rest: self.0 }
    }
}

impl<'a> IntoIterator for Args<'a> {
    type Item = &'a str;
    type IntoIter = ArgsIter<'a>;

    fn into_iter(self) -> ArgsIter<'a> {
        self.iter()
    }
}

/// An iterator over the text of each argument; see [`Args::iter`].
#[derive(Clone, Debug)]
pub struct ArgsIter<'a> {
    rest: &'a str,
}

impl<'a> Iterator for ArgsIter<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let start = json::skip_whitespace(self.rest, 0);
        let end = json::skip_value(self.rest, start, 0).ok()?;
        let value = self.rest.get(start..end)?;
        let comma = json::skip_whitespace(self.rest, end);
        self.rest = self.rest.get(comma.saturating_add(1)..).unwrap_or_default();
        Some(value)
    }
}

impl core::iter::FusedIterator for ArgsIter<'_> {}
