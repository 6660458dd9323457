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
