//! Revision 3: the client pings. I is `ping_interval`, T is `ping_timeout`, and `now` is the time at which the input is
//! handled.
//!
//! # Server
//!
//! | state | input | deadline for silence | outcome |
//! |---|---|---|---|
//! | new | opened | now + I + T | |
//! | open | `ping`, with any payload | now + I + T | pong, always bare |
//! | open | other packets | unchanged; `AnyPacket`: now + I + T | |
//! | open | `pong` | – | wrong direction |
//! | open, closing | deadline due | – | ping timeout |
//! | closing | any packet | now + I + T | |
//!
//! `ExtendOnce` is the same as `PongOnly` here, because the server never has a ping outstanding. An upgrade does not
//! change the deadline. The reference servers lose it during an upgrade, and some never set it again (B2).
//!
//! # Client
//!
//! | state | input | next ping | deadline for silence | outcome |
//! |---|---|---|---|---|
//! | opening | `open` | now + I | off | |
//! | open | next ping due | off | now + T | ping |
//! | ping outstanding | `pong` | now + I | now + I + T | answered, with its RTT |
//! | ping outstanding | the ping leaves only now | unchanged | not before now + T | |
//! | open | any other packet, and a `pong` that no ping awaits | unchanged | now + I + T | |
//! | open, closing | deadline due | – | – | ping timeout |
//! | closing | any packet | off | now + I + T | nothing is written |
//!
//! A ping leaves late where it has to wait for the server: on long-polling, for the answer to the post before it. A
//! [session](crate::ClientSession::poll_transmit) does not take a pong that arrives before its ping has left for the answer.
//!
//! A ping is sent once: without its pong, no other ping follows. In this revision messages count as a sign of life for
//! a client, as they do in the reference. A pong that no ping awaits does not postpone the next ping. In the reference
//! it does, so a server that sends pongs unasked can silence its clients.

use super::rules::Rules;
use super::{Machine, Phase, Reaction};
use crate::Liveness;
use crate::packet::PacketType;
use crate::time::Instant;

pub(super) static SERVER: Rules =
    Rules { opened: Machine::listen, resumed: Machine::listen, packet: server_packet };

pub(super) static CLIENT: Rules =
    Rules { opened: Machine::begin_pinging, resumed: Machine::resume_pinging, packet: client_packet };

fn server_packet(machine: &mut Machine, now: Instant, packet: PacketType) -> Reaction {
    match packet {
        // No pong follows, so the client may ping no more. Every packet shows that it lives.
        _ if machine.phase == Phase::Closing => {
            machine.allow_silence(now, machine.sum_millis());
            Reaction::None
        }
        PacketType::Ping => {
            machine.allow_silence(now, machine.sum_millis());
            Reaction::Pong
        }
        PacketType::Pong => Reaction::WrongDirection,
        // Rule 13: the server has chosen which packets count.
        _ => {
            if machine.liveness == Liveness::AnyPacket {
                machine.count_packet(now);
            }
            Reaction::None
        }
    }
}

fn client_packet(machine: &mut Machine, now: Instant, packet: PacketType) -> Reaction {
    match machine.phase {
        Phase::Awaiting if packet == PacketType::Pong => {
            machine.measure(now);
            machine.schedule_ping(now.add_micros(machine.interval_micros()));
            Reaction::Answered
        }
        // Rule 11: a pong that no ping awaits is one of these, and leaves the next ping where it is.
        _ => {
            machine.count_packet(now);
            Reaction::None
        }
    }
}
