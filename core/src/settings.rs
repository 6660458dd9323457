//! The settings of a session: its heartbeat periods, which packets count as a sign of life, and its limits.

pub(crate) mod names;
pub(crate) mod old;
#[cfg(feature = "serde")]
mod serde;
mod server;
pub mod v1_v2;

pub use old::{OldSettingsError, ValueProblem};
pub use server::{Limit, ServerSettings, SettingsError};

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

/// How often a session pings and how long it waits for the answer. A value of this type is always valid.
///
/// Both sides of a session use the same two periods. The server announces them in its `open` packet.
///
/// ```
/// use core::time::Duration;
/// use eio_core::Heartbeat;
///
/// let heartbeat = Heartbeat::new(Duration::from_secs(10), Duration::from_secs(5))?;
/// assert_eq!(heartbeat.ping_interval(), Duration::from_secs(10));
/// assert!(Heartbeat::new(Duration::ZERO, Duration::from_secs(5)).is_err());
/// # Ok::<(), eio_core::settings::HeartbeatError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Heartbeat {
    interval_millis: u32,
    timeout_millis: u32,
}

impl Heartbeat {
    /// A ping every 25 s, to be answered within 20 s: the defaults of engine.io since version 5.
    pub const DEFAULT: Self = Self { interval_millis: 25_000, timeout_millis: 20_000 };

    /// The longest `ping_interval + ping_timeout`: 2^31 − 1 ms, 24.8 days.
    ///
    /// Above it, timers of the reference implementations overflow and fire at once.
    pub const MAX_SUM: Duration = Duration::from_millis(0x7fff_ffff);

    /// Creates a heartbeat from two periods. Each must be whole milliseconds above zero, and their sum at most
    /// [`MAX_SUM`](Self::MAX_SUM).
    ///
    /// # Errors
    /// Returns a [`HeartbeatError`] that says which period is invalid, and why.
    pub const fn new(ping_interval: Duration, ping_timeout: Duration) -> Result<Self, HeartbeatError> {
        let interval_millis = match whole_millis(ping_interval) {
            Ok(0) => return Err(HeartbeatError::Zero { period: Period::PingInterval }),
            Ok(millis) => millis,
            Err(Unfit::Fraction) => return Err(HeartbeatError::Fraction { period: Period::PingInterval }),
            Err(Unfit::TooLong) => return Err(HeartbeatError::TooLong),
        };
        let timeout_millis = match whole_millis(ping_timeout) {
            Ok(0) => return Err(HeartbeatError::Zero { period: Period::PingTimeout }),
            Ok(millis) => millis,
            Err(Unfit::Fraction) => return Err(HeartbeatError::Fraction { period: Period::PingTimeout }),
            Err(Unfit::TooLong) => return Err(HeartbeatError::TooLong),
        };
        Self::from_millis(interval_millis, timeout_millis)
    }

    /// Creates a heartbeat from whole milliseconds, the unit of the `open` packet.
    ///
    /// # Errors
    /// The same as those of [`new`](Self::new).
    pub const fn from_millis(ping_interval: u32, ping_timeout: u32) -> Result<Self, HeartbeatError> {
        if ping_interval == 0 {
            return Err(HeartbeatError::Zero { period: Period::PingInterval });
        }
        if ping_timeout == 0 {
            return Err(HeartbeatError::Zero { period: Period::PingTimeout });
        }
        match ping_interval.checked_add(ping_timeout) {
            Some(0..=0x7fff_ffff) => {
                Ok(Self { interval_millis: ping_interval, timeout_millis: ping_timeout })
            }
            _ => Err(HeartbeatError::TooLong),
        }
    }

    /// Returns how long after a heartbeat the next ping is due.
    ///
    /// Mobile radios sleep between pings. A longer interval saves power, but finds dead peers later.
    #[must_use]
    pub const fn ping_interval(self) -> Duration {
        Duration::from_millis(self.interval_millis as u64)
    }

    /// Returns how long the answer to a ping may take before the peer counts as gone.
    #[must_use]
    pub const fn ping_timeout(self) -> Duration {
        Duration::from_millis(self.timeout_millis as u64)
    }

    /// Returns how long a peer may be silent after a heartbeat before it counts as gone: `pingInterval + pingTimeout`.
    ///
    /// ```
    /// use eio_core::Heartbeat;
    /// use core::time::Duration;
    ///
    /// assert_eq!(Heartbeat::DEFAULT.max_silence(), Duration::from_secs(45));
    /// ```
    #[must_use]
    pub const fn max_silence(self) -> Duration {
        Duration::from_millis(self.sum_millis() as u64)
    }

    /// Creates a heartbeat from periods that were checked before.
    pub(crate) const fn from_valid_millis(interval_millis: u32, timeout_millis: u32) -> Self {
        Self { interval_millis, timeout_millis }
    }

    pub(crate) const fn interval_millis(self) -> u32 {
        self.interval_millis
    }

    pub(crate) const fn timeout_millis(self) -> u32 {
        self.timeout_millis
    }

    /// Returns the sum of both periods. It does not saturate, because the periods are valid.
    pub(crate) const fn sum_millis(self) -> u32 {
        self.interval_millis.saturating_add(self.timeout_millis)
    }
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The reason why a period does not fit a `u32` of milliseconds.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "public for `eio-legacy` alone, through `internal`")]
pub enum Unfit {
    /// It is finer than a millisecond.
    Fraction,
    /// It is longer than 2^32 − 1 ms.
    TooLong,
}

/// Returns a period in whole milliseconds.
///
/// # Errors
/// Returns the reason if the period does not fit.
pub const fn whole_millis(period: Duration) -> Result<u32, Unfit> {
    if !period.subsec_nanos().is_multiple_of(1_000_000) {
        return Err(Unfit::Fraction);
    }
    let millis = period.as_millis();
    if millis > u32::MAX as u128 {
        return Err(Unfit::TooLong);
    }
    #[expect(clippy::cast_possible_truncation, reason = "compared with the maximum just above")]
    Ok(millis as u32)
}

/// One of the two periods of a [`Heartbeat`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "a heartbeat has these two periods")]
pub enum Period {
    /// `pingInterval` on the wire.
    PingInterval,
    /// `pingTimeout` on the wire.
    PingTimeout,
}

impl Period {
    /// Returns the name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PingInterval => "pingInterval",
            Self::PingTimeout => "pingTimeout",
        }
    }
}

/// Displays the name on the wire.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The reason why two periods do not make a valid [`Heartbeat`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HeartbeatError {
    /// A period is zero: the session would end before it began.
    #[error("{} is zero: expected at least 1 ms", .period.as_str())]
    Zero {
        /// The invalid period.
        period: Period,
    },
    /// A period is not whole milliseconds, which is all that the wire can carry. Rounding would change the requested
    /// period.
    #[error("{} is not a whole number of milliseconds", .period.as_str())]
    Fraction {
        /// The invalid period.
        period: Period,
    },
    /// The sum of the periods is longer than [`Heartbeat::MAX_SUM`].
    #[error(
        "pingInterval + pingTimeout is above 2147483647 ms, where the reference implementations' timers overflow"
    )]
    TooLong,
}

/// Which packets of a client count for a server as a sign that the client is alive.
///
/// The reference server has changed this rule twice. Each policy names the versions that behave like it, and its worst
/// case (I is `ping_interval`, T is `ping_timeout`; see [`detect`](crate::detect)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(
    feature = "serde",
    derive(::serde::Deserialize, ::serde::Serialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum Liveness {
    /// Only the heartbeat itself counts: the awaited pong (EIO4) or a ping (EIO3). A dead client is noticed at most I +
    /// T after its last heartbeat. This is the rule of engine.io 6.6.0 to 6.6.10.
    PongOnly,
    /// The default. As `PongOnly`, but in EIO4 the first other packet after a ping restarts the timeout, once per ping.
    /// So a pong that is queued behind bulk data is not missed. A dead client is noticed at most I + 2T after its last
    /// heartbeat. This is the rule of engine.io 6.6.11 and newer.
    #[default]
    ExtendOnce,
    /// Any packet counts. A dead client is noticed at most I + T after its last packet, but messages alone can keep a
    /// session alive without limit. This is the rule of engine.io up to 6.5, and of 3.x.
    AnyPacket,
}

impl Liveness {
    /// Every policy, the strictest one first.
    pub const ALL: [Self; 3] = [Self::PongOnly, Self::ExtendOnce, Self::AnyPacket];

    /// Returns the name in a configuration file: `pong-only`, `extend-once` or `any-packet`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PongOnly => "pong-only",
            Self::ExtendOnce => "extend-once",
            Self::AnyPacket => "any-packet",
        }
    }
}

/// Displays the name in a configuration file.
impl fmt::Display for Liveness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Reads the name in a configuration file.
///
/// ```
/// use eio_core::Liveness;
///
/// assert_eq!("any-packet".parse(), Ok(Liveness::AnyPacket));
/// let error = "any packet".parse::<Liveness>().unwrap_err();
/// assert_eq!(error.to_string(), "unknown liveness policy: expected pong-only, extend-once or any-packet");
/// ```
impl FromStr for Liveness {
    type Err = ParseLivenessError;

    fn from_str(name: &str) -> Result<Self, ParseLivenessError> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == name).ok_or(ParseLivenessError)
    }
}

/// The error for text that does not name a [`Liveness`] policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("unknown liveness policy: expected pong-only, extend-once or any-packet")]
#[non_exhaustive]
pub struct ParseLivenessError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_whole_milliseconds_in_32_bits() {
        let longest = Duration::from_millis(u32::MAX.into());
        let millisecond = Duration::from_millis(1);
        for (period, expected) in [
            (Duration::ZERO, Ok(0)),
            (millisecond, Ok(1)),
            (longest, Ok(u32::MAX)),
            (longest.saturating_add(millisecond), Err("TooLong")),
            (Duration::from_micros(1_001), Err("Fraction")),
        ] {
            let millis = whole_millis(period).map_err(|unfit| match unfit {
                Unfit::Fraction => "Fraction",
                Unfit::TooLong => "TooLong",
            });
            assert_eq!(millis, expected, "{period:?}");
        }
    }
}
