//! Settings in configuration files.

use ::serde::de::{Deserialize, Deserializer, Error};
use eio_core::internal::old::OldValues;

use super::{GENERATION, LegacySettings};

/// Reads a map of settings. Numbers may be integers or floats, depending on the format. A float counts as the decimal
/// that it was read from.
///
/// ```
/// use eio_legacy::settings::LegacySettings;
///
/// let file = r#"{"heartbeat interval": 25, "heartbeat timeout": 0.6, "destroy buffer size": 10E7}"#;
/// let settings: LegacySettings = serde_json::from_str(file)?;
/// assert_eq!(settings.periods().heartbeat_interval().as_millis(), 25_000);
/// assert_eq!(settings.periods().heartbeat_timeout().as_millis(), 600);
/// assert_eq!(settings.max_payload(), 100_000_000);
/// # Ok::<(), serde_json::Error>(())
/// ```
impl<'de> Deserialize<'de> for LegacySettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = OldValues::deserialize(&GENERATION, deserializer)?;
        Self::from_values(&values).map_err(Error::custom)
    }
}
