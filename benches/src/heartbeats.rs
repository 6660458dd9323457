//! Heartbeats, from a due ping to the deadline of the next one: in a machine alone, and in sessions around one.

use core::hint::black_box;
use core::time::Duration;

use eio_core::heartbeat::Machine;
use eio_core::packet::{PacketType, WebSocketMessage, v4};
use eio_core::{ClientSession, Heartbeat, Instant, Liveness, ServerSession};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "machine",
        about: "heartbeat::Machine, EIO4 server: a ping becomes due, its pong arrives, the next ping is armed",
        run: machine,
        bare,
    },
    Case {
        name: "machine-deadlines",
        about: "the same, and the caller asks for the deadline after each of the two calls",
        run: machine_with_deadlines,
        bare: bare_with_deadlines,
    },
    Case {
        name: "server",
        about: "ServerSession, EIO4: handle_timeout and poll_transmit, then handle_packet of a decoded `3`",
        run: server,
        bare,
    },
    Case {
        name: "client",
        about: "ClientSession, EIO4: handle_packet of a decoded `2`, then poll_transmit",
        run: client,
        bare,
    },
];

pub(crate) const INTERVAL: Duration = Duration::from_secs(25);
pub(crate) const ROUND_TRIP: Duration = Duration::from_millis(80);
pub(crate) const START: Instant = Instant::from_micros(0);

/// Calls `first` and `second` in turn: `first` an interval later, `second` a round trip after that.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a loop of its own for each case, as in the caller's program")]
pub(crate) fn beat<S, P, Q>(
    times: u64,
    state: &mut S,
    first: impl Fn(&mut S, Instant) -> P,
    second: impl Fn(&mut S, Instant) -> Q,
) {
    black_box(&mut *state);
    let mut now = START;
    for _ in 0..times {
        now = now.saturating_add(INTERVAL);
        black_box(first(state, now));
        now = now.saturating_add(ROUND_TRIP);
        black_box(second(state, now));
    }
}

fn new_machine() -> Machine {
    Machine::eio4_server(Heartbeat::DEFAULT, Liveness::default(), START)
}

#[inline(never)]
pub(crate) fn bare(times: u64) {
    beat(times, &mut (), |(), now| now, |(), now| now);
}

#[inline(never)]
fn bare_with_deadlines(times: u64) {
    beat(times, &mut (), |(), now| (black_box(now), now), |(), now| (black_box(now), now));
}

#[inline(never)]
fn machine(times: u64) {
    let mut machine = new_machine();
    let answer = black_box(PacketType::Pong);
    beat(times, &mut machine, Machine::handle_timeout, |machine, now| machine.handle_packet(now, answer));
    assert_eq!(machine.rtt(), Some(ROUND_TRIP));
}

#[inline(never)]
fn machine_with_deadlines(times: u64) {
    let mut machine = new_machine();
    let answer = black_box(PacketType::Pong);
    let timeout =
        |machine: &mut Machine, now| (black_box(machine.handle_timeout(now)), machine.poll_timeout());
    beat(times, &mut machine, timeout, |machine, now| {
        let reaction = machine.handle_packet(now, answer);
        (black_box(reaction), machine.poll_timeout())
    });
    assert_eq!(machine.rtt(), Some(ROUND_TRIP));
}

#[inline(never)]
fn server(times: u64) {
    let mut session = ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), START);
    let timeout = |session: &mut ServerSession, now| {
        session.handle_timeout(now);
        session.poll_transmit()
    };
    beat(times, &mut session, timeout, |session, now| {
        black_box(session.handle_packet(now, v4::decode(WebSocketMessage::Text(black_box("3")))));
    });
    assert_eq!(session.rtt(), Some(ROUND_TRIP));
}

#[inline(never)]
fn client(times: u64) {
    const OPEN: &str =
        r#"0{"sid":"Qd3cV1","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    let mut session = ClientSession::eio4(Duration::from_secs(10), START);
    session.handle_packet(START, v4::decode(WebSocketMessage::Text(OPEN)));
    let packet = |session: &mut ClientSession, now| {
        black_box(session.handle_packet(now, v4::decode(WebSocketMessage::Text(black_box("2")))));
    };
    beat(times, &mut session, packet, |session, _| session.poll_transmit());
    assert!(session.is_open() && session.last_seen() > START);
}
