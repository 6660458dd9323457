//! Machines that sleep or are dead, and programs that do not run or are not there: what they do not do, and what happens to
//! what a test asks of them.

use core::time::Duration;

use eio_core::backoff::Backoff;
use eio_core::session::CheckSendError;
use eio_core::{DisconnectReason, Heartbeat};
use eio_sim::{
    Fact, Happening, Host, Line, Link, Message, Plan, SendError, SessionId, Side, Spells, Tcp, World, Wrong,
};

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

#[test]
fn nothing_brings_a_dead_machine_back() {
    let commands: [fn(&mut World, SessionId); 8] = [
        |world, session| assert!(!world.close(session, Side::Client)),
        |world, session| assert!(!world.kill(session, Side::Client)),
        |world, session| assert!(!world.pause_reading(session, Side::Client, secs(1))),
        |world, session| assert!(!world.upgrade(session)),
        |world, session| {
            assert_eq!(world.send(session, Side::Client, "hello"), Err(SendError::NotRunning));
        },
        |world, session| world.stall(session, Side::Client, secs(1)),
        |world, session| world.sleep(session, Side::Client, secs(1)),
        |world, session| world.die(session, Side::Client),
    ];
    for (number, command) in commands.into_iter().enumerate() {
        let plan = Plan::new(Heartbeat::DEFAULT).polling().reconnects(Backoff::DEFAULT);
        let (mut world, session) = open(Link::new(ms(20)), plan, Host::new());
        world.run_until(secs(51));
        world.die(session, Side::Client);
        command(&mut world, session);
        let mut ended = Vec::new();
        while let Some(event) = world.next_event(secs(200)) {
            assert_eq!(event.side, Side::Server, "command {number}: {event:?}");
            if let Happening::Ended(end) = event.what {
                ended.push((end.reason, end.at));
            }
        }
        assert_eq!(ended, [(DisconnectReason::PingTimeout, ms(95_080))], "command {number}");
        let lines = world.timetable().of(session).lines();
        let last = lines.filter(|line| line.side() == Side::Client).last().map(Line::fact);
        assert_eq!(last, Some(Fact::Dies), "command {number}");
    }
}

#[test]
fn a_program_that_does_not_run_neither_closes_nor_stops_to_read() {
    let nap = Spells::once(secs(10), secs(5));
    for (client, command) in [
        (Host::new().stalls(nap.clone()), None),
        (Host::new().sleeps(nap), None),
        (Host::new(), Some(World::stall as fn(&mut _, _, _, _))),
        (Host::new(), Some(World::sleep)),
    ] {
        let (mut world, session) = open(Link::new(ms(20)), Plan::new(Heartbeat::DEFAULT), client);
        world.run_until(secs(10));
        if let Some(command) = command {
            command(&mut world, session, Side::Client, secs(5));
        }
        world.run_until(ms(14_999));
        assert!(!world.close(session, Side::Client));
        assert!(!world.pause_reading(session, Side::Client, secs(60)));
        world.run_until(secs(60));
        world.assert_open(session);
        assert!(world.pause_reading(session, Side::Client, secs(1)));
        assert!(world.close(session, Side::Client), "its application runs");
        world.run_for(secs(1));
        world.assert_ended(session, Side::Server, DisconnectReason::TransportClosed);
    }
}

#[test]
fn a_program_is_killed_in_a_stall_and_not_in_a_sleep() {
    let (mut world, session) = open(Link::new(ms(20)), Plan::new(Heartbeat::DEFAULT), Host::new());
    world.run_until(secs(10));
    world.sleep(session, Side::Client, secs(5));
    assert!(!world.kill(session, Side::Client));
    world.run_until(secs(15));
    world.assert_open(session);
    world.stall(session, Side::Client, secs(5));
    assert!(world.kill(session, Side::Client));
    assert!(!world.kill(session, Side::Client), "it is gone");
    world.run_for(ms(20));
    world.assert_ended(session, Side::Server, DisconnectReason::TransportClosed);
}

#[test]
fn before_a_session_begins_there_is_nothing_to_close_and_no_connection_to_end() {
    for side in Side::BOTH {
        let mut world = World::new(1);
        let link = world.add_link(Link::new(ms(20)));
        let plan = world.add_plan(Plan::new(Heartbeat::DEFAULT).link(link));
        let session = world.connect_at(secs(5), plan);
        world.run_until(ms(4_995));
        assert!(!world.close(session, side) && !world.pause_reading(session, side, secs(1)));
        let refused = SendError::Refused(CheckSendError::NotOpen);
        assert_eq!(world.send(session, side, "hello"), Err(refused));
        assert!(world.kill(session, side));
        world.run_until(secs(100));
        let traffic = world.traffic(session);
        assert_eq!(traffic.to_client.segments, 0, "{traffic:?}");
        assert_eq!(world.end(session, Side::Server), None);
        if side == Side::Server {
            let end = world.assert_ended(session, Side::Client, DisconnectReason::TransportReset);
            assert_eq!(end.at, ms(5_040), "nobody listens");
        } else {
            assert_eq!((world.end(session, Side::Client), traffic.to_server.segments), (None, 0));
        }
    }
}

#[test]
fn a_session_that_has_ended_is_not_closed_again_and_keeps_its_end_when_its_program_is_killed() {
    let plan = Plan::new(Heartbeat::DEFAULT).reconnects(Backoff::DEFAULT);
    let (mut world, session) = open(Link::new(ms(20)), plan, Host::new());
    world.run_until(secs(10));
    assert!(world.close(session, Side::Client));
    assert!(!world.close(session, Side::Client) && !world.pause_reading(session, Side::Client, secs(1)));
    assert!(world.kill(session, Side::Client));
    world.assert_ended(session, Side::Client, DisconnectReason::LocalClose);
    world.run_until(secs(100));
    assert_eq!(world.totals().connected, 1, "a killed client does not connect again");
}

#[test]
fn a_machine_that_has_died_before_connects_with_nobody() {
    let mut world = World::new(1);
    let dead = world.add_host(Host::new().dies_at(secs(5)));
    let plan = world.add_plan(Plan::new(Heartbeat::DEFAULT).host(Side::Client, dead));
    world.connect_at(secs(6), plan);
    world.run_until(secs(7));
    world.connect(plan);
    world.run_until(secs(8));
    assert_eq!(world.totals().connected, 0, "{}", world.timetable());
    let session = world.open(plan);
    assert!(!world.is_open(session, Side::Client));
    assert_eq!(world.send(session, Side::Client, "hello"), Err(SendError::NotRunning));
    world.run_until(secs(100));
    world.assert_ended(session, Side::Server, DisconnectReason::PingTimeout);
}

#[test]
fn a_program_whose_connection_is_lost_answers_nothing_that_it_still_reads() {
    // The acknowledgement of a message of the client is lost, and so is everything behind the ping of 25 s.
    let impatient = Tcp::LINUX.with_user_timeout(secs(10));
    let link = Link::new(ms(20)).tcp(impatient).cut_to_client(Spells::from(ms(25_005)));
    let (mut world, session) = open(link, Plan::new(Heartbeat::DEFAULT).polling(), Host::new());
    world.run_until(ms(24_990));
    assert_eq!(world.send(session, Side::Client, "hello"), Ok(()));
    // Its kernel gives the connection up meanwhile. Then it reads the ping, and would ask for more.
    world.stall(session, Side::Client, secs(19));
    world.run_until(secs(43));
    let sent = world.traffic(session).to_server.segments;
    world.run_until(secs(60));
    let end = world.assert_ended(session, Side::Client, DisconnectReason::TransportError);
    assert_eq!(end.at, ms(43_990));
    assert_eq!(world.traffic(session).to_server.segments, sent, "{}", world.timetable());
}

/// The messages that a side is told of up to 100 s, each with its time.
fn heard(world: &mut World, by: Side) -> Vec<(Message, Duration)> {
    let mut heard = Vec::new();
    while let Some(event) = world.next_event(secs(100)) {
        if let (true, Happening::Message(message)) = (event.side == by, event.what) {
            heard.push((message, event.at));
        }
    }
    heard
}

#[test]
fn what_a_machine_has_sent_before_it_died_arrives() {
    for (server_stalls, heard_at) in [(secs(0), ms(10_020)), (secs(5), secs(15))] {
        let (mut world, session) = open(Link::new(ms(20)), Plan::new(Heartbeat::DEFAULT), Host::new());
        world.run_until(secs(10));
        assert_eq!(world.send(session, Side::Client, "last words"), Ok(()));
        world.stall(session, Side::Server, server_stalls);
        // Before they arrive, or while the server's kernel keeps them.
        world.run_until(if server_stalls.is_zero() { ms(10_001) } else { secs(11) });
        world.die(session, Side::Client);
        assert_eq!(heard(&mut world, Side::Server), [("last words".into(), heard_at)]);
        world.assert_ended(session, Side::Server, DisconnectReason::PingTimeout);
    }
}

#[test]
fn what_a_kernel_has_received_is_read_after_the_peer_has_reset_the_connection() {
    let (mut world, session) = open(Link::new(ms(20)), Plan::new(Heartbeat::DEFAULT), Host::new());
    world.run_until(secs(30));
    world.stall(session, Side::Client, secs(50));
    assert_eq!(world.send(session, Side::Server, "are you there?"), Ok(()));
    assert_eq!(heard(&mut world, Side::Client), [("are you there?".into(), secs(80))]);
    let end = world.assert_ended(session, Side::Server, DisconnectReason::PingTimeout);
    assert_eq!(end.at, ms(70_040));
    let end = world.assert_ended(session, Side::Client, DisconnectReason::TransportReset);
    assert_eq!(end.at, secs(80));
}

#[test]
fn time_in_which_two_stalls_or_sleeps_keep_a_program_excuses_it_once() {
    let planned = Host::new().stalls(Spells::once(secs(60), secs(5)));
    for (client, command) in [
        (planned, World::stall as fn(&mut _, _, _, _)),
        (Host::new(), World::stall),
        (Host::new(), World::sleep),
    ] {
        let mut world = World::new(1);
        // Which no session keeps, unless it is excused for 7 s.
        world.shorten_bounds(secs(7));
        let client = world.add_host(client);
        let plan = world.add_plan(Plan::new(Heartbeat::DEFAULT).host(Side::Client, client));
        let session = world.open(plan);
        world.run_until(secs(59));
        world.die(session, Side::Server);
        world.run_until(secs(60));
        command(&mut world, session, Side::Client, secs(5));
        world.stall(session, Side::Client, secs(5));
        let run = core::panic::AssertUnwindSafe(|| world.run_until(secs(200)));
        std::panic::catch_unwind(run).expect_err("a bound that the session does not keep");
        let breach = world.breach().map(|breach| (breach.at, breach.side, breach.what));
        // The ping of 50 s was the last one. Both ends of the 5 s are rounded.
        assert_eq!(
            breach,
            Some((secs(93) + Duration::from_micros(2), Side::Client, Wrong::Late { by: Duration::ZERO }))
        );
    }
}
