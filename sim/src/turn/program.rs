//! What a program does when it runs: it handles all that is ready, then looks at its clock, then writes.

use eio_core::Instant;
use eio_core::packet::Packet;
use eio_core::session::{CLOSE_TIMEOUT, Control, DisconnectReason, SessionEnd, SessionEvent};

use super::Turn;
use crate::event::{End, Happening};
use crate::message::{Message, Parcel, open_packet};
use crate::peer::{Lost, Socket};
use crate::session::Session;
use crate::side::Side;
use crate::time::{Micros, NEVER, micros};
use crate::timetable::{Note, Word};

impl Turn<'_> {
    pub(super) fn run_program(&mut self, side: Side) {
        let now = self.ledger.now;
        let peer = self.peer(side);
        if peer.socket == Socket::Dead || peer.ended_at != NEVER {
            return;
        }
        let reading = self.reading(side);
        let reads = peer.paused_until <= now;
        let resumes = reads && peer.paused_until > 0;
        let has_unread = self.connection.streams[side.index()].unread().is_some();
        let has_news = resumes || peer.lost != Lost::No || (reads && has_unread);
        let has_work = has_news || peer.next_send <= now || self.connection.is_due(side, reading);
        if !has_work || self.runs_at(side) > now {
            return;
        }
        if resumes {
            self.resume_reading(side);
        }
        // All that is ready comes before the clock.
        while reads && let Some(parcel) = self.connection.streams[side.index()].read() {
            self.hear(side, parcel);
        }
        match core::mem::replace(&mut self.peer_mut(side).lost, Lost::No) {
            Lost::No => {}
            Lost::Reset => self.on_session(side, Session::handle_transport_reset),
            Lost::GaveUp => self.on_session(side, Session::handle_transport_error),
        }
        if self.connection.is_due(side, reading) {
            self.on_session(side, Session::handle_timeout);
        }
        if self.peer(side).next_send <= now {
            self.send_by_itself(side);
        }
        self.run_upgrade(side);
        self.write(side);
        self.judge(side);
    }

    fn hear(&mut self, side: Side, parcel: Parcel) {
        self.note(side, Note::Hears(Word::from(&parcel)));
        let now = self.ledger.now;
        self.peer_mut(side).watch.read(now);
        let scenery = self.scenery;
        let prepared = scenery.plan(self.connection.plan);
        match &parcel {
            Parcel::Syn => {}
            Parcel::SynAck => {
                self.transmit(side, Parcel::Request);
            }
            Parcel::Request if self.peer(side).session.is_some() => self.accept_candidate(),
            Parcel::Request => {
                let session = Session::server(&prepared.plan, self.reading(side));
                self.peer_mut(side).session = Some(session);
                self.transmit(side, Parcel::Open);
                self.opened(side);
            }
            Parcel::Open => {
                self.hear_packet(side, open_packet(&prepared.handshake));
                self.ask();
            }
            // On a WebSocket that this side has not moved to, or given up.
            Parcel::Control(_) | Parcel::Message(_) | Parcel::CloseFrame if self.polling(side).is_some() => {}
            Parcel::Control(_) | Parcel::Message(_) => self.hear_from_session(side, parcel),
            Parcel::CloseFrame => self.on_session(side, Session::handle_close_frame),
            Parcel::Fin => self.on_session(side, Session::handle_transport_closed),
            Parcel::Poll
            | Parcel::Payload(_)
            | Parcel::Taken
            | Parcel::Accepted
            | Parcel::Probe(_)
            | Parcel::CandidateEnds => self.hear_polling(side, parcel),
        }
    }

    /// A packet that the peer's session has sent, on any transport.
    pub(super) fn hear_from_session(&mut self, side: Side, parcel: Parcel) {
        match &parcel {
            Parcel::Control(control) => {
                self.hear_packet(side, control.packet());
            }
            Parcel::Probe(control) => {
                self.hear_packet(side, control.packet());
            }
            Parcel::Message(message) => {
                let delivered = self.hear_packet(side, message.packet());
                if delivered && let Parcel::Message(message) = parcel {
                    self.ledger.tell(self.connection.id, side, Happening::Message(message));
                }
            }
            _ => {}
        }
    }

    /// Hands a packet to the session. Returns whether it is a message that the application gets.
    fn hear_packet(&mut self, side: Side, packet: Packet<'_>) -> bool {
        self.connection.traffic.towards(side).packets += 1;
        let (moment, bounds) = (self.moment(side), self.bounds(side));
        let peer = self.peer_mut(side);
        let Some(session) = &mut peer.session else { return false };
        if session.is_open() {
            peer.watch.hear(moment, packet.packet_type, bounds);
        }
        let now = Instant::from_micros(moment.reading);
        match session.handle_packet(now, packet) {
            Some(SessionEvent::Opened(_)) => self.opened(side),
            Some(SessionEvent::Message(_)) => return true,
            Some(SessionEvent::Heartbeat { rtt }) => {
                self.ledger.totals.heartbeats += u64::from(rtt.is_some());
                self.ledger.tell(self.connection.id, side, Happening::Heartbeat { rtt });
            }
            _ => {}
        }
        false
    }

    /// The session is open on this side, and its application begins.
    pub(crate) fn opened(&mut self, side: Side) {
        self.note(side, Note::Opens);
        let (moment, bounds) = (self.moment(side), self.bounds(side));
        self.peer_mut(side).watch.open(moment, bounds);
        self.ledger.tell(self.connection.id, side, Happening::Opened);
        let sends = self.scenery.plan(self.connection.plan).plan.sends[side.index()];
        if sends.every != NEVER {
            let wait = self.connection.random.below(sends.every);
            self.peer_mut(side).next_send = self.ledger.now + wait;
        }
        let now = self.reading(side);
        if side == Side::Client
            && let Some(backoff) = &mut self.connection.backoff
        {
            backoff.handle_connected(now);
        }
    }

    fn send_by_itself(&mut self, side: Side) {
        let sends = self.scenery.plan(self.connection.plan).plan.sends[side.index()];
        let now = self.reading(side);
        // A program that has slept sends once, and not for each time that it missed.
        self.peer_mut(side).next_send = self.ledger.now + sends.every;
        let may_send = |session: &Session| session.check_send(now).is_ok();
        if self.peer(side).session.as_ref().is_some_and(may_send) {
            self.send(side, Parcel::Message(Message::Bytes(sends.bytes)));
        }
    }

    pub(super) fn on_session(&mut self, side: Side, call: fn(&mut Session, Instant)) {
        let now = self.reading(side);
        if let Some(session) = &mut self.peer_mut(side).session {
            call(session, now);
        }
    }

    /// Writes what the session wants written, and sees whether it has ended.
    pub(crate) fn write(&mut self, side: Side) {
        while let Some(session) = &mut self.peer_mut(side).session
            && let Some(control) = session.poll_transmit()
        {
            if control != Control::Close {
                if control == Control::Ping {
                    let now = self.moment(side);
                    self.peer_mut(side).watch.ask(now);
                }
                self.send(side, Parcel::Control(control));
                continue;
            }
            if !session.end().is_some_and(is_abrupt) && self.peer(side).socket == Socket::Open {
                let on_polling = self.polling(side).is_some();
                self.send(side, if on_polling { Parcel::Control(control) } else { Parcel::CloseFrame });
            }
            self.on_session(side, Session::handle_closed);
        }
        let end = self.peer(side).session.as_ref().and_then(Session::end);
        if let Some(end) = end
            && self.peer(side).ended_at == NEVER
        {
            self.end(side, end);
        }
    }

    /// Closes the session, as an application does. Returns false if it cannot.
    pub(crate) fn close(&mut self, side: Side) -> bool {
        if !self.runs(side) || self.peer(side).ended_at != NEVER {
            return false;
        }
        let now = self.moment(side);
        let peer = self.peer_mut(side);
        let Some(session) = &mut peer.session else { return false };
        session.close(Instant::from_micros(now.reading), CLOSE_TIMEOUT);
        peer.watch.close(now, micros(CLOSE_TIMEOUT));
        self.write(side);
        true
    }

    /// The application takes no messages for so long, so its adapter stops reading. Returns false if it cannot.
    pub(crate) fn pause_reading(&mut self, side: Side, time: Micros) -> bool {
        if time == 0 || !self.runs(side) || !self.peer(side).is_open() {
            return false;
        }
        self.note(side, Note::StopsReading(time));
        let moment = self.moment(side);
        let stall_timeout = self.scenery.plan(self.connection.plan).plan.heartbeat.max_silence();
        let until = self.ledger.now.saturating_add(time);
        let peer = self.peer_mut(side);
        if peer.paused_until == 0 {
            peer.watch.pause(moment, micros(stall_timeout));
            if let Some(session) = &mut peer.session {
                session.handle_reading_paused(Instant::from_micros(moment.reading), stall_timeout);
            }
        }
        peer.paused_until = peer.paused_until.max(until);
        self.connection.disturb(until);
        true
    }

    fn resume_reading(&mut self, side: Side) {
        let (moment, bounds) = (self.moment(side), self.bounds(side));
        self.on_session(side, Session::handle_reading_resumed);
        let peer = self.peer_mut(side);
        peer.paused_until = 0;
        peer.watch.resume(moment, bounds);
    }

    /// The program is killed: its kernel ends the connection. Returns false if it cannot.
    pub(crate) fn kill(&mut self, side: Side) -> bool {
        let now = self.ledger.now;
        let peer = self.peer(side);
        let is_killed = peer.session.is_none() && peer.ended_at != NEVER;
        let is_asleep = peer.asleep(self.connection.host(self.scenery, side), now).is_some();
        if is_killed || is_asleep || peer.socket == Socket::Dead {
            return false;
        }
        self.note(side, Note::Killed);
        if self.peer(side).socket == Socket::Open {
            // A client that has not connected, and a server that nobody has reached, have no connection to end.
            let has_sent = self.connection.traffic.towards(side.other()).segments > 0;
            if has_sent || self.peer(side).session.is_some() {
                self.transmit(side, Parcel::Fin);
            }
            self.peer_mut(side).socket = Socket::Closed;
        }
        let peer = self.peer_mut(side);
        if peer.ended_at == NEVER {
            (peer.session, peer.ended_at) = (None, now);
        }
        if side == Side::Client {
            (self.connection.begins_at, self.connection.again_at) = (NEVER, NEVER);
        }
        true
    }

    fn end(&mut self, side: Side, end: SessionEnd) {
        let now = self.ledger.now;
        self.note(side, Note::Ends(end));
        self.ledger.totals.count_end(side, end.reason);
        self.judge_end(side, end.reason);
        self.peer_mut(side).ended_at = now;
        self.ledger.tell(self.connection.id, side, Happening::Ended(End::new(now, end)));
        if is_abrupt(end) && self.peer(side).socket == Socket::Open {
            // The kernel must not keep what a dead peer does not take.
            self.connection.streams[side.other().index()].abandon();
            self.send_reset(side);
        }
        self.peer_mut(side).socket = Socket::Closed;
        let reading = self.reading(side);
        let connection = &mut *self.connection;
        if side == Side::Client
            && let Some(backoff) = &mut connection.backoff
        {
            backoff.handle_disconnected(reading);
            #[expect(clippy::cast_possible_truncation, reason = "any 32 bits are as random as the others")]
            let delay = backoff.next_delay(connection.random.next() as u32);
            connection.again_at = now + micros(delay);
        }
    }
}

/// Whether an adapter resets the connection of a session that ends so: the peer does not answer.
const fn is_abrupt(end: SessionEnd) -> bool {
    matches!(
        end.reason,
        DisconnectReason::PingTimeout | DisconnectReason::OpenTimeout | DisconnectReason::ApplicationStalled
    )
}
