//! The errors of old settings, and their messages.

use core::fmt;

use super::super::names::OldKey;
use super::LegacySettings;

/// The reason why old settings cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LegacyError<'a> {
    /// A name that Socket.IO never had.
    #[error("`{name}` is not a setting of {}: expected {}", .dialect.as_str(), .dialect.expected())]
    Unknown {
        /// The name as it was given.
        name: &'a str,
        /// The generation whose settings were read.
        dialect: LegacySettings,
    },
    /// A name that only [`ServerSettings`](crate::settings::ServerSettings) has.
    #[error(
        "`{name}` is a current setting, not one of {}: expected {}",
        .dialect.as_str(),
        Instead { old: *.old, dialect: *.dialect }
    )]
    CurrentName {
        /// The name as it was given.
        name: &'static str,
        /// The old name of the setting, if it existed.
        old: Option<&'static str>,
        /// The generation whose settings were read.
        dialect: LegacySettings,
    },
    /// A setting of 0.9 that 1.x and 2.x refuse.
    #[error(
        "`{name}` is not valid in Socket.IO 1.x and 2.x: only 0.9 had it; if this is a configuration of 0.9, with \
         times in seconds, LegacySettings::V0_9 reads it"
    )]
    NotValid {
        /// The setting.
        name: &'static str,
    },
    /// An old setting that has nothing to do with sessions, and would have no effect here.
    #[error("`{name}` is an old setting of Socket.IO that does not concern sessions: leave it out here")]
    NotOfSessions {
        /// The setting.
        name: &'static str,
    },
    /// A setting given more than once.
    #[error("`{name}` is given twice: expected it once")]
    Twice {
        /// The setting.
        name: &'static str,
    },
    /// A value that does not fit its setting.
    #[error("`{name}` {problem}: expected {expected}")]
    Value {
        /// The setting.
        name: &'static str,
        /// The problem with the value.
        problem: ValueProblem,
        /// The kind of value that was expected.
        expected: Measure,
    },
    /// Each period of the heartbeat is valid alone, but their sum is longer than
    /// [`Heartbeat::MAX_SUM`](crate::Heartbeat::MAX_SUM).
    #[error(
        "`heartbeat interval` and `heartbeat timeout` are too long together: expected at most 2147483.647 s, \
         where the reference implementations' timers overflow"
    )]
    HeartbeatTooLong,
}

/// Displays the end of the message about a current name: the old name to use in its place.
struct Instead {
    old: Option<&'static str>,
    dialect: LegacySettings,
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(old) = self.old else {
            return f.write_str(self.dialect.expected());
        };
        let unit = match OldKey::named(old).and_then(|key| self.dialect.measure(key)) {
            Some(Measure::Seconds) => "seconds",
            Some(Measure::Millis) => "milliseconds",
            _ => "bytes",
        };
        write!(f, "`{old}`, in {unit}")
    }
}

/// The problem with the value of an old setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ValueProblem {
    /// The value is not a number, or not written as JSON writes numbers.
    #[error("is not a number")]
    NotANumber,
    /// The value is neither true nor false.
    #[error("is neither true nor false")]
    NotASwitch,
    /// The value is below zero.
    #[error("is negative")]
    Negative,
    /// The value is zero, or too small to work.
    #[error("is too small")]
    TooSmall,
    /// The value has a fraction that would have to be rounded.
    #[error("has too many decimals")]
    TooFine,
    /// The value is larger than timers and lengths can hold.
    #[error("is too large")]
    TooLarge,
}

/// The unit of the value of an old setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Measure {
    /// Seconds: the times of 0.9.
    #[error("seconds, from 0.001 to 2147483.647, with at most three decimals")]
    Seconds,
    /// Milliseconds: the times of 1.x and 2.x.
    #[error("whole milliseconds, from 1 to 2147483647")]
    Millis,
    /// Bytes.
    #[error("whole bytes, from 6 to 2147483647")]
    Bytes,
    /// True or false.
    #[error("true or false")]
    Switch,
}

impl Measure {
    /// Returns the power of ten that converts a value to milliseconds or bytes.
    pub(super) const fn shift(self) -> i32 {
        match self {
            Self::Seconds => 3,
            Self::Millis | Self::Bytes | Self::Switch => 0,
        }
    }
}
