//! Settings in configuration files, in any self-describing format such as JSON, TOML or YAML.
//!
//! The code asks the deserializer for a map, not for a struct. A deserializer may hide the keys that a struct does not
//! list, and a misspelled setting must not be ignored.

use core::fmt;

use ::serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use ::serde::ser::{Serialize, SerializeStruct, Serializer};

use super::names::{Key, OldKey, OldNameRefused, OtherOldName};
use super::server::Limit;
use super::{Heartbeat, Liveness, ServerSettings, SettingsError};

/// Reads the names in the table at [`ServerSettings`]. Settings that are left out keep their defaults.
///
/// ```
/// use eio_core::settings::ServerSettings;
///
/// let settings: ServerSettings = serde_json::from_str(r#"{"pingInterval":10000,"ping_timeout":5000}"#)?;
/// assert_eq!(settings.app_stall_timeout().as_secs(), 15);
///
/// let error = serde_json::from_str::<ServerSettings>(r#"{"heartbeat interval":25}"#).unwrap_err();
/// assert!(error.to_string().starts_with(
///     "`heartbeat interval` is an old setting of Socket.IO: write `pingInterval`, in milliseconds."
/// ));
/// # Ok::<(), serde_json::Error>(())
/// ```
impl<'de> Deserialize<'de> for ServerSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXPECTED: &[&str] = &[
            "pingInterval",
            "pingTimeout",
            "liveness",
            "maxPayload",
            "maxHttpBufferSize",
            "maxPackets",
            "upgradeTimeout",
            "closeTimeout",
            "appStallTimeout",
        ];
        let given = deserializer.deserialize_map(SettingsVisitor { expected: EXPECTED })?;
        given.settings().map_err(Error::custom)
    }
}

/// Reads `pingInterval` and `pingTimeout`, in milliseconds. A period that is left out keeps its default.
impl<'de> Deserialize<'de> for Heartbeat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = &["pingInterval", "pingTimeout"];
        let given = deserializer.deserialize_map(SettingsVisitor { expected })?;
        given.heartbeat().map_err(Error::custom)
    }
}

/// Writes every setting under its first name. Leaves out an `appStallTimeout` that follows the heartbeat.
impl Serialize for ServerSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = if self.app_stall_millis.is_some() { 8 } else { 7 };
        let mut map = serializer.serialize_struct("ServerSettings", fields)?;
        map.serialize_field("pingInterval", &self.heartbeat.interval_millis())?;
        map.serialize_field("pingTimeout", &self.heartbeat.timeout_millis())?;
        map.serialize_field("liveness", &self.liveness)?;
        map.serialize_field("maxPayload", &self.max_payload)?;
        map.serialize_field("maxPackets", &self.max_packets)?;
        map.serialize_field("upgradeTimeout", &self.upgrade_millis)?;
        map.serialize_field("closeTimeout", &self.close_millis)?;
        match &self.app_stall_millis {
            Some(millis) => map.serialize_field("appStallTimeout", millis)?,
            None => map.skip_field("appStallTimeout")?,
        }
        map.end()
    }
}

impl Serialize for Heartbeat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("Heartbeat", 2)?;
        map.serialize_field("pingInterval", &self.interval_millis())?;
        map.serialize_field("pingTimeout", &self.timeout_millis())?;
        map.end()
    }
}

/// The content of a configuration file: each setting, with the name that the file uses.
#[derive(Default)]
struct Given {
    ping_interval: Option<Named<u32>>,
    ping_timeout: Option<Named<u32>>,
    liveness: Option<Named<Liveness>>,
    max_payload: Option<Named<u32>>,
    max_packets: Option<Named<u32>>,
    upgrade_timeout: Option<Named<u32>>,
    close_timeout: Option<Named<u32>>,
    app_stall_timeout: Option<Named<u32>>,
}

struct Named<T> {
    name: &'static str,
    value: T,
}

impl Given {
    fn heartbeat(&self) -> Result<Heartbeat, super::HeartbeatError> {
        let or_default =
            |given: &Option<Named<u32>>, default| given.as_ref().map_or(default, |named| named.value);
        Heartbeat::from_millis(
            or_default(&self.ping_interval, Heartbeat::DEFAULT.interval_millis()),
            or_default(&self.ping_timeout, Heartbeat::DEFAULT.timeout_millis()),
        )
    }

    fn settings(&self) -> Result<ServerSettings, Refused> {
        let mut settings =
            ServerSettings::DEFAULT.with_heartbeat(self.heartbeat().map_err(Refused::Heartbeat)?);
        if let Some(Named { value, .. }) = self.liveness {
            settings.liveness = value;
        }
        for (limit, given) in [
            (Limit::MaxPayload, &self.max_payload),
            (Limit::MaxPackets, &self.max_packets),
            (Limit::UpgradeTimeout, &self.upgrade_timeout),
            (Limit::CloseTimeout, &self.close_timeout),
            (Limit::AppStallTimeout, &self.app_stall_timeout),
        ] {
            if let Some(Named { value, .. }) = given {
                settings = settings.with_limit(limit, *value).map_err(Refused::Limit)?;
            }
        }
        Ok(settings)
    }
}

/// The reason why a number is not a valid value.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{0}")]
    Heartbeat(super::HeartbeatError),
    #[error("{0}")]
    Limit(SettingsError),
}

/// Collects the settings in a map.
struct SettingsVisitor {
    /// The current names that are allowed here, for messages.
    expected: &'static [&'static str],
}

impl<'de> Visitor<'de> for SettingsVisitor {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of settings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Given, A::Error> {
        let mut given = Given::default();
        while let Some((name, key)) = map.next_key_seed(KeySeed { expected: self.expected })? {
            let slot = match key {
                Key::PingInterval => &mut given.ping_interval,
                Key::PingTimeout => &mut given.ping_timeout,
                Key::MaxPayload => &mut given.max_payload,
                Key::MaxPackets => &mut given.max_packets,
                Key::UpgradeTimeout => &mut given.upgrade_timeout,
                Key::CloseTimeout => &mut given.close_timeout,
                Key::AppStallTimeout => &mut given.app_stall_timeout,
                Key::Liveness => {
                    vacant(given.liveness.as_ref(), name)?;
                    given.liveness = Some(Named { name, value: map.next_value()? });
                    continue;
                }
            };
            vacant(slot.as_ref(), name)?;
            *slot = Some(Named { name, value: map.next_value_seed(NumberSeed { name, key })? });
        }
        Ok(given)
    }
}

/// Fails if a setting has already been given, under this name or another.
fn vacant<T, E: Error>(slot: Option<&Named<T>>, name: &'static str) -> Result<(), E> {
    match slot {
        None => Ok(()),
        Some(before) if before.name == name => Err(E::duplicate_field(name)),
        Some(before) => Err(E::custom(format_args!(
            "`{}` and `{name}` are two names of one setting: expected one of them",
            before.name
        ))),
    }
}

/// Reads a name.
struct KeySeed {
    expected: &'static [&'static str],
}

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = (&'static str, Key);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = (&'static str, Key);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a setting")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        if let Some((name, key)) = Key::named(name)
            && self.expected.contains(&key.name())
        {
            return Ok((name, key));
        }
        if let Some(old) = OldKey::named(name) {
            return Err(E::custom(OldNameRefused(old)));
        }
        if let Some(OtherOldName { name: old, .. }) = OtherOldName::named(name) {
            return Err(E::custom(format_args!(
                "`{old}` is an old setting of Socket.IO that does not concern sessions: leave it out here"
            )));
        }
        Err(E::unknown_field(name, self.expected))
    }
}

/// Reads a whole number. A number above `u32::MAX` is above every limit, too.
struct NumberSeed {
    name: &'static str,
    key: Key,
}

impl<'de> DeserializeSeed<'de> for NumberSeed {
    type Value = u32;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u32, D::Error> {
        deserializer.deserialize_u64(self)
    }
}

impl Visitor<'_> for NumberSeed {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.key {
            Key::MaxPayload => "bytes",
            Key::MaxPackets => "packets",
            _ => "milliseconds",
        };
        write!(f, "`{}` as a whole number of {unit}, without quotes, point or exponent", self.name)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u32, E> {
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u32, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(::serde::de::Unexpected::Signed(number), &self)),
        }
    }
}
