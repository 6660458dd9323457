//! The heartbeat tables of revisions 3 and 4, and what a session puts around them, in the plainest form there is.

mod state;

use eio_core::packet::PacketType;
use eio_core::{Heartbeat, Liveness};

use super::mistakes::Mistake;
use super::times::Micros;
use state::State;

/// Which table applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Server4,
    Client4,
    Server3,
    Client3,
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [Self::Server4, Self::Client4, Self::Server3, Self::Client3];

    /// The side whose heartbeats are asked for is the side that asks.
    fn asks(self) -> bool {
        matches!(self, Self::Server4 | Self::Client3)
    }

    pub(crate) fn is_server(self) -> bool {
        matches!(self, Self::Server4 | Self::Server3)
    }
}

/// Everything that can happen to a session.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input {
    /// A packet other than a client's handshake.
    Packet(PacketType),
    /// A client's handshake, with the periods that it announces.
    Handshake(Heartbeat),
    /// An `open` packet that is not a handshake.
    BadHandshake,
    /// An `open` packet that carries bytes.
    BinaryOpen,
    /// Something that is not a packet.
    Garbage,
    /// A part of a packet.
    Activity,
    /// A ping that had to wait leaves now.
    PingSent,
    /// The clock moved.
    Wake,
    /// The application stopped reading, and may for so long.
    Pause(Micros),
    /// The application reads again.
    Resume,
    /// This side closes, and waits for so long.
    Close(Micros),
    /// The same, because the application panicked.
    Panicked(Micros),
    /// This side's `close` was written.
    Closed,
    TransportClosed,
    /// The peer's close frame came, with this code.
    CloseFrame(u16),
    TransportReset,
    TransportError,
    Violation,
    /// One control packet is taken to be written.
    Take,
}

/// What an input leads to, beside timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Nothing,
    /// A pong is owed.
    PingCame,
    /// The awaited pong came so long after the ping.
    Answered(Micros),
    /// The peer sent the heartbeat that only this side sends.
    WrongDirection,
    Message,
    Opened,
    /// A ping is owed.
    PingDue,
    Ended(Cause),
    Took(Option<Owed>),
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    LocalClose,
    Panicked,
    PeerClose,
    TransportClosed,
    TransportReset,
    TransportError,
    PingTimeout,
    Garbage,
    WrongDirection,
    Violation,
    OpenTimeout,
    BadHandshake,
    Unexpected,
    Stalled,
}

/// A control packet that waits to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owed {
    Pong,
    Ping,
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Opening,
    Open,
    Closing,
    Ended,
}

/// A session: how it began, and everything that happened to it.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    role: Role,
    liveness: Liveness,
    /// A machine without a session around it: it reports the wrong direction, and somebody else ends it.
    is_bare: bool,
    start: State,
    history: Vec<(Micros, Input)>,
}

impl Model {
    /// A session, or a bare machine, that is open from `now` on.
    pub(crate) fn open(
        role: Role,
        liveness: Liveness,
        heartbeat: Heartbeat,
        now: Micros,
        mistake: Mistake,
    ) -> Self {
        let mut model = Self::opening(role, 0, None, now, mistake);
        model.liveness = liveness;
        model.start.open(role, heartbeat, now);
        model
    }

    /// A client that awaits its handshake for `open_timeout`.
    pub(crate) fn opening(
        role: Role,
        open_timeout: Micros,
        timeout_at_most: Option<Micros>,
        now: Micros,
        mistake: Mistake,
    ) -> Self {
        let start = State {
            phase: Phase::Opening,
            last_seen: now,
            rtt: None,
            said: Said::Nothing,
            interval: 0,
            timeout: 0,
            clock: now,
            end: None,
            close_code: None,
            owed: Vec::new(),
            open_by: Some(now.saturating_add(open_timeout)),
            close_by: None,
            closing: Cause::LocalClose,
            next_ping: None,
            unanswered: None,
            extended: false,
            silence: None,
            stalled_by: None,
            timeout_at_most,
            mistake,
        };
        Self { role, liveness: Liveness::default(), is_bare: false, start, history: Vec::new() }
    }

    pub(crate) fn without_session(mut self) -> Self {
        self.is_bare = true;
        self
    }

    pub(crate) fn happens(&mut self, at: Micros, input: Input) {
        self.history.push((at, input));
    }

    /// Plays the whole history again.
    pub(crate) fn state(&self) -> State {
        let mut state = self.start.clone();
        for &(at, input) in &self.history {
            // Taking a packet takes no time.
            let at = if matches!(input, Input::Take) { state.clock } else { at };
            let now = state.clock.max(at);
            state.clock = if state.mistake == Mistake::TimeGoesBack { at } else { now };
            state.said = Said::Nothing;
            state.said = match input {
                Input::Take => Said::Took(state.take()),
                _ if state.phase == Phase::Ended => Said::Nothing,
                _ => self.step(&mut state, now, input),
            };
        }
        state
    }

    fn step(&self, state: &mut State, now: Micros, input: Input) -> Said {
        let now = if state.mistake == Mistake::TimeGoesBack { state.clock } else { now };
        match input {
            Input::Take => Said::Nothing,
            Input::Wake => state.wake(now),
            Input::PingSent => state.ping_sent(now),
            Input::Pause(allowance) => {
                if state.phase == Phase::Open && state.stalled_by.is_none() {
                    state.stalled_by = Some(now.saturating_add(allowance));
                }
                Said::Nothing
            }
            Input::Resume => state.resume(now),
            Input::Close(allowance) => state.close(now, allowance, Cause::LocalClose),
            Input::Panicked(allowance) => state.close(now, allowance, Cause::Panicked),
            Input::Closed => {
                if state.phase == Phase::Closing {
                    state.owed.retain(|owed| *owed != Owed::Close);
                    state.end(now, state.closing)
                } else {
                    Said::Nothing
                }
            }
            Input::TransportClosed => state.end(now, Cause::TransportClosed),
            Input::CloseFrame(code) => state.close_frame(now, code),
            Input::TransportReset => state.end(now, Cause::TransportReset),
            Input::TransportError => state.end(now, Cause::TransportError),
            Input::Violation => {
                state.last_seen = now;
                state.end(now, Cause::Violation)
            }
            Input::Activity => {
                state.last_seen = now;
                if state.phase == Phase::Open && self.role.is_server() && self.liveness == Liveness::AnyPacket
                {
                    state.listen_for(now, state.interval + state.timeout);
                }
                Said::Nothing
            }
            Input::Packet(_)
            | Input::Handshake(_)
            | Input::BadHandshake
            | Input::BinaryOpen
            | Input::Garbage => {
                state.last_seen = now;
                match state.phase {
                    Phase::Opening => self.packet_while_opening(state, now, input),
                    Phase::Open => self.packet_while_open(state, now, input),
                    Phase::Closing => self.packet_while_closing(state, now, input),
                    Phase::Ended => Said::Nothing,
                }
            }
        }
    }

    fn packet_while_opening(&self, state: &mut State, now: Micros, input: Input) -> Said {
        match input {
            Input::Handshake(heartbeat) => {
                state.open(self.role, heartbeat, now);
                Said::Opened
            }
            Input::BadHandshake => state.end(now, Cause::BadHandshake),
            Input::Packet(PacketType::Close) => state.end(now, Cause::PeerClose),
            Input::Garbage => state.end(now, Cause::Garbage),
            _ => state.end(now, Cause::Unexpected),
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each packet")]
    fn packet_while_open(&self, state: &mut State, now: Micros, input: Input) -> Said {
        let packet = match input {
            Input::Packet(PacketType::Close) if state.mistake == Mistake::PeerCloseIsIgnored => {
                return Said::Nothing;
            }
            Input::Handshake(heartbeat)
                if !self.role.is_server() && state.mistake == Mistake::SecondHandshakeIsTaken =>
            {
                state.open(self.role, heartbeat, now);
                return Said::Opened;
            }
            Input::Packet(PacketType::Close) => return state.end(now, Cause::PeerClose),
            Input::Garbage => return state.end(now, Cause::Garbage),
            Input::Packet(packet) => packet,
            // A server ignores `open`; a client has had its handshake.
            _ if self.role.is_server() => PacketType::Open,
            _ => return state.end(now, Cause::Unexpected),
        };
        let (interval, timeout) = (state.interval, state.timeout);
        let whole = interval + timeout;
        let message = if packet == PacketType::Message { Said::Message } else { Said::Nothing };
        match (self.role, packet) {
            (Role::Server4, PacketType::Ping) | (Role::Server3, PacketType::Pong) if self.is_bare => {
                Said::WrongDirection
            }
            (Role::Server4, PacketType::Ping) | (Role::Server3, PacketType::Pong) => {
                state.end(now, Cause::WrongDirection)
            }

            (Role::Server4, PacketType::Pong) if self.awaits_pong(state) => {
                let ping = state.unanswered.take().expect("just seen");
                state.silence = None;
                let mut next = now.saturating_add(interval);
                if state.mistake != Mistake::NextPingCountsFromThePong {
                    next = next.min(ping.saturating_add(interval + timeout / 2)).max(now);
                }
                state.next_ping = Some(next);
                if self.any_packet(state) {
                    state.listen_for(now, whole);
                }
                state.answered(now - ping)
            }
            (Role::Server4, PacketType::Pong) if state.mistake == Mistake::UnawaitedPongMovesThePing => {
                state.next_ping = Some(now.saturating_add(interval));
                Said::Nothing
            }
            (Role::Server4, PacketType::Pong) => {
                if self.any_packet(state) {
                    state.listen_for(now, whole);
                }
                Said::Nothing
            }
            (Role::Server4, _) => {
                let may_extend = !state.extended || state.mistake == Mistake::EveryPacketExtends;
                if self.any_packet(state) {
                    state.listen_for(now, whole);
                } else if self.liveness == Liveness::ExtendOnce && state.unanswered.is_some() && may_extend {
                    state.listen_for(now, timeout);
                    state.extended = true;
                }
                message
            }

            (Role::Client4 | Role::Server3, PacketType::Ping) => {
                state.listen_for(now, whole);
                state.owe(Owed::Pong);
                Said::PingCame
            }
            (Role::Client4, _) => {
                if state.mistake == Mistake::MessagesCountForAClient && packet == PacketType::Message {
                    state.listen_for(now, whole);
                }
                message
            }
            (Role::Server3, _) => {
                if self.any_packet(state) {
                    state.listen_for(now, whole);
                }
                message
            }

            (Role::Client3, PacketType::Pong) if self.awaits_pong(state) => {
                let ping = state.unanswered.take().expect("just seen");
                state.listen_for(now, whole);
                state.next_ping = Some(now.saturating_add(interval));
                state.answered(now - ping)
            }
            (Role::Client3, _) => {
                state.listen_for(now, whole);
                message
            }
        }
    }

    /// This side has said its last word; only the deadline for silence still moves.
    fn packet_while_closing(&self, state: &mut State, now: Micros, input: Input) -> Said {
        match (self.role, input) {
            (_, Input::Packet(PacketType::Close)) => return state.end(now, Cause::PeerClose),
            (_, Input::Garbage) => return state.end(now, Cause::Garbage),
            (
                Role::Client4 | Role::Client3,
                Input::Handshake(_) | Input::BadHandshake | Input::BinaryOpen,
            ) => {
                return state.end(now, Cause::Unexpected);
            }
            // To a server, an `open` is a packet like any other.
            (Role::Server4 | Role::Server3, _)
            | (Role::Client4, Input::Packet(PacketType::Ping))
            | (Role::Client3, Input::Packet(_)) => {
                state.listen_for(now, state.interval + state.timeout);
            }
            _ => {}
        }
        Said::Nothing
    }

    /// Whether a ping has left and is unanswered. A bare machine does not know when its ping leaves.
    fn awaits_pong(&self, state: &State) -> bool {
        let has_left =
            self.is_bare || !state.owes_ping() || state.mistake == Mistake::PongAnswersAPingThatHasNotLeft;
        state.unanswered.is_some() && has_left
    }

    fn any_packet(&self, state: &State) -> bool {
        self.liveness == Liveness::AnyPacket && state.mistake != Mistake::AnyPacketIsIgnored
    }
}
