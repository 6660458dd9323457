//! The simulated world of one session: its link, its tunnels, its stalls, its death.

use core::time::Duration;

use eio_core::{Heartbeat, Liveness, Revision};
use eio_sim::{Host, Link, Plan, SessionId, Side, Spells, World};

use super::role::Role;
use super::scenario::{Fleet, Recurring};

/// The settings of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) heartbeat: Heartbeat,
    pub(crate) liveness: Liveness,
    pub(crate) revision: Revision,
}

impl Setting {
    /// Returns how long after a death the other end is watched: longer than any rule lets it wait.
    pub(crate) fn patience(&self) -> Duration {
        (self.heartbeat.ping_interval() + self.heartbeat.ping_timeout()) * 4 + Duration::from_hours(1)
    }

    /// Returns these settings with other periods.
    pub(crate) fn with(self, heartbeat: Heartbeat) -> Self {
        Self { heartbeat, ..self }
    }
}

/// What is random about a session. It does not depend on the settings, so that all of them are tried in the same world.
#[derive(Clone, Debug)]
pub(crate) struct Draw {
    /// When it opens, as a share of the ping interval.
    pub(crate) opens: f64,
    /// Its round trip time, without jitter.
    pub(crate) rtt: Duration,
    pub(crate) tunnels: Vec<Spell>,
    pub(crate) server_stalls: Vec<Spell>,
    pub(crate) client_stalls: Vec<Spell>,
    /// When an end dies, as a share of the simulated time.
    pub(crate) dies: Option<f64>,
}

/// A tunnel or stall of one session, which begins for the first time at `first`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spell {
    first: Duration,
    recurring: Recurring,
}

impl Draw {
    /// Draws what is random about a session of this fleet. `share` returns random numbers from 0 to 1.
    pub(crate) fn new(fleet: &Fleet, share: &mut dyn FnMut() -> f64) -> Self {
        let opens = share();
        let rtt = fleet.rtt.at(share());
        let mut spells = |spells: &[Recurring]| -> Vec<Spell> {
            spells.iter().map(|recurring| Spell::at_phase(*recurring, share())).collect()
        };
        let (tunnels, server_stalls, client_stalls) =
            (spells(&fleet.tunnels), spells(&fleet.server_stalls), spells(&fleet.client_stalls));
        let is_dying = share() < fleet.dying.share();
        let dies = share();
        Self { opens, rtt, tunnels, server_stalls, client_stalls, dies: is_dying.then_some(dies) }
    }
}

impl Spell {
    fn at_phase(recurring: Recurring, phase: f64) -> Self {
        let first = recurring.from.unwrap_or_else(|| recurring.every.unwrap_or_default().mul_f64(phase));
        Self { first, recurring }
    }

    /// Returns the same, for the first time at `first` unless the scenario says when.
    pub(crate) fn sooner(recurring: Recurring, first: Duration) -> Self {
        Self { first: recurring.from.unwrap_or(first), recurring }
    }

    /// Returns when each one begins and ends, up to `until`.
    pub(crate) fn times(self, until: Duration) -> impl Iterator<Item = (Duration, Duration)> {
        let Recurring { length, every, to, .. } = self.recurring;
        let next = move |begin: &Duration| every.map(|every| *begin + every);
        let until = until.min(to.unwrap_or(Duration::MAX));
        core::iter::successors(Some(self.first), next)
            .take_while(move |begin| *begin < until)
            .map(move |begin| (begin, begin + length))
    }

    fn spells(self) -> Spells {
        let Recurring { length, every, to, .. } = self.recurring;
        match (every, to) {
            (None, _) => Spells::once(self.first, length),
            (Some(every), None) => Spells::every(every, length).starting_at(self.first),
            (Some(every), Some(to)) => Spells::every(every, length).starting_at(self.first).until(to),
        }
    }
}

/// When a session is open, and when one of its ends dies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) opens_at: Duration,
    pub(crate) dies_at: Option<Duration>,
}

impl Draw {
    /// Returns the life of the session in a simulation that lasts so long.
    pub(crate) fn life(&self, heartbeat: Heartbeat, lasts: Duration) -> Life {
        let opens_at = heartbeat.ping_interval().min(lasts / 2).mul_f64(self.opens);
        let dies_at = self.dies.map(|share| opens_at + lasts.saturating_sub(opens_at).mul_f64(share));
        Life { opens_at, dies_at }
    }
}

/// Makes a world with one session, which is open on both sides.
pub(crate) fn world(
    setting: &Setting,
    fleet: &Fleet,
    draw: &Draw,
    life: Life,
    seed: u64,
) -> (World, SessionId) {
    let mut world = World::new(seed);
    let mut link =
        Link::new(draw.rtt / 2).jitter(fleet.jitter).loss_per_million(per_million(fleet.loss.share()));
    for tunnel in &draw.tunnels {
        link = link.cut(tunnel.spells());
    }
    let host = |stalls: &[Spell], role: Role| {
        let host = stalls.iter().fold(Host::new(), |host, stall| host.stalls(stall.spells()));
        match life.dies_at {
            Some(at) if role == fleet.dead => host.dies_at(at),
            _ => host,
        }
    };
    let link = world.add_link(link);
    let server = world.add_host(host(&draw.server_stalls, Role::Server));
    let client = world.add_host(host(&draw.client_stalls, Role::Client));
    let plan = world.add_plan(
        Plan::new(setting.heartbeat)
            .revision(setting.revision)
            .liveness(setting.liveness)
            .link(link)
            .host(Side::Server, server)
            .host(Side::Client, client),
    );
    world.run_until(life.opens_at);
    let session = world.open(plan);
    (world, session)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is from 0 to 1")]
fn per_million(share: f64) -> u32 {
    (share * 1e6).round() as u32
}

impl From<Role> for Side {
    fn from(role: Role) -> Self {
        match role {
            Role::Server => Self::Server,
            Role::Client => Self::Client,
        }
    }
}
