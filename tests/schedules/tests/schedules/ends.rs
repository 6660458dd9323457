//! Ends from both sides, while messages are sent and others wait.

use std::sync::{Arc, Mutex};

use eio_schedules::explore;
use eio_tokio::{Message, SendError, Server, Socket, TrySendError};
use shuttle::{future, thread};

use crate::running::{Running, Tasks, WAYS};

#[test]
fn what_a_server_has_accepted_before_its_close_arrives_and_what_comes_later_is_refused() {
    for (way, transports, clock) in WAYS {
        let name = "what_a_server_has_accepted_before_its_close_arrives_and_what_comes_later_is_refused";
        explore(name, way, clock, || async {
            let accepted = Arc::new(Mutex::new(None));
            let told = Arc::clone(&accepted);
            let running = Running::start(Server::builder(move |socket: Socket| {
                let told = Arc::clone(&told);
                async move {
                    let sender = socket.sender();
                    let sending = thread::spawn(move || {
                        let send = |number: &u8| match sender.try_send(Message::binary(vec![*number])) {
                            Ok(()) => true,
                            Err(TrySendError::Refused(_)) => false,
                            Err(error) => panic!("{error}"),
                        };
                        (0..4).take_while(send).count()
                    });
                    socket.close();
                    socket.closed().await;
                    *told.lock().unwrap() = Some(sending.join().unwrap());
                }
            }));
            let mut socket = running.connect(transports).await;
            let mut arrived = Vec::new();
            while let Ok(message) = socket.recv().await {
                arrived.push(message);
            }
            running.end().await;
            let expected = (0..4).map(|number| Message::binary(vec![number]));
            assert_eq!(arrived, expected.take(accepted.lock().unwrap().unwrap()).collect::<Vec<_>>());
        });
    }
}

#[test]
fn an_end_from_both_sides_at_once_comes_once_and_wakes_everybody_who_waits() {
    for (way, transports, clock) in WAYS {
        let name = "an_end_from_both_sides_at_once_comes_once_and_wakes_everybody_who_waits";
        explore(name, way, clock, || async {
            let running = Running::start(Server::builder(|mut socket: Socket| async move {
                let waiting = [socket.sender(), socket.sender()].map(|sender| {
                    future::spawn(async move { send_some(|| sender.send("to nobody who reads")).await })
                });
                let closing = socket.sender();
                let closing = thread::spawn(move || closing.close());
                let end = socket.recv().await.unwrap_err();
                assert_eq!(socket.end().unwrap().reason, end.reason);
                for one in waiting {
                    one.await.unwrap();
                }
                closing.join().unwrap();
            }));
            let mut socket = running.connect(transports).await;
            let waiting = [socket.sender(), socket.sender()]
                .map(|sender| future::spawn(async move { sender.closed().await.reason }));
            let closing = socket.sender();
            let closing = thread::spawn(move || closing.close());
            let end = loop {
                if let Err(end) = socket.recv().await {
                    break end;
                }
            };
            for one in waiting {
                assert_eq!(one.await.unwrap(), end.reason);
            }
            closing.join().unwrap();
            running.end().await;
        });
    }
}

#[test]
fn whoever_drops_a_socket_while_others_send_leaves_nobody_waiting() {
    for (way, transports, clock) in WAYS {
        let name = "whoever_drops_a_socket_while_others_send_leaves_nobody_waiting";
        explore(name, way, clock, || async {
            let tasks = Tasks::default();
            let sending = tasks.clone();
            let running = Running::start(
                Server::builder(move |mut socket: Socket| {
                    let sender = socket.sender();
                    sending.spawn(async move { send_some(|| sender.send("one more")).await });
                    async move {
                        let _ = socket.recv().await;
                        // The application returns, and leaves messages unread.
                    }
                })
                .inbox(1, 1_000)
                .outbox(1, 1_000),
            );
            let socket = running.connect(transports).await;
            let sender = socket.sender();
            let sending = future::spawn(async move { send_some(|| sender.send("one more")).await });
            let mut socket = socket;
            while socket.recv().await.is_ok() {}
            sending.await.unwrap();
            drop(socket);
            running.end().await;
            tasks.end().await;
        });
    }
}

/// Sends until the session has ended, or a few times: a schedule may let it go on for long while others wait.
async fn send_some<F: Future<Output = Result<(), SendError>>>(send: impl Fn() -> F) {
    for _ in 0..8 {
        if send().await.is_err() {
            return;
        }
    }
}
