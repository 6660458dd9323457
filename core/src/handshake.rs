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

mod error;
mod json;
mod sid;
mod transports;

pub use error::{HandshakeError, HandshakeErrorKind, Syntax};
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
        let handshake = Fields::default().read(&mut scanner);
        handshake.map_err(|kind| HandshakeError { at: scanner.at(), kind })
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
    /// Zero until it has occurred, when it is above zero. The same for `ping_timeout`.
    ping_interval: u32,
    ping_timeout: u32,
    max_payload: Option<u32>,
    /// Where the last of the two timings stands: an error about both together points there.
    timing_at: usize,
}

impl<'a> Fields<'a> {
    /// Reads the whole object. After a failure `scanner` stands where it is.
    fn read(mut self, scanner: &mut Scanner<'a>) -> Result<Handshake<'a>, HandshakeErrorKind> {
        scanner.expect(b'{', Syntax::Object)?;
        let mut end = scanner.position();
        if !scanner.eat(b'}') {
            loop {
                self.read_member(scanner)?;
                end = scanner.position();
                if scanner.eat(b'}') {
                    break;
                }
                scanner.expect(b',', Syntax::Comma)?;
            }
        }
        if !scanner.at_end() {
            return Err(Syntax::End.into());
        }
        // What is missing is missed at the closing brace.
        scanner.back_to(end);
        let sid = self.sid.ok_or(HandshakeErrorKind::Missing(Field::Sid))?;
        if self.ping_interval == 0 {
            return Err(HandshakeErrorKind::Missing(Field::PingInterval));
        }
        if self.ping_timeout == 0 {
            return Err(HandshakeErrorKind::Missing(Field::PingTimeout));
        }
        scanner.back_to(self.timing_at);
        let heartbeat = Heartbeat::from_millis(self.ping_interval, self.ping_timeout)?;
        Ok(Handshake { sid, upgrades: self.upgrades, heartbeat, max_payload: self.max_payload })
    }

    /// Reads one key and its value.
    fn read_member(&mut self, scanner: &mut Scanner<'a>) -> Result<(), HandshakeErrorKind> {
        let key_at = scanner.position();
        let key = scanner.key()?;
        let Some(field) = Field::ALL.into_iter().find(|field| json::spells(key, field.as_str())) else {
            return scanner.skip_value();
        };
        if self.seen & field.bit() != 0 {
            scanner.back_to(key_at);
            return Err(HandshakeErrorKind::Duplicate(field));
        }
        self.seen |= field.bit();
        let value_at = scanner.position();
        match field {
            Field::Sid => self.sid = Some(read_sid(scanner)?),
            Field::Upgrades => self.upgrades = read_upgrades(scanner)?,
            Field::MaxPayload if scanner.eat_null() => {}
            Field::MaxPayload => {
                self.max_payload = Some(read_number(scanner, field)?).filter(|bytes| *bytes != 0);
            }
            Field::PingInterval | Field::PingTimeout => {
                let millis = read_number(scanner, field)?;
                self.timing_at = value_at;
                let (slot, period) = match field {
                    Field::PingTimeout => (&mut self.ping_timeout, Period::PingTimeout),
                    _ => (&mut self.ping_interval, Period::PingInterval),
                };
                if millis == 0 {
                    scanner.back_to(value_at);
                    return Err(HeartbeatError::Zero { period }.into());
                }
                *slot = millis;
            }
        }
        Ok(())
    }
}

fn read_sid<'a>(scanner: &mut Scanner<'a>) -> Result<Sid<'a>, HandshakeErrorKind> {
    let at = scanner.position();
    if scanner.peek() != b'"' {
        return Err(HandshakeErrorKind::WrongType(Field::Sid));
    }
    Sid::new(scanner.string()?).map_err(|error| {
        scanner.back_to(at);
        error.into()
    })
}

fn read_upgrades(scanner: &mut Scanner<'_>) -> Result<Transports, HandshakeErrorKind> {
    let mut upgrades = Transports::NONE;
    if scanner.eat_null() {
        return Ok(upgrades);
    }
    if !scanner.eat(b'[') {
        return Err(HandshakeErrorKind::WrongType(Field::Upgrades));
    }
    if scanner.eat(b']') {
        return Ok(upgrades);
    }
    loop {
        if scanner.peek() != b'"' {
            return Err(HandshakeErrorKind::WrongType(Field::Upgrades));
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
fn read_number(scanner: &mut Scanner<'_>, field: Field) -> Result<u32, HandshakeErrorKind> {
    let at = scanner.position();
    if !matches!(scanner.peek(), b'-' | b'0'..=b'9') {
        return Err(HandshakeErrorKind::WrongType(field));
    }
    let kind = match scanner.number()?.to_u32(0) {
        Ok(number) => return Ok(number),
        Err(NotU32::TooLarge) => return Ok(u32::MAX),
        Err(NotU32::Negative) => HandshakeErrorKind::Negative(field),
        Err(NotU32::Fraction) => HandshakeErrorKind::Fraction(field),
    };
    scanner.back_to(at);
    Err(kind)
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
