//! One end of a connection: a session and what an adapter around it does, or a script in its place.

use core::fmt::Debug;
use core::time::Duration;
use std::collections::VecDeque;

use eio_core::packet::{DecodeErrorKind, Packet, PacketType};
use eio_core::session::{CLOSE_TIMEOUT, Control, DisconnectReason, SendError, Violation};
use eio_core::upgrade::{ClientUpgrade, ServerUpgrade, UpgradeControl, UpgradeOutcome};

use super::clock::{EndClock, Reading};
use super::lanes::Lanes;
use super::letter::{Content, Letter, Path};
use super::link::Link;
use super::micros;
use super::oracle::{Oracle, Role};
use super::scene::{Millis, Note, Scene};
use super::subjects::{Happened, Session, Upgrade};

/// One end. Its verbs act at the world's present time.
#[derive(Debug)]
pub struct End {
    name: &'static str,
    role: Role,
    epochs: Vec<u64>,
    pub(crate) scene: Scene,
    clock: EndClock,
    /// `None`: this end is a script, and writes what the story says.
    mind: Option<Mind>,
    upgrade: Option<Lanes<Upgrade>>,
    outcome: Option<UpgradeOutcome>,
    incoming: Link,
    outgoing: Link,
    muted: bool,
    jammed: bool,
    reading_paused: bool,
    stalled_until: u64,
    /// What waits to be written.
    outbox: VecDeque<Letter>,
    /// What was written, and when.
    written: Vec<(u64, Letter)>,
    heard: Vec<(u64, Letter)>,
    happened: Vec<(u64, Happened)>,
    ended_at: Option<u64>,
}

/// A session, and the oracle beside it.
#[derive(Debug)]
struct Mind {
    session: Lanes<Session>,
    oracle: Oracle,
}

impl End {
    pub(crate) fn new(
        role: Role,
        scene: &Scene,
        epochs: &[u64],
        session: Option<(Lanes<Session>, Oracle)>,
        (incoming, outgoing): (&Link, &Link),
    ) -> Self {
        Self {
            name: name(role),
            role,
            epochs: epochs.to_owned(),
            scene: scene.clone(),
            clock: EndClock::default(),
            mind: session.map(|(session, oracle)| Mind { session, oracle }),
            upgrade: None,
            outcome: None,
            incoming: incoming.clone(),
            outgoing: outgoing.clone(),
            muted: false,
            jammed: false,
            reading_paused: false,
            stalled_until: 0,
            outbox: VecDeque::new(),
            written: Vec::new(),
            heard: Vec::new(),
            happened: Vec::new(),
            ended_at: None,
        }
    }
}

pub(crate) const fn name(role: Role) -> &'static str {
    match role {
        Role::Server => "server",
        Role::Client => "client",
    }
}

/// What a story makes it do.
impl End {
    /// From now on nothing that it writes leaves it.
    pub fn mute(&mut self) {
        self.say_to_log("falls mute");
        self.muted = true;
    }

    /// Undoes [`mute`](Self::mute), for what is written from now on.
    pub fn unmute(&mut self) {
        self.say_to_log("can be heard again");
        self.muted = false;
    }

    /// Writes a packet that its session did not ask for.
    pub fn say(&mut self, packet: Packet<'_>) {
        self.post(Letter::packet(Path::Session, packet));
    }

    /// Writes this text frame, whatever it is.
    pub fn say_frame(&mut self, frame: &str) {
        self.post(Letter::frame(Path::Session, frame));
    }

    /// Writes bytes in which the peer's decoder finds this error.
    pub fn say_garbage(&mut self, kind: DecodeErrorKind) {
        self.post(Letter { path: Path::Session, content: Content::Garbage(kind) });
    }

    /// Writes this text frame on the candidate of an upgrade.
    pub fn say_on_candidate(&mut self, frame: &str) {
        self.post(Letter::frame(Path::Candidate, frame));
    }

    /// Sends a message as an application would, if the session lets it.
    ///
    /// # Errors
    /// What the session says.
    #[track_caller]
    pub fn send(&mut self, text: &str) -> Result<(), SendError> {
        self.check_send()?;
        self.post(Letter::packet(Path::Session, Packet::text(PacketType::Message, text)));
        Ok(())
    }

    /// Its connection ends in order; the peer is told.
    pub fn hang_up(&mut self) {
        self.post(Letter { path: Path::Session, content: Content::Fin });
    }

    /// Its connection is reset; the peer is told.
    pub fn reset(&mut self) {
        self.post(Letter { path: Path::Session, content: Content::Reset });
    }

    /// The candidate's connection ends; the peer is told.
    pub fn hang_up_candidate(&mut self) {
        self.post(Letter { path: Path::Candidate, content: Content::Fin });
    }

    /// Its runtime is blocked for so long: nothing is handled, nothing expires. When it wakes up, all that is ready
    /// is handled first, and only then silence is judged.
    pub fn stall(&mut self, time: Duration) {
        self.say_to_log(format!("stalls for {}", Millis(micros(time))));
        self.stalled_until = self.stalled_until.max(self.scene.now() + micros(time));
    }

    /// Its application does not take what was read, so it stops reading.
    #[track_caller]
    pub fn pause_reading(&mut self, stall_timeout: Duration) {
        self.say_to_log("stops reading");
        self.reading_paused = true;
        self.act(
            |session, now| session.handle_reading_paused(now, stall_timeout),
            |oracle, now| oracle.pause(now, micros(stall_timeout).cast_signed()),
        );
    }

    /// Its application takes what was read, so it reads on.
    #[track_caller]
    pub fn resume_reading(&mut self) {
        self.say_to_log("reads on");
        self.reading_paused = false;
        self.act(Session::handle_reading_resumed, Oracle::resume);
    }

    /// Its writes hang: what it wants written waits.
    pub fn jam(&mut self) {
        self.say_to_log("has its writes hang");
        self.jammed = true;
    }

    /// Its writes go on.
    #[track_caller]
    pub fn unjam(&mut self) {
        self.say_to_log("can write again");
        self.jammed = false;
        self.write();
    }

    /// Closes its session, with the usual limit.
    #[track_caller]
    pub fn close(&mut self) {
        self.close_within(CLOSE_TIMEOUT);
    }

    /// Closes its session.
    #[track_caller]
    pub fn close_within(&mut self, close_timeout: Duration) {
        self.say_to_log("closes");
        self.act(
            |session, now| session.close(now, close_timeout),
            |oracle, now| oracle.close(now, micros(close_timeout).cast_signed()),
        );
        self.write();
    }

    /// Says that the close packet left, whether or not it did.
    #[track_caller]
    pub fn handle_closed(&mut self) {
        self.act(Session::handle_closed, Oracle::closed);
    }

    /// Bytes came in that are no whole packet yet.
    #[track_caller]
    pub fn handle_activity(&mut self) {
        self.say_to_log("hears a part of a packet");
        self.act(Session::handle_activity, Oracle::activity);
    }

    /// The transport saw the peer break a rule.
    #[track_caller]
    pub fn handle_violation(&mut self, violation: Violation) {
        self.say_to_log(format!("sees a violation: {violation}"));
        self.act(
            |session, now| session.handle_violation(now, violation),
            |oracle, now| oracle.end(now, DisconnectReason::Violation(violation)),
        );
        self.write();
    }

    /// The deadline's call, at any time.
    #[track_caller]
    pub fn handle_timeout(&mut self) {
        self.scene.note(self.name, Note::Expires);
        let now = self.read_clock();
        if let Some(mind) = &mut self.mind {
            mind.session.handle_timeout(now);
            mind.oracle.timeout(now);
        }
        self.check();
        self.write();
    }

    /// Its clock is set back.
    pub fn step_clock_back(&mut self, by: Duration) {
        self.say_to_log(format!("has its clock set back by {}", Millis(micros(by))));
        self.clock.step(-micros(by).cast_signed());
    }

    /// Its clock is set forward, or ran on while it was suspended.
    pub fn step_clock_forward(&mut self, by: Duration) {
        self.say_to_log(format!("has its clock set forward by {}", Millis(micros(by))));
        self.clock.step(micros(by).cast_signed());
    }

    /// Its clock is a 32-bit counter of so long ticks, which showed `first` when the story began, widened by an
    /// adapter.
    pub fn count_ticks(&mut self, tick: Duration, first: u32) {
        self.clock.set_ticks(tick, first);
    }

    /// It starts to move its session to a new transport.
    #[track_caller]
    pub fn begin_upgrade(&mut self, upgrade_timeout: Duration) {
        self.say_to_log("begins an upgrade");
        let now = self.read_clock();
        let role = self.role;
        self.outcome = None;
        self.upgrade = Some(Lanes::new(&self.scene, self.name, &self.epochs, now, move |now| match role {
            Role::Server => Upgrade::Server(ServerUpgrade::new(upgrade_timeout, now)),
            Role::Client => Upgrade::Client(ClientUpgrade::new(upgrade_timeout, now)),
        }));
        self.write();
    }
}

/// What a story asks and asserts.
impl End {
    /// Whether a message may be sent now.
    ///
    /// # Errors
    /// What the session says.
    #[track_caller]
    pub fn check_send(&mut self) -> Result<(), SendError> {
        let now = self.read_clock();
        self.mind().session.ask(now, |session, now, _| session.check_send(now))
    }

    /// The latest round trip.
    #[must_use]
    #[track_caller]
    pub fn rtt(&self) -> Option<Duration> {
        self.mind().session.ask(0, |session, _, _| session.rtt())
    }

    /// When it ended, in milliseconds since the story began, rounded down.
    #[must_use]
    pub fn ended_at(&self) -> Option<u64> {
        self.ended_at.map(|at| at / 1_000)
    }

    /// Why it ended, and how long the peer had been silent.
    #[must_use]
    #[track_caller]
    pub fn ending(&self) -> Option<(DisconnectReason, Duration)> {
        use super::lanes::Subject as _;
        self.mind().session.ask(0, |session, _, _| session.ending().map(|end| (end.reason, end.silent_for)))
    }

    /// When it wants to be woken, in microseconds of its own clock since the story began.
    #[must_use]
    #[track_caller]
    pub fn deadline(&self) -> Option<i64> {
        self.mind().session.poll_timeout()
    }

    /// It has not ended, and nobody closes it.
    #[track_caller]
    pub fn assert_open(&self) {
        if !self.mind().session.ask(0, |session, _, _| session.is_open()) {
            self.fail(format_args!("expected it open; it ended: {:?}", self.ending()));
        }
    }

    /// It has not ended.
    #[track_caller]
    pub fn assert_not_ended(&self) {
        if self.ending().is_some() {
            self.fail(format_args!("expected it not to have ended; it did: {:?}", self.ending()));
        }
    }

    /// It has ended, for this reason.
    #[track_caller]
    pub fn assert_ended(&self, reason: DisconnectReason) {
        if self.ending().map(|(reason, _)| reason) != Some(reason) {
            self.fail(format_args!("expected the end {reason:?}; got {:?}", self.ending()));
        }
    }

    /// It ended then, in milliseconds since the story began, for this reason.
    #[track_caller]
    pub fn assert_ended_at(&self, millis: u64, reason: DisconnectReason) {
        self.assert_ended(reason);
        if self.ended_at != Some(millis * 1_000) {
            self.fail(format_args!("expected its end at {millis} ms; got {:?} µs", self.ended_at));
        }
    }

    /// The peer had been silent for so long when it ended.
    #[track_caller]
    pub fn assert_silent_for(&self, time: Duration) {
        if self.ending().map(|(_, silent_for)| silent_for) != Some(time) {
            self.fail(format_args!("expected a silence of {time:?}; got {:?}", self.ending()));
        }
    }

    /// All that it wrote, with the milliseconds since the story began.
    #[track_caller]
    pub fn assert_wrote(&self, expected: &[(u64, &str)]) {
        self.assert_letters("wrote", &self.written, expected);
    }

    /// All that it heard, with the milliseconds since the story began.
    #[track_caller]
    pub fn assert_heard(&self, expected: &[(u64, &str)]) {
        self.assert_letters("heard", &self.heard, expected);
    }

    /// All that its session told its application, in order.
    #[track_caller]
    pub fn assert_happened(&self, expected: &[Happened]) {
        let happened: Vec<_> = self.happened.iter().map(|(_, what)| what).collect();
        if happened != expected.iter().collect::<Vec<_>>() {
            self.fail(format_args!("expected the events {expected:?}; got {happened:?}"));
        }
    }

    /// The messages that reached its application, in order.
    #[must_use]
    pub fn messages(&self) -> Vec<String> {
        let message = |(_, what): &(u64, Happened)| match what {
            Happened::Message(super::Body::Text(text)) => Some(text.clone()),
            _ => None,
        };
        self.happened.iter().filter_map(message).collect()
    }

    /// How often it wrote this text.
    #[must_use]
    pub fn wrote(&self, text: &str) -> usize {
        self.written.iter().filter(|(_, letter)| letter.to_string() == text).count()
    }

    /// When it last heard or was told something, in milliseconds since the story began, rounded down.
    #[must_use]
    pub fn last_heard_at(&self) -> Option<u64> {
        self.heard.last().map(|(at, _)| at / 1_000)
    }

    /// Its upgrade ended so.
    #[track_caller]
    pub fn assert_upgrade(&self, outcome: UpgradeOutcome) {
        if self.outcome != Some(outcome) {
            self.fail(format_args!("expected the upgrade {outcome:?}; got {:?}", self.outcome));
        }
    }

    /// Its upgrade goes on.
    #[track_caller]
    pub fn assert_upgrading(&self) {
        if self.upgrade.is_none() || self.outcome.is_some() {
            self.fail(format_args!("expected it to upgrade; got {:?}", self.outcome));
        }
    }

    #[track_caller]
    fn assert_letters(&self, verb: &str, letters: &[(u64, Letter)], expected: &[(u64, &str)]) {
        let same = letters.len() == expected.len()
            && letters
                .iter()
                .zip(expected)
                .all(|((at, letter), (millis, text))| *at == millis * 1_000 && letter.to_string() == *text);
        if !same {
            let letters: Vec<_> =
                letters.iter().map(|(at, letter)| format!("{}: {letter}", Millis(*at))).collect();
            self.fail(format_args!("{verb} {letters:?}, not {expected:?}"));
        }
    }
}

/// What an adapter does, driven by the world.
impl End {
    /// Whether it does anything now.
    fn is_stalled(&self) -> bool {
        self.scene.now() < self.stalled_until
    }

    /// When it wakes up next, in true time.
    pub(crate) fn next_wake(&self) -> Option<u64> {
        let deadline = self.mind.as_ref().and_then(|mind| mind.session.poll_timeout());
        let upgrade = self.upgrade.as_ref().and_then(Lanes::poll_timeout);
        let deadline = deadline.into_iter().chain(upgrade).min().map(|reading| self.clock.when(reading));
        let arrival = if self.reading_paused { None } else { self.incoming.next_arrival() };
        deadline.into_iter().chain(arrival).min().map(|wake| wake.max(self.stalled_until))
    }

    /// Handles all that is ready, then judges silence, then writes. Returns whether there was anything to do.
    #[track_caller]
    pub(crate) fn turn(&mut self) -> bool {
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
            Content::Reset => self.act(Session::handle_transport_error, |oracle, now| {
                oracle.end(now, DisconnectReason::TransportError);
            }),
            Content::Garbage(kind) => {
                let (kind, role) = (*kind, self.role);
                self.act(
                    |session, now| {
                        let _ = content.decoded().map(|packet| session.handle_packet(now, packet));
                    },
                    |oracle, now| match role {
                        Role::Server => oracle.end(now, DisconnectReason::ParseError(kind)),
                        Role::Client => oracle.end(now, DisconnectReason::ServerError(kind)),
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
            mind.oracle.end(now, end.reason);
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
        if letter.content == Content::Fin || letter.content == Content::Reset {
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
    fn write(&mut self) {
        self.write_upgrade();
        while let Some(control) = self.mind.as_mut().and_then(|mind| mind.session.poll_transmit()) {
            if let Some(mind) = &mut self.mind {
                mind.oracle.written(control);
            }
            let letter = Letter::packet(Path::Session, control.packet());
            // Heartbeats overtake messages; a close packet does not.
            if control == Control::Close {
                self.outbox.push_back(letter)
            } else {
                self.outbox.push_front(letter)
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
    fn flush(&mut self) {
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

    fn post(&mut self, letter: Letter) {
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
    fn act(
        &mut self,
        call: impl Fn(&mut Session, eio_core::Instant),
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
    fn check(&mut self) {
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

    fn read_clock(&mut self) -> Reading {
        self.clock.read(self.scene.now())
    }

    #[track_caller]
    fn mind(&self) -> &Mind {
        match &self.mind {
            Some(mind) => mind,
            None => self.fail(format_args!("is a script, and has no session")),
        }
    }

    fn say_to_log(&self, words: impl Into<String>) {
        self.scene.say(self.name, words);
    }

    #[track_caller]
    pub(crate) fn fail(&self, why: core::fmt::Arguments<'_>) -> ! {
        self.scene.fail(self.name, why)
    }
}
