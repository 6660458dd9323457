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
    let server = Server::builder(|_socket| async {}).node(name).build().unwrap();
    let node = Cluster::builder(&server, bus.end(name)).join().unwrap();
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
