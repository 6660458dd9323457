//! What simulated sessions live through: links, tunnels, stalls and dead batteries.

mod file;
mod values;

use core::time::Duration;
use std::path::Path;

use serde_json::{Value, json};

use self::file::FleetTable;
pub(crate) use self::file::ScenarioFile;
pub(crate) use self::values::{LONGEST, Percent, Recurring, RoundTrip, Time, Whole};
use super::role::Role;
use crate::config_file;
use crate::duration::{precise_millis, round};
use crate::style::escape;
use crate::usage::Failure;

/// How many sessions a fleet has, if nothing says it. Each lives through its own tunnels and dies at its own moment.
pub(crate) const SESSIONS: u32 = 100;

/// What the sessions are called, if nothing says it.
pub(crate) const UNNAMED: &str = "sessions";

/// The most sessions of a scenario.
const MAX_SESSIONS: u32 = 1_000_000;

/// How long sessions are simulated, if nothing says it: long enough for a few tunnels.
const LASTS: Duration = Duration::from_hours(1);

/// How many ping intervals, and how many periods of a tunnel or stall, are simulated, if nothing says how long.
const PERIODS: u32 = 6;

/// Returns how long some of these periods last.
fn some(period: Duration) -> Duration {
    period.saturating_mul(PERIODS).min(LONGEST)
}

/// Fleets of sessions, and how long they are simulated.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scenario {
    pub(crate) lasts: Duration,
    pub(crate) seed: u64,
    pub(crate) fleets: Vec<Fleet>,
}

/// Sessions over links of the same kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fleet {
    pub(crate) name: String,
    pub(crate) sessions: u32,
    pub(crate) rtt: RoundTrip,
    /// How much longer than half of a round trip a packet can take.
    pub(crate) jitter: Duration,
    /// How many packets are lost, besides those in tunnels.
    pub(crate) loss: Percent,
    pub(crate) tunnels: Vec<Recurring>,
    pub(crate) server_stalls: Vec<Recurring>,
    pub(crate) client_stalls: Vec<Recurring>,
    /// How many of the sessions lose an end, at a random moment.
    pub(crate) dying: Percent,
    /// Which end dies.
    pub(crate) dead: Role,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            name: UNNAMED.to_owned(),
            sessions: SESSIONS,
            rtt: RoundTrip::SEVERAL,
            jitter: Duration::ZERO,
            loss: Percent::default(),
            tunnels: Vec::new(),
            server_stalls: Vec::new(),
            client_stalls: Vec::new(),
            dying: Percent::ALL,
            dead: Role::Client,
        }
    }
}

impl Scenario {
    /// Returns a scenario that can be simulated, or a sentence that says why it cannot.
    pub(crate) fn new(
        lasts: Option<Duration>,
        seed: Option<u64>,
        fleets: Vec<Fleet>,
    ) -> Result<Self, String> {
        let longest_period = fleets.iter().flat_map(Fleet::spells).filter_map(|spell| spell.every).max();
        let lasts = lasts.unwrap_or_else(|| LASTS.max(some(longest_period.unwrap_or_default())));
        if lasts < Duration::from_secs(1) || lasts > LONGEST {
            return Err(format!("the simulated time of {} is not from 1 s to 366 days", round(lasts)));
        }
        let sessions: u64 = fleets.iter().map(|fleet| u64::from(fleet.sessions)).sum();
        if sessions == 0 || sessions > u64::from(MAX_SESSIONS) {
            return Err(format!("there are {sessions} sessions: expected from 1 to {MAX_SESSIONS}"));
        }
        for fleet in &fleets {
            if fleet.rtt.most + fleet.jitter > Duration::from_hours(1) {
                return Err(format!(
                    "a round trip of {} with a jitter of {} is too long: expected at most an hour",
                    round(fleet.rtt.most),
                    round(fleet.jitter)
                ));
            }
        }
        Ok(Self { lasts, seed: seed.unwrap_or(1), fleets })
    }

    /// Lasts at least for some of these ping intervals: a setting that sends no ping ends no session.
    pub(crate) fn cover(&mut self, interval: Duration) {
        self.lasts = self.lasts.max(some(interval));
    }

    /// Reads a file in TOML, YAML or JSON. Returns its fleets and its other members.
    pub(crate) fn read(path: &Path) -> Result<(Vec<Fleet>, ScenarioFile), Failure> {
        let file: ScenarioFile = config_file::read(path)?;
        if file.fleet.is_empty() {
            return Err(format!(
                "{}: there are no sessions: expected at least one [[fleet]]",
                path.display()
            )
            .into());
        }
        let fleets = file.fleet.iter().enumerate().map(|(index, table)| Fleet::of(table, index)).collect();
        Ok((fleets, file))
    }

    /// Returns how many sessions there are.
    pub(crate) fn sessions(&self) -> u32 {
        self.fleets.iter().map(|fleet| fleet.sessions).sum()
    }

    /// Returns by how much later than the rules say, `by_the_rules` after it, a death can be noticed.
    pub(crate) fn longest_delay(&self, by_the_rules: Duration) -> Duration {
        self.fleets.iter().map(|fleet| fleet.longest_delay(by_the_rules)).max().unwrap_or_default()
    }

    /// Returns the longest tunnel or stall.
    pub(crate) fn longest_spell(&self) -> Duration {
        self.fleets.iter().flat_map(Fleet::spells).map(|spell| spell.length).max().unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "for_ms": precise_millis(self.lasts),
            "seed": self.seed,
            "fleets": self.fleets.iter().map(Fleet::json).collect::<Vec<_>>(),
        })
    }
}

impl Fleet {
    fn of(table: &FleetTable, index: usize) -> Self {
        let default = Self::default();
        let time = |time: Option<Time>, otherwise| time.map_or(otherwise, |Time(time)| time);
        Self {
            name: table.name.as_deref().map_or_else(|| format!("fleet {}", index + 1), escape),
            // More than there may be, in any case.
            sessions: table
                .sessions
                .map_or(default.sessions, |Whole(sessions)| u32::try_from(sessions).unwrap_or(u32::MAX)),
            rtt: table.rtt.unwrap_or(default.rtt),
            jitter: time(table.jitter, default.jitter),
            loss: table.loss.unwrap_or(default.loss),
            tunnels: table.tunnels.clone(),
            server_stalls: table.server_stalls.clone(),
            client_stalls: table.client_stalls.clone(),
            dying: table.dying.unwrap_or(default.dying),
            dead: table.dead.unwrap_or(default.dead),
        }
    }

    /// Returns how long the last packet is under way, if it is neither lost nor held up, and how long the program of the end
    /// that survives can stall while it should act.
    fn longest_delay(&self, by_the_rules: Duration) -> Duration {
        /// The program reads the last packet, sends the next ping, and judges: each can be late by a stall.
        const ACTS: u32 = 3;
        let stalls = match self.dead {
            Role::Client => &self.server_stalls,
            Role::Server => &self.client_stalls,
        };
        let noticed = by_the_rules + stalls.iter().map(|stall| stall.length).sum::<Duration>() * ACTS;
        let late = |stall: &Recurring| {
            // Whether no more of these stalls can meet that time.
            let are_all =
                |count: &u32| stall.every.is_none_or(|every| noticed + stall.length <= every * *count);
            stall.length * (1..ACTS).find(are_all).unwrap_or(ACTS)
        };
        self.rtt.most / 2 + self.jitter + stalls.iter().map(late).sum::<Duration>()
    }

    fn spells(&self) -> impl Iterator<Item = Recurring> {
        self.tunnels.iter().chain(&self.server_stalls).chain(&self.client_stalls).copied()
    }

    /// Returns a sentence without a full stop.
    pub(crate) fn sentence(&self) -> String {
        use core::fmt::Write as _;
        let mut text = format!("round trip {}", self.rtt);
        if !self.jitter.is_zero() {
            let _ = write!(text, ", jitter {}", round(self.jitter));
        }
        if self.loss.share() > 0.0 {
            let _ = write!(text, ", loss {}", self.loss);
        }
        for (what, spells) in [
            ("tunnel of", &self.tunnels),
            ("server stalls for", &self.server_stalls),
            ("client stalls for", &self.client_stalls),
        ] {
            for spell in spells {
                let _ = write!(text, ", {what} {spell}");
            }
        }
        if self.dying == Percent::ALL {
            let _ = write!(text, "; each {} dies at a random moment", self.dead.name());
        } else if self.dying.share() > 0.0 {
            let _ = write!(text, "; {} of the {}s die at a random moment", self.dying, self.dead.name());
        }
        text
    }

    fn json(&self) -> Value {
        let spells = |spells: &[Recurring]| spells.iter().map(|spell| spell.json()).collect::<Vec<_>>();
        json!({
            "name": self.name,
            "sessions": self.sessions,
            "rtt_min_ms": precise_millis(self.rtt.least),
            "rtt_max_ms": precise_millis(self.rtt.most),
            "jitter_ms": precise_millis(self.jitter),
            "loss": self.loss.share(),
            "tunnels": spells(&self.tunnels),
            "server_stalls": spells(&self.server_stalls),
            "client_stalls": spells(&self.client_stalls),
            "dying": self.dying.share(),
            "dead": self.dead.name(),
        })
    }
}

impl Recurring {
    fn json(self) -> Value {
        json!({
            "length_ms": precise_millis(self.length),
            "every_ms": self.every.map(precise_millis),
            "from_ms": self.from.map(precise_millis),
            "to_ms": self.to.map(precise_millis),
        })
    }
}
