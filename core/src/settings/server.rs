//! The settings of a server's sessions.

use core::num::NonZeroU32;
use core::time::Duration;

use super::{Heartbeat, Liveness, Unfit, whole_millis};

/// What a server decides for its sessions: timing, and limits on what a peer may cost. A value that exists is valid.
///
/// | setting | default | bounds | names in a configuration file (feature `serde`) |
/// |---|---|---|---|
/// | [`heartbeat`](Self::heartbeat) | 25 s, 20 s | [`Heartbeat::new`] | `pingInterval`, `pingTimeout` |
/// | [`liveness`](Self::liveness) | `ExtendOnce` | – | `liveness`: `pong-only`, `extend-once`, `any-packet` |
/// | [`max_payload`](Self::max_payload) | 1,000,000 bytes | 6 to 2^31 − 1 | `maxPayload`, `maxHttpBufferSize` |
/// | [`max_packets`](Self::max_packets) | 16,384 | above 0 | `maxPackets` |
/// | [`upgrade_timeout`](Self::upgrade_timeout) | 10 s | 1 ms to 2^31 − 1 ms | `upgradeTimeout` |
/// | [`close_timeout`](Self::close_timeout) | 30 s | 1 ms to 2^31 − 1 ms | `closeTimeout` |
/// | [`app_stall_timeout`](Self::app_stall_timeout) | I + T | 1 ms to 2^31 − 1 ms | `appStallTimeout` |
///
/// A configuration file may write each name with underscores too (`ping_interval`, `max_http_buffer_size`). Times
/// are whole milliseconds there, as they are in the reference server, and sizes whole bytes. What is left out keeps
/// its default. Two names for one setting, an unknown name, a fraction or a number in quotes is an error. So is an
/// old name with spaces, such as `heartbeat interval`: its unit may be seconds, and
/// [`LegacySettings`](super::LegacySettings) reads it.
///
/// ```
/// use core::time::Duration;
/// use eio_core::{Heartbeat, Liveness, settings::Settings};
///
/// let settings = Settings::DEFAULT
///     .with_heartbeat(Heartbeat::new(Duration::from_secs(10), Duration::from_secs(5))?)
///     .with_liveness(Liveness::PongOnly)
///     .with_max_payload(65_536)?;
/// assert_eq!(settings.app_stall_timeout(), Duration::from_secs(15));
///
/// let error = Settings::DEFAULT.with_upgrade_timeout(Duration::ZERO).unwrap_err();
/// assert_eq!(error.to_string(), "upgradeTimeout is too small: expected at least 1 ms");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Settings {
    pub(super) heartbeat: Heartbeat,
    pub(super) liveness: Liveness,
    pub(super) max_payload: u32,
    pub(super) max_packets: u32,
    pub(super) upgrade_millis: u32,
    pub(super) close_millis: u32,
    /// `None`: follows the heartbeat.
    pub(super) app_stall_millis: Option<NonZeroU32>,
}

impl Settings {
    /// The defaults: those of the reference server (engine.io 6.6.12) where it has such a setting.
    pub const DEFAULT: Self = Self {
        heartbeat: Heartbeat::DEFAULT,
        liveness: Liveness::ExtendOnce,
        max_payload: 1_000_000,
        max_packets: 16_384,
        upgrade_millis: 10_000,
        close_millis: 30_000,
        app_stall_millis: None,
    };

    /// How often a session pings, and how long it waits.
    #[must_use]
    pub const fn heartbeat(&self) -> Heartbeat {
        self.heartbeat
    }

    /// Which packets of a client count as a sign of life.
    #[must_use]
    pub const fn liveness(&self) -> Liveness {
        self.liveness
    }

    /// The largest payload taken from a client, in bytes: one WebSocket message, or the body of one polling request,
    /// packet types and separators included.
    ///
    /// At least 6, the length of `2probe`, without which no session could upgrade; at most 2^31 − 1. A client of
    /// revision 4 is told. The reference server calls it `maxHttpBufferSize`.
    #[must_use]
    pub const fn max_payload(&self) -> u32 {
        self.max_payload
    }

    /// The most packets taken from one polling payload.
    ///
    /// A client that has sent nothing for a while sends all that has gathered in one payload, so this is generous: what
    /// limits such a client is [`max_payload`](Self::max_payload). It bounds what a payload of half a million empty
    /// messages costs, each of which takes a queue's place of some 40 bytes for two on the wire. The reference server has
    /// no such limit; for one in bytes alone, set half of `max_payload`. It does not concern what a server sends.
    #[must_use]
    pub const fn max_packets(&self) -> u32 {
        self.max_packets
    }

    /// How long a connection that wants to take a session over may take to prove itself, from its opening.
    ///
    /// When it passes, that connection is closed, and the session lives on where it was.
    #[must_use]
    pub const fn upgrade_timeout(&self) -> Duration {
        Duration::from_millis(self.upgrade_millis as u64)
    }

    /// How long a session that this side closes may take to hand its last packets over.
    ///
    /// It bounds the wait for a next poll, and for a slow reader. A heartbeat that falls due earlier ends it earlier.
    /// It is not the old `close timeout`, which bounded the silence of a polling client.
    #[must_use]
    pub const fn close_timeout(&self) -> Duration {
        Duration::from_millis(self.close_millis as u64)
    }

    /// How long the application may leave a full inbox unread before the session ends as stalled.
    ///
    /// Silence of the peer is not judged meanwhile. Follows the heartbeat, as I + T, unless it has been set.
    #[must_use]
    pub const fn app_stall_timeout(&self) -> Duration {
        let millis = match self.app_stall_millis {
            Some(millis) => millis.get(),
            None => self.heartbeat.sum_millis(),
        };
        Duration::from_millis(millis as u64)
    }

    /// The same, with this [`heartbeat`](Self::heartbeat).
    #[must_use]
    pub const fn with_heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// The same, with this [`liveness`](Self::liveness).
    #[must_use]
    pub const fn with_liveness(mut self, liveness: Liveness) -> Self {
        self.liveness = liveness;
        self
    }

    /// The same, with this [`max_payload`](Self::max_payload) in bytes.
    ///
    /// # Errors
    /// Below 6 or above 2^31 − 1.
    pub const fn with_max_payload(self, bytes: u32) -> Result<Self, SettingsError> {
        self.with_limit(Limit::MaxPayload, bytes)
    }

    /// The same, with this [`max_packets`](Self::max_packets).
    ///
    /// # Errors
    /// Zero.
    pub const fn with_max_packets(self, packets: u32) -> Result<Self, SettingsError> {
        self.with_limit(Limit::MaxPackets, packets)
    }

    /// The same, with this [`upgrade_timeout`](Self::upgrade_timeout).
    ///
    /// # Errors
    /// Zero, above 2^31 − 1 ms, or not whole milliseconds.
    pub const fn with_upgrade_timeout(self, timeout: Duration) -> Result<Self, SettingsError> {
        self.with_period(Limit::UpgradeTimeout, timeout)
    }

    /// The same, with this [`close_timeout`](Self::close_timeout).
    ///
    /// # Errors
    /// Zero, above 2^31 − 1 ms, or not whole milliseconds.
    pub const fn with_close_timeout(self, timeout: Duration) -> Result<Self, SettingsError> {
        self.with_period(Limit::CloseTimeout, timeout)
    }

    /// The same, with this [`app_stall_timeout`](Self::app_stall_timeout), whatever the heartbeat is.
    ///
    /// # Errors
    /// Zero, above 2^31 − 1 ms, or not whole milliseconds.
    pub const fn with_app_stall_timeout(self, timeout: Duration) -> Result<Self, SettingsError> {
        self.with_period(Limit::AppStallTimeout, timeout)
    }

    const fn with_period(self, limit: Limit, period: Duration) -> Result<Self, SettingsError> {
        match whole_millis(period) {
            Ok(millis) => self.with_limit(limit, millis),
            Err(Unfit::Fraction) => Err(SettingsError::Fraction { limit }),
            Err(Unfit::TooLong) => Err(SettingsError::TooLarge { limit, max: limit.max() }),
        }
    }

    /// The same, with `limit` at `value` in its unit.
    pub(super) const fn with_limit(mut self, limit: Limit, value: u32) -> Result<Self, SettingsError> {
        if value < limit.min() {
            return Err(SettingsError::TooSmall { limit, min: limit.min() });
        }
        if value > limit.max() {
            return Err(SettingsError::TooLarge { limit, max: limit.max() });
        }
        match limit {
            Limit::MaxPayload => self.max_payload = value,
            Limit::MaxPackets => self.max_packets = value,
            Limit::UpgradeTimeout => self.upgrade_millis = value,
            Limit::CloseTimeout => self.close_millis = value,
            Limit::AppStallTimeout => self.app_stall_millis = NonZeroU32::new(value),
        }
        Ok(self)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// One of the limits in [`Settings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Limit {
    /// [`Settings::max_payload`]
    MaxPayload,
    /// [`Settings::max_packets`]
    MaxPackets,
    /// [`Settings::upgrade_timeout`]
    UpgradeTimeout,
    /// [`Settings::close_timeout`]
    CloseTimeout,
    /// [`Settings::app_stall_timeout`]
    AppStallTimeout,
}

impl Limit {
    /// The name in a configuration file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxPayload => "maxPayload",
            Self::MaxPackets => "maxPackets",
            Self::UpgradeTimeout => "upgradeTimeout",
            Self::CloseTimeout => "closeTimeout",
            Self::AppStallTimeout => "appStallTimeout",
        }
    }

    /// What its value counts.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::MaxPayload => "bytes",
            Self::MaxPackets => "per payload",
            Self::UpgradeTimeout | Self::CloseTimeout | Self::AppStallTimeout => "ms",
        }
    }

    const fn min(self) -> u32 {
        match self {
            Self::MaxPayload => MIN_PAYLOAD,
            Self::MaxPackets | Self::UpgradeTimeout | Self::CloseTimeout | Self::AppStallTimeout => 1,
        }
    }

    const fn max(self) -> u32 {
        match self {
            Self::MaxPackets => u32::MAX,
            Self::MaxPayload | Self::UpgradeTimeout | Self::CloseTimeout | Self::AppStallTimeout => {
                0x7fff_ffff
            }
        }
    }
}

/// The length of `2probe`, the longest packet that the protocol itself asks of a client.
pub(super) const MIN_PAYLOAD: u32 = 6;

/// Why a value is not one of [`Settings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SettingsError {
    /// Below what can work. Zero is no way to say "none".
    #[error("{} is too small: expected at least {min} {}", .limit.as_str(), .limit.unit())]
    TooSmall {
        /// Which limit.
        limit: Limit,
        /// The smallest value, in the limit's unit.
        min: u32,
    },
    /// Above what timers and lengths can hold.
    #[error("{} is too large: expected at most {max} {}", .limit.as_str(), .limit.unit())]
    TooLarge {
        /// Which limit.
        limit: Limit,
        /// The largest value, in the limit's unit.
        max: u32,
    },
    /// Finer than a millisecond.
    #[error("{} is not a whole number of milliseconds", .limit.as_str())]
    Fraction {
        /// Which limit.
        limit: Limit,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::DEFAULT_MAX_PACKETS;
    use crate::session::CLOSE_TIMEOUT;
    use crate::upgrade::UPGRADE_TIMEOUT;

    #[test]
    fn the_defaults_are_those_that_the_layers_recommend() {
        assert_eq!(usize::try_from(Settings::DEFAULT.max_packets()), Ok(DEFAULT_MAX_PACKETS));
        assert_eq!(Settings::DEFAULT.upgrade_timeout(), UPGRADE_TIMEOUT);
        assert_eq!(Settings::DEFAULT.close_timeout(), CLOSE_TIMEOUT);
    }
}
