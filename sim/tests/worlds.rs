//! Sessions in worlds: each death, cut, stall and sleep ends what it must, when it must, and nothing else.

use core::time::Duration;

use eio_core::backoff::Backoff;
use eio_core::{DisconnectReason, Heartbeat, Revision};
use eio_sim::{Event, Happening, Host, Link, Message, Plan, SendError, Side, Spells, World, Wrong};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A world with one session that is open since its beginning.
fn open(link: Link, plan: Plan) -> (World, eio_sim::SessionId) {
    let mut world = World::new(1);
    let link = world.add_link(link);
    let plan = world.add_plan(plan.link(link));
    let session = world.open(plan);
    (world, session)
}

#[test]
fn a_session_opens_in_two_round_trips_and_lives() {
    for revision in [Revision::V4, Revision::V3] {
        let mut world = World::new(1);
        let link = world.add_link(Link::new(ms(50)));
        let plan = world.add_plan(Plan::new(Heartbeat::DEFAULT).revision(revision).link(link));
        let session = world.connect_at(secs(3), plan);
        let opened = world.next_event(secs(10)).filter(|event| event.what == Happening::Opened);
        assert_eq!(opened.map(|event| (event.at, event.side)), Some((ms(3_150), Side::Server)));
        let opened = world.next_event(secs(10)).filter(|event| event.what == Happening::Opened);
        assert_eq!(opened.map(|event| (event.at, event.side)), Some((ms(3_200), Side::Client)));
        world.run_until(secs(86_400));
        world.assert_open(session);
        let traffic = world.traffic(session);
        assert_eq!(traffic.to_server.repeated + traffic.to_client.repeated, 0);
        assert!((6_880..6_920).contains(&traffic.packets()), "{traffic:?}");
    }
}

#[test]
fn a_dead_side_is_noticed_by_the_other_on_time() {
    for (dead, noticed) in [(Side::Client, ms(95_080)), (Side::Server, ms(95_060))] {
        let (mut world, session) = open(Link::new(ms(20)), Plan::new(Heartbeat::DEFAULT));
        world.run_until(secs(51));
        world.die(session, dead);
        world.run_until(secs(200));
        let end = world.assert_ended(session, dead.other(), DisconnectReason::PingTimeout);
        assert_eq!(end.at, noticed, "{dead}");
        assert_eq!(world.end(session, dead), None);
    }
}

#[test]
fn a_side_that_does_not_read_judges_nobody_and_is_silent_for_its_peer() {
    for side in Side::BOTH {
        let (mut world, session) = open(Link::new(ms(20)), Plan::new(Heartbeat::DEFAULT));
        world.run_until(ms(25_025));
        // On the server, the pong to the ping of 25 s is read only after the timeout.
        world.pause_reading(session, side, secs(44));
        assert_eq!(world.send(session, side, "it still sends"), Ok(()));
        world.run_until(secs(200));
        world.assert_open(session);
    }
    let (mut world, session) = open(Link::new(ms(20)), Plan::new(Heartbeat::DEFAULT));
    world.run_until(secs(26));
    world.pause_reading(session, Side::Client, secs(60));
    world.run_until(secs(200));
    let end = world.assert_ended(session, Side::Server, DisconnectReason::PingTimeout);
    assert_eq!(end.at, ms(70_040));
    world.assert_ended(session, Side::Client, DisconnectReason::TransportReset);
}

#[test]
fn a_killed_program_is_noticed_at_once() {
    let (mut world, session) = open(Link::new(ms(20)), Plan::new(Heartbeat::DEFAULT));
    world.run_until(secs(51));
    world.kill(session, Side::Client);
    world.run_until(secs(52));
    let end = world.assert_ended(session, Side::Server, DisconnectReason::TransportClosed);
    assert_eq!(end.at, ms(51_020));
}

#[test]
fn a_closed_session_ends_on_both_sides() {
    let (mut world, session) = open(Link::new(ms(20)), Plan::new(Heartbeat::DEFAULT));
    world.run_until(secs(10));
    world.close(session, Side::Server);
    world.run_until(secs(11));
    world.assert_ended(session, Side::Server, DisconnectReason::LocalClose);
    let end = world.assert_ended(session, Side::Client, DisconnectReason::TransportClosed);
    assert_eq!(end.at, ms(10_020));
}

#[test]
fn a_short_cut_delays_a_pong_and_a_long_one_ends_the_session() {
    // A ping of 25 s is lost. The timeouts double from 240 ms: it arrives after 15.4 s, or after 31 s.
    for (lasting, survives) in [(secs(14), true), (secs(30), false)] {
        let cut = Spells::once(secs(25), lasting);
        let (mut world, session) = open(Link::new(ms(20)).cut(cut), Plan::new(Heartbeat::DEFAULT));
        world.run_until(secs(300));
        assert_eq!(world.is_open(session, Side::Server), survives);
        if !survives {
            let end = world.assert_ended(session, Side::Server, DisconnectReason::PingTimeout);
            assert_eq!(end.at, secs(45));
        }
    }
}

#[test]
fn a_peer_that_still_sends_to_an_ended_session_is_reset() {
    // No pong gets through; nor does the reset with which the server ends.
    let link = Link::new(ms(20)).cut_to_server(Spells::once(secs(25), secs(31)));
    let link = link.cut_to_client(Spells::once(secs(44), secs(2)));
    let (mut world, session) = open(link, Plan::new(Heartbeat::DEFAULT));
    world.run_until(secs(300));
    let end = world.assert_ended(session, Side::Server, DisconnectReason::PingTimeout);
    assert_eq!(end.at, secs(45));
    let end = world.assert_ended(session, Side::Client, DisconnectReason::TransportReset);
    assert!(secs(56) < end.at && end.at < secs(60), "{:?}", end.at);
}

#[test]
fn a_stalled_program_kills_nobody_who_has_answered() {
    let (mut world, session) = open(Link::new(ms(20)), Plan::new(Heartbeat::DEFAULT));
    world.run_until(ms(25_001));
    // The pong of 25 s waits in the server's kernel for longer than the timeout.
    world.stall(session, Side::Server, secs(40));
    world.run_until(secs(86));
    world.assert_open(session);
    assert_eq!(world.traffic(session).to_server.repeated, 0, "the kernel acknowledged");
    world.stall(session, Side::Client, secs(60));
    world.run_until(secs(200));
    world.assert_ended(session, Side::Server, DisconnectReason::PingTimeout);
}

#[test]
fn a_program_that_does_not_run_sends_nothing() {
    let (mut world, session) = open(Link::new(ms(20)), Plan::new(Heartbeat::DEFAULT));
    assert_eq!(world.send(session, Side::Client, "one"), Ok(()));
    world.stall(session, Side::Client, secs(1));
    assert_eq!(world.send(session, Side::Client, "two"), Err(SendError::NotRunning));
    world.run_until(secs(1));
    assert_eq!(world.send(session, Side::Client, vec![3]), Ok(()));
    let mut messages = Vec::new();
    while let Some(Event { what, .. }) = world.next_event(secs(2)) {
        if let Happening::Message(message) = what {
            messages.push(message);
        }
    }
    assert_eq!(messages, [Message::from(vec![3])], "the first one was read before anybody asked for events");
}

#[test]
fn a_device_that_sleeps_receives_nothing_and_its_clock_may_stop() {
    for (runs_on, survives) in [(true, false), (false, true)] {
        let mut world = World::new(1);
        let link = world.add_link(Link::new(ms(20)));
        let device = world.add_host(Host::new().clock_runs_in_sleep(runs_on));
        // A patient server: what is judged here is the device.
        let heartbeat = Heartbeat::new(secs(25), secs(200)).expect("valid periods");
        let plan =
            Plan::new(heartbeat).link(link).host(Side::Client, device).client_timeout_at_most(secs(20));
        let plan = world.add_plan(plan);
        let session = world.open(plan);
        world.run_until(secs(24));
        world.sleep(session, Side::Client, secs(50));
        world.run_until(secs(400));
        assert_eq!(world.is_open(session, Side::Client), survives, "{}", world.timetable());
        if !survives {
            let end = world.assert_ended(session, Side::Client, DisconnectReason::PingTimeout);
            assert_eq!(end.at, secs(74), "it looks at its clock as soon as it wakes up");
        }
    }
}

#[test]
fn a_machine_that_never_wakes_up_holds_up_no_world() {
    let gapless = Spells::every(secs(1), secs(10)).starting_at(secs(30));
    // Two that take turns.
    let second = Spells::every(secs(20), secs(10)).starting_at(secs(40));
    let in_turn = Spells::every(secs(20), secs(10)).starting_at(secs(30)).and(second);
    for spells in [gapless, Spells::every(secs(1), Duration::MAX).starting_at(secs(30)), in_turn] {
        for host in [
            Host::new().stalls(spells.clone()),
            Host::new().sleeps(spells.clone()),
            Host::new().sleeps(spells.clone()).clock_runs_in_sleep(false),
        ] {
            let mut world = World::new(1);
            let link = world.add_link(Link::new(ms(20)));
            let device = world.add_host(host);
            let plan = Plan::new(Heartbeat::DEFAULT).link(link).host(Side::Client, device);
            let plan = world.add_plan(plan);
            let session = world.open(plan);
            world.run_until(secs(86_400));
            let end = world.assert_ended(session, Side::Server, DisconnectReason::PingTimeout);
            assert_eq!(end.at.as_millis(), 70_040, "its first pong came before it fell asleep");
            assert_eq!(world.end(session, Side::Client), None);
        }
    }
}

#[test]
fn the_longest_times_end_a_run_and_not_the_program() {
    let clocks = [
        Host::new().clock_ahead(Duration::MAX).drift_ppm(i32::MAX),
        Host::new().drift_ppm(-999_999),
        Host::new().clock_runs_in_sleep(false),
    ];
    for clock in clocks {
        let mut world = World::new(1);
        let link = world.add_link(Link::new(ms(20)));
        let device = world.add_host(clock);
        let plan = world.add_plan(Plan::new(Heartbeat::DEFAULT).link(link).host(Side::Client, device));
        let session = world.open(plan);
        world.die(session, Side::Server);
        world.sleep(session, Side::Client, Duration::MAX);
        world.run_for(Duration::MAX);
        world.run_for(Duration::MAX);
        assert_eq!(world.end(session, Side::Client), None, "it sleeps");
    }
}

#[test]
fn a_clock_that_runs_fast_ends_early_by_true_time() {
    let mut world = World::new(1);
    let link = world.add_link(Link::new(ms(0)));
    let fast = world.add_host(Host::new().drift_ppm(100_000).clock_ahead(secs(1_000)));
    let plan = world.add_plan(Plan::new(Heartbeat::DEFAULT).link(link).host(Side::Server, fast));
    let session = world.open(plan);
    world.die(session, Side::Client);
    world.run_until(secs(100));
    let end = world.assert_ended(session, Side::Server, DisconnectReason::PingTimeout);
    assert_eq!(end.at.as_millis(), 40_909, "45 s by a clock that gains 10 %");
    assert_eq!(end.silent_for, secs(45));
}

#[test]
fn clients_connect_again_and_ended_sessions_leave_no_memory() {
    let mut world = World::new(7);
    let link =
        world.add_link(Link::new(ms(30)).cut(Spells::every(secs(300), secs(60)).starting_at(secs(100))));
    let plan = world.add_plan(Plan::new(Heartbeat::DEFAULT).link(link).reconnects(Backoff::DEFAULT));
    let mut alive = vec![world.connect(plan)];
    let mut open = 0;
    while let Some(event) = world.next_event(secs(86_400)) {
        match event.what {
            Happening::Connects { after } => {
                alive.retain(|session| *session != after);
                alive.push(event.session);
            }
            Happening::Opened if event.side == Side::Client => open += 1,
            _ => {}
        }
    }
    assert!(open > 200, "{open} sessions");
    assert_eq!(alive.len(), 1);
    assert!(world.sessions().count() <= 3, "{:?}", world.sessions().collect::<Vec<_>>());
    assert!(world.totals().connected > 280, "{:?}", world.totals());
}

#[test]
fn the_same_seed_gives_the_same_world_and_another_one_another() {
    let run = |seed| {
        let mut world = World::new(seed);
        let link = world.add_link(Link::new(ms(30)).jitter(ms(50)).loss_per_million(20_000));
        let plan = Plan::new(Heartbeat::DEFAULT).link(link).sends(Side::Client, secs(7), 300);
        let plan = world.add_plan(plan.sends(Side::Server, secs(3), 50));
        for _ in 0..20 {
            world.connect(plan);
        }
        world.run_until(secs(3_600));
        (world.totals(), world.timetable().to_string())
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

#[test]
fn a_failure_names_the_seed_and_shows_the_timetable() {
    let failure = std::panic::catch_unwind(|| {
        let (mut world, session) = open(Link::new(ms(20)), Plan::new(Heartbeat::DEFAULT));
        world.die(session, Side::Client);
        world.run_until(secs(60));
        world.assert_open(session);
    });
    let failure = failure.expect_err("the session has ended");
    let words = failure.downcast_ref::<String>().expect("a sentence");
    assert!(words.contains("seed 1") && words.contains("#0 is not open on the server"), "{words}");

    let (mut world, session) = open(Link::new(ms(20)), Plan::new(Heartbeat::DEFAULT));
    world.run_until(secs(26));
    let timetable = world.timetable().of(session).to_string();
    assert_eq!(
        timetable,
        "       0.000 s  #0   server is open\n\
         \x20      0.000 s  #0   client is open\n\
         \x20     25.000 s  #0   server sends a ping\n\
         \x20     25.020 s  #0   client hears a ping\n\
         \x20     25.020 s  #0   client sends a pong\n\
         \x20     25.040 s  #0   server hears a pong\n"
    );
}

#[test]
fn a_removed_session_cannot_be_named() {
    let (mut world, session) = open(Link::new(ms(20)), Plan::new(Heartbeat::DEFAULT));
    world.remove(session);
    let failure = std::panic::catch_unwind(move || world.is_open(session, Side::Client));
    assert!(failure.is_err());
}

#[test]
fn a_session_on_long_polling_lives_and_its_end_is_noticed() {
    for revision in [Revision::V4, Revision::V3] {
        let plan =
            Plan::new(Heartbeat::DEFAULT).revision(revision).polling().sends(Side::Client, secs(7), 100);
        let (mut world, session) = open(Link::new(ms(20)), plan);
        world.run_until(secs(3_600));
        world.assert_open(session);
        assert!(world.totals().heartbeats > 140, "{:?}", world.totals());
        world.close(session, Side::Client);
        world.run_for(secs(1));
        world.assert_ended(session, Side::Server, DisconnectReason::PeerClose);
    }
}

#[test]
fn a_session_moves_to_a_websocket_at_any_moment_and_no_message_is_lost() {
    for revision in [Revision::V4, Revision::V3] {
        for moment in (24_000..25_500).step_by(10) {
            let plan = Plan::new(Heartbeat::DEFAULT).revision(revision).polling();
            let (mut world, session) = open(Link::new(ms(20)), plan);
            let (mut sent, mut heard) = ([0, 0], [0, 0]);
            for step in 0..300 {
                let at = ms(23_000 + 20 * step);
                while let Some(event) = world.next_event(at) {
                    heard[event.side as usize] += u32::from(matches!(event.what, Happening::Message(_)));
                }
                if at == ms(moment) || at == ms(moment + 10) {
                    assert!(world.upgrade(session) && !world.upgrade(session));
                }
                for side in Side::BOTH {
                    sent[side.other() as usize] += u32::from(world.send(session, side, "tick").is_ok());
                }
            }
            while let Some(event) = world.next_event(secs(3_600)) {
                heard[event.side as usize] += u32::from(matches!(event.what, Happening::Message(_)));
            }
            world.assert_open(session);
            assert_eq!((sent, heard), ([300; 2], [300; 2]), "{moment}");
            assert_eq!(world.totals().upgraded, 1);
            assert!(!world.upgrade(session), "it is on a WebSocket");
        }
    }
}

#[test]
fn an_upgrade_that_takes_too_long_leaves_the_session_where_it_is() {
    // The client's probe is answered only after its 5 s.
    let link = Link::new(ms(20)).cut_to_client(Spells::once(ms(1_030), secs(7)));
    let (mut world, session) = open(link, Plan::new(Heartbeat::DEFAULT).polling());
    world.run_until(secs(1));
    assert!(world.upgrade(session));
    world.run_until(secs(60));
    world.assert_open(session);
    assert_eq!(world.totals().upgraded, 0, "{}", world.timetable());
    assert!(world.upgrade(session), "it may try again");
    world.run_until(secs(120));
    world.assert_open(session);
    assert_eq!(world.totals().upgraded, 1, "{}", world.timetable());
}

#[test]
fn a_machine_that_falls_asleep_before_an_acknowledgement_arrives_loses_it() {
    // Acknowledgements are lost for a second, so the client repeats its message.
    for moment in (10_500..12_500).step_by(5) {
        let link = Link::new(ms(20)).cut_to_client(Spells::once(secs(10), secs(1)));
        let (mut world, session) = open(link, Plan::new(Heartbeat::DEFAULT));
        world.run_until(ms(10_500));
        assert_eq!(world.send(session, Side::Client, "hello"), Ok(()));
        world.run_until(ms(moment));
        world.sleep(session, Side::Client, secs(8));
        world.run_until(secs(100));
        world.assert_open(session);
    }
}

#[test]
fn a_machine_that_is_put_to_sleep_again_sleeps_until_the_later_end() {
    let plan = Plan::new(Heartbeat::DEFAULT).sends(Side::Client, secs(1), 10);
    let (mut world, session) = open(Link::new(ms(20)), plan);
    world.run_until(secs(10));
    world.sleep(session, Side::Client, secs(8));
    world.run_until(secs(14));
    world.sleep(session, Side::Client, secs(2));
    world.run_until(ms(17_999));
    assert_eq!(world.send(session, Side::Client, "too early"), Err(SendError::NotRunning));
    world.run_until(secs(18));
    assert_eq!(world.send(session, Side::Client, "awake"), Ok(()));
    world.run_until(secs(100));
    world.assert_open(session);
}

#[test]
fn a_session_that_passes_its_bound_makes_the_run_fail_at_that_moment() {
    let mut world = World::new(1);
    world.shorten_bounds(ms(1));
    let plan = world.add_plan(Plan::new(Heartbeat::DEFAULT));
    let session = world.open(plan);
    world.run_until(secs(60));
    assert_eq!(world.breach(), None);
    world.die(session, Side::Client);
    let failure = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| world.run_until(secs(120))));
    let failure = failure.expect_err("a bound that the session does not keep");
    let words = failure.downcast_ref::<String>().expect("a sentence");
    assert_eq!(words, "#0 has not ended on the server at its bound, at 94.999 s in the world of seed 1");
    let breach = world.breach().expect("the same");
    assert_eq!((breach.session, breach.side, breach.at), (session, Side::Server, ms(94_999)));
    assert_eq!(breach.what, Wrong::Late { by: Duration::ZERO });
}

#[test]
fn how_close_sessions_come_to_their_bounds_is_counted() {
    let (mut world, session) = open(Link::new(ms(20)), Plan::new(Heartbeat::DEFAULT));
    world.die(session, Side::Client);
    world.run_until(secs(60));
    let margins = world.margins();
    assert_eq!((margins.judged, margins.undisturbed), (1, 1));
    assert_eq!((margins.to_latest, margins.to_earliest), (Some(ms(0)), Some(ms(0))));
}

#[test]
fn in_an_upgrade_a_program_that_keeps_its_own_ping_from_leaving_ends_nothing() {
    for begins in (23_000..24_200).step_by(50) {
        let mut world = World::new(1);
        let link = world.add_link(Link::new(ms(300)));
        // The ping is due at 25 s. Some upgrades release the request before and complete in the stall. Then the ping leaves
        // less than a round trip before the timeout that began when it was due.
        let server = world.add_host(Host::new().stalls(Spells::once(ms(25_050), ms(19_600))));
        let plan = Plan::new(Heartbeat::DEFAULT).polling().link(link);
        let plan = world.add_plan(plan.host(Side::Server, server));
        let session = world.open(plan);
        world.run_until(ms(begins));
        assert!(world.upgrade(session));
        world.run_until(secs(120));
        world.assert_open(session);
        assert_eq!(world.breach(), None, "an upgrade that begins at {begins} ms");
    }
}

#[test]
fn on_long_polling_a_program_that_keeps_its_own_ping_from_leaving_ends_nothing() {
    let mut world = World::new(1);
    let link = world.add_link(Link::new(ms(500)));
    let client = world.add_host(Host::new().stalls(Spells::once(ms(25_200), secs(12))));
    let plan = Plan::new(Heartbeat::DEFAULT).revision(Revision::V3).polling().link(link);
    let plan = world.add_plan(plan.host(Side::Client, client).client_timeout_at_most(secs(10)));
    let session = world.open(plan);
    world.run_until(ms(24_500));
    // The ping of 25 s waits until this is answered, and the answer is read only after the stall.
    assert_eq!(world.send(session, Side::Client, "hello"), Ok(()));
    world.run_until(secs(120));
    world.assert_open(session);
    assert_eq!(world.breach(), None);
}

#[test]
fn a_clients_ping_that_waited_for_an_upgrade_that_timed_out_gets_no_more_time() {
    // The probe is answered. What ends the request before is lost, so the upgrade fails after 5 s. The ping is due in the
    // meantime, and its answer comes too late.
    let link = Link::new(ms(20)).cut_to_client(Spells::once(ms(25_010), secs(7)));
    let plan = Plan::new(Heartbeat::DEFAULT).revision(Revision::V3).polling();
    let (mut world, session) = open(link, plan.client_timeout_at_most(secs(8)));
    world.run_until(ms(24_900));
    assert!(world.upgrade(session));
    world.run_until(secs(120));
    assert_eq!(world.totals().upgraded, 0, "{}", world.timetable());
    let end = world.assert_ended(session, Side::Client, DisconnectReason::PingTimeout);
    assert!(end.at <= secs(33) + ms(100), "{end:?}");
}
