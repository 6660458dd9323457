//! A train in tunnels of 30 s: which periods keep its session, and which do not. `docs/testing-your-timing.md` explains.

use core::time::Duration;

use eio_core::{DisconnectReason, Heartbeat};
use eio_sim::{Link, Plan, Side, Spells, Tcp, World};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_train_survives_tunnels_and_is_missed_within_a_minute() {
    let heartbeat = Heartbeat::new(secs(10), secs(45)).expect("valid periods");
    for seed in 0..5 {
        let mut world = World::new(seed);
        let first = secs(1) + world.random().up_to(secs(270));
        let tunnels = Spells::every(secs(300), secs(30)).starting_at(first);
        let mobile = Link::new(Duration::from_millis(25)).jitter(Duration::from_millis(10)).cut(tunnels);
        let link = world.add_link(mobile);
        let plan = world.add_plan(Plan::new(heartbeat).link(link));
        let train = world.open(plan);
        world.run_until(secs(86_400));
        world.assert_open(train);
        world.die(train, Side::Client);
        world.run_for(secs(60));
        world.assert_ended(train, Side::Server, DisconnectReason::PingTimeout);
    }
}

/// Returns whether a session lives for six hours of tunnels.
fn survives(interval: u64, timeout: u64, round_trip: u64, tcp: Tcp) -> bool {
    let heartbeat = Heartbeat::new(secs(interval), secs(timeout)).expect("valid periods");
    let mut world = World::new(round_trip);
    let tunnels = Spells::every(secs(300), secs(30)).starting_at(secs(100));
    let link = Link::new(Duration::from_micros(500 * round_trip)).tcp(tcp).cut(tunnels);
    let link = world.add_link(link);
    let plan = world.add_plan(Plan::new(heartbeat).link(link));
    let train = world.open(plan);
    world.run_until(secs(6 * 3_600));
    Side::BOTH.into_iter().all(|side| world.is_open(train, side))
}

#[test]
fn the_lateness_depends_on_the_round_trip_and_so_do_the_periods_that_survive() {
    for (interval, timeout, round_trip, expected) in [
        (15, 35, 40, true),
        (15, 35, 100, false),
        (15, 35, 1, false),
        (10, 40, 40, true),
        (10, 40, 1, false),
        (10, 45, 80, true),
        (10, 45, 10, false),
        (5, 54, 20, false),
    ] {
        let survives = survives(interval, timeout, round_trip, Tcp::LINUX);
        assert_eq!(survives, expected, "{interval} s, {timeout} s at {round_trip} ms");
    }
}

#[test]
fn a_limit_of_five_seconds_for_the_pauses_of_tcp_helps_at_every_round_trip() {
    let tcp = Tcp::LINUX.with_longest_timeout(secs(5));
    for round_trip in [1, 5, 10, 20, 40, 60, 80, 100, 200] {
        assert!(survives(10, 40, round_trip, tcp), "{round_trip} ms");
    }
}
