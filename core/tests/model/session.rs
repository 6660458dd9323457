//! `ServerSession` and `ClientSession` beside the tables: every packet, every end, every control packet.

use core::time::Duration;

use eio_core::handshake::{Handshake, Sid};
use eio_core::packet::{Data, DecodeError, Packet, PacketType, WebSocketMessage, v3, v4};
use eio_core::session::{CheckSendError, Control, SessionEnd, Violation};
use eio_core::ws::{Close, CloseCode};
use eio_core::{ClientSession, DisconnectReason, Heartbeat, Instant, Liveness, ServerSession, SessionEvent};
use proptest::prelude::*;

use super::machine::saturated;
use super::mistakes::Mistake;
use super::tables::{Cause, Input, Model, Owed, Phase, Role, Said};
use super::times::{
    LAST_SAFE, Micros, Span, When, at, epoch, heartbeat, lasting, liveness, periods, probes, span, when,
};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    /// A packet with one of the [`TEXTS`] as its data.
    Packet(PacketType, usize),
    /// A message of bytes.
    Binary,
    /// An `open` packet with the handshake of the session.
    Handshake,
    /// An `open` packet of bytes.
    BinaryOpen,
    /// One of the [`GARBAGE`] frames.
    Garbage(usize),
    Activity,
    Timeout,
    PingSent,
    Pause(Span),
    Resume,
    Close(Span),
    Panicked(Span),
    Closed,
    TransportClosed,
    /// One of the [`CLOSE_CODES`].
    CloseFrame(usize),
    TransportReset,
    TransportError,
    Violation(usize),
    Transmit,
}

pub(crate) const TEXTS: [&str; 4] = ["", "probe", "hello", r#"{"sid":"x"}"#];
pub(crate) const GARBAGE: [WebSocketMessage<'static>; 3] =
    [WebSocketMessage::Text(""), WebSocketMessage::Text("7"), WebSocketMessage::Text("b*")];
pub(crate) const VIOLATIONS: [Violation; 4] = [
    Violation::PayloadTooLarge,
    Violation::OverlappingRequests,
    Violation::ContentType,
    Violation::WebSocket,
];

/// 1005 stands for a close frame without a code.
pub(crate) const CLOSE_CODES: [u16; 3] = [1005, 1000, 4999];

/// One session's life.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) role: Role,
    pub(crate) liveness: Liveness,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) epoch: Micros,
    pub(crate) open_timeout: Span,
    pub(crate) timeout_at_most: Option<Span>,
    pub(crate) calls: Vec<(When, Op)>,
}

pub(crate) fn life() -> impl Strategy<Value = Life> {
    // Most lives of a client are spent in an open session.
    let opens = proptest::bool::weighted(0.9);
    let client = (span(), proptest::option::weighted(0.2, span()), opens);
    let role = proptest::sample::select(&Role::ALL[..]);
    let calls = role.prop_flat_map(|role| (Just(role), proptest::collection::vec((when(), op(role)), 1..60)));
    (calls, liveness(), heartbeat(), epoch(), client).prop_map(
        |((role, mut calls), liveness, heartbeat, epoch, (open_timeout, timeout_at_most, opens))| {
            if opens && !role.is_server() {
                calls.insert(0, (When::After(Span::Part(100)), Op::Handshake));
            }
            Life { role, liveness, heartbeat, epoch, open_timeout, timeout_at_most, calls }
        },
    )
}

fn op(role: Role) -> impl Strategy<Value = Op> {
    // The heartbeat packet that ends nothing comes often, the other one as rarely as anything that ends a session.
    let heartbeat = match role {
        Role::Server4 | Role::Client3 => PacketType::Pong,
        Role::Client4 | Role::Server3 => PacketType::Ping,
    };
    let text = 0..TEXTS.len();
    let any_packet = (0_u8..7, text.clone())
        .prop_map(|(digit, text)| Op::Packet(PacketType::from_digit(digit).expect("below 7"), text));
    let rare = prop_oneof![
        Just(Op::Handshake),
        Just(Op::BinaryOpen),
        (0..GARBAGE.len()).prop_map(Op::Garbage),
        Just(Op::TransportClosed),
        (0..CLOSE_CODES.len()).prop_map(Op::CloseFrame),
        Just(Op::TransportReset),
        Just(Op::TransportError),
        (0..VIOLATIONS.len()).prop_map(Op::Violation),
        any_packet,
    ];
    prop_oneof![
        30 => Just(Op::Timeout),
        20 => text.clone().prop_map(move |text| Op::Packet(heartbeat, text)),
        6 => text.prop_map(|text| Op::Packet(PacketType::Message, text)),
        2 => Just(Op::Binary),
        2 => Just(Op::Packet(PacketType::Noop, 0)),
        3 => Just(Op::Activity),
        2 => Just(Op::PingSent),
        4 => span().prop_map(Op::Pause),
        4 => Just(Op::Resume),
        2 => (span(), any::<bool>()).prop_map(|(allowance, panicked)| {
            if panicked { Op::Panicked(allowance) } else { Op::Close(allowance) }
        }),
        1 => Just(Op::Closed),
        12 => Just(Op::Transmit),
        3 => rare,
    ]
}

/// Either role behind the same verbs.
#[derive(Clone, Debug)]
enum Session {
    Server(ServerSession),
    Client(ClientSession),
}

macro_rules! either {
    ($session:expr, $inner:ident => $call:expr) => {
        match $session {
            Session::Server($inner) => $call,
            Session::Client($inner) => $call,
        }
    };
}

impl Session {
    fn new(life: &Life) -> Self {
        let now = at(life.epoch);
        let (interval, timeout) = periods(life.heartbeat);
        let open_timeout = lasting(life.open_timeout.micros(interval, timeout));
        let at_most = life.timeout_at_most.map(|span| lasting(span.micros(interval, timeout)));
        let client = |session: ClientSession| match at_most {
            Some(most) => Self::Client(session.with_ping_timeout_at_most(most)),
            None => Self::Client(session),
        };
        match life.role {
            Role::Server4 => Self::Server(ServerSession::eio4(life.heartbeat, life.liveness, now)),
            Role::Server3 => Self::Server(ServerSession::eio3(life.heartbeat, life.liveness, now)),
            Role::Client4 => client(ClientSession::eio4(open_timeout, now)),
            Role::Client3 => client(ClientSession::eio3(open_timeout, now)),
        }
    }

    /// Makes one call. What it says is put into the model's words.
    fn call(&mut self, now: Micros, op: Op, life: &Life) -> (Told, Option<Control>) {
        let now = at(now);
        let (interval, timeout) = periods(life.heartbeat);
        let span = |span: Span| lasting(span.micros(interval, timeout));
        let mut handshake = [0; Handshake::MAX_LEN];
        let sid = Sid::new("lv_VI97HAXpY6yYWAAAC").expect("a sid");
        let handshake = Handshake::new(sid, life.heartbeat).encode(&mut handshake).expect("room");
        let packet = match op {
            Op::Packet(packet_type, text) => Ok(Packet::text(packet_type, TEXTS[text])),
            Op::Binary => Ok(Packet::message(WebSocketMessage::Binary(&[1, 2]))),
            Op::Handshake => Ok(Packet::text(PacketType::Open, handshake)),
            Op::BinaryOpen => Ok(Packet { packet_type: PacketType::Open, data: Data::Binary(b"{}") }),
            Op::Garbage(which) => Err(garbage(life.role, which)),
            _ => Ok(Packet::NOOP),
        };
        match op {
            Op::Packet(..) | Op::Binary | Op::Handshake | Op::BinaryOpen | Op::Garbage(_) => {
                let data = packet.map(|packet| packet.data);
                let told = match either!(self, session => session.handle_packet(now, packet)) {
                    None => Told::Nothing,
                    Some(SessionEvent::Opened(told)) if told.heartbeat == life.heartbeat => Told::Opened,
                    Some(SessionEvent::Message(told)) if Ok(told) == data => Told::Message,
                    Some(SessionEvent::Heartbeat { rtt }) => Told::Heartbeat(rtt),
                    Some(event) => panic!("the wrong contents: {event:?}"),
                };
                return (told, None);
            }
            Op::Transmit => return (Told::Nothing, either!(self, session => session.poll_transmit())),
            Op::Activity => either!(self, session => session.handle_activity(now)),
            Op::Timeout => either!(self, session => session.handle_timeout(now)),
            Op::PingSent => either!(self, session => session.handle_ping_sent(now)),
            Op::Pause(allowance) => {
                either!(self, session => session.handle_reading_paused(now, span(allowance)));
            }
            Op::Resume => either!(self, session => session.handle_reading_resumed(now)),
            Op::Close(allowance) => either!(self, session => session.close(now, span(allowance))),
            Op::Panicked(allowance) => {
                either!(self, session => session.handle_application_panicked(now, span(allowance)));
            }
            Op::Closed => either!(self, session => session.handle_closed(now)),
            Op::TransportClosed => either!(self, session => session.handle_transport_closed(now)),
            Op::CloseFrame(which) => {
                let close = Close::new(CloseCode::new(CLOSE_CODES[which]), "bye").ok();
                either!(self, session => session.handle_close_frame(now, close));
            }
            Op::TransportReset => either!(self, session => session.handle_transport_reset(now)),
            Op::TransportError => either!(self, session => session.handle_transport_error(now)),
            Op::Violation(which) => {
                either!(self, session => session.handle_violation(now, VIOLATIONS[which]));
            }
        }
        (Told::Nothing, None)
    }

    fn look(&self) -> Look {
        either!(self, session => Look {
            deadline: session.poll_timeout(),
            end: session.end(),
            is_open: session.is_open(),
            has_ping_to_send: session.has_ping_to_send(),
            rtt: session.rtt(),
            last_seen: session.last_seen(),
        })
    }

    fn check_send(&self, now: Micros) -> Result<(), CheckSendError> {
        either!(self, session => session.check_send(at(now)))
    }

    fn is_expired(&self, now: Micros) -> bool {
        either!(self, session => session.is_expired(at(now)))
    }

    /// Returns how the session would end if it were told that it is `now`.
    fn end_after_timeout(&self, now: Micros) -> Option<SessionEnd> {
        let mut later = self.clone();
        either!(&mut later, session => {
            session.handle_timeout(at(now));
            session.end()
        })
    }
}

/// An event, without its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Opened,
    Message,
    Heartbeat(Option<Duration>),
}

/// All there is to see of a session without touching it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Look {
    deadline: Option<Instant>,
    end: Option<SessionEnd>,
    is_open: bool,
    has_ping_to_send: bool,
    rtt: Option<Duration>,
    last_seen: Instant,
}

fn garbage(role: Role, which: usize) -> DecodeError {
    let decoded = match role {
        Role::Server4 | Role::Client4 => v4::decode(GARBAGE[which]),
        Role::Server3 | Role::Client3 => v3::decode(GARBAGE[which]),
    };
    decoded.expect_err("no packet")
}

fn input(op: Op, life: &Life) -> Input {
    let (interval, timeout) = periods(life.heartbeat);
    let span = |span: Span| span.micros(interval, timeout);
    match op {
        Op::Packet(PacketType::Open, _) => Input::BadHandshake,
        Op::Packet(packet_type, _) => Input::Packet(packet_type),
        Op::Binary => Input::Packet(PacketType::Message),
        Op::Handshake => Input::Handshake(life.heartbeat),
        Op::BinaryOpen => Input::BinaryOpen,
        Op::Garbage(_) => Input::Garbage,
        Op::Activity => Input::Activity,
        Op::Timeout => Input::Wake,
        Op::PingSent => Input::PingSent,
        Op::Pause(allowance) => Input::Pause(span(allowance)),
        Op::Resume => Input::Resume,
        Op::Close(allowance) => Input::Close(span(allowance)),
        Op::Panicked(allowance) => Input::Panicked(span(allowance)),
        Op::Closed => Input::Closed,
        Op::TransportClosed => Input::TransportClosed,
        Op::CloseFrame(which) => Input::CloseFrame(CLOSE_CODES[which]),
        Op::TransportReset => Input::TransportReset,
        Op::TransportError => Input::TransportError,
        Op::Violation(_) => Input::Violation,
        Op::Transmit => Input::Take,
    }
}

/// Whether `reason` is `cause`, with the details that `op` determines.
fn is_reason(reason: DisconnectReason, cause: Cause, op: Op, role: Role) -> bool {
    match (cause, reason, op) {
        (Cause::LocalClose, DisconnectReason::LocalClose, _)
        | (Cause::Panicked, DisconnectReason::ApplicationPanicked, _)
        | (Cause::PeerClose, DisconnectReason::PeerClose, _)
        | (Cause::TransportClosed, DisconnectReason::TransportClosed, _)
        | (Cause::TransportReset, DisconnectReason::TransportReset, _)
        | (Cause::TransportError, DisconnectReason::TransportError, _)
        | (Cause::PingTimeout, DisconnectReason::PingTimeout, _)
        | (Cause::WrongDirection, DisconnectReason::WrongDirection, _)
        | (Cause::OpenTimeout, DisconnectReason::OpenTimeout, _)
        | (Cause::BadHandshake, DisconnectReason::BadHandshake(_), _)
        | (Cause::Unexpected, DisconnectReason::UnexpectedPacket, _)
        | (Cause::Stalled, DisconnectReason::ApplicationStalled, _) => true,
        (Cause::Garbage, DisconnectReason::ParseError(kind), Op::Garbage(which)) => {
            role.is_server() && kind == garbage(role, which).kind
        }
        (Cause::Garbage, DisconnectReason::ServerError(kind), Op::Garbage(which)) => {
            !role.is_server() && kind == garbage(role, which).kind
        }
        (Cause::Violation, DisconnectReason::Violation(violation), Op::Violation(which)) => {
            violation == VIOLATIONS[which]
        }
        _ => false,
    }
}

/// Lets one life happen to a session and to the model, and compares all there is to see after each call.
#[expect(clippy::too_many_lines, reason = "one comparison after another")]
pub(crate) fn compare(life: &Life, mistake: Mistake) -> Result<(), TestCaseError> {
    let (interval, timeout) = periods(life.heartbeat);
    let mut session = Session::new(life);
    let mut model = if life.role.is_server() {
        Model::open(life.role, life.liveness, life.heartbeat, life.epoch, mistake)
    } else {
        let open_timeout = life.open_timeout.micros(interval, timeout);
        // Whole milliseconds, and at least one.
        let at_most = life
            .timeout_at_most
            .map(|span| span.micros(interval, timeout).div_ceil(1_000).max(1).saturating_mul(1_000));
        Model::opening(life.role, open_timeout, at_most, life.epoch, mistake)
    };
    let mut expected = model.state();
    let mut previous = life.epoch;
    let mut latest = life.epoch;
    let mut the_end: Option<SessionEnd> = None;
    for &(when, op) in &life.calls {
        let now = when.micros(previous, expected.deadline(), interval, timeout);
        previous = now;
        latest = if matches!(op, Op::Transmit) { latest } else { latest.max(now) };
        model.happens(now, input(op, life));
        expected = model.state();

        let mut twin = session.clone();
        let said = session.call(now, op, life);
        prop_assert_eq!(said, twin.call(latest, op, life), "a clock that steps back stands still");

        let expected_said = match expected.said {
            Said::Opened => (Told::Opened, None),
            Said::Message => (Told::Message, None),
            Said::PingCame => (Told::Heartbeat(None), None),
            Said::Answered(rtt) => (Told::Heartbeat(Some(lasting(saturated(rtt).into()))), None),
            Said::Took(owed) => (Told::Nothing, owed.map(control)),
            Said::Nothing | Said::PingDue | Said::WrongDirection | Said::Ended(_) => (Told::Nothing, None),
        };
        prop_assert_eq!(said, expected_said, "{:?} at {}", op, now);

        let look = session.look();
        prop_assert_eq!(look, twin.look(), "a clock that steps back stands still");
        prop_assert_eq!(look.deadline, expected.deadline().map(at), "deadline after {:?} at {}", op, now);
        prop_assert_eq!(look.is_open, expected.phase == Phase::Open, "open after {:?} at {}", op, now);
        prop_assert_eq!(look.has_ping_to_send, expected.owes_ping(), "ping after {:?} at {}", op, now);
        prop_assert_eq!(look.rtt, expected.rtt.map(|rtt| lasting(saturated(rtt).into())));
        prop_assert_eq!(look.last_seen, at(expected.last_seen), "last seen after {:?} at {}", op, now);
        match (look.end, expected.end) {
            (Some(end), Some((cause, ended_at))) => {
                let reason = end.reason;
                prop_assert!(
                    the_end.is_some() || is_reason(reason, cause, op, life.role),
                    "{:?} instead of {:?} after {:?} at {}",
                    reason,
                    cause,
                    op,
                    now
                );
                prop_assert_eq!(end.silent_for, lasting(ended_at - expected.last_seen));
                prop_assert_eq!(end.close_code.map(CloseCode::as_u16), expected.close_code);
            }
            (end, expected_end) => {
                prop_assert!(
                    end.is_none() && expected_end.is_none(),
                    "{:?} instead of {:?} after {:?} at {}",
                    end,
                    expected_end,
                    op,
                    now
                );
            }
        }
        for probe in probes(expected.clock, expected.deadline()) {
            let may_send = match expected.phase {
                Phase::Opening => Err(CheckSendError::NotOpen),
                Phase::Open if expected.is_expired(probe) => Err(CheckSendError::Expired),
                Phase::Open => Ok(()),
                Phase::Closing | Phase::Ended => Err(CheckSendError::Closed),
            };
            prop_assert_eq!(session.check_send(probe), may_send, "at {}, after {:?} at {}", probe, op, now);
            // What has expired is what the next `handle_timeout` ends, and only that ends for silence.
            let is_expired = session.is_expired(probe);
            let end = session.end_after_timeout(probe).filter(|_| expected.phase != Phase::Ended);
            let is_silent = |end: SessionEnd| {
                matches!(end.reason, DisconnectReason::PingTimeout | DisconnectReason::OpenTimeout)
            };
            prop_assert!(!is_expired || end.is_some(), "expired at {}, after {:?} at {}", probe, op, now);
            prop_assert!(
                is_expired || !end.is_some_and(is_silent),
                "ended by silence, but not expired at {}, after {:?} at {}",
                probe,
                op,
                now
            );
        }

        keeps_the_rules(&session, op, said, the_end, latest, life)?;
        the_end = look.end;
        // An ended session may forget the time.
        if the_end.is_none() {
            prop_assert_eq!(format!("{session:?}"), format!("{twin:?}"), "asking changes nothing");
        }
    }
    Ok(())
}

/// What holds without any model: one end, one deadline, nothing after the end, silence judged by `handle_timeout` alone.
fn keeps_the_rules(
    session: &Session,
    op: Op,
    said: (Told, Option<Control>),
    ended_before: Option<SessionEnd>,
    latest: Micros,
    life: &Life,
) -> Result<(), TestCaseError> {
    let look = session.look();
    prop_assert_eq!(look.deadline.is_none(), look.end.is_some(), "only an ended session has no deadline");
    if let Some(end) = ended_before {
        prop_assert_eq!(look.end, Some(end), "the first cause wins");
        prop_assert_eq!(said.0, Told::Nothing, "nothing is told after the end");
        prop_assert!(matches!(said.1, None | Some(Control::Close)), "nothing but a close after the end");
    } else if let Some(end) = look.end {
        let silence = matches!(
            end.reason,
            DisconnectReason::PingTimeout
                | DisconnectReason::OpenTimeout
                | DisconnectReason::ApplicationStalled
        );
        prop_assert!(!silence || matches!(op, Op::Timeout), "only `handle_timeout` judges silence");
    }
    if look.end.is_some() {
        let mut drained = session.clone();
        let outputs = core::iter::from_fn(|| either!(&mut drained, session => session.poll_transmit()));
        prop_assert!(outputs.count() <= 1, "at most one close packet after the end");
    }
    if matches!(op, Op::Timeout) && latest <= LAST_SAFE {
        prop_assert!(look.deadline.is_none_or(|deadline| deadline > at(latest)), "deadline still due");
        let mut again = session.clone();
        let _ = again.call(latest, op, life);
        prop_assert_eq!(again.look(), look, "a repeated call does nothing");
    }
    Ok(())
}

fn control(owed: Owed) -> Control {
    match owed {
        Owed::Pong => Control::Pong,
        Owed::Ping => Control::Ping,
        Owed::Close => Control::Close,
    }
}

proptest! {
    #[test]
    fn a_session_agrees_with_the_tables(life in life()) {
        compare(&life, Mistake::None)?;
    }
}
