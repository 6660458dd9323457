//! The machine in the recording's place: fed with what the peer did, woken when it asks to be.
//!
//! The clock is perfect, with three exceptions that the recordings' event loops demand. A ping whose recorded
//! counterpart came a little late is sent then, so that lateness does not add up and inputs keep their order; what is
//! compared is its deadline. What came in while a loop was blocked is handled when the block ends, before anything
//! expires, as every adapter must. And what fell due in a block is done 10 ms after it, when everything has been read.

use core::time::Duration;

use eio_core::packet::{DecodeError, Packet, PacketType};
use eio_core::session::{CLOSE_TIMEOUT, CheckSendError, Control, DisconnectReason, Violation};
use eio_core::upgrade::{ClientUpgrade, ServerUpgrade, UpgradeControl, UpgradeFailure, UpgradeOutcome};
use eio_core::{ClientSession, Instant, Revision, ServerSession};

use super::plan::{Fact, GRAIN, JITTER, Plan, Role, SETTLING, What, WindowKind};
use super::run::{Ignored, Run, Step};
use super::transcript::Micros;
use super::wire::{decode_frame, each_packet};

/// How long after a late wake-up an adapter still looks for what came in meanwhile.
const CATCH_UP: Micros = 10_000;

/// How long a client waits for its handshake: what Socket.IO's does.
const OPEN_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Clone)]
enum Session {
    Server(ServerSession),
    Client(ClientSession),
}

/// Calls the same verb on either role.
macro_rules! both {
    ($session:expr, $name:ident => $call:expr) => {
        match $session {
            Session::Server($name) => $call,
            Session::Client($name) => $call,
        }
    };
}

enum Upgrade {
    Server(ServerUpgrade),
    Client(ClientUpgrade),
}

macro_rules! either {
    ($upgrade:expr, $name:ident => $call:expr) => {
        match $upgrade {
            Upgrade::Server($name) => $call,
            Upgrade::Client($name) => $call,
        }
    };
}

struct Driver<'p> {
    plan: &'p Plan,
    ignored: &'p [Ignored],
    session: Session,
    /// The WebSocket that carries the session.
    main: Option<u64>,
    candidate: Option<(u64, Upgrade)>,
    /// The close packet waits for a poll.
    close_waits: bool,
    /// The recording's time, as far as the replay has come.
    now: Micros,
    /// How far the machine's clock is ahead of the recording's.
    ahead: Micros,
    /// When it last jumped: nothing that passed in the jump is due before.
    stepped: Micros,
    /// When pending polls were answered by the machine before the recording's answer.
    answered: Vec<Micros>,
    /// For the next ping: when the last one was sent, and when its pong came.
    last_ping: Option<Micros>,
    last_pong: Option<Micros>,
    pings: usize,
    run: Run,
}

/// Replays `plan` to the end of its recording, or of the session.
pub(crate) fn drive(plan: &Plan, ignored: &[Ignored]) -> Run {
    let begins = Instant::from_micros(plan.begins);
    let session = match (plan.role, plan.revision) {
        (Role::Server, Revision::V4) => {
            Session::Server(ServerSession::eio4(plan.heartbeat, plan.liveness, begins))
        }
        (Role::Server, Revision::V3) => {
            Session::Server(ServerSession::eio3(plan.heartbeat, plan.liveness, begins))
        }
        (Role::Client, Revision::V4) => Session::Client(ClientSession::eio4(OPEN_TIMEOUT, begins)),
        (Role::Client, Revision::V3) => Session::Client(ClientSession::eio3(OPEN_TIMEOUT, begins)),
    };
    let mut driver = Driver {
        plan,
        ignored,
        session,
        main: plan.direct,
        candidate: None,
        close_waits: false,
        now: plan.begins,
        ahead: 0,
        stepped: 0,
        answered: Vec::new(),
        last_ping: None,
        last_pong: None,
        pings: 0,
        run: Run::default(),
    };
    if plan.role == Role::Server {
        driver.run.trace.push((plan.begins, Step::Opened));
    }
    for (index, input) in plan.inputs.iter().enumerate() {
        let at = driver.readable_at(input.at);
        driver.wake_until(at);
        driver.now = driver.now.max(at);
        driver.handle(index, at, &input.fact);
    }
    let blocked = plan.blocked.iter().map(|(_, to)| to + CATCH_UP).max().unwrap_or_default();
    driver.wake_until(blocked.max(plan.ends) + GRAIN);
    driver.run
}

impl Driver<'_> {
    fn machine(&self, at: Micros) -> Instant {
        Instant::from_micros(at + self.ahead)
    }

    fn recorded(&self, at: Instant) -> Micros {
        at.as_micros().saturating_sub(self.ahead)
    }

    /// When something that came in at `at` could be read. What was sent just before a block, and shows no effect in
    /// the recording, was not.
    fn readable_at(&self, at: Micros) -> Micros {
        let blocked =
            self.plan.blocked.iter().find(|(from, to)| (from.saturating_sub(SETTLING)..*to).contains(&at));
        let Some((from, to)) = blocked else { return at };
        let effects = self.plan.recorded.emissions.iter().map(|emission| emission.at);
        let read = at < *from && effects.into_iter().any(|effect| (at..from + SETTLING).contains(&effect));
        if read { at } else { *to }
    }

    /// Lets everything happen that is due before `limit`, and a ping that the recording sent at `limit`: inputs of
    /// the same time came after it.
    fn wake_until(&mut self, limit: Micros) {
        loop {
            let session = both!(&self.session, session => session.poll_timeout());
            let upgrade =
                self.candidate.as_ref().and_then(|(_, upgrade)| either!(upgrade, u => u.poll_timeout()));
            let session_due = session.map(|at| self.recorded(at).max(self.stepped));
            let upgrade_due = upgrade.map(|at| self.recorded(at).max(self.stepped));
            let ping = session_due.and_then(|due| self.recorded_ping(due));
            let of_session = session_due.map(|due| (ping.unwrap_or_else(|| self.awake(due)), due, true));
            let of_upgrade = upgrade_due.map(|due| (self.awake(due), due, false));
            let Some((wake, due, is_session)) = [of_session, of_upgrade].into_iter().flatten().min() else {
                return;
            };
            let wake = wake.max(self.now);
            if wake > limit || (wake == limit && !(is_session && ping.is_some())) {
                return;
            }
            self.now = wake;
            if is_session {
                // The recording's clock may lag behind by its grain; the machine's must have come to the deadline.
                let now = self.machine(wake.max(due));
                both!(&mut self.session, session => session.handle_timeout(now));
                self.drain(wake, due);
            } else if let Some((_, upgrade)) = &mut self.candidate {
                let now = Instant::from_micros(wake + self.ahead);
                either!(upgrade, upgrade => upgrade.handle_timeout(now));
                self.drain_upgrade(wake, due);
            }
        }
    }

    /// When the event loop wakes up for something that is due.
    fn awake(&self, due: Micros) -> Micros {
        let blocked = self.plan.blocked.iter().find(|(from, to)| (*from..*to).contains(&due));
        blocked.map_or(due, |(_, to)| *to + CATCH_UP)
    }

    /// If a ping is due next and the recording sent it at about that time: then.
    fn recorded_ping(&self, due: Micros) -> Option<Micros> {
        let mut preview = self.session.clone();
        let now = self.machine(due);
        both!(&mut preview, session => session.handle_timeout(now));
        if both!(&mut preview, session => session.poll_transmit()) != Some(Control::Ping) {
            return None;
        }
        let pings = self.plan.recorded.emissions.iter().filter(|emission| emission.what == What::Ping);
        let at = pings.map(|emission| emission.at).nth(self.pings)?;
        let expected = [Some(due), self.capped_until(due)];
        let about = |expected: Micros| at + GRAIN >= expected && at <= expected + JITTER;
        expected.into_iter().flatten().any(about).then_some(at)
    }

    /// When the reference would send the ping that is due, if that is later: it waits for the interval after the pong.
    fn capped_until(&self, due: Micros) -> Option<Micros> {
        let (asked, answered) = (self.last_ping?, self.last_pong?);
        let interval = micros(self.plan.heartbeat.ping_interval());
        let half_timeout = micros(self.plan.heartbeat.ping_timeout()) / 2;
        let revision_four_server = self.plan.role == Role::Server && self.plan.revision == Revision::V4;
        let capped = revision_four_server
            && due == asked + interval + half_timeout
            && due + GRAIN < answered + interval;
        capped.then_some(answered + interval)
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each kind of fact")]
    fn handle(&mut self, index: usize, at: Micros, fact: &Fact) {
        if self.run.end.is_some() {
            return;
        }
        let plan = self.plan;
        let now = self.machine(at);
        match fact {
            Fact::Frame { conn, data } => {
                let Some(packet) = decode_frame(plan.revision, data) else { return };
                if self.main == Some(*conn) {
                    self.packet(index, at, packet, true);
                } else if let Some((_, upgrade)) =
                    self.candidate.as_mut().filter(|(candidate, _)| candidate == conn)
                {
                    either!(upgrade, upgrade => upgrade.handle_packet(now, packet));
                    self.drain_upgrade(at, at);
                }
            }
            Fact::Payload { content_type, body } if self.main.is_none() => {
                each_packet(plan.revision, content_type, body, |packet| {
                    self.packet(index, at, packet, false);
                });
            }
            Fact::Packet(packet_type) => {
                self.packet(index, at, Ok(Packet::text(*packet_type, "")), plan.direct.is_some());
            }
            Fact::Poll => {
                if core::mem::take(&mut self.close_waits) {
                    both!(&mut self.session, session => session.handle_closed(now));
                    self.drain(at, at);
                }
            }
            Fact::Candidate { conn, matches } => self.candidate_opened(at, *conn, *matches),
            Fact::SocketClosed { conn, failed } => {
                if self.main == Some(*conn) {
                    if *failed {
                        both!(&mut self.session, session => session.handle_transport_error(now));
                    } else {
                        both!(&mut self.session, session => session.handle_transport_closed(now));
                    }
                    self.drain(at, at);
                } else if self.candidate.as_ref().is_some_and(|(candidate, _)| candidate == conn) {
                    self.candidate = None;
                }
            }
            Fact::PollingFailed if self.main.is_none() => {
                both!(&mut self.session, session => session.handle_transport_error(now));
                self.drain(at, at);
            }
            Fact::PollingViolation(violation) if self.main.is_none() => {
                both!(&mut self.session, session => session.handle_violation(now, *violation));
                self.drain(at, at);
            }
            Fact::TooLarge { conn } if self.main == Some(*conn) => {
                both!(&mut self.session, session => session.handle_violation(now, Violation::PayloadTooLarge));
                self.drain(at, at);
            }
            Fact::Close { at_once } => {
                both!(&mut self.session, session => session.close(now, CLOSE_TIMEOUT));
                self.drain(at, at);
                if *at_once {
                    both!(&mut self.session, session => session.handle_closed(now));
                    self.drain(at, at);
                }
            }
            Fact::PollingPaused => {
                if let Some((_, Upgrade::Client(upgrade))) = &mut self.candidate {
                    upgrade.handle_polling_paused(now);
                    self.drain_upgrade(at, at);
                }
            }
            Fact::ClockStep(by) => self.step_clock(at, *by),
            Fact::Payload { .. }
            | Fact::PollingFailed
            | Fact::PollingViolation(_)
            | Fact::TooLarge { .. } => {}
        }
    }

    fn packet(&mut self, input: usize, at: Micros, packet: Result<Packet<'_>, DecodeError>, socket: bool) {
        if self.run.end.is_some() {
            return;
        }
        let now = self.machine(at);
        let kind = packet.as_ref().ok().map(|packet| packet.packet_type);
        let ignored = self.ignored.contains(&Ignored { input, packet: kind });
        let packet = if ignored { Ok(Packet::NOOP) } else { packet };
        self.run.trace.push(match packet {
            Ok(packet) => (at, Step::Packet { packet: packet.packet_type, input, socket }),
            Err(_) => (at, Step::Garbage { input }),
        });
        let awaited =
            self.last_pong.is_none_or(|pong| self.last_ping > Some(pong)) && self.last_ping.is_some();
        if kind == Some(PacketType::Pong) && awaited {
            self.last_pong = Some(at);
        }
        let was_open = both!(&self.session, session => session.is_open());
        both!(&mut self.session, session => _ = session.handle_packet(now, packet));
        if !was_open && both!(&self.session, session => session.is_open()) {
            self.run.trace.push((at, Step::Opened));
        }
        self.drain(at, at);
    }

    fn candidate_opened(&mut self, at: Micros, conn: u64, matches: bool) {
        let now = self.machine(at);
        let timeout = Duration::from_micros(self.plan.upgrade_timeout);
        match self.plan.role {
            Role::Server => {
                let busy = self.main.is_some() || self.candidate.is_some();
                if !matches || !self.plan.offers_upgrade {
                    self.run.trace.push((at, Step::Refused(conn)));
                    self.run.performed.refused.push((at, conn));
                } else if busy {
                    self.emit(at, at, What::CandidateClosed(conn));
                } else {
                    self.candidate = Some((conn, Upgrade::Server(ServerUpgrade::new(timeout, now))));
                }
            }
            Role::Client => {
                self.candidate = Some((conn, Upgrade::Client(ClientUpgrade::new(timeout, now))));
                self.drain_upgrade(at, at);
            }
        }
    }

    /// The clock jumps as over a suspend: if that passes the deadline for silence, nothing may be sent any more, even
    /// before anybody has expired the session.
    fn step_clock(&mut self, at: Micros, by: Micros) {
        self.ahead += by;
        self.stepped = at;
        let now = self.machine(at);
        let mut preview = self.session.clone();
        both!(&mut preview, session => session.handle_timeout(now));
        let expires = both!(&preview, session => session.end())
            .is_some_and(|end| end.reason == DisconnectReason::PingTimeout);
        let refusal = both!(&self.session, session => session.check_send(now)).err();
        if expires && refusal != Some(CheckSendError::Expired) {
            self.run.performed.broken =
                Some((at, format!("sending past the deadline was answered {refusal:?}")));
        }
    }

    /// Takes what the session wants written. `due` is when it was to be written.
    fn drain(&mut self, at: Micros, due: Micros) {
        let now = self.machine(at);
        // What fell due in a block is done when it is over; the rest of the time until now was for reading.
        let block = self.plan.blocked.iter().find(|(from, to)| (*from..*to).contains(&due));
        let due = block.map_or(due, |(_, to)| *to);
        while let Some(control) = both!(&mut self.session, session => session.poll_transmit()) {
            match control {
                Control::Ping => {
                    if let Some(late) = self.capped_until(due) {
                        self.run.performed.capped.push((due, late));
                    }
                    self.last_ping = Some(at.max(due));
                    self.pings += 1;
                    self.emit(at, due, What::Ping);
                }
                Control::Pong => self.emit(at, due, What::Pong),
                Control::Close => {
                    self.emit(at, due, What::Close);
                    let polls = self.plan.role == Role::Server && self.main.is_none();
                    self.close_waits = polls && self.pending_poll(at).is_none();
                    if !self.close_waits {
                        both!(&mut self.session, session => session.handle_closed(now));
                    }
                }
            }
        }
        if let Some(end) = both!(&self.session, session => session.end())
            && self.run.end.is_none()
        {
            let at = if block.is_some() { due } else { at };
            self.run.end = Some((at, end.reason));
            self.run.performed.end = Some((at, end.reason.as_str()));
            self.run.trace.push((at, Step::Ended(end.reason)));
            if let Some((_, upgrade)) = &mut self.candidate {
                either!(upgrade, upgrade => upgrade.handle_session_ended());
            }
            self.candidate = None;
        }
    }

    /// Takes what the upgrade wants written, and moves the session when it is done.
    fn drain_upgrade(&mut self, at: Micros, due: Micros) {
        let Some((conn, mut upgrade)) = self.candidate.take() else { return };
        while let Some(control) = either!(&mut upgrade, upgrade => upgrade.poll_transmit()) {
            match control {
                UpgradeControl::PingProbe => self.emit(at, due, What::Probe(conn)),
                UpgradeControl::PongProbe => self.emit(at, due, What::ProbeAnswer(conn)),
                UpgradeControl::Upgrade => self.emit(at, due, What::Upgrade(conn)),
                UpgradeControl::Noop => self.release_poll(at, due),
            }
        }
        match either!(&upgrade, upgrade => upgrade.outcome()) {
            None => self.candidate = Some((conn, upgrade)),
            Some(UpgradeOutcome::Upgraded) => {
                self.main = Some(conn);
                self.run.trace.push((at, Step::Upgraded));
            }
            Some(UpgradeOutcome::Failed(failure)) => {
                let gives_up = matches!(failure, UpgradeFailure::Timeout | UpgradeFailure::UnexpectedPacket);
                if self.plan.role == Role::Server && gives_up {
                    self.emit(at, due, What::CandidateClosed(conn));
                }
            }
        }
    }

    /// A noop answers a poll that is pending, and nothing otherwise. One that the recording answered at this very
    /// time with something else, or that came in at this very time, was not pending there.
    fn release_poll(&mut self, at: Micros, due: Micros) {
        let Some((from, to)) = self.pending_poll(due) else { return };
        let answer = self.plan.recorded.emissions.iter().find(|emission| emission.at == to);
        let is_noop = answer.is_some_and(|emission| emission.what == What::Noop);
        let too_close = due < from + SETTLING || to < due + JITTER;
        if is_noop || !too_close {
            self.answered.push(from);
            self.emit(at, due, What::Noop);
        }
    }

    /// The poll that is pending at `at`: when it came in, and when the recording answers it.
    fn pending_poll(&self, at: Micros) -> Option<(Micros, Micros)> {
        let polls = self.plan.recorded.windows.iter().filter(|window| window.kind != WindowKind::Socket);
        let pending = polls.filter(|window| window.from <= at && at <= window.to);
        pending.map(|window| (window.from, window.to)).find(|(from, _)| !self.answered.contains(from))
    }

    fn emit(&mut self, at: Micros, due: Micros, what: What) {
        if matches!(what, What::Ping | What::Pong)
            && let Some((from, _)) = self.pending_poll(due)
        {
            self.answered.push(from);
        }
        self.run.trace.push((at, Step::Emitted { what, due }));
        self.run.performed.emissions.push((due, what));
    }
}

/// A period in the recordings' unit.
pub(crate) fn micros(period: Duration) -> Micros {
    u64::try_from(period.as_micros()).unwrap_or(u64::MAX)
}
