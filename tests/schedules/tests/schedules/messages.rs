//! Messages of several senders, with little room.

use std::collections::BTreeMap;

use eio_schedules::{explore, repeat};
use eio_tokio::{Message, Server, Socket};
use futures_util::SinkExt as _;
use shuttle::{future, thread};

use crate::running::{Running, WAYS};

/// How many senders there are, and how many messages each sends.
const SENDERS: u8 = 2;
const EACH: u8 = 3;

/// Sends the messages of one sender, each as soon as there is room.
async fn send_all<F: Future<Output = Result<(), eio_tokio::SendError>>>(
    number: u8,
    send: impl Fn(Message) -> F,
) {
    for message in 0..EACH {
        send(Message::binary(vec![number, message])).await.unwrap();
    }
}

/// What has arrived: the next message of each sender.
#[derive(Default)]
struct Arrived(BTreeMap<u8, u8>);

impl Arrived {
    /// Notes a message, which must be the next one of its sender. Returns whether it is the last one of all.
    fn note(&mut self, message: &Message) -> bool {
        let Message::Binary(bytes) = message else { panic!("a text: {message:?}") };
        let [sender, number] = **bytes else { panic!("{bytes:?}") };
        let next = self.0.entry(sender).or_default();
        assert_eq!(number, *next, "of the sender {sender}");
        *next += 1;
        self.0.len() == usize::from(SENDERS) && self.0.values().all(|next| *next == EACH)
    }
}

/// Two threads send through handles of the session while its application waits for the end.
async fn application(mut socket: Socket) {
    for number in 0..SENDERS {
        let sender = socket.sender();
        thread::spawn(move || future::block_on(send_all(number, |message| sender.send(message))));
    }
    while socket.recv().await.is_ok() {}
}

#[test]
fn what_threads_send_through_handles_of_a_server_arrives_in_their_order() {
    for (way, transports, clock) in WAYS {
        let name = "what_threads_send_through_handles_of_a_server_arrives_in_their_order";
        explore(name, way, clock, || async {
            let running = Running::start(Server::builder(application).outbox(1, 1_000));
            let mut socket = running.connect(transports).await;
            let mut arrived = Arrived::default();
            while !arrived.note(&socket.recv().await.unwrap()) {}
            socket.close();
            socket.closed().await;
            running.end().await;
        });
    }
}

/// Returns once everything has arrived, which ends the session.
async fn collect(mut socket: Socket) {
    let mut arrived = Arrived::default();
    while !arrived.note(&socket.recv().await.unwrap()) {}
}

#[test]
fn what_threads_send_through_handles_of_a_client_arrives_in_their_order() {
    for (way, transports, clock) in WAYS {
        let name = "what_threads_send_through_handles_of_a_client_arrives_in_their_order";
        explore(name, way, clock, || async {
            let running = Running::start(Server::builder(collect).inbox(1, 1_000));
            let socket = running.connect(transports).await;
            let threads: Vec<_> = (0..SENDERS)
                .map(|number| {
                    let sender = socket.sender();
                    thread::spawn(move || {
                        future::block_on(send_all(number, |message| sender.send(message)));
                    })
                })
                .collect();
            socket.closed().await;
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            running.end().await;
        });
    }
}

#[test]
fn a_batch_of_schedules_takes_the_same_course_again() {
    for (way, transports, clock) in WAYS {
        repeat("a_batch_of_schedules_takes_the_same_course_again", way, clock, || async {
            let running = Running::start(Server::builder(application));
            let mut socket = running.connect(transports).await;
            let mut arrived = Arrived::default();
            while !arrived.note(&socket.recv().await.unwrap()) {}
            socket.close();
            socket.closed().await;
            running.end().await;
        });
    }
}

#[test]
fn an_echo_with_the_least_room_comes_back() {
    async fn echo(mut socket: Socket) {
        while let Ok(message) = socket.recv().await {
            socket.send(message).await.unwrap();
        }
    }
    for (way, transports, clock) in WAYS {
        explore("an_echo_with_the_least_room_comes_back", way, clock, || async {
            let running = Running::start(Server::builder(echo).inbox(1, 1_000).outbox(1, 1_000));
            let mut socket = running.connect(transports).await;
            let sender = socket.sender();
            let sending = future::spawn(async move {
                for number in 0..4 {
                    sender.send(Message::binary(vec![number])).await.unwrap();
                }
            });
            for number in 0..4 {
                assert_eq!(socket.recv().await.unwrap(), Message::binary(vec![number]));
            }
            sending.await.unwrap();
            socket.close();
            socket.closed().await;
            running.end().await;
        });
    }
}

#[test]
fn whoever_flushes_is_woken_when_the_messages_are_passed_on() {
    for (way, transports, clock) in WAYS {
        explore("whoever_flushes_is_woken_when_the_messages_are_passed_on", way, clock, || async {
            let running = Running::start(Server::builder(|mut socket: Socket| async move {
                while socket.recv().await.is_ok() {}
            }));
            let socket = running.connect(transports).await;
            let flushing: Vec<_> = (0..3)
                .map(|number| {
                    let sender = socket.sender();
                    future::spawn(async move {
                        sender.try_send(Message::binary(vec![number])).unwrap();
                        sender.flush().await.unwrap();
                    })
                })
                .collect();
            let sender = socket.sender();
            // Waits for nothing itself.
            let sending = thread::spawn(move || {
                for number in 4..8 {
                    sender.try_send(Message::binary(vec![number])).unwrap();
                }
            });
            let mut sink = socket.sender().sink();
            sink.send(Message::binary(vec![3])).await.unwrap();
            for one in flushing {
                one.await.unwrap();
            }
            sending.join().unwrap();
            sink.close().await.unwrap();
            socket.closed().await;
            running.end().await;
        });
    }
}
