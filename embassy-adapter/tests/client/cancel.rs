//! Futures dropped at every await point: no byte is lost, and none is sent or delivered twice.

use eio_core::packet::WebSocketMessage;
use eio_core::ws::ControlFrame;
use eio_embassy::{Client, ClientSettings, Endpoint};

use crate::fakes::{
    self, OPEN, Sent, Server, TestClient, buffers, done, impatient, open_with, received, rng, text,
};

/// What the server says in one story.
fn script() -> (Vec<u8>, Vec<Sent>) {
    let mut wire = Vec::new();
    let mut expected = Vec::new();
    for i in 0..12_u8 {
        wire.extend(fakes::frame(WebSocketMessage::Text(&format!("4message {i}"))));
        expected.push(text(&format!("message {i}")));
        wire.extend(fakes::frame(WebSocketMessage::Text("2")));
        wire.extend(fakes::control_frame(ControlFrame::Ping(&[i; 5])));
        wire.extend(fakes::frame(WebSocketMessage::Binary(&[i; 150])));
        expected.push(Sent::Binary(vec![i; 150]));
    }
    (wire, expected)
}

/// Takes what has come until the stream is at its end, with so many polls for each future.
fn receive_all(client: &mut TestClient, server: &mut Server, patience: usize) -> (Vec<Sent>, Vec<Sent>) {
    let (mut messages, mut sent) = (Vec::new(), Vec::new());
    for _ in 0..100_000 {
        match impatient(client.recv(), patience) {
            Some(Ok(event)) => messages.push(received(event)),
            Some(Err(_)) => return (messages, sent),
            None => {}
        }
        sent.extend(server.take());
    }
    panic!("it never ends");
}

#[test]
fn receiving_may_be_dropped_after_any_number_of_polls() {
    let _clock = fakes::clock();
    let (wire, expected) = script();
    for patience in 1..8 {
        for (reads, writes) in [(1, 1), (3, 2), (17, 5), (1_000, 1_000)] {
            let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, 400, 300, OPEN);
            server.set_stutters();
            server.set_at_once(reads, writes);
            server.raw(&wire);
            let (mut messages, mut sent) = (Vec::new(), Vec::new());
            while messages.len() < expected.len() || server.unread_by_client() > 0 {
                if let Some(event) = impatient(client.recv(), patience) {
                    messages.push(received(event.expect("alive")));
                }
                sent.extend(server.take());
            }
            server.hang_up();
            let (more, rest) = receive_all(&mut client, &mut server, 1_000);
            messages.extend(more);
            sent.extend(rest);
            assert_eq!(messages, expected, "{patience} polls, {reads} and {writes} bytes");
            // Pings that come while an answer waits share one.
            assert!(sent.iter().all(|sent| *sent == text("3") || matches!(sent, Sent::Pong(_))), "{sent:?}");
            assert!(sent.contains(&text("3")));
        }
    }
}

#[test]
fn sending_may_be_dropped_after_any_number_of_polls() {
    let _clock = fakes::clock();
    for patience in 1..8 {
        for window in [1, 7, 64, 1_000] {
            let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, 400, 300, OPEN);
            server.set_stutters();
            server.set_window(window);
            let mut sent = Vec::new();
            for i in 0..10_u8 {
                // Sent or not sent: the answer says which, and a dropped future has not.
                let message = format!("{i}").repeat(1 + 14 * usize::from(i));
                while impatient(client.send(WebSocketMessage::Text(&message)), patience).is_none() {
                    sent.extend(server.take());
                }
                server.text("2");
            }
            // Until the answer to the last ping, and then for a while that would bring anything that is sent twice.
            let mut left = 500;
            while left > 0 {
                assert!(impatient(client.recv(), patience).is_none());
                let more = server.take();
                left = if more.is_empty() { left - 1 } else { 500 };
                sent.extend(more);
            }
            let messages: Vec<_> = sent.iter().filter(|sent| **sent != text("3")).cloned().collect();
            let expected: Vec<_> = (0..10_u8)
                .map(|i| text(&format!("4{}", format!("{i}").repeat(1 + 14 * usize::from(i)))))
                .collect();
            assert_eq!(messages, expected, "{patience} polls, window {window}");
            assert!(sent.contains(&text("3")));
        }
    }
}

#[test]
fn closing_may_be_dropped_after_any_number_of_polls() {
    let _clock = fakes::clock();
    for patience in 1..8 {
        let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, 400, 300, OPEN);
        server.set_stutters();
        server.set_at_once(1, 1);
        while impatient(client.send(WebSocketMessage::Text("last")), patience).is_none() {}
        let mut sent = Vec::new();
        while impatient(client.close(), patience).is_none() {
            sent.extend(server.take());
        }
        sent.extend(server.take());
        assert_eq!(sent, [text("4last"), Sent::Close(None)], "{patience} polls");
    }
}

#[test]
fn a_race_between_receiving_and_other_work_loses_nothing() {
    let _clock = fakes::clock();
    let (wire, expected) = script();
    let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, 400, 300, OPEN);
    server.set_stutters();
    server.set_at_once(2, 3);
    server.raw(&wire);
    let rng = fakes::rng();
    let (mut messages, mut numbers, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    while messages.len() < expected.len() || numbers.len() < 50 {
        if rng().is_multiple_of(3) && numbers.len() < 50 {
            let number = numbers.len().to_string();
            if impatient(client.send(WebSocketMessage::Text(&number)), (rng() % 5) as usize).is_some() {
                numbers.push(text(&format!("4{number}")));
            }
        } else if let Some(event) = impatient(client.recv(), (rng() % 7) as usize) {
            messages.push(received(event.expect("alive")));
        }
        sent.extend(server.take());
    }
    for _ in 0..1_000 {
        if let Some(event) = impatient(client.recv(), 5) {
            messages.push(received(event.expect("alive")));
        }
        sent.extend(server.take());
    }
    assert_eq!(messages, expected);
    sent.retain(|sent| matches!(sent, Sent::Text(text) if text.starts_with('4')));
    assert_eq!(sent, numbers);
}

#[test]
fn connecting_may_be_dropped_at_any_poll_and_goes_on() {
    let _clock = fakes::clock();
    for patience in 1..20 {
        let (mut server, reader, writer) = Server::new();
        server.set_stutters();
        server.set_at_once(5, 5);
        let mut client =
            Client::new(reader, writer, buffers(400, 300), rng(), &ClientSettings::DEFAULT).expect("room");
        let endpoint = Endpoint::engineio("host");
        let (mut request, mut answered) = (Vec::new(), false);
        while !client.is_open() {
            if let Some(result) = impatient(client.connect(&endpoint), patience) {
                assert_eq!(result, Ok(()));
            }
            if !answered {
                request.extend(server.take_raw());
                if let Some(switch) = Server::answer_to(&request) {
                    server.raw(switch.as_bytes());
                    server.text(OPEN);
                    answered = true;
                }
            }
        }
        assert_eq!(request.windows(4).filter(|window| window == b"\r\n\r\n").count(), 1, "one request");
        assert_eq!(done(client.connect(&endpoint)), Ok(()), "an open session stays as it is");
        assert!(server.take_raw().is_empty());
    }
}
