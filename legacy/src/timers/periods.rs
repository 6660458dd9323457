//! The four periods of a server.

use core::time::Duration;

use eio_core::internal::period::{Unfit, whole_millis};

/// The four periods of a server. A value of this type is always valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ServerPeriods {
    // In milliseconds, each above zero.
    pub(crate) heartbeat_interval: u32,
    pub(crate) heartbeat_timeout: u32,
    pub(crate) close_timeout: u32,
    pub(crate) polling_duration: u32,
}

impl ServerPeriods {
    /// 25 s, 60 s, 60 s and 20 s: the defaults of Socket.IO 0.9.
    pub const DEFAULT: Self = Self {
        heartbeat_interval: 25_000,
        heartbeat_timeout: 60_000,
        close_timeout: 60_000,
        polling_duration: 20_000,
    };

    /// Creates a value from four periods. Each must be whole milliseconds, above zero, and at most 2^32 − 1 ms.
    ///
    /// # Errors
    /// Returns a [`PeriodError`] that names the invalid period.
    pub const fn new(
        heartbeat_interval: Duration,
        heartbeat_timeout: Duration,
        close_timeout: Duration,
        polling_duration: Duration,
    ) -> Result<Self, PeriodError> {
        let heartbeat_interval = match period(heartbeat_interval, "heartbeat interval") {
            Ok(millis) => millis,
            Err(error) => return Err(error),
        };
        let heartbeat_timeout = match period(heartbeat_timeout, "heartbeat timeout") {
            Ok(millis) => millis,
            Err(error) => return Err(error),
        };
        let close_timeout = match period(close_timeout, "close timeout") {
            Ok(millis) => millis,
            Err(error) => return Err(error),
        };
        let polling_duration = match period(polling_duration, "polling duration") {
            Ok(millis) => millis,
            Err(error) => return Err(error),
        };
        Ok(Self { heartbeat_interval, heartbeat_timeout, close_timeout, polling_duration })
    }

    /// Returns Hi: how long after an echo the server's next heartbeat is due. It is not part of the handshake.
    #[must_use]
    pub const fn heartbeat_interval(self) -> Duration {
        Duration::from_millis(self.heartbeat_interval as u64)
    }

    /// Returns Ht: how long the echo may take.
    #[must_use]
    pub const fn heartbeat_timeout(self) -> Duration {
        Duration::from_millis(self.heartbeat_timeout as u64)
    }

    /// Returns Ct: how long a polling client may stay away between two polls.
    #[must_use]
    pub const fn close_timeout(self) -> Duration {
        Duration::from_millis(self.close_timeout as u64)
    }

    /// Returns Pd: how long a poll is held.
    #[must_use]
    pub const fn polling_duration(self) -> Duration {
        Duration::from_millis(self.polling_duration as u64)
    }
}

impl Default for ServerPeriods {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The error for a period that Socket.IO 0.9 does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("{period} must be a whole number of milliseconds from 1 to 4294967295")]
#[non_exhaustive]
pub struct PeriodError {
    /// The setting's name, as Socket.IO 0.9 spells it.
    pub period: &'static str,
}

pub(super) const fn period(value: Duration, name: &'static str) -> Result<u32, PeriodError> {
    match whole_millis(value) {
        Ok(millis @ 1..) => Ok(millis),
        Ok(0) | Err(Unfit::Fraction | Unfit::TooLong) => Err(PeriodError { period: name }),
    }
}
