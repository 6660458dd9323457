//! [`Machine`] takes the steps of its model: see [`steps`](crate::steps).

extern crate std;

use std::format;
use std::string::{String, ToString as _};

use super::*;
use crate::steps::{duration, instant};

/// The interval, the timeout and, so that it is quick, the number of machines. `EIO_STEPS` takes their place.
const FEW: &str = "25000 20000 120";

/// A role as the model names it, its rules, and how its machines begin.
struct Role {
    name: &'static str,
    rules: &'static Rules,
    new: fn(Heartbeat, Liveness, Instant) -> Machine,
    /// Of a client, which waits for its handshake first.
    opening: Option<fn(Instant, Instant) -> Machine>,
}

#[test]
#[ignore = "needs Python: `cargo xtask test rules-proof`"]
fn an_eio4_server_takes_the_steps_of_the_model() {
    let new = Machine::eio4_server;
    compare(&Role { name: "server4", rules: &eio4::SERVER, new, opening: None });
}

#[test]
#[ignore = "needs Python: `cargo xtask test rules-proof`"]
fn an_eio4_client_takes_the_steps_of_the_model() {
    let new = |heartbeat, _, now| Machine::eio4_client(heartbeat, now);
    compare(&Role {
        name: "client4",
        rules: &eio4::CLIENT,
        new,
        opening: Some(Machine::eio4_client_opening),
    });
}

#[test]
#[ignore = "needs Python: `cargo xtask test rules-proof`"]
fn an_eio3_server_takes_the_steps_of_the_model() {
    let new = Machine::eio3_server;
    compare(&Role { name: "server3", rules: &eio3::SERVER, new, opening: None });
}

#[test]
#[ignore = "needs Python: `cargo xtask test rules-proof`"]
fn an_eio3_client_takes_the_steps_of_the_model() {
    let new = |heartbeat, _, now| Machine::eio3_client(heartbeat, now);
    compare(&Role {
        name: "client3",
        rules: &eio3::CLIENT,
        new,
        opening: Some(Machine::eio3_client_opening),
    });
}

fn compare(role: &Role) {
    let extent = std::env::var("EIO_STEPS").unwrap_or_else(|_| FEW.to_string());
    let mut before = (role.new)(Heartbeat::DEFAULT, Liveness::PongOnly, instant(0));
    crate::steps::compare(&format!("heartbeat {} {extent}", role.name), |call, arguments| {
        match (call, arguments) {
            ("machine", _) => {
                before = from_fields(role.rules, arguments);
                before.poll_timeout().map_or_else(|| "None".to_string(), |at| at.as_micros().to_string())
            }
            ("is_expired", &[now]) => {
                if before.is_expired(instant(now)) { "True" } else { "False" }.to_string()
            }
            _ => {
                let (outcome, after) = take(role, &before, call, arguments);
                assert!(core::ptr::eq(after.rules, role.rules), "{call} has the rules of another role");
                format!("{outcome} {}", fields(&after))
            }
        }
    });
}

/// Constructs a machine or calls one. Returns what the caller has to do, and the machine that follows.
fn take(role: &Role, before: &Machine, call: &str, arguments: &[u128]) -> (String, Machine) {
    let mut machine = before.clone();
    let now = instant(arguments.first().copied().unwrap_or_default());
    let mut outcome = "None".to_string();
    match (call, arguments) {
        ("new", &[liveness, interval, timeout, now]) => {
            machine = (role.new)(heartbeat(interval, timeout), self::liveness(liveness), instant(now));
        }
        ("opening", &[_, now, open_by]) => {
            machine = role.opening.expect("a client's")(instant(now), instant(open_by));
        }
        ("open", &[_, interval, timeout]) => machine.open(now, heartbeat(interval, timeout)),
        ("handle_timeout", _) => {
            outcome = machine.handle_timeout(now).map_or(outcome, |due| format!("{due:?}"));
        }
        ("handle_packet", &[_, packet]) => {
            outcome = format!("{:?}", machine.handle_packet(now, packet_type(packet)));
        }
        ("handle_activity", _) => machine.handle_activity(now),
        ("handle_ping_sent", _) => machine.handle_ping_sent(now),
        ("handle_reading_paused", &[_, length]) => machine.handle_reading_paused(now, duration(length)),
        ("handle_reading_resumed", _) => machine.handle_reading_resumed(now),
        ("begin_close", &[_, length]) => machine.begin_close(now, duration(length)),
        ("end", _) => machine.end(now),
        ("handle_clock", _) => machine.handle_clock(now),
        ("with_first_ping_after", &[_, length]) => machine = machine.with_first_ping_after(duration(length)),
        ("cap_timeout", &[_, length]) => machine.cap_timeout(duration(length)),
        _ => panic!("no such call: {call} {arguments:?}"),
    }
    (outcome, machine)
}

/// Returns the machine that has these fields, in the order of [`fields`].
fn from_fields(rules: &'static Rules, fields: &[u128]) -> Machine {
    let &[liveness, phase, stalled, extended, interval, timeout, rtt, clock, timer, mark, last_seen] = fields
    else {
        panic!("{} fields", fields.len());
    };
    Machine {
        phase: PHASES[usize::try_from(phase).unwrap()],
        stalled: stalled == 1,
        liveness: self::liveness(liveness),
        extended: extended == 1,
        interval_millis: millis(interval),
        timeout_millis: millis(timeout),
        rtt_micros: millis(rtt),
        rules,
        clock: Clock::new(instant(clock)),
        timer: instant(timer),
        mark: instant(mark),
        last_seen: instant(last_seen),
    }
}

/// Every field but the rules, as the model's program writes them.
fn fields(machine: &Machine) -> String {
    // A field that is added does not compile here, until the model has it.
    let &Machine {
        phase,
        stalled,
        liveness,
        extended,
        interval_millis,
        timeout_millis,
        rtt_micros,
        rules: _,
        clock,
        timer,
        mark,
        last_seen,
    } = machine;
    let liveness = Liveness::ALL.iter().position(|each| *each == liveness).unwrap();
    let phase = PHASES.iter().position(|each| *each == phase).unwrap();
    let [clock, timer, mark, last_seen] =
        [clock.latest_seen(), timer, mark, last_seen].map(Instant::as_micros);
    format!(
        "{liveness} {phase} {} {} {interval_millis} {timeout_millis} {rtt_micros} {clock} {timer} {mark} {last_seen}",
        u8::from(stalled),
        u8::from(extended)
    )
}

/// The phases as the model numbers them.
const PHASES: [Phase; 7] = [
    Phase::PingDue,
    Phase::PingDueStalled,
    Phase::Awaiting,
    Phase::Listening,
    Phase::Closing,
    Phase::Opening,
    Phase::Ended,
];

fn liveness(number: u128) -> Liveness {
    Liveness::ALL[usize::try_from(number).unwrap()]
}

fn packet_type(number: u128) -> PacketType {
    PacketType::from_digit(u8::try_from(number).unwrap()).unwrap()
}

fn heartbeat(interval: u128, timeout: u128) -> Heartbeat {
    Heartbeat::from_millis(millis(interval), millis(timeout)).unwrap()
}

fn millis(number: u128) -> u32 {
    u32::try_from(number).unwrap()
}
