//! From a name to a session, and everything that can be in the way.

use core::ops::ControlFlow;
use core::time::Duration;
use std::rc::Rc;

use eio_core::packet::WebSocketMessage;
use eio_core::ws::opening::ResponseError;
use eio_embassy::{ClientSettings, ConnectError, Connector as _, Endpoint, Limits, Loss, State, TcpClient};
use embassy_net::ConfigV4;

use super::cable::Side;
use super::lab::{FAR, Lab, PORT, board_config, names};
use crate::fakes::{self, Sent, text};

/// Why the last attempt has failed, if the connector waits.
fn loss(lab: &mut Lab) -> Option<Loss> {
    match lab.state() {
        State::Waiting { after, .. } => Some(after),
        _ => None,
    }
}

#[test]
fn it_connects_by_address_and_messages_go_both_ways() {
    let _clock = fakes::clock();
    let mut lab = Lab::new();
    lab.listen();
    let journal = lab.start(FAR, PORT);
    let server = lab.accept();
    assert_eq!(names(&lab.take_states()), ["connecting", "open"]);
    lab.serve(server, |server| {
        server.text("4hello");
        server.binary(&[7; 300]);
        server.text("2");
    });
    assert_eq!(*journal.received.borrow(), [text("hello"), Sent::Binary(vec![7; 300])]);
    assert_eq!(lab.take(server), [text("40"), text("3")]);
    assert_eq!(fakes::now(), 0, "none of it needs time");
}

#[test]
fn it_connects_by_name() {
    let _clock = fakes::clock();
    let mut lab = Lab::new();
    lab.listen();
    lab.serve_names(|name| (name == "server.example").then_some([10, 0, 0, 2]));
    lab.start("server.example", PORT);
    let server = lab.accept();
    assert_eq!(lab.take(server), [text("40")]);
}

#[test]
fn it_connects_over_a_slow_line_and_each_step_takes_its_time() {
    let _clock = fakes::clock();
    let mut lab = Lab::new();
    lab.listen();
    lab.cable.set_delay(20);
    lab.start(FAR, PORT);
    // The far machine's address, and the TCP connection: two round trips; the request takes half a one.
    lab.pass(99);
    assert_eq!(lab.connections(), 0);
    lab.pass(1);
    let server = lab.accept();
    lab.pass(20);
    assert!(matches!(lab.state(), State::Open { since, .. } if since.as_millis() == 120));
    lab.pass(20);
    assert_eq!(lab.take(server), [text("40")]);
}

#[test]
fn a_heartbeat_is_not_held_back_behind_a_message() {
    let _clock = fakes::clock();
    let mut lab = Lab::new();
    lab.listen();
    lab.cable.set_delay(20);
    lab.start(FAR, PORT);
    lab.pass(100);
    let server = lab.accept();
    lab.pass(5);
    // The message leaves at 120 ms, the pong at 125 ms, and the message's acknowledgement comes later.
    lab.serve(server, |server| server.text("2"));
    lab.pass(39);
    assert_eq!(lab.take(server), [text("40")]);
    lab.pass(1);
    assert_eq!(lab.take(server), [text("3")]);
}

#[test]
fn an_address_needs_no_name_server() {
    let _clock = fakes::clock();
    let mut config = board_config();
    config.dns_servers.clear();
    let mut lab = Lab::with_config(ConfigV4::Static(config));
    lab.listen();
    lab.start(FAR, PORT);
    lab.accept();
    assert_eq!(names(&lab.take_states()), ["connecting", "open"]);
}

#[test]
fn a_name_without_a_name_server_is_unresolved_at_once() {
    let _clock = fakes::clock();
    let mut config = board_config();
    config.dns_servers.clear();
    let mut lab = Lab::with_config(ConfigV4::Static(config));
    lab.start("server.example", PORT);
    lab.settle();
    assert_eq!(loss(&mut lab), Some(Loss::Unresolved));
}

#[test]
fn a_name_that_nobody_knows_is_unresolved_at_once() {
    let _clock = fakes::clock();
    let mut lab = Lab::new();
    lab.serve_names(|_| None);
    lab.start("server.example", PORT);
    lab.settle();
    assert_eq!(loss(&mut lab), Some(Loss::Unresolved));
}

#[test]
fn an_invalid_name_is_unresolved_at_once() {
    let _clock = fakes::clock();
    for name in ["", "..", "a..b", "an-overlong-label-an-overlong-label-an-overlong-label-an-overlong-label"]
    {
        let mut lab = Lab::new();
        lab.serve_names(|_| None);
        lab.start(name, PORT);
        lab.settle();
        assert_eq!(loss(&mut lab), Some(Loss::Unresolved), "{name}");
    }
}

#[test]
fn a_name_server_that_never_answers_is_given_up_at_the_limit() {
    let _clock = fakes::clock();
    let mut lab = Lab::new();
    lab.start("server.example", PORT);
    lab.pass(9_999);
    assert_eq!(lab.state(), State::Connecting);
    lab.pass(1);
    assert_eq!(loss(&mut lab), Some(Loss::Unresolved));
}

#[test]
fn queries_that_are_given_up_leave_room_for_later_ones() {
    let _clock = fakes::clock();
    let mut lab = Lab::new();
    lab.listen();
    lab.start("server.example", PORT);
    lab.pass(120_000);
    assert!(lab.take_states().len() > 10, "more attempts than the stack can have queries");
    lab.serve_names(|_| Some([10, 0, 0, 2]));
    lab.pass(20_000);
    lab.accept();
    assert!(matches!(lab.state(), State::Open { .. }));
}

#[test]
fn a_closed_port_refuses_at_once_and_the_delays_grow() {
    let _clock = fakes::clock();
    let mut lab = Lab::new();
    lab.start(FAR, PORT);
    lab.pass(30_000);
    let mut waits = Vec::new();
    for (at, state) in lab.take_states() {
        if let State::Waiting { until, after } = state {
            assert_eq!(after, Loss::Refused);
            waits.push(until.as_millis() - at);
        }
    }
    for (wait, longest) in waits.iter().zip([200, 400, 800, 1_600, 3_200, 6_400, 10_000]) {
        assert!((100..=longest).contains(wait), "{waits:?}");
    }
    let attempts = lab.cable.take_segments(Side::Near).iter().filter(|segment| segment.syn).count();
    assert_eq!(attempts, waits.len(), "one attempt for each delay: a refusal is not tried again by TCP");
    assert!(attempts > 5);
}

#[test]
fn a_far_machine_that_is_gone_is_unreachable_at_the_limit() {
    let _clock = fakes::clock();
    for known in [false, true] {
        let mut lab = Lab::new();
        if known {
            // The board knows the far machine's hardware address, so that its packets go out.
            lab.listen();
            lab.start(FAR, PORT);
            let server = lab.accept();
            lab.serve(server, |server| server.text("4stop"));
            lab.pass(1_000);
            lab.take_states();
        }
        lab.cable.cut();
        let start = fakes::now() / 1_000;
        lab.start(FAR, PORT);
        lab.pass(9_999);
        assert_eq!(lab.state(), State::Connecting);
        lab.pass(1);
        let (end, loss) = match lab.take_states().pop() {
            Some((at, State::Lost(loss) | State::Waiting { after: loss, .. })) => (at, loss),
            other => panic!("{other:?}"),
        };
        assert_eq!((end, loss), (start + 10_000, Loss::Unreachable));
        // It goes on trying, and is there when the far machine is.
        lab.pass(20_000);
        lab.cable.mend();
        if !known {
            lab.listen();
        }
        lab.pass(20_000);
        lab.accept();
        assert!(matches!(lab.state(), State::Open { .. }));
    }
}

#[test]
fn an_address_without_a_route_is_not_tried_without_end() {
    let _clock = fakes::clock();
    let mut lab = Lab::new();
    lab.start("192.0.2.1", PORT);
    lab.pass(10_000);
    assert_eq!(loss(&mut lab), Some(Loss::Unreachable));
    let mut lab = Lab::new();
    lab.start(FAR, 0);
    lab.settle();
    assert_eq!(loss(&mut lab), Some(Loss::NoRoute));
}

#[test]
fn limits_are_kept_to_the_millisecond() {
    let _clock = fakes::clock();
    let limits = Limits {
        dns_timeout: Duration::from_millis(700),
        connect_timeout: Duration::from_millis(900),
        ..Limits::DEFAULT
    };
    for (name, limit) in [("server.example", 700), (FAR, 900)] {
        let mut lab = Lab::new();
        lab.cable.cut();
        let start = fakes::now() / 1_000;
        lab.start_with(name, PORT, limits, Rc::default(), async |_| unreachable!());
        lab.pass(5_000);
        let states = lab.take_states();
        assert_eq!(states[0], (start, State::Connecting));
        assert_eq!(states[1].0, start + limit, "{states:?}");
        assert!(matches!(states[1].1, State::Lost(_) | State::Waiting { .. }), "{states:?}");
    }
}

#[test]
fn without_a_link_it_is_offline_and_no_delay_grows() {
    let _clock = fakes::clock();
    let mut lab = Lab::new();
    lab.cable.set_link(false);
    lab.pass(10);
    lab.start(FAR, PORT);
    lab.pass(100_000);
    assert_eq!(lab.take_states(), [(10, State::Offline)]);
    lab.listen();
    lab.cable.set_link(true);
    // The shortest delay, of which a random part is waited for.
    lab.pass(100);
    lab.accept();
    assert_eq!(names(&lab.take_states()), ["connecting", "open"]);
}

#[test]
fn without_an_address_it_is_offline_and_no_delay_grows() {
    let _clock = fakes::clock();
    let mut lab = Lab::with_config(ConfigV4::None);
    lab.start(FAR, PORT);
    lab.pass(100_000);
    assert_eq!(lab.take_states(), [(0, State::Offline)]);
    lab.listen();
    lab.near.set_config_v4(ConfigV4::Static(board_config()));
    lab.pass(100);
    lab.accept();
    assert_eq!(names(&lab.take_states()), ["connecting", "open"]);
}

#[test]
fn an_address_that_comes_while_the_link_goes_does_not_count() {
    let _clock = fakes::clock();
    let mut lab = Lab::with_config(ConfigV4::None);
    lab.listen();
    lab.start(FAR, PORT);
    lab.pass(10);
    lab.cable.set_link(false);
    lab.near.set_config_v4(ConfigV4::Static(board_config()));
    lab.pass(10);
    lab.near.set_config_v4(ConfigV4::None);
    lab.cable.set_link(true);
    lab.pass(10);
    assert!(lab.take_states().iter().all(|(_, state)| *state == State::Offline));
    lab.near.set_config_v4(ConfigV4::Static(board_config()));
    lab.pass(100);
    lab.accept();
    assert_eq!(names(&lab.take_states()), ["connecting", "open"]);
}

#[test]
fn an_answer_that_opens_no_session_resets_the_connection_and_is_reported() {
    let _clock = fakes::clock();
    let mut lab = Lab::new();
    lab.listen();
    lab.start(FAR, PORT);
    lab.settle();
    lab.serve(0, |server| server.raw(b"HTTP/1.1 404 Not Found\r\n\r\n"));
    let refused = Loss::Connect(ResponseError::Status { status: 404 }.into());
    assert_eq!(loss(&mut lab), Some(refused));
    assert_eq!(lab.end(0), Some(super::lab::End::Reset));
    lab.take_states();
    lab.pass(200);
    let server = lab.accept();
    assert_eq!(server, 1);
    lab.serve(server, |server| server.raw(&fakes::frame(WebSocketMessage::Text("4hello"))));
    assert_eq!(names(&lab.take_states()), ["connecting", "open"]);
}

#[test]
fn an_endpoint_that_asks_for_tls_is_refused_and_nothing_is_sent() {
    let _clock = fakes::clock();
    let mut lab = Lab::new();
    lab.listen();
    let (mut connector, mut reconnect) = (lab.connector(FAR, PORT), lab.reconnect());
    lab.spawn(async move {
        let endpoint = Endpoint { secure: true, ..Endpoint::engineio(FAR) };
        let settings = ClientSettings::DEFAULT;
        let application = async |_: &mut TcpClient<'_, '_>| ControlFlow::Break(());
        connector.run(&mut reconnect, &endpoint, fakes::buffers(512, 512), &settings, application).await;
        panic!("a session opened");
    });
    lab.settle();
    assert_eq!(loss(&mut lab), Some(Loss::Connect(ConnectError::NeedsTls)));
    assert!(lab.connections() == 1 && !lab.has_sent(0));
}
