//! The timers beside their rules, written down once more in the plainest form: random calls at random times, every
//! output and deadline compared.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use eio_core::Instant;
use eio_legacy::timers::{ClientTimers, PollingServerTimers, ServerPeriods, ServerTimers, TimerEvent};
use eio_tests::mistakes::assert_noticed;
use eio_tests::times::{LAST_SAFE, Micros, When, at, epoch, lasting, when};
use proptest::prelude::*;

/// What the model does wrong, so that the comparison must fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    None,
    /// An echo that no heartbeat awaits postpones the next heartbeat.
    UnawaitedEchoMovesTheHeartbeat,
    /// A late wake-up eats the peer's time.
    PeriodsCountFromTheMissedDeadline,
}

/// Whose timers are at test.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Server,
    PollingServer,
    /// Without heartbeats, or with.
    Client(bool),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    /// `2::`, a poll, or any packet: what the peer shows its life with.
    Alive,
    /// The held poll is answered.
    Answered,
    Timeout,
    End,
}

/// One machine's life.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) kind: Kind,
    pub(crate) periods: Periods,
    pub(crate) epoch: Micros,
    pub(crate) calls: Vec<(When, Op)>,
}

/// The four periods, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Periods {
    pub(crate) interval: Micros,
    pub(crate) heartbeat: Micros,
    pub(crate) close: Micros,
    pub(crate) polling: Micros,
}

fn life() -> impl Strategy<Value = Life> {
    let kind =
        prop_oneof![Just(Kind::Server), Just(Kind::PollingServer), any::<bool>().prop_map(Kind::Client),];
    let op = prop_oneof![
        20 => Just(Op::Timeout),
        10 => Just(Op::Alive),
        5 => Just(Op::Answered),
        1 => Just(Op::End),
    ];
    let calls = proptest::collection::vec((when(), op), 1..60);
    (kind, periods(), epoch(), calls).prop_map(|(kind, periods, epoch, calls)| Life {
        kind,
        periods,
        epoch,
        calls,
    })
}

fn periods() -> impl Strategy<Value = Periods> {
    let millis = || prop_oneof![Just(1_u32), Just(60_000), Just(u32::MAX), 1_u32..10, 1_u32..=u32::MAX];
    let any_four = (millis(), millis(), millis(), millis());
    prop_oneof![Just((25_000, 60_000, 60_000, 20_000)), any_four].prop_map(
        |(interval, heartbeat, close, polling)| Periods {
            interval: Micros::from(interval) * 1_000,
            heartbeat: Micros::from(heartbeat) * 1_000,
            close: Micros::from(close) * 1_000,
            polling: Micros::from(polling) * 1_000,
        },
    )
}

/// Any of the machines behind the same verbs.
#[derive(Clone, Debug)]
enum Machine {
    Server(ServerTimers),
    PollingServer(PollingServerTimers),
    Client(ClientTimers),
}

impl Machine {
    fn new(life: &Life) -> Self {
        let Periods { interval, heartbeat, close, polling } = life.periods;
        let all = ServerPeriods::new(lasting(interval), lasting(heartbeat), lasting(close), lasting(polling));
        let all = all.expect("whole milliseconds above zero");
        let now = at(life.epoch);
        match life.kind {
            Kind::Server => Self::Server(ServerTimers::new(all, now)),
            Kind::PollingServer => Self::PollingServer(PollingServerTimers::new(all, now)),
            Kind::Client(beats) => {
                let client = ClientTimers::new(beats.then_some(lasting(heartbeat)), lasting(close), now);
                Self::Client(client.expect("whole milliseconds above zero"))
            }
        }
    }

    fn call(&mut self, now: Micros, op: Op) -> Option<TimerEvent> {
        let now = at(now);
        match (self, op) {
            (Self::Server(server), Op::Alive) => server.handle_heartbeat(now),
            (Self::Server(server), Op::Timeout) => return server.handle_timeout(now),
            (Self::Server(server), Op::End) => server.end(),
            (Self::PollingServer(server), Op::Alive) => server.handle_poll(now),
            (Self::PollingServer(server), Op::Answered) => server.handle_answered(now),
            (Self::PollingServer(server), Op::Timeout) => return server.handle_timeout(now),
            (Self::PollingServer(server), Op::End) => server.end(),
            (Self::Client(client), Op::Alive) => client.handle_packet(now),
            (Self::Client(client), Op::Timeout) => return client.handle_timeout(now),
            (Self::Client(client), Op::End) => client.end(),
            (Self::Server(_) | Self::Client(_), Op::Answered) => {}
        }
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Server(server) => server.poll_timeout(),
            Self::PollingServer(server) => server.poll_timeout(),
            Self::Client(client) => client.poll_timeout(),
        }
    }
}

/// What a history of calls amounts to: every timer that the protocol names, armed or not.
#[derive(Debug, Default)]
struct Timers {
    next_heartbeat: Option<Micros>,
    heartbeat_timeout: Option<Micros>,
    poll_answer: Option<Micros>,
    close_timeout: Option<Micros>,
    clock: Micros,
    ended: bool,
    due: Option<TimerEvent>,
}

impl Timers {
    fn deadline(&self) -> Option<Micros> {
        let timers = [self.next_heartbeat, self.heartbeat_timeout, self.poll_answer, self.close_timeout];
        timers.into_iter().flatten().min().filter(|_| !self.ended)
    }
}

/// Plays the whole history.
#[expect(clippy::too_many_lines, reason = "one arm for each operation")]
fn replay(life: &Life, history: &[(Micros, Op)], mistake: Mistake) -> Timers {
    let Periods { interval, heartbeat, close, polling } = life.periods;
    let after = Micros::saturating_add;
    let mut timers = Timers { clock: life.epoch, ..Timers::default() };
    match life.kind {
        Kind::Server => timers.next_heartbeat = Some(after(life.epoch, interval)),
        Kind::PollingServer | Kind::Client(false) => timers.close_timeout = Some(after(life.epoch, close)),
        Kind::Client(true) => timers.heartbeat_timeout = Some(after(life.epoch, heartbeat)),
    }
    for &(at, op) in history {
        timers.due = None;
        if matches!(op, Op::End) {
            timers.ended = true;
        }
        // Only the polling server has polls to answer; for the others no call is made.
        if timers.ended || matches!(op, Op::Answered) && !matches!(life.kind, Kind::PollingServer) {
            continue;
        }
        let now = timers.clock.max(at);
        timers.clock = now;
        match (life.kind, op) {
            (Kind::Server, Op::Alive) => {
                timers.heartbeat_timeout = None;
                if timers.next_heartbeat.is_none() || mistake == Mistake::UnawaitedEchoMovesTheHeartbeat {
                    timers.next_heartbeat = Some(after(now, interval));
                }
            }
            (Kind::PollingServer, Op::Alive) => {
                timers.close_timeout = None;
                timers.poll_answer = Some(after(now, polling));
            }
            (Kind::PollingServer, Op::Answered) => {
                if timers.poll_answer.take().is_some() {
                    timers.close_timeout = Some(after(now, close));
                }
            }
            (Kind::Client(beats), Op::Alive) => {
                timers.heartbeat_timeout = beats.then_some(after(now, heartbeat));
                timers.close_timeout = Some(after(now, close));
            }
            (_, Op::Timeout) => {
                // The earliest timer that is due says what happens; of two at once the heartbeat does.
                let Some(first) = timers.deadline().filter(|&first| first <= now) else { continue };
                if timers.next_heartbeat == Some(first) {
                    let since =
                        if mistake == Mistake::PeriodsCountFromTheMissedDeadline { first } else { now };
                    timers.next_heartbeat = None;
                    timers.heartbeat_timeout = Some(after(since, heartbeat));
                    timers.due = Some(TimerEvent::Heartbeat);
                } else if timers.heartbeat_timeout == Some(first) {
                    timers.ended = true;
                    timers.due = Some(TimerEvent::HeartbeatTimeout);
                } else if timers.poll_answer == Some(first) {
                    timers.poll_answer = None;
                    timers.close_timeout = Some(after(now, close));
                    timers.due = Some(TimerEvent::Noop);
                } else {
                    timers.ended = true;
                    timers.due = Some(TimerEvent::CloseTimeout);
                }
            }
            (_, Op::End | Op::Answered) => {}
        }
    }
    timers
}

pub(crate) fn compare(life: &Life, mistake: Mistake) -> Result<(), TestCaseError> {
    let Periods { interval, heartbeat, close, .. } = life.periods;
    let allowance = heartbeat.min(close);
    let mut machine = Machine::new(life);
    let mut history = Vec::new();
    let mut previous = life.epoch;
    for &(when, op) in &life.calls {
        let before = replay(life, &history, mistake);
        let now = when.micros(previous, before.deadline(), interval, allowance);
        previous = now;
        history.push((now, op));
        let expected = replay(life, &history, mistake);

        let mut twin = machine.clone();
        let due = machine.call(now, op);
        prop_assert_eq!(due, expected.due, "{:?} at {}", op, now);
        prop_assert_eq!(due, twin.call(now.max(expected.clock), op), "a clock that steps back stands still");
        let deadline = machine.poll_timeout();
        prop_assert_eq!(deadline, expected.deadline().map(at), "after {:?} at {}", op, now);
        prop_assert_eq!(twin.poll_timeout(), deadline);

        // What holds without any model.
        prop_assert_eq!(deadline.is_none(), expected.ended, "only an ended machine has no deadline");
        if matches!(op, Op::Timeout) && expected.clock <= LAST_SAFE {
            prop_assert!(deadline.is_none_or(|deadline| deadline > at(expected.clock)));
            prop_assert_eq!(machine.clone().call(now, op), None, "a repeated call does nothing");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_timers_agree_with_their_rules(life in life()) {
        compare(&life, Mistake::None)?;
    }
}

#[test]
fn the_comparison_notices_every_mistake() {
    let mistakes = [Mistake::UnawaitedEchoMovesTheHeartbeat, Mistake::PeriodsCountFromTheMissedDeadline];
    assert_noticed(Mistake::None, &mistakes, &life(), compare);
}
