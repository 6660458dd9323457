//! The file of `--scenario`: fleets of sessions, and what they live through.

use eio_core::{Liveness, Revision};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::values::{Percent, Recurring, RoundTrip, Time, Whole};
use crate::simulate::role::Role;

/// The content of a scenario's file. What it leaves out is `None`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with the members of a scenario")]
pub(crate) struct ScenarioFile {
    #[serde(rename = "for")]
    pub(crate) lasts: Option<Time>,
    pub(crate) seed: Option<Whole>,
    pub(crate) within: Option<Time>,
    #[serde(rename = "pingInterval", alias = "ping_interval")]
    pub(crate) ping_interval: Option<Time>,
    #[serde(rename = "pingTimeout", alias = "ping_timeout")]
    pub(crate) ping_timeout: Option<Time>,
    #[serde(default, deserialize_with = "named")]
    pub(crate) liveness: Option<Liveness>,
    #[serde(default, deserialize_with = "revision")]
    pub(crate) eio: Option<Revision>,
    #[serde(default)]
    pub(crate) intervals: Vec<Time>,
    #[serde(default)]
    pub(crate) timeouts: Vec<Time>,
    #[serde(default)]
    pub(crate) fleet: Vec<FleetTable>,
}

/// A `[[fleet]]` of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with the members of a fleet")]
pub(crate) struct FleetTable {
    pub(crate) name: Option<String>,
    pub(crate) sessions: Option<Whole>,
    pub(crate) rtt: Option<RoundTrip>,
    pub(crate) jitter: Option<Time>,
    pub(crate) loss: Option<Percent>,
    #[serde(default)]
    pub(crate) tunnels: Vec<Recurring>,
    #[serde(default, rename = "serverStalls", alias = "server_stalls")]
    pub(crate) server_stalls: Vec<Recurring>,
    #[serde(default, rename = "clientStalls", alias = "client_stalls")]
    pub(crate) client_stalls: Vec<Recurring>,
    pub(crate) dying: Option<Percent>,
    #[serde(default, deserialize_with = "named")]
    pub(crate) dead: Option<Role>,
}

/// Reads a value that has a name.
fn named<'de, D: Deserializer<'de>, T: core::str::FromStr<Err: core::fmt::Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(Error::custom)
}

fn revision<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Revision>, D::Error> {
    let Whole(number) = Whole::deserialize(deserializer)?;
    number.to_string().parse().map(Some).map_err(|error| Error::custom(format_args!("{number}: {error}")))
}
