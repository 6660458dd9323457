//! Old settings in configuration files.

use core::fmt;

use ::serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use super::{Draft, Entry, LegacySettings, Measure, OldSettings, ValueProblem};
use crate::json::NotU32;

/// Reads a map of old settings. Numbers may be integers or floats, depending on the format. A float counts as the
/// decimal that it was read from.
///
/// ```
/// use eio_core::settings::LegacySettings;
/// use serde::de::DeserializeSeed;
///
/// let file = r#"{"heartbeat interval": 25, "heartbeat timeout": 0.6, "destroy buffer size": 10E7}"#;
/// let old = LegacySettings::V0_9.deserialize(&mut serde_json::Deserializer::from_str(file))?;
/// assert_eq!(old.heartbeat().ping_interval().as_millis(), 25_000);
/// assert_eq!(old.heartbeat().ping_timeout().as_millis(), 600);
/// assert_eq!(old.max_payload(), 100_000_000);
/// # Ok::<(), serde_json::Error>(())
/// ```
impl<'de> DeserializeSeed<'de> for LegacySettings {
    type Value = OldSettings;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<OldSettings, D::Error> {
        deserializer.deserialize_map(OldSettingsVisitor(self))
    }
}

struct OldSettingsVisitor(LegacySettings);

impl<'de> Visitor<'de> for OldSettingsVisitor {
    type Value = OldSettings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a map of settings of {}", self.0.as_str())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OldSettings, A::Error> {
        let mut draft = Draft::new(self.0);
        while let Some(entry) = map.next_key_seed(KeySeed(&mut draft))? {
            match map.next_value_seed(ValueSeed(entry))? {
                Value::Switch(on) => draft.switch(on),
                Value::Number(number) => draft.number(entry, number).map_err(Error::custom)?,
            }
        }
        draft.finish().map_err(Error::custom)
    }
}

/// Reads a name.
struct KeySeed<'a>(&'a mut Draft);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Entry;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Entry, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an old setting")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Entry, E> {
        self.0.entry(name).map_err(Error::custom)
    }
}

/// A value. A number was already converted to milliseconds or bytes.
enum Value {
    Switch(bool),
    Number(Result<u32, NotU32>),
}

/// Reads a value, whatever kind of number the format writes.
struct ValueSeed(Entry);

impl<'de> DeserializeSeed<'de> for ValueSeed {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        // Not `deserialize_f64`, because whole numbers must stay whole.
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for ValueSeed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { key, measure } = self.0;
        let quotes = if measure == Measure::Switch { "" } else { ", without quotes" };
        write!(f, "`{}` as {measure}{quotes}", key.name())
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<Value, E> {
        if self.0.measure == Measure::Switch {
            return Ok(Value::Switch(on));
        }
        Err(E::custom(self.0.refuse(ValueProblem::NotANumber)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        let scaled = match self.0.measure {
            Measure::Seconds => number.saturating_mul(1_000),
            Measure::Millis | Measure::Bytes | Measure::Switch => number,
        };
        self.number(u32::try_from(scaled).map_err(|_| NotU32::TooLarge))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => self.number(Err(NotU32::Negative)),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        if !number.is_finite() {
            return Err(E::custom(self.0.refuse(ValueProblem::NotANumber)));
        }
        let factor = if self.0.measure == Measure::Seconds { 1_000.0 } else { 1.0 };
        self.number(from_float(number, factor))
    }
}

impl ValueSeed {
    fn number<E: Error>(self, number: Result<u32, NotU32>) -> Result<Value, E> {
        if self.0.measure == Measure::Switch {
            return Err(E::custom(self.0.refuse(ValueProblem::NotASwitch)));
        }
        Ok(Value::Number(number))
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
