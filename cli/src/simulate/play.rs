//! A session between a server and a client on a simulated clock, one of whom dies.

use core::fmt;
use core::time::Duration;
use std::collections::VecDeque;
use std::io::{self, Write};

use eio_core::handshake::{Handshake, Sid};
use eio_core::packet::{Packet, PacketType};
use eio_core::session::{SessionEnd, SessionEvent};
use eio_core::{ClientSession, Heartbeat, Instant, Liveness, Revision, ServerSession};

use crate::duration::{exact, spoken};
use crate::style::{Style, Tone};

/// How many heartbeats a play has at most, so that it ends soon.
const MAX_BEATS: u128 = 100_000;

/// How many lines of the beginning, and of the end, are shown.
const FIRST: usize = 6;
const LAST: usize = 8;

/// Who is who.
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

    const fn other(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }
}

/// What happened from the opening to the end.
pub(crate) struct Play {
    dead: Role,
    death_at: Duration,
    first: Vec<(Duration, Act)>,
    left_out: u64,
    last: VecDeque<(Duration, Act)>,
}

/// What one end did.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Opens(Role),
    Sends(Role, PacketType),
    Receives(Role, PacketType, Option<Duration>),
    Dies(Role),
    Ends(Role, SessionEnd),
}

impl Play {
    /// Plays it. `rtt` is what a packet takes there and back.
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
                "--death-at is more than {MAX_BEATS} heartbeats away: choose an earlier one, nothing is different then"
            ));
        }
        let mut play = Self { dead, death_at, first: Vec::new(), left_out: 0, last: VecDeque::new() };
        Stage::new(heartbeat, liveness, revision, rtt / 2).perform(&mut play);
        Ok(play)
    }

    pub(crate) fn dead(&self) -> Role {
        self.dead
    }

    pub(crate) fn death_at(&self) -> Duration {
        self.death_at
    }

    fn note(&mut self, at: Instant, act: Act) {
        let at = Duration::from_micros(at.as_micros());
        if self.first.len() < FIRST {
            self.first.push((at, act));
            return;
        }
        if self.last.len() == LAST {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back((at, act));
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

    fn line(&self, (at, act): (Duration, Act), style: Style, out: &mut dyn Write) -> io::Result<()> {
        let tone = match act {
            Act::Dies(_) | Act::Ends(..) => Tone::Bad,
            Act::Opens(_) => Tone::Good,
            Act::Sends(..) | Act::Receives(..) => Tone::Dim,
        };
        write!(out, "  {:>12}  {}", exact(at), style.paint(tone, act))?;
        if let Act::Ends(..) = act {
            write!(out, ", {} after the death", exact(at.saturating_sub(self.death_at)))?;
        }
        writeln!(out)
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opens(role) => write!(f, "{}  session is open", role.name()),
            Self::Sends(role, packet) => write!(f, "{}  sends {}", role.name(), name(*packet)),
            Self::Receives(role, packet, None) => write!(f, "{}  receives {}", role.name(), name(*packet)),
            Self::Receives(role, packet, Some(rtt)) => {
                write!(f, "{}  receives {}, round trip {}", role.name(), name(*packet), spoken(*rtt))
            }
            Self::Dies(role) => write!(f, "{}  dies, and nobody is told", role.name()),
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

const fn name(packet: PacketType) -> &'static str {
    match packet {
        PacketType::Open => "open",
        PacketType::Close => "close",
        PacketType::Ping => "ping",
        PacketType::Pong => "pong",
        PacketType::Message => "message",
        PacketType::Upgrade => "upgrade",
        PacketType::Noop => "noop",
    }
}

/// Both ends and the wire between them.
struct Stage {
    server: ServerSession,
    client: ClientSession,
    handshake: String,
    latency: Duration,
    wire: VecDeque<(Instant, Role, PacketType)>,
    now: Instant,
}

impl Stage {
    fn new(heartbeat: Heartbeat, liveness: Liveness, revision: Revision, latency: Duration) -> Self {
        let now = Instant::from_micros(0);
        // The client waits for the handshake as long as it takes.
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

    fn perform(mut self, play: &mut Play) {
        play.note(self.now, Act::Opens(Role::Server));
        self.wire.push_back((self.now.saturating_add(self.latency), Role::Client, PacketType::Open));
        let death_at = Instant::from_micros(u64::try_from(play.death_at.as_micros()).unwrap_or(u64::MAX));
        let survivor = play.dead.other();
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
                play.note(self.now, Act::Dies(play.dead));
                continue;
            }
            while self.wire.front().is_some_and(|(at, ..)| *at <= self.now) {
                let Some((_, to, packet)) = self.wire.pop_front() else { break };
                if alive || to == survivor {
                    self.deliver(to, packet, play);
                }
            }
            for role in [Role::Server, Role::Client] {
                if alive || role == survivor {
                    self.turn(role, play);
                }
            }
            if self.has_ended(survivor) {
                return;
            }
        }
    }

    fn deliver(&mut self, to: Role, packet_type: PacketType, play: &mut Play) {
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
        let act = match event {
            Some(SessionEvent::Opened(_)) => Act::Opens(to),
            Some(SessionEvent::Heartbeat { rtt }) => Act::Receives(to, packet_type, rtt),
            _ => Act::Receives(to, packet_type, None),
        };
        play.note(self.now, act);
    }

    /// One end acts on its clock, and sends what it owes.
    fn turn(&mut self, role: Role, play: &mut Play) {
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
            play.note(self.now, Act::Ends(role, end));
            return;
        }
        while let Some(control) = match role {
            Role::Server => self.server.poll_transmit(),
            Role::Client => self.client.poll_transmit(),
        } {
            let packet = control.packet().packet_type;
            play.note(self.now, Act::Sends(role, packet));
            self.wire.push_back((self.now.saturating_add(self.latency), role.other(), packet));
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
        let play = Play::new(heartbeat, Liveness::ExtendOnce, revision, rtt, dead, death_at).unwrap();
        let Some((at, Act::Ends(role, _))) = play.last.back().or(play.first.last()) else {
            panic!("nobody noticed");
        };
        assert_eq!(*role, dead.other());
        *at
    }

    #[test]
    fn a_death_is_noticed_when_the_rules_say() {
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
    fn a_peer_may_die_before_anything_was_said() {
        assert_eq!(noticed(Revision::V4, Role::Client, 0), Duration::from_secs(45));
        // The client never hears of its session, and gives up waiting for it.
        assert!(
            noticed(Revision::V4, Role::Server, 0) <= Duration::from_secs(45) + Duration::from_millis(80)
        );
    }

    #[test]
    fn long_plays_are_cut_in_the_middle_and_endless_ones_refused() {
        let heartbeat = Heartbeat::from_millis(10, 10).unwrap();
        let play = |death_at| {
            let rtt = Duration::from_micros(100);
            Play::new(heartbeat, Liveness::ExtendOnce, Revision::V4, rtt, Role::Client, death_at)
        };
        let long = play(Duration::from_secs(100)).unwrap();
        assert!(long.left_out > 10_000 && long.last.len() == LAST);
        assert!(play(Duration::from_hours(1)).is_err());
    }
}
