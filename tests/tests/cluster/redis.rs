//! What only Redis has.

use eio_cluster::bus::BusStatus;
use eio_tests::interop::{Case, Log, soon};

use crate::cases;
use crate::servers::{Kind, Node, Server, bus, meets};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        several_servers_of_redis_that_are_no_cluster_are_refused,
        redis_that_is_a_replica_is_down_until_it_is_a_master,
        redis_with_a_password_refuses_others,
        redis_with_an_acl_refuses_a_topic_and_keeps_the_others,
        what_another_client_of_redis_publishes_is_a_message_like_any_other,
        redis_that_drops_all_clients_has_them_back,
        redis_that_is_busy_with_a_script_is_down_until_it_answers,
    ]
}

async fn several_servers_of_redis_that_are_no_cluster_are_refused(log: Log) {
    let servers = [Server::start(Kind::Redis, "", &log).await, Server::start(Kind::Redis, "", &log).await];
    let urls = servers.each_ref().map(|server| server.url_with(""));
    let cause = Node::start(bus(Kind::Redis, &urls.each_ref().map(String::as_str))).cause().await;
    assert!(cause.contains("not of a Redis Cluster"), "{cause}");
}

async fn redis_that_is_a_replica_is_down_until_it_is_a_master(log: Log) {
    let master = Server::start(Kind::Redis, "", &log).await;
    let replicaof = format!("replicaof 127.0.0.1 {}", master.port);
    let server = Server::start(Kind::Redis, &replicaof, &log).await;
    let node = Node::start(server.bus());
    let cause = node.cause().await;
    assert!(cause.contains("the server is a replica"), "{cause}");
    server.redis_cli(&["replicaof", "no", "one"]).await;
    soon("the bus", node.direct.up()).await;
    // Its connection lives on when it is a replica again.
    server.redis_cli(&["replicaof", "127.0.0.1", &master.port.to_string()]).await;
    node.loses(1).await;
    let cause = node.cause().await;
    assert!(cause.contains("the server is a replica"), "{cause}");
}

async fn redis_with_a_password_refuses_others(log: Log) {
    let server = Server::start(Kind::Redis, "requirepass secret", &log).await;
    let node = Node::start(server.bus_with(":secret@"));
    soon("the bus", node.direct.up()).await;
    for (wrong, code) in [(":wrong@", "WRONGPASS"), ("ann:wrong@", "WRONGPASS"), ("", "NOAUTH")] {
        let node = Node::start(server.bus_with(wrong));
        let cause = node.cause().await;
        assert!(cause.contains(code) || cause.contains("uthentication"), "{cause}");
        assert!(!cause.contains("wrong"), "{cause}");
    }
}

async fn redis_with_an_acl_refuses_a_topic_and_keeps_the_others(log: Log) {
    let prepared = Node::start(Server::prepare(Kind::Redis, "", &log).bus());
    let subjects = ["a", "b"].map(|topic| format!("&{}", prepared.direct.subject(topic))).join(" ");
    let acl = format!("user ann on >p resetchannels {subjects} +@all");
    let server = Server::start(Kind::Redis, &acl, &log).await;
    server.refuses_one_topic().await;
}

async fn what_another_client_of_redis_publishes_is_a_message_like_any_other(log: Log) {
    let server = Server::start(Kind::Redis, "", &log).await;
    let (from, mut to) = (server.node().await, server.node().await);
    to.subscribe("news").await;
    let subject = to.direct.subject("news").to_string();
    for garbage in ["", "\r\n>3\r\n$7\r\nmessage\r\n", "garbage \u{1f600}"] {
        server.redis_cli(&["publish", &subject, garbage]).await;
        assert_eq!(to.hear().await, garbage);
    }
    meets(&from, &mut to, "news").await;
    assert_eq!(to.status().outages, 0);
}

async fn redis_that_drops_all_clients_has_them_back(log: Log) {
    let server = Server::start(Kind::Redis, "", &log).await;
    let (from, mut to) = (server.node().await, server.node().await);
    to.subscribe("news").await;
    for outages in 1..=3 {
        server.redis_cli(&["client", "kill", "type", "pubsub"]).await;
        to.loses(outages).await;
        assert!(from.is_up());
        meets(&from, &mut to, "news").await;
    }
}

async fn redis_that_is_busy_with_a_script_is_down_until_it_answers(log: Log) {
    // From then on, it answers `BUSY` to almost everything.
    let server = Server::start(Kind::Redis, "lua-time-limit 100", &log).await;
    let (from, mut to) = (server.node().await, server.node().await);
    to.subscribe("news").await;
    let script = async { server.redis_cli(&["eval", "while true do end", "0"]).await };
    let outage = async {
        // Both were connected before; the third one comes meanwhile.
        tokio::join!(from.loses(1), to.loses(1));
        let mut late = Node::start(server.bus());
        late.direct.subscribe("news");
        for node in [&from, &to, &late] {
            let says_so =
                |status: &BusStatus| status.cause.as_ref().is_some_and(|cause| cause.contains("BUSY"));
            node.reaches("the cause", says_so).await;
        }
        server.redis_cli(&["script", "kill"]).await;
        meets(&from, &mut to, "news").await;
        meets(&from, &mut late, "news").await;
    };
    tokio::join!(script, outage);
    assert_eq!((from.status().outages, to.status().outages), (1, 1));
}
