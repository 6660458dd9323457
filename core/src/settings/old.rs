//! Reads the old names of settings, such as `heartbeat interval`, for every generation of Socket.IO that had them.

mod error;
#[cfg(feature = "serde")]
mod serde;

pub use error::{OldSettingsError, ValueProblem};

use super::names::{Key, OldKey, OtherOldName};
use super::server::MIN_PAYLOAD;
use super::{Heartbeat, ServerSettings};
use crate::json::{Kind, NotU32, Reader, number_to_u32};

/// What the old names meant in one generation of Socket.IO.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "public for `eio-legacy` alone, through `internal`")]
pub struct Generation {
    /// Its name in messages.
    pub name: &'static str,
    /// The names of its settings, in a list for messages.
    pub expected: &'static str,
    /// Its settings.
    pub settings: &'static [OldSetting],
    /// Whether it had every old setting, also those that 1.x and 2.x refuse.
    pub had_every_setting: bool,
    /// The default of `heartbeat interval`, in milliseconds.
    pub interval_millis: u32,
    /// The default of `heartbeat timeout`, in milliseconds.
    pub timeout_millis: u32,
    /// The default of `destroy buffer size`, in bytes.
    pub max_payload: u32,
}

/// A setting of one generation.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "public for `eio-legacy` alone, through `internal`")]
pub struct OldSetting {
    /// Which setting it is.
    pub key: OldKey,
    /// The unit of its value.
    pub measure: Measure,
    /// Its name and its unit, for messages.
    pub label: &'static str,
}

/// The unit of the value of an old setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "public for `eio-legacy` alone, through `internal`")]
pub enum Measure {
    /// Seconds: the times of 0.9.
    Seconds,
    /// Milliseconds: the times of 1.x and 2.x.
    Millis,
    /// Bytes.
    Bytes,
    /// True or false.
    Switch,
}

impl Measure {
    /// Returns the power of ten that converts a value to milliseconds or bytes.
    const fn shift(self) -> i32 {
        match self {
            Self::Seconds => 3,
            Self::Millis | Self::Bytes | Self::Switch => 0,
        }
    }

    /// Returns the description of valid values.
    const fn expected(self) -> &'static str {
        match self {
            Self::Seconds => "seconds, from 0.001 to 2147483.647, with at most three decimals",
            Self::Millis => "whole milliseconds, from 1 to 2147483647",
            Self::Bytes => "whole bytes, from 6 to 2147483647",
            Self::Switch => "true or false",
        }
    }
}

/// The values of old settings, in current units. Each is valid alone.
#[derive(Clone, Copy, Debug)]
pub struct OldValues {
    generation: &'static Generation,
    /// Milliseconds or bytes, in the order of [`OldKey`]. A switch is 0 or 1.
    values: [Option<u32>; OldKey::ALL.len()],
}

impl OldValues {
    const fn new(generation: &'static Generation) -> Self {
        Self { generation, values: [None; OldKey::ALL.len()] }
    }

    /// Reads settings as pairs of name and value.
    ///
    /// # Errors
    /// Returns the error for the first invalid pair.
    pub fn read<'a>(
        generation: &'static Generation,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, OldSettingsError<'a>> {
        let mut values = Self::new(generation);
        for (name, value) in pairs {
            let entry = values.entry(name)?;
            let number = if entry.measure == Measure::Switch {
                match value {
                    "true" => Ok(1),
                    "false" => Ok(0),
                    _ => return Err(entry.refuse(ValueProblem::NotASwitch)),
                }
            } else {
                match Reader::new(value, 0, 0).next() {
                    Ok(token) if token.kind == Kind::Number && token.raw.len() == value.len() => {
                        number_to_u32(value.as_bytes(), entry.measure.shift())
                    }
                    _ => return Err(entry.refuse(ValueProblem::NotANumber)),
                }
            };
            values.set(entry, number)?;
        }
        Ok(values)
    }

    /// Returns the value of a setting that was given, in milliseconds or bytes. A switch is 0 or 1.
    #[must_use]
    pub fn get(&self, key: OldKey) -> Option<u32> {
        self.values.get(key as usize).copied().flatten()
    }

    /// Converts to settings of an Engine.IO server. Keeps the heartbeat and the buffer size; everything else has its
    /// default.
    ///
    /// # Errors
    /// Returns [`OldSettingsError::HeartbeatTooLong`] if the two periods are too long together.
    pub fn server_settings(&self) -> Result<ServerSettings, OldSettingsError<'static>> {
        let of = |key, default| self.get(key).unwrap_or(default);
        let heartbeat = Heartbeat::from_millis(
            of(OldKey::HeartbeatInterval, self.generation.interval_millis),
            of(OldKey::HeartbeatTimeout, self.generation.timeout_millis),
        )
        .map_err(|_| OldSettingsError::HeartbeatTooLong)?;
        let max_payload = of(OldKey::BufferSize, self.generation.max_payload);
        Ok(ServerSettings { heartbeat, max_payload, ..ServerSettings::DEFAULT })
    }

    /// Returns the setting called `name`, if it is valid and has not been given.
    fn entry<'a>(&self, name: &'a str) -> Result<OldSetting, OldSettingsError<'a>> {
        let Generation { name: generation, expected, .. } = *self.generation;
        let setting = |key: OldKey| self.generation.settings.iter().find(|setting| setting.key == key);
        let Some(key) = OldKey::named(name) else {
            if let Some((name, key)) = Key::named(name) {
                let expected = key.old().and_then(setting).map_or(expected, |setting| setting.label);
                return Err(OldSettingsError::CurrentName { name, generation, expected });
            }
            return Err(match OtherOldName::named(name) {
                Some(OtherOldName { name, only_v0_9: true }) if !self.generation.had_every_setting => {
                    OldSettingsError::NotValid { name }
                }
                Some(OtherOldName { name, .. }) => OldSettingsError::NotOfSessions { name },
                None => OldSettingsError::Unknown { name, generation, expected },
            });
        };
        let Some(setting) = setting(key) else {
            return Err(OldSettingsError::NotValid { name: key.name() });
        };
        match self.get(key) {
            Some(_) => Err(OldSettingsError::Twice { name: key.name() }),
            None => Ok(*setting),
        }
    }

    /// Sets a value that was already converted to milliseconds or bytes.
    fn set(
        &mut self,
        entry: OldSetting,
        number: Result<u32, NotU32>,
    ) -> Result<(), OldSettingsError<'static>> {
        let min = match entry.measure {
            Measure::Bytes => MIN_PAYLOAD,
            Measure::Seconds | Measure::Millis => 1,
            Measure::Switch => 0,
        };
        let number = match number {
            Ok(number) if number < min => return Err(entry.refuse(ValueProblem::TooSmall)),
            Ok(number @ ..=0x7fff_ffff) => number,
            Ok(_) | Err(NotU32::TooLarge) => return Err(entry.refuse(ValueProblem::TooLarge)),
            Err(NotU32::Negative) => return Err(entry.refuse(ValueProblem::Negative)),
            Err(NotU32::Fraction) => return Err(entry.refuse(ValueProblem::TooFine)),
        };
        if let Some(value) = self.values.get_mut(entry.key as usize) {
            *value = Some(number);
        }
        Ok(())
    }
}

impl OldSetting {
    const fn refuse(self, problem: ValueProblem) -> OldSettingsError<'static> {
        OldSettingsError::Value { name: self.key.name(), problem, expected: self.measure.expected() }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    /// A setting of each measure.
    pub(super) static GENERATION: Generation = Generation {
        name: "a generation",
        expected: "an old name",
        settings: &[
            OldSetting { key: OldKey::HeartbeatInterval, measure: Measure::Seconds, label: "in seconds" },
            OldSetting { key: OldKey::HeartbeatTimeout, measure: Measure::Millis, label: "in milliseconds" },
            OldSetting { key: OldKey::BufferSize, measure: Measure::Bytes, label: "in bytes" },
            OldSetting { key: OldKey::Heartbeats, measure: Measure::Switch, label: "true or false" },
        ],
        had_every_setting: true,
        interval_millis: 7,
        timeout_millis: 8,
        max_payload: 9,
    };

    #[test]
    fn values_are_read_in_the_unit_of_their_setting() {
        let pairs = [("heartbeat interval", "0.3"), ("destroy buffer size", "6"), ("heartbeats", "true")];
        let values = OldValues::read(&GENERATION, pairs).unwrap();
        let keys =
            [OldKey::HeartbeatInterval, OldKey::HeartbeatTimeout, OldKey::BufferSize, OldKey::Heartbeats];
        assert_eq!(keys.map(|key| values.get(key)), [Some(300), None, Some(6), Some(1)]);
        let settings = values.server_settings().unwrap();
        assert_eq!((settings.heartbeat, settings.max_payload), (Heartbeat::from_millis(300, 8).unwrap(), 6));
        let off = OldValues::read(&GENERATION, [("heartbeats", "false")]).unwrap();
        assert_eq!(off.get(OldKey::Heartbeats), Some(0));
    }

    #[test]
    fn what_is_wrong_with_a_name_or_a_value_is_said() {
        for (name, value, sentence) in [
            ("heartbeats", "1", "`heartbeats` is neither true nor false: expected true or false"),
            (
                "heartbeat interval",
                "0",
                "`heartbeat interval` is too small: expected seconds, from 0.001 to 2147483.647, with at most three \
                 decimals",
            ),
            (
                "ping_interval",
                "1",
                "`ping_interval` is a current setting, not one of a generation: expected in seconds",
            ),
            (
                "closeTimeout",
                "1",
                "`closeTimeout` is a current setting, not one of a generation: expected an old name",
            ),
            (
                "log level",
                "1",
                "`log level` is an old setting of Socket.IO that does not concern sessions: leave it out here",
            ),
        ] {
            let error = OldValues::read(&GENERATION, [(name, value)]).unwrap_err();
            assert_eq!(error.to_string(), sentence);
        }
    }
}
