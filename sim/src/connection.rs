//! One session with everything that belongs to it alone: two peers, and a stream in each direction.

use eio_core::Instant;
use eio_core::backoff::Backoff;

use crate::host::Host;
use crate::ids::{LinkId, PlanId, SessionId};
use crate::kernel::KernelClock;
use crate::message::Parcel;
use crate::peer::{Lost, Peer, Socket};
use crate::polling::Polling;
use crate::random::Random;
use crate::scenery::Scenery;
use crate::side::Side;
use crate::stream::{Stream, Wire};
use crate::time::{Micros, NEVER};
use crate::traffic::Traffic;

#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) id: SessionId,
    pub(crate) plan: PlanId,
    pub(crate) link: LinkId,
    /// When the client connects; [`NEVER`] once it has.
    pub(crate) begins_at: Micros,
    /// When the client connects again, as a session of its own; [`NEVER`] while it does not.
    pub(crate) again_at: Micros,
    pub(crate) peers: [Peer; 2],
    /// The streams to the server and to the client.
    pub(crate) streams: [Stream<Parcel>; 2],
    pub(crate) random: Random,
    pub(crate) traffic: Traffic,
    /// When something last arrived that had been held up for long, or a test last kept a program from running.
    pub(crate) disturbed_at: Micros,
    /// `None` on a WebSocket. Boxed, as the next one, because most sessions have none.
    pub(crate) polling: Option<Box<Polling>>,
    /// Only where the plan says so.
    pub(crate) backoff: Option<Box<Backoff>>,
}

impl Connection {
    /// When anything happens to it next, at `now` or later.
    pub(crate) fn next_wake(&self, scenery: &Scenery, now: Micros) -> Micros {
        let mut wake = self.begins_at;
        if self.again_at != NEVER {
            wake = wake.min(
                self.peers[Side::Client.index()]
                    .runs_at(self.host(scenery, Side::Client), self.again_at.max(now)),
            );
        }
        for side in Side::BOTH {
            wake = wake.min(self.next_wake_of(side, scenery, now));
        }
        wake
    }

    fn next_wake_of(&self, side: Side, scenery: &Scenery, now: Micros) -> Micros {
        let peer = &self.peers[side.index()];
        let incoming = &self.streams[side.index()];
        let arrival = incoming.next_arrival().min(peer.reset_arrives);
        if peer.socket == Socket::Dead {
            return arrival;
        }
        let host = self.host(scenery, side);
        let timer = self.next_timer(side, scenery, now);
        let kernel = arrival.min(timer).min(host.death());
        if peer.ended_at != NEVER {
            // A machine on which nothing is left to do may die unnoticed.
            return arrival.min(timer);
        }
        let deadline = match self.deadline(side) {
            NEVER => NEVER,
            reading => peer.shows_at(host, now, Instant::from_micros(reading)),
        };
        // What an application missed in its sleep is due when it wakes up.
        let mut program = deadline.min(peer.next_send).max(now);
        if peer.paused_until > 0 {
            program = program.min(peer.paused_until.max(now));
        }
        if (peer.paused_until <= now && incoming.unread().is_some()) || peer.lost != Lost::No {
            program = now;
        }
        if kernel <= program { kernel } else { kernel.min(peer.runs_at(host, program)) }
    }

    /// When the kernel of this side repeats something or looks at an acknowledgement, at `now` or later.
    pub(crate) fn next_timer(&self, side: Side, scenery: &Scenery, now: Micros) -> Micros {
        let clock = KernelClock::of(self.host(scenery, side), &self.peers[side.index()]);
        self.streams[side.other().index()].next_timer(now, clock)
    }

    /// What this side sends, and what its kernel needs for that.
    pub(crate) fn sending<'a>(
        &'a mut self,
        side: Side,
        scenery: &'a Scenery,
    ) -> (&'a mut Stream<Parcel>, Wire<'a>) {
        let towards = side.other();
        let wire = Wire {
            link: scenery.link(self.link),
            towards,
            clock: KernelClock::of(self.host(scenery, side), &self.peers[side.index()]),
            random: &mut self.random,
            counts: self.traffic.towards(towards),
        };
        (&mut self.streams[towards.index()], wire)
    }

    /// When the program of this side has to look at its clock, by that clock.
    fn deadline(&self, side: Side) -> Micros {
        let peer = &self.peers[side.index()];
        // The oracle looks when the session must have ended.
        let mut deadline = peer.watch.latest();
        if let Some(due) = peer.poll_timeout() {
            deadline = deadline.min(due.as_micros());
        }
        if let Some(due) = self.polling.as_deref().and_then(|polling| polling.poll_timeout(side)) {
            deadline = deadline.min(due.as_micros());
        }
        deadline
    }

    /// Whether that is so when its clock shows `reading`.
    pub(crate) fn is_due(&self, side: Side, reading: Instant) -> bool {
        self.deadline(side) <= reading.as_micros()
    }

    pub(crate) fn host<'a>(&self, scenery: &'a Scenery, side: Side) -> &'a Host {
        &scenery.hosts[self.peers[side.index()].host.0 as usize]
    }

    /// Something kept a segment from arriving, or a program from running, until then.
    pub(crate) const fn disturb(&mut self, until: Micros) {
        if until > self.disturbed_at {
            self.disturbed_at = until;
        }
    }

    /// Whether both sides are over, or never began.
    pub(crate) fn is_over(&self) -> bool {
        let over =
            |peer: &Peer| peer.socket == Socket::Dead || peer.ended_at != NEVER || peer.session.is_none();
        self.begins_at == NEVER && self.again_at == NEVER && self.peers.iter().all(over)
    }
}
