//! What a session can be told: its heartbeat periods, which traffic counts as life, and its limits.

mod legacy;
mod names;
#[cfg(feature = "serde")]
mod serde;
mod server;

pub use legacy::{LegacyError, LegacySettings, Measure, OldSettings, ValueProblem};
pub use server::{Limit, Settings, SettingsError};

use core::time::Duration;

/// How often a session pings and how long it waits for the answer. A value that exists is valid.
///
/// Both ends of a session use the same two periods: the server announces them in its `open` packet.
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
    /// A ping every 25 s, answered within 20 s: the defaults of engine.io since version 5.
    pub const DEFAULT: Self = Self { interval_millis: 25_000, timeout_millis: 20_000 };

    /// The longest `ping_interval + ping_timeout`: 2^31 − 1 ms, 24.8 days.
    ///
    /// Timers of the reference implementations overflow above it and fire at once.
    pub const MAX_SUM: Duration = Duration::from_millis(0x7fff_ffff);

    /// Checks both periods: whole milliseconds, above zero, and together at most [`MAX_SUM`](Self::MAX_SUM).
    ///
    /// # Errors
    /// [`HeartbeatError`] says which period was refused, and why.
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

    /// The same from whole milliseconds, the unit of the `open` packet.
    ///
    /// # Errors
    /// As [`new`](Self::new).
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

    /// How long after a heartbeat the next ping is due.
    ///
    /// Mobile radios sleep between pings: a longer interval saves power and finds dead peers later.
    #[must_use]
    pub const fn ping_interval(self) -> Duration {
        Duration::from_millis(self.interval_millis as u64)
    }

    /// How long the answer to a ping may take before the peer counts as gone.
    #[must_use]
    pub const fn ping_timeout(self) -> Duration {
        Duration::from_millis(self.timeout_millis as u64)
    }

    /// How long a peer may be silent: `pingInterval + pingTimeout` after a heartbeat it counts as gone.
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

    /// Periods that were checked before.
    pub(crate) const fn from_valid_millis(interval_millis: u32, timeout_millis: u32) -> Self {
        Self { interval_millis, timeout_millis }
    }

    pub(crate) const fn interval_millis(self) -> u32 {
        self.interval_millis
    }

    pub(crate) const fn timeout_millis(self) -> u32 {
        self.timeout_millis
    }

    /// Valid periods fit together: the sum does not saturate.
    pub(crate) const fn sum_millis(self) -> u32 {
        self.interval_millis.saturating_add(self.timeout_millis)
    }
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why a period does not fit a `u32` of milliseconds.
#[derive(Clone, Copy)]
pub(crate) enum Unfit {
    Fraction,
    TooLong,
}

/// A period in whole milliseconds.
pub(crate) const fn whole_millis(period: Duration) -> Result<u32, Unfit> {
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
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PingInterval => "pingInterval",
            Self::PingTimeout => "pingTimeout",
        }
    }
}

/// Why two periods are not a [`Heartbeat`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HeartbeatError {
    /// A period of zero: the session would end before it began.
    #[error("{} is zero: expected at least 1 ms", .period.as_str())]
    Zero {
        /// Which of the two.
        period: Period,
    },
    /// The wire carries whole milliseconds; a rounded period would not be the one asked for.
    #[error("{} is not a whole number of milliseconds", .period.as_str())]
    Fraction {
        /// Which of the two.
        period: Period,
    },
    /// The two together are longer than [`Heartbeat::MAX_SUM`].
    #[error(
        "pingInterval + pingTimeout is above 2147483647 ms, where the reference implementations' timers overflow"
    )]
    TooLong,
}

/// Which of a client's packets count, to a server, as a sign that the client lives.
///
/// The reference server changed this rule twice; each policy states the versions that behave like it and the worst
/// case it leads to (I is `ping_interval`, T is `ping_timeout`; see [`detect`](crate::detect)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(
    feature = "serde",
    derive(::serde::Deserialize, ::serde::Serialize),
    serde(rename_all = "kebab-case")
)]
#[expect(clippy::exhaustive_enums, reason = "the three rules that reference servers have had")]
pub enum Liveness {
    /// Only the heartbeat itself: the awaited pong (EIO4) or a ping (EIO3). At most I + T after the last one.
    /// engine.io 6.6.0 to 6.6.10.
    PongOnly,
    /// The default: as `PongOnly`, and in EIO4 the first other packet after a ping restarts the timeout, once per
    /// ping, so that a pong queued behind bulk data is not missed. At most I + 2T. engine.io 6.6.11 and newer.
    #[default]
    ExtendOnce,
    /// Any packet. At most I + T after the last packet, which messages alone can put off for ever.
    /// engine.io up to 6.5, and 3.x.
    AnyPacket,
}
