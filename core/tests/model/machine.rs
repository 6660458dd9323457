//! `heartbeat::Machine` beside the tables, in all four roles.

use eio_core::heartbeat::{Due, Machine, Reaction};
use eio_core::packet::PacketType;
use eio_core::{Heartbeat, Liveness};
use proptest::prelude::*;

use super::mistakes::Mistake;
use super::tables::{Cause, Input, Model, Phase, Role, Said};
use super::times::{
    LAST_SAFE, Micros, Span, When, at, epoch, heartbeat, lasting, liveness, probes, span, when,
};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Packet(PacketType),
    Activity,
    Timeout,
    PingSent,
    Pause(Span),
    Resume,
}

/// One machine's life.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) role: Role,
    pub(crate) liveness: Liveness,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) epoch: Micros,
    pub(crate) calls: Vec<(When, Op)>,
}

pub(crate) fn life() -> impl Strategy<Value = Life> {
    let role = proptest::sample::select(&Role::ALL[..]);
    let calls = proptest::collection::vec((when(), op()), 1..60);
    (role, liveness(), heartbeat(), epoch(), calls).prop_map(|(role, liveness, heartbeat, epoch, calls)| {
        Life { role, liveness, heartbeat, epoch, calls }
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        10 => Just(Op::Timeout),
        3 => Just(Op::Packet(PacketType::Pong)),
        3 => Just(Op::Packet(PacketType::Ping)),
        4 => packet_type().prop_map(Op::Packet),
        1 => Just(Op::Activity),
        1 => Just(Op::PingSent),
        1 => span().prop_map(Op::Pause),
        1 => Just(Op::Resume),
    ]
}

/// `close` ends a session; a machine does not handle it.
fn packet_type() -> impl Strategy<Value = PacketType> {
    prop_oneof![
        1 => Just(PacketType::Open),
        1 => Just(PacketType::Ping),
        1 => Just(PacketType::Pong),
        3 => Just(PacketType::Message),
        1 => Just(PacketType::Upgrade),
        1 => Just(PacketType::Noop),
    ]
}

fn machine(life: &Life) -> Machine {
    let now = at(life.epoch);
    match life.role {
        Role::Server4 => Machine::eio4_server(life.heartbeat, life.liveness, now),
        Role::Client4 => Machine::eio4_client(life.heartbeat, now),
        Role::Server3 => Machine::eio3_server(life.heartbeat, life.liveness, now),
        Role::Client3 => Machine::eio3_client(life.heartbeat, now),
    }
}

fn call(machine: &mut Machine, now: Micros, op: Op, periods: (Micros, Micros)) -> (Reaction, Option<Due>) {
    let now = at(now);
    let mut due = None;
    let mut reaction = Reaction::None;
    match op {
        Op::Packet(packet) => reaction = machine.handle_packet(now, packet),
        Op::Activity => machine.handle_activity(now),
        Op::PingSent => machine.handle_ping_sent(now),
        Op::Timeout => due = machine.handle_timeout(now),
        Op::Pause(span) => machine.handle_reading_paused(now, lasting(span.micros(periods.0, periods.1))),
        Op::Resume => machine.handle_reading_resumed(now),
    }
    (reaction, due)
}

/// A round trip as a machine tells it: the largest u32 stands for none.
pub(crate) fn saturated(rtt: Micros) -> u32 {
    u32::try_from(rtt).unwrap_or(u32::MAX).min(u32::MAX - 1)
}

/// Lets one life happen to a machine and to the model, and compares all there is to see after each call.
pub(crate) fn compare(life: &Life, mistake: Mistake) -> Result<(), TestCaseError> {
    let mut machine = machine(life);
    let mut model =
        Model::open(life.role, life.liveness, life.heartbeat, life.epoch, mistake).without_session();
    let mut expected = model.state();
    let mut previous = life.epoch;
    let mut latest = life.epoch;
    for &(when, op) in &life.calls {
        let periods = (expected.interval, expected.timeout);
        let now = when.micros(previous, expected.deadline(), periods.0, periods.1);
        previous = now;
        let input = match op {
            Op::Packet(packet) => Input::Packet(packet),
            Op::Activity => Input::Activity,
            Op::Timeout => Input::Wake,
            Op::PingSent => Input::PingSent,
            Op::Pause(span) => Input::Pause(span.micros(periods.0, periods.1)),
            Op::Resume => Input::Resume,
        };
        model.happens(now, input);
        expected = model.state();

        let mut twin = machine.clone();
        let (reaction, due) = call(&mut machine, now, op, periods);
        latest = latest.max(now);
        let twins = call(&mut twin, latest, op, periods);
        prop_assert_eq!((reaction, due), twins, "a clock that steps back stands still");

        let (expected_reaction, expected_due) = match expected.said {
            Said::PingCame => (Reaction::Pong, None),
            Said::Answered(_) => (Reaction::Answered, None),
            Said::WrongDirection => (Reaction::WrongDirection, None),
            Said::PingDue => (Reaction::None, Some(Due::Ping)),
            Said::Ended(Cause::PingTimeout) => (Reaction::None, Some(Due::PingTimeout)),
            Said::Ended(Cause::Stalled) => (Reaction::None, Some(Due::ApplicationStalled)),
            _ => (Reaction::None, None),
        };
        prop_assert_eq!((reaction, due), (expected_reaction, expected_due), "{:?} at {}", op, now);
        let deadline = machine.poll_timeout();
        prop_assert_eq!(deadline, expected.deadline().map(at), "after {:?} at {}", op, now);
        prop_assert_eq!(machine.last_seen(), at(expected.last_seen), "after {:?} at {}", op, now);
        prop_assert_eq!(machine.rtt(), expected.rtt.map(|rtt| lasting(saturated(rtt).into())));
        prop_assert_eq!(machine.heartbeat(), Some(life.heartbeat));
        for probe in probes(expected.clock, expected.deadline()) {
            let (is, expected) = (machine.is_expired(at(probe)), expected.is_expired(probe));
            prop_assert_eq!(is, expected, "expired at {}, after {:?} at {}", probe, op, now);
        }

        // What holds without any model.
        let ended = matches!(due, Some(Due::PingTimeout | Due::ApplicationStalled));
        prop_assert!(!ended || matches!(op, Op::Timeout));
        prop_assert_eq!(deadline.is_none(), expected.phase == Phase::Ended);
        if let (Op::Timeout, Some(deadline)) = (op, deadline)
            && latest <= LAST_SAFE
        {
            prop_assert!(deadline > at(latest), "the deadline is not later than now");
            prop_assert_eq!(machine.clone().handle_timeout(at(latest)), None, "a repeated call does nothing");
        }
        prop_assert_eq!(format!("{machine:?}"), format!("{twin:?}"), "asking changes nothing");
    }
    Ok(())
}

/// Lets five calls follow a ping in every order, each more than an interval later, and nobody judges silence meanwhile:
/// what random lives hardly ever come to.
fn compare_orders(mistake: Mistake) -> Result<(), TestCaseError> {
    const OPS: [Op; 5] = [
        Op::Packet(PacketType::Message),
        Op::Packet(PacketType::Pong),
        Op::PingSent,
        Op::Pause(Span::Sum(1, 0, 0)),
        Op::Resume,
    ];
    let servers = Liveness::ALL.map(|liveness| (Role::Server4, liveness));
    for (role, liveness) in servers.into_iter().chain([(Role::Client3, Liveness::default())]) {
        for order in 0..OPS.len().pow(5) {
            let ops = (0..5).map(|place| OPS[order / OPS.len().pow(place) % OPS.len()]);
            let due = (When::Deadline(0), Op::Timeout);
            let calls = ops.map(|op| (When::After(Span::Sum(1, 0, 1)), op));
            let calls = [due].into_iter().chain(calls).chain([due]).collect();
            compare(&Life { role, liveness, heartbeat: Heartbeat::DEFAULT, epoch: 0, calls }, mistake)?;
        }
    }
    Ok(())
}

#[test]
fn after_a_ping_a_machine_agrees_with_the_tables_in_every_order_of_five_calls() {
    compare_orders(Mistake::None).expect("agreement");
    for mistake in [Mistake::LatePingStaysExtendedInAPause, Mistake::LatePingTakesAwayWhatAPacketHasAllowed] {
        compare_orders(mistake).expect_err("a mistake goes unnoticed");
    }
}

proptest! {
    #[test]
    fn a_machine_agrees_with_the_tables(life in life()) {
        compare(&life, Mistake::None)?;
    }
}
