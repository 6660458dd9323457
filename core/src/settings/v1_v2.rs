//! Settings under the old names that Socket.IO 1.x and 2.x still accepted, in milliseconds.
//!
//! | old name | unit | default | current name |
//! |---|---|---|---|
//! | `heartbeat interval` | milliseconds | 25000 | `pingInterval` |
//! | `heartbeat timeout` | milliseconds | 20000 | `pingTimeout` |
//! | `destroy buffer size` | bytes | 1000000 | `maxPayload` |
//!
//! **Check the unit.** Socket.IO 0.9 used *seconds* under the same names. 1.x and 2.x copied the values unscaled to
//! settings in *milliseconds*. So a configuration that was carried over from 0.9 was wrong by a factor of 1000. Only its
//! author knows which unit is meant. This module does not guess: it reads milliseconds. The crate `eio-legacy` reads
//! configurations of 0.9.
//!
//! The defaults changed with the releases. The table shows those of the last release, 2.5, which are also the current
//! defaults. If you relied on the 60 s of 1.0 to 2.0, on the 5 s of 2.1 to 2.4, or on the 100 MB of both, set the values
//! explicitly.
//!
//! A current name, an unknown name, and a name given twice are errors. So are old settings that do not concern
//! sessions: a setting either has an effect or causes an error.

use super::names::OldKey;
use super::old::{Generation, Measure, OldSetting, OldSettingsError, OldValues};
use super::{Heartbeat, ServerSettings};

static GENERATION: Generation = Generation {
    name: "Socket.IO 1.x and 2.x",
    expected: "`heartbeat interval`, `heartbeat timeout` or `destroy buffer size`",
    settings: &[
        OldSetting {
            key: OldKey::HeartbeatInterval,
            measure: Measure::Millis,
            label: "`heartbeat interval`, in milliseconds",
        },
        OldSetting {
            key: OldKey::HeartbeatTimeout,
            measure: Measure::Millis,
            label: "`heartbeat timeout`, in milliseconds",
        },
        OldSetting {
            key: OldKey::BufferSize,
            measure: Measure::Bytes,
            label: "`destroy buffer size`, in bytes",
        },
    ],
    had_every_setting: false,
    interval_millis: Heartbeat::DEFAULT.interval_millis(),
    timeout_millis: Heartbeat::DEFAULT.timeout_millis(),
    max_payload: ServerSettings::DEFAULT.max_payload(),
};

/// Reads settings as pairs of name and value. Values are decimal numbers as JSON writes them (`25000`, `10E7`).
/// Settings that are left out keep their defaults.
///
/// ```
/// use core::time::Duration;
/// use eio_core::settings::v1_v2;
///
/// let settings = v1_v2::read([("heartbeat interval", "10000")])?;
/// assert_eq!(settings.heartbeat().ping_interval(), Duration::from_secs(10));
///
/// let error = v1_v2::read([("pingInterval", "10000")]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`pingInterval` is a current setting, not one of Socket.IO 1.x and 2.x: \
///      expected `heartbeat interval`, in milliseconds"
/// );
/// # Ok::<(), eio_core::settings::OldSettingsError<'static>>(())
/// ```
///
/// # Errors
/// Returns an [`OldSettingsError`] that names the setting and says what was expected.
pub fn read<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<ServerSettings, OldSettingsError<'a>> {
    OldValues::read(&GENERATION, pairs)?.server_settings()
}

/// Reads a map of settings in any self-describing format, for `#[serde(deserialize_with = "..")]`.
///
/// Numbers may be integers or floats, depending on the format. A float counts as the decimal that it was read from.
///
/// ```
/// use eio_core::settings::{ServerSettings, v1_v2};
///
/// #[derive(serde::Deserialize)]
/// struct File {
///     #[serde(deserialize_with = "v1_v2::deserialize")]
///     sessions: ServerSettings,
/// }
///
/// let file = r#"{"sessions": {"heartbeat interval": 10000, "destroy buffer size": 10E7}}"#;
/// let file: File = serde_json::from_str(file)?;
/// assert_eq!(file.sessions.heartbeat().ping_interval().as_millis(), 10_000);
/// assert_eq!(file.sessions.max_payload(), 100_000_000);
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Errors
/// Returns the deserializer's error. For a wrong name or value, its text is that of an [`OldSettingsError`].
#[cfg(feature = "serde")]
pub fn deserialize<'de, D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<ServerSettings, D::Error> {
    OldValues::deserialize(&GENERATION, deserializer)?.server_settings().map_err(::serde::de::Error::custom)
}
