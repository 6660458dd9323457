//! A Redis Cluster, whose channels belong to one of its masters each.

use core::time::Duration;

use eio_tests::interop::{Case, Log, free_port, soon};

use crate::cases;
use crate::servers::{Kind, Node, Server, bus, meets};

pub(crate) fn cases() -> Vec<Case> {
    cases![on_a_redis_cluster_each_master_has_its_topics_and_faults_heal]
}

/// Starts three masters, and makes a cluster of them.
async fn three_masters(log: &Log) -> Vec<Server> {
    let mut masters = Vec::new();
    for _ in 0..3 {
        let config = format!("cluster-enabled yes\ncluster-port {}\ncluster-node-timeout 1000", free_port());
        masters.push(Server::start(Kind::Redis, &config, log).await);
    }
    let addresses: Vec<_> = masters.iter().map(|master| format!("127.0.0.1:{}", master.port)).collect();
    let mut arguments = vec!["--cluster", "create"];
    arguments.extend(addresses.iter().map(String::as_str));
    arguments.extend(["--cluster-yes", "--cluster-replicas", "0"]);
    let made = masters[0].redis_cli(&arguments).await;
    assert!(made.contains("All 16384 slots covered"), "{made}");
    Box::pin(are_well(&masters)).await;
    masters
}

async fn are_well(masters: &[Server]) {
    for master in masters {
        let is_well = Box::pin(async {
            while !master.redis_cli(&["cluster", "info"]).await.contains("cluster_state:ok") {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        soon("the cluster", is_well).await;
    }
}

async fn node(masters: &[Server]) -> Node {
    let mut urls: Vec<_> = masters.iter().map(|master| master.url_with("")).collect();
    // Another one is gone, or has never been there.
    urls.push(format!("redis://127.0.0.1:{}", free_port()));
    let node = Node::start(bus(Kind::Redis, &urls.iter().map(String::as_str).collect::<Vec<_>>()));
    soon("the bus", node.direct.up()).await;
    node
}

async fn on_a_redis_cluster_each_master_has_its_topics_and_faults_heal(log: Log) {
    let mut masters = three_masters(&log).await;
    // One of them knows only one master.
    let (from, mut to) = (node(&masters).await, node(&masters[..1]).await);
    let topics: Vec<_> = (0..30).map(|number| format!("topic {number}")).collect();
    for topic in &topics {
        to.subscribe(topic).await;
    }
    for master in &masters {
        let channels = master.redis_cli(&["pubsub", "shardchannels"]).await;
        assert!((3..25).contains(&channels.lines().count()), "{channels}");
        assert_eq!(master.redis_cli(&["pubsub", "channels"]).await.trim(), "");
    }
    for topic in &topics {
        meets(&from, &mut to, topic).await;
    }
    for number in 0..1_000u32 {
        from.publish("topic 7", number.to_string());
    }
    for number in 0..1_000u32 {
        assert_eq!(to.hear().await, number.to_string());
    }
    assert_eq!((from.status().outages, to.status().outages), (0, 0));
    a_slot_moves(&masters, &from, &mut to, &topics).await;
    let [from_before, before] = [&from, &to].map(|node| node.status().outages);
    masters[2].kill().await;
    tokio::join!(from.loses(from_before + 1), to.loses(before + 1));
    masters[2].restart().await;
    Box::pin(are_well(&masters)).await;
    for topic in &topics {
        meets(&from, &mut to, topic).await;
    }
    assert_eq!(to.status().outages, before + 1);
}

/// Moves the slot of a topic from its master to another one.
async fn a_slot_moves(masters: &[Server], from: &Node, to: &mut Node, topics: &[String]) {
    let subject = to.direct.subject(&topics[0]).to_string();
    let slot = masters[0].redis_cli(&["cluster", "keyslot", &subject]).await;
    let mut owner = 0;
    for (number, master) in masters.iter().enumerate() {
        if master.redis_cli(&["pubsub", "shardnumsub", &subject]).await.lines().nth(1) == Some("1") {
            owner = number;
        }
    }
    let (old, next) = (&masters[owner], &masters[(owner + 1) % 3]);
    let [old_id, id] =
        [old.redis_cli(&["cluster", "myid"]).await, next.redis_cli(&["cluster", "myid"]).await];
    // Only a master that imports a slot gets the right to it that all others accept.
    for (master, state, id) in
        [(next, "importing", &old_id), (old, "migrating", &id), (next, "node", &id), (old, "node", &id)]
    {
        let moved = master.redis_cli(&["cluster", "setslot", slot.trim(), state, id.trim()]).await;
        assert_eq!(moved.trim(), "OK");
    }
    Box::pin(are_well(masters)).await;
    for topic in topics {
        meets(from, to, topic).await;
    }
    assert!(to.status().outages > 0);
    assert_eq!(next.redis_cli(&["pubsub", "shardnumsub", &subject]).await.lines().nth(1), Some("1"));
}
