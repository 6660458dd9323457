//! The body of the answer to a 0.9 client's first request.

use core::time::Duration;

use eio_core::internal::period::{Unfit, whole_millis};
use eio_core::internal::text::{self, Decimal, read_decimal, split_once};
use eio_core::{BufferTooSmall, Heartbeat};

/// The handshake, which the server sends to a client before the session: `sid:heartbeat timeout:close
/// timeout:transports`.
///
/// A client gives up the server after the heartbeat timeout without a packet, or the close timeout without data. When the
/// server counts its client as gone depends on the transport: see [`timers`](crate::timers). On the wire both timeouts are
/// *seconds*, with a fraction if necessary. The interval of the server's heartbeats (25 s by default) is not transmitted.
///
/// Browsers without cross-origin requests fetched the handshake, and everything after it, as JSONP (`?jsonp=0`,
/// answered with `io.j[0]("…");`). This crate does not offer that transport.
///
/// ```
/// use core::time::Duration;
/// use eio_legacy::handshake::LegacyHandshake;
///
/// let handshake = LegacyHandshake::decode("AbC123:60:0.8:websocket,xhr-polling")?;
/// assert_eq!(handshake.sid(), "AbC123");
/// assert_eq!(handshake.heartbeat_timeout(), Some(Duration::from_secs(60)));
/// assert_eq!(handshake.close_timeout(), Duration::from_millis(800));
/// assert!(handshake.transports().any(|name| name == "websocket"));
///
/// let mut out = [0; 64];
/// let handshake = LegacyHandshake::new("x", None, Duration::from_millis(1_500), "websocket")?;
/// assert_eq!(handshake.encode(&mut out), Ok("x::1.5:websocket"));
/// # Ok::<(), eio_legacy::handshake::LegacyHandshakeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LegacyHandshake<'a> {
    sid: &'a str,
    heartbeat_millis: Option<u32>,
    close_millis: u32,
    transports: &'a str,
}

impl<'a> LegacyHandshake<'a> {
    /// The length of the longest session id: 64 characters. The ids of the reference have 20.
    pub const MAX_SID: usize = 64;

    /// The longest timeout: 2^31 − 1 ms, as in [`Heartbeat::MAX_SUM`]. Timers of the reference overflow above it.
    pub const MAX_TIMEOUT: Duration = Heartbeat::MAX_SUM;

    /// Creates the handshake of a server. `heartbeat_timeout` is `None` for a server without heartbeats. `transports`
    /// are names separated by commas.
    ///
    /// # Errors
    /// Returns a [`LegacyHandshakeError`] if a value is not valid. Timeouts must be whole milliseconds above zero and at most
    /// [`MAX_TIMEOUT`](Self::MAX_TIMEOUT).
    pub fn new(
        sid: &'a str,
        heartbeat_timeout: Option<Duration>,
        close_timeout: Duration,
        transports: &'a str,
    ) -> Result<Self, LegacyHandshakeError> {
        check_sid(sid)?;
        check_transports(transports)?;
        let heartbeat_millis = match heartbeat_timeout {
            Some(timeout) => Some(millis_of(timeout, HandshakeField::HeartbeatTimeout)?),
            None => None,
        };
        let close_millis = millis_of(close_timeout, HandshakeField::CloseTimeout)?;
        Ok(Self { sid, heartbeat_millis, close_millis, transports })
    }

    /// Reads the body of the server's answer.
    ///
    /// # Errors
    /// Returns a [`LegacyHandshakeError`] that names the field. The close timeout is required, because a session without one
    /// could stay silent without limit. Bodies such as `handshake unauthorized` come with a status other than 200; do
    /// not pass them to this function.
    pub fn decode(body: &'a str) -> Result<Self, LegacyHandshakeError> {
        let missing = |field| LegacyHandshakeError::Missing { field };
        let (sid, rest) = split_once(body, b':');
        let (heartbeat, rest) = split_once(rest.ok_or(missing(HandshakeField::HeartbeatTimeout))?, b':');
        let (close, rest) = split_once(rest.ok_or(missing(HandshakeField::CloseTimeout))?, b':');
        let transports = rest.ok_or(missing(HandshakeField::Transports))?;
        check_sid(sid)?;
        check_transports(transports)?;
        let heartbeat_millis = match heartbeat {
            // In the reference, an empty field means that heartbeats are off.
            "" => None,
            _ => Some(read_seconds(heartbeat, HandshakeField::HeartbeatTimeout)?),
        };
        let close_millis = read_seconds(close, HandshakeField::CloseTimeout)?;
        Ok(Self { sid, heartbeat_millis, close_millis, transports })
    }

    /// Writes the body of the answer and returns it.
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`], with the number of bytes needed, if the body does not fit. Nothing is written then.
    pub fn encode<'o>(&self, out: &'o mut [u8]) -> Result<&'o str, BufferTooSmall> {
        text::write(out, &|put| {
            put(self.sid);
            put(":");
            if let Some(millis) = self.heartbeat_millis {
                put_seconds(millis, put);
            }
            put(":");
            put_seconds(self.close_millis, put);
            put(":");
            put(self.transports);
        })
    }

    /// Returns the session's id, which is part of its URLs: 1 to 64 visible ASCII characters without `/ ? # % :`.
    #[must_use]
    pub const fn sid(&self) -> &'a str {
        self.sid
    }

    /// Returns the longest silence that a client accepts after the handshake or the last packet. `None` if heartbeats
    /// are off.
    #[must_use]
    pub fn heartbeat_timeout(&self) -> Option<Duration> {
        self.heartbeat_millis.map(|millis| Duration::from_millis(u64::from(millis)))
    }

    /// Returns how long a session lasts without a connection.
    #[must_use]
    pub const fn close_timeout(&self) -> Duration {
        Duration::from_millis(self.close_millis as u64)
    }

    /// Returns the names of the transports that the server offers, its preferred transport first.
    pub fn transports(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.transports.split([',']).filter(|name| !name.is_empty())
    }
}

fn check_sid(sid: &str) -> Result<(), LegacyHandshakeError> {
    let fits =
        sid.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'?' | b'#' | b'%' | b':'));
    if fits && (1..=LegacyHandshake::MAX_SID).contains(&sid.len()) {
        Ok(())
    } else {
        Err(LegacyHandshakeError::InvalidSid)
    }
}

fn check_transports(transports: &str) -> Result<(), LegacyHandshakeError> {
    let fits = transports.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    if fits { Ok(()) } else { Err(LegacyHandshakeError::InvalidTransports) }
}

fn millis_of(timeout: Duration, field: HandshakeField) -> Result<u32, LegacyHandshakeError> {
    match whole_millis(timeout) {
        Ok(millis) => check_millis(u64::from(millis), field),
        Err(Unfit::Fraction) => Err(LegacyHandshakeError::Fraction { field }),
        Err(Unfit::TooLong) => Err(LegacyHandshakeError::TooLong { field }),
    }
}

fn check_millis(millis: u64, field: HandshakeField) -> Result<u32, LegacyHandshakeError> {
    match u32::try_from(millis) {
        Ok(0) => Err(LegacyHandshakeError::Zero { field }),
        Ok(millis @ ..=0x7fff_ffff) => Ok(millis),
        _ => Err(LegacyHandshakeError::TooLong { field }),
    }
}

/// Reads digits, optionally followed by a point and up to three more digits. JavaScript writes every number that makes
/// sense here in this form.
fn read_seconds(text: &str, field: HandshakeField) -> Result<u32, LegacyHandshakeError> {
    let (whole, fraction) = split_once(text, b'.');
    let fraction = fraction.unwrap_or("0");
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return Err(LegacyHandshakeError::NotANumber { field });
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 3 {
        return Err(LegacyHandshakeError::Fraction { field });
    }
    let too_long = LegacyHandshakeError::TooLong { field };
    let (seconds, _) = read_decimal(whole, u64::from(u32::MAX)).ok_or(too_long)?;
    // Each digit after the point has a tenth of the weight of the one before. Missing digits are zeros.
    let millis = fraction.bytes().zip([100, 10, 1]).fold(0_u64, |sum, (digit, weight)| {
        sum.saturating_add(u64::from(digit.wrapping_sub(b'0')).saturating_mul(weight))
    });
    check_millis(seconds.saturating_mul(1_000).saturating_add(millis), field)
}

fn put_seconds(millis: u32, put: &mut dyn FnMut(&str)) {
    put(Decimal::new(u64::from(millis / 1_000)).as_str());
    let fraction = millis % 1_000;
    if fraction > 0 {
        put(".");
        put(if fraction < 100 { "0" } else { "" });
        put(if fraction < 10 { "0" } else { "" });
        put(Decimal::new(u64::from(fraction)).as_str().trim_end_matches('0'));
    }
}

/// One of the four fields of a [`LegacyHandshake`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "the body has these four fields")]
pub enum HandshakeField {
    /// The session's id.
    Sid,
    /// The heartbeat timeout, in seconds on the wire.
    HeartbeatTimeout,
    /// The close timeout, in seconds on the wire.
    CloseTimeout,
    /// The transports offered.
    Transports,
}

impl HandshakeField {
    /// Returns the name that the reference uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sid => "sid",
            Self::HeartbeatTimeout => "heartbeat timeout",
            Self::CloseTimeout => "close timeout",
            Self::Transports => "transports",
        }
    }
}

/// The reason why a text or a server's values do not make a valid [`LegacyHandshake`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LegacyHandshakeError {
    /// The body ends before this field.
    #[error("{} missing: expected sid:heartbeat timeout:close timeout:transports", .field.as_str())]
    Missing {
        /// The first field that is missing.
        field: HandshakeField,
    },
    /// The session id is empty, too long, or has characters that are not allowed in a URL's path.
    #[error("invalid sid: expected 1 to 64 visible ASCII characters without / ? # % :")]
    InvalidSid,
    /// The transports have characters that are not allowed in a name.
    #[error("invalid transports: expected names with commas between them")]
    InvalidTransports,
    /// A timeout is not a number of seconds.
    #[error("{} is not a number of seconds", .field.as_str())]
    NotANumber {
        /// The invalid timeout.
        field: HandshakeField,
    },
    /// A timeout is zero: the session would end before it began.
    #[error("{} is zero: expected at least 0.001 s", .field.as_str())]
    Zero {
        /// The invalid timeout.
        field: HandshakeField,
    },
    /// A timeout is finer than a millisecond. If it were rounded, it would differ from the timeout of the peer.
    #[error("{} is not a whole number of milliseconds", .field.as_str())]
    Fraction {
        /// The invalid timeout.
        field: HandshakeField,
    },
    /// A timeout is longer than [`LegacyHandshake::MAX_TIMEOUT`].
    #[error("{} is above 2147483.647 s, where the reference implementation's timers overflow", .field.as_str())]
    TooLong {
        /// The invalid timeout.
        field: HandshakeField,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_the_reference_server_are_read_and_written() {
        for (body, heartbeat, close) in [
            ("q1KV_05kRZO8bQsdCm19:60:60:websocket,htmlfile,xhr-polling,jsonp-polling", Some(60_000), 60_000),
            ("dc7QmYQP57d3n7oeCm3F::0.8:websocket,htmlfile,xhr-polling,jsonp-polling", None, 800),
            ("7UJ9r1_VXHFaXUxfCm3G:0.6:0.8:xhr-polling", Some(600), 800),
            ("a-:0.001:2147483.647:", Some(1), 0x7fff_ffff),
            ("a:10.05:1.025:websocket", Some(10_050), 1_025),
        ] {
            let handshake = LegacyHandshake::decode(body).unwrap();
            assert_eq!(handshake.heartbeat_timeout(), heartbeat.map(Duration::from_millis), "{body}");
            assert_eq!(handshake.close_timeout(), Duration::from_millis(close), "{body}");
            let mut out = [0; 128];
            assert_eq!(handshake.encode(&mut out), Ok(body));
            let too_small = handshake.encode(&mut out[..body.len() - 1]).unwrap_err();
            assert_eq!(too_small.needed, body.len());
        }
    }

    #[test]
    fn bad_bodies_are_refused_with_the_field() {
        use HandshakeField::{CloseTimeout, HeartbeatTimeout, Transports};
        for (body, error) in [
            ("", LegacyHandshakeError::Missing { field: HeartbeatTimeout }),
            ("handshake unauthorized", LegacyHandshakeError::Missing { field: HeartbeatTimeout }),
            ("a:60", LegacyHandshakeError::Missing { field: CloseTimeout }),
            ("a:60:60", LegacyHandshakeError::Missing { field: Transports }),
            (":60:60:x", LegacyHandshakeError::InvalidSid),
            ("a/b:60:60:x", LegacyHandshakeError::InvalidSid),
            ("a b:60:60:x", LegacyHandshakeError::InvalidSid),
            ("a:60::x", LegacyHandshakeError::NotANumber { field: CloseTimeout }),
            ("a:1e3:60:x", LegacyHandshakeError::NotANumber { field: HeartbeatTimeout }),
            ("a:-1:60:x", LegacyHandshakeError::NotANumber { field: HeartbeatTimeout }),
            ("a:.5:60:x", LegacyHandshakeError::NotANumber { field: HeartbeatTimeout }),
            ("a:5.:60:x", LegacyHandshakeError::NotANumber { field: HeartbeatTimeout }),
            ("a:0:60:x", LegacyHandshakeError::Zero { field: HeartbeatTimeout }),
            ("a:60:0.000:x", LegacyHandshakeError::Zero { field: CloseTimeout }),
            ("a:0.0005:60:x", LegacyHandshakeError::Fraction { field: HeartbeatTimeout }),
            ("a:2147483.648:60:x", LegacyHandshakeError::TooLong { field: HeartbeatTimeout }),
            ("a:99999999999999999999999:60:x", LegacyHandshakeError::TooLong { field: HeartbeatTimeout }),
            ("a:60:60:x:y", LegacyHandshakeError::InvalidTransports),
            ("a:60:60:x y", LegacyHandshakeError::InvalidTransports),
        ] {
            assert_eq!(LegacyHandshake::decode(body), Err(error), "{body}");
        }
    }

    #[test]
    fn a_server_cannot_announce_what_a_client_would_refuse() {
        let second = Duration::from_secs(1);
        let new = |heartbeat, close| LegacyHandshake::new("a", heartbeat, close, "websocket");
        assert!(new(Some(second), second).is_ok());
        let field = HandshakeField::HeartbeatTimeout;
        assert_eq!(new(Some(Duration::ZERO), second), Err(LegacyHandshakeError::Zero { field }));
        assert_eq!(
            new(Some(Duration::from_micros(1_500)), second),
            Err(LegacyHandshakeError::Fraction { field })
        );
        assert_eq!(new(Some(Duration::MAX), second).err(), Some(LegacyHandshakeError::Fraction { field }));
        let field = HandshakeField::CloseTimeout;
        assert_eq!(new(None, Duration::from_millis(1 << 31)), Err(LegacyHandshakeError::TooLong { field }));
        assert_eq!(new(None, Duration::from_secs(u64::MAX)), Err(LegacyHandshakeError::TooLong { field }));
    }

    #[test]
    fn transports_are_listed_in_the_servers_order() {
        let handshake = LegacyHandshake::decode("a:60:60:websocket,,xhr-polling").unwrap();
        assert!(handshake.transports().eq(["websocket", "xhr-polling"]));
        assert_eq!(LegacyHandshake::decode("a:60:60:").unwrap().transports().count(), 0);
    }
}
