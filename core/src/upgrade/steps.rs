//! [`ServerUpgrade`] and [`ClientUpgrade`] take the steps of their models: see [`steps`](crate::steps).

extern crate std;

use std::format;
use std::string::{String, ToString as _};

use super::*;
use crate::packet::DecodeErrorKind;
use crate::steps::{compare, duration, instant};

#[test]
#[ignore = "needs Python: `cargo xtask test rules-proof`"]
fn the_servers_side_of_an_upgrade_takes_the_steps_of_the_model() {
    let mut before = ServerUpgrade::new(Duration::ZERO, instant(0));
    compare("upgrade server", |call, arguments| {
        if let ("machine", &[clock, deadline, probed, next_noop, pong, noop, outcome]) = (call, arguments) {
            before = ServerUpgrade {
                clock: Clock::new(instant(clock)),
                deadline: instant(deadline),
                next_noop: (probed == 1).then(|| instant(next_noop)),
                pong_pending: pong == 1,
                noop_pending: noop == 1,
                outcome: ENDINGS[usize::try_from(outcome).unwrap()],
            };
            return deadline_of(before.poll_timeout());
        }
        let mut upgrade = before.clone();
        let mut written = None;
        match (call, arguments) {
            ("new", &[timeout, now]) => upgrade = ServerUpgrade::new(duration(timeout), instant(now)),
            ("handle_packet", &[now, sent]) => upgrade.handle_packet(instant(now), packet(sent)),
            ("handle_transport_closed", _) => upgrade.handle_transport_closed(),
            ("handle_session_ended", _) => upgrade.handle_session_ended(),
            ("handle_timeout", &[now]) => upgrade.handle_timeout(instant(now)),
            ("poll_transmit", _) => written = upgrade.poll_transmit(),
            _ => panic!("no such call: {call} {arguments:?}"),
        }
        let ServerUpgrade { clock, deadline, next_noop, pong_pending, noop_pending, outcome } = upgrade;
        let next_noop = next_noop.map_or_else(|| "0 0".to_string(), |at| format!("1 {}", at.as_micros()));
        format!(
            "{} {} {} {next_noop} {} {} {}",
            name(written),
            clock.latest_seen().as_micros(),
            deadline.as_micros(),
            u8::from(pong_pending),
            u8::from(noop_pending),
            ending(outcome)
        )
    });
}

#[test]
#[ignore = "needs Python: `cargo xtask test rules-proof`"]
fn the_clients_side_of_an_upgrade_takes_the_steps_of_the_model() {
    const PENDING: [Option<UpgradeControl>; 3] =
        [None, Some(UpgradeControl::PingProbe), Some(UpgradeControl::Upgrade)];
    let mut before = ClientUpgrade::new(Duration::ZERO, instant(0));
    compare("upgrade client", |call, arguments| {
        if let ("machine", &[clock, deadline, pausing, pending, outcome]) = (call, arguments) {
            before = ClientUpgrade {
                clock: Clock::new(instant(clock)),
                deadline: instant(deadline),
                step: match ENDINGS[usize::try_from(outcome).unwrap()] {
                    Some(outcome) => Step::Ended(outcome),
                    None if pausing == 1 => Step::Pause,
                    None => Step::Pong,
                },
                pending: PENDING[usize::try_from(pending).unwrap()],
            };
            return deadline_of(before.poll_timeout());
        }
        let mut upgrade = before.clone();
        let mut written = None;
        match (call, arguments) {
            ("new", &[timeout, now]) => upgrade = ClientUpgrade::new(duration(timeout), instant(now)),
            ("handle_packet", &[now, sent]) => upgrade.handle_packet(instant(now), packet(sent)),
            ("handle_polling_paused", &[now]) => upgrade.handle_polling_paused(instant(now)),
            ("handle_transport_closed", _) => upgrade.handle_transport_closed(),
            ("handle_session_ended", _) => upgrade.handle_session_ended(),
            ("handle_timeout", &[now]) => upgrade.handle_timeout(instant(now)),
            ("poll_transmit", _) => written = upgrade.poll_transmit(),
            _ => panic!("no such call: {call} {arguments:?}"),
        }
        let (pausing, outcome) = (upgrade.wants_pause(), upgrade.outcome());
        let ClientUpgrade { clock, deadline, step: _, pending } = upgrade;
        format!(
            "{} {} {} {} {} {}",
            name(written),
            clock.latest_seen().as_micros(),
            deadline.as_micros(),
            u8::from(pausing),
            PENDING.iter().position(|each| *each == pending).unwrap(),
            ending(outcome)
        )
    });
}

/// How an upgrade ended, as the models number it.
const ENDINGS: [Option<UpgradeOutcome>; 6] = [
    None,
    Some(UpgradeOutcome::Upgraded),
    Some(UpgradeOutcome::Failed(UpgradeFailure::Timeout)),
    Some(UpgradeOutcome::Failed(UpgradeFailure::UnexpectedPacket)),
    Some(UpgradeOutcome::Failed(UpgradeFailure::TransportClosed)),
    Some(UpgradeOutcome::Failed(UpgradeFailure::SessionEnded)),
];

fn ending(outcome: Option<UpgradeOutcome>) -> usize {
    ENDINGS.iter().position(|each| *each == outcome).unwrap()
}

/// What can come on the candidate, as the models number it.
fn packet(number: u128) -> Result<Packet<'static>, DecodeError> {
    const UNREADABLE: DecodeError = DecodeError { at: 0, kind: DecodeErrorKind::Empty };
    let other = |packet_type| Ok(Packet::text(packet_type, "x"));
    match number {
        0 => Ok(Packet::PING_PROBE),
        1 => Ok(Packet::PONG_PROBE),
        2 => Ok(Packet::UPGRADE),
        3 => Ok(Packet::PING),
        4 => Ok(Packet::PONG),
        5 => Ok(Packet::NOOP),
        6 => Err(UNREADABLE),
        7 => other(PacketType::Upgrade),
        8 => other(PacketType::Ping),
        9 => other(PacketType::Pong),
        10 => other(PacketType::Open),
        11 => other(PacketType::Close),
        12 => other(PacketType::Message),
        _ => panic!("no such packet: {number}"),
    }
}

fn name(written: Option<UpgradeControl>) -> String {
    written.map_or_else(|| "None".to_string(), |control| format!("{control:?}"))
}

fn deadline_of(at: Option<Instant>) -> String {
    at.map_or_else(|| "None".to_string(), |at| at.as_micros().to_string())
}
