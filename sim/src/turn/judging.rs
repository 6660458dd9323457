//! The oracle beside each session: tells it what happens, and asks it whether the session does what it must.

use core::time::Duration;

use eio_core::session::DisconnectReason;

use super::Turn;
use crate::oracle::{Bounds, Breach, Excuse, Moment, Wrong};
use crate::peer::Socket;
use crate::side::Side;
use crate::time::{Micros, NEVER};

/// What a heartbeat may take besides its trips: an upgrade, during which packets wait.
const SLACK: Micros = 2_000_000;

/// The trips that a heartbeat takes at most, there and back: on long-polling, a ping waits for a request, and a pong for the
/// answer to the one before.
const TRIPS: Micros = 8;

impl<'a> Turn<'a> {
    /// Whether the session of this side does what it must, after its program has run.
    pub(super) fn judge(&mut self, side: Side) {
        let reading = self.reading(side).as_micros();
        if reading < self.peer(side).watch.latest() || self.peer(side).ended_at != NEVER {
            return;
        }
        let (bounds, excuse) = (self.bounds(side), self.excuse(side));
        if let Some(by) = self.peer_mut(side).watch.check_alive(reading, excuse, bounds) {
            self.report(side, Wrong::Late { by: Duration::from_micros(by) });
        }
    }

    /// Whether the session of this side may end for this reason now.
    pub(super) fn judge_end(&mut self, side: Side, reason: DisconnectReason) {
        if reason == DisconnectReason::PingTimeout {
            return self.judge_silence(side);
        }
        if matches!(reason, DisconnectReason::OpenTimeout | DisconnectReason::ApplicationStalled) {
            self.judge_limit(side);
        }
        if !self.has_happened(side, reason) {
            self.report(side, Wrong::Unfounded(reason));
        }
    }

    fn judge_silence(&mut self, side: Side) {
        let (bounds, excuse) = (self.bounds(side), self.excuse(side));
        let reading = self.reading(side).as_micros();
        let watch = self.peer(side).watch;
        let wrong = watch.check_end(reading, excuse, bounds, &mut self.ledger.margins);
        if let Some(wrong) = wrong {
            self.report(side, wrong);
        } else {
            let peer = self.peer(side.other());
            let answers = peer.socket == Socket::Open && peer.is_open();
            if answers && !self.has_cause(side, watch.owed_since(bounds)) {
                self.report(side, Wrong::Groundless);
            }
        }
    }

    fn judge_limit(&mut self, side: Side) {
        let reading = self.reading(side).as_micros();
        if let Some(wrong) = self.peer(side).watch.check_limit(reading, self.excuse(side), self.bounds(side))
        {
            self.report(side, wrong);
        }
    }

    /// Whether something has happened that this reason, which is not silence, can be about.
    fn has_happened(&self, side: Side, reason: DisconnectReason) -> bool {
        let peer = self.peer(side.other());
        match reason {
            DisconnectReason::LocalClose => true,
            DisconnectReason::PeerClose
            | DisconnectReason::TransportClosed
            | DisconnectReason::TransportReset => {
                // The server may have given up an upgrade that the client believes complete.
                let is_polled =
                    |side| self.connection.polling.as_ref().is_some_and(|polling| polling.is_used_by(side));
                let parted = !is_polled(side) && is_polled(side.other());
                peer.socket != Socket::Open || !peer.is_open() || parted
            }
            DisconnectReason::TransportError => self.peer(side).socket == Socket::Closed,
            DisconnectReason::ApplicationStalled => self.peer(side).paused_until > 0,
            DisconnectReason::OpenTimeout => {
                let since = self.peer(side).watch.beat().at;
                // A client that does not run sends no request.
                peer.socket != Socket::Open || self.was_idle(side, since) || self.has_cause(side, since)
            }
            _ => false,
        }
    }

    fn report(&mut self, side: Side, what: Wrong) {
        let (at, session) = (Duration::from_micros(self.ledger.now), self.connection.id);
        self.ledger.breach.get_or_insert(Breach { at, session, side, what });
    }

    pub(super) fn bounds(&self, side: Side) -> &'a Bounds {
        let scenery = self.scenery;
        &scenery.plan(self.connection.plan).bounds[side.index()]
    }

    pub(super) fn moment(&self, side: Side) -> Moment {
        Moment { at: self.ledger.now, reading: self.reading(side).as_micros() }
    }

    fn excuse(&self, side: Side) -> Excuse {
        let host = self.connection.host(self.scenery, side);
        let watch = &self.peer(side).watch;
        let away = (host.away(self.ledger.now) - host.away(watch.beat().at)).saturating_add(watch.kept());
        // Both ends of such a time are rounded.
        let away = if away == 0 { 0 } else { host.drifted(away).saturating_add(2) };
        Excuse { away, steps: 2 * (host.step() - 1) }
    }

    /// Whether the programs of this side's machine have not run all the time since then.
    fn was_idle(&self, side: Side, since: Micros) -> bool {
        let host = self.connection.host(self.scenery, side);
        host.idle(self.ledger.now) > host.idle(since)
    }

    /// Whether anything has silenced the peer of this side since then, other than its end.
    fn has_cause(&self, side: Side, since: Micros) -> bool {
        // What has arrived is read before silence is judged. But a client that does not run does not poll, and no ping leaves.
        let was_away = !self.bounds(side).pings() && self.was_idle(side, since);
        self.connection.disturbed_at >= since
            || Side::BOTH.into_iter().any(|side| self.is_held_up(side))
            || self.was_idle(side.other(), since)
            || was_away
            || self.longest_trip() == 0
    }

    /// Whether something is on its way to this side for so long that what it is about may come too late.
    pub(super) fn is_held_up(&self, side: Side) -> bool {
        self.connection.streams[side.index()].longest_wait(self.ledger.now) > self.longest_trip()
    }

    /// How long each trip may take so that a heartbeat and a handshake are in time; zero if the clocks differ by too much.
    fn longest_trip(&self) -> Micros {
        let prepared = self.scenery.plan(self.connection.plan);
        let drift = Side::BOTH.map(|side| self.connection.host(self.scenery, side).drift());
        let drift = prepared.silence.saturating_mul(drift[0] + drift[1]) / 1_000_000;
        prepared.patience.saturating_sub(SLACK.saturating_add(drift)) / TRIPS
    }
}

#[cfg(test)]
mod tests {
    use eio_core::session::CLOSE_TIMEOUT;
    use eio_core::{Heartbeat, Instant, Liveness};

    use super::*;
    use crate::session::Session;
    use crate::time::micros;
    use crate::{Link, Plan, SessionId, Spells, World};

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn connected(link: Link) -> (World, SessionId) {
        let mut world = World::new(1);
        let link = world.add_link(link);
        let plan = Plan::new(Heartbeat::DEFAULT).liveness(Liveness::PongOnly).link(link);
        let plan = world.add_plan(plan);
        let session = world.connect(plan);
        (world, session)
    }

    /// Runs a world until it fails. Returns when it did, and why.
    fn run_to_breach(mut world: World) -> Option<(Duration, Side, Wrong)> {
        let run = core::panic::AssertUnwindSafe(|| world.run_until(ms(120_000)));
        std::panic::catch_unwind(run).expect_err("a breach");
        world.breach().map(|breach| (breach.at, breach.side, breach.what))
    }

    #[test]
    fn silence_without_a_cause_is_a_breach() {
        let cut = Spells::once(ms(30_000), ms(1));
        for link in [Link::new(ms(20)), Link::new(ms(20)).bytes_per_second(100_000).cut_to_server(cut)] {
            let (mut world, session) = connected(link);
            // The pong to the first ping is under way, and vanishes without a loss.
            world.run_until(ms(25_095));
            world.with(session, |turn| turn.connection.streams[Side::Server.index()].clear());
            // A message that is lost, and soon repeated, is no cause.
            world.run_until(ms(30_000));
            assert_eq!(world.send(session, Side::Client, "hello"), Ok(()));
            let breach = run_to_breach(world).map(|(at, side, what)| (at.as_secs(), side, what));
            assert_eq!(breach, Some((45, Side::Server, Wrong::Groundless)));
        }
    }

    #[test]
    fn a_client_that_does_not_give_up_opening_is_a_breach() {
        let (mut world, session) = connected(Link::new(ms(20)));
        world.die(session, Side::Server);
        world.run_until(ms(1));
        world.with(session, |turn| {
            let patient = Plan::new(Heartbeat::DEFAULT).open_timeout(ms(60_000));
            turn.peer_mut(Side::Client).session = Some(Session::client(&patient, Instant::from_micros(0)));
        });
        let late = Wrong::Late { by: Duration::ZERO };
        assert_eq!(run_to_breach(world), Some((ms(20_000), Side::Client, late)));
    }

    #[test]
    fn a_session_that_does_not_finish_closing_is_a_breach() {
        let (mut world, session) = connected(Link::new(ms(20)));
        world.run_until(ms(1_000));
        world.with(session, |turn| {
            let now = turn.moment(Side::Client);
            let peer = turn.peer_mut(Side::Client);
            peer.watch.close(now, micros(CLOSE_TIMEOUT));
            if let Some(session) = &mut peer.session {
                session.close(Instant::from_micros(now.reading), ms(60_000));
                session.poll_transmit();
            }
        });
        let late = Wrong::Late { by: Duration::ZERO };
        assert_eq!(run_to_breach(world), Some((ms(1_000) + CLOSE_TIMEOUT, Side::Client, late)));
    }

    #[test]
    fn an_end_for_a_reason_without_a_cause_is_a_breach() {
        for (call, reason) in [
            (Session::handle_transport_reset as fn(&mut _, _), DisconnectReason::TransportReset),
            (Session::handle_transport_error, DisconnectReason::TransportError),
            (Session::handle_transport_closed, DisconnectReason::TransportClosed),
        ] {
            let mut world = World::new(1);
            let plan = world.add_plan(Plan::new(Heartbeat::DEFAULT));
            let session = world.open(plan);
            world.with(session, |turn| {
                turn.on_session(Side::Client, call);
                turn.write(Side::Client);
            });
            let breach = world.breach().map(|breach| (breach.side, breach.what));
            assert_eq!(breach, Some((Side::Client, Wrong::Unfounded(reason))));
        }
    }
}
