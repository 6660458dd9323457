//! Several messages of a client that are sent as one unit.

use core::time::Duration;

use eio_tokio::{ClientSender, Message, SendErrorKind, Server, TrySendBatchError};

use crate::support::{Way, collecting, echo, serve};
use crate::turns::give_way;

async fn send(sender: ClientSender, task: u8) {
    for round in 0..50_u8 {
        let attachments = (0..4).map(|place| Message::binary(vec![task, round, place]));
        let event = Message::text(format!("{task} {round}"));
        sender.send_batch([event].into_iter().chain(attachments)).await.unwrap();
    }
}

/// Sends messages that belong to no batch. This task is there for each place that becomes free, before those that wait for
/// room. Now and then it waits, because paused time stands still while a task is ready.
async fn alone(sender: ClientSender) {
    for _ in 0..50 {
        let mut tries = 0;
        while sender.try_send("alone").is_err() {
            tries += 1;
            if tries % 100 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            } else {
                give_way().await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn batches_of_several_tasks_do_not_interleave_over_any_transport() {
    for way in Way::ALL {
        let (_server, address, mut messages) = collecting().await;
        let socket = way.client(address).outbox(3, 1_000_000).build().unwrap().connect().await.unwrap();
        let tasks = [1, 2].map(|task| tokio::spawn(send(socket.sender(), task)));
        let alone = tokio::spawn(alone(socket.sender()));
        let mut batches = 0;
        for _ in 0..150 {
            let event = messages.recv().await.unwrap();
            let Some((task, round)) = event.as_text().unwrap().split_once(' ') else { continue };
            let [task, round] = [task, round].map(|number| number.parse::<u8>().unwrap());
            for place in 0..4 {
                let attachment = messages.recv().await.unwrap();
                assert_eq!(attachment, Message::binary(vec![task, round, place]), "{way:?}");
            }
            batches += 1;
        }
        assert_eq!(batches, 100, "{way:?}");
        for task in tasks.into_iter().chain([alone]) {
            task.await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_the_server_would_not_take_refuses_its_whole_batch() {
    let (_server, address) = serve(Server::builder(echo).max_payload(1_000)).await;
    for way in [Way::Polling, Way::WebSocket] {
        let mut socket = way.client(address).build().unwrap().connect().await.unwrap();
        let large = || ["small".to_owned(), "x".repeat(1_000)];
        let error = socket.send_batch(large()).await.unwrap_err();
        assert_eq!((error.index, &error.kind), (1, &SendErrorKind::TooLarge { max_payload: 1_000 }));
        assert_eq!(error.messages, large().map(Message::from));
        assert_eq!(socket.sender().try_send_batch(large()), Err(TrySendBatchError::Refused(error)));
        assert!(!socket.send_batch_volatile(large()));
        // Together they may be larger than a payload.
        assert!(socket.send_batch_volatile(["a", "b", "c"].map(|letter| letter.repeat(500))));
        for letter in ["a", "b", "c"] {
            assert_eq!(socket.recv().await.unwrap(), Message::from(letter.repeat(500)), "{way:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_outbox_gives_the_whole_batch_back() {
    let (_server, address) = serve(Server::builder(echo)).await;
    let socket = Way::Polling.client(address).outbox(2, 1_000_000).build().unwrap().connect().await.unwrap();
    socket.try_send("alone").unwrap();
    socket.try_send_batch(["a", "b"]).unwrap();
    let full = socket.try_send_batch(["c", "d"]);
    assert_eq!(full, Err(TrySendBatchError::Full(vec!["c".into(), "d".into()])));
}
