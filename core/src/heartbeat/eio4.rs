//! Revision 4: the server pings. I is `ping_interval`, T is `ping_timeout`, and `now` is the time at which the input is
//! handled.
//!
//! # Server
//!
//! | state | input | next ping | deadline for silence | outcome |
//! |---|---|---|---|---|
//! | new | opened | now + I | off | |
//! | open | next ping due | off | now + T | ping |
//! | ping outstanding | `pong`, with any payload | min(now + I, ping + I + T/2), not before now | off; `AnyPacket`: now + I + T | answered, with its RTT |
//! | open | `pong` that no ping awaits | unchanged | unchanged; `AnyPacket`: now + I + T | |
//! | ping outstanding | the ping leaves only now | unchanged | not before now + T | |
//! | ping outstanding | first other packet since the ping | unchanged | `ExtendOnce`: now + T; `AnyPacket`: now + I + T | |
//! | open | other packets | unchanged | unchanged; `AnyPacket`: now + I + T | |
//! | open | `ping` | – | – | wrong direction |
//! | open, closing | deadline due | – | – | ping timeout |
//! | closing | any packet | – | now + I + T | |
//! | closing | next ping due | off | now + T | nothing is written |
//!
//! A ping leaves late where it has to wait for the client: on long-polling, for the next poll. From then on the client has
//! its whole T, and `ping` in the table is the time at which the ping left. A
//! [session](crate::ServerSession::poll_transmit) does not take a pong that arrives before its ping has left for the answer.
//!
//! Two rules differ from the reference server on purpose. First, a pong that no ping awaits moves no timer. Otherwise a
//! client that sends pongs more often than every I would never be pinged (B4). Second, the next ping is also timed from
//! the previous ping. A client that `ExtendOnce` has just saved waits at most I + T between two pings, and would give
//! up before a ping that comes I after a late pong.
//!
//! Worst cases: silence is noticed I + T after the last heartbeat, I + 2T after it if another packet arrived after the
//! ping (`ExtendOnce`), and I + T after the last packet of any type (`AnyPacket`).
//!
//! # Client
//!
//! | state | input | deadline for silence | outcome |
//! |---|---|---|---|
//! | opening | `open` | now + I + T | |
//! | open | `ping`, with any payload | now + I + T | pong |
//! | open | any other packet | unchanged | |
//! | closing | `ping` | now + I + T | nothing is written |
//! | open, closing | deadline due | – | ping timeout |
//!
//! Messages do not count: the server promised a ping every interval, and a server that stopped pinging is broken even
//! if it still sends.

use super::rules::Rules;
use super::{Machine, Phase, Reaction};
use crate::Liveness;
use crate::packet::PacketType;
use crate::time::Instant;

pub(super) static SERVER: Rules =
    Rules { opened: Machine::begin_pinging, resumed: Machine::resume_pinging, packet: server_packet };

pub(super) static CLIENT: Rules =
    Rules { opened: Machine::listen, resumed: Machine::listen, packet: client_packet };

fn server_packet(machine: &mut Machine, now: Instant, packet: PacketType) -> Reaction {
    let awaiting = machine.phase == Phase::Awaiting;
    match packet {
        PacketType::Pong if awaiting => {
            // Rule 11: the earlier of pong + I and ping + I + T/2, and not before now.
            let round_trip = machine.measure(now);
            let interval = machine.interval_micros();
            let half_timeout = u64::from(machine.timeout_millis).saturating_mul(500);
            // The part of the round trip beyond T/2 is subtracted from the wait: the next ping is due I + T/2 after
            // this one.
            let late = round_trip.saturating_sub(half_timeout);
            machine.schedule_ping(now.add_micros(interval.saturating_sub(late)));
            Reaction::Answered
        }
        // No ping follows whose answer would show that the client lives. So every packet shows it.
        _ if machine.phase == Phase::Closing => {
            machine.allow_silence(now, machine.sum_millis());
            Reaction::None
        }
        PacketType::Ping => Reaction::WrongDirection,
        // Rule 11: a pong that no ping awaits is one of these, too.
        _ => {
            // Rule 13: the server has chosen which packets count.
            match machine.liveness {
                Liveness::AnyPacket => machine.count_packet(now),
                Liveness::ExtendOnce if awaiting && !machine.extended => {
                    machine.extended = true;
                    machine.allow_silence(now, machine.timeout_millis);
                }
                Liveness::ExtendOnce | Liveness::PongOnly => {}
            }
            Reaction::None
        }
    }
}

fn client_packet(machine: &mut Machine, now: Instant, packet: PacketType) -> Reaction {
    if packet != PacketType::Ping {
        return Reaction::None;
    }
    machine.allow_silence(now, machine.sum_millis());
    if machine.phase == Phase::Closing { Reaction::None } else { Reaction::Pong }
}
