//! Settings of Socket.IO 0.9, 1.x and 2.x, under their old names and in their old units.

mod error;
#[cfg(feature = "serde")]
mod serde;

pub use error::{LegacyError, Measure, ValueProblem};

use core::time::Duration;

use super::names::{Key, OldKey, OtherOldName};
use super::server::MIN_PAYLOAD;
use super::{Heartbeat, ServerSettings};
use crate::json::{Kind, NotU32, Reader, number_to_u32};

/// Reads old settings, such as `heartbeat interval`. The variant decides what their numbers mean.
///
/// Socket.IO 0.9 used *seconds*. 1.x and 2.x kept the names, and copied the values unscaled to settings in
/// *milliseconds*. So a configuration that was carried over from 0.9 was wrong by a factor of 1000. Only its author
/// knows which unit is meant. This type does not guess: it scales values only as the chosen variant says.
///
/// | old name | `V0_9` | default | `V1_V2` | default | today |
/// |---|---|---|---|---|---|
/// | `heartbeat interval` | seconds | 25 | milliseconds | 25000 | `pingInterval` |
/// | `heartbeat timeout` | seconds | 60 | milliseconds | 20000 | `pingTimeout` |
/// | `destroy buffer size` | bytes | 10E7 | bytes | 1000000 | `maxPayload` |
/// | `close timeout` | seconds | 60 | not valid | – | – |
/// | `polling duration` | seconds | 20 | not valid | – | – |
/// | `heartbeats` | `true`, `false` | `true` | not valid | – | – |
///
/// The defaults of 1.x and 2.x changed with their releases. The table shows those of the last release, 2.5: its 20 s
/// and its 1 MB are also the current defaults. If you relied on the 60 s of 1.0 to 2.0 (or their 100 MB), or on the 5
/// s of 2.1 to 2.4, set the value explicitly.
///
/// Seconds may have up to three decimals. A value finer than a millisecond is refused, not rounded. A current name, an
/// unknown name, and a name given twice are errors too. So are old settings that do not concern sessions: a setting
/// either has an effect or causes an error.
///
/// [`read`](Self::read) takes names and values as text. With the feature `serde`, `LegacySettings` is also a
/// `DeserializeSeed`, and reads a map from any self-describing format.
///
/// ```
/// use core::time::Duration;
/// use eio_core::settings::LegacySettings;
///
/// let old = LegacySettings::V0_9.read([("heartbeat interval", "25"), ("heartbeat timeout", "7.5")])?;
/// assert_eq!(old.heartbeat().ping_interval(), Duration::from_secs(25));
/// assert_eq!(old.heartbeat().ping_timeout(), Duration::from_millis(7_500));
/// assert_eq!(old.close_timeout(), Some(Duration::from_secs(60)));
///
/// let old = LegacySettings::V1_V2.read([("heartbeat interval", "25000")])?;
/// assert_eq!(old.settings().heartbeat().ping_interval(), Duration::from_secs(25));
///
/// let error = LegacySettings::V0_9.read([("pingInterval", "25000")]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`pingInterval` is a current setting, not one of Socket.IO 0.9: \
///      expected `heartbeat interval`, in seconds"
/// );
/// # Ok::<(), eio_core::settings::LegacyError<'static>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "the generations that had the old names are history")]
#[expect(non_camel_case_types, reason = "version numbers, which V1V2 would hide")]
pub enum LegacySettings {
    /// Socket.IO 0.9: times in seconds, fractions allowed.
    V0_9,
    /// Socket.IO 1.x and 2.x: times in milliseconds.
    V1_V2,
}

impl LegacySettings {
    /// Returns the defaults, which apply where nothing is set.
    #[must_use]
    pub const fn defaults(self) -> OldSettings {
        Draft::new(self).settings
    }

    /// Reads settings as pairs of name and value. Values are decimal numbers as JSON writes them (`25`, `0.5`, `10E7`),
    /// and `true` or `false` for `heartbeats`. Settings that are left out keep their defaults.
    ///
    /// # Errors
    /// Returns a [`LegacyError`] that names the setting and says what was expected.
    pub fn read<'a>(
        self,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<OldSettings, LegacyError<'a>> {
        let mut draft = Draft::new(self);
        for (name, value) in pairs {
            let entry = draft.entry(name)?;
            if entry.measure == Measure::Switch {
                match value {
                    "true" => draft.switch(true),
                    "false" => draft.switch(false),
                    _ => return Err(entry.refuse(ValueProblem::NotASwitch)),
                }
                continue;
            }
            match Reader::new(value, 0, 0).next() {
                Ok(token) if token.kind == Kind::Number && token.raw.len() == value.len() => {
                    draft.number(entry, number_to_u32(value, entry.measure.shift()))?;
                }
                _ => return Err(entry.refuse(ValueProblem::NotANumber)),
            }
        }
        draft.finish()
    }

    /// Returns the name of the generation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V0_9 => "Socket.IO 0.9",
            Self::V1_V2 => "Socket.IO 1.x and 2.x",
        }
    }

    /// Lists the names of the valid settings.
    const fn expected(self) -> &'static str {
        match self {
            Self::V0_9 => {
                "`heartbeat interval`, `heartbeat timeout`, `heartbeats`, `close timeout`, `polling duration` or \
                 `destroy buffer size`"
            }
            Self::V1_V2 => "`heartbeat interval`, `heartbeat timeout` or `destroy buffer size`",
        }
    }

    /// Returns the unit of the value of `key`, or `None` for a setting that these versions refuse.
    const fn measure(self, key: OldKey) -> Option<Measure> {
        match (self, key) {
            (_, OldKey::BufferSize) => Some(Measure::Bytes),
            (Self::V0_9, OldKey::Heartbeats) => Some(Measure::Switch),
            (Self::V0_9, _) => Some(Measure::Seconds),
            (Self::V1_V2, OldKey::HeartbeatInterval | OldKey::HeartbeatTimeout) => Some(Measure::Millis),
            (Self::V1_V2, _) => None,
        }
    }
}

/// The values of old settings, in current units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OldSettings {
    dialect: LegacySettings,
    heartbeat: Heartbeat,
    heartbeats: bool,
    max_payload: u32,
    close_millis: u32,
    polling_millis: u32,
}

impl OldSettings {
    /// Returns the generation that the settings came from.
    #[must_use]
    pub const fn dialect(&self) -> LegacySettings {
        self.dialect
    }

    /// Returns `heartbeat interval` and `heartbeat timeout`.
    ///
    /// A server of 0.9 sends a heartbeat one interval after the last answer, and then waits for the timeout. It tells
    /// its client only the timeout, which the client takes as the longest allowed silence.
    #[must_use]
    pub const fn heartbeat(&self) -> Heartbeat {
        self.heartbeat
    }

    /// Returns whether heartbeats are on. Only 0.9 can turn them off, with `heartbeats` set to `false`.
    #[must_use]
    pub const fn has_heartbeats(&self) -> bool {
        self.heartbeats
    }

    /// Returns `destroy buffer size`: the largest payload accepted from a client, in bytes.
    #[must_use]
    pub const fn max_payload(&self) -> u32 {
        self.max_payload
    }

    /// Returns `close timeout`: how long a client of 0.9 may stay away between two polls. `None` for 1.x and 2.x.
    #[must_use]
    pub const fn close_timeout(&self) -> Option<Duration> {
        self.only_v0_9(self.close_millis)
    }

    /// Returns `polling duration`: how long 0.9 holds a poll before it answers with nothing. `None` for 1.x and 2.x.
    #[must_use]
    pub const fn polling_duration(&self) -> Option<Duration> {
        self.only_v0_9(self.polling_millis)
    }

    /// Converts to settings of an Engine.IO server. Keeps the heartbeat and `max_payload`; everything else has its
    /// default.
    ///
    /// `close timeout` and `polling duration` have no counterpart in Engine.IO. Its sessions always have heartbeats. If
    /// heartbeats were off, the periods that would otherwise have applied are used.
    #[must_use]
    pub const fn settings(&self) -> ServerSettings {
        ServerSettings { heartbeat: self.heartbeat, max_payload: self.max_payload, ..ServerSettings::DEFAULT }
    }

    const fn only_v0_9(&self, millis: u32) -> Option<Duration> {
        match self.dialect {
            LegacySettings::V0_9 => Some(Duration::from_millis(millis as u64)),
            LegacySettings::V1_V2 => None,
        }
    }
}

/// Old settings while they are read.
struct Draft {
    /// Always valid, except for the heartbeat: its two periods are checked together at the end.
    settings: OldSettings,
    interval_millis: u32,
    timeout_millis: u32,
    /// One bit for each [`OldKey`] that has been seen.
    seen: u8,
}

impl Draft {
    const fn new(dialect: LegacySettings) -> Self {
        let (interval_millis, timeout_millis, max_payload) = match dialect {
            LegacySettings::V0_9 => (25_000, 60_000, 100_000_000),
            LegacySettings::V1_V2 => (25_000, 20_000, 1_000_000),
        };
        let heartbeat = match Heartbeat::from_millis(interval_millis, timeout_millis) {
            Ok(heartbeat) => heartbeat,
            Err(_) => Heartbeat::DEFAULT,
        };
        let settings = OldSettings {
            dialect,
            heartbeat,
            heartbeats: true,
            max_payload,
            close_millis: 60_000,
            polling_millis: 20_000,
        };
        Self { settings, interval_millis, timeout_millis, seen: 0 }
    }

    /// Returns the setting called `name`, and marks it as seen.
    fn entry<'a>(&mut self, name: &'a str) -> Result<Entry, LegacyError<'a>> {
        let dialect = self.settings.dialect;
        let Some(key) = OldKey::named(name) else {
            if let Some((name, key)) = Key::named(name) {
                return Err(LegacyError::CurrentName { name, old: key.old().map(OldKey::name), dialect });
            }
            return Err(match OtherOldName::named(name) {
                Some(OtherOldName { name, only_v0_9: true }) if dialect == LegacySettings::V1_V2 => {
                    LegacyError::NotValid { name }
                }
                Some(OtherOldName { name, .. }) => LegacyError::NotOfSessions { name },
                None => LegacyError::Unknown { name, dialect },
            });
        };
        let Some(measure) = dialect.measure(key) else {
            return Err(LegacyError::NotValid { name: key.name() });
        };
        let bit = 1 << key as u8;
        if self.seen & bit != 0 {
            return Err(LegacyError::Twice { name: key.name() });
        }
        self.seen |= bit;
        Ok(Entry { key, measure })
    }

    fn switch(&mut self, on: bool) {
        self.settings.heartbeats = on;
    }

    /// Sets a number that was already converted to milliseconds or bytes.
    fn number(&mut self, entry: Entry, number: Result<u32, NotU32>) -> Result<(), LegacyError<'static>> {
        let min = if entry.measure == Measure::Bytes { MIN_PAYLOAD } else { 1 };
        let number = match number {
            Ok(number) if number < min => return Err(entry.refuse(ValueProblem::TooSmall)),
            Ok(number @ ..=0x7fff_ffff) => number,
            Ok(_) | Err(NotU32::TooLarge) => return Err(entry.refuse(ValueProblem::TooLarge)),
            Err(NotU32::Negative) => return Err(entry.refuse(ValueProblem::Negative)),
            Err(NotU32::Fraction) => return Err(entry.refuse(ValueProblem::TooFine)),
        };
        match entry.key {
            OldKey::HeartbeatInterval => self.interval_millis = number,
            OldKey::HeartbeatTimeout => self.timeout_millis = number,
            OldKey::BufferSize => self.settings.max_payload = number,
            OldKey::CloseTimeout => self.settings.close_millis = number,
            OldKey::PollingDuration => self.settings.polling_millis = number,
            OldKey::Heartbeats => {}
        }
        Ok(())
    }

    fn finish(mut self) -> Result<OldSettings, LegacyError<'static>> {
        self.settings.heartbeat = Heartbeat::from_millis(self.interval_millis, self.timeout_millis)
            .map_err(|_| LegacyError::HeartbeatTooLong)?;
        Ok(self.settings)
    }
}

/// A setting whose value comes next, and the unit of that value.
#[derive(Clone, Copy)]
struct Entry {
    key: OldKey,
    measure: Measure,
}

impl Entry {
    const fn refuse(self, problem: ValueProblem) -> LegacyError<'static> {
        LegacyError::Value { name: self.key.name(), problem, expected: self.measure }
    }
}
