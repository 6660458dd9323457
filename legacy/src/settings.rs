//! The settings of a server, as a configuration of Socket.IO 0.9 writes them: under their old names, in seconds.

#[cfg(feature = "serde")]
mod serde;

use eio_core::internal::old::{Generation, Measure, OldKey, OldSetting, OldValues};
use eio_core::settings::OldSettingsError;
use eio_core::{Heartbeat, ServerSettings};

use crate::timers::ServerPeriods;

/// The settings of a server. A value of this type is always valid.
///
/// | name | unit | default | current name |
/// |---|---|---|---|
/// | `heartbeat interval` | seconds | 25 | `pingInterval`, in milliseconds |
/// | `heartbeat timeout` | seconds | 60 | `pingTimeout`, in milliseconds |
/// | `heartbeats` | `true`, `false` | `true` | – |
/// | `close timeout` | seconds | 60 | – |
/// | `polling duration` | seconds | 20 | – |
/// | `destroy buffer size` | bytes | 10E7 | `maxPayload` |
///
/// **Check the unit.** Socket.IO 1.x and 2.x used the same names for *milliseconds*. Only the author of a configuration
/// knows which unit is meant. This type does not guess: it reads seconds.
/// [`v1_v2`](eio_core::settings::v1_v2) of `eio-core` reads milliseconds.
///
/// Seconds may have up to three decimals. A value finer than a millisecond is refused, not rounded. A current name, an
/// unknown name, and a name given twice are errors too. So are old settings that do not concern sessions: a setting
/// either has an effect or causes an error.
///
/// [`read`](Self::read) takes names and values as text. With the feature `serde`, the type is also `Deserialize`, from a
/// map in any self-describing format.
///
/// ```
/// use core::time::Duration;
/// use eio_core::Instant;
/// use eio_legacy::settings::LegacySettings;
/// use eio_legacy::timers::ServerTimers;
///
/// let settings = LegacySettings::read([("heartbeat interval", "20"), ("heartbeat timeout", "7.5")])?;
/// assert_eq!(settings.periods().heartbeat_timeout(), Duration::from_millis(7_500));
/// assert_eq!(settings.periods().close_timeout(), Duration::from_secs(60));
///
/// let timers = ServerTimers::new(settings.periods(), Instant::from_micros(0));
/// assert_eq!(timers.poll_timeout(), Some(Instant::from_micros(20_000_000)));
///
/// let error = LegacySettings::read([("pingInterval", "25000")]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`pingInterval` is a current setting, not one of Socket.IO 0.9: \
///      expected `heartbeat interval`, in seconds"
/// );
/// # Ok::<(), eio_core::settings::OldSettingsError<'static>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LegacySettings {
    periods: ServerPeriods,
    has_heartbeats: bool,
    engine_io: ServerSettings,
}

impl LegacySettings {
    /// The defaults of Socket.IO 0.9.
    pub const DEFAULT: Self =
        Self { periods: ServerPeriods::DEFAULT, has_heartbeats: true, engine_io: DEFAULT_ENGINE_IO };

    /// Reads settings as pairs of name and value. Values are decimal numbers as JSON writes them (`25`, `0.5`, `10E7`),
    /// and `true` or `false` for `heartbeats`. Settings that are left out keep their defaults.
    ///
    /// # Errors
    /// Returns an [`OldSettingsError`] that names the setting and says what was expected.
    pub fn read<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, OldSettingsError<'a>> {
        Self::from_values(&OldValues::read(&GENERATION, pairs)?)
    }

    /// Returns the four periods, for [`timers`](crate::timers).
    #[must_use]
    pub const fn periods(&self) -> ServerPeriods {
        self.periods
    }

    /// Returns `heartbeats`: whether the server sends heartbeats. If not, its handshake has no heartbeat timeout, and a
    /// server on WebSocket never notices that its client is dead.
    #[must_use]
    pub const fn has_heartbeats(&self) -> bool {
        self.has_heartbeats
    }

    /// Returns `destroy buffer size`: the largest payload accepted from a client, in bytes, from 6 to 2^31 − 1.
    #[must_use]
    pub const fn max_payload(&self) -> u32 {
        self.engine_io.max_payload()
    }

    /// Converts to settings of an Engine.IO server. Keeps the heartbeat and `max_payload`; everything else has its
    /// default.
    ///
    /// `close timeout` and `polling duration` have no counterpart in Engine.IO. Its sessions always have heartbeats. If
    /// heartbeats were off, the periods that would otherwise have applied are used.
    #[must_use]
    pub const fn to_engine_io(&self) -> ServerSettings {
        self.engine_io
    }

    fn from_values(values: &OldValues) -> Result<Self, OldSettingsError<'static>> {
        let of = |key, default| values.get(key).unwrap_or(default);
        let default = ServerPeriods::DEFAULT;
        let periods = ServerPeriods {
            heartbeat_interval: of(OldKey::HeartbeatInterval, default.heartbeat_interval),
            heartbeat_timeout: of(OldKey::HeartbeatTimeout, default.heartbeat_timeout),
            close_timeout: of(OldKey::CloseTimeout, default.close_timeout),
            polling_duration: of(OldKey::PollingDuration, default.polling_duration),
        };
        let has_heartbeats = values.get(OldKey::Heartbeats) != Some(0);
        Ok(Self { periods, has_heartbeats, engine_io: values.server_settings()? })
    }
}

impl Default for LegacySettings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

const DEFAULT_ENGINE_IO: ServerSettings = match (
    Heartbeat::from_millis(GENERATION.interval_millis, GENERATION.timeout_millis),
    ServerSettings::DEFAULT.with_max_payload(GENERATION.max_payload),
) {
    (Ok(heartbeat), Ok(settings)) => settings.with_heartbeat(heartbeat),
    // The defaults are valid, so this never applies.
    _ => ServerSettings::DEFAULT,
};

const fn setting(key: OldKey, measure: Measure, label: &'static str) -> OldSetting {
    OldSetting { key, measure, label }
}

static GENERATION: Generation = Generation {
    name: "Socket.IO 0.9",
    expected: "`heartbeat interval`, `heartbeat timeout`, `heartbeats`, `close timeout`, `polling duration` or \
               `destroy buffer size`",
    settings: &[
        setting(OldKey::HeartbeatInterval, Measure::Seconds, "`heartbeat interval`, in seconds"),
        setting(OldKey::HeartbeatTimeout, Measure::Seconds, "`heartbeat timeout`, in seconds"),
        setting(OldKey::Heartbeats, Measure::Switch, "`heartbeats`, true or false"),
        setting(OldKey::CloseTimeout, Measure::Seconds, "`close timeout`, in seconds"),
        setting(OldKey::PollingDuration, Measure::Seconds, "`polling duration`, in seconds"),
        setting(OldKey::BufferSize, Measure::Bytes, "`destroy buffer size`, in bytes"),
    ],
    had_every_setting: true,
    interval_millis: ServerPeriods::DEFAULT.heartbeat_interval,
    timeout_millis: ServerPeriods::DEFAULT.heartbeat_timeout,
    max_payload: 100_000_000,
};
