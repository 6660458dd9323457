//! Times in a configuration file.

use core::fmt;
use std::time::Duration;

use eio_core::settings::ServerSettings;
use humantime::DurationError;
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use super::within_bounds;
use crate::server::builder::build;

/// Reads any time.
pub(super) fn any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    Ok(Option::<Time>::deserialize(deserializer)?.map(|time| time.0))
}

/// Reads a time that is not zero.
pub(super) fn above_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    at_least(Duration::from_millis(1), any(deserializer)?)
}

/// Reads how long a request may take.
pub(super) fn request_timeout<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    // A number that was meant as seconds would refuse every client.
    at_least(Duration::from_secs(1), any(deserializer)?)
}

/// Reads how long a connection is kept between two requests.
pub(super) fn idle_timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    at_least(build::MIN_IDLE, any(deserializer)?)
}

/// Reads a period of the heartbeat. [`Heartbeat::new`](eio_core::Heartbeat::new) checks both together.
pub(super) fn period<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let time = above_zero(deserializer)?;
    match time {
        Some(time) if !time.subsec_nanos().is_multiple_of(1_000_000) => {
            Err(D::Error::custom("expected a whole number of milliseconds"))
        }
        _ => Ok(time),
    }
}

pub(super) fn upgrade_timeout<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    within_bounds(ServerSettings::with_upgrade_timeout, any(deserializer)?)
}

pub(super) fn close_timeout<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    within_bounds(ServerSettings::with_close_timeout, any(deserializer)?)
}

pub(super) fn app_stall_timeout<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    within_bounds(ServerSettings::with_app_stall_timeout, any(deserializer)?)
}

/// Reads a time that needs a unit and is not zero.
pub(super) fn with_unit_above_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let time = TimeWithUnit::deserialize(deserializer)?.0;
    at_least(Duration::from_millis(1), Some(time)).map(|_| time)
}

/// Reads a time that needs a unit, because other servers count this one in seconds.
pub(super) fn max_age<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    Ok(Option::<TimeWithUnit>::deserialize(deserializer)?.map(|time| time.0))
}

fn at_least<E: Error>(least: Duration, given: Option<Duration>) -> Result<Option<Duration>, E> {
    match given {
        Some(time) if time < least => Err(E::custom(format_args!(
            "{} is too short: expected at least {}",
            humantime::format_duration(time),
            humantime::format_duration(least)
        ))),
        given => Ok(given),
    }
}

/// A time with a unit, or in milliseconds.
struct Time(Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeVisitor { needs_unit: false }).map(Self)
    }
}

/// A time with a unit.
struct TimeWithUnit(Duration);

impl<'de> Deserialize<'de> for TimeWithUnit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeVisitor { needs_unit: true }).map(Self)
    }
}

struct TimeVisitor {
    needs_unit: bool,
}

impl Visitor<'_> for TimeVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.needs_unit {
            "a time with a unit, such as \"600s\", because this one is usually counted in seconds"
        } else {
            "a time such as \"5s\" or \"500ms\", or a whole number of milliseconds"
        })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        let unit_is_missing = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if unit_is_missing {
            return Err(E::custom(format_args!(
                "{text:?} has no unit: expected \"{text}s\", \"{text}ms\", or another time with a unit"
            )));
        }
        humantime::parse_duration(text)
            .map_err(|error| E::custom(format_args!("{text:?} is not a time: {}", reason(&error))))
    }

    fn visit_u64<E: Error>(self, millis: u64) -> Result<Duration, E> {
        if self.needs_unit {
            return Err(E::invalid_type(Unexpected::Unsigned(millis), &self));
        }
        Ok(Duration::from_millis(millis))
    }

    fn visit_i64<E: Error>(self, millis: i64) -> Result<Duration, E> {
        match u64::try_from(millis) {
            Ok(millis) => self.visit_u64(millis),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(millis), &self)),
        }
    }
}

/// Returns why a text is not a time. The library's own messages leave out the unit `s`.
fn reason(error: &DurationError) -> String {
    const UNITS: &str = "expected ms, s, m, h or d";
    match error {
        DurationError::UnknownUnit { unit, value, .. } if unit.is_empty() => {
            format!("the unit of {value} is missing: {UNITS}")
        }
        DurationError::UnknownUnit { unit, .. } => format!("unknown unit {unit:?}: {UNITS}"),
        DurationError::NumberOverflow => "too long, or not a whole number of nanoseconds".to_owned(),
        _ => "expected a number and a unit, such as \"5s\" or \"500ms\"".to_owned(),
    }
}
