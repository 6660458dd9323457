//! What programs do on long-polling, and how they move to a WebSocket.

use eio_core::packet::Packet;
use eio_core::upgrade::{
    CLIENT_UPGRADE_TIMEOUT, ClientUpgrade, ServerUpgrade, UPGRADE_TIMEOUT, UpgradeControl, UpgradeFailure,
    UpgradeOutcome,
};

use super::Turn;
use crate::message::Parcel;
use crate::peer::Socket;
use crate::polling::{Polling, Upgrade};
use crate::session::Session;
use crate::side::Side;
use crate::timetable::{Note, Word};

impl Turn<'_> {
    /// Sends a packet of the session on the transport that this side uses.
    pub(crate) fn send(&mut self, side: Side, parcel: Parcel) {
        let Some(polling) = self.polling(side) else {
            self.transmit(side, parcel);
            return;
        };
        polling.ways[side.index()].queue.push(parcel);
        self.flush(side);
    }

    /// Long-polling, if this side still uses it.
    pub(super) fn polling(&mut self, side: Side) -> Option<&mut Polling> {
        self.connection.polling.as_deref_mut().filter(|polling| polling.is_used_by(side))
    }

    /// Sends what waits, if it may.
    fn flush(&mut self, side: Side) {
        if let Some(packets) = self.polling(side).and_then(|polling| polling.take(side)) {
            let words: Vec<_> = packets.iter().map(Word::from).collect();
            let carried = self.transmit(side, Parcel::Payload(packets));
            for word in words {
                self.note(side, Note::Sends(word, carried));
            }
        }
    }

    /// The peer has let go what this side sends. If a ping had to wait for that, its timeout begins now.
    fn release_ping(&mut self, side: Side) {
        let (moment, bounds) = (self.moment(side), self.bounds(side));
        let Some(polling) = self.polling(side) else { return };
        let is_held = side == Side::Client && polling.is_paused();
        if !is_held && polling.ways[side.index()].queue.iter().any(Parcel::has_ping) {
            self.on_session(side, Session::handle_ping_sent);
            self.peer_mut(side).watch.release(moment, bounds);
        }
    }

    /// The client asks for packets, unless it has asked already or is about to move.
    pub(super) fn ask(&mut self) {
        let is_open = self.peer(Side::Client).session.as_ref().is_some_and(Session::is_open);
        if let Some(polling) = self.polling(Side::Client)
            && is_open
            && !polling.asks
            && !polling.is_paused()
        {
            polling.asks = true;
            self.transmit(Side::Client, Parcel::Poll);
        }
    }

    /// Something that only long-polling and upgrades send.
    pub(super) fn hear_polling(&mut self, side: Side, parcel: Parcel) {
        match parcel {
            Parcel::Poll | Parcel::Taken => {
                self.release_ping(side);
                if let Some(polling) = self.polling(side) {
                    polling.ways[side.index()].is_free = true;
                }
                self.flush(side);
            }
            Parcel::Payload(packets) => self.hear_payload(side, packets),
            Parcel::Accepted => {
                let now = self.reading(side);
                if let Some(polling) = self.polling(side)
                    && matches!(polling.upgrades[side.index()], Upgrade::Asked)
                {
                    polling.upgrades[side.index()] =
                        Upgrade::Client(ClientUpgrade::new(CLIENT_UPGRADE_TIMEOUT, now));
                }
            }
            Parcel::Probe(control) => self.hear_probe(side, control.packet()),
            Parcel::CandidateEnds => self.lose_candidate(side),
            _ => {}
        }
    }

    fn hear_payload(&mut self, side: Side, packets: Box<[Parcel]>) {
        for packet in packets {
            self.note(side, Note::Hears(Word::from(&packet)));
            self.hear_from_session(side, packet);
        }
        match side {
            Side::Server => {
                self.transmit(side, Parcel::Taken);
            }
            Side::Client => {
                if let Some(polling) = self.polling(side) {
                    polling.asks = false;
                }
                self.ask();
            }
        }
    }

    fn hear_probe(&mut self, side: Side, packet: Packet<'_>) {
        let now = self.reading(side);
        match self.polling(side).map(|polling| &mut polling.upgrades[side.index()]) {
            Some(Upgrade::Client(upgrade)) => upgrade.handle_packet(now, Ok(packet)),
            Some(Upgrade::Server(upgrade)) => upgrade.handle_packet(now, Ok(packet)),
            _ => {}
        }
        // What comes right behind may be sent on the WebSocket already.
        self.run_upgrade(side);
    }

    fn lose_candidate(&mut self, side: Side) {
        match self.polling(side).map(|polling| &mut polling.upgrades[side.index()]) {
            Some(Upgrade::Client(upgrade)) => upgrade.handle_transport_closed(),
            Some(Upgrade::Server(upgrade)) => upgrade.handle_transport_closed(),
            Some(asked @ Upgrade::Asked) => *asked = Upgrade::No,
            // The peer has not moved, so the session has no transport left.
            None => self.on_session(side, Session::handle_transport_closed),
            Some(Upgrade::No | Upgrade::Moved) => {}
        }
    }

    /// The client asks for a WebSocket. Returns whether it can.
    pub(crate) fn begin_upgrade(&mut self) -> bool {
        let peer = self.peer(Side::Client);
        let is_open = peer.socket == Socket::Open && peer.session.as_ref().is_some_and(Session::is_open);
        if !is_open || !self.runs(Side::Client) {
            return false;
        }
        let Some(polling) = self.polling(Side::Client) else { return false };
        let upgrade = &mut polling.upgrades[Side::Client.index()];
        if !matches!(upgrade, Upgrade::No) {
            return false;
        }
        *upgrade = Upgrade::Asked;
        self.transmit(Side::Client, Parcel::Request);
        true
    }

    /// A session has a request for a WebSocket.
    pub(super) fn accept_candidate(&mut self) {
        let now = self.reading(Side::Server);
        if let Some(polling) = self.polling(Side::Server) {
            polling.upgrades[Side::Server.index()] =
                Upgrade::Server(ServerUpgrade::new(UPGRADE_TIMEOUT, now));
            self.transmit(Side::Server, Parcel::Accepted);
        }
    }

    /// Lets the upgrade of this side know the time, and writes what it wants written.
    pub(super) fn run_upgrade(&mut self, side: Side) {
        let now = self.reading(side);
        let Some(polling) = self.polling(side) else { return };
        let requests_are_over = !polling.asks && polling.ways[side.index()].is_free;
        match &mut polling.upgrades[side.index()] {
            Upgrade::Client(upgrade) => {
                upgrade.handle_timeout(now);
                if requests_are_over {
                    upgrade.handle_polling_paused(now);
                }
            }
            Upgrade::Server(upgrade) => upgrade.handle_timeout(now),
            Upgrade::No | Upgrade::Asked | Upgrade::Moved => return,
        }
        while let Some(control) = self.poll_upgrade(side) {
            if control == UpgradeControl::Noop {
                self.release_request();
            } else {
                self.transmit(side, Parcel::Probe(control));
            }
        }
        self.finish_upgrade(side);
    }

    fn poll_upgrade(&mut self, side: Side) -> Option<UpgradeControl> {
        match &mut self.polling(side)?.upgrades[side.index()] {
            Upgrade::Client(upgrade) => upgrade.poll_transmit(),
            Upgrade::Server(upgrade) => upgrade.poll_transmit(),
            Upgrade::No | Upgrade::Asked | Upgrade::Moved => None,
        }
    }

    /// Answers a request that waits for packets, so that the client can stop asking.
    fn release_request(&mut self) {
        if let Some(polling) = self.polling(Side::Server)
            && polling.ways[Side::Server.index()].is_free
        {
            self.send(Side::Server, Parcel::Probe(UpgradeControl::Noop));
        }
    }

    fn finish_upgrade(&mut self, side: Side) {
        let Some(polling) = self.polling(side) else { return };
        let upgrade = &mut polling.upgrades[side.index()];
        let outcome = match upgrade {
            Upgrade::Client(machine) => machine.outcome(),
            Upgrade::Server(machine) => machine.outcome(),
            Upgrade::No | Upgrade::Asked | Upgrade::Moved => None,
        };
        match outcome {
            None => {}
            Some(UpgradeOutcome::Upgraded) => {
                self.release_ping(side);
                self.ledger.totals.upgraded += u64::from(side == Side::Server);
                self.leave_polling(side);
            }
            Some(UpgradeOutcome::Failed(failure)) => {
                *upgrade = Upgrade::No;
                let lets_go = side == Side::Client
                    && failure != UpgradeFailure::Timeout
                    && polling.ways[side.index()].is_free;
                if failure != UpgradeFailure::TransportClosed {
                    self.transmit(side, Parcel::CandidateEnds);
                }
                if lets_go {
                    self.release_ping(side);
                }
                if side == Side::Client {
                    self.ask();
                    self.flush(side);
                }
            }
        }
    }

    /// The side moves to the WebSocket, and what waited for a request goes there.
    fn leave_polling(&mut self, side: Side) {
        let Some(polling) = &mut self.connection.polling else { return };
        polling.upgrades[side.index()] = Upgrade::Moved;
        let waiting = core::mem::take(&mut polling.ways[side.index()].queue);
        if !Side::BOTH.into_iter().any(|side| polling.is_used_by(side)) {
            self.connection.polling = None;
        }
        for parcel in waiting {
            self.transmit(side, parcel);
        }
    }
}
