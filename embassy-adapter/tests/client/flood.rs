//! Servers that send something all the time, so that no call of the application ever waits.

use eio_core::DisconnectReason;
use eio_core::packet::WebSocketMessage;
use eio_core::session::SessionEnd;
use eio_core::ws::ControlFrame;
use eio_embassy::{ClientSettings, Protocol, SendError};

use crate::fakes::{self, OPEN, Server, TestClient, done, open, open_with, received, text, waits};

const V3: ClientSettings = ClientSettings { protocol: Protocol::V3, ..ClientSettings::DEFAULT };

/// The application finds one more message at once. Then 10 ms pass.
fn receive(client: &mut TestClient) -> Result<(), SessionEnd> {
    let message = done(client.recv()).map(received)?;
    assert_eq!(message, text("x"));
    fakes::advance(10_000);
    Ok(())
}

fn send_and_receive(client: &mut TestClient, server: &mut Server) -> Result<(), SessionEnd> {
    server.text("4x");
    receive(client)
}

/// Answers the pings that have come, and returns their number.
fn answer_pings(server: &mut Server) -> usize {
    let pings = server.take();
    for ping in &pings {
        assert_eq!(*ping, text("2"));
        server.text("3");
    }
    pings.len()
}

#[test]
fn a_client_of_revision_3_pings_on_time_although_each_call_finds_a_message() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open_with(&V3, 512, 512, OPEN);
    let mut pings = Vec::new();
    for _ in 0..200 {
        send_and_receive(&mut client, &mut server).expect("the server answers");
        if answer_pings(&mut server) > 0 {
            pings.push(fakes::now() / 1_000);
        }
    }
    // 300 ms after the opening, and then after each pong, which the next call reads.
    assert_eq!(pings, [310, 620, 930, 1_240, 1_550, 1_860]);
}

#[test]
fn a_client_of_revision_3_pings_on_time_although_the_messages_are_already_in_its_buffer() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open_with(&V3, 512, 512, OPEN);
    for _ in 0..50 {
        server.text("4x");
    }
    for at in 1..=50 {
        receive(&mut client).expect("the server answers");
        assert!(at > 31 || server.unread_by_client() == 0, "all of them");
        assert_eq!(answer_pings(&mut server), usize::from(at == 31), "{at}");
    }
}

/// How many reads after the deadline may bring a ping that has waited behind messages.
const READS: u64 = 255;

#[test]
fn a_server_that_has_stopped_to_ping_is_noticed_although_each_call_finds_a_message() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let end = (0..1_000).find_map(|_| send_and_receive(&mut client, &mut server).err());
    assert_eq!(end.expect("an end").reason, DisconnectReason::PingTimeout);
    assert_eq!(fakes::now(), (50 + READS) * 10_000);
}

/// A send does not count as silence what may be behind the message that waits. The reads do.
#[test]
fn a_server_that_has_stopped_to_ping_is_noticed_although_the_application_sends_before_each_message() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let refused = (0..1_000).find_map(|_| {
        server.text("4x");
        done(client.send(WebSocketMessage::Text("y"))).err().or_else(|| {
            receive(&mut client).expect("the message that was read");
            server.take();
            None
        })
    });
    assert_eq!(refused, Some(SendError::Closed));
    assert_eq!(client.end().map(|end| end.reason), Some(DisconnectReason::PingTimeout));
    assert_eq!(fakes::now(), (50 + READS) * 10_000);
}

#[test]
fn a_ping_behind_messages_counts_up_to_the_last_of_these_reads() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    for _ in 0..5 {
        server.text("2");
        send_and_receive(&mut client, &mut server).expect("a ping");
        assert_eq!(server.take(), [text("3")]);
        assert_eq!(client.time_to_deadline().map(|left| left.as_millis()), Some(490));
        for _ in 0..49 + READS - 1 {
            send_and_receive(&mut client, &mut server).expect("not yet");
        }
    }
}

/// The application was away. Meanwhile, more messages than the receive buffer holds have come, and the ping behind them.
#[test]
fn a_ping_behind_64_kib_of_messages_counts_however_late_the_board_is() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, 512, 512, OPEN);
    let messages = 65_536 / 4;
    for _ in 0..messages {
        server.text("4x");
    }
    server.text("2");
    fakes::advance(60_000_000);
    for _ in 0..messages {
        assert!(done(client.recv()).is_ok(), "{} bytes are unread", server.unread_by_client());
    }
    waits(client.recv());
    assert_eq!(server.take(), [text("3")]);
    assert!(client.end().is_none());
}

#[test]
fn a_handshake_that_does_not_come_is_noticed_although_the_server_sends_control_frames() {
    let _clock = fakes::clock();
    let answer = fakes::connect_with(&ClientSettings::DEFAULT, fakes::buffers(512, 512), |server, switch| {
        server.raw(switch.as_bytes());
        fakes::advance(20_000_000);
        for _ in 0..100_000 {
            server.control(ControlFrame::Ping(b"alive"));
        }
        server.text(OPEN);
    });
    let Err(error) = answer else { panic!("it is open") };
    assert_eq!(error.reason(), Some(DisconnectReason::OpenTimeout));
}

/// Rule 14. The application has waited in `send` with a message unread, and then receives one after another.
#[test]
fn an_application_that_receives_again_is_not_stalled() {
    for settings in [ClientSettings::DEFAULT, V3] {
        let _clock = fakes::clock();
        let (mut client, mut server) = open_with(&settings, 512, 512, OPEN);
        server.set_window(0);
        assert_eq!(done(client.send(WebSocketMessage::Text("kept by the client"))), Ok(()));
        server.text("4x");
        waits(client.send(WebSocketMessage::Text("waits")));
        server.set_window(4096);
        for _ in 0..40 {
            for _ in 0..10 {
                send_and_receive(&mut client, &mut server).expect("it receives");
            }
            server.take();
            server.text(if settings.protocol.revision() == eio_core::Revision::V3 { "3" } else { "2" });
        }
        assert!(client.end().is_none());
    }
}
