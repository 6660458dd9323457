//! Closing, from either side, on either transport: what was sent before arrives, and it never takes longer than allowed.

use std::sync::Mutex;

use eio_tokio::{Observer, Sender, Server, SessionId, Socket};

use crate::support::{
    Harness, Journal, NARROW, Reason, Received, follow, handing_out, kilobyte, listen, ms, noting, settle,
};

/// Sends a little, closes, and stays for as long as the session does.
async fn speak_and_close(mut socket: Socket) {
    for number in 0..100 {
        socket.send(number.to_string()).await.unwrap();
    }
    socket.close();
    assert!(socket.send("late").await.is_err());
    while socket.recv().await.is_ok() {}
}

#[tokio::test(start_paused = true)]
async fn close_delivers_what_was_sent_before_on_websocket() {
    let mut harness = Harness::new(Server::builder(speak_and_close));
    let mut websocket = harness.websocket(4).await;
    for number in 0..100 {
        assert_eq!(websocket.text().await, format!("4{number}"));
    }
    assert_eq!(websocket.next().await, Received::Close(None));
    assert_eq!(harness.assert_ends(0, Reason::LocalClose).await.unsent, 0);
}

#[tokio::test(start_paused = true)]
async fn close_delivers_what_was_sent_before_on_polling() {
    let mut harness = Harness::new(Server::builder(speak_and_close));
    let mut polling = harness.polling(4).await;
    harness.at(77).await;
    let mut packets = Vec::new();
    while packets.last().is_none_or(|packet| packet != "1") {
        packets.extend(polling.poll().await);
    }
    let expected = (0..100).map(|number| format!("4{number}")).chain(["1".to_owned()]);
    assert_eq!(packets, expected.collect::<Vec<_>>());
    assert_eq!(harness.assert_ends(77, Reason::LocalClose).await.unsent, 0);
}

#[tokio::test(start_paused = true)]
async fn a_pending_poll_is_answered_with_the_close_packet_and_a_later_one_with_a_noop_before_it() {
    let mut harness = Harness::new(Server::builder(|mut socket: Socket| async move {
        let _ = socket.recv().await;
    }));
    let mut polling = harness.polling(4).await;
    polling.begin_poll().await;
    assert_eq!(polling.post(&["4x"]).await.0, 200);
    assert_eq!(polling.poll_answer().await, ["1"]);
    harness.assert_ends(0, Reason::LocalClose).await;

    let mut harness = Harness::new(Server::builder(|_| async {}));
    let mut polling = harness.polling(4).await;
    tokio::task::yield_now().await;
    assert_eq!(polling.poll().await, ["6", "1"]);
    harness.assert_ends(0, Reason::LocalClose).await;
}

#[tokio::test(start_paused = true)]
async fn close_refuses_at_once_those_that_wait_for_room() {
    let (harness, mut sockets) = handing_out(|builder| builder.outbox(1, 1_000_000).close_timeout(ms(400)));
    let _nobody_polls = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    socket.try_send("alone").unwrap();
    let (one, several) = (socket.sender(), socket.sender());
    let one = tokio::spawn(async move { one.send("late").await });
    let several = tokio::spawn(async move { several.send_batch(["late", "too"]).await });
    settle().await;
    assert!(!one.is_finished() && !several.is_finished());
    socket.close();
    assert!(one.await.unwrap().is_err() && several.await.unwrap().is_err());
    assert_eq!(harness.elapsed(), ms(0), "they waited for the end of the session");
}

#[tokio::test(start_paused = true)]
async fn closing_ends_with_the_close_timeout_or_with_the_deadline_for_silence_if_that_comes_first() {
    for (close_timeout, ends, reason) in [(100, 100, Reason::LocalClose), (30_000, 500, Reason::PingTimeout)]
    {
        // On WebSocket the writer hangs.
        let mut harness = Harness::new(
            Server::builder(|mut socket: Socket| async move {
                socket.send(vec![0; 1_000_000]).await.unwrap();
                socket.close();
                while socket.recv().await.is_ok() {}
                assert_eq!(socket.take_unsent().len(), 1);
            })
            .close_timeout(ms(close_timeout)),
        );
        let _websocket = harness.websocket(4).await;
        assert_eq!(harness.assert_ends(ends, reason).await.unsent, 1);

        // On polling no poll comes.
        let mut harness = Harness::new(Server::builder(speak_and_close).close_timeout(ms(close_timeout)));
        let _polling = harness.polling(4).await;
        assert_eq!(harness.assert_ends(ends, reason).await.unsent, 100);
    }
}

#[tokio::test(start_paused = true)]
async fn a_closing_session_delivers_to_a_client_that_writes_everything_before_it_reads() {
    for closes_in_its_task in [true, false] {
        let (sender, mut senders) = tokio::sync::mpsc::unbounded_channel();
        let application = move |mut socket: Socket| {
            let sender = sender.clone();
            async move {
                for _ in 0..10 {
                    socket.send(kilobyte("s")).await.unwrap();
                }
                // It reads nothing before it closes.
                tokio::time::sleep(ms(100)).await;
                if closes_in_its_task {
                    socket.close();
                } else {
                    sender.send(socket.sender()).unwrap();
                }
                let sender = socket.sender();
                sender.closed().await;
                while socket.recv().await.is_ok() {}
            }
        };
        let mut harness = Harness::new(Server::builder(application).inbox(4, 1_000_000));
        let mut websocket = harness.websocket_with_room(NARROW).await;
        let closes = async {
            harness.at(100).await;
            if !closes_in_its_task {
                senders.recv().await.unwrap().close();
            }
        };
        let writes_and_reads = async {
            for _ in 0..100 {
                websocket.send(&format!("4{}", kilobyte("c"))).await;
            }
            for _ in 0..10 {
                assert_eq!(websocket.text().await.len(), 1_001);
            }
            assert_eq!(websocket.next().await, Received::Close(None));
        };
        tokio::join!(closes, writes_and_reads);
        assert_eq!(harness.assert_ends(100, Reason::LocalClose).await.unsent, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_closing_session_answers_a_post_that_waits_for_room() {
    let (mut harness, mut sockets) = handing_out(|builder| builder.inbox(4, 1_000_000));
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    socket.try_send("last words").unwrap();
    let (query, body) = (polling.query(), polling.payload(&["4x"; 10]));
    polling.data.send_request("POST", &query, body.as_bytes()).await;
    harness.at(100).await;
    socket.close();
    assert_eq!(polling.data.response().await.0, 200);
    assert_eq!(polling.poll().await, ["4last words", "1"]);
    harness.assert_ends(100, Reason::LocalClose).await;
}

#[tokio::test(start_paused = true)]
async fn the_peers_close_packet_ends_the_session_on_any_transport() {
    let mut harness = Harness::new(Server::builder(listen));
    let mut websocket = harness.websocket(4).await;
    websocket.send("1").await;
    assert_eq!(websocket.next().await, Received::Close(None));
    harness.assert_ends(0, Reason::PeerClose).await;

    let (builder, journal) = noting(follow);
    let mut harness = Harness::new(builder);
    let mut polling = harness.polling(4).await;
    polling.begin_poll().await;
    assert_eq!(polling.post(&["4last", "1", "4never"]).await, (200, "ok".to_owned()));
    assert_eq!(polling.poll_answer().await, ["6"]);
    harness.assert_ends(0, Reason::PeerClose).await;
    assert_eq!(journal.read(), ["last", "end: transport close"]);
}

#[tokio::test(start_paused = true)]
async fn the_initial_packet_comes_first_and_closing_before_the_101_response_is_not_forgotten() {
    let (mut harness, mut sockets) = handing_out(|builder| builder.initial_packet("first"));
    // The client takes the response when it reads it.
    let mut slow = harness.connect_with_room(16);
    slow.send_upgrade(4, None).await;
    harness.at(50).await;
    assert_eq!(harness.server.broadcast("second").sent, 1);
    assert_eq!(slow.response().await.0, 101);
    let mut websocket = slow.into_websocket();
    assert!(websocket.text().await.starts_with('0'));
    assert_eq!(websocket.text().await, "4first");
    assert_eq!(websocket.text().await, "4second");
    let socket = sockets.recv().await.unwrap();
    for _ in 0..1_000 {
        socket.send("more").await.unwrap();
        assert_eq!(websocket.text().await, "4more");
    }
    drop((socket, websocket));
    harness.assert_ends(50, Reason::LocalClose).await;

    let mut slow = harness.connect_with_room(16);
    slow.send_upgrade(4, None).await;
    harness.at(100).await;
    harness.server.sessions()[0].close();
    assert_eq!(slow.response().await.0, 101);
    let mut websocket = slow.into_websocket();
    assert!(websocket.text().await.starts_with('0'));
    assert_eq!(websocket.text().await, "4first");
    assert_eq!(websocket.next().await, Received::Close(None));
    harness.assert_ends(100, Reason::LocalClose).await;
}

/// Notes what was passed to transports.
struct Passed(Journal);

impl Observer for Passed {
    fn opened(&self, session: &Sender) {
        self.0.note(format!("opened on {}", session.transport().as_str()));
    }

    fn sent(&self, _: SessionId, messages: usize, bytes: usize) {
        self.0.note(format!("sent {messages} of {bytes} bytes"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_initial_packet_counts_as_sent_on_either_transport() {
    let journal = Journal::default();
    let builder = Server::builder(|mut socket: Socket| async move { while socket.recv().await.is_ok() {} });
    let harness = Harness::unobserved(builder.initial_packet("first").observer(Passed(journal.clone())));
    let (status, opened) = harness.connect().request("GET", "EIO=4&transport=polling", b"").await;
    assert!(status == 200 && opened.ends_with("4first"), "{opened}");
    settle().await;
    let mut websocket = harness.websocket(4).await;
    assert_eq!(websocket.text().await, "4first");
    settle().await;
    assert_eq!(
        journal.read(),
        ["opened on polling", "sent 1 of 5 bytes", "opened on websocket", "sent 1 of 5 bytes"]
    );
}

#[tokio::test(start_paused = true)]
async fn shutdown_drains_every_session_and_takes_no_new_one() {
    let mut harness = Harness::new(Server::builder(|mut socket: Socket| async move {
        for number in 0..10 {
            socket.send(number.to_string()).await.unwrap();
        }
        while socket.recv().await.is_ok() {}
    }));
    let mut websocket = harness.websocket(4).await;
    let mut polling = harness.polling(4).await;
    let shutdown = tokio::spawn({
        let server = harness.server.clone();
        async move { server.shutdown(ms(10_000)).await }
    });
    harness.at(10).await;
    let mut late = harness.connect();
    assert_ne!(late.request("GET", "EIO=4&transport=polling", b"").await.0, 200);
    for number in 0..10 {
        assert_eq!(websocket.text().await, format!("4{number}"));
    }
    assert_eq!(websocket.next().await, Received::Close(None));
    drop(websocket);
    let packets = polling.poll().await;
    assert_eq!((packets.len(), packets[10].as_str()), (11, "1"));
    assert!(shutdown.await.unwrap().is_empty());
    assert_eq!(harness.elapsed(), ms(10));
    for _ in 0..2 {
        let end = harness.end().await.disconnect;
        assert_eq!((end.reason, end.unsent), (Reason::LocalClose, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_a_second_for_a_polling_client_that_is_owed_nothing_but_a_close() {
    let mut harness = Harness::patient(Server::builder(listen));
    let _vanished = harness.polling(4).await;
    let mut between_polls = harness.polling(4).await;
    let shutdown = tokio::spawn({
        let server = harness.server.clone();
        async move { server.shutdown(ms(10_000)).await }
    });
    harness.at(900).await;
    assert_eq!(between_polls.poll().await, ["6", "1"]);
    assert_eq!(shutdown.await.unwrap().sessions, 1);
    assert_eq!(harness.elapsed(), ms(1_000));
    for _ in 0..2 {
        assert_eq!(harness.end().await.disconnect.reason, Reason::LocalClose);
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_gives_a_polling_client_half_of_its_time_while_a_message_is_owed() {
    let harness = Harness::patient(Server::builder(|mut socket: Socket| async move {
        socket.send("owed").await.unwrap();
        while socket.recv().await.is_ok() {}
    }));
    let mut late = harness.polling(4).await;
    tokio::task::yield_now().await;
    let shutdown = tokio::spawn({
        let server = harness.server.clone();
        async move { server.shutdown(ms(10_000)).await }
    });
    harness.at(4_500).await;
    assert_eq!(late.poll().await, ["4owed", "1"]);
    assert!(shutdown.await.unwrap().is_empty());
    assert_eq!(harness.elapsed(), ms(4_500));
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_what_does_not_drain_when_half_of_its_limit_has_passed() {
    let mut harness = Harness::new(Server::builder(|mut socket: Socket| async move {
        socket.send(vec![0; 1_000_000]).await.unwrap();
        while socket.recv().await.is_ok() {}
    }));
    let _websocket = harness.websocket(4).await;
    let _polling = harness.polling(4).await;
    tokio::task::yield_now().await;
    let cut = harness.server.shutdown(ms(100)).await;
    assert_eq!((cut.sessions, cut.applications, cut.connections), (2, 0, 0));
    assert_eq!(harness.elapsed(), ms(50));
    for _ in 0..2 {
        let end = harness.end().await.disconnect;
        assert_eq!((end.reason, end.unsent), (Reason::LocalClose, 1));
    }
    assert!(harness.server.is_empty());
}

/// Sends a message when it hears that one was sent, and panics.
#[derive(Default)]
struct Interrupts(Mutex<Option<Sender>>);

impl Observer for Interrupts {
    fn opened(&self, session: &Sender) {
        *self.0.lock().unwrap() = Some(session.clone());
    }

    fn sent(&self, _: SessionId, _: usize, _: usize) {
        let session = self.0.lock().unwrap().take();
        if let Some(session) = session {
            session.try_send("last words").unwrap();
            panic!("as the test wants it");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_sent_while_others_are_written_comes_before_the_close_frame() {
    let builder = Server::builder(|mut socket: Socket| async move {
        socket.try_send("hello").unwrap();
        while socket.recv().await.is_ok() {}
    });
    let harness = Harness::with_observer(builder, Interrupts::default());
    let mut websocket = harness.websocket(4).await;
    assert_eq!(websocket.text().await, "4hello");
    assert_eq!(websocket.text().await, "4last words");
    assert_eq!(websocket.next().await, Received::Close(None));
}
