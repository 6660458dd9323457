//! The handshake: reads and writes the data of the server's `open` packet without allocating.
//!
//! In both protocol revisions, every session begins with one packet of type 0 from the server. Its data is a JSON
//! object:
//!
//! ```json
//! {"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}
//! ```
//!
//! [`Handshake::parse`] reads it. It is tolerant where tolerance does no harm, and strict where a wrong value would
//! later end the session without explanation. Otherwise a client that gets no `pingInterval`, or `"25000"` in quotes,
//! would run into a ping timeout at once or never.
//!
//! | in the packet | what happens |
//! |---|---|
//! | keys in any order, unknown keys with any value, white space | accepted |
//! | a known key or name spelled with escapes | treated as unknown: no server escapes letters |
//! | a known key twice | refused |
//! | `sid` missing, not a string, with an escape, or not a valid [`Sid`] | refused |
//! | `upgrades` missing or `null` | no upgrades |
//! | `upgrades` with unknown names | the unknown names are ignored |
//! | `upgrades` not an array of strings | refused |
//! | `pingInterval`, `pingTimeout` missing, in quotes, zero, negative, not whole, or together above [`Heartbeat::MAX_SUM`] | refused |
//! | the number 300 spelled `300.0` or `3e2` | 300: JSON has only one kind of number, and some servers always write it so |
//! | `maxPayload` missing, `null` or zero (how "no limit" is announced) | no limit |
//! | `maxPayload` above `u32::MAX` | `u32::MAX` |
//! | `maxPayload` in quotes, negative, not whole | refused |
//! | arrays and objects nested more than 64 deep, the packet's own object included | refused |
//! | anything after the object | refused |
//!
//! Source: the Engine.IO protocol, revision 4 and revision 3, "Handshake".

mod error;
mod sid;
mod transports;

pub use error::{HandshakeError, HandshakeErrorKind};
pub use sid::{Sid, SidError};
pub use transports::{ParseTransportError, Transport, Transports};

use core::fmt;

use crate::BufferTooSmall;
use crate::json::{self, Kind, NotU32, Reader};
use crate::settings::{Heartbeat, HeartbeatError, Period};
use crate::text::{self, Decimal};

/// The data that a server sends to its client when a session opens.
///
/// ```
/// use eio_core::handshake::{Handshake, Transport};
/// use core::time::Duration;
///
/// let json = r#"{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
/// let handshake = Handshake::parse(json)?;
/// assert_eq!(handshake.sid.as_str(), "lv_VI97HAXpY6yYWAAAC");
/// assert!(handshake.upgrades.contains(Transport::WebSocket));
/// assert_eq!(handshake.heartbeat.ping_interval(), Duration::from_secs(25));
/// assert_eq!(handshake.max_payload, Some(1_000_000));
///
/// // It is written exactly as the reference server writes it.
/// let mut buffer = [0; Handshake::MAX_LEN];
/// assert_eq!(handshake.encode(&mut buffer)?, json);
///
/// // An error says what was expected, and where.
/// let error = Handshake::parse(r#"{"sid":"x","pingInterval":"25000","pingTimeout":20000}"#).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "pingInterval is not a number: expected whole milliseconds without quotes, at byte 26"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Handshake<'a> {
    /// The identifier of the session, which every later request carries.
    pub sid: Sid<'a>,
    /// The transports that the session may move to from the one on which it opened.
    pub upgrades: Transports,
    /// How often pings are sent, and how long an answer may take.
    pub heartbeat: Heartbeat,
    /// The largest payload that the server accepts, in bytes, packet types and separators included. `None` means that
    /// the server announced no limit. Servers of revision 3, and engine.io before 6.2.0, never announce one.
    pub max_payload: Option<u32>,
}

impl<'a> Handshake<'a> {
    /// The longest text that [`encode`](Self::encode) writes, in bytes.
    pub const MAX_LEN: usize = r#"{"sid":"","upgrades":["polling","websocket","webtransport"],"pingInterval":,"pingTimeout":,"maxPayload":}"#
        .len()
        .saturating_add(Sid::MAX_LEN)
        .saturating_add(3 * MAX_DIGITS);

    /// Creates a handshake without upgrades and without a payload limit.
    #[must_use]
    pub const fn new(sid: Sid<'a>, heartbeat: Heartbeat) -> Self {
        Self { sid, upgrades: Transports::NONE, heartbeat, max_payload: None }
    }

    /// Returns this handshake with these upgrades.
    #[must_use]
    pub const fn with_upgrades(mut self, upgrades: Transports) -> Self {
        self.upgrades = upgrades;
        self
    }

    /// Returns this handshake with a limit of `bytes` bytes for payloads. Zero announces no limit.
    #[must_use]
    pub const fn with_max_payload(mut self, bytes: u32) -> Self {
        self.max_payload = if bytes == 0 { None } else { Some(bytes) };
        self
    }

    /// Reads the data of an `open` packet: the text after the `0`. It needs one pass, linear time and a bounded stack.
    ///
    /// The [module](self) lists the input that is accepted.
    ///
    /// # Errors
    /// Returns a [`HandshakeError`] that says what was expected, and at which byte of `json`.
    pub fn parse(json: &'a str) -> Result<Self, HandshakeError> {
        Self::read::<true>(json)
    }

    /// Reads the data like [`parse`](Self::parse). Without `UPGRADES`, the names of transports are checked to be strings and
    /// not looked at, which saves a small image these names.
    pub(crate) fn read<const UPGRADES: bool>(json: &'a str) -> Result<Self, HandshakeError> {
        let mut reader = Reader::new(json, 0, 0);
        let mut fields = Fields::<UPGRADES>::new(&mut reader);
        let (sid, interval, timeout) =
            fields.read_all().map_err(|kind| HandshakeError { at: fields.reader.token_at(), kind })?;
        let heartbeat = Heartbeat::from_millis(interval, timeout)
            .map_err(|error| HandshakeError { at: fields.timing_at, kind: error.into() })?;
        Ok(Self::new(sid, heartbeat).with_upgrades(fields.upgrades).with_max_payload(fields.max_payload))
    }

    /// Writes the data of an `open` packet, byte for byte as the reference server (engine.io 6.6.12) does. If
    /// `max_payload` is `None` or zero, it leaves out that key, as older servers do.
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`] if the data does not fit into `out`. Nothing has been written then.
    /// [`MAX_LEN`](Self::MAX_LEN) bytes are always enough.
    pub fn encode<'b>(&self, out: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        text::write(out, &|put| {
            put(r#"{"sid":""#);
            put(self.sid.as_str());
            put(r#"","upgrades":["#);
            let mut quote = "\"";
            for transport in self.upgrades.iter() {
                put(quote);
                put(transport.as_str());
                put("\"");
                quote = ",\"";
            }
            put(r#"],"pingInterval":"#);
            put(Decimal::new(self.heartbeat.interval_millis().into()).as_str());
            put(r#","pingTimeout":"#);
            put(Decimal::new(self.heartbeat.timeout_millis().into()).as_str());
            if let Some(bytes @ 1..) = self.max_payload {
                put(r#","maxPayload":"#);
                put(Decimal::new(bytes.into()).as_str());
            }
            put("}");
        })
    }
}

/// The digits of `u32::MAX`.
const MAX_DIGITS: usize = 10;

/// The fields of an open packet that have been read so far.
struct Fields<'r, 'a, const UPGRADES: bool> {
    reader: &'r mut Reader<'a>,
    /// One bit for each [`Field`] that has been seen.
    seen: u8,
    sid: Option<Sid<'a>>,
    upgrades: Transports,
    /// Zero until it is read, as is `ping_timeout`: a period is never zero.
    ping_interval: u32,
    ping_timeout: u32,
    max_payload: u32,
    /// The offset of the second of the two periods. An error about both together points there.
    timing_at: usize,
}

impl<'r, 'a, const UPGRADES: bool> Fields<'r, 'a, UPGRADES> {
    fn new(reader: &'r mut Reader<'a>) -> Self {
        Self {
            reader,
            seen: 0,
            sid: None,
            upgrades: Transports::NONE,
            ping_interval: 0,
            ping_timeout: 0,
            max_payload: 0,
            timing_at: 0,
        }
    }

    /// Reads the whole object and returns the required values: the sid, the ping interval and the ping timeout. An
    /// error refers to the reader's last token.
    // Inlined, it returns nothing through memory.
    #[cfg_attr(
        target_pointer_width = "32",
        inline(always),
        expect(clippy::inline_always, reason = "92 bytes less in an image")
    )]
    fn read_all(&mut self) -> Result<(Sid<'a>, u32, u32), HandshakeErrorKind> {
        if self.reader.step()? != Kind::Object {
            return Err(HandshakeErrorKind::Json);
        }
        while self.reader.step()? == Kind::Key {
            self.read_member()?;
        }
        self.reader.expect_end()?;
        // A missing key is reported at the closing brace, which was the last token.
        let sid = self.sid.ok_or(HandshakeErrorKind::Missing(Field::Sid))?;
        match (self.ping_interval, self.ping_timeout) {
            (0, _) => Err(HandshakeErrorKind::Missing(Field::PingInterval)),
            (_, 0) => Err(HandshakeErrorKind::Missing(Field::PingTimeout)),
            (interval, timeout) => Ok((sid, interval, timeout)),
        }
    }

    /// Reads the value that belongs to the key that has been read.
    // Inlined into its caller, the code would be longer: there are too few registers for both.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn read_member(&mut self) -> Result<(), HandshakeErrorKind> {
        let key = self.reader.raw_bytes();
        let Some(field) = Field::ALL.iter().copied().find(|field| key == field.as_str().as_bytes()) else {
            return Ok(self.reader.skip_value()?);
        };
        if self.seen & field.bit() != 0 {
            return Err(HandshakeErrorKind::Duplicate(field));
        }
        self.seen |= field.bit();
        match (field, self.reader.step()?) {
            (Field::Upgrades | Field::MaxPayload, Kind::Null) => Ok(()),
            (Field::Sid, Kind::String) => {
                self.sid = Some(Sid::received(self.reader.raw())?);
                Ok(())
            }
            (Field::Upgrades, Kind::Array) => self.read_upgrades(),
            (Field::PingInterval | Field::PingTimeout | Field::MaxPayload, Kind::Number) => {
                self.read_number(field)
            }
            _ => Err(HandshakeErrorKind::WrongType(field)),
        }
    }

    /// Reads the names in the array that has been opened.
    fn read_upgrades(&mut self) -> Result<(), HandshakeErrorKind> {
        loop {
            match self.reader.step()? {
                Kind::String => {}
                Kind::ArrayEnd => return Ok(()),
                _ => return Err(HandshakeErrorKind::WrongType(Field::Upgrades)),
            }
            if UPGRADES && let Ok(transport) = self.reader.raw().parse() {
                self.upgrades = self.upgrades.with(transport);
            }
        }
    }

    /// Reads the value of the number that has been read.
    fn read_number(&mut self, field: Field) -> Result<(), HandshakeErrorKind> {
        let number = match json::number_to_u32(self.reader.raw_bytes(), 0) {
            Ok(number) => number,
            // This is too long for a period, and the same as no limit for a payload.
            Err(NotU32::TooLarge) => u32::MAX,
            Err(NotU32::Negative) => return Err(HandshakeErrorKind::Negative(field)),
            Err(NotU32::Fraction) => return Err(HandshakeErrorKind::Fraction(field)),
        };
        let (slot, period) = match field {
            Field::PingInterval => (&mut self.ping_interval, Period::PingInterval),
            Field::PingTimeout => (&mut self.ping_timeout, Period::PingTimeout),
            _ => {
                self.max_payload = number;
                return Ok(());
            }
        };
        if number == 0 {
            return Err(HeartbeatError::Zero { period }.into());
        }
        *slot = number;
        self.timing_at = self.reader.token_at();
        Ok(())
    }
}

// The reader is not part of the API.
#[doc(hidden)]
impl From<json::ErrorKind> for HandshakeErrorKind {
    fn from(kind: json::ErrorKind) -> Self {
        match kind {
            json::ErrorKind::Invalid => Self::Json,
            json::ErrorKind::TooDeep => Self::TooDeep,
        }
    }
}

/// A key of the open packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Field {
    /// `sid`
    Sid,
    /// `upgrades`
    Upgrades,
    /// `pingInterval`
    PingInterval,
    /// `pingTimeout`
    PingTimeout,
    /// `maxPayload`
    MaxPayload,
}

impl Field {
    const ALL: [Self; 5] =
        [Self::Sid, Self::Upgrades, Self::PingInterval, Self::PingTimeout, Self::MaxPayload];

    /// Returns the key as it is written in the packet.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sid => "sid",
            Self::Upgrades => "upgrades",
            Self::PingInterval => "pingInterval",
            Self::PingTimeout => "pingTimeout",
            Self::MaxPayload => "maxPayload",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    const fn expected(self) -> &'static str {
        match self {
            Self::Sid => "a string: expected 1 to 64 visible ASCII characters in double quotes",
            Self::Upgrades => "an array of strings: expected names of transports",
            Self::PingInterval | Self::PingTimeout => "a number: expected whole milliseconds without quotes",
            Self::MaxPayload => "a number: expected whole bytes without quotes",
        }
    }
}

/// Displays the key as it is written in the packet.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
