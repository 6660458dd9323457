//! Plausible errors, made in the model on purpose: the comparison has to notice every one.

use proptest::prelude::*;

use super::{machine, session, upgrade};

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
    /// A ping that leaves late eats the peer's time.
    LatePingKeepsItsDeadline,
    /// A ping that leaves late while nobody reads is not extended, if a packet came before it.
    LatePingStaysExtendedInAPause,
    /// A ping that leaves late takes away, for the time after a pause, what a packet has allowed.
    LatePingTakesAwayWhatAPacketHasAllowed,
    /// A pong that comes before the ping has left is its answer.
    PongAnswersAPingThatHasNotLeft,
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
    /// A client moves to its candidate after the upgrade timeout.
    LatePauseUpgrades,
    /// A clock that steps back is believed.
    TimeGoesBack,
}

fn assert_noticed<L: core::fmt::Debug>(
    mistakes: &[Mistake],
    lives: &impl Strategy<Value = L>,
    compare: impl Fn(&L, Mistake) -> Result<(), TestCaseError>,
) {
    eio_tests::mistakes::assert_noticed(Mistake::None, mistakes, lives, compare);
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
        Mistake::LatePingKeepsItsDeadline,
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
        Mistake::LatePingKeepsItsDeadline,
        Mistake::PongAnswersAPingThatHasNotLeft,
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
fn the_comparison_of_upgrades_notices_every_mistake() {
    let mistakes = [
        Mistake::RepeatedProbeRestartsTheTicks,
        Mistake::LatePauseUpgrades,
        Mistake::PeriodsCountFromTheMissedDeadline,
    ];
    assert_noticed(&mistakes, &upgrade::life(), upgrade::compare);
}
