//! What an adapter around a session does, and the oracle's check after each of its calls.

use core::fmt;

use eio_core::Instant;
use eio_core::packet::PacketType;
use eio_core::session::{Control, DisconnectReason};
use eio_core::upgrade::{UpgradeControl, UpgradeOutcome};
use eio_core::ws::{Close, CloseCode};

use super::{End, Mind};
use crate::world::clock::Reading;
use crate::world::lanes::Lanes;
use crate::world::letter::{Content, Letter, Path};
use crate::world::micros;
use crate::world::oracle::{Oracle, Role};
use crate::world::scene::Note;
use crate::world::subjects::{Happened, Session, Upgrade};

impl End {
    /// Whether it does anything now.
    fn is_stalled(&self) -> bool {
        self.scene.now() < self.stalled_until
    }

    /// When it wakes up next, in true time.
    pub(in crate::world) fn next_wake(&self) -> Option<u64> {
        let deadline = self.mind.as_ref().and_then(|mind| mind.session.poll_timeout());
        let upgrade = self.upgrade.as_ref().and_then(Lanes::poll_timeout);
        let deadline = deadline.into_iter().chain(upgrade).min().map(|reading| self.clock.when(reading));
        let arrival = if self.reading_paused { None } else { self.incoming.next_wake() };
        deadline.into_iter().chain(arrival).min().map(|wake| wake.max(self.stalled_until))
    }

    /// Handles all that is ready, then judges silence, then writes. Returns whether there was anything to do.
    #[track_caller]
    pub(in crate::world) fn turn(&mut self) -> bool {
        if self.is_stalled() {
            return false;
        }
        let mut busy = false;
        while let Some(letter) = self.receive() {
            self.hear(&letter);
            busy = true;
        }
        busy |= self.expire();
        self.write();
        busy
    }

    fn receive(&self) -> Option<Letter> {
        if self.reading_paused { None } else { self.incoming.receive() }
    }

    #[track_caller]
    fn hear(&mut self, letter: &Letter) {
        self.scene.note(self.name, Note::Hears(letter.clone()));
        self.heard.push((self.scene.now(), letter.clone()));
        match letter.path {
            Path::Session => self.hear_on_session(letter),
            Path::Candidate => self.hear_on_candidate(letter),
        }
    }

    #[track_caller]
    fn hear_on_session(&mut self, letter: &Letter) {
        let content = &letter.content;
        match content {
            Content::Fin => self.act(Session::handle_transport_closed, |oracle, now| {
                oracle.end(now, DisconnectReason::TransportClosed);
            }),
            Content::Reset => self.act(Session::handle_transport_reset, |oracle, now| {
                oracle.end(now, DisconnectReason::TransportReset);
            }),
            Content::Failure => self.act(Session::handle_transport_error, |oracle, now| {
                oracle.end(now, DisconnectReason::TransportError);
            }),
            Content::CloseFrame(code) => {
                let close = code.and_then(|code| Close::new(CloseCode::new(code), "").ok());
                self.act(
                    |session, now| session.handle_close_frame(now, close),
                    |oracle, now| oracle.end_by_peer(now, DisconnectReason::TransportClosed),
                );
            }
            Content::Garbage(kind) => {
                let (kind, role) = (*kind, self.role);
                self.act(
                    |session, now| {
                        let _ = content.decoded().map(|packet| session.handle_packet(now, packet));
                    },
                    |oracle, now| match role {
                        Role::Server => oracle.end_by_peer(now, DisconnectReason::ParseError(kind)),
                        Role::Client => oracle.end_by_peer(now, DisconnectReason::ServerError(kind)),
                    },
                );
            }
            Content::Packet(packet_type, _) => self.hear_packet(*packet_type, content),
        }
        // Whatever a poll was answered with, a client that moves to a new transport starts no other.
        if self.role == Role::Client {
            let now = self.read_clock();
            if let Some(upgrade) = &mut self.upgrade {
                upgrade.call(now, Upgrade::handle_polling_paused);
            }
        }
    }

    #[track_caller]
    fn hear_packet(&mut self, packet_type: PacketType, content: &Content) {
        let now = self.read_clock();
        let Some(mind) = &mut self.mind else { return };
        let before = mind.session.ending();
        let happened = mind.session.call(now, |session, now| {
            content.decoded().and_then(|packet| session.handle_packet(now, packet))
        });
        if let (Some(happened), Some(end)) = (&happened, before) {
            self.scene.fail(self.name, format_args!("rule 7: tells {happened:?} after its end, {end:?}"));
        }
        // What the open packet says is not the oracle's to judge; whether it was the first is.
        if let Some(Happened::Opened(heartbeat)) = happened {
            mind.oracle.open(now, heartbeat);
        } else if let (PacketType::Open, Some(end), None) = (packet_type, mind.session.ending(), before)
            && matches!(end.reason, DisconnectReason::BadHandshake(_))
        {
            mind.oracle.end_by_peer(now, end.reason);
        } else {
            mind.oracle.packet(now, packet_type);
        }
        if let Some(happened) = happened {
            self.happened.push((self.scene.now(), happened));
        }
        self.check();
    }

    #[track_caller]
    fn hear_on_candidate(&mut self, letter: &Letter) {
        let now = self.read_clock();
        let Some(upgrade) = &mut self.upgrade else { return };
        if letter.content.decoded().is_none() {
            upgrade.call(now, |upgrade, _| upgrade.handle_transport_closed());
        } else {
            upgrade.call(now, |upgrade, now| {
                if let Some(packet) = letter.content.decoded() {
                    upgrade.handle_packet(now, packet);
                }
            });
        }
    }

    #[track_caller]
    fn expire(&mut self) -> bool {
        let now = self.read_clock();
        let mut busy = false;
        if let Some(mind) = &mut self.mind
            && mind.session.poll_timeout().is_some_and(|deadline| deadline <= now)
        {
            self.scene.note(self.name, Note::Expires);
            mind.session.handle_timeout(now);
            mind.oracle.timeout(now);
            self.check();
            busy = true;
        }
        if let Some(upgrade) = &mut self.upgrade
            && upgrade.poll_timeout().is_some_and(|deadline| deadline <= now)
        {
            upgrade.handle_timeout(now);
            busy = true;
        }
        busy
    }

    /// Takes what session and upgrade want written, and writes it unless writes hang.
    #[track_caller]
    pub(super) fn write(&mut self) {
        self.write_upgrade();
        while let Some(control) = self.mind.as_mut().and_then(|mind| mind.session.poll_transmit()) {
            if let Some(mind) = &mut self.mind {
                mind.oracle.written(control);
            }
            let letter = Letter::packet(Path::Session, control.packet());
            // Heartbeats overtake messages; a close packet does not.
            if control == Control::Close {
                self.outbox.push_back(letter);
            } else {
                self.outbox.push_front(letter);
            }
        }
        self.flush();
        self.check();
    }

    #[track_caller]
    fn write_upgrade(&mut self) {
        let ended = self.mind.as_ref().is_some_and(|mind| mind.session.ending().is_some());
        let now = self.read_clock();
        let Some(upgrade) = &mut self.upgrade else { return };
        if ended {
            upgrade.call(now, |upgrade, _| upgrade.handle_session_ended());
        }
        let mut letters = Vec::new();
        while let Some(control) = upgrade.poll_transmit() {
            let path = if control == UpgradeControl::Noop { Path::Session } else { Path::Candidate };
            letters.push(Letter::packet(path, control.packet()));
        }
        if self.outcome.is_none()
            && let Some(outcome) = upgrade.ending()
        {
            self.outcome = Some(outcome);
            self.scene.say(self.name, format!("ends its upgrade: {outcome:?}"));
            if let UpgradeOutcome::Failed(_) = outcome {
                letters.push(Letter { path: Path::Candidate, content: Content::Fin });
            }
        }
        for letter in letters {
            self.dispatch(letter);
        }
    }

    /// Writes what waits, unless writes hang or a client holds them back for an upgrade.
    pub(super) fn flush(&mut self) {
        let held_back = self
            .upgrade
            .as_ref()
            .is_some_and(|upgrade| upgrade.ask(0, |upgrade, _, _| upgrade.wants_pause()));
        if self.jammed || held_back {
            return;
        }
        while let Some(letter) = self.outbox.pop_front() {
            let close = letter.is(Path::Session, PacketType::Close);
            self.dispatch(letter);
            if close && self.mind.is_some() {
                self.handle_closed();
            }
        }
    }

    pub(super) fn post(&mut self, letter: Letter) {
        self.outbox.push_back(letter);
        self.flush();
    }

    fn dispatch(&mut self, letter: Letter) {
        self.written.push((self.scene.now(), letter.clone()));
        if self.muted {
            self.scene.note(self.name, Note::Loses(letter));
        } else {
            self.outgoing.send(letter);
        }
    }

    /// One call on the session, and the same fact for the oracle.
    #[track_caller]
    pub(super) fn act(
        &mut self,
        call: impl Fn(&mut Session, Instant),
        fact: impl FnOnce(&mut Oracle, Reading),
    ) {
        let now = self.read_clock();
        if let Some(mind) = &mut self.mind {
            mind.session.call(now, call);
            fact(&mut mind.oracle, now);
        }
        self.check();
    }

    /// The session agrees with the oracle.
    #[track_caller]
    pub(super) fn check(&mut self) {
        let Some(Mind { session, oracle }) = &self.mind else { return };
        let ending = session.ending();
        let seen =
            (ending.map(|end| (end.reason, micros(end.silent_for).cast_signed())), session.poll_timeout());
        let expected = (oracle.ending(), oracle.deadline());
        if seen != expected {
            self.fail(format_args!(
                "rules 2, 5, 6, 11: has the end and deadline {seen:?}; the facts give {expected:?}\n{session:?}\n{oracle:?}"
            ));
        }
        let (_, rtt, last_seen, sendable) = session.look();
        let seen = (rtt.map(|rtt| micros(rtt).cast_signed()), last_seen, sendable);
        let expected = (oracle.rtt(), oracle.last_seen(), oracle.check_send());
        if seen != expected {
            self.fail(format_args!(
                "rules 10, 11: has RTT, last sign of life and leave to send {seen:?}; the facts give {expected:?}"
            ));
        }
        let outputs = session.outputs();
        if !outputs.into_iter().flatten().eq(oracle.owed().iter().copied()) {
            self.fail(format_args!("rule 7: owes {outputs:?}; the facts give {:?}", oracle.owed()));
        }
        if ending.is_some() && self.ended_at.is_none() {
            self.ended_at = Some(self.scene.now());
            self.scene.say(self.name, format!("ends: {ending:?}"));
        }
    }

    pub(super) fn read_clock(&mut self) -> Reading {
        self.clock.read(self.scene.now())
    }

    #[track_caller]
    pub(super) fn mind(&self) -> &Mind {
        match &self.mind {
            Some(mind) => mind,
            None => self.fail(format_args!("is a script, and has no session")),
        }
    }

    pub(super) fn say_to_log(&self, words: impl Into<String>) {
        self.scene.say(self.name, words);
    }

    #[track_caller]
    pub(in crate::world) fn fail(&self, why: fmt::Arguments<'_>) -> ! {
        self.scene.fail(self.name, why)
    }
}
