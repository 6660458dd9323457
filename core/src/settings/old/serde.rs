//! Old settings in configuration files.

use core::fmt;

use ::serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use super::{Generation, Measure, OldSetting, OldValues, ValueProblem};
use crate::json::NotU32;

impl OldValues {
    /// Reads a map of old settings. Numbers may be integers or floats, depending on the format. A float counts as the
    /// decimal that it was read from.
    ///
    /// # Errors
    /// Returns the deserializer's error. For a wrong name or value, its text is that of an
    /// [`OldSettingsError`](super::OldSettingsError).
    pub fn deserialize<'de, D: Deserializer<'de>>(
        generation: &'static Generation,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OldValuesVisitor(generation))
    }
}

struct OldValuesVisitor(&'static Generation);

impl<'de> Visitor<'de> for OldValuesVisitor {
    type Value = OldValues;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a map of settings of {}", self.0.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OldValues, A::Error> {
        let mut values = OldValues::new(self.0);
        while let Some(entry) = map.next_key_seed(KeySeed(&values))? {
            let number = map.next_value_seed(ValueSeed(entry))?;
            values.set(entry, number).map_err(Error::custom)?;
        }
        Ok(values)
    }
}

/// Reads a name.
struct KeySeed<'a>(&'a OldValues);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = OldSetting;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<OldSetting, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = OldSetting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an old setting")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<OldSetting, E> {
        self.0.entry(name).map_err(Error::custom)
    }
}

/// Reads a value, whatever kind of number the format writes. Converts it to milliseconds or bytes. A switch is 0 or 1.
struct ValueSeed(OldSetting);

impl<'de> DeserializeSeed<'de> for ValueSeed {
    type Value = Result<u32, NotU32>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        // Not `deserialize_f64`, because whole numbers must stay whole.
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for ValueSeed {
    type Value = Result<u32, NotU32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OldSetting { key, measure, .. } = self.0;
        let quotes = if measure == Measure::Switch { "" } else { ", without quotes" };
        write!(f, "`{}` as {}{quotes}", key.name(), measure.expected())
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<Self::Value, E> {
        if self.0.measure == Measure::Switch {
            return Ok(Ok(on.into()));
        }
        Err(E::custom(self.0.refuse(ValueProblem::NotANumber)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        let scaled = match self.0.measure {
            Measure::Seconds => number.saturating_mul(1_000),
            Measure::Millis | Measure::Bytes | Measure::Switch => number,
        };
        self.number(u32::try_from(scaled).map_err(|_| NotU32::TooLarge))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => self.number(Err(NotU32::Negative)),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        if !number.is_finite() {
            return Err(E::custom(self.0.refuse(ValueProblem::NotANumber)));
        }
        let factor = if self.0.measure == Measure::Seconds { 1_000.0 } else { 1.0 };
        self.number(from_float(number, factor))
    }
}

impl ValueSeed {
    fn number<E: Error>(self, number: Result<u32, NotU32>) -> Result<Result<u32, NotU32>, E> {
        if self.0.measure == Measure::Switch {
            return Err(E::custom(self.0.refuse(ValueProblem::NotASwitch)));
        }
        Ok(number)
    }
}

/// Returns `number` times `factor`, if the product is whole for the decimal that was written in the file.
///
/// A format passes 0.3 as the nearest float, and 1000 times that float need not be 300. But the float nearest to
/// 300/1000 is the same float, because division and the reading of decimals both round correctly.
fn from_float(number: f64, factor: f64) -> Result<u32, NotU32> {
    if number < 0.0 {
        return Err(NotU32::Negative);
    }
    let scaled = number * factor + 0.5;
    if scaled >= 4_294_967_296.0 {
        return Err(NotU32::TooLarge);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the bounds are checked above"
    )]
    let whole = scaled as u32;
    #[expect(clippy::float_cmp, reason = "they are equal bit by bit, or the number is not whole")]
    let same = f64::from(whole) / factor == number;
    if same { Ok(whole) } else { Err(NotU32::Fraction) }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::{String, ToString as _};

    use ::serde::de::value::{Error as ValueError, MapDeserializer};

    use super::super::tests::GENERATION;
    use super::*;
    use crate::settings::names::OldKey;

    fn read(json: &str) -> Result<OldValues, String> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        OldValues::deserialize(&GENERATION, &mut deserializer).map_err(|error| error.to_string())
    }

    #[test]
    fn a_float_counts_as_the_decimal_that_was_written() {
        for (number, factor, expected) in [
            (0.3, 1_000.0, Ok(300)),
            (2_147_483.647, 1_000.0, Ok(0x7fff_ffff)),
            (0.0, 1.0, Ok(0)),
            (-1.0, 1.0, Err(NotU32::Negative)),
            (60.5, 1.0, Err(NotU32::Fraction)),
            (4_294_967_295.0, 1.0, Ok(u32::MAX)),
            (4_294_967_295.5, 1.0, Err(NotU32::TooLarge)),
        ] {
            assert_eq!(from_float(number, factor), expected, "{number} times {factor}");
        }
    }

    #[test]
    fn a_switch_is_true_or_false_and_everything_else_a_number_without_quotes() {
        assert_eq!(read(r#"{"heartbeats":true}"#).unwrap().get(OldKey::Heartbeats), Some(1));
        for (json, sentence) in [
            (r#"{"heartbeats":1}"#, "`heartbeats` is neither true nor false: expected true or false"),
            (
                r#"{"heartbeats":"x"}"#,
                "invalid type: string \"x\", expected `heartbeats` as true or false at",
            ),
            (
                r#"{"heartbeat timeout":true}"#,
                "`heartbeat timeout` is not a number: expected whole milliseconds",
            ),
            (
                r#"{"heartbeat timeout":"x"}"#,
                "invalid type: string \"x\", expected `heartbeat timeout` as whole milliseconds, from 1 to \
                 2147483647, without quotes",
            ),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.starts_with(sentence), "{json}: {error}");
        }
    }

    #[test]
    fn a_name_is_text() {
        let map = MapDeserializer::<_, ValueError>::new([(1, 2)].into_iter());
        let error = OldValues::deserialize(&GENERATION, map).unwrap_err();
        assert_eq!(error.to_string(), "invalid type: integer `1`, expected the name of an old setting");
    }
}
