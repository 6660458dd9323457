//! Pings, pongs, silence, and everything that must not hide it.

use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use eio_core::DisconnectReason;
use eio_core::packet::WebSocketMessage;
use eio_core::session::SessionEnd;
use eio_core::ws::ControlFrame;
use eio_embassy::{ClientSettings, Protocol, SendError};
use embassy_futures::select::{Either, select};
use embassy_time::Timer;

use crate::fakes::{self, OPEN, Sent, Server, Task, TestClient, done, open, open_with, text, waits};

fn end_of(client: &mut TestClient) -> SessionEnd {
    done(client.recv()).expect_err("the session has ended")
}

#[test]
fn a_ping_is_answered_and_postpones_the_end() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    for _ in 0..20 {
        fakes::advance(300_000);
        server.text("2");
        waits(client.recv());
        assert_eq!(server.take(), [text("3")]);
        assert_eq!(client.time_to_deadline(), Some(Duration::from_millis(500)));
    }
}

#[test]
fn silence_ends_the_session_at_the_deadline_and_not_a_microsecond_before() {
    let _clock = fakes::clock();
    let (mut client, _server) = open();
    let task = Task::new();
    let mut recv = Box::pin(client.recv());
    assert!(task.poll(recv.as_mut()).is_pending());
    fakes::advance(499_999);
    assert!(!task.is_woken());
    assert!(task.poll(recv.as_mut()).is_pending());
    fakes::advance(1);
    assert!(task.is_woken());
    let Poll::Ready(Err(end)) = task.poll(recv.as_mut()) else { panic!("still alive") };
    assert_eq!(end.reason, DisconnectReason::PingTimeout);
    assert_eq!(end.silent_for, Duration::from_millis(500));
    drop(recv);
    assert_eq!(end_of(&mut client), end, "for ever");
    assert_eq!(done(client.send(WebSocketMessage::Text("late"))), Err(SendError::Closed));
    assert_eq!(client.time_to_deadline(), None);
}

#[test]
fn a_server_that_only_talks_is_silent() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut messages = 0;
    let end = loop {
        fakes::advance(10_000);
        server.text("4x");
        server.control(ControlFrame::Ping(b"alive"));
        assert!(done(client.recv()).is_ok());
        messages += 1;
        // What is there is read first; then the clock counts.
        if let Poll::Ready(result) = Task::new().poll(pin!(client.recv())) {
            break result.expect_err("nothing more was sent");
        }
    };
    assert_eq!(end.reason, DisconnectReason::PingTimeout);
    assert_eq!((fakes::now(), messages), (500_000, 50));
}

#[test]
fn a_write_that_hangs_hides_nothing() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    server.set_window(0);
    assert_eq!(done(client.send(WebSocketMessage::Text("kept by the client"))), Ok(()));
    // Another waits for room, until the deadline.
    let task = Task::new();
    let mut send = Box::pin(client.send(WebSocketMessage::Text("never")));
    assert!(task.poll(send.as_mut()).is_pending());
    fakes::advance(499_999);
    assert!(task.poll(send.as_mut()).is_pending());
    fakes::advance(1);
    assert_eq!(task.poll(send.as_mut()), Poll::Ready(Err(SendError::Closed)));
    drop(send);
    assert_eq!(end_of(&mut client).reason, DisconnectReason::PingTimeout);
    assert_eq!(server.take(), []);
}

#[test]
fn a_write_that_hangs_does_not_keep_pings_from_being_read() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    server.set_window(3);
    assert_eq!(done(client.send(WebSocketMessage::Text("half of it"))), Ok(()));
    for _ in 0..5 {
        fakes::advance(400_000);
        server.text("2");
        waits(client.recv());
    }
    // The pong goes as soon as the message has, once for all pings.
    server.set_window(1000);
    waits(client.recv());
    assert_eq!(server.take(), [text("4half of it"), text("3")]);
}

#[test]
fn a_heartbeat_overtakes_the_message_that_waits() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    server.set_window(3);
    assert_eq!(done(client.send(WebSocketMessage::Text("first"))), Ok(()));
    let task = Task::new();
    {
        let mut send = pin!(client.send(WebSocketMessage::Text("second")));
        assert!(task.poll(send.as_mut()).is_pending());
        server.text("2");
        assert!(task.poll(send.as_mut()).is_pending());
        server.set_window(1000);
        assert_eq!(task.poll(send.as_mut()), Poll::Ready(Ok(())));
    }
    assert_eq!(server.take(), [text("4first"), text("3"), text("4second")]);
}

#[test]
fn an_application_that_never_runs_dry_still_answers() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    server.text("2");
    for _ in 0..100 {
        server.text("4x");
    }
    // Every call finds a message at once.
    assert_eq!(fakes::received(done(client.recv()).expect("a message")), text("x"));
    assert_eq!(server.take(), [text("3")]);
}

#[test]
fn what_arrived_while_the_application_was_away_counts() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    waits(client.recv());
    server.text("2");
    server.text("4late");
    fakes::advance(60_000_000);
    assert_eq!(fakes::received(done(client.recv()).expect("alive")), text("late"));
    assert_eq!(server.take(), [text("3")]);
    assert_eq!(client.time_to_deadline(), Some(Duration::from_millis(500)));
}

#[test]
fn sending_after_an_absence_looks_for_a_sign_of_life_first() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    server.text("2");
    fakes::advance(60_000_000);
    assert_eq!(done(client.send(WebSocketMessage::Text("hi"))), Ok(()));
    assert_eq!(server.take(), [text("3"), text("4hi")]);
    fakes::advance(60_000_000);
    {
        let task = Task::new();
        let mut send = pin!(client.send(WebSocketMessage::Text("ho")));
        assert!(task.poll(send.as_mut()).is_pending(), "the network gets five milliseconds");
        fakes::advance(5_000);
        assert_eq!(task.poll(send.as_mut()), Poll::Ready(Err(SendError::Expired)));
    }
    assert_eq!(server.take(), []);
}

#[test]
fn a_ping_that_the_network_still_held_lets_a_late_message_go() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    fakes::advance(60_000_000);
    let task = Task::new();
    let mut send = pin!(client.send(WebSocketMessage::Text("hi")));
    assert!(task.poll(send.as_mut()).is_pending());
    fakes::advance(4_000);
    server.text("2");
    assert_eq!(task.poll(send.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(server.take(), [text("3"), text("4hi")]);
}

/// Rule 14. The ping is behind a message that the application has not taken: one that arrived before the absence, or one
/// that arrived in it.
#[test]
fn a_ping_behind_an_unread_message_lets_the_application_send() {
    for early in [true, false] {
        let _clock = fakes::clock();
        let (mut client, mut server) = open();
        if early {
            server.text("4unread");
            assert_eq!(done(client.send(WebSocketMessage::Text("a"))), Ok(()));
            assert_eq!(server.unread_by_client(), 0);
            fakes::advance(60_000_000);
        } else {
            fakes::advance(60_000_000);
            server.text("4unread");
        }
        server.text("2");
        for _ in 0..3 {
            assert_eq!(done(client.send(WebSocketMessage::Text("b"))), Ok(()));
        }
        assert_eq!(fakes::received(done(client.recv()).expect("alive")), text("unread"));
        waits(client.recv());
        assert_eq!(server.take().last(), Some(&text("3")));
        assert_eq!(client.time_to_deadline(), Some(Duration::from_millis(500)));
    }
}

/// Rule 14. The server has gone, and its last message is unread for a while or for ever.
#[test]
fn an_unread_message_does_not_hide_silence() {
    for takes in [true, false] {
        let _clock = fakes::clock();
        let (mut client, mut server) = open();
        server.text("4unread");
        assert_eq!(done(client.send(WebSocketMessage::Text("a"))), Ok(()));
        server.set_window(20);
        fakes::advance(505_000);
        assert_eq!(done(client.send(WebSocketMessage::Text("b"))), Ok(()));
        if takes {
            assert_eq!(fakes::received(done(client.recv()).expect("a message")), text("unread"));
            assert_eq!(end_of(&mut client).reason, DisconnectReason::PingTimeout);
            continue;
        }
        // Once the server's machine takes no more, the application has its own limit.
        assert_eq!(done(client.send(WebSocketMessage::Text("in the buffer"))), Ok(()));
        let task = Task::new();
        let mut send = Box::pin(client.send(WebSocketMessage::Text("waits")));
        assert!(task.poll(send.as_mut()).is_pending());
        fakes::advance(499_999);
        assert!(!task.is_woken());
        fakes::advance(1);
        assert_eq!(task.poll(send.as_mut()), Poll::Ready(Err(SendError::Closed)));
        drop(send);
        assert_eq!(fakes::received(done(client.recv()).expect("it is still there")), text("unread"));
        assert_eq!(end_of(&mut client).reason, DisconnectReason::ApplicationStalled);
    }
}

#[test]
fn after_a_late_wake_up_the_network_gets_five_milliseconds() {
    for ping in [false, true] {
        let _clock = fakes::clock();
        let (mut client, mut server) = open();
        let task = Task::new();
        let mut recv = pin!(client.recv());
        assert!(task.poll(recv.as_mut()).is_pending());
        fakes::advance(500_000 + 10_001);
        assert!(task.poll(recv.as_mut()).is_pending(), "not believed");
        fakes::advance(4_999);
        assert!(task.poll(recv.as_mut()).is_pending());
        if ping {
            server.text("2");
        }
        fakes::advance(1);
        match task.poll(recv.as_mut()) {
            Poll::Pending => assert!(ping),
            Poll::Ready(Err(end)) => assert!(!ping && end.reason == DisconnectReason::PingTimeout),
            Poll::Ready(Ok(event)) => panic!("{event:?}"),
        }
    }
}

#[test]
fn a_wake_up_that_is_hardly_late_is_believed() {
    let _clock = fakes::clock();
    let (mut client, _server) = open();
    waits(client.recv());
    fakes::advance(510_000);
    assert_eq!(end_of(&mut client).reason, DisconnectReason::PingTimeout);
}

#[test]
fn it_wakes_for_bytes_and_for_its_deadline_and_for_nothing_else() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let task = Task::new();
    let mut recv = pin!(client.recv());
    assert!(task.poll(recv.as_mut()).is_pending());
    for millis in 1..=3_000_u64 {
        fakes::advance(1_000);
        assert!(!task.is_woken(), "an alarm at {millis} ms");
        if millis % 300 == 0 {
            server.text("2");
            assert!(task.is_woken());
            assert!(task.poll(recv.as_mut()).is_pending());
        }
    }
    fakes::advance(499_999);
    assert!(!task.is_woken());
    fakes::advance(1);
    assert!(task.is_woken());
    assert!(task.poll(recv.as_mut()).is_ready());
}

#[test]
fn taking_an_alarm_back_costs_one_poll_for_each_ping() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let task = Task::new();
    let mut recv = pin!(client.recv());
    assert!(task.poll(recv.as_mut()).is_pending());
    for _ in 0..10 {
        fakes::advance(300_000);
        let woken = task.wakes();
        server.text("2");
        assert!(task.poll(recv.as_mut()).is_pending());
        assert_eq!(task.wakes() - woken, 2, "by the ping, and by the old alarm");
    }
}

#[test]
fn the_timers_of_the_application_survive_when_an_alarm_is_taken_back() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let task = Task::new();
    let mut turn = pin!(select(Timer::after_millis(400), client.recv()));
    assert!(task.poll(turn.as_mut()).is_pending());
    fakes::advance(300_000);
    server.text("2");
    assert!(task.poll(turn.as_mut()).is_pending());
    fakes::advance(99_999);
    assert!(!task.is_woken());
    fakes::advance(1);
    assert!(task.is_woken());
    assert!(matches!(task.poll(turn.as_mut()), Poll::Ready(Either::First(()))));
}

#[test]
fn a_client_of_revision_3_pings_and_learns_the_round_trip() {
    let _clock = fakes::clock();
    let settings = ClientSettings { protocol: Protocol::V3, ..ClientSettings::DEFAULT };
    let (mut client, mut server) = open_with(&settings, 512, 512, OPEN);
    waits(client.recv());
    fakes::advance(299_999);
    waits(client.recv());
    assert_eq!(server.take(), []);
    fakes::advance(1);
    waits(client.recv());
    assert_eq!(server.take(), [text("2")]);
    fakes::advance(7_000);
    server.text("3");
    waits(client.recv());
    assert_eq!(client.rtt(), Some(Duration::from_millis(7)));

    assert_eq!(done(client.send(WebSocketMessage::Binary(&[1, 2]))), Ok(()));
    assert_eq!(server.take(), [Sent::Binary(vec![4, 1, 2])]);
    server.binary(&[4, 8, 9]);
    assert_eq!(fakes::received(done(client.recv()).expect("a message")), Sent::Binary(vec![8, 9]));

    fakes::advance(300_000);
    waits(client.recv());
    fakes::advance(200_000);
    assert_eq!(end_of(&mut client).reason, DisconnectReason::PingTimeout);
}

/// A client of revision 3 whose ping is due now, behind a message that the server does not take.
fn with_a_ping_that_waits_for_room() -> (TestClient, Server) {
    let settings = ClientSettings { protocol: Protocol::V3, ..ClientSettings::DEFAULT };
    let (mut client, mut server) = open_with(&settings, 512, 512, OPEN);
    server.set_window(100);
    assert_eq!(done(client.send(WebSocketMessage::Binary(&[7; 300]))), Ok(()));
    waits(client.recv());
    fakes::advance(300_000);
    waits(client.recv());
    (client, server)
}

#[test]
fn a_ping_of_revision_3_that_waited_for_room_may_be_answered_for_the_whole_timeout_from_then() {
    let _clock = fakes::clock();
    let (mut client, mut server) = with_a_ping_that_waits_for_room();
    fakes::advance(190_000);
    server.set_window(10_000);
    waits(client.recv());
    assert_eq!(server.take().last(), Some(&text("2")));
    assert_eq!(client.time_to_deadline(), Some(Duration::from_millis(200)));
    fakes::advance(199_999);
    waits(client.recv());
    fakes::advance(1);
    assert_eq!(end_of(&mut client).reason, DisconnectReason::PingTimeout);
}

/// The server makes room 1 ms before the deadline, and the board wakes 3 ms after it.
#[test]
fn room_that_a_server_makes_just_in_time_counts_if_the_board_is_a_little_late() {
    let _clock = fakes::clock();
    let (mut client, mut server) = with_a_ping_that_waits_for_room();
    fakes::advance(199_000);
    server.set_window(10_000);
    fakes::advance(4_000);
    waits(client.recv());
    assert_eq!(server.take().last(), Some(&text("2")));
    assert_eq!(client.time_to_deadline(), Some(Duration::from_millis(200)));
}

#[test]
fn the_round_trip_of_the_link_is_measured_when_asked() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    client.measure_rtt();
    client.measure_rtt();
    waits(client.recv());
    let sent = server.take();
    let [Sent::Ping(payload)] = &sent[..] else { panic!("{sent:?}") };
    fakes::advance(12_345);
    server.control(ControlFrame::Pong(b"somebody else's"));
    server.control(ControlFrame::Pong(payload));
    waits(client.recv());
    assert_eq!(client.rtt(), Some(Duration::from_micros(12_345)));
    assert_eq!(client.time_to_deadline(), Some(Duration::from_micros(500_000 - 12_345)), "no sign of life");
}

#[test]
fn a_shorter_timeout_than_the_server_asks_for_is_kept() {
    let _clock = fakes::clock();
    let settings =
        ClientSettings { ping_timeout_at_most: Some(Duration::from_millis(50)), ..ClientSettings::DEFAULT };
    let (mut client, _server) = open_with(&settings, 512, 512, OPEN);
    waits(client.recv());
    fakes::advance(350_000);
    assert_eq!(end_of(&mut client).reason, DisconnectReason::PingTimeout);
}
