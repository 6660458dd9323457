//! What a configuration file of `eio serve` contains: the settings of a server, and members of the tool's own.

use core::fmt;
#[cfg(unix)]
use std::path::PathBuf;

use eio_tokio::ServerConfig;
use serde::de::value::{Error as ValueError, MapAccessDeserializer, MapDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IntoDeserializer as _, MapAccess, Visitor,
};

use super::cluster::{BusUrls, ClusterOptions, NodeAddress};
use super::tls::TlsFiles;
#[cfg(unix)]
use super::unix::Mode;
use super::values::{HostAndPort, HostName, Workers};
use crate::nearest::nearest;

/// The content of a configuration file. What it leaves out is `None`.
#[derive(Clone, Debug, Default)]
pub(super) struct ConfigFile {
    pub(super) own: OwnMembers,
    pub(super) server: ServerConfig,
}

/// The members that are the tool's own.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnMembers {
    pub(super) listen: Option<HostAndPort>,
    #[cfg(unix)]
    pub(super) unix: Option<PathBuf>,
    #[cfg(unix)]
    pub(super) unix_mode: Option<Mode>,
    pub(super) tls: TlsFiles,
    pub(super) allowed_hosts: Option<Vec<HostName>>,
    pub(super) workers: Option<Workers>,
    pub(super) socketio: Option<bool>,
    pub(super) echo: Option<bool>,
    pub(super) json: Option<bool>,
    pub(super) show_sids: Option<bool>,
    pub(super) sid_key: Option<String>,
    pub(super) cluster: ClusterOptions,
}

impl<'de> Deserialize<'de> for ConfigFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FileVisitor)
    }
}

struct FileVisitor;

impl<'de> Visitor<'de> for FileVisitor {
    type Value = ConfigFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table with the settings of a server")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ConfigFile, A::Error> {
        let mut own = OwnMembers::default();
        let rest = Rest { map, own: &mut own, seen: Vec::new() };
        let server = ServerConfig::deserialize(MapAccessDeserializer::new(rest))?;
        Ok(ConfigFile { own, server })
    }
}

/// The members that are not the tool's own. It keeps the tool's own ones as they come.
struct Rest<'a, A> {
    map: A,
    own: &'a mut OwnMembers,
    seen: Vec<Own>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Rest<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let mut seed = seed;
        loop {
            match self.map.next_key_seed(NameSeed { seed, seen: &mut self.seen })? {
                None => return Ok(None),
                Some(Name::Other(key)) => return Ok(Some(key)),
                Some(Name::Own(own, unused)) => {
                    seed = unused;
                    self.own.read(own, &mut self.map)?;
                }
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

impl OwnMembers {
    fn read<'de, A: MapAccess<'de>>(&mut self, member: Own, map: &mut A) -> Result<(), A::Error> {
        match member {
            Own::Listen => self.listen = map.next_value()?,
            #[cfg(unix)]
            Own::Unix => self.unix = map.next_value()?,
            #[cfg(unix)]
            Own::UnixMode => self.unix_mode = map.next_value()?,
            Own::TlsCert => self.tls.tls_cert = map.next_value()?,
            Own::TlsKey => self.tls.tls_key = map.next_value()?,
            Own::AllowedHosts => self.allowed_hosts = map.next_value()?,
            Own::Workers => self.workers = map.next_value()?,
            Own::SocketIo => self.socketio = map.next_value()?,
            Own::Echo => self.echo = map.next_value()?,
            Own::Json => self.json = map.next_value()?,
            Own::ShowSids => self.show_sids = map.next_value()?,
            Own::SidKey => self.sid_key = map.next_value()?,
            Own::Bus => {
                self.cluster.bus = map.next_value::<Option<BusUrls>>()?.map_or_else(Vec::new, Vec::from);
            }
            Own::NodeAddress => {
                self.cluster.node_address =
                    map.next_value::<Option<NodeAddress>>()?.map(|NodeAddress(address)| address);
            }
            Own::NodeSecret => self.cluster.node_secret = map.next_value()?,
        }
        Ok(())
    }
}

/// A member that is the tool's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    Listen,
    #[cfg(unix)]
    Unix,
    #[cfg(unix)]
    UnixMode,
    TlsCert,
    TlsKey,
    AllowedHosts,
    Workers,
    SocketIo,
    Echo,
    Json,
    ShowSids,
    SidKey,
    Bus,
    NodeAddress,
    NodeSecret,
}

impl Own {
    /// Each member with its names. Messages use the first one.
    const ALL: &[(Self, &'static [&'static str])] = &[
        (Self::Listen, &["listen"]),
        #[cfg(unix)]
        (Self::Unix, &["unix"]),
        #[cfg(unix)]
        (Self::UnixMode, &["unixMode", "unix_mode"]),
        (Self::TlsCert, &["tlsCert", "tls_cert"]),
        (Self::TlsKey, &["tlsKey", "tls_key"]),
        (Self::AllowedHosts, &["allowedHosts", "allowed_hosts"]),
        (Self::Workers, &["workers"]),
        (Self::SocketIo, &["socketio"]),
        (Self::Echo, &["echo"]),
        (Self::Json, &["json"]),
        (Self::ShowSids, &["showSids", "show_sids"]),
        (Self::SidKey, &["sidKey", "sid_key"]),
        (Self::Bus, &["bus"]),
        (Self::NodeAddress, &["nodeAddress", "node_address"]),
        (Self::NodeSecret, &["nodeSecret", "node_secret"]),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, names)| names.contains(&name)).map(|(own, _)| *own)
    }

    /// Returns the name that is meant, for names that are nearly right and for those of other servers.
    fn meant(name: &str) -> Option<&'static str> {
        match name {
            "host" | "port" | "address" | "bind" => Some("listen"),
            _ => {
                let names = Self::ALL.iter().filter_map(|(_, names)| names.first().copied());
                nearest(name, names)
            }
        }
    }
}

/// A name, read.
enum Name<K, V> {
    /// One of the tool's own, and the seed that would have read another one.
    Own(Own, K),
    Other(V),
}

/// Reads a name.
struct NameSeed<'a, K> {
    seed: K,
    seen: &'a mut Vec<Own>,
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for NameSeed<'_, K> {
    type Value = Name<K, K::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de, K: DeserializeSeed<'de>> Visitor<'de> for NameSeed<'_, K> {
    type Value = Name<K, K::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a setting")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let Some(own) = Own::named(name) else {
            if let Some(meant) = Own::meant(name) {
                return Err(E::custom(format_args!("unknown member `{name}`: did you mean `{meant}`?")));
            }
            if let Some(sentence) = unlike_any(name) {
                return Err(E::custom(sentence));
            }
            return self.seed.deserialize(name.into_deserializer()).map(Name::Other);
        };
        if self.seen.contains(&own) {
            return Err(E::custom(format_args!("`{name}` is given twice: expected it once")));
        }
        self.seen.push(own);
        Ok(Name::Own(own, self.seed))
    }
}

/// Returns the sentence about a name that is like none of the members: it lists those of the tool, and those of the server.
fn unlike_any(name: &str) -> Option<String> {
    let one = MapDeserializer::<_, ValueError>::new(core::iter::once((name, ())));
    let sentence = ServerConfig::deserialize(one).err()?.to_string();
    let beginning = format!("unknown member `{name}`: expected one of ");
    let servers = sentence.strip_prefix(&beginning)?;
    let own = Own::ALL.iter().filter_map(|(_, names)| names.first().copied());
    let own: String = own.flat_map(|name| ["`", name, "`, "]).collect();
    Some(format!("{beginning}{own}{servers}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_like_no_member_is_answered_with_those_of_the_tool_and_of_the_server() {
        let error = serde_json::from_str::<ConfigFile>(r#"{"threads": 2}"#).unwrap_err().to_string();
        let list = error.strip_prefix("unknown member `threads`: expected one of ").unwrap();
        for name in ["`listen`, ", "`tlsCert`, ", "`workers`, ", "`nodeSecret`, `path`, ", "`pingInterval`, "]
        {
            assert!(list.contains(name), "{name}: {list}");
        }
        for name in ["pingInterval", "heartbeat", "pingIntervall"] {
            assert_eq!(unlike_any(name), None, "{name}");
        }
    }

    #[test]
    fn no_setting_of_the_server_looks_like_a_misspelled_one_of_the_tool() {
        let chapter = include_str!("../../../std-adapter/src/guide/configuration.md");
        let names = chapter.lines().filter_map(|line| line.split_once(" = "));
        assert!(names.clone().count() > 40);
        for (name, _) in names {
            assert_eq!(Own::meant(name), None, "{name}");
        }
    }

    #[test]
    fn every_member_of_the_tool_is_in_the_help() {
        let help = crate::args::help("serve");
        for (_, names) in Own::ALL {
            assert!(names.first().is_some_and(|name| help.contains(name)), "{names:?}");
        }
    }
}
