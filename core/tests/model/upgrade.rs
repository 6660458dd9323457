//! Both ends of an upgrade beside the table of the probe exchange.

use eio_core::Instant;
use eio_core::packet::{Data, Packet, PacketType, WebSocketMessage, v4};
use eio_core::upgrade::{ClientUpgrade, ServerUpgrade, UpgradeControl, UpgradeFailure, UpgradeOutcome};
use proptest::prelude::*;

use super::mistakes::Mistake;
use super::times::{LAST_SAFE, Micros, When, at, epoch, lasting, when};

/// How often the server answers a pending poll.
const TICK: Micros = 100_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// A packet on the candidate, with nothing, `probe`, or something else as its text.
    Packet(PacketType, Text),
    /// A packet on the candidate whose data are the bytes of `probe`.
    Binary(PacketType),
    Garbage,
    /// Client: no polling request is in flight.
    Paused,
    TransportClosed,
    SessionEnded,
    Timeout,
    Transmit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Empty,
    Probe,
    Other,
}

/// One upgrade's life.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) is_server: bool,
    pub(crate) timeout: Micros,
    pub(crate) epoch: Micros,
    pub(crate) calls: Vec<(When, Op)>,
}

impl Life {
    /// When the upgrade timeout has passed.
    fn give_up(&self) -> Micros {
        self.epoch.saturating_add(self.timeout)
    }
}

pub(crate) fn life() -> impl Strategy<Value = Life> {
    let timeout = prop_oneof![
        3 => Just(10_000_000),
        2 => Just(1_000_000),
        1 => Just(TICK),
        1 => Just(0),
        1 => Just(1),
        1 => 0..10_000_000_u64,
        1 => any::<u64>(),
    ];
    // Most upgrades get on with the exchange before anything odd happens.
    let first = prop_oneof![
        1 => Just(None),
        4 => (when(), any::<bool>()).prop_map(Some),
    ];
    (any::<bool>(), timeout, epoch(), first, proptest::collection::vec((when(), op()), 0..40)).prop_map(
        |(is_server, timeout, epoch, first, mut calls)| {
            if let Some((when, taken)) = first {
                let probe = if is_server { PacketType::Ping } else { PacketType::Pong };
                calls.insert(0, (when, Op::Packet(probe, Text::Probe)));
                if taken {
                    calls.insert(0, (when, Op::Transmit));
                }
            }
            Life { is_server, timeout, epoch, calls }
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    let text = prop_oneof![Just(Text::Empty), Just(Text::Probe), Just(Text::Other)];
    let any_type = (0_u8..7).prop_map(|digit| PacketType::from_digit(digit).expect("below 7"));
    prop_oneof![
        20 => Just(Op::Timeout),
        12 => Just(Op::Transmit),
        4 => Just(Op::Packet(PacketType::Ping, Text::Probe)),
        1 => Just(Op::Packet(PacketType::Pong, Text::Probe)),
        1 => Just(Op::Packet(PacketType::Upgrade, Text::Empty)),
        2 => Just(Op::Paused),
        1 => (any_type, text).prop_map(|(packet_type, text)| Op::Packet(packet_type, text)),
        1 => prop_oneof![Just(PacketType::Ping), Just(PacketType::Pong)].prop_map(Op::Binary),
        1 => prop_oneof![Just(Op::Garbage), Just(Op::TransportClosed), Just(Op::SessionEnded)],
    ]
}

/// Either end behind the same verbs.
#[derive(Clone, Debug)]
enum Upgrade {
    Server(ServerUpgrade),
    Client(ClientUpgrade),
}

impl Upgrade {
    fn call(&mut self, now: Micros, op: Op) -> Option<UpgradeControl> {
        let now = at(now);
        let packet = match op {
            Op::Packet(packet_type, Text::Empty) => Ok(Packet::text(packet_type, "")),
            Op::Packet(packet_type, Text::Probe) => Ok(Packet::text(packet_type, "probe")),
            Op::Packet(packet_type, Text::Other) => Ok(Packet::text(packet_type, "probed")),
            Op::Binary(packet_type) => Ok(Packet { packet_type, data: Data::Binary(b"probe") }),
            _ => v4::decode(WebSocketMessage::Text("7")),
        };
        match (self, op) {
            (Self::Server(end), Op::Packet(..) | Op::Binary(_) | Op::Garbage) => {
                end.handle_packet(now, packet);
            }
            (Self::Server(end), Op::TransportClosed) => end.handle_transport_closed(),
            (Self::Server(end), Op::SessionEnded) => end.handle_session_ended(),
            (Self::Server(end), Op::Timeout) => end.handle_timeout(now),
            (Self::Server(end), Op::Transmit) => return end.poll_transmit(),
            (Self::Client(end), Op::Packet(..) | Op::Binary(_) | Op::Garbage) => {
                end.handle_packet(now, packet);
            }
            (Self::Client(end), Op::TransportClosed) => end.handle_transport_closed(),
            (Self::Client(end), Op::SessionEnded) => end.handle_session_ended(),
            (Self::Client(end), Op::Timeout) => end.handle_timeout(now),
            (Self::Client(end), Op::Transmit) => return end.poll_transmit(),
            (Self::Client(end), Op::Paused) => end.handle_polling_paused(now),
            (Self::Server(_), Op::Paused) => {}
        }
        None
    }

    /// All there is to see: the deadline, the outcome, and whether polling is to pause.
    fn look(&self) -> (Option<Instant>, Option<UpgradeOutcome>, bool) {
        match self {
            Self::Server(end) => (end.poll_timeout(), end.outcome(), false),
            Self::Client(end) => (end.poll_timeout(), end.outcome(), end.wants_pause()),
        }
    }
}

/// What a history of calls amounts to.
#[derive(Debug, Default)]
struct State {
    clock: Micros,
    next_noop: Option<Micros>,
    wants_pause: bool,
    owed: Vec<UpgradeControl>,
    outcome: Option<UpgradeOutcome>,
    took: Option<UpgradeControl>,
}

impl State {
    fn fail(&mut self, failure: UpgradeFailure) {
        self.outcome = Some(UpgradeOutcome::Failed(failure));
        self.owed.clear();
    }

    /// The packet that decides came behind a probe, perhaps one that is not answered yet.
    fn decide(&mut self, outcome: UpgradeOutcome) {
        self.outcome = Some(outcome);
        self.owed.retain(|owed| *owed == UpgradeControl::PongProbe);
    }

    fn owe(&mut self, packet: UpgradeControl) {
        if !self.owed.contains(&packet) {
            self.owed.push(packet);
        }
    }

    /// What a packet, a pause and the time do to an upgrade that has not ended.
    fn handle(&mut self, life: &Life, now: Micros, op: Op, mistake: Mistake) {
        let give_up = life.give_up();
        match (life.is_server, op) {
            (true, Op::Packet(PacketType::Ping, Text::Probe)) => {
                self.owe(UpgradeControl::PongProbe);
                // A repeated probe does not start the ticks anew.
                if self.next_noop.is_none() || mistake == Mistake::RepeatedProbeRestartsTheTicks {
                    self.next_noop = Some(now.saturating_add(TICK));
                }
            }
            (true, Op::Packet(PacketType::Upgrade, _) | Op::Binary(PacketType::Upgrade)) => {
                self.decide(UpgradeOutcome::Upgraded);
            }
            // What comes before the probe was even taken answers nothing.
            (false, Op::Packet(PacketType::Pong, Text::Probe))
                if !self.wants_pause && self.owed.is_empty() =>
            {
                self.wants_pause = true;
            }
            (_, Op::Packet(..) | Op::Binary(_) | Op::Garbage) => {
                self.decide(UpgradeOutcome::Failed(UpgradeFailure::UnexpectedPacket));
            }
            // The server may have given up by then.
            (false, Op::Paused)
                if self.wants_pause && give_up <= now && mistake != Mistake::LatePauseUpgrades =>
            {
                self.fail(UpgradeFailure::Timeout);
            }
            (false, Op::Paused) if self.wants_pause => {
                self.owed = vec![UpgradeControl::Upgrade];
                self.outcome = Some(UpgradeOutcome::Upgraded);
            }
            (_, Op::Timeout) if give_up <= now => self.fail(UpgradeFailure::Timeout),
            (_, Op::Timeout) if self.next_noop.is_some_and(|due| due <= now) => {
                let since = match mistake {
                    Mistake::PeriodsCountFromTheMissedDeadline => self.next_noop.expect("due"),
                    _ => now,
                };
                self.next_noop = Some(since.saturating_add(TICK));
                self.owe(UpgradeControl::Noop);
            }
            _ => {}
        }
    }

    fn deadline(&self, give_up: Micros) -> Option<Micros> {
        if self.outcome.is_some() {
            return None;
        }
        [Some(give_up), self.next_noop].into_iter().flatten().min()
    }
}

/// Plays the whole history.
fn replay(life: &Life, history: &[(Micros, Op)], mistake: Mistake) -> State {
    let mut state = State { clock: life.epoch, ..State::default() };
    if !life.is_server {
        state.owe(UpgradeControl::PingProbe);
    }
    for &(at, op) in history {
        state.took = None;
        if op == Op::Transmit {
            // The probe's answer goes before a noop.
            state.owed.sort_by_key(|owed| *owed == UpgradeControl::Noop);
            state.took = (!state.owed.is_empty()).then(|| state.owed.remove(0));
            continue;
        }
        if state.outcome.is_some() {
            continue;
        }
        match op {
            Op::TransportClosed => state.fail(UpgradeFailure::TransportClosed),
            Op::SessionEnded => state.fail(UpgradeFailure::SessionEnded),
            _ => {}
        }
        if state.outcome.is_some() || life.is_server && op == Op::Paused {
            continue;
        }
        let now = state.clock.max(at);
        state.clock = now;
        state.handle(life, now, op, mistake);
    }
    state
}

pub(crate) fn compare(life: &Life, mistake: Mistake) -> Result<(), TestCaseError> {
    let give_up = life.give_up();
    let mut upgrade = if life.is_server {
        Upgrade::Server(ServerUpgrade::new(lasting(life.timeout), at(life.epoch)))
    } else {
        Upgrade::Client(ClientUpgrade::new(lasting(life.timeout), at(life.epoch)))
    };
    let mut history = Vec::new();
    let mut previous = life.epoch;
    for &(when, op) in &life.calls {
        let before = replay(life, &history, mistake);
        let now = when.micros(previous, before.deadline(give_up), TICK, TICK);
        previous = now;
        history.push((now, op));
        let expected = replay(life, &history, mistake);

        let mut twin = upgrade.clone();
        let packet = upgrade.call(now, op);
        prop_assert_eq!(packet, expected.took, "{:?} at {}", op, now);
        let look = upgrade.look();
        let expected_look = (
            expected.deadline(give_up).map(at),
            expected.outcome,
            expected.wants_pause && expected.outcome.is_none(),
        );
        prop_assert_eq!(look, expected_look, "after {:?} at {}", op, now);
        prop_assert_eq!(
            packet,
            twin.call(now.max(expected.clock), op),
            "a clock that steps back stands still"
        );
        prop_assert_eq!(look, twin.look(), "a clock that steps back stands still");

        // What holds without any model.
        prop_assert_eq!(look.0.is_none(), look.1.is_some(), "only an upgrade that is over has no deadline");
        if op == Op::Timeout && expected.clock <= LAST_SAFE {
            prop_assert!(look.0.is_none_or(|deadline| deadline > at(expected.clock)));
            let mut again = upgrade.clone();
            let _ = again.call(now, op);
            prop_assert_eq!(again.look(), look, "a repeated call does nothing");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn an_upgrade_agrees_with_the_table(life in life()) {
        compare(&life, Mistake::None)?;
    }
}
