//! A session between a server and a client on a simulated clock. One of them dies.

use core::fmt;
use core::time::Duration;
use std::collections::VecDeque;
use std::io::{self, Write};

use eio_core::handshake::{Handshake, Sid};
use eio_core::packet::{Packet, PacketType};
use eio_core::session::{SessionEnd, SessionEvent};
use eio_core::{ClientSession, Heartbeat, Instant, Liveness, Revision, ServerSession};
use serde_json::{Value, json};

use crate::duration::{exact, precise_millis, spoken};
use crate::style::{Style, Tone};

/// The most heartbeats in a simulation, so that it ends soon.
const MAX_BEATS: u128 = 100_000;

/// How many steps of the beginning, and of the end, are shown.
const FIRST: usize = 6;
const LAST: usize = 8;

/// An end of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Client,
}

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }

    const fn peer(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }
}

/// The steps from the opening of a session to its end.
pub(crate) struct Timeline {
    dead: Role,
    death_at: Duration,
    first: Vec<(Duration, Step)>,
    left_out: u64,
    last: VecDeque<(Duration, Step)>,
}

/// A step: what happened at one end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Opens(Role),
    Sends(Role, PacketType),
    Receives(Role, PacketType, Option<Duration>),
    Dies(Role),
    Ends(Role, SessionEnd),
}

impl Timeline {
    /// Simulates the session. `rtt` is the time that a packet and its answer take.
    pub(crate) fn new(
        heartbeat: Heartbeat,
        liveness: Liveness,
        revision: Revision,
        rtt: Duration,
        dead: Role,
        death_at: Duration,
    ) -> Result<Self, String> {
        if death_at.as_micros() / heartbeat.ping_interval().as_micros().max(1) > MAX_BEATS {
            return Err(format!(
                "--death-at is more than {MAX_BEATS} heartbeats after the opening: choose an earlier time, the result is the same"
            ));
        }
        let mut timeline = Self { dead, death_at, first: Vec::new(), left_out: 0, last: VecDeque::new() };
        Simulation::new(heartbeat, liveness, revision, rtt / 2).run(&mut timeline);
        Ok(timeline)
    }

    pub(crate) fn dead(&self) -> Role {
        self.dead
    }

    pub(crate) fn death_at(&self) -> Duration {
        self.death_at
    }

    fn note(&mut self, at: Instant, step: Step) {
        let at = Duration::from_micros(at.as_micros());
        if self.first.len() < FIRST {
            self.first.push((at, step));
            return;
        }
        if self.last.len() == LAST {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back((at, step));
    }

    /// Returns the timeline as JSON.
    pub(crate) fn json(&self) -> Value {
        let steps = |steps: &mut dyn Iterator<Item = &(Duration, Step)>| -> Vec<Value> {
            steps.map(|(at, step)| step.json(*at, self.death_at)).collect()
        };
        json!({
            "dead": self.dead.name(),
            "death_at_ms": precise_millis(self.death_at),
            "first": steps(&mut self.first.iter()),
            "left_out": self.left_out,
            "last": steps(&mut self.last.iter()),
        })
    }

    /// Writes the timeline.
    pub(crate) fn print(&self, style: Style, out: &mut dyn Write) -> io::Result<()> {
        for line in &self.first {
            self.line(*line, style, out)?;
        }
        if self.left_out > 0 {
            writeln!(out, "{}", style.paint(Tone::Dim, format!("  ... {} more ...", self.left_out)))?;
        }
        for line in &self.last {
            self.line(*line, style, out)?;
        }
        Ok(())
    }

    fn line(&self, (at, step): (Duration, Step), style: Style, out: &mut dyn Write) -> io::Result<()> {
        let tone = match step {
            Step::Dies(_) | Step::Ends(..) => Tone::Bad,
            Step::Opens(_) => Tone::Good,
            Step::Sends(..) | Step::Receives(..) => Tone::Dim,
        };
        write!(out, "  {:>12}  {}", exact(at), style.paint(tone, step))?;
        if let Step::Ends(..) = step {
            write!(out, ", {} after the death", exact(at.saturating_sub(self.death_at)))?;
        }
        writeln!(out)
    }
}

impl Step {
    fn json(&self, at: Duration, death_at: Duration) -> Value {
        let (who, step, details) = match self {
            Self::Opens(role) => (role, "open", json!({})),
            Self::Sends(role, packet) => (role, "send", json!({ "packet": packet.to_string() })),
            Self::Receives(role, packet, rtt) => {
                (role, "receive", json!({ "packet": packet.to_string(), "rtt_ms": rtt.map(precise_millis) }))
            }
            Self::Dies(role) => (role, "die", json!({})),
            Self::Ends(role, end) => (
                role,
                "end",
                json!({
                    "reason": end.reason.as_str(),
                    "silent_ms": precise_millis(end.silent_for),
                    "after_death_ms": precise_millis(at.saturating_sub(death_at)),
                }),
            ),
        };
        let mut json = json!({ "at_ms": precise_millis(at), "who": who.name(), "step": step });
        if let (Value::Object(json), Value::Object(details)) = (&mut json, details) {
            json.extend(details);
        }
        json
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opens(role) => write!(f, "{}  session is open", role.name()),
            Self::Sends(role, packet) => write!(f, "{}  sends {packet}", role.name()),
            Self::Receives(role, packet, None) => write!(f, "{}  receives {packet}", role.name()),
            Self::Receives(role, packet, Some(rtt)) => {
                write!(f, "{}  receives {packet}, round trip {}", role.name(), spoken(*rtt))
            }
            Self::Dies(role) => write!(f, "{}  dies without closing the connection", role.name()),
            Self::Ends(role, end) => write!(
                f,
                "{}  ends the session: {}, silent for {}",
                role.name(),
                end.reason.as_str(),
                exact(end.silent_for)
            ),
        }
    }
}

/// Both ends and the network between them.
struct Simulation {
    server: ServerSession,
    client: ClientSession,
    handshake: String,
    latency: Duration,
    wire: VecDeque<(Instant, Role, PacketType)>,
    now: Instant,
}

impl Simulation {
    fn new(heartbeat: Heartbeat, liveness: Liveness, revision: Revision, latency: Duration) -> Self {
        let now = Instant::from_micros(0);
        // The client waits longer for the handshake than the handshake takes.
        let patience = latency.saturating_add(heartbeat.ping_interval());
        let (server, client) = match revision {
            Revision::V4 => {
                (ServerSession::eio4(heartbeat, liveness, now), ClientSession::eio4(patience, now))
            }
            Revision::V3 => {
                (ServerSession::eio3(heartbeat, liveness, now), ClientSession::eio3(patience, now))
            }
        };
        let mut out = [0; Handshake::MAX_LEN];
        let handshake = Sid::new("simulated")
            .ok()
            .and_then(|sid| Handshake::new(sid, heartbeat).encode(&mut out).ok().map(str::to_owned))
            .unwrap_or_default();
        Self { server, client, handshake, latency, wire: VecDeque::new(), now }
    }

    fn run(mut self, timeline: &mut Timeline) {
        timeline.note(self.now, Step::Opens(Role::Server));
        self.wire.push_back((self.now.saturating_add(self.latency), Role::Client, PacketType::Open));
        let death_at = Instant::from_micros(u64::try_from(timeline.death_at.as_micros()).unwrap_or(u64::MAX));
        let survivor = timeline.dead.peer();
        let mut alive = true;
        loop {
            let mine = |role| alive || role == survivor;
            let deadlines = [
                self.server.poll_timeout().filter(|_| mine(Role::Server)),
                self.client.poll_timeout().filter(|_| mine(Role::Client)),
                self.wire.front().map(|(at, ..)| *at),
                alive.then_some(death_at),
            ];
            let Some(next) = deadlines.into_iter().flatten().min() else { return };
            self.now = next.max(self.now);
            if alive && self.now >= death_at {
                alive = false;
                timeline.note(self.now, Step::Dies(timeline.dead));
                continue;
            }
            while self.wire.front().is_some_and(|(at, ..)| *at <= self.now) {
                let Some((_, to, packet)) = self.wire.pop_front() else { break };
                if alive || to == survivor {
                    self.deliver(to, packet, timeline);
                }
            }
            for role in [Role::Server, Role::Client] {
                if alive || role == survivor {
                    self.turn(role, timeline);
                }
            }
            if self.has_ended(survivor) {
                return;
            }
        }
    }

    fn deliver(&mut self, to: Role, packet_type: PacketType, timeline: &mut Timeline) {
        let packet = match packet_type {
            PacketType::Open => Packet::text(PacketType::Open, &self.handshake),
            PacketType::Ping => Packet::PING,
            PacketType::Pong => Packet::PONG,
            _ => Packet::CLOSE,
        };
        let event = match to {
            Role::Server => self.server.handle_packet(self.now, Ok(packet)),
            Role::Client => self.client.handle_packet(self.now, Ok(packet)),
        };
        let step = match event {
            Some(SessionEvent::Opened(_)) => Step::Opens(to),
            Some(SessionEvent::Heartbeat { rtt }) => Step::Receives(to, packet_type, rtt),
            _ => Step::Receives(to, packet_type, None),
        };
        timeline.note(self.now, step);
    }

    /// Lets one end act on its deadline, and sends its packets.
    fn turn(&mut self, role: Role, timeline: &mut Timeline) {
        let end = match role {
            Role::Server => {
                self.server.handle_timeout(self.now);
                self.server.end()
            }
            Role::Client => {
                self.client.handle_timeout(self.now);
                self.client.end()
            }
        };
        if let Some(end) = end {
            timeline.note(self.now, Step::Ends(role, end));
            return;
        }
        while let Some(control) = match role {
            Role::Server => self.server.poll_transmit(),
            Role::Client => self.client.poll_transmit(),
        } {
            let packet = control.packet().packet_type;
            timeline.note(self.now, Step::Sends(role, packet));
            self.wire.push_back((self.now.saturating_add(self.latency), role.peer(), packet));
        }
    }

    fn has_ended(&self, role: Role) -> bool {
        match role {
            Role::Server => self.server.end().is_some(),
            Role::Client => self.client.end().is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noticed(revision: Revision, dead: Role, death_ms: u64) -> Duration {
        let heartbeat = Heartbeat::from_millis(25_000, 20_000).unwrap();
        let (rtt, death_at) = (Duration::from_millis(80), Duration::from_millis(death_ms));
        let timeline = Timeline::new(heartbeat, Liveness::ExtendOnce, revision, rtt, dead, death_at).unwrap();
        let Some((at, Step::Ends(role, _))) = timeline.last.back().or(timeline.first.last()) else {
            panic!("the session did not end");
        };
        assert_eq!(*role, dead.peer());
        *at
    }

    #[test]
    fn a_death_ends_the_session_when_the_rules_say() {
        // Pings at 25 s and 50.08 s were answered, the one at 75.16 s is not.
        assert_eq!(noticed(Revision::V4, Role::Client, 61_000), Duration::from_millis(95_160));
        // The ping at 50.08 s arrived at 50.12 s, and is the last.
        assert_eq!(noticed(Revision::V4, Role::Server, 61_000), Duration::from_millis(95_120));
        for revision in [Revision::V3, Revision::V4] {
            for dead in [Role::Server, Role::Client] {
                let after = noticed(revision, dead, 61_000).as_millis() - 61_000;
                assert!((19_900..=45_100).contains(&after), "{revision:?} {dead:?}: {after} ms");
            }
        }
    }

    #[test]
    fn a_peer_can_die_before_the_first_packet() {
        assert_eq!(noticed(Revision::V4, Role::Client, 0), Duration::from_secs(45));
        // The client never receives the handshake, and gives up.
        assert!(
            noticed(Revision::V4, Role::Server, 0) <= Duration::from_secs(45) + Duration::from_millis(80)
        );
    }

    #[test]
    fn a_long_timeline_is_cut_in_the_middle_and_one_that_is_too_long_is_refused() {
        let heartbeat = Heartbeat::from_millis(10, 10).unwrap();
        let simulate = |death_at| {
            let rtt = Duration::from_micros(100);
            Timeline::new(heartbeat, Liveness::ExtendOnce, Revision::V4, rtt, Role::Client, death_at)
        };
        let long = simulate(Duration::from_secs(100)).unwrap();
        assert!(long.left_out > 10_000 && long.last.len() == LAST);
        assert!(simulate(Duration::from_hours(1)).is_err());
    }
}
