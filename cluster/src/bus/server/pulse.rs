//! Whether a server still answers.

use eio_core::heartbeat::{Due, Machine};
use eio_core::packet::PacketType;
use eio_core::{Heartbeat, Instant, Liveness};
use tokio::time;

/// Decides by the core's rules when to ping a server, and when its silence means that it is gone: whatever it says is a sign
/// of life, so it has been silent for an interval and a timeout then.
#[derive(Debug)]
pub(crate) struct Pulse {
    machine: Machine,
    start: time::Instant,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Ping the server.
    Ping,
    /// The server has been silent for too long.
    Silent,
}

impl Pulse {
    pub(crate) fn new(heartbeat: Heartbeat) -> Self {
        let epoch = Instant::from_micros(0);
        Self {
            machine: Machine::eio4_server(heartbeat, Liveness::AnyPacket, epoch),
            start: time::Instant::now(),
        }
    }

    /// The server has said something.
    pub(crate) fn hear(&mut self) {
        self.hear_at(time::Instant::now());
    }

    /// The server has said something at this time.
    pub(crate) fn hear_at(&mut self, at: time::Instant) {
        let at = self.instant(at);
        let _ = self.machine.handle_packet(at, PacketType::Message);
    }

    /// The server has answered a ping, or what takes its place.
    pub(crate) fn hear_answer(&mut self) {
        let now = self.now();
        let _ = self.machine.handle_packet(now, PacketType::Pong);
    }

    /// When to [`check`](Self::check).
    pub(crate) fn due(&self) -> time::Instant {
        let at = self.machine.poll_timeout().unwrap_or(Instant::from_micros(0));
        self.start + core::time::Duration::from_micros(at.as_micros())
    }

    /// Returns what is due. Before the call, everything that has arrived must have been read.
    pub(crate) fn check(&mut self) -> Option<Beat> {
        let now = self.now();
        match self.machine.handle_timeout(now)? {
            Due::Ping => Some(Beat::Ping),
            _ => Some(Beat::Silent),
        }
    }

    fn now(&self) -> Instant {
        self.instant(time::Instant::now())
    }

    fn instant(&self, at: time::Instant) -> Instant {
        let since = at.saturating_duration_since(self.start);
        Instant::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}
