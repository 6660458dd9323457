//! Socket.IO v5 packets: what a client without the Socket.IO library needs to live on a Socket.IO server.
//!
//! A Socket.IO packet is the text of an Engine.IO message (`4` on the wire; the session puts it in front). This module
//! reads and writes that text, borrows the caller's bytes, and leaves JSON as text: [`Args`] hands out the raw value
//! of each argument, for whatever JSON library the application has, or for `str::parse`.
//!
//! | wire | packet | data |
//! |---|---|---|
//! | `0` | [`Body::Connect`] | none, or an object: what authenticates the client; in the answer, the socket's `sid` |
//! | `1` | [`Body::Disconnect`] | none |
//! | `2`, `5<n>-` | [`Body::Event`] | an array: the event's name and its arguments |
//! | `3`, `6<n>-` | [`Body::Ack`] | an array: the arguments of the answer |
//! | `4` | [`Body::ConnectError`] | an object with a `message`, or a string |
//!
//! The whole form is `<type>[<attachments>-][<namespace>,][<id>][<data>]`; the namespace `/` is left out.
//!
//! # A client's session
//! 1. The Engine.IO session opens. Send [`Packet::connect`]: without it the server closes the connection after its
//!    `connectTimeout` (45 s by default), and an event before it is answered by closing at once.
//! 2. Receive [`Body::Connect`] (the object holds the socket's `sid`) or [`Body::ConnectError`].
//! 3. Exchange events. One with an [`id`](Packet::id) asks for [`Packet::ack`] with the same id.
//! 4. Send [`Packet::disconnect`], and close the Engine.IO session as well: it outlives the namespace.
//!
//! Connecting twice to one namespace makes the server close the connection.
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
//! Socket.IO 2 (Engine.IO revision 3, also a Socket.IO 4 server with `allowEIO3`) differs: the server sends `0` for
//! the namespace `/` by itself as soon as the session is open, without a `sid`, and the client sends none for it; type
//! `4` is a plain "error", whose data is often a string. The packets are otherwise the same.
//!
//! # Where this codec is stricter than the reference
//! The verdicts are those of socket.io-parser 4.2.7, except that these are errors here: an empty text (read as a
//! connect there) and whitespace for a type or in an id (read as 0), attachments counted in anything but plain digits,
//! an id above [`MAX_ID`] (rounded there), an event or acknowledgement without its array, JSON that nests deeper than
//! 64 levels, and a placeholder without its attachment (found there only when the attachments have arrived).
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

/// The most attachments that a packet may have: 10, the default limit of socket.io-parser 4.2.
pub const MAX_ATTACHMENTS: u32 = 10;

/// The largest acknowledgement number: 2^53 − 1. JavaScript's peers cannot tell larger ones apart.
pub const MAX_ID: u64 = (1 << 53) - 1;

/// One Socket.IO packet. A value that exists is valid: whatever it holds, [`encode`](Self::encode) writes a packet that
/// [`decode`](Self::decode) reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Packet<'a> {
    namespace: &'a str,
    id: Option<u64>,
    attachments: u32,
    body: Body<'a>,
}

impl<'a> Packet<'a> {
    /// Joins the namespace `/`: `auth` is the text of a JSON object, such as `{"token":"…"}`, or empty.
    ///
    /// # Errors
    /// [`PacketErrorKind::WrongData`] for anything but an object; [`PacketErrorKind::InvalidJson`] and
    /// [`PacketErrorKind::TooDeep`].
    pub fn connect(auth: &'a str) -> Result<Self, PacketError> {
        connect_body(auth, 0).map(Self::new)
    }

    /// Leaves the namespace `/`.
    #[must_use]
    pub const fn disconnect() -> Self {
        Self::new(Body::Disconnect)
    }

    /// An event: `name` is plain text, escaped when it is written; `args` holds JSON values with commas between them,
    /// or nothing.
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
    /// [`PacketErrorKind::ReservedName`] for `connect`, `connect_error`, `disconnect`, `disconnecting`, `newListener`
    /// and `removeListener`; [`PacketErrorKind::InvalidJson`] and [`PacketErrorKind::TooDeep`] for `args`.
    pub fn event(name: &'a str, args: &'a str) -> Result<Self, PacketError> {
        json::check_list(args, 1)?;
        let event = Event::new(name, Args::new(args));
        check_reserved(&event, 0)?;
        Ok(Self::new(Body::Event(event)))
    }

    /// Answers the event `id`: `args` holds JSON values with commas between them, or nothing.
    ///
    /// # Errors
    /// [`PacketErrorKind::IdTooLarge`]; [`PacketErrorKind::InvalidJson`] and [`PacketErrorKind::TooDeep`] for `args`.
    pub fn ack(id: u64, args: &'a str) -> Result<Self, PacketError> {
        json::check_list(args, 1)?;
        Self::new(Body::Ack(Args::new(args))).with_id(id)
    }

    /// Refuses a client that wants to connect: `data` is the text of a JSON object, such as `{"message":"…"}`, or of a
    /// string.
    ///
    /// # Errors
    /// [`PacketErrorKind::WrongData`] for anything else; [`PacketErrorKind::InvalidJson`] and
    /// [`PacketErrorKind::TooDeep`].
    pub fn connect_error(data: &'a str) -> Result<Self, PacketError> {
        connect_error_body(data, 0).map(Self::new)
    }

    /// The same packet in another namespace than `/`.
    ///
    /// # Errors
    /// [`PacketErrorKind::InvalidNamespace`] if `namespace` does not begin with a slash, or contains a comma or a control
    /// character.
    pub fn in_namespace(self, namespace: &'a str) -> Result<Self, PacketError> {
        let at = match namespace.find(|character: char| character == ',' || character.is_ascii_control()) {
            _ if !namespace.starts_with('/') => 0,
            Some(at) => at,
            None => return Ok(Self { namespace, ..self }),
        };
        Err(PacketError { at, kind: PacketErrorKind::InvalidNamespace })
    }

    /// The same packet with a number: an event then asks for an acknowledgement.
    ///
    /// # Errors
    /// [`PacketErrorKind::IdTooLarge`] above [`MAX_ID`].
    pub const fn with_id(self, id: u64) -> Result<Self, PacketError> {
        if id > MAX_ID {
            return Err(PacketError { at: 0, kind: PacketErrorKind::IdTooLarge });
        }
        Ok(Self { id: Some(id), ..self })
    }

    /// The same event or acknowledgement with binary data: in the arguments, `{"_placeholder":true,"num":0}` stands for
    /// the first attachment, and so on; the attachments are sent right behind the packet, each as a binary message.
    ///
    /// # Errors
    /// [`PacketErrorKind::InvalidAttachments`] for another packet, [`PacketErrorKind::TooManyAttachments`] above
    /// [`MAX_ATTACHMENTS`], [`PacketErrorKind::InvalidPlaceholder`] if a placeholder names none of them.
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

    /// The namespace: `/` unless the packet names another one. May carry a query, as in `/chat?room=1`.
    #[must_use]
    pub const fn namespace(&self) -> &'a str {
        self.namespace
    }

    /// On an event, asks for an acknowledgement; on an acknowledgement, the event that it answers.
    #[must_use]
    pub const fn id(&self) -> Option<u64> {
        self.id
    }

    /// How many binary messages follow this packet and belong to it; see [`Decoder`].
    #[must_use]
    pub const fn attachments(&self) -> u32 {
        self.attachments
    }

    /// What the packet is for, and what it carries.
    #[must_use]
    pub const fn body(&self) -> Body<'a> {
        self.body
    }

    /// Reads the text of an Engine.IO message, in time linear in its length.
    ///
    /// # Errors
    /// [`PacketError`] says what is wrong, and at which byte of `text`. Reference implementations end the connection
    /// when a packet cannot be read ("parse error").
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
            // The comma may be missing when nothing follows.
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
        // The reference reads whitespace here as an id of 0; it is nobody's intention.
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

    /// Writes the packet's text, and returns it.
    ///
    /// # Errors
    /// [`BufferTooSmall`] says how many bytes it takes; nothing is written then.
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

/// The raw text of the member `key` of a JSON object, without decoding anything else: enough to find the `sid` in the
/// answer to a connect, and the `message` of a connect error. Of several members of that name the last one counts.
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

/// The number of attachments and its hyphen; returns the offset behind it.
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
