//! One session from its opening to its end, step by step.

use core::time::Duration;

use eio_core::Heartbeat;
use eio_core::packet::PacketType;
use eio_core::session::SessionEnd;
pub(crate) use eio_sim::Carried;
use eio_sim::{Fact, Happening, Line, Side, World};

use super::network::{self, Draw, Life, Setting, Spell};
use super::options::Request;
use super::role::Role;
use super::scenario::{Fleet, Recurring};

/// The most heartbeats before the death, so that a story ends soon.
const MAX_BEATS: u32 = 100_000;

/// The most tunnels, and the most stalls of an end, that are shown.
const MAX_SPELLS: usize = 1_000;

/// A step: what happened at one end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    Opens(Role),
    Sends(Role, PacketType, Carried),
    /// TCP sends again what was not acknowledged.
    Repeats(Role, Carried),
    Receives(Role, PacketType, Option<Duration>),
    Dies(Role),
    Ends(Role, SessionEnd),
    /// The link is cut, or is no longer cut.
    Tunnel {
        begins: bool,
    },
}

/// A packet from one end to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flight {
    pub(crate) from: Role,
    pub(crate) packet: PacketType,
    pub(crate) sent: Duration,
    /// `None`: it never arrived.
    pub(crate) arrived: Option<Duration>,
}

/// A session of the scenario's first fleet, which enters its first tunnel soon, and dies after that.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) heartbeat: Heartbeat,
    pub(crate) rtt: Duration,
    pub(crate) dead: Role,
    pub(crate) death_at: Duration,
    pub(crate) steps: Vec<(Duration, Step)>,
    /// When the link is cut.
    pub(crate) tunnels: Vec<(Duration, Duration)>,
    /// When a program does nothing.
    pub(crate) stalls: Vec<(Role, Duration, Duration)>,
}

impl Story {
    /// Simulates the session.
    pub(crate) fn new(request: &Request, heartbeat: Heartbeat) -> Result<Self, String> {
        let fleet = request.shown_fleet();
        let draw = draw(&fleet, heartbeat, request.rtt());
        let death_at = request.death_at.unwrap_or_else(|| death(&draw, heartbeat));
        if death_at > longest(heartbeat) {
            return Err(format!(
                "--death-at is more than {MAX_BEATS} heartbeats after the opening: choose an earlier time, the result is the same"
            ));
        }
        let setting = request.setting().with(heartbeat);
        let mut steps = live(&setting, &fleet, &draw, death_at, request.scenario.seed);
        // What is repeated to the dead tells nothing.
        steps.retain(|(at, step)| !matches!(step, Step::Repeats(..)) || *at < death_at);
        let until = steps.last().map_or(death_at, |(at, _)| *at).max(death_at);
        let times = |spells: &[Spell]| -> Vec<_> {
            spells.iter().flat_map(|spell| spell.times(until)).take(MAX_SPELLS).collect()
        };
        let tunnels = times(&draw.tunnels);
        for (begin, end) in &tunnels {
            steps.push((*begin, Step::Tunnel { begins: true }));
            steps.push((*end, Step::Tunnel { begins: false }));
        }
        steps.retain(|(at, _)| *at <= until);
        // What happens at the same time stays in its order.
        steps.sort_by_key(|(at, _)| *at);
        let stalls = |role, spells: &[Spell]| -> Vec<_> {
            times(spells).into_iter().map(|(begin, end)| (role, begin, end)).collect()
        };
        let stalls =
            [stalls(Role::Server, &draw.server_stalls), stalls(Role::Client, &draw.client_stalls)].concat();
        Ok(Self { heartbeat, rtt: draw.rtt, dead: fleet.dead, death_at, steps, tunnels, stalls })
    }

    /// Whether the session lives on a network that loses or holds back packets.
    pub(crate) fn has_trouble(&self) -> bool {
        self.steps.iter().any(|(_, step)| {
            matches!(
                step,
                Step::Tunnel { .. } | Step::Sends(_, _, Carried::Lost | Carried::Waits) | Step::Repeats(..)
            )
        })
    }

    /// Returns when the first end ended the session, which one, and why.
    pub(crate) fn end(&self) -> Option<(Duration, Role, SessionEnd)> {
        self.steps.iter().find_map(|(at, step)| match step {
            Step::Ends(role, end) => Some((*at, *role, *end)),
            _ => None,
        })
    }

    /// Returns the packets: the first one that is sent is the first one that arrives.
    pub(crate) fn flights(&self) -> Vec<Flight> {
        let mut flights: Vec<Flight> = Vec::new();
        // How many flights at the beginning have arrived: a long session has many, and few under way at a time.
        let mut arrived = 0;
        for (at, step) in &self.steps {
            match *step {
                Step::Sends(from, packet, _) => {
                    flights.push(Flight { from, packet, sent: *at, arrived: None });
                }
                Step::Receives(to, packet, _) => {
                    let is_it = |flight: &&mut Flight| {
                        flight.from == to.peer() && flight.packet == packet && flight.arrived.is_none()
                    };
                    if let Some(flight) = flights.iter_mut().skip(arrived).find(is_it) {
                        flight.arrived = Some(*at);
                    }
                    arrived +=
                        flights.iter().skip(arrived).take_while(|flight| flight.arrived.is_some()).count();
                }
                _ => {}
            }
        }
        flights
    }
}

/// The session that is shown: the second heartbeat is on its way when the first tunnel or stall begins.
fn draw(fleet: &Fleet, heartbeat: Heartbeat, rtt: Duration) -> Draw {
    let interval = heartbeat.ping_interval();
    let first = interval * 39 / 20 + rtt;
    let sooner = |spells: &[Recurring]| spells.iter().map(|spell| Spell::sooner(*spell, first)).collect();
    Draw {
        opens: 0.0,
        rtt,
        tunnels: sooner(&fleet.tunnels),
        server_stalls: sooner(&fleet.server_stalls),
        client_stalls: sooner(&fleet.client_stalls),
        dies: None,
    }
}

/// Returns the latest time of a death.
fn longest(heartbeat: Heartbeat) -> Duration {
    heartbeat.ping_interval() * MAX_BEATS
}

/// When one end dies: between its second and third heartbeat, and after what a tunnel held back has arrived.
fn death(draw: &Draw, heartbeat: Heartbeat) -> Duration {
    let interval = heartbeat.ping_interval();
    let spells = draw.tunnels.iter().chain(&draw.server_stalls).chain(&draw.client_stalls);
    let after = spells
        .filter_map(|spell| spell.times(Duration::MAX).next())
        // What is far away is not shown.
        .filter(|(begin, _)| *begin < interval * 1_000)
        .map(|(begin, end)| end + end.saturating_sub(begin) * 5 / 4 + interval * 3 / 2);
    // After a very long tunnel, the session has ended long before.
    after.max().unwrap_or_default().max(interval * 5 / 2 + draw.rtt * 2).min(longest(heartbeat))
}

fn live(
    setting: &Setting,
    fleet: &Fleet,
    draw: &Draw,
    death_at: Duration,
    seed: u64,
) -> Vec<(Duration, Step)> {
    let life = Life { opens_at: Duration::ZERO, dies_at: Some(death_at) };
    let (mut world, _) = network::world(setting, fleet, draw, life, seed);
    world.keep_lines(usize::MAX);
    let mut trips = Vec::new();
    let survivor = Side::from(fleet.dead.peer());
    let limit = death_at + setting.patience();
    while let Some(event) = world.next_event(limit) {
        match event.what {
            Happening::Heartbeat { rtt: Some(rtt) } => trips.push((event.at, event.side, rtt)),
            Happening::Ended(_) if event.side == survivor => break,
            _ => {}
        }
    }
    steps(&world, &trips)
}

/// Returns the lines of the world's timetable as steps. `trips` are the round trips, in order.
fn steps(world: &World, trips: &[(Duration, Side, Duration)]) -> Vec<(Duration, Step)> {
    let mut trips = trips.iter().peekable();
    let step = |line: &Line| {
        let role = Role::from(line.side());
        let step = match line.fact() {
            Fact::Opens => Step::Opens(role),
            Fact::Sends(control, carried) => Step::Sends(role, control.packet().packet_type, carried),
            Fact::Repeats(carried) => Step::Repeats(role, carried),
            Fact::Hears(control) => {
                let trip = trips.next_if(|(at, side, _)| (*at, *side) == (line.at(), line.side()));
                Step::Receives(role, control.packet().packet_type, trip.map(|(_, _, rtt)| *rtt))
            }
            Fact::Dies => Step::Dies(role),
            Fact::Ends(end) => Step::Ends(role, end),
            _ => return None,
        };
        Some((line.at(), step))
    };
    world.timetable().lines().filter_map(step).collect()
}

impl From<Side> for Role {
    fn from(side: Side) -> Self {
        match side {
            Side::Server => Self::Server,
            Side::Client => Self::Client,
        }
    }
}
