//! The lives that the models' own tests draw at random, drawn from the fuzzer's bytes: each byte decides about one thing,
//! so that a change of one byte changes little.

use core::fmt::Debug;

use arbitrary::{Result, Unstructured};
use eio_core::packet::PacketType;
use eio_core::{Heartbeat, Liveness};
use eio_tests::times::{LAST_SAFE, Micros, Span, When};
use proptest::test_runner::TestCaseError;

use crate::mutate;
use crate::shared::legacy_model;
use crate::shared::model::tables::Role;
use crate::shared::model::{machine, session, upgrade};

/// The models work the whole past out again after each call.
const MAX_CALLS: usize = 64;

/// Lets a model judge a life, if the bytes were enough for one.
pub(crate) fn judge<L: Debug>(life: Result<L>, compare: impl FnOnce(&L) -> Result<(), TestCaseError>) {
    let Ok(life) = life else { return };
    if let Err(error) = compare(&life) {
        panic!("{error}\n{life:?}");
    }
}

/// A life of `heartbeat::Machine`.
pub(crate) fn of_machine(bytes: &mut Unstructured<'_>) -> Result<machine::Life> {
    use machine::Op;
    Ok(machine::Life {
        role: *bytes.choose(&Role::ALL)?,
        liveness: *bytes.choose(&Liveness::ALL)?,
        heartbeat: heartbeat(bytes)?,
        epoch: epoch(bytes)?,
        calls: calls(bytes, |bytes| {
            Ok(match bytes.int_in_range(0..=9_u8)? {
                0..=2 => Op::Timeout,
                3 => Op::PingSent,
                4..=6 => {
                    // A `close` ends a session; a machine does not handle it.
                    let packet = packet_type(bytes)?;
                    Op::Packet(if packet == PacketType::Close { PacketType::Noop } else { packet })
                }
                7 => Op::Activity,
                8 => Op::Pause(span(bytes)?),
                _ => Op::Resume,
            })
        }),
    })
}

/// A life of a `ServerSession` or a `ClientSession`.
pub(crate) fn of_session(bytes: &mut Unstructured<'_>) -> Result<session::Life> {
    Ok(session::Life {
        role: *bytes.choose(&Role::ALL)?,
        liveness: *bytes.choose(&Liveness::ALL)?,
        heartbeat: heartbeat(bytes)?,
        epoch: epoch(bytes)?,
        open_timeout: span(bytes)?,
        timeout_at_most: if bytes.ratio(1_u8, 4)? { Some(span(bytes)?) } else { None },
        calls: calls(bytes, session_op),
    })
}

fn session_op(bytes: &mut Unstructured<'_>) -> Result<session::Op> {
    use session::{CLOSE_CODES, GARBAGE, Op, TEXTS, VIOLATIONS};
    Ok(match bytes.int_in_range(0..=23_u8)? {
        0..=2 => Op::Timeout,
        3 => Op::PingSent,
        4..=7 => Op::Packet(packet_type(bytes)?, bytes.choose_index(TEXTS.len())?),
        8 => Op::Binary,
        9 => Op::Handshake,
        10 => Op::BinaryOpen,
        11 => Op::Garbage(bytes.choose_index(GARBAGE.len())?),
        12 => Op::Activity,
        13 => Op::Pause(span(bytes)?),
        14 => Op::Resume,
        15 => Op::Close(span(bytes)?),
        16 => Op::Panicked(span(bytes)?),
        17 => Op::Closed,
        18 => Op::TransportClosed,
        19 => Op::CloseFrame(bytes.choose_index(CLOSE_CODES.len())?),
        20 => Op::TransportReset,
        21 => Op::TransportError,
        22 => Op::Violation(bytes.choose_index(VIOLATIONS.len())?),
        _ => Op::Transmit,
    })
}

/// A life of a `ServerUpgrade` or a `ClientUpgrade`.
pub(crate) fn of_upgrade(bytes: &mut Unstructured<'_>) -> Result<upgrade::Life> {
    use upgrade::{Op, Text};
    Ok(upgrade::Life {
        is_server: bytes.arbitrary()?,
        timeout: match bytes.int_in_range(0..=4_u8)? {
            0 => 10_000_000,
            1 => 1_000_000,
            2 => 100_000,
            3 => bytes.arbitrary::<u8>()?.into(),
            // Longer ones count as endless, which the model does not know.
            _ => bytes.arbitrary::<Micros>()?.min(LAST_SAFE),
        },
        epoch: epoch(bytes)?,
        calls: calls(bytes, |bytes| {
            Ok(match bytes.int_in_range(0..=11_u8)? {
                0..=2 => Op::Timeout,
                3..=5 => Op::Transmit,
                6 | 7 => {
                    Op::Packet(packet_type(bytes)?, *bytes.choose(&[Text::Probe, Text::Empty, Text::Other])?)
                }
                8 => Op::Paused,
                9 => Op::Binary(packet_type(bytes)?),
                10 => Op::Garbage,
                _ => *bytes.choose(&[Op::TransportClosed, Op::SessionEnded])?,
            })
        }),
    })
}

/// A life of the timers of Socket.IO 0.9.
pub(crate) fn of_timers(bytes: &mut Unstructured<'_>) -> Result<legacy_model::Life> {
    use legacy_model::{Kind, Life, Op, Periods};
    let kind =
        *bytes.choose(&[Kind::Server, Kind::PollingServer, Kind::Client(false), Kind::Client(true)])?;
    let mut period = || {
        Ok(match bytes.int_in_range(0..=3_u8)? {
            0 => 1_000,
            1 => 60_000_000,
            2 => 1_000 * Micros::from(u32::MAX),
            _ => 1_000 * (1 + Micros::from(bytes.arbitrary::<u8>()?)),
        })
    };
    let periods = Periods { interval: period()?, heartbeat: period()?, close: period()?, polling: period()? };
    let epoch = epoch(bytes)?;
    let ops = [Op::Timeout, Op::Timeout, Op::Alive, Op::Answered, Op::End];
    let calls = calls(bytes, |bytes| Ok(*bytes.choose(&ops)?));
    Ok(Life { kind, periods, epoch, calls })
}

fn calls<'d, O>(
    bytes: &mut Unstructured<'d>,
    mut op: impl FnMut(&mut Unstructured<'d>) -> Result<O>,
) -> Vec<(When, O)> {
    let mut calls = Vec::new();
    while !bytes.is_empty() && calls.len() < MAX_CALLS {
        match (when(bytes), op(bytes)) {
            (Ok(when), Ok(op)) => calls.push((when, op)),
            _ => break,
        }
    }
    calls
}

fn packet_type(bytes: &mut Unstructured<'_>) -> Result<PacketType> {
    Ok(PacketType::from_digit(bytes.int_in_range(0..=6)?).expect("below 7"))
}

fn when(bytes: &mut Unstructured<'_>) -> Result<When> {
    Ok(match bytes.int_in_range(0..=9_u8)? {
        0..=3 => When::After(span(bytes)?),
        4 => When::Deadline(0),
        5 => When::Deadline(-1),
        6 => When::Deadline(1),
        7 => When::Deadline(bytes.arbitrary::<i16>()?.into()),
        8 => When::LongAfterDeadline(span(bytes)?),
        _ => When::Before(span(bytes)?),
    })
}

fn span(bytes: &mut Unstructured<'_>) -> Result<Span> {
    Ok(match bytes.int_in_range(0..=4_u8)? {
        0 => Span::Micros(0),
        1 | 2 => {
            Span::Sum(bytes.int_in_range(0..=2)?, bytes.int_in_range(0..=4)?, bytes.int_in_range(-1..=1)?)
        }
        3 => Span::Part(bytes.arbitrary()?),
        _ => Span::Micros(1 << bytes.int_in_range(0..=43_u8)?),
    })
}

fn heartbeat(bytes: &mut Unstructured<'_>) -> Result<Heartbeat> {
    const MOST: u32 = 0x7fff_ffff;
    let pairs = [
        (25_000, 20_000),
        (1, 1),
        (3, 2),
        (2, 3),
        (300, 200),
        (1, MOST - 1),
        (MOST - 1, 1),
        (MOST / 2, MOST / 2),
    ];
    let (interval, timeout) = match bytes.int_in_range(0..=8_u8)? {
        8 => (bytes.int_in_range(1..=MOST / 2)?, bytes.int_in_range(1..=MOST / 2)?),
        pair => pairs[usize::from(pair)],
    };
    Ok(Heartbeat::from_millis(interval, timeout).expect("a valid pair"))
}

fn epoch(bytes: &mut Unstructured<'_>) -> Result<Micros> {
    Ok(match bytes.int_in_range(0..=5_u8)? {
        0 | 1 => 0,
        2 => 1 << 63,
        3 => LAST_SAFE,
        4 => LAST_SAFE - 1_000 * Micros::from(bytes.arbitrary::<u32>()?),
        _ => bytes.arbitrary()?,
    })
}

/// Bytes that mean nothing: there are no recordings of calls.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    (1..=16_u64).map(|seed| mutate::noise(seed, 1 << (5 + seed / 4))).collect()
}
