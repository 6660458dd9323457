//! The handshake: what the server's `open` packet says, read and written without allocating.
//!
//! Every session of either protocol revision begins with one packet of type 0 from the server, whose data is a JSON
//! object:
//!
//! ```json
//! {"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}
//! ```
//!
//! [`Handshake::parse`] reads it. It is tolerant where tolerance does no harm, and strict where a wrong value would
//! end the session later without a word: a client that misses `pingInterval`, or is told `"25000"` in quotes,
//! otherwise dies of a ping timeout at once or never.
//!
//! | in the packet | what happens |
//! |---|---|
//! | keys in any order, unknown keys with any value, white space | accepted |
//! | a key spelled with `\u` escapes | the same key |
//! | a known key twice | refused |
//! | `sid` missing, not a string, with an escape, or no [`Sid`] | refused |
//! | `upgrades` missing or `null` | no upgrades |
//! | `upgrades` with names that are not known | ignored |
//! | `upgrades` not an array of strings | refused |
//! | `pingInterval`, `pingTimeout` missing, in quotes, zero, negative, not whole, or together above [`Heartbeat::MAX_SUM`] | refused |
//! | the number 300 spelled `300.0` or `3e2` | 300: JSON has one kind of number, and some servers write no other |
//! | `maxPayload` missing, `null` or zero (how "no limit" is announced) | no limit |
//! | `maxPayload` above `u32::MAX` | `u32::MAX` |
//! | `maxPayload` in quotes, negative, not whole | refused |
//! | a value nested more than 32 arrays and objects deep | refused |
//! | anything behind the object | refused |
//!
//! Source: the Engine.IO protocol, revision 4 and revision 3, "Handshake".

mod json;
mod sid;
mod transports;

pub use sid::{Sid, SidError};
pub use transports::{Transport, Transports};

use crate::BufferTooSmall;
use crate::settings::{Heartbeat, HeartbeatError, NotU32, Period};
use json::Scanner;

/// What a server tells its client when a session opens.
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
/// // Written, it is what the reference server writes.
/// let mut buffer = [0; Handshake::MAX_LEN];
/// assert_eq!(handshake.encode(&mut buffer)?, json);
///
/// // An error says what is wrong, and where.
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
    /// Names the session in every later request.
    pub sid: Sid<'a>,
    /// The transports the session may move to from the one it opened on.
    pub upgrades: Transports,
    /// How often who pings, and how long an answer may take.
    pub heartbeat: Heartbeat,
    /// The largest payload that the server accepts, in bytes, packet types and separators included. `None`: the
    /// server has not said; servers of revision 3, and engine.io before 6.2.0, never do.
    pub max_payload: Option<u32>,
}

impl<'a> Handshake<'a> {
    /// The longest text that [`encode`](Self::encode) writes, in bytes.
    pub const MAX_LEN: usize = r#"{"sid":"","upgrades":["polling","websocket","webtransport"],"pingInterval":,"pingTimeout":,"maxPayload":}"#
        .len()
        .saturating_add(Sid::MAX_LEN)
        .saturating_add(3 * MAX_DIGITS);

    /// The handshake of a session that has no upgrades and announces no payload limit.
    #[must_use]
    pub const fn new(sid: Sid<'a>, heartbeat: Heartbeat) -> Self {
        Self { sid, upgrades: Transports::NONE, heartbeat, max_payload: None }
    }

    /// The same, with these upgrades.
    #[must_use]
    pub const fn with_upgrades(mut self, upgrades: Transports) -> Self {
        self.upgrades = upgrades;
        self
    }

    /// The same, announcing that payloads may have up to `bytes` bytes. Zero announces no limit.
    #[must_use]
    pub const fn with_max_payload(mut self, bytes: u32) -> Self {
        self.max_payload = if bytes == 0 { None } else { Some(bytes) };
        self
    }

    /// Reads the data of an `open` packet: the text behind the `0`. One pass, linear time, bounded stack.
    ///
    /// The [module](self) lists what is accepted.
    ///
    /// # Errors
    /// [`HandshakeError`] says what was expected, and at which byte of `json`.
    pub fn parse(json: &'a str) -> Result<Self, HandshakeError> {
        let mut scanner = Scanner::new(json);
        let mut fields = Fields::default();
        scanner.expect(b'{', Syntax::Object)?;
        let mut end = scanner.position();
        if !scanner.eat(b'}') {
            loop {
                fields.read(&mut scanner)?;
                end = scanner.position();
                if scanner.eat(b'}') {
                    break;
                }
                scanner.expect(b',', Syntax::Comma)?;
            }
        }
        if scanner.peek().is_some() {
            return Err(scanner.fail(HandshakeErrorKind::Syntax(Syntax::End)));
        }
        fields.finish(end)
    }

    /// Writes the data of an `open` packet, byte by byte as the reference server (engine.io 6.6.12) does. Without a
    /// `max_payload`, or with one of zero, it is the form of older servers, which have no such key.
    ///
    /// # Errors
    /// [`BufferTooSmall`] if `out` does not hold it; nothing has been written then. [`MAX_LEN`](Self::MAX_LEN) bytes
    /// always do.
    pub fn encode<'b>(&self, out: &'b mut [u8]) -> Result<&'b str, BufferTooSmall> {
        let mut needed = 0_usize;
        self.pieces(|piece| needed = needed.saturating_add(piece.len()));
        let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        let mut slots = out.iter_mut();
        self.pieces(|piece| piece.iter().zip(slots.by_ref()).for_each(|(byte, slot)| *slot = *byte));
        // It consists of ASCII, so this never falls back.
        Ok(core::str::from_utf8(out).unwrap_or_default())
    }

    /// Hands the text over, piece by piece.
    fn pieces(&self, mut put: impl FnMut(&[u8])) {
        put(br#"{"sid":""#);
        put(self.sid.as_str().as_bytes());
        put(br#"","upgrades":["#);
        let mut quote: &[u8] = b"\"";
        for transport in self.upgrades.iter() {
            put(quote);
            put(transport.as_str().as_bytes());
            put(b"\"");
            quote = b",\"";
        }
        put(br#"],"pingInterval":"#);
        put_number(self.heartbeat.interval_millis(), &mut put);
        put(br#","pingTimeout":"#);
        put_number(self.heartbeat.timeout_millis(), &mut put);
        if let Some(bytes @ 1..) = self.max_payload {
            put(br#","maxPayload":"#);
            put_number(bytes, &mut put);
        }
        put(b"}");
    }
}

/// The digits of `u32::MAX`.
const MAX_DIGITS: usize = 10;

fn put_number(number: u32, put: &mut impl FnMut(&[u8])) {
    let mut digits = [0; MAX_DIGITS];
    let mut rest = number;
    let mut unused = MAX_DIGITS;
    for digit in digits.iter_mut().rev() {
        let value = (rest % 10) as u8;
        *digit = b'0' | value;
        rest /= 10;
        unused = unused.saturating_sub(1);
        if rest == 0 {
            break;
        }
    }
    put(digits.get(unused..).unwrap_or_default());
}

/// What has been read of an open packet so far.
#[derive(Default)]
struct Fields<'a> {
    /// One bit for each [`Field`] that has occurred.
    seen: u8,
    sid: Option<Sid<'a>>,
    upgrades: Transports,
    ping_interval: Option<u32>,
    ping_timeout: Option<u32>,
    max_payload: Option<u32>,
    /// Where the last of the two timings stands: an error about both together points there.
    timing_at: usize,
}

impl<'a> Fields<'a> {
    /// Reads one key and its value.
    fn read(&mut self, scanner: &mut Scanner<'a>) -> Result<(), HandshakeError> {
        let key_at = scanner.position();
        let key = scanner.key()?;
        let Some(field) = Field::ALL.into_iter().find(|field| json::spells(key, field.as_str())) else {
            return scanner.skip_value();
        };
        let bit = field.bit();
        if self.seen & bit != 0 {
            return Err(HandshakeError { at: key_at, kind: HandshakeErrorKind::Duplicate(field) });
        }
        self.seen |= bit;
        match field {
            Field::Sid => self.sid = Some(read_sid(scanner)?),
            Field::Upgrades => self.upgrades = read_upgrades(scanner)?,
            Field::PingInterval => self.ping_interval = Some(self.read_period(scanner, field)?),
            Field::PingTimeout => self.ping_timeout = Some(self.read_period(scanner, field)?),
            Field::MaxPayload if scanner.eat_null() => {}
            Field::MaxPayload => match read_number(scanner, field)? {
                0 => {}
                bytes => self.max_payload = Some(bytes),
            },
        }
        Ok(())
    }

    fn read_period(&mut self, scanner: &mut Scanner<'a>, field: Field) -> Result<u32, HandshakeError> {
        self.timing_at = scanner.position();
        let period = if field == Field::PingTimeout { Period::PingTimeout } else { Period::PingInterval };
        match read_number(scanner, field)? {
            0 => Err(HandshakeError {
                at: self.timing_at,
                kind: HandshakeErrorKind::Heartbeat(HeartbeatError::Zero { period }),
            }),
            millis => Ok(millis),
        }
    }

    /// The handshake, if nothing is missing; the object ends at `end`.
    fn finish(self, end: usize) -> Result<Handshake<'a>, HandshakeError> {
        let missing = |field| HandshakeError { at: end, kind: HandshakeErrorKind::Missing(field) };
        let sid = self.sid.ok_or(missing(Field::Sid))?;
        let ping_interval = self.ping_interval.ok_or(missing(Field::PingInterval))?;
        let ping_timeout = self.ping_timeout.ok_or(missing(Field::PingTimeout))?;
        let heartbeat = Heartbeat::from_millis(ping_interval, ping_timeout).map_err(|error| {
            HandshakeError { at: self.timing_at, kind: HandshakeErrorKind::Heartbeat(error) }
        })?;
        Ok(Handshake { sid, upgrades: self.upgrades, heartbeat, max_payload: self.max_payload })
    }
}

fn read_sid<'a>(scanner: &mut Scanner<'a>) -> Result<Sid<'a>, HandshakeError> {
    let at = scanner.position();
    if scanner.peek() != Some(b'"') {
        return Err(scanner.fail(HandshakeErrorKind::WrongType(Field::Sid)));
    }
    Sid::new(scanner.string()?).map_err(|error| HandshakeError { at, kind: HandshakeErrorKind::Sid(error) })
}

fn read_upgrades(scanner: &mut Scanner<'_>) -> Result<Transports, HandshakeError> {
    let mut upgrades = Transports::NONE;
    if scanner.eat_null() {
        return Ok(upgrades);
    }
    if !scanner.eat(b'[') {
        return Err(scanner.fail(HandshakeErrorKind::WrongType(Field::Upgrades)));
    }
    if scanner.eat(b']') {
        return Ok(upgrades);
    }
    loop {
        if scanner.peek() != Some(b'"') {
            return Err(scanner.fail(HandshakeErrorKind::WrongType(Field::Upgrades)));
        }
        let name = scanner.string()?;
        let known = Transport::ALL.into_iter().find(|transport| json::spells(name, transport.as_str()));
        upgrades = known.into_iter().fold(upgrades, Transports::with);
        if scanner.eat(b']') {
            return Ok(upgrades);
        }
        scanner.expect(b',', Syntax::Comma)?;
    }
}

/// A whole number; one above `u32::MAX` reads as `u32::MAX`, which is too long a period and no limit to a payload.
fn read_number(scanner: &mut Scanner<'_>, field: Field) -> Result<u32, HandshakeError> {
    let at = scanner.position();
    if !matches!(scanner.peek(), Some(b'-' | b'0'..=b'9')) {
        return Err(scanner.fail(HandshakeErrorKind::WrongType(field)));
    }
    match scanner.number()?.to_u32(0) {
        Ok(number) => Ok(number),
        Err(NotU32::TooLarge) => Ok(u32::MAX),
        Err(NotU32::Negative) => Err(HandshakeError { at, kind: HandshakeErrorKind::Negative(field) }),
        Err(NotU32::Fraction) => Err(HandshakeError { at, kind: HandshakeErrorKind::Fraction(field) }),
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

    /// The key as it is written.
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

/// Why a text is not the data of an `open` packet, and where.
///
/// A client cannot hold a session with such a server: it ends the session and says this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("{kind}, at byte {at}")]
#[non_exhaustive]
pub struct HandshakeError {
    /// The offset of the offending byte in the text that was given to [`Handshake::parse`]; its length when the text
    /// ends too early. What is missing is missed at the closing brace.
    pub at: usize,
    /// What is wrong there.
    pub kind: HandshakeErrorKind,
}

/// What is wrong with an `open` packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HandshakeErrorKind {
    /// It is not JSON, or not one JSON object.
    #[error("the open packet is not a JSON object: {0}")]
    Syntax(Syntax),
    /// A value that would have been skipped is nested too deep.
    #[error(
        "a value in the open packet is nested too deep: expected at most 32 arrays and objects in each other"
    )]
    TooDeep,
    /// A key without which there is no session.
    #[error("the open packet has no {}: expected it before the closing brace", .0.as_str())]
    Missing(Field),
    /// A key that occurs twice: whichever value was meant, some reader would take the other.
    #[error("the open packet has {} twice: expected it once", .0.as_str())]
    Duplicate(Field),
    /// A value of the wrong kind.
    #[error("{} is not {}", .0.as_str(), .0.expected())]
    WrongType(Field),
    /// A number below zero.
    #[error("{} is negative: expected a whole number above zero", .0.as_str())]
    Negative(Field),
    /// A number that is not whole.
    #[error("{} is not whole: expected a number without a fraction", .0.as_str())]
    Fraction(Field),
    /// A string that cannot name a session.
    #[error("{0}")]
    Sid(SidError),
    /// Periods that are zero or, together, too long.
    #[error("{0}")]
    Heartbeat(HeartbeatError),
}

/// Which piece of JSON was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Syntax {
    /// The brace that opens the object.
    #[error("expected {{")]
    Object,
    /// A key.
    #[error("expected a key in double quotes")]
    Key,
    /// The colon behind a key.
    #[error("expected a colon")]
    Colon,
    /// What follows a value.
    #[error("expected a comma or a closing bracket")]
    Comma,
    /// A value of any kind.
    #[error("expected a value")]
    Value,
    /// The quote that ends a string.
    #[error("expected the closing quote of a string")]
    Quote,
    /// A control character, which a string holds only as an escape.
    #[error("expected a control character to be escaped")]
    ControlCharacter,
    /// A backslash that begins none of JSON's escapes.
    #[error("expected one of the escapes of JSON behind the backslash")]
    Escape,
    /// A digit of a number.
    #[error("expected a digit")]
    Digit,
    /// Nothing: the object has ended.
    #[error("expected nothing behind the closing brace")]
    End,
}
