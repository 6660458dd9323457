//! Values of options and of members of a scenario: percentages, times, and what happens again and again.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, Expected, MapAccess, Unexpected, Visitor};

use crate::duration;

/// A share of something, such as of the segments that a link loses: from `0%` to `100%`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Percent(f64);

impl Percent {
    pub(crate) const ALL: Self = Self(100.0);

    /// Returns the share as a number from 0 to 1.
    pub(crate) fn share(self) -> f64 {
        self.0 / 100.0
    }
}

impl FromStr for Percent {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a percentage from 0% to 100%, such as 2%";
        let number = text.strip_suffix('%').ok_or(EXPECTED)?;
        match number.trim_end().parse() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self(percent)),
            _ => Err(EXPECTED),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// Something that lasts for a time, once or again and again: a tunnel, a stall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recurring {
    /// How long it lasts.
    pub(crate) length: Duration,
    /// From the beginning of one to the beginning of the next. `None`: it happens once.
    pub(crate) every: Option<Duration>,
    /// When the first one begins. `None`: each session meets it at a random moment.
    pub(crate) from: Option<Duration>,
    /// None begins at this time or later.
    pub(crate) to: Option<Duration>,
}

impl Recurring {
    /// Checks the times against each other.
    fn checked(self) -> Result<Self, String> {
        let Self { length, every, from, to } = self;
        let longest = duration::round(LONGEST);
        if length < SHORTEST || length > LONGEST || every.is_some_and(|every| every > LONGEST) {
            return Err(format!("expected times from {} to {longest}", duration::round(SHORTEST)));
        }
        if let Some(every) = every
            && every <= length
        {
            return Err(format!(
                "it would never end: expected less than {} of every {}",
                duration::round(every),
                duration::round(every)
            ));
        }
        match (every, from, to) {
            (None, None, _) => Err("expected `every`, or `from` for something that happens once".to_owned()),
            (_, from, Some(to)) if from.unwrap_or_default() >= to => {
                Err("`to` is not after `from`: expected a later time".to_owned())
            }
            _ => Ok(self),
        }
    }
}

/// Shorter tunnels and stalls are loss and jitter.
const SHORTEST: Duration = Duration::from_millis(1);

/// A year: longer times of a scenario are mistakes.
pub(crate) const LONGEST: Duration = Duration::from_hours(366 * 24);

impl FromStr for Recurring {
    type Err = String;

    /// Reads `30s/5m`: for 30 s, every five minutes.
    fn from_str(text: &str) -> Result<Self, String> {
        let (length, every) = text
            .split_once('/')
            .ok_or("expected LENGTH/PERIOD, such as 30s/5m for 30 s every five minutes")?;
        let time = |text: &str| duration::parse(text.trim()).map_err(|error| format!("{text:?}: {error}"));
        Self { length: time(length)?, every: Some(time(every)?), from: None, to: None }.checked()
    }
}

impl fmt::Display for Recurring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", duration::round(self.length))?;
        if let Some(every) = self.every {
            write!(f, " every {}", duration::round(every))?;
        }
        if let Some(from) = self.from {
            write!(f, " from {}", duration::round(from))?;
        }
        if let Some(to) = self.to {
            write!(f, " until {}", duration::round(to))?;
        }
        Ok(())
    }
}

/// The round trip times of sessions: how long a packet and its answer take. Each session has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RoundTrip {
    pub(crate) least: Duration,
    pub(crate) most: Duration,
}

impl RoundTrip {
    /// The one of a session that nothing is known about.
    pub(crate) const USUAL: Self = Self::exactly(Duration::from_millis(80));

    /// From half of the usual one to twice of it. How late TCP sends again what an outage lost depends on it, so that a
    /// single one would make a setting look safer than it is.
    pub(crate) const SEVERAL: Self =
        Self { least: Duration::from_millis(40), most: Duration::from_millis(160) };

    pub(crate) const fn exactly(time: Duration) -> Self {
        Self { least: time, most: time }
    }

    /// Returns the one at this share of the way from the least to the most, by their ratio.
    pub(crate) fn at(self, share: f64) -> Duration {
        if self.least.is_zero() {
            return self.most.mul_f64(share);
        }
        let ratio = self.most.as_secs_f64() / self.least.as_secs_f64();
        // A clock of microseconds.
        let micros = self.least.as_secs_f64() * ratio.powf(share) * 1e6;
        Duration::from_secs_f64(micros.round() / 1e6)
    }
}

impl FromStr for RoundTrip {
    type Err = String;

    /// Reads `80ms`, or `40ms..160ms`.
    fn from_str(text: &str) -> Result<Self, String> {
        let time = |text: &str| duration::parse(text.trim()).map_err(|error| error.to_string());
        let Some((least, most)) = text.split_once("..") else { return time(text).map(Self::exactly) };
        let (least, most) = (time(least)?, time(most)?);
        if least > most {
            return Err(
                "the second time is shorter than the first one: expected SHORTEST..LONGEST".to_owned()
            );
        }
        Ok(Self { least, most })
    }
}

impl fmt::Display for RoundTrip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&duration::round(self.least))?;
        if self.most > self.least { write!(f, " to {}", duration::round(self.most)) } else { Ok(()) }
    }
}

/// A time in a file: a text with a unit, or a whole number of milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeVisitor)
    }
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time such as \"5s\" or \"500ms\", or a whole number of milliseconds")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
        duration::parse(text).map(Time).map_err(|error| E::custom(format_args!("{text:?}: {error}")))
    }

    fn visit_u64<E: Error>(self, millis: u64) -> Result<Time, E> {
        Ok(Time(Duration::from_millis(millis)))
    }

    fn visit_i64<E: Error>(self, millis: i64) -> Result<Time, E> {
        not_negative(millis, &self).and_then(|millis| self.visit_u64(millis))
    }
}

fn not_negative<E: Error>(number: i64, expected: &dyn Expected) -> Result<u64, E> {
    u64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), expected))
}

/// A whole number in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole(pub(crate) u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WholeVisitor;

        impl Visitor<'_> for WholeVisitor {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number without quotes, at least 0")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
                Ok(Whole(number))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Whole, E> {
                not_negative(number, &self).and_then(|number| self.visit_u64(number))
            }
        }

        deserializer.deserialize_any(WholeVisitor)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PercentVisitor;

        impl Visitor<'_> for PercentVisitor {
            type Value = Percent;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a percentage from \"0%\" to \"100%\", such as \"2%\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Percent, E> {
                text.parse().map_err(|expected| E::custom(format_args!("{text:?}: {expected}")))
            }
        }

        deserializer.deserialize_any(PercentVisitor)
    }
}

impl<'de> Deserialize<'de> for RoundTrip {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RoundTripVisitor;

        impl Visitor<'_> for RoundTripVisitor {
            type Value = RoundTrip;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time such as \"80ms\", or two such as \"40ms..160ms\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RoundTrip, E> {
                text.parse().map_err(|error| E::custom(format_args!("{text:?}: {error}")))
            }

            fn visit_u64<E: Error>(self, millis: u64) -> Result<RoundTrip, E> {
                Ok(RoundTrip::exactly(Duration::from_millis(millis)))
            }

            fn visit_i64<E: Error>(self, millis: i64) -> Result<RoundTrip, E> {
                not_negative(millis, &self).and_then(|millis| self.visit_u64(millis))
            }
        }

        deserializer.deserialize_any(RoundTripVisitor)
    }
}

/// The members of a [`Recurring`] that is written as a table.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `length`, `every`, `from` and `to`")]
struct Table {
    length: Time,
    every: Option<Time>,
    from: Option<Time>,
    to: Option<Time>,
}

impl<'de> Deserialize<'de> for Recurring {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RecurringVisitor;

        impl<'de> Visitor<'de> for RecurringVisitor {
            type Value = Recurring;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text such as \"30s/5m\", or a table with `length`, `every`, `from` and `to`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Recurring, E> {
                text.parse().map_err(|error| E::custom(format_args!("{text:?}: {error}")))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Recurring, A::Error> {
                let Table { length: Time(length), every, from, to } =
                    Table::deserialize(MapAccessDeserializer::new(map))?;
                let [every, from, to] = [every, from, to].map(|time| time.map(|Time(time)| time));
                Recurring { length, every, from, to }.checked().map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_any(RecurringVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_value_is_answered_with_what_was_expected() {
        for (text, expected) in [
            ("30s", "expected LENGTH/PERIOD, such as 30s/5m for 30 s every five minutes"),
            ("30/5m", "\"30\": the unit is missing: expected ms, s, m or h, as in 30s or 30ms"),
            ("5m/5m", "it would never end: expected less than 5 min of every 5 min"),
            ("0s/5m", "expected times from 1 ms to 366 days"),
            ("1s/1000000h", "expected times from 1 ms to 366 days"),
        ] {
            assert_eq!(text.parse::<Recurring>(), Err(expected.to_owned()), "{text}");
        }
        for text in ["2", "-1%", "101%", "NaN%", "%", "two%"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
        assert_eq!("2.5 %".parse(), Ok(Percent(2.5)));
    }

    #[test]
    fn round_trips_are_spread_by_their_ratio() {
        let several: RoundTrip = "40ms..160ms".parse().unwrap();
        assert_eq!(several, RoundTrip::SEVERAL);
        let millis = [0.0, 0.5, 1.0].map(|share| several.at(share).as_millis());
        assert_eq!(millis, [40, 80, 160]);
        assert_eq!("0s..10ms".parse::<RoundTrip>().unwrap().at(0.5), Duration::from_millis(5));
        for (text, expected) in [
            ("80", "the unit is missing: expected ms, s, m or h, as in 80s or 80ms"),
            ("2s..1s", "the second time is shorter than the first one: expected SHORTEST..LONGEST"),
        ] {
            assert_eq!(text.parse::<RoundTrip>(), Err(expected.to_owned()));
        }
    }
}
