//! Socket.IO v5 packets, for a client that uses a Socket.IO server without the Socket.IO library.
//!
//! A Socket.IO packet is the text of an Engine.IO message (`4` on the wire; the session adds it in front). This module
//! reads and writes that text. It borrows the caller's bytes and leaves JSON as text: [`Args`] returns the raw value of
//! each argument. The application can pass it to any JSON library, or to `str::parse`.
//!
//! | wire | packet | data |
//! |---|---|---|
//! | `0` | [`Body::Connect`] | none, or an object: the client's credentials; in the answer, the socket's `sid` |
//! | `1` | [`Body::Disconnect`] | none |
//! | `2`, `5<n>-` | [`Body::Event`] | an array: the event's name and its arguments |
//! | `3`, `6<n>-` | [`Body::Ack`] | an array: the arguments of the answer |
//! | `4` | [`Body::ConnectError`] | an object with a `message`, or a string |
//!
//! The complete form is `<type>[<attachments>-][<namespace>,][<id>][<data>]`. The namespace `/` is left out.
//!
//! # A client's session
//! 1. The Engine.IO session opens. Send [`Packet::connect`]. Without it the server closes the connection after its
//!    `connectTimeout` (45 s by default). If an event arrives before it, the server closes at once.
//! 2. Receive [`Body::Connect`] (the object holds the socket's `sid`) or [`Body::ConnectError`].
//! 3. Exchange events. An event with an [`id`](Packet::id) asks for a [`Packet::ack`] with the same id.
//! 4. Send [`Packet::disconnect`]. Also close the Engine.IO session, which stays open otherwise.
//!
//! If a client connects twice to one namespace, the server closes the connection.
//!
//! ```
//! use eio_core::socketio::{Body, Packet, member};
//!
//! let mut out = [0; 64];
//! assert_eq!(Packet::connect(r#"{"token":"t"}"#)?.encode(&mut out), Ok(r#"0{"token":"t"}"#));
//!
//! let Body::Connect(answer) = Packet::decode(r#"0{"sid":"x9"}"#)?.body() else { unreachable!() };
//! assert_eq!(member(answer, "sid"), Some("\"x9\""));
//!
//! assert_eq!(Packet::event("reading", "21.5,true")?.encode(&mut out), Ok(r#"2["reading",21.5,true]"#));
//!
//! let packet = Packet::decode(r#"27["led","on"]"#)?;
//! match packet.body() {
//!     Body::Event(event) if event.is("led") => assert_eq!(event.args().iter().next(), Some("\"on\"")),
//!     other => panic!("{other:?}"),
//! }
//! if let Some(id) = packet.id() {
//!     assert_eq!(Packet::ack(id, "\"done\"")?.encode(&mut out), Ok(r#"37["done"]"#));
//! }
//! # Ok::<(), eio_core::socketio::PacketError>(())
//! ```
//!
//! # Older servers
//! Socket.IO 2 (Engine.IO revision 3, also a Socket.IO 4 server with `allowEIO3`) differs in two ways. First, the
//! server itself sends `0` for the namespace `/`, without a `sid`, as soon as the session is open. The client does not
//! send a connect packet for `/`. Second, type `4` is a plain "error", whose data is often a string. Otherwise the
//! packets are the same.
//!
//! # Where this codec is stricter than the reference
//! This codec accepts the same packets as socket.io-parser 4.2.7, with these exceptions, which are errors here:
//!
//! - an empty text (a connect there), and whitespace as a type or in an id (0 there);
//! - a number of attachments that is not written in plain digits;
//! - an id above [`MAX_ID`] (rounded there);
//! - an event or acknowledgement without its array;
//! - JSON that nests deeper than 64 levels;
//! - a placeholder whose number is not written in plain digits;
//! - a placeholder without its attachment (found there only when the attachments have arrived, and not inside another
//!   placeholder).
//!
//! Source: the Socket.IO protocol, revision 5, "Packet encoding".

mod body;
mod decoder;
mod error;
mod event;

pub use body::Body;
pub use decoder::{Decoder, Received, placeholder};
pub use error::{Expected, PacketError, PacketErrorKind};
pub use event::{Args, ArgsIter, Event};

use crate::BufferTooSmall;
use crate::json;
use crate::text::{self, Decimal, read_decimal, split_once};
use body::{ack_body, check_reserved, connect_body, connect_error_body, event_body, wrong};

/// The largest number of attachments that a packet may have: 10, the default limit of socket.io-parser 4.2.
pub const MAX_ATTACHMENTS: u32 = 10;

/// The largest acknowledgement id: 2^53 − 1. Peers in JavaScript cannot distinguish larger ids.
pub const MAX_ID: u64 = (1 << 53) - 1;

/// One Socket.IO packet. A value of this type is always valid: [`encode`](Self::encode) writes a packet that
/// [`decode`](Self::decode) can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Packet<'a> {
    namespace: &'a str,
    id: Option<u64>,
    attachments: u32,
    body: Body<'a>,
}

impl<'a> Packet<'a> {
    /// Creates a packet that joins the namespace `/`. `auth` is the text of a JSON object, such as `{"token":"…"}`, or
    /// empty.
    ///
    /// # Errors
    /// Returns [`PacketErrorKind::WrongData`] if `auth` is not an object, and [`PacketErrorKind::InvalidJson`] or
    /// [`PacketErrorKind::TooDeep`] if it is not valid JSON.
    pub fn connect(auth: &'a str) -> Result<Self, PacketError> {
        connect_body(auth, 0).map(Self::new)
    }

    /// Creates a packet that leaves the namespace `/`.
    #[must_use]
    pub const fn disconnect() -> Self {
        Self::new(Body::Disconnect)
    }

    /// Creates an event. `name` is plain text, which is escaped when it is written. `args` holds JSON values separated
    /// by commas, or nothing.
    ///
    /// ```
    /// use eio_core::socketio::Packet;
    ///
    /// let mut out = [0; 64];
    /// let packet = Packet::event("say \"hi\"", r#""world",{"times":2}"#)?.in_namespace("/chat")?.with_id(7)?;
    /// assert_eq!(packet.encode(&mut out), Ok(r#"2/chat,7["say \"hi\"","world",{"times":2}]"#));
    /// assert!(Packet::event("disconnect", "").is_err());
    /// # Ok::<(), eio_core::socketio::PacketError>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`PacketErrorKind::ReservedName`] for the names `connect`, `connect_error`, `disconnect`,
    /// `disconnecting`, `newListener` and `removeListener`. Returns [`PacketErrorKind::InvalidJson`] or
    /// [`PacketErrorKind::TooDeep`] if `args` is not valid.
    pub fn event(name: &'a str, args: &'a str) -> Result<Self, PacketError> {
        json::check_list(args, 1)?;
        let event = Event::new(name, Args::new(args));
        check_reserved(&event, 0)?;
        Ok(Self::new(Body::Event(event)))
    }

    /// Creates an acknowledgement of the event `id`. `args` holds JSON values separated by commas, or nothing.
    ///
    /// # Errors
    /// Returns [`PacketErrorKind::IdTooLarge`] if `id` is above [`MAX_ID`], and [`PacketErrorKind::InvalidJson`] or
    /// [`PacketErrorKind::TooDeep`] if `args` is not valid.
    pub fn ack(id: u64, args: &'a str) -> Result<Self, PacketError> {
        json::check_list(args, 1)?;
        Self::new(Body::Ack(Args::new(args))).with_id(id)
    }

    /// Creates a packet that refuses a client. `data` is the text of a JSON object, such as `{"message":"…"}`, or of a
    /// string.
    ///
    /// # Errors
    /// Returns [`PacketErrorKind::WrongData`] if `data` is anything else, and [`PacketErrorKind::InvalidJson`] or
    /// [`PacketErrorKind::TooDeep`] if it is not valid JSON.
    pub fn connect_error(data: &'a str) -> Result<Self, PacketError> {
        connect_error_body(data, 0).map(Self::new)
    }

    /// Returns this packet in a namespace other than `/`.
    ///
    /// # Errors
    /// Returns [`PacketErrorKind::InvalidNamespace`] if `namespace` does not begin with a slash, or contains a comma or
    /// a control character.
    pub fn in_namespace(self, namespace: &'a str) -> Result<Self, PacketError> {
        let at = match namespace.find(|character: char| character == ',' || character.is_ascii_control()) {
            _ if !namespace.starts_with('/') => 0,
            Some(at) => at,
            None => return Ok(Self { namespace, ..self }),
        };
        Err(PacketError { at, kind: PacketErrorKind::InvalidNamespace })
    }

    /// Returns this packet with an id. An event with an id asks for an acknowledgement.
    ///
    /// # Errors
    /// Returns [`PacketErrorKind::IdTooLarge`] if `id` is above [`MAX_ID`].
    pub const fn with_id(self, id: u64) -> Result<Self, PacketError> {
        if id > MAX_ID {
            return Err(PacketError { at: 0, kind: PacketErrorKind::IdTooLarge });
        }
        Ok(Self { id: Some(id), ..self })
    }

    /// Returns this event or acknowledgement with binary data. In the arguments, `{"_placeholder":true,"num":0}` refers
    /// to the first attachment, and so on. Send the attachments right after the packet, each as a binary message.
    ///
    /// # Errors
    /// Returns [`PacketErrorKind::InvalidAttachments`] for other packets, [`PacketErrorKind::TooManyAttachments`] above
    /// [`MAX_ATTACHMENTS`], and [`PacketErrorKind::InvalidPlaceholder`] if a placeholder refers to a missing
    /// attachment.
    pub fn with_attachments(self, attachments: u32) -> Result<Self, PacketError> {
        let args = match self.body {
            Body::Event(event) => event.args(),
            Body::Ack(args) => args,
            _ if attachments == 0 => return Ok(self),
            _ => return Err(PacketError { at: 0, kind: PacketErrorKind::InvalidAttachments }),
        };
        if attachments > MAX_ATTACHMENTS {
            return Err(PacketError { at: 0, kind: PacketErrorKind::TooManyAttachments });
        }
        if attachments > 0 {
            decoder::check_placeholders(args, attachments)?;
        }
        Ok(Self { attachments, ..self })
    }

    /// Returns the namespace: `/` unless the packet names another one. It may contain a query, as in `/chat?room=1`.
    #[must_use]
    pub const fn namespace(&self) -> &'a str {
        self.namespace
    }

    /// Returns the id. An event with an id asks for an acknowledgement. The id of an acknowledgement is that of the
    /// event that it answers.
    #[must_use]
    pub const fn id(&self) -> Option<u64> {
        self.id
    }

    /// Returns the number of binary messages that follow this packet and belong to it; see [`Decoder`].
    #[must_use]
    pub const fn attachments(&self) -> u32 {
        self.attachments
    }

    /// Returns the type and the content of the packet.
    #[must_use]
    pub const fn body(&self) -> Body<'a> {
        self.body
    }

    /// Reads the text of an Engine.IO message, in time linear in its length.
    ///
    /// # Errors
    /// Returns a [`PacketError`] that says what is wrong, and at which byte of `text`. Reference implementations end
    /// the connection if a packet cannot be read: clients as "parse error", servers as "forced close".
    pub fn decode(text: &'a str) -> Result<Self, PacketError> {
        let first = text.chars().next().ok_or(PacketError { at: 0, kind: PacketErrorKind::Empty })?;
        if !matches!(first, '0'..='6') {
            return Err(PacketError { at: 0, kind: PacketErrorKind::UnknownType(first) });
        }
        let mut at = 1;
        let mut attachments = 0;
        if matches!(first, '5' | '6') {
            (attachments, at) = read_attachments(text, at)?;
        }
        let mut namespace = "/";
        if text.as_bytes().get(at) == Some(&b'/') {
            let rest = text.get(at..).unwrap_or_default();
            (namespace, _) = split_once(rest, b',');
            // The comma may be missing if nothing follows.
            at = at.saturating_add(namespace.len()).saturating_add(1).min(text.len());
        }
        let mut id = None;
        let rest = text.get(at..).unwrap_or_default();
        if rest.starts_with(|first: char| first.is_ascii_digit()) {
            let (number, length) =
                read_decimal(rest, MAX_ID).ok_or(PacketError { at, kind: PacketErrorKind::IdTooLarge })?;
            id = Some(number);
            at = at.saturating_add(length);
        }
        // The reference reads whitespace here as an id of 0, which no sender intends.
        if json::skip_whitespace(text, at) != at {
            return Err(PacketError { at, kind: PacketErrorKind::InvalidJson });
        }
        let body = match first {
            '0' => connect_body(text, at)?,
            '1' if at < text.len() => return Err(wrong(at, Expected::Nothing)),
            '1' => Body::Disconnect,
            '2' | '5' => event_body(text, at, attachments)?,
            '3' | '6' => ack_body(text, at, attachments)?,
            _ if at == text.len() => Body::ConnectError(""),
            _ => connect_error_body(text, at)?,
        };
        Ok(Self { namespace, id, attachments, body })
    }

    /// Writes the packet's text and returns it.
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`], with the number of bytes needed, if the text does not fit. Nothing is written then.
    pub fn encode<'o>(&self, out: &'o mut [u8]) -> Result<&'o str, BufferTooSmall> {
        text::write(out, &|put| {
            put(match (self.body, self.attachments) {
                (Body::Connect(_), _) => "0",
                (Body::Disconnect, _) => "1",
                (Body::Event(_), 0) => "2",
                (Body::Ack(_), 0) => "3",
                (Body::ConnectError(_), _) => "4",
                (Body::Event(_), _) => "5",
                (Body::Ack(_), _) => "6",
            });
            if self.attachments > 0 {
                put(Decimal::new(u64::from(self.attachments)).as_str());
                put("-");
            }
            if self.namespace != "/" {
                put(self.namespace);
                put(",");
            }
            if let Some(id) = self.id {
                put(Decimal::new(id).as_str());
            }
            match self.body {
                Body::Connect(data) | Body::ConnectError(data) => put(data),
                Body::Disconnect => {}
                Body::Event(event) => {
                    put("[");
                    event.put_name(put);
                    put(if event.args().is_empty() { "" } else { "," });
                    put(event.args().as_str());
                    put("]");
                }
                Body::Ack(args) => {
                    put("[");
                    put(args.as_str());
                    put("]");
                }
            }
        })
    }

    const fn new(body: Body<'a>) -> Self {
        Self { namespace: "/", id: None, attachments: 0, body }
    }
}

/// Returns the raw text of the member `key` of a JSON object, without decoding anything else. This is enough to find
/// the `sid` in the answer to a connect, or the `message` of a connect error. If several members have that name, it
/// returns the last one.
///
/// ```
/// use eio_core::socketio::member;
///
/// assert_eq!(member(r#"{"message":"Not authorized"}"#, "message"), Some("\"Not authorized\""));
/// assert_eq!(member(r#"{"message":"Not authorized"}"#, "data"), None);
/// ```
#[must_use]
pub fn member<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    json::member(object, key)
}

/// Reads the number of attachments and its hyphen, and returns the offset after them.
fn read_attachments(text: &str, at: usize) -> Result<(u32, usize), PacketError> {
    let rest = text.get(at..).unwrap_or_default();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let end = at.saturating_add(digits);
    if digits == 0 || text.as_bytes().get(end) != Some(&b'-') {
        return Err(PacketError { at: end, kind: PacketErrorKind::InvalidAttachments });
    }
    match read_decimal(rest, u64::from(MAX_ATTACHMENTS)) {
        Some((0, _)) => Err(PacketError { at, kind: PacketErrorKind::InvalidAttachments }),
        Some((number, _)) => Ok((u32::try_from(number).unwrap_or(MAX_ATTACHMENTS), end.saturating_add(1))),
        None => Err(PacketError { at, kind: PacketErrorKind::TooManyAttachments }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_begins_with_a_slash_and_has_no_comma() {
        let ack = Packet::ack(1, "").expect("an acknowledgement");
        let refused = |namespace| ack.in_namespace(namespace).map_err(|error| (error.at, error.kind));
        let at = |at| Err((at, PacketErrorKind::InvalidNamespace));
        assert_eq!(refused("/chat").map(|packet| packet.namespace()), Ok("/chat"));
        for (namespace, place) in [("", 0), ("chat", 0), ("chat,", 0), ("/a,b", 2), ("/a\n", 2)] {
            assert_eq!(refused(namespace), at(place), "{namespace:?}");
        }
    }

    #[test]
    fn an_id_has_at_most_53_bits() {
        let event = Packet::event("tick", "").expect("an event");
        for id in [0, 9_007_199_254_740_991] {
            assert_eq!(event.with_id(id).map(|packet| packet.id()), Ok(Some(id)));
        }
        for id in [9_007_199_254_740_992, u64::MAX] {
            let refused = event.with_id(id).map_err(|error| error.kind);
            assert_eq!(refused, Err(PacketErrorKind::IdTooLarge), "{id}");
        }
    }
}
