//! A server's settings from a configuration file.

use core::fmt;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IntoDeserializer as _, MapAccess, Unexpected, Visitor,
};

use crate::server::builder::ServerBuilder;
use crate::server::recovery::Recovery;
use crate::server::shared::WhenFull;

/// The settings of a server that are data, read from a configuration file in TOML, YAML, JSON or any other
/// self-describing format of serde's. [`ServerBuilder::config`] applies them.
///
/// ```
/// use eio_socketio::{Namespace, Server, ServerConfig};
///
/// let config: ServerConfig = serde_json::from_str(
///     r#"{
///         "pingInterval": 5000,
///         "pingTimeout": "3s",
///         "cors": { "origin": "https://app.example" },
///         "connectTimeout": "10s",
///         "connectionStateRecovery": { "maxDisconnectionDuration": 120000, "skipMiddlewares": true }
///     }"#,
/// )?;
/// let server = Server::builder().namespace("/", Namespace::new()).config(config).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Members
///
/// The members of the engine's [`ServerConfig`](eio_tokio::ServerConfig), which has the options of the reference under their
/// names, and these. Every member is optional. A name with capitals may also be written with underscores.
///
/// | member | value | setter |
/// |---|---|---|
/// | `connectTimeout` | a time | [`connect_timeout`](ServerBuilder::connect_timeout) |
/// | `ackTimeout` | a time | [`ack_timeout`](ServerBuilder::ack_timeout) |
/// | `connectionStateRecovery` | a boolean; or a table: `maxDisconnectionDuration`, `skipMiddlewares`, `maxSessions`, `maxPackets`, `maxBytes` | [`recovery`](ServerBuilder::recovery) |
/// | `whenFull` | `"refuse"` or `"close"` | [`when_full`](ServerBuilder::when_full) |
/// | `maxNamespaces` | a number | [`max_namespaces`](ServerBuilder::max_namespaces) |
/// | `maxRooms` | a number | [`max_rooms`](ServerBuilder::max_rooms) |
///
/// A time is a text with a unit, such as `"5s"` or `"1m 30s"`, or a whole number of milliseconds.
///
/// # Errors
///
/// A wrong value is an error that says what was expected, and so is a name that neither list has.
#[derive(Clone, Debug, Default)]
pub struct ServerConfig {
    pub(crate) engine: eio_tokio::ServerConfig,
    own: Own,
}

/// The members that are not the engine's.
#[derive(Clone, Debug, Default)]
struct Own {
    connect_timeout: Option<Time>,
    ack_timeout: Option<Time>,
    recovery: Option<Recovery>,
    when_full: Option<WhenFull>,
    max_namespaces: Option<usize>,
    max_rooms: Option<usize>,
}

/// The names of the members, and the same with underscores.
const NAMES: [(&str, &str); 6] = [
    ("connectTimeout", "connect_timeout"),
    ("ackTimeout", "ack_timeout"),
    ("connectionStateRecovery", "connection_state_recovery"),
    ("whenFull", "when_full"),
    ("maxNamespaces", "max_namespaces"),
    ("maxRooms", "max_rooms"),
];

impl ServerConfig {
    /// Applies the settings of this crate.
    pub(crate) fn apply<S: Send + Sync + 'static>(&self, mut builder: ServerBuilder<S>) -> ServerBuilder<S> {
        let own = &self.own;
        if let Some(Time(timeout)) = own.connect_timeout {
            builder = builder.connect_timeout(timeout);
        }
        if let Some(Time(timeout)) = own.ack_timeout {
            builder = builder.ack_timeout(timeout);
        }
        if let Some(recovery) = &own.recovery {
            builder = builder.recovery(recovery.clone());
        }
        if let Some(when_full) = own.when_full {
            builder = builder.when_full(when_full);
        }
        if let Some(namespaces) = own.max_namespaces {
            builder = builder.max_namespaces(namespaces);
        }
        if let Some(rooms) = own.max_rooms {
            builder = builder.max_rooms(rooms);
        }
        builder
    }
}

impl<'de> Deserialize<'de> for ServerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FileVisitor)
    }
}

struct FileVisitor;

impl<'de> Visitor<'de> for FileVisitor {
    type Value = ServerConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table with the settings of a server")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ServerConfig, A::Error> {
        let mut own = Own::default();
        let rest = Rest { map, own: &mut own, seen: Vec::new() };
        let engine = eio_tokio::ServerConfig::deserialize(MapAccessDeserializer::new(rest))?;
        Ok(ServerConfig { engine, own })
    }
}

/// The members that are the engine's. It keeps the others as they come.
struct Rest<'a, A> {
    map: A,
    own: &'a mut Own,
    /// The names of the others that have come, as they are declared.
    seen: Vec<&'static str>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Rest<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.map.next_key::<String>()? {
            let declared =
                NAMES.iter().find(|(name, with_underscores)| key == *name || key == *with_underscores);
            let Some((name, _)) = declared else {
                return seed.deserialize(key.into_deserializer()).map(Some).map_err(with_own_names);
            };
            if self.seen.contains(name) {
                return Err(A::Error::duplicate_field(name));
            }
            self.seen.push(name);
            self.own.take(name, &mut self.map)?;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// Adds this crate's names to those that the engine expected, where it lists them.
fn with_own_names<E: Error>(unknown: E) -> E {
    let text = unknown.to_string();
    if !text.contains(": expected one of ") {
        return unknown;
    }
    let own = NAMES.map(|(name, _)| format!("`{name}`")).join(", ");
    E::custom(format!("{text}, {own}"))
}

impl Own {
    /// Reads the value of the member with this name.
    fn take<'de, A: MapAccess<'de>>(&mut self, name: &'static str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "connectTimeout" => self.connect_timeout = map.next_value()?,
            "ackTimeout" => self.ack_timeout = map.next_value()?,
            "connectionStateRecovery" => {
                self.recovery = map.next_value::<Option<OneOrTable>>()?.and_then(|setting| setting.0);
            }
            "whenFull" => self.when_full = map.next_value::<Option<Full>>()?.map(WhenFull::from),
            "maxNamespaces" => self.max_namespaces = map.next_value()?,
            _ => self.max_rooms = map.next_value()?,
        }
        Ok(())
    }
}

/// The words for [`WhenFull`].
#[derive(serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Full {
    Refuse,
    Close,
}

impl From<Full> for WhenFull {
    fn from(full: Full) -> Self {
        match full {
            Full::Refuse => Self::Refuse,
            Full::Close => Self::Close,
        }
    }
}

/// `true`, `false`, or a table.
struct OneOrTable(Option<Recovery>);

#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct RecoveryTable {
    #[serde(alias = "max_disconnection_duration")]
    max_disconnection_duration: Option<Time>,
    #[serde(alias = "skip_middlewares")]
    skip_middlewares: Option<bool>,
    #[serde(alias = "max_sessions")]
    max_sessions: Option<usize>,
    #[serde(alias = "max_packets")]
    max_packets: Option<usize>,
    #[serde(alias = "max_bytes")]
    max_bytes: Option<usize>,
}

impl From<RecoveryTable> for Recovery {
    fn from(table: RecoveryTable) -> Self {
        let mut recovery = Self::new();
        if let Some(Time(time)) = table.max_disconnection_duration {
            recovery = recovery.max_disconnection(time);
        }
        if let Some(skip) = table.skip_middlewares {
            recovery = recovery.skip_middlewares(skip);
        }
        if let Some(sessions) = table.max_sessions {
            recovery = recovery.max_sessions(sessions);
        }
        if let Some(packets) = table.max_packets {
            recovery = recovery.max_packets(packets);
        }
        if let Some(bytes) = table.max_bytes {
            recovery = recovery.max_bytes(bytes);
        }
        recovery
    }
}

impl<'de> Deserialize<'de> for OneOrTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EitherVisitor;

        impl<'de> Visitor<'de> for EitherVisitor {
            type Value = OneOrTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, or a table with maxDisconnectionDuration")
            }

            fn visit_bool<E: Error>(self, is_on: bool) -> Result<OneOrTable, E> {
                Ok(OneOrTable(is_on.then(Recovery::new)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OneOrTable, A::Error> {
                let table = RecoveryTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(OneOrTable(Some(table.into())))
            }
        }

        deserializer.deserialize_any(EitherVisitor)
    }
}

/// A time with a unit, or in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Time(Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimeVisitor;

        impl Visitor<'_> for TimeVisitor {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time with a unit, such as \"5s\", or a whole number of milliseconds")
            }

            fn visit_u64<E: Error>(self, millis: u64) -> Result<Time, E> {
                Ok(Time(Duration::from_millis(millis)))
            }

            fn visit_i64<E: Error>(self, millis: i64) -> Result<Time, E> {
                let millis = u64::try_from(millis);
                millis
                    .map(Duration::from_millis)
                    .map(Time)
                    .map_err(|_| E::custom("a time is negative: expected at least 0 ms"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
                humantime::parse_duration(text)
                    .map(Time)
                    .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(TimeVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<ServerConfig, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn the_members_of_both_crates_are_read_from_one_table() {
        let config = read(
            r#"{"pingInterval":5000,"connectTimeout":"10s","pingTimeout":"3s","whenFull":"close","maxRooms":7,
                "max_namespaces":3,"ackTimeout":250,
                "connectionStateRecovery":{"maxDisconnectionDuration":"1m","skip_middlewares":false,"maxBytes":9}}"#,
        )
        .unwrap();
        let own = &config.own;
        assert_eq!(own.connect_timeout.unwrap().0, Duration::from_secs(10));
        assert_eq!(own.ack_timeout.unwrap().0, Duration::from_millis(250));
        assert_eq!(own.when_full, Some(WhenFull::Close));
        assert_eq!((own.max_rooms, own.max_namespaces), (Some(7), Some(3)));
        let recovery =
            Recovery::new().max_disconnection(Duration::from_mins(1)).skip_middlewares(false).max_bytes(9);
        assert_eq!(own.recovery, Some(recovery));
        assert_eq!(config.engine.settings().heartbeat().ping_interval(), Duration::from_secs(5));
        let recovery = |json| read(json).unwrap().own.recovery;
        assert_eq!(recovery(r#"{"connectionStateRecovery":true}"#), Some(Recovery::new()));
        assert_eq!(recovery(r#"{"connectionStateRecovery":false}"#), None);
        assert_eq!(recovery("{}"), None);
    }

    #[test]
    fn each_mistake_is_told_with_what_was_expected() {
        for (json, expected) in [
            (r#"{"connectTimeout":"soon"}"#, "expected a time with a unit"),
            (r#"{"connectTimeout":-1}"#, "expected at least 0 ms"),
            (r#"{"ackTimeout":true}"#, "expected a time with a unit"),
            (r#"{"whenFull":"wait"}"#, "expected `refuse` or `close`"),
            (r#"{"maxRooms":-1}"#, "expected usize"),
            (r#"{"connectionStateRecovery":"yes"}"#, "expected true, false, or a table"),
            (r#"{"connectionStateRecovery":{"maxDisconnection":1}}"#, "unknown field `maxDisconnection`"),
            (r#"{"maxRooms":1,"max_rooms":2}"#, "duplicate field `maxRooms`"),
            (r#"{"conectTimeout":1}"#, "conectTimeout"),
            (
                r#"{"cleanupEmptyChildNamespaces":true}"#,
                "unknown member `cleanupEmptyChildNamespaces`: expected one of `path`, ",
            ),
            (r#"{"cleanupEmptyChildNamespaces":true}"#, "`http2`, `connectTimeout`, `ackTimeout`, "),
            (r#"{"pingIntervall":1}"#, "pingInterval"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
