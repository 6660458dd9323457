//! Batches: several messages that are sent as one unit arrive one directly after the other, or none of them is sent.

use std::sync::{Arc, Barrier, Mutex};

use eio_tokio::{
    Audience, Broadcast, Message, Observer, SendBatchError, SendErrorKind, Sender, Server, SessionId, Socket,
    TrySendBatchError, TrySendError,
};
use tokio::task::JoinHandle;

use crate::support::{
    Harness, NARROW, Reason, Received, give_way, handing_out, kilobyte, listen, ms, settle,
};

const FORGED: &str = "a\u{1e}b";

/// A batch with this name: `length` messages that say their place in it.
fn batch(name: &str, length: usize) -> Vec<Message> {
    (0..length).map(|place| Message::text(format!("{name} {place}"))).collect()
}

/// The packets of such a batch.
fn packets(name: &str, length: usize) -> Vec<String> {
    (0..length).map(|place| format!("4{name} {place}")).collect()
}

/// Asserts that every batch of `length` messages arrived whole, with nothing in between. Returns how many did.
fn count_whole(received: &[String], length: usize) -> usize {
    let (mut rest, mut whole) = (received, 0);
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if let Some(name) = first.strip_prefix('4').and_then(|text| text.strip_suffix(" 0")) {
            let (others, more) = more.split_at(length - 1);
            assert_eq!(others, &packets(name, length)[1..]);
            (rest, whole) = (more, whole + 1);
        } else {
            assert!(first.starts_with("4alone"), "{first} is out of its batch");
        }
    }
    whole
}

/// Two tasks send 20 batches of 5 messages each, and a third task sends 50 messages that belong to none. It is there for
/// each place that becomes free, before those that wait for room.
fn crowd(socket: &Socket) -> Vec<JoinHandle<()>> {
    let batches = ["a", "b"].map(|task| {
        let sender = socket.sender();
        tokio::spawn(async move {
            for round in 0..20 {
                sender.send_batch(batch(&format!("{task}{round}"), 5)).await.unwrap();
            }
        })
    });
    let sender = socket.sender();
    let alone = tokio::spawn(async move {
        for number in 0..50 {
            while sender.try_send(format!("alone{number}")).is_err() {
                give_way().await;
            }
        }
    });
    batches.into_iter().chain([alone]).collect()
}

#[tokio::test(start_paused = true)]
async fn batches_of_several_tasks_do_not_interleave_on_a_websocket() {
    let (harness, mut sockets) = handing_out(|builder| builder.outbox(3, 1_000_000));
    let mut websocket = harness.websocket_with_room(160).await;
    let socket = sockets.recv().await.unwrap();
    let tasks = crowd(&socket);
    let mut received = Vec::new();
    while received.len() < 250 {
        received.push(websocket.text().await);
    }
    assert_eq!(count_whole(&received, 5), 40);
    assert!(tasks.iter().all(JoinHandle::is_finished));
}

#[tokio::test(start_paused = true)]
async fn batches_of_several_tasks_do_not_interleave_on_polling_and_across_an_upgrade() {
    for moves in [false, true] {
        let (harness, mut sockets) =
            handing_out(|builder| builder.outbox(3, 1_000_000).max_packets_per_payload(3));
        let mut polling = harness.polling(4).await;
        let socket = sockets.recv().await.unwrap();
        let tasks = crowd(&socket);
        let mut received = Vec::new();
        // An answer holds three packets, so this ends within a batch.
        while received.len() < if moves { 100 } else { 250 } {
            received.extend(polling.poll().await);
        }
        if moves {
            let mut websocket = harness.probed(&polling).await;
            websocket.send("5").await;
            while received.len() < 250 {
                received.push(websocket.text().await);
            }
        }
        assert_eq!(count_whole(&received, 5), 40, "moves: {moves}");
        settle().await;
        assert!(tasks.iter().all(JoinHandle::is_finished));
    }
}

#[tokio::test]
async fn batches_of_several_threads_do_not_interleave() {
    let (harness, mut sockets) = handing_out(|builder| builder.outbox(1_000_000, usize::MAX));
    let mut websocket = harness.websocket(4).await;
    let socket = sockets.recv().await.unwrap();
    let start = Arc::new(Barrier::new(3));
    let threads: Vec<_> = (0..3)
        .map(|thread| {
            let (sender, start) = (socket.sender(), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                for round in 0..200 {
                    sender.try_send_batch(batch(&format!("{thread} {round}"), 20)).unwrap();
                    sender.try_send("alone").unwrap();
                }
            })
        })
        .collect();
    let mut received = Vec::new();
    while received.len() < 3 * 200 * 21 {
        received.push(websocket.text().await);
    }
    assert_eq!(count_whole(&received, 20), 600);
    for thread in threads {
        thread.join().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_batch_that_was_split_by_an_upgrade_the_rest_comes_first_on_the_websocket() {
    let (harness, mut sockets) = handing_out(|builder| builder.max_packets_per_payload(2));
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    let event = [Message::text("event"), vec![1].into(), vec![2].into(), vec![3].into()];
    socket.try_send_batch(event).unwrap();
    assert_eq!(polling.poll().await, ["4event", "bAQ=="]);
    let mut websocket = harness.probed(&polling).await;
    socket.try_send_batch(["during", "the upgrade"]).unwrap();
    websocket.send("5").await;
    // This client asked for base64, on each transport.
    for packet in ["bAg==", "bAw==", "4during", "4the upgrade"] {
        assert_eq!(websocket.text().await, packet);
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_takes_room_as_one_message_does_and_comes_back_whole_when_there_is_none() {
    for (messages, bytes) in [(2, 1_000_000), (1_000, 8)] {
        let (harness, mut sockets) = handing_out(|builder| builder.outbox(messages, bytes));
        let mut polling = harness.polling(4).await;
        let socket = sockets.recv().await.unwrap();
        socket.try_send("alone").unwrap();
        // There is room for one message, which has all of the batch.
        socket.try_send_batch(batch("in", 3)).unwrap();
        let refused = socket.try_send_batch(batch("out", 2));
        assert_eq!(refused, Err(TrySendBatchError::Full(batch("out", 2))));
        assert_eq!(refused.unwrap_err().to_string(), "the outbox is full");
        assert_eq!(socket.sender().try_send_batch(["x"]), Err(TrySendBatchError::Full(vec!["x".into()])));
        assert!(matches!(socket.try_send("x"), Err(TrySendError::Full(_))));
        assert_eq!(polling.poll().await, [vec!["4alone".to_owned()], packets("in", 3)].concat());
        socket.try_send_batch(batch("again", 2)).unwrap();
        assert_eq!(polling.poll().await, packets("again", 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_larger_than_the_outbox_passes() {
    let (harness, mut sockets) = handing_out(|builder| builder.outbox(2, 10));
    let mut websocket = harness.websocket_with_room(NARROW).await;
    let socket = sockets.recv().await.unwrap();
    for name in ["a", "b"] {
        let long = move |place| Message::text(format!("{name}{place}{}", " ".repeat(100)));
        let sent = tokio::spawn({
            let sender = socket.sender();
            async move { sender.send_batch((0..50).map(long)).await }
        });
        for place in 0..50 {
            assert_eq!(websocket.text().await.trim(), format!("4{name}{place}"));
        }
        assert_eq!(sent.await.unwrap(), Ok(()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_waits_for_room_and_is_sent_whole_then() {
    let (harness, mut sockets) = handing_out(|builder| builder.outbox(1, 1_000_000));
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    socket.try_send("alone").unwrap();
    let sender = socket.sender();
    let sent = tokio::spawn(async move { sender.send_batch(batch("late", 3)).await });
    settle().await;
    assert!(!sent.is_finished());
    assert_eq!(polling.poll().await, ["4alone"]);
    assert_eq!(sent.await.unwrap(), Ok(()));
    assert_eq!(polling.poll().await, packets("late", 3));
}

#[tokio::test(start_paused = true)]
async fn of_a_dropped_send_nothing_is_sent() {
    let (harness, mut sockets) = handing_out(|builder| builder.outbox(1, 1_000_000));
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    drop(socket.send_batch(batch("never polled", 2)));
    socket.try_send("alone").unwrap();
    let waiting = tokio::time::timeout(ms(10), socket.send_batch(batch("dropped", 2)));
    assert!(waiting.await.is_err());
    assert_eq!(polling.poll().await, ["4alone"]);
    socket.send_batch(batch("sent", 2)).await.unwrap();
    assert_eq!(polling.poll().await, packets("sent", 2));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_polling_cannot_carry_refuses_its_whole_batch() {
    let (harness, mut sockets) = handing_out(|builder| builder);
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    let forged = || [Message::text("x"), FORGED.as_bytes().to_vec().into(), FORGED.into(), FORGED.into()];
    let error = socket.send_batch(forged()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the batch was not sent because of its message at index 2: text with U+001E at byte 1 cannot be sent on \
         polling, where it separates packets: send it as bytes"
    );
    assert_eq!(error.messages, forged());
    assert_eq!(socket.try_send_batch(forged()), Err(TrySendBatchError::Refused(error)));
    assert!(!socket.send_batch_volatile(forged()));
    socket.try_send("next").unwrap();
    assert_eq!(polling.poll().await, ["4next"]);

    let mut websocket = harness.websocket(4).await;
    sockets.recv().await.unwrap().send_batch(["x", FORGED]).await.unwrap();
    assert_eq!(websocket.text().await, "4x");
    assert_eq!(websocket.text().await, format!("4{FORGED}"));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_closes_or_has_ended_gives_the_whole_batch_back() {
    let (mut harness, mut sockets) = handing_out(|builder| builder.outbox(1, 1_000_000));
    let mut websocket = harness.websocket_with_room(NARROW).await;
    let socket = sockets.recv().await.unwrap();
    socket.try_send(kilobyte("a")).unwrap();
    let sender = socket.sender();
    let waiting = tokio::spawn(async move { sender.send_batch(batch("waiting", 2)).await });
    settle().await;
    socket.close();
    let refused =
        |error: &SendBatchError| matches!(error.kind, SendErrorKind::Session(_)) && error.index == 0;
    assert!(refused(&socket.send_batch(batch("closing", 2)).await.unwrap_err()));
    assert_eq!(websocket.text().await, format!("4{}", kilobyte("a")));
    assert_eq!(waiting.await.unwrap().unwrap_err().messages, batch("waiting", 2));
    assert_eq!(websocket.next().await, Received::Close(None));
    harness.end().await;
    let Err(TrySendBatchError::Refused(error)) = socket.try_send_batch(batch("ended", 2)) else {
        panic!("sent")
    };
    assert!(refused(&error));
    assert_eq!(error.to_string(), format!("the batch was not sent: {}", error.kind));
    assert_eq!(error.messages, batch("ended", 2));
    assert!(!socket.send_batch_volatile(batch("ended", 2)));
}

#[tokio::test(start_paused = true)]
async fn a_batch_without_messages_needs_no_room_and_sends_nothing() {
    let (harness, mut sockets) = handing_out(|builder| builder.outbox(1, 1_000_000));
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    socket.try_send("alone").unwrap();
    let none = || batch("", 0);
    assert_eq!(socket.send_batch(none()).await, Ok(()));
    assert_eq!(socket.try_send_batch(none()), Ok(()));
    assert!(socket.send_batch_volatile(none()));
    assert_eq!(harness.server.send_batch_to(&Audience::all(), none()).sent, 1);
    assert_eq!(polling.poll().await, ["4alone"]);
}

#[tokio::test(start_paused = true)]
async fn a_volatile_batch_is_sent_while_the_transport_takes_it_and_otherwise_not() {
    let (harness, mut sockets) = handing_out(|builder| builder.max_packets_per_payload(2));
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    assert!(!socket.send_batch_volatile(batch("before a poll", 2)));
    polling.begin_poll().await;
    assert!(socket.send_batch_volatile(batch("polled", 3)));
    assert!(!socket.sender().send_batch_volatile(batch("too many", 2)));
    let mut received = polling.poll_answer().await;
    received.extend(polling.poll().await);
    assert_eq!(received, packets("polled", 3));

    let mut websocket = harness.websocket_with_room(NARROW).await;
    let socket = sockets.recv().await.unwrap();
    assert!(socket.send_batch_volatile([kilobyte("a"), kilobyte("b")]));
    settle().await;
    assert!(!socket.send_batch_volatile(["lost", "too"]), "the client does not read");
    for letter in ["a", "b"] {
        assert_eq!(websocket.text().await, format!("4{}", kilobyte(letter)));
    }
    settle().await;
    assert!(socket.send_batch_volatile(batch("again", 2)));
    assert_eq!([websocket.text().await, websocket.text().await], *packets("again", 2));
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_the_last_message_of_a_batch() {
    let (harness, mut sockets) = handing_out(|builder| builder);
    let mut websocket = harness.websocket_with_room(NARROW).await;
    let socket = sockets.recv().await.unwrap();
    socket.try_send_batch(["a", "b", "c"].map(kilobyte)).unwrap();
    let sender = socket.sender();
    let flush = tokio::spawn(async move { sender.flush().await });
    for letter in ["a", "b"] {
        settle().await;
        assert!(!flush.is_finished(), "before {letter}");
        assert_eq!(websocket.text().await, format!("4{}", kilobyte(letter)));
    }
    assert_eq!(flush.await.unwrap(), Ok(()));
    assert_eq!(websocket.text().await, format!("4{}", kilobyte("c")));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_written_of_a_batch_is_unsent() {
    let (mut harness, mut sockets) = handing_out(|builder| builder);
    let mut websocket = harness.websocket_with_room(NARROW).await;
    let mut socket = sockets.recv().await.unwrap();
    let long = || ["a", "b", "c"].map(|letter| letter.repeat(5_000));
    socket.try_send_batch(long()).unwrap();
    assert_eq!(websocket.text().await, format!("4{}", long()[0]));
    let end = harness.assert_ends(500, Reason::PingTimeout).await;
    assert_eq!(end.unsent, 2);
    assert_eq!(socket.take_unsent(), long()[1..].iter().map(Message::from).collect::<Vec<_>>());
}

/// Adds up what was sent.
#[derive(Clone, Default)]
struct Sums(Arc<Mutex<(usize, usize)>>);

impl Observer for Sums {
    fn sent(&self, _: SessionId, messages: usize, bytes: usize) {
        let mut sums = self.0.lock().unwrap();
        *sums = (sums.0 + messages, sums.1 + bytes);
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_hears_of_each_message_of_a_batch() {
    let sums = Sums::default();
    let harness = Harness::with_observer(Server::builder(listen), sums.clone());
    let (mut websocket, mut polling) = (harness.websocket(4).await, harness.polling(4).await);
    assert_eq!(harness.server.send_batch_to(&Audience::all(), batch("x", 3)).sent, 2);
    assert_eq!(polling.poll().await, packets("x", 3));
    for packet in packets("x", 3) {
        assert_eq!(websocket.text().await, packet);
    }
    settle().await;
    assert_eq!(*sums.0.lock().unwrap(), (6, 2 * 9));
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_batch_counts_each_session_once_whatever_its_reason() {
    let (harness, mut sockets) = handing_out(|builder| builder.outbox(1, 1_000_000));
    let (mut websocket, mut polling) = (harness.websocket(4).await, harness.polling(4).await);
    let (mut full, _closing) = (harness.polling(3).await, harness.websocket(4).await);
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(sockets.recv().await.unwrap());
    }
    held[2].try_send("alone").unwrap();
    held[3].close();
    let counts = |told: Broadcast| (told.sent, told.full, told.uncarried, told.closed);
    assert_eq!(counts(harness.server.send_batch_to(&Audience::all(), ["x", FORGED])), (1, 1, 1, 1));
    assert_eq!([websocket.text().await, websocket.text().await], ["4x".to_owned(), format!("4{FORGED}")]);
    settle().await;
    let picture = || [Message::text("picture"), vec![1].into(), vec![2].into()];
    let senders: Vec<Sender> = held.iter().map(Socket::sender).collect();
    assert_eq!(counts(harness.server.broadcast_batch_to(&senders, picture())), (2, 1, 0, 1));
    assert_eq!(websocket.text().await, "4picture");
    for bytes in [vec![1], vec![2]] {
        assert_eq!(websocket.next().await, Received::Binary(bytes));
    }
    assert_eq!(polling.poll().await, ["4picture", "bAQ==", "bAg=="]);
    assert_eq!(full.poll().await, ["4alone"]);
    // A session that comes twice gets them twice, and counts twice.
    let twice = [&senders[2], &senders[0], &senders[0]];
    assert_eq!(counts(harness.server.broadcast_batch_to(twice, picture())), (2, 1, 0, 0));
    assert_eq!(full.poll().await, ["4picture", "b4AQ==", "b4Ag=="]);
}
