//! Nodes on a bus in memory.

use core::time::Duration;
use std::collections::BTreeMap;

use eio_cluster::bus::Memory;
use eio_cluster::{Cluster, Incoming, Reply, To};
use eio_schedules::{Clock, explore};
use eio_tokio::Server;
use shuttle::{future, thread};
use tokio::sync::mpsc;

/// How long an answer is waited for: for ever, as the clock stands still.
const TIMEOUT: Duration = Duration::from_secs(5);

async fn node(bus: &Memory, name: &str) -> Cluster {
    node_with(bus, name, 8 * 1024 * 1024).await
}

/// The same with this bound of the queue.
async fn node_with(bus: &Memory, name: &str, max_queued: usize) -> Cluster {
    let server = Server::builder(|_socket| async {}).node(name).build().unwrap();
    let node = Cluster::builder(&server, bus.end(name)).max_queued(max_queued).join().unwrap();
    node.connected().await;
    node
}

/// Waits until a node knows of another one.
async fn knows(node: &Cluster, other: &str) {
    let mut seen = 0;
    while !node.nodes().iter().any(|info| &*info.name == other) {
        seen = node.nodes_changed(seen).await;
    }
}

#[test]
fn messages_of_several_threads_reach_another_node_once_and_in_their_order() {
    let name = "messages_of_several_threads_reach_another_node_once_and_in_their_order";
    explore(name, "", Clock::Stands, || async {
        let bus = Memory::new();
        let (a, b) = (node(&bus, "a").await, node(&bus, "b").await);
        let (heard, mut hears) = mpsc::unbounded_channel();
        let hear = move |message: Incoming<'_>| {
            let [sender, number] = message.payload[..] else { panic!("{:?}", message.payload) };
            heard.send((sender, number)).unwrap();
        };
        let channel = b.channel("test", hear).unwrap();
        channel.listen("topic");
        channel.listening("topic").await;
        let publishing = a.channel("test", |_: Incoming<'_>| {}).unwrap();
        let publishing = std::sync::Arc::new(publishing);
        let threads = [0, 1].map(|sender| {
            let publishing = std::sync::Arc::clone(&publishing);
            thread::spawn(move || {
                for number in 0..3 {
                    publishing.publish(To::Topics(&["topic"]), &[sender, number]).unwrap();
                }
            })
        });
        let mut next = BTreeMap::<u8, u8>::new();
        for _ in 0..6 {
            let (sender, number) = hears.recv().await.unwrap();
            let next = next.entry(sender).or_default();
            assert_eq!(number, *next, "of the sender {sender}");
            *next += 1;
        }
        for thread in threads {
            thread.join().unwrap();
        }
        a.leave().await;
        b.leave().await;
    });
}

#[test]
fn each_question_gets_its_answer_or_ends_with_the_node() {
    explore("each_question_gets_its_answer_or_ends_with_the_node", "", Clock::Stands, || async {
        let bus = Memory::new();
        let (a, b) = (node(&bus, "a").await, node(&bus, "b").await);
        knows(&a, "b").await;
        knows(&b, "a").await;
        let answer = |message: Incoming<'_>| {
            let reply: Option<Reply> = message.reply;
            if let Some(reply) = reply {
                // A node that has left answers nobody.
                let _ = reply.finish(&message.payload);
            }
        };
        let _answering = b.channel("test", answer).unwrap();
        let asking = std::sync::Arc::new(a.channel("test", |_: Incoming<'_>| {}).unwrap());
        let ask = |number: u8| {
            let asking = std::sync::Arc::clone(&asking);
            future::spawn(async move { asking.ask("b", &[number], TIMEOUT).first().await })
        };
        for (number, answered) in [1, 2].map(|number| (number, ask(number))) {
            assert_eq!(&*answered.await.unwrap().unwrap(), [number]);
        }
        let last = ask(3);
        let leaving = future::spawn(async move { b.leave().await });
        if let Ok(answer) = last.await.unwrap() {
            assert_eq!(&*answer, [3]);
        }
        leaving.await.unwrap();
        a.leave().await;
    });
}

#[test]
fn answers_that_wait_for_room_go_on_when_there_is_some() {
    explore("answers_that_wait_for_room_go_on_when_there_is_some", "", Clock::Stands, || async {
        let bus = Memory::new();
        // A quarter of it is one part.
        let (a, b) = (node(&bus, "a").await, node_with(&bus, "b", 2_000).await);
        knows(&a, "b").await;
        knows(&b, "a").await;
        let answer = |message: Incoming<'_>| {
            let mut reply = message.reply.unwrap();
            future::spawn(async move {
                for number in 0..3 {
                    reply.send(&[number; 300]).await.unwrap();
                }
            });
        };
        let _answering = b.channel("test", answer).unwrap();
        let asking = a.channel("test", |_: Incoming<'_>| {}).unwrap();
        let questions = [(); 2].map(|()| {
            let mut question = asking.ask("b", b"", TIMEOUT);
            future::spawn(async move {
                for number in 0..3 {
                    assert_eq!(&*question.next().await.unwrap().part.unwrap(), [number; 300]);
                }
                assert!(question.next().await.is_none());
            })
        });
        for question in questions {
            question.await.unwrap();
        }
        assert_eq!(b.status().bus.lost, 0);
        a.leave().await;
        b.leave().await;
    });
}

#[test]
fn a_service_hears_its_topics_also_where_one_of_its_name_has_just_ended() {
    let name = "a_service_hears_its_topics_also_where_one_of_its_name_has_just_ended";
    explore(name, "", Clock::Stands, || async {
        let bus = Memory::new();
        let (a, b) = (node(&bus, "a").await, node(&bus, "b").await);
        let before = b.channel("test", |_: Incoming<'_>| {}).unwrap();
        before.listen("topic");
        before.listening("topic").await;
        let ending = thread::spawn(move || drop(before));
        let (heard, mut hears) = mpsc::unbounded_channel();
        // While the other one is there, its name is taken.
        if let Ok(channel) = b.channel("test", move |_: Incoming<'_>| heard.send(()).unwrap()) {
            channel.listen("topic");
            ending.join().unwrap();
            channel.listening("topic").await;
            let publishing = a.channel("test", |_: Incoming<'_>| {}).unwrap();
            publishing.publish(To::Topics(&["topic"]), b"").unwrap();
            hears.recv().await.unwrap();
        } else {
            ending.join().unwrap();
        }
        a.leave().await;
        b.leave().await;
    });
}
