//! The errors of old settings, and their messages.

/// The reason why old settings cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum OldSettingsError<'a> {
    /// A name that Socket.IO never had.
    #[error("`{name}` is not a setting of {generation}: expected {expected}")]
    Unknown {
        /// The name as it was given.
        name: &'a str,
        /// The generation of Socket.IO whose settings were read.
        generation: &'static str,
        /// The names that are valid.
        expected: &'static str,
    },
    /// A name that only [`ServerSettings`](crate::settings::ServerSettings) has.
    #[error("`{name}` is a current setting, not one of {generation}: expected {expected}")]
    CurrentName {
        /// The name as it was given.
        name: &'static str,
        /// The generation of Socket.IO whose settings were read.
        generation: &'static str,
        /// The old name and its unit, or the names that are valid.
        expected: &'static str,
    },
    /// A setting of 0.9 that 1.x and 2.x refuse.
    #[error(
        "`{name}` is not valid in Socket.IO 1.x and 2.x: only 0.9 had it; if this is a configuration of 0.9, with \
         times in seconds, the crate eio-legacy reads it"
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
        /// The values that are valid.
        expected: &'static str,
    },
    /// Each period of the heartbeat is valid alone, but their sum is longer than
    /// [`Heartbeat::MAX_SUM`](crate::Heartbeat::MAX_SUM).
    #[error(
        "`heartbeat interval` and `heartbeat timeout` are too long together: expected at most 2147483647 ms \
         (2147483.647 s), where the reference implementations' timers overflow"
    )]
    HeartbeatTooLong,
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
