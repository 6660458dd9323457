//! What happens to one session at one moment: first what the kernels do, then what the programs do.

mod judging;
mod polling;
mod program;

use std::collections::VecDeque;

use eio_core::Instant;

use crate::connection::Connection;
use crate::event::{Event, Happening};
use crate::ids::SessionId;
use crate::kernel::KernelClock;
use crate::message::Parcel;
use crate::oracle::{Breach, Margins};
use crate::peer::{Lost, Peer, Socket};
use crate::scenery::Scenery;
use crate::session::Session;
use crate::side::Side;
use crate::stream::Carried;
use crate::time::{Micros, NEVER, micros};
use crate::timetable::{Line, Note, Record, Word};
use crate::traffic::{Totals, Traffic};

/// What all sessions write into.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) now: Micros,
    pub(crate) record: Record,
    pub(crate) totals: Totals,
    /// The traffic of sessions that were removed.
    pub(crate) removed: Traffic,
    /// `None` while nobody asks for events.
    pub(crate) events: Option<VecDeque<Event>>,
    pub(crate) margins: Margins,
    /// The first one.
    pub(crate) breach: Option<Breach>,
}

impl Ledger {
    pub(crate) fn note(&mut self, session: SessionId, side: Side, note: Note) {
        self.record.add(Line { at: self.now, session, side, note });
    }

    pub(crate) fn tell(&mut self, session: SessionId, side: Side, what: Happening) {
        if let Some(events) = &mut self.events {
            events.push_back(Event { at: core::time::Duration::from_micros(self.now), session, side, what });
        }
    }
}

/// One session, and what it needs of the world for a moment.
pub(crate) struct Turn<'a> {
    pub(crate) connection: &'a mut Connection,
    pub(crate) scenery: &'a Scenery,
    pub(crate) ledger: &'a mut Ledger,
}

impl Turn<'_> {
    /// Lets happen what happens now.
    pub(crate) fn run(&mut self) {
        self.begin();
        for side in Side::BOTH {
            self.run_kernel(side);
        }
        for side in Side::BOTH {
            self.run_program(side);
        }
    }

    fn begin(&mut self) {
        let now = self.ledger.now;
        if self.connection.begins_at > now {
            return;
        }
        // A client that does not run connects when it runs again.
        let runs_at = self.runs_at(Side::Client);
        self.connection.begins_at = if runs_at > now { runs_at } else { NEVER };
        let is_dead = self.connection.host(self.scenery, Side::Client).death() <= now;
        if self.connection.begins_at != NEVER || is_dead || self.peer(Side::Client).socket != Socket::Open {
            return;
        }
        self.note(Side::Client, Note::Connects);
        self.ledger.totals.connected += 1;
        let plan = &self.scenery.plan(self.connection.plan).plan;
        let moment = self.moment(Side::Client);
        let peer = self.peer_mut(Side::Client);
        peer.session = Some(Session::client(plan, Instant::from_micros(moment.reading)));
        peer.watch.connect(moment, micros(plan.open_timeout));
        self.transmit(Side::Client, Parcel::Syn);
    }

    fn run_kernel(&mut self, side: Side) {
        let now = self.ledger.now;
        let host = self.connection.host(self.scenery, side);
        let arrival = self.connection.streams[side.index()].next_arrival().min(self.peer(side).reset_arrives);
        let next = arrival.min(self.connection.next_timer(side, self.scenery, now));
        if next.min(host.death()) > now {
            return;
        }
        if host.death() <= now {
            self.die(side);
        }
        let is_asleep = self.peer(side).asleep(host, now).is_some();
        let is_reset = self.peer(side).reset_arrives <= now;
        if is_reset {
            self.peer_mut(side).reset_arrives = NEVER;
        }
        if self.peer(side).socket == Socket::Dead || is_asleep {
            self.connection.streams[side.index()].lose(now);
            return;
        }
        if is_reset {
            self.note(side, Note::IsReset);
            self.lose_connection(side, Lost::Reset);
        }
        self.run_timers(side);
        if self.connection.streams[side.index()].next_arrival() <= now {
            self.receive(side);
        }
    }

    fn receive(&mut self, side: Side) {
        let now = self.ledger.now;
        if self.peer(side).socket == Socket::Closed {
            if self.connection.streams[side.index()].lose(now) {
                self.send_reset(side);
            }
            return;
        }
        if self.is_held_up(side) {
            self.connection.disturb(now);
        }
        let link = self.scenery.link(self.connection.link);
        let sender = side.other();
        let connection = &mut *self.connection;
        let clock = KernelClock::of(connection.host(self.scenery, sender), &connection.peers[sender.index()]);
        let incoming = &mut connection.streams[side.index()];
        incoming.arrive(now, link, sender, clock, &mut connection.random);
        // A kernel answers the opening of a connection by itself, also if its program stalls.
        if matches!(incoming.unread(), Some(Parcel::Syn)) {
            incoming.read();
            self.note(side, Note::Hears(Word::Connection));
            self.transmit(side, Parcel::SynAck);
        }
    }

    fn run_timers(&mut self, side: Side) {
        let now = self.ledger.now;
        if self.connection.next_timer(side, self.scenery, now) > now {
            return;
        }
        let (outgoing, mut wire) = self.connection.sending(side, self.scenery);
        let before = *wire.counts;
        let goes_on = outgoing.expire(now, &mut wire);
        let (repeated, lost) = (wire.counts.repeated - before.repeated, wire.counts.lost - before.lost);
        if repeated > 0 {
            self.note(side, Note::Repeats(if lost == repeated { Carried::Lost } else { Carried::Arrives }));
        }
        if !goes_on {
            self.note(side, Note::GivesUp);
            self.lose_connection(side, Lost::GaveUp);
        }
    }

    /// The kernel forgets the connection, and the program hears of it when it runs.
    fn lose_connection(&mut self, side: Side, how: Lost) {
        self.connection.streams[side.other().index()].abandon();
        let peer = self.peer_mut(side);
        peer.socket = Socket::Closed;
        if peer.ended_at == NEVER {
            peer.lost = how;
        }
    }

    fn send_reset(&mut self, side: Side) {
        let link = self.scenery.link(self.connection.link);
        let arrives = link.carry_empty(side.other(), self.ledger.now, &mut self.connection.random);
        let peer = self.peer_mut(side.other());
        peer.reset_arrives = peer.reset_arrives.min(arrives);
    }

    /// This side dies without a word. What it has sent before arrives.
    pub(crate) fn die(&mut self, side: Side) {
        if self.peer(side).socket == Socket::Dead {
            return;
        }
        self.note(side, Note::Dies);
        self.peer_mut(side).socket = Socket::Dead;
        self.connection.streams[side.other().index()].abandon();
        if side == Side::Client {
            (self.connection.begins_at, self.connection.again_at) = (NEVER, NEVER);
        }
    }

    /// The program of this side does not run for so long.
    pub(crate) fn stall(&mut self, side: Side, time: Micros) {
        if self.peer(side).socket == Socket::Dead {
            return;
        }
        self.note(side, Note::Stalls(time));
        let until = self.ledger.now + time;
        self.keep(side, until);
        let peer = self.peer_mut(side);
        peer.stalled_until = peer.stalled_until.max(until);
        self.connection.disturb(until);
    }

    /// The machine of this side falls asleep for so long.
    pub(crate) fn sleep(&mut self, side: Side, time: Micros) {
        if self.peer(side).socket == Socket::Dead {
            return;
        }
        self.note(side, Note::Sleeps(time));
        let now = self.ledger.now;
        let (outgoing, mut wire) = self.connection.sending(side, self.scenery);
        outgoing.settle(now, &mut wire);
        let host = self.connection.host(self.scenery, side);
        if !host.stops_in_sleep() {
            self.keep(side, now + time);
        }
        let peer = self.peer_mut(side);
        peer.sleep(host, now, now + time);
        let until = peer.asleep_until;
        self.connection.streams[side.other().index()].sleep(until);
        self.connection.disturb(until);
    }

    /// Tells the oracle that the program of this side does not run until then. What it knows of already counts once.
    fn keep(&mut self, side: Side, until: Micros) {
        let host = self.connection.host(self.scenery, side);
        let now = self.ledger.now;
        let peer = self.peer_mut(side);
        let from = now.max(peer.stalled_until).max(peer.asleep_until);
        if until > from {
            let planned = host.idle(until) - host.idle(from);
            peer.watch.keep((until - from).saturating_sub(planned));
        }
    }

    /// Hands something to the kernel of this side.
    pub(crate) fn transmit(&mut self, side: Side, parcel: Parcel) -> Carried {
        let word = Word::from(&parcel);
        if self.peer(side).socket != Socket::Open {
            // The kernel has lost the connection, and the program has not heard of it yet.
            self.note(side, Note::Sends(word, Carried::Lost));
            return Carried::Lost;
        }
        let scenery = self.scenery;
        let bytes = parcel.bytes(side.other(), scenery.plan(self.connection.plan).handshake.len());
        let (outgoing, mut wire) = self.connection.sending(side, scenery);
        let carried = outgoing.send(self.ledger.now, bytes, parcel, &mut wire);
        self.note(side, Note::Sends(word, carried));
        carried
    }

    pub(crate) fn note(&mut self, side: Side, note: Note) {
        self.ledger.note(self.connection.id, side, note);
    }

    pub(crate) fn peer(&self, side: Side) -> &Peer {
        &self.connection.peers[side.index()]
    }

    pub(crate) fn peer_mut(&mut self, side: Side) -> &mut Peer {
        &mut self.connection.peers[side.index()]
    }

    /// Whether the program of this side, if there is one, runs now.
    pub(crate) fn runs(&self, side: Side) -> bool {
        self.peer(side).socket != Socket::Dead && self.runs_at(side) <= self.ledger.now
    }

    /// When the program of this side runs next, if its machine is not dead.
    pub(crate) fn runs_at(&self, side: Side) -> Micros {
        self.peer(side).runs_at(self.connection.host(self.scenery, side), self.ledger.now)
    }

    /// What the clock of this side shows.
    pub(crate) fn reading(&self, side: Side) -> Instant {
        self.peer(side).reading(self.connection.host(self.scenery, side), self.ledger.now)
    }
}
