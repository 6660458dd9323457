//! The settings of a server's sessions.

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

use super::{Heartbeat, Liveness, Unfit, whole_millis};

/// The settings of a server's sessions: timing, and limits on the resources that a peer may use. A value of this type
/// is always valid.
///
/// | setting | default | bounds | names in a configuration file (feature `serde`) |
/// |---|---|---|---|
/// | [`heartbeat`](Self::heartbeat) | 25 s, 20 s | [`Heartbeat::new`] | `pingInterval`, `pingTimeout` |
/// | [`liveness`](Self::liveness) | `ExtendOnce` | – | `liveness`: `pong-only`, `extend-once`, `any-packet` |
/// | [`max_payload`](Self::max_payload) | 1,000,000 bytes | 6 to 2^31 − 1 | `maxPayload`, `maxHttpBufferSize` |
/// | [`max_packets`](Self::max_packets) | 16,384 | 1 to 2^31 − 1 | `maxPackets` |
/// | [`upgrade_timeout`](Self::upgrade_timeout) | 10 s | 1 ms to 2^31 − 1 ms | `upgradeTimeout` |
/// | [`close_timeout`](Self::close_timeout) | 30 s | 1 ms to 2^31 − 1 ms | `closeTimeout` |
/// | [`app_stall_timeout`](Self::app_stall_timeout) | I + T | 1 ms to 2^31 − 1 ms | `appStallTimeout` |
///
/// A configuration file may also write each name with underscores (`ping_interval`, `max_http_buffer_size`). Times are
/// whole milliseconds there, as in the reference server, and sizes are whole bytes. Settings that are left out keep
/// their defaults. Two names for one setting, an unknown name, a fraction or a number in quotes is an error. An old
/// name with spaces, such as `heartbeat interval`, is an error too, because its unit may be seconds.
/// [`v1_v2`](super::v1_v2) reads old names.
///
/// ```
/// use core::time::Duration;
/// use eio_core::{Heartbeat, Liveness, settings::ServerSettings};
///
/// let settings = ServerSettings::DEFAULT
///     .with_heartbeat(Heartbeat::new(Duration::from_secs(10), Duration::from_secs(5))?)
///     .with_liveness(Liveness::PongOnly)
///     .with_max_payload(65_536)?;
/// assert_eq!(settings.app_stall_timeout(), Duration::from_secs(15));
///
/// let error = ServerSettings::DEFAULT.with_upgrade_timeout(Duration::ZERO).unwrap_err();
/// assert_eq!(error.to_string(), "upgradeTimeout is too small: expected at least 1 ms");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ServerSettings {
    pub(super) heartbeat: Heartbeat,
    pub(super) liveness: Liveness,
    pub(super) max_payload: u32,
    pub(super) max_packets: u32,
    pub(super) upgrade_millis: u32,
    pub(super) close_millis: u32,
    /// `None` follows the heartbeat.
    pub(super) app_stall_millis: Option<NonZeroU32>,
}

impl ServerSettings {
    /// The defaults. They are those of the reference server (engine.io 6.6.12) where it has such a setting.
    pub const DEFAULT: Self = Self {
        heartbeat: Heartbeat::DEFAULT,
        liveness: Liveness::ExtendOnce,
        max_payload: 1_000_000,
        max_packets: 16_384,
        upgrade_millis: 10_000,
        close_millis: 30_000,
        app_stall_millis: None,
    };

    /// Returns how often a session pings, and how long it waits for the answer.
    #[must_use]
    pub const fn heartbeat(&self) -> Heartbeat {
        self.heartbeat
    }

    /// Returns which packets of a client count as a sign of life.
    #[must_use]
    pub const fn liveness(&self) -> Liveness {
        self.liveness
    }

    /// Returns the largest payload accepted from a client, in bytes: one WebSocket message, or the body of one polling
    /// request. Packet types and separators count.
    ///
    /// It is at least 6, the length of `2probe`, because a session could not upgrade otherwise. It is at most 2^31 − 1.
    /// The server announces it to clients of revision 4. The reference server calls it `maxHttpBufferSize`.
    #[must_use]
    pub const fn max_payload(&self) -> u32 {
        self.max_payload
    }

    /// Returns the largest number of packets accepted from one polling payload.
    ///
    /// The default is generous, because a client that could not send for a while sends everything it has queued in one
    /// payload. [`max_payload`](Self::max_payload) limits such a client. This limit bounds the cost of a payload of
    /// half a million empty messages: each takes two bytes on the wire, but some 40 bytes in a queue. The reference
    /// server has no such limit. To limit payloads by their bytes alone, set it to half of `max_payload`. It does not
    /// apply to the payloads that a server sends.
    #[must_use]
    pub const fn max_packets(&self) -> u32 {
        self.max_packets
    }

    /// Returns how long an upgrade may take, from the opening of the new connection.
    ///
    /// After that time the new connection is closed, and the session stays on its old transport. A client that moves just
    /// then has left that transport, loses its session and connects again. Clients of eio give up after half of the default
    /// ([`CLIENT_UPGRADE_TIMEOUT`](crate::upgrade::CLIENT_UPGRADE_TIMEOUT)); the stock clients have no limit of their own, so a
    /// short time costs sessions on slow links.
    #[must_use]
    pub const fn upgrade_timeout(&self) -> Duration {
        Duration::from_millis(self.upgrade_millis as u64)
    }

    /// Returns how long a session that this side closes may take to deliver its last packets.
    ///
    /// It limits the wait for a next poll, and for a slow reader. The deadline for the peer's silence may end the
    /// session earlier: no ping is sent any more, and each packet of the client puts this deadline off by an interval and
    /// a timeout. It is not the old `close timeout`, which limited the silence of a polling client.
    #[must_use]
    pub const fn close_timeout(&self) -> Duration {
        Duration::from_millis(self.close_millis as u64)
    }

    /// Returns how long the application may leave a full inbox unread before the session ends as stalled.
    ///
    /// Meanwhile the silence of the peer does not count. Unless it has been set, the value follows the heartbeat: it is
    /// I + T.
    #[must_use]
    pub const fn app_stall_timeout(&self) -> Duration {
        let millis = match self.app_stall_millis {
            Some(millis) => millis.get(),
            None => self.heartbeat.sum_millis(),
        };
        Duration::from_millis(millis as u64)
    }

    /// Returns these settings with this [`heartbeat`](Self::heartbeat).
    #[must_use]
    pub const fn with_heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// Returns these settings with this [`liveness`](Self::liveness).
    #[must_use]
    pub const fn with_liveness(mut self, liveness: Liveness) -> Self {
        self.liveness = liveness;
        self
    }

    /// Returns these settings with this [`max_payload`](Self::max_payload) in bytes.
    ///
    /// # Errors
    /// Returns a [`SettingsError`] if `bytes` is below 6 or above 2^31 − 1.
    pub const fn with_max_payload(self, bytes: u32) -> Result<Self, SettingsError> {
        self.with_limit(Limit::MaxPayload, bytes)
    }

    /// Returns these settings with this [`max_packets`](Self::max_packets).
    ///
    /// # Errors
    /// Returns a [`SettingsError`] if `packets` is zero or above 2^31 − 1.
    pub const fn with_max_packets(self, packets: u32) -> Result<Self, SettingsError> {
        self.with_limit(Limit::MaxPackets, packets)
    }

    /// Returns these settings with this [`upgrade_timeout`](Self::upgrade_timeout).
    ///
    /// # Errors
    /// Returns a [`SettingsError`] if `timeout` is zero, above 2^31 − 1 ms, or not whole milliseconds.
    pub const fn with_upgrade_timeout(self, timeout: Duration) -> Result<Self, SettingsError> {
        self.with_period(Limit::UpgradeTimeout, timeout)
    }

    /// Returns these settings with this [`close_timeout`](Self::close_timeout).
    ///
    /// # Errors
    /// Returns a [`SettingsError`] if `timeout` is zero, above 2^31 − 1 ms, or not whole milliseconds.
    pub const fn with_close_timeout(self, timeout: Duration) -> Result<Self, SettingsError> {
        self.with_period(Limit::CloseTimeout, timeout)
    }

    /// Returns these settings with this [`app_stall_timeout`](Self::app_stall_timeout), which no longer follows the
    /// heartbeat.
    ///
    /// # Errors
    /// Returns a [`SettingsError`] if `timeout` is zero, above 2^31 − 1 ms, or not whole milliseconds.
    pub const fn with_app_stall_timeout(self, timeout: Duration) -> Result<Self, SettingsError> {
        self.with_period(Limit::AppStallTimeout, timeout)
    }

    const fn with_period(self, limit: Limit, period: Duration) -> Result<Self, SettingsError> {
        match whole_millis(period) {
            Ok(millis) => self.with_limit(limit, millis),
            Err(Unfit::Fraction) => Err(SettingsError::Fraction { limit }),
            Err(Unfit::TooLong) => Err(SettingsError::TooLarge { limit, max: Limit::MAX }),
        }
    }

    /// Returns these settings with `limit` set to `value`, in the unit of the limit.
    pub(super) const fn with_limit(mut self, limit: Limit, value: u32) -> Result<Self, SettingsError> {
        if value < limit.min() {
            return Err(SettingsError::TooSmall { limit, min: limit.min() });
        }
        if value > Limit::MAX {
            return Err(SettingsError::TooLarge { limit, max: Limit::MAX });
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

impl Default for ServerSettings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// One of the limits in [`ServerSettings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Limit {
    /// [`ServerSettings::max_payload`]
    MaxPayload,
    /// [`ServerSettings::max_packets`]
    MaxPackets,
    /// [`ServerSettings::upgrade_timeout`]
    UpgradeTimeout,
    /// [`ServerSettings::close_timeout`]
    CloseTimeout,
    /// [`ServerSettings::app_stall_timeout`]
    AppStallTimeout,
}

impl Limit {
    /// The largest value of each. A configuration file's number above `u32::MAX` counts as `u32::MAX`, which is above it too.
    const MAX: u32 = 0x7fff_ffff;

    /// Returns the name in a configuration file.
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

    /// Returns the unit of its value.
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
}

/// Displays the name in a configuration file.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The length of `2probe`, the longest packet that the protocol itself requires from a client.
pub(super) const MIN_PAYLOAD: u32 = 6;

/// The reason why a value is not valid in [`ServerSettings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SettingsError {
    /// The value is too small to work. Zero does not mean "no limit".
    #[error("{} is too small: expected at least {min} {}", .limit.as_str(), .limit.unit())]
    TooSmall {
        /// The limit.
        limit: Limit,
        /// The smallest value, in the limit's unit.
        min: u32,
    },
    /// The value is larger than timers and lengths can hold.
    #[error("{} is too large: expected at most {max} {}", .limit.as_str(), .limit.unit())]
    TooLarge {
        /// The limit.
        limit: Limit,
        /// The largest value, in the limit's unit.
        max: u32,
    },
    /// The value is finer than a millisecond.
    #[error("{} is not a whole number of milliseconds", .limit.as_str())]
    Fraction {
        /// The limit.
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
        assert_eq!(usize::try_from(ServerSettings::DEFAULT.max_packets()), Ok(DEFAULT_MAX_PACKETS));
        assert_eq!(ServerSettings::DEFAULT.upgrade_timeout(), UPGRADE_TIMEOUT);
        assert_eq!(ServerSettings::DEFAULT.close_timeout(), CLOSE_TIMEOUT);
    }
}
