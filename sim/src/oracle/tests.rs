//! The oracle by itself: to the microsecond, it lets pass what the bounds allow, and nothing else.

use eio_core::packet::PacketType;

use super::*;

/// Pings every 10 s and waits 4 s.
fn bounds(side: Side, revision: Revision, liveness: Liveness) -> Bounds {
    let heartbeat = Heartbeat::from_millis(10_000, 4_000).expect("valid periods");
    Bounds::of(&Plan::new(heartbeat).revision(revision).liveness(liveness), side)
}

const fn at(millis: u64) -> Moment {
    // True time and the clock differ, so that a test tells them apart.
    Moment { at: millis * 1_000 + 7, reading: millis * 1_000 }
}

fn opened(bounds: &Bounds) -> Watch {
    let mut watch = Watch::CLOSED;
    watch.open(at(0), bounds);
    watch
}

const RAN: Excuse = Excuse { away: 0, steps: 0 };

/// The first and the last moment, in milliseconds, at which the session may end for silence, found by asking for each
/// microsecond around them.
#[track_caller]
fn assert_may_end(watch: &Watch, excuse: Excuse, bounds: &Bounds, first: u64, last: u64) {
    let may_end = |reading| watch.check_end(reading, excuse, bounds, &mut Margins::default());
    let by = Duration::from_micros(1);
    assert_eq!(may_end(first * 1_000 - 1), Some(Wrong::Early { by }));
    assert_eq!([may_end(first * 1_000), may_end(last * 1_000)], [None, None]);
    assert_eq!(may_end(last * 1_000 + 1), Some(Wrong::Late { by }));
    let mut watch = *watch;
    assert!(watch.check_alive(last * 1_000 - 1, excuse, bounds).is_none());
    assert_eq!(watch.check_alive(last * 1_000, excuse, bounds), Some(0));
}

#[test]
fn a_server_that_pings_ends_a_timeout_after_its_ping_and_at_most_an_interval_and_a_timeout_after_a_packet() {
    let bounds = bounds(Side::Server, Revision::V4, Liveness::PongOnly);
    let mut watch = opened(&bounds);
    let judged = watch.check_end(14_000_000, RAN, &bounds, &mut Margins::default());
    assert_eq!(judged, Some(Wrong::Early { by: Duration::from_secs(4) }), "nothing was asked");
    watch.ask(at(9_000));
    assert_may_end(&watch, RAN, &bounds, 13_000, 14_000);
    watch.hear(at(11_000), PacketType::Message, &bounds);
    assert_may_end(&watch, RAN, &bounds, 13_000, 14_000);
    watch.hear(at(12_000), PacketType::Pong, &bounds);
    watch.ask(at(21_000));
    assert_may_end(&watch, RAN, &bounds, 25_000, 26_000);
}

#[test]
fn the_first_packet_after_a_ping_postpones_the_end_once() {
    let bounds = bounds(Side::Server, Revision::V4, Liveness::ExtendOnce);
    let mut watch = opened(&bounds);
    watch.hear(at(5_000), PacketType::Message, &bounds);
    watch.ask(at(10_000));
    assert_may_end(&watch, RAN, &bounds, 14_000, 18_000);
    watch.hear(at(12_000), PacketType::Message, &bounds);
    watch.hear(at(13_000), PacketType::Message, &bounds);
    assert_may_end(&watch, RAN, &bounds, 16_000, 18_000);
}

#[test]
fn any_packet_gives_another_interval_and_timeout_where_that_is_the_rule() {
    for (side, revision) in [(Side::Server, Revision::V4), (Side::Client, Revision::V3)] {
        let bounds = bounds(side, revision, Liveness::AnyPacket);
        let mut watch = opened(&bounds);
        watch.ask(at(10_000));
        watch.hear(at(13_000), PacketType::Message, &bounds);
        assert_may_end(&watch, RAN, &bounds, 27_000, 27_000);
    }
    let bounds = bounds(Side::Server, Revision::V3, Liveness::AnyPacket);
    let mut watch = opened(&bounds);
    watch.hear(at(13_000), PacketType::Message, &bounds);
    assert_may_end(&watch, RAN, &bounds, 27_000, 27_000);
}

#[test]
fn who_waits_for_pings_ends_an_interval_and_a_timeout_after_the_last() {
    for (side, revision) in [(Side::Client, Revision::V4), (Side::Server, Revision::V3)] {
        let bounds = bounds(side, revision, Liveness::ExtendOnce);
        let mut watch = opened(&bounds);
        assert_may_end(&watch, RAN, &bounds, 14_000, 14_000);
        watch.hear(at(10_000), PacketType::Ping, &bounds);
        watch.hear(at(12_000), PacketType::Message, &bounds);
        assert_may_end(&watch, RAN, &bounds, 24_000, 24_000);
    }
}

#[test]
fn a_ping_that_the_peer_lets_go_begins_anew_and_one_that_this_side_lets_go_does_not() {
    let bounds = bounds(Side::Client, Revision::V3, Liveness::PongOnly);
    let mut watch = opened(&bounds);
    watch.ask(at(10_000));
    watch.read(at(11_000).at);
    watch.release(at(11_001), &bounds);
    assert_may_end(&watch, RAN, &bounds, 14_000, 14_000);
    watch.read(at(12_000).at);
    watch.release(at(12_000), &bounds);
    assert_may_end(&watch, RAN, &bounds, 16_000, 26_000);
}

#[test]
fn a_client_waits_for_its_handshake_for_its_open_timeout() {
    let bounds = bounds(Side::Client, Revision::V4, Liveness::PongOnly);
    let mut watch = Watch::CLOSED;
    watch.connect(at(1_000), 2_000_000);
    let excuse = Excuse { away: 5_000, steps: 2 };
    let judged = |reading| watch.check_limit(reading, excuse, &bounds);
    let by = Duration::from_micros(1);
    assert_eq!(judged(2_999_999), Some(Wrong::Early { by }));
    assert_eq!([judged(3_000_000), judged(3_005_002)], [None, None]);
    assert_eq!(judged(3_005_003), Some(Wrong::Late { by }));
    assert_eq!(watch.clone().check_alive(3_005_002, excuse, &bounds), Some(0));
    watch.open(at(2_000), &bounds);
    assert_may_end(&watch, RAN, &bounds, 16_000, 16_000);
}

#[test]
fn a_session_that_is_closed_twice_has_closed_in_time_for_the_first() {
    let bounds = bounds(Side::Client, Revision::V4, Liveness::PongOnly);
    let mut watch = opened(&bounds);
    watch.close(at(13_000), 3_000_000);
    watch.close(at(14_000), 3_000_000);
    assert_eq!(watch.check_alive(15_999_999, RAN, &bounds), None);
    assert_eq!(watch.check_alive(16_000_000, RAN, &bounds), Some(0));
}

#[test]
fn silence_counts_from_when_an_application_reads_again() {
    let bounds = bounds(Side::Server, Revision::V4, Liveness::ExtendOnce);
    let mut watch = opened(&bounds);
    watch.ask(at(10_000));
    watch.hear(at(11_000), PacketType::Message, &bounds);
    watch.pause(at(12_000), 14_000_000);
    let paused = watch;
    let by = Duration::from_micros(1);
    assert_eq!(paused.check_limit(25_999_999, RAN, &bounds), Some(Wrong::Early { by }));
    assert_eq!(paused.check_limit(26_000_000, RAN, &bounds), None);
    let silence = paused.check_end(20_000_000, RAN, &bounds, &mut Margins::default());
    assert!(matches!(silence, Some(Wrong::Early { .. })), "{silence:?}");
    watch.resume(at(20_000), &bounds);
    watch.hear(at(21_000), PacketType::Message, &bounds);
    assert_may_end(&watch, RAN, &bounds, 24_000, 35_000);
}

#[test]
fn a_program_that_does_not_run_may_end_a_session_later_and_not_earlier() {
    let bounds = bounds(Side::Server, Revision::V4, Liveness::PongOnly);
    let mut watch = opened(&bounds);
    watch.ask(at(13_000));
    assert_may_end(&watch, Excuse { away: 3_000_000, steps: 0 }, &bounds, 17_000, 17_000);
    let mut margins = Margins::default();
    let excuse = Excuse { away: 3_000_000, steps: 2 };
    assert_eq!(watch.check_end(17_000_002, excuse, &bounds, &mut margins), None);
    assert_eq!((margins.judged, margins.undisturbed), (1, 0));
    assert_eq!(margins.to_latest, Some(Duration::ZERO));
    assert_eq!(margins.to_earliest, Some(Duration::from_micros(2)));
}

#[test]
fn a_client_that_is_stricter_than_its_server_has_bounds_of_its_own() {
    let heartbeat = Heartbeat::from_millis(10_000, 4_000).expect("valid periods");
    let plan = Plan::new(heartbeat).client_timeout_at_most(Duration::from_micros(1_500_001));
    let [server, client] = Side::BOTH.map(|side| Bounds::of(&plan, side).silence());
    assert_eq!((server, client), (14_000_000, 11_501_000));
}
