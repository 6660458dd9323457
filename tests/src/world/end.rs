//! One end of a connection: a session and what an adapter around it does, or a script in its place.

mod adapter;
mod asserts;

use core::time::Duration;
use std::collections::VecDeque;

use eio_core::packet::{DecodeErrorKind, Packet, PacketType};
use eio_core::session::{CLOSE_TIMEOUT, CheckSendError, DisconnectReason, Violation};
use eio_core::upgrade::{ClientUpgrade, ServerUpgrade, UpgradeOutcome};

use super::clock::EndClock;
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
    pub fn send(&mut self, text: &str) -> Result<(), CheckSendError> {
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

    /// A request of it fails; the peer is told.
    pub fn fail_request(&mut self) {
        self.post(Letter { path: Path::Session, content: Content::Failure });
    }

    /// It writes a close frame, with a code that may be sent or without one.
    pub fn say_close_frame(&mut self, code: Option<u16>) {
        self.post(Letter { path: Path::Session, content: Content::CloseFrame(code) });
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
            |oracle, now| oracle.end_by_peer(now, DisconnectReason::Violation(violation)),
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
