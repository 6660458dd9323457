//! Nodes that are cut off, slowed down, split and healed in any order, while they talk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eio_cluster::bus::{BusState, Memory};
use eio_cluster::{Channel, Cluster, Incoming, NodeState, To};

use crate::support::{BOUND, nodes, settle, sleep, there};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const TOPICS: [&str; 3] = ["x", "y", "z"];

/// Numbers that only depend on a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// The numbers that a node has heard from each other node.
#[derive(Clone, Default)]
struct Numbers(Arc<Mutex<BTreeMap<String, Vec<u32>>>>);

impl Numbers {
    fn channel(&self, node: &Cluster) -> Channel {
        let numbers = self.clone();
        let handler = move |message: Incoming<'_>| {
            let number = u32::from_be_bytes(message.payload[..].try_into().unwrap());
            numbers.0.lock().unwrap().entry(message.from.to_owned()).or_default().push(number);
        };
        node.channel("test", handler).unwrap()
    }

    /// Each publisher's messages came in its order, and none came twice.
    fn assert_in_order(&self, seed: u64) {
        for (from, numbers) in &*self.0.lock().unwrap() {
            assert!(numbers.is_sorted_by(|a, b| a < b), "seed {seed}, from {from}: {numbers:?}");
        }
    }

    fn heard(&self, from: &str, number: u32) -> usize {
        self.0.lock().unwrap().get(from).map_or(0, |all| all.iter().filter(|one| **one == number).count())
    }
}

/// Does something to the bus or to a node.
fn disturb(dice: &mut Dice, bus: &Memory, channels: &[Channel]) {
    let name = NAMES[dice.roll(NAMES.len())];
    match dice.roll(8) {
        0 => bus.cut(name),
        1 | 2 => bus.mend(name),
        3 => bus.slow(name, Duration::from_millis(100 * dice.roll(30) as u64)),
        4 => bus.split(&[&NAMES[..dice.roll(4)]]),
        5 => bus.heal(),
        6 => channels[dice.roll(4)].listen(TOPICS[dice.roll(3)]),
        _ => channels[dice.roll(4)].unlisten(TOPICS[dice.roll(3)]),
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_messages_come_in_order_and_once_and_in_the_end_all_is_well() {
    for seed in 0..30 {
        let mut dice = Dice(seed);
        let bus = Memory::new();
        let cluster = nodes(&bus, NAMES).await;
        let numbers: [Numbers; 4] = core::array::from_fn(|_| Numbers::default());
        let channels: Vec<Channel> =
            cluster.iter().zip(&numbers).map(|(node, numbers)| numbers.channel(node)).collect();
        let mut number = 0_u32;
        let mut publish = |channel: &Channel, to: To<'_>| {
            number += 1;
            let _ = channel.publish(to, &number.to_be_bytes());
            number
        };
        for _ in 0..200 {
            disturb(&mut dice, &bus, &channels);
            for _ in 0..dice.roll(20) {
                let to = [To::All, To::Node(NAMES[dice.roll(4)]), To::Topics(&TOPICS[..=dice.roll(3)])];
                publish(&channels[dice.roll(4)], to[dice.roll(3)]);
            }
            sleep(Duration::from_millis(dice.roll(3_000) as u64)).await;
            assert!(cluster.iter().all(|node| node.status().bus.queued < 1_000_000));
        }
        bus.heal();
        for name in NAMES {
            bus.slow(name, Duration::ZERO);
            bus.mend(name);
        }
        for (node, channel) in cluster.iter().zip(&channels) {
            node.connected().await;
            for topic in TOPICS {
                channel.listen(topic);
                channel.listening(topic).await;
            }
        }
        // What was slow has arrived, and everybody has spoken.
        sleep(BOUND).await;
        for node in &cluster {
            assert_eq!(there(node), NAMES.map(|name| (name.to_owned(), NodeState::Up)), "seed {seed}");
            let status = node.status();
            assert_eq!((status.bus.state, status.unreadable, status.panics), (BusState::Up, 0, 0));
            assert!(status.names_twice.is_empty());
        }
        let number = publish(&channels[0], To::Topics(&TOPICS));
        settle().await;
        for heard in &numbers[1..] {
            assert_eq!(heard.heard("a", number), 1, "seed {seed}");
        }
        for heard in &numbers {
            heard.assert_in_order(seed);
        }
    }
}
