//! Plausible errors, made in the model on purpose: the comparison has to notice every one.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::{machine, session, sio09, upgrade};

/// What the model does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    None,
    /// The next ping is due an interval after the pong, however late that was.
    NextPingCountsFromThePong,
    /// A pong that no ping awaits postpones the next ping.
    UnawaitedPongMovesThePing,
    /// `Liveness::AnyPacket` is taken for `PongOnly`.
    AnyPacketIsIgnored,
    /// Every packet restarts the timeout, not only the first after a ping.
    EveryPacketExtends,
    /// A message from the server counts as its ping.
    MessagesCountForAClient,
    /// A late wake-up eats the peer's time.
    PeriodsCountFromTheMissedDeadline,
    /// After a late wake-up the peer is given up before it was asked.
    SilenceIsJudgedBeforeThePing,
    /// The peer is given up while nobody reads what it sends.
    SilenceIsJudgedWhilePaused,
    /// A peer's `close` packet is ignored, as the references do on WebSocket.
    PeerCloseIsIgnored,
    /// A client takes a second handshake, as the reference does.
    SecondHandshakeIsTaken,
    /// A session that closes in vain owes its peer another close packet.
    CloseIsOwedTwice,
    /// Closing lasts until the peer is silent for too long.
    ClosingIsNotBounded,
    /// A second probe restarts the ticks of an upgrade.
    RepeatedProbeRestartsTheTicks,
    /// A clock that steps back is believed.
    TimeGoesBack,
}

/// Whether `compare` finds a counterexample within the usual number of cases, or more if more are asked for.
fn is_noticed<L: core::fmt::Debug>(
    lives: &impl Strategy<Value = L>,
    compare: impl Fn(&L) -> Result<(), TestCaseError>,
) -> bool {
    let usual = Config::default();
    let config =
        Config { cases: usual.cases.max(512), failure_persistence: None, max_shrink_iters: 0, ..usual };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, rng).run(lives, |life| compare(&life)).is_err()
}

fn assert_noticed<L: core::fmt::Debug>(
    mistakes: &[Mistake],
    lives: &impl Strategy<Value = L>,
    compare: impl Fn(&L, Mistake) -> Result<(), TestCaseError>,
) {
    assert!(!is_noticed(lives, |life| compare(life, Mistake::None)));
    for &mistake in mistakes {
        assert!(is_noticed(lives, |life| compare(life, mistake)), "{mistake:?} went unnoticed");
    }
}

#[test]
fn the_comparison_of_machines_notices_every_mistake() {
    let mistakes = [
        Mistake::NextPingCountsFromThePong,
        Mistake::UnawaitedPongMovesThePing,
        Mistake::AnyPacketIsIgnored,
        Mistake::EveryPacketExtends,
        Mistake::MessagesCountForAClient,
        Mistake::PeriodsCountFromTheMissedDeadline,
        Mistake::SilenceIsJudgedBeforeThePing,
        Mistake::SilenceIsJudgedWhilePaused,
        Mistake::TimeGoesBack,
    ];
    assert_noticed(&mistakes, &machine::life(), machine::compare);
}

#[test]
fn the_comparison_of_sessions_notices_every_mistake() {
    let mistakes = [
        Mistake::NextPingCountsFromThePong,
        Mistake::UnawaitedPongMovesThePing,
        Mistake::AnyPacketIsIgnored,
        Mistake::EveryPacketExtends,
        Mistake::MessagesCountForAClient,
        Mistake::PeriodsCountFromTheMissedDeadline,
        Mistake::SilenceIsJudgedBeforeThePing,
        Mistake::SilenceIsJudgedWhilePaused,
        Mistake::PeerCloseIsIgnored,
        Mistake::SecondHandshakeIsTaken,
        Mistake::CloseIsOwedTwice,
        Mistake::ClosingIsNotBounded,
        Mistake::TimeGoesBack,
    ];
    assert_noticed(&mistakes, &session::life(), session::compare);
}

#[test]
fn the_comparison_of_socket_io_0_9_notices_every_mistake() {
    let mistakes = [Mistake::UnawaitedPongMovesThePing, Mistake::PeriodsCountFromTheMissedDeadline];
    assert_noticed(&mistakes, &sio09::life(), sio09::compare);
}

#[test]
fn the_comparison_of_upgrades_notices_every_mistake() {
    let mistakes = [Mistake::RepeatedProbeRestartsTheTicks, Mistake::PeriodsCountFromTheMissedDeadline];
    assert_noticed(&mistakes, &upgrade::life(), upgrade::compare);
}
