//! Machines that sleep or are dead, and programs that do not run or are not there: what they do not do, and what happens to
//! what a test asks of them.

use core::time::Duration;

use eio_core::{DisconnectReason, Heartbeat};
use eio_sim::{Fact, Host, Line, Link, Plan, SessionId, Side, Spells, World};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A world with one session whose client runs on this machine.
fn open(link: Link, plan: Plan, client: Host) -> (World, SessionId) {
    let mut world = World::new(1);
    let (link, client) = (world.add_link(link), world.add_host(client));
    let plan = world.add_plan(plan.link(link).host(Side::Client, client));
    let session = world.open(plan);
    (world, session)
}

/// When a client repeats a message of 1 s on a link that is cut, and when it has given up the connection, in milliseconds.
fn repeats(client: Host) -> Vec<u128> {
    let link = Link::new(ms(20)).cut(Spells::from(secs(1)));
    let patient = Heartbeat::new(secs(20_000), secs(1_000)).expect("valid periods");
    let (mut world, session) = open(link, Plan::new(patient), client);
    world.run_until(secs(1));
    assert_eq!(world.send(session, Side::Client, "hello"), Ok(()));
    world.run_until(secs(20_000));
    let end = world.assert_ended(session, Side::Client, DisconnectReason::TransportError);
    let lines = world.timetable().of(session).lines();
    let repeats = lines.filter(|line| matches!(line.fact(), Fact::Repeats(_))).map(Line::at);
    repeats.chain([end.at]).map(|at| at.as_millis()).collect()
}

#[test]
fn the_timers_of_tcp_stand_still_in_every_sleep() {
    let awake = repeats(Host::new());
    assert!(awake.len() > 10, "{awake:?}");
    // It sleeps for 50 s of every minute, from 2 s on.
    let sensor = Spells::every(secs(60), secs(50)).starting_at(secs(2));
    let asleep = repeats(Host::new().sleeps(sensor));
    let slept = |at: u128| at.checked_sub(2_000).map_or(0, |since| 50_000 * (1 + since / 60_000));
    let by_its_timers: Vec<_> = asleep.iter().map(|at| at - slept(*at)).collect();
    assert_eq!(by_its_timers, awake);
}

#[test]
fn an_acknowledgement_that_arrives_in_a_sleep_is_lost() {
    // It arrives at 1,040 ms.
    for (asleep_from, repeated) in [(1_001, 1), (1_039, 1), (1_041, 0)] {
        for is_planned in [true, false] {
            let sleeps = if is_planned { Spells::once(ms(asleep_from), secs(8)) } else { Spells::none() };
            let client = Host::new().sleeps(sleeps);
            let (mut world, session) = open(Link::new(ms(20)), Plan::new(Heartbeat::DEFAULT), client);
            world.run_until(secs(1));
            assert_eq!(world.send(session, Side::Client, "hello"), Ok(()));
            world.run_until(ms(asleep_from));
            if !is_planned {
                world.sleep(session, Side::Client, secs(8));
            }
            world.run_until(secs(100));
            world.assert_open(session);
            assert_eq!(world.traffic(session).to_server.repeated, repeated, "asleep at {asleep_from} ms");
        }
    }
}
