//! Nodes whose tasks run on several threads at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eio_cluster::bus::Memory;
use eio_cluster::{Cluster, Incoming, To};
use tokio::sync::mpsc;

use crate::support::start;

const SENDERS: u32 = 4;
const MESSAGES: u32 = 500;

/// Takes pairs of a sender and a number, checks the order of each sender's numbers, and reports each last one.
fn listen(node: &Cluster, ended: mpsc::UnboundedSender<()>) -> eio_cluster::Channel {
    let last: Mutex<BTreeMap<(String, u32), u32>> = Mutex::default();
    let handler = move |message: Incoming<'_>| {
        let (sender, number) = message.payload.split_at(4);
        let [sender, number] = [sender, number].map(|bytes| u32::from_be_bytes(bytes.try_into().unwrap()));
        let mut last = last.lock().unwrap();
        let before = last.insert((message.from.to_owned(), sender), number);
        assert_eq!(before.map_or(0, |before| before + 1), number, "{} {sender}", message.from);
        if number + 1 == MESSAGES {
            ended.send(()).unwrap();
        }
    };
    node.channel("test", handler).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn messages_from_many_tasks_come_once_each_and_in_the_order_of_each_task() {
    let bus = Memory::new();
    let (ended, mut all_ended) = mpsc::unbounded_channel();
    let nodes = ["a", "b", "c"].map(|name| start(&bus, name));
    let channels = nodes.each_ref().map(|node| Arc::new(listen(node, ended.clone())));
    for (node, channel) in nodes.iter().zip(&channels) {
        node.connected().await;
        for topic in ["x", "y"] {
            channel.listen(topic);
            channel.listening(topic).await;
        }
    }
    for channel in &channels {
        for sender in 0..SENDERS {
            let channel = Arc::clone(channel);
            tokio::spawn(async move {
                for number in 0..MESSAGES {
                    let payload = [sender.to_be_bytes(), number.to_be_bytes()].concat();
                    let to = if number % 2 == 0 { To::Topics(&["x", "y"]) } else { To::All };
                    channel.publish(to, &payload).unwrap();
                    // Subscriptions come and go beside it.
                    channel.listen(&number.to_string());
                    channel.unlisten(&number.to_string());
                }
            });
        }
    }
    let streams = nodes.len() * (nodes.len() - 1) * SENDERS as usize;
    let all = async {
        for _ in 0..streams {
            all_ended.recv().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_mins(2), all).await.expect("all messages have come");
    for node in &nodes {
        let status = node.status();
        assert_eq!((status.panics, status.unreadable, status.bus.lost), (0, 0, 0));
    }
}
