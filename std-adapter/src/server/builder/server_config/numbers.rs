//! Whole numbers in a configuration file.

use core::fmt;

use eio_core::settings::ServerSettings;
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use super::within_bounds;
use crate::server::builder::build::MAX_HEADERS;
use crate::server::connection::MIN_HEAD;

/// Reads a number that is at least 1.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    at_least::<1, D>(deserializer)
}

/// Reads a number that may be zero.
pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    at_least::<0, D>(deserializer)
}

/// Reads the limit on the bytes of a request's head.
pub(super) fn request_head<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    at_least::<{ MIN_HEAD as u64 }, D>(deserializer)
}

/// Reads the limit on the number of a request's headers.
pub(super) fn request_headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    match count(deserializer)? {
        Some(number) if number > MAX_HEADERS => {
            Err(D::Error::custom(format_args!("{number} is too large: expected at most {MAX_HEADERS}")))
        }
        number => Ok(number),
    }
}

pub(super) fn max_payload<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    within_bounds(ServerSettings::with_max_payload, any(deserializer)?)
}

pub(super) fn max_packets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    within_bounds(ServerSettings::with_max_packets, any(deserializer)?)
}

fn at_least<'de, const LEAST: u64, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let number = Option::<Number<LEAST>>::deserialize(deserializer)?;
    // A larger number is no limit in practice, either.
    Ok(number.map(|number| usize::try_from(number.0).unwrap_or(usize::MAX)))
}

/// Reads any number.
fn any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let number = Option::<Number<0>>::deserialize(deserializer)?;
    // A number above `u32::MAX` is above every limit, too.
    Ok(number.map(|number| u32::try_from(number.0).unwrap_or(u32::MAX)))
}

/// A whole number, at least `LEAST`.
pub(super) struct Number<const LEAST: u64>(pub(super) u64);

impl<'de, const LEAST: u64> Deserialize<'de> for Number<LEAST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A format such as YAML, asked for a number, would say less about a text.
        deserializer.deserialize_any(NumberVisitor::<LEAST>).map(Self)
    }
}

struct NumberVisitor<const LEAST: u64>;

impl<const LEAST: u64> Visitor<'_> for NumberVisitor<LEAST> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number without quotes, at least {LEAST}")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        if number < LEAST {
            return Err(E::invalid_value(Unexpected::Unsigned(number), &self));
        }
        Ok(number)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }
}
