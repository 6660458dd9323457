//! How far a client's messages have come: flushing, volatile messages, and the socket as a stream and a sink.

use core::pin::pin;
use core::task::{Context, Waker};
use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use eio_core::DisconnectReason;
use eio_tokio::test_util::Network;
use eio_tokio::{ClientSocket, Message, Server, Transport};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::support::{Notes, Way, collecting, echo, noting, open_packet, serve};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Lets a scripted server give its next answer to a request of each kind.
#[derive(Clone, Default)]
struct Answers {
    post: Arc<Notify>,
    poll: Arc<Notify>,
}

/// A server on polling that answers when it is told to, and POSTs with this status. It offers a WebSocket, and accepts the
/// probe on it. Notes what it gets in POSTs and in frames.
async fn told(answers: &Answers, status: &'static str) -> (SocketAddr, Notes<String>) {
    let answers = answers.clone();
    noting(move |mut raw, noted: Notes<String>| {
        let answers = answers.clone();
        async move {
            loop {
                let request = raw.request().await;
                let note = |packet: &str| noted.lock().unwrap().push(packet.to_owned());
                if request.is_empty() {
                    return;
                } else if request.contains("transport=websocket") {
                    raw.switch_protocols(&request).await;
                    while let Some(packet) = raw.frame().await {
                        note(&packet);
                        if packet == "2probe" {
                            raw.text("3probe").await;
                        }
                    }
                    return;
                } else if request.starts_with("POST") {
                    note(request.split_once("\r\n\r\n").unwrap().1);
                    answers.post.notified().await;
                    raw.answer(status, "ok").await;
                } else if request.contains("sid=") {
                    answers.poll.notified().await;
                    raw.answer("200 OK", "6").await;
                } else {
                    raw.answer("200 OK", &open_packet(3_600_000, 20_000, "\"websocket\"")).await;
                }
            }
        }
    })
    .await
}

async fn connect(way: Way, address: SocketAddr) -> ClientSocket {
    way.client(address).build().unwrap().connect().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_was_flushed_arrives_over_every_transport() {
    for way in Way::ALL {
        let (_server, address, mut messages) = collecting().await;
        let socket = connect(way, address).await;
        assert_eq!(socket.flush().await, Ok(()));
        for number in 0..200 {
            socket.send(number.to_string()).await.unwrap();
            if number % 20 == 0 {
                assert_eq!(socket.sender().flush().await, Ok(()), "{way:?}");
            }
        }
        socket.close();
        assert_eq!(socket.flush().await, Ok(()), "{way:?}");
        for number in 0..200 {
            assert_eq!(messages.recv().await, Some(Message::text(number.to_string())), "{way:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn on_polling_a_flush_waits_for_the_answer_to_the_post() {
    let answers = Answers::default();
    let (address, _) = told(&answers, "200 OK").await;
    let socket = connect(Way::Polling, address).await;
    socket.send("hello").await.unwrap();
    assert!(timeout(millis(500), socket.flush()).await.is_err());
    let flush = tokio::spawn({
        let sender = socket.sender();
        async move { sender.flush().await }
    });
    tokio::time::sleep(millis(10)).await;
    // A message that is sent now has a POST of its own.
    socket.send("later").await.unwrap();
    answers.post.notify_one();
    assert_eq!(flush.await.unwrap(), Ok(()));
    assert!(timeout(millis(500), socket.flush()).await.is_err());
    answers.post.notify_one();
    assert_eq!(socket.flush().await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_flush_fails_when_the_post_is_refused_or_the_session_ends_before_its_answer() {
    let answers = Answers::default();
    let (address, _) = told(&answers, "400 Bad Request").await;
    let socket = connect(Way::Polling, address).await;
    socket.send("hello").await.unwrap();
    answers.post.notify_one();
    let end = socket.flush().await.unwrap_err();
    assert_eq!(end.reason, DisconnectReason::TransportError);
    assert_eq!(socket.end(), Some(end));

    let socket = connect(Way::Polling, address).await;
    let sender = socket.sender();
    socket.send("hello").await.unwrap();
    assert!(timeout(millis(500), socket.flush()).await.is_err());
    let flush = tokio::spawn(async move { sender.flush().await });
    drop(socket);
    assert_eq!(flush.await.unwrap().unwrap_err().reason, DisconnectReason::LocalClose);
}

#[tokio::test(start_paused = true)]
async fn right_after_the_opening_a_volatile_message_is_sent() {
    for way in Way::ALL {
        let (_server, address) = serve(Server::builder(echo)).await;
        let mut socket = connect(way, address).await;
        assert!(socket.send_volatile("hello"), "{way:?}");
        assert_eq!(socket.recv().await.unwrap(), "hello".into());
    }
}

#[tokio::test(start_paused = true)]
async fn ten_volatile_messages_with_pauses_all_arrive() {
    for way in Way::ALL {
        let (_server, address) = serve(Server::builder(echo)).await;
        let mut socket = connect(way, address).await;
        for number in 0..10 {
            let number = number.to_string();
            // The upgrade may just pause polling.
            while !socket.send_volatile(number.clone()) {
                assert!(way == Way::Upgrade && socket.transport() == Transport::Polling);
                tokio::time::sleep(millis(1)).await;
            }
            assert_eq!(socket.recv().await.unwrap(), number.into(), "{way:?}");
            // The answer to the POST may come behind the echo.
            tokio::time::sleep(millis(20)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn while_a_post_is_in_flight_no_volatile_message_is_sent() {
    let answers = Answers::default();
    let (address, noted) = told(&answers, "200 OK").await;
    let socket = connect(Way::Polling, address).await;
    assert!(socket.send_volatile("one"));
    tokio::time::sleep(millis(20)).await;
    assert!(!socket.send_volatile("two"));
    assert!(!socket.sender().send_volatile("two"));
    answers.post.notify_one();
    socket.flush().await.unwrap();
    tokio::time::sleep(millis(20)).await;
    assert!(socket.send_volatile("three"));
    tokio::time::sleep(millis(20)).await;
    assert_eq!(*noted.lock().unwrap(), ["4one", "4three"]);
}

#[tokio::test(start_paused = true)]
async fn while_an_upgrade_pauses_polling_no_volatile_message_is_sent_and_a_flush_waits() {
    let answers = Answers::default();
    let (address, noted) = told(&answers, "200 OK").await;
    let socket = connect(Way::Upgrade, address).await;
    // The server has accepted the probe, and the poll is still in flight.
    while noted.lock().unwrap().is_empty() {
        tokio::time::sleep(millis(1)).await;
    }
    tokio::time::sleep(millis(50)).await;
    assert_eq!(socket.transport(), Transport::Polling);
    assert!(!socket.send_volatile("lost"));
    socket.send("waits").await.unwrap();
    assert!(timeout(millis(500), socket.flush()).await.is_err());
    answers.poll.notify_one();
    assert_eq!(socket.flush().await, Ok(()));
    assert_eq!(socket.transport(), Transport::WebSocket);
    assert!(socket.send_volatile("hello"));
    tokio::time::sleep(millis(50)).await;
    assert_eq!(*noted.lock().unwrap(), ["2probe", "5", "4waits", "4hello"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_socket_has_taken_is_flushed_although_a_later_message_waits_for_room() {
    let network = Network::new();
    let server = Server::builder(echo).build().unwrap();
    let listener = network.listen();
    tokio::spawn(async move { server.serve(listener).await });
    let link = network.link();
    let builder = Way::WebSocket.client("10.0.0.1:80".parse().unwrap()).link(&link);
    let socket = builder.build().unwrap().connect().await.unwrap();
    link.cut();
    socket.try_send("first").unwrap();
    let mut flush = pin!(socket.flush());
    assert!(flush.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    // Both are written in one pass, and the socket has no room for all of the second.
    socket.try_send(vec![0; 500_000]).unwrap();
    assert_eq!(timeout(millis(1), flush).await, Ok(Ok(())));
    assert!(timeout(millis(1), socket.flush()).await.is_err());
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn a_flush_over_tls_waits_for_the_records_too() {
    use crate::tls::{Authority, clients};

    let authority = Authority::new();
    let address = authority.serve("localhost").await;
    for builder in clients(address) {
        let mut socket = authority.trusted_by(builder).build().unwrap().connect().await.unwrap();
        for _ in 0..3 {
            let message = Message::binary(vec![7; 500_000]);
            socket.send(message.clone()).await.unwrap();
            assert_eq!(socket.flush().await, Ok(()));
            assert!(socket.recv().await.unwrap() == message);
        }
    }
}

#[cfg(feature = "stream")]
mod streams {
    use eio_tokio::{SinkError, Socket};
    use futures_util::{SinkExt as _, StreamExt as _, stream};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn both_ends_are_streams_and_sinks_over_every_transport() {
        for way in Way::ALL {
            let forward = |socket: Socket| async move {
                let (sink, socket) = socket.split();
                let _ = socket.map(Ok).forward(sink).await;
            };
            let (_server, address) = serve(Server::builder(forward)).await;
            let (mut sink, mut socket) = connect(way, address).await.split();
            let messages: Vec<Message> = (0..500).map(|number| Message::text(number.to_string())).collect();
            let sending = tokio::spawn({
                let messages = messages.clone();
                async move {
                    sink.send_all(&mut stream::iter(messages.into_iter().map(Ok))).await.unwrap();
                    sink
                }
            });
            let received: Vec<_> = (&mut socket).take(500).collect().await;
            assert!(received == messages, "{way:?}");
            sending.await.unwrap().close().await.unwrap();
            assert_eq!(socket.next().await, None);
            assert_eq!(socket.end().unwrap().reason, DisconnectReason::LocalClose, "{way:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_socket_itself_is_a_sink_and_says_what_a_refused_post_cost() {
        let answers = Answers::default();
        let (address, _) = told(&answers, "400 Bad Request").await;
        let mut socket = connect(Way::Polling, address).await;
        socket.feed("hello".into()).await.unwrap();
        answers.post.notify_one();
        let error = futures_util::SinkExt::flush(&mut socket).await.unwrap_err();
        assert!(matches!(error, SinkError::Ended(end) if end.reason == DisconnectReason::TransportError));
        let error = socket.feed("again".into()).await.unwrap_err();
        assert_eq!(error.into_message(), Some("again".into()));
    }
}
