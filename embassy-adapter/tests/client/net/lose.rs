//! How sessions end over TCP, and what comes after.

use core::cell::Cell;
use core::ops::ControlFlow;
use std::rc::Rc;

use eio_core::DisconnectReason;
use eio_core::packet::WebSocketMessage;
use eio_core::ws::{Close, CloseCode, ControlFrame};
use eio_embassy::{Limits, Loss, State, TcpClient};
use embassy_net::ConfigV4;
use embassy_time::Timer;

use super::cable::{Segment, Side};
use super::lab::{End, FAR, Journal, Lab, PORT, board_config, names};
use crate::fakes::{self, Sent, Server, text};

/// An open session that has lived for 300 ms and got a ping, so that it may be silent until 800 ms.
fn open() -> (Lab, Journal, usize) {
    let mut lab = Lab::new();
    lab.listen();
    let journal = lab.start(FAR, PORT);
    let server = lab.accept();
    lab.pass(300);
    lab.serve(server, |server| server.text("2"));
    assert_eq!(lab.take(server), [text("40"), text("3")]);
    assert_eq!(names(&lab.take_states()), ["connecting", "open"]);
    // The acknowledgements are on their way for longer.
    lab.pass(50);
    lab.cable.take_segments(Side::Near);
    (lab, journal, server)
}

/// How the last session has ended, if the connector waits.
fn reason(lab: &mut Lab) -> Option<DisconnectReason> {
    match lab.state() {
        State::Waiting { after: Loss::Session(end), .. } => Some(end.reason),
        _ => None,
    }
}

#[test]
fn a_cut_cable_is_noticed_when_both_periods_are_over_and_a_reset_is_tried() {
    let _clock = fakes::clock();
    let (mut lab, _, _) = open();
    lab.cable.cut();
    lab.pass(449);
    assert_eq!(fakes::now(), 799_000);
    assert_eq!(lab.take_states(), []);
    assert_eq!(lab.cable.take_segments(Side::Near), []);
    lab.pass(1);
    let states = lab.take_states();
    assert_eq!(names(&states), ["lost", "waiting"]);
    assert!(states.iter().all(|(at, _)| *at == 800), "{states:?}");
    assert_eq!(reason(&mut lab), Some(DisconnectReason::PingTimeout));
    let segments = lab.cable.take_segments(Side::Near);
    assert!(matches!(*segments, [segment] if segment.rst && segment.at == 800), "{segments:?}");
}

#[test]
fn when_the_cable_is_back_it_connects_again_and_nothing_is_sent_twice() {
    let _clock = fakes::clock();
    let (mut lab, journal, first) = open();
    lab.cable.cut();
    lab.pass(60_000);
    assert!(matches!(lab.state(), State::Connecting | State::Waiting { .. } | State::Lost(_)));
    lab.cable.mend();
    lab.pass(20_000);
    let second = lab.accept();
    assert_ne!(first, second);
    assert!(matches!(lab.state(), State::Open { .. }));
    assert_eq!(lab.take(second), [text("41")]);
    assert_eq!(lab.take(first), []);
    assert_eq!(journal.sent.get(), 2);
    // The server that has missed the reset learns it from the answer to its next ping.
    assert_eq!(lab.end(first), None);
    lab.serve(first, |server| server.text("2"));
    assert_eq!(lab.end(first), Some(End::Reset));
    // The new session is not harmed.
    lab.serve(second, |server| server.text("4hello"));
    assert_eq!(*journal.received.borrow(), [text("hello")]);
}

#[test]
fn a_cable_that_is_back_before_the_end_has_not_been_away() {
    let _clock = fakes::clock();
    let (mut lab, journal, server) = open();
    lab.cable.cut();
    lab.serve(server, |server| server.text("2"));
    lab.serve(server, |server| server.text("4late"));
    lab.pass(100);
    lab.cable.mend();
    // TCP sends again after a second; the periods end before.
    lab.pass(349);
    assert_eq!(lab.take_states(), []);
    lab.serve(server, |server| server.text("2"));
    lab.pass(1_000);
    assert_eq!(lab.connections(), 2, "what TCP has lost is not there before its own time");
    assert_eq!(*journal.received.borrow(), []);
}

/// A switch that is back is back for all boards behind it, so each waits for a random part of the shortest delay.
#[test]
fn a_link_that_is_lost_means_offline_after_the_end_and_a_session_soon_when_it_is_back() {
    let _clock = fakes::clock();
    let (mut lab, _, mut server) = open();
    let mut waits = Vec::new();
    for outage in 1..=8 {
        lab.cable.set_link(false);
        // The board does not hear of it, and the server listens again.
        lab.serve(server, Server::reset);
        // The delays grow, because no session lasts.
        lab.pass(11_000);
        assert_eq!(names(&lab.take_states()), ["lost", "waiting", "offline"]);
        lab.cable.set_link(true);
        let back = fakes::now() / 1_000;
        lab.pass(100);
        server = lab.accept();
        let states = lab.take_states();
        assert_eq!(names(&states), ["connecting", "open"]);
        assert_eq!(lab.take(server), [text(&format!("4{outage}"))]);
        waits.push(states[0].0 - back);
    }
    assert!(waits.iter().all(|wait| *wait <= 100), "{waits:?}");
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 5 && waits.first() < Some(&30) && waits.last() > Some(&70), "{waits:?}");
}

#[test]
fn a_link_that_is_lost_again_while_the_board_waits_to_connect_means_offline() {
    let _clock = fakes::clock();
    let (mut lab, _, _) = open();
    for _ in 0..5 {
        lab.cable.set_link(false);
        lab.pass(3_000);
        lab.take_states();
        let connections = lab.connections();
        lab.cable.set_link(true);
        lab.settle();
        lab.cable.set_link(false);
        lab.pass(3_000);
        assert!(lab.take_states().iter().all(|(_, state)| *state == State::Offline));
        assert_eq!(lab.connections(), connections);
    }
    lab.cable.set_link(true);
    lab.pass(100);
    lab.accept();
}

#[test]
fn an_address_that_is_lost_resets_the_connection_at_once() {
    let _clock = fakes::clock();
    let (mut lab, _, _) = open();
    // What DHCP does when the link goes.
    lab.near.set_config_v4(ConfigV4::None);
    lab.cable.set_link(false);
    lab.settle();
    assert_eq!(reason(&mut lab), Some(DisconnectReason::TransportReset));
    lab.pass(10_000);
    assert_eq!(lab.state(), State::Offline);
    lab.cable.set_link(true);
    lab.near.set_config_v4(ConfigV4::Static(board_config()));
    lab.pass(100);
    let server = lab.accept();
    assert_eq!(lab.take(server), [text("41")]);
}

#[test]
fn a_server_that_closes_in_order_gets_its_close_frame_and_fin() {
    let _clock = fakes::clock();
    let (mut lab, _, server) = open();
    lab.serve(server, |server| {
        let close = Close::new(CloseCode::GOING_AWAY, "restart").unwrap();
        server.control(ControlFrame::Close(Some(close)));
    });
    assert_eq!(lab.take(server), [Sent::Close(Some(1001))]);
    assert_eq!(lab.end(server), Some(End::Closed));
    lab.pass(50);
    assert_eq!(reason(&mut lab), Some(DisconnectReason::TransportClosed));
    assert!(lab.cable.take_segments(Side::Near).iter().all(|segment| !segment.rst));
    assert_eq!(names(&lab.take_states()), ["lost", "waiting"]);
}

#[test]
fn a_server_that_only_sends_fin_is_answered_with_one() {
    let _clock = fakes::clock();
    let (mut lab, _, server) = open();
    lab.serve(server, Server::hang_up);
    lab.pass(50);
    assert_eq!(reason(&mut lab), Some(DisconnectReason::TransportClosed));
    let segments = lab.cable.take_segments(Side::Near);
    assert_eq!(segments.iter().filter(|segment| segment.fin).count(), 1);
    assert!(segments.iter().all(|segment| !segment.rst));
    lab.pass(200);
    lab.accept();
    assert!(matches!(lab.state(), State::Open { .. }));
}

#[test]
fn a_server_that_resets_is_told_from_one_that_closes_at_once() {
    let _clock = fakes::clock();
    let (mut lab, journal, server) = open();
    lab.serve(server, |server| server.text("4last"));
    lab.serve(server, Server::reset);
    assert_eq!(fakes::now(), 350_000);
    assert_eq!(reason(&mut lab), Some(DisconnectReason::TransportReset));
    lab.pass(200);
    let server = lab.accept();
    assert_eq!(lab.take(server), [text("41")]);
    assert_eq!(*journal.received.borrow(), [text("last")]);
}

#[test]
fn an_application_that_returns_ends_the_session_with_a_close_frame_and_fin() {
    let _clock = fakes::clock();
    for delay in [0, 20] {
        let (mut lab, _, server) = open();
        lab.cable.set_delay(delay);
        lab.serve(server, |server| server.text("4return"));
        lab.pass(3 * delay);
        assert_eq!(lab.take(server), [Sent::Close(None)]);
        assert_eq!(lab.end(server), Some(End::Closed));
        lab.pass(50);
        assert_eq!(reason(&mut lab), Some(DisconnectReason::LocalClose));
        lab.pass(300);
        let server = lab.accept();
        lab.pass(3 * delay);
        assert_eq!(lab.take(server), [text("41")]);
        assert!(lab.cable.take_segments(Side::Near).iter().all(|segment| !segment.rst));
    }
}

#[test]
fn a_server_that_never_closes_its_half_is_reset_before_the_next_attempt() {
    let _clock = fakes::clock();
    let (mut lab, _, first) = open();
    lab.is_lazy.set(true);
    lab.serve(first, |server| server.text("4return"));
    lab.pass(300);
    let second = lab.accept();
    assert_eq!(lab.take(second), [text("41")]);
    let segments = lab.cable.take_segments(Side::Near);
    let step = |want: fn(&Segment) -> bool| segments.iter().position(want).expect("a segment");
    let steps = [step(|segment| segment.fin), step(|segment| segment.rst), step(|segment| segment.syn)];
    assert!(steps.is_sorted(), "{segments:?}");
}

#[test]
fn run_returns_when_everything_is_delivered() {
    let _clock = fakes::clock();
    let mut lab = Lab::new();
    lab.listen();
    lab.cable.set_delay(20);
    let result = Rc::new(Cell::new(None));
    let application = async |client: &mut TcpClient<'_, '_>| {
        for number in 0..20 {
            let long = format!("{number:0200}");
            client.send(WebSocketMessage::Text(&long)).await.expect("open");
        }
        ControlFlow::Break("delivered")
    };
    lab.start_with(FAR, PORT, Limits::DEFAULT, result.clone(), application);
    lab.pass(100);
    let server = lab.accept();
    let mut sent = Vec::new();
    while result.get().is_none() {
        lab.pass(1);
        sent.extend(lab.take(server));
    }
    let mut expected: Vec<_> = (0..20).map(|number| text(&format!("4{number:0200}"))).collect();
    expected.push(Sent::Close(None));
    assert_eq!(sent, expected);
    assert_eq!(lab.end(server), Some(End::Closed));
    assert_eq!(names(&lab.take_states()), ["connecting", "open", "lost"]);
}

#[test]
fn an_application_that_returns_to_a_dead_server_waits_for_the_limit_and_resets() {
    let _clock = fakes::clock();
    let (mut lab, _, server) = open();
    // Arrives, and nothing that comes after it.
    lab.cable.set_delay(10);
    lab.serve(server, |server| server.text("4return"));
    lab.pass(10);
    lab.cable.cut();
    let start = fakes::now() / 1_000;
    lab.pass(3_000);
    let states = lab.take_states();
    assert_eq!(names(&states)[..2], ["lost", "waiting"]);
    assert_eq!((states[0].0, states[1].0), (start, start + 2_000));
    let segments = lab.cable.take_segments(Side::Near);
    assert!(segments.iter().any(|segment| segment.rst && segment.at == start + 2_000), "{segments:?}");
}

#[test]
fn a_watcher_sees_the_session_open_until_the_application_returns() {
    let _clock = fakes::clock();
    let mut lab = Lab::new();
    lab.listen();
    let application = async |client: &mut TcpClient<'_, '_>| {
        while client.recv().await.is_ok() {}
        Timer::after_millis(1_000).await;
        ControlFlow::Continue(())
    };
    lab.start_with(FAR, PORT, Limits::DEFAULT, Rc::default(), application);
    lab.accept();
    lab.pass(1_499);
    assert!(matches!(lab.state(), State::Open { .. }));
    lab.pass(1);
    let Some(&(1_500, State::Lost(Loss::Session(end)))) = lab.take_states().get(2) else {
        panic!("it waits")
    };
    assert_eq!(end.reason, DisconnectReason::PingTimeout);
    assert_eq!(end.silent_for.as_millis(), 500, "the end itself was on time");
}

#[test]
fn sessions_that_the_server_ends_at_once_come_ever_more_rarely() {
    let _clock = fakes::clock();
    let mut lab = Lab::new();
    lab.listen();
    lab.start(FAR, PORT);
    let mut count = 0;
    for _ in 0..60_000 {
        lab.pass(1);
        if lab.connections() > count {
            let server = lab.accept();
            count += 1;
            assert_eq!(lab.take(server), [text(&format!("4{server}"))]);
            lab.serve(server, Server::hang_up);
        }
    }
    assert!((8..25).contains(&count), "{count}");
    let waits: Vec<_> = lab
        .take_states()
        .iter()
        .filter_map(|(at, state)| match state {
            State::Waiting { until, .. } => Some(until.as_millis() - at),
            _ => None,
        })
        .collect();
    assert!(waits.iter().all(|wait| (100..=10_000).contains(wait)), "{waits:?}");
}
