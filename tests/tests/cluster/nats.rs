//! What only NATS has.

use eio_tests::interop::{Case, Log, soon};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::cases;
use crate::servers::{Kind, Node, Server, bus, meets};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        of_several_servers_of_nats_one_that_lives_is_found,
        nats_has_users_and_tokens_and_refuses_others,
        nats_with_permissions_refuses_a_topic_and_keeps_the_others,
        nats_with_a_small_max_payload_stays_connected,
        nats_with_few_subscriptions_refuses_those_above_and_keeps_the_others,
        what_another_client_of_nats_says_is_a_message_like_any_other,
    ]
}

async fn of_several_servers_of_nats_one_that_lives_is_found(log: Log) {
    let server = Server::start(Kind::Nats, "", &log).await;
    let (gone, other) = (Server::prepare(Kind::Nats, "", &log), Server::prepare(Kind::Nats, "", &log));
    let urls = [gone.url_with(""), server.url_with(""), other.url_with("")];
    let node = Node::start(bus(Kind::Nats, &urls.each_ref().map(String::as_str)));
    soon("the bus", node.direct.up()).await;
    assert_eq!(node.status().outages, 0);
}

async fn nats_has_users_and_tokens_and_refuses_others(log: Log) {
    let users = "authorization { users: [{ user: \"ann\", password: \"pa:ss\" }] }";
    let server = Server::start(Kind::Nats, users, &log).await;
    let node = Node::start(server.bus_with("ann:pa%3Ass@"));
    soon("the bus", node.direct.up()).await;
    for wrong in ["ann:wrong@", "", "token@"] {
        let node = Node::start(server.bus_with(wrong));
        let cause = node.cause().await;
        assert!(cause.ends_with("the server says `Authorization Violation`"), "{cause}");
        assert!(!cause.contains("wrong"), "{cause}");
    }
    let server = Server::start(Kind::Nats, "authorization { token: \"secret\" }", &log).await;
    let node = Node::start(server.bus_with("secret@"));
    soon("the bus", node.direct.up()).await;
}

async fn nats_with_permissions_refuses_a_topic_and_keeps_the_others(log: Log) {
    let prepared = Server::prepare(Kind::Nats, "", &log);
    let forbidden = Node::start(prepared.bus()).direct.subject("forbidden");
    let users = format!(
        "authorization {{ users: [{{ user: ann, password: p, permissions: {{ subscribe: {{ allow: \"eio.>\", deny: \
         \"{forbidden}\" }}, publish: {{ allow: \"eio.>\", deny: \"{forbidden}\" }} }} }}] }}"
    );
    let server = Server::start(Kind::Nats, &users, &log).await;
    let to = server.refuses_one_topic().await;
    // What is refused is not asked for when it is not wanted any more.
    to.direct.unsubscribe("forbidden");
    assert_eq!(to.status().refused, 0);
}

async fn nats_with_a_small_max_payload_stays_connected(log: Log) {
    let server = Server::start(Kind::Nats, "max_payload: 1000", &log).await;
    let (from, mut to) = (server.node().await, server.node().await);
    to.subscribe("news").await;
    for size in [1_000, 1_001, 100_000, 999] {
        from.publish("news", vec![0; size]);
    }
    assert_eq!((to.hear().await.len(), to.hear().await.len()), (1_000, 999));
    assert_eq!((from.status().lost, from.status().outages), (2, 0));
}

async fn nats_with_few_subscriptions_refuses_those_above_and_keeps_the_others(log: Log) {
    let server = Server::start(Kind::Nats, "max_subscriptions: 2", &log).await;
    let (from, mut to) = (server.node().await, server.node().await);
    for topic in ["a", "b", "c"] {
        to.subscribe(topic).await;
    }
    assert_eq!((to.status().subscriptions, to.status().refused), (3, 1));
    to.direct.unsubscribe("a");
    to.direct.unsubscribe("c");
    to.subscribe("c").await;
    assert_eq!((to.status().subscriptions, to.status().refused), (2, 0));
    for topic in ["a", "c", "b"] {
        from.publish(topic, topic.to_owned());
    }
    assert_eq!((to.hear().await, to.hear().await), ("c".into(), "b".into()));
    assert_eq!(to.status().outages, 0);
}

/// With headers, with a subject for answers, and in the middle of a line.
async fn what_another_client_of_nats_says_is_a_message_like_any_other(log: Log) {
    let server = Server::start(Kind::Nats, "", &log).await;
    let (from, mut to) = (server.node().await, server.node().await);
    to.subscribe("news").await;
    let subject = to.direct.subject("news");
    let mut other = TcpStream::connect(("127.0.0.1", server.port)).await.expect("it listens");
    let lines = format!(
        "CONNECT {{\"verbose\":false,\"headers\":true}}\r\nPUB {subject} answer.to 3\r\nabc\r\n\
         HPUB {subject} 20 22\r\nNATS/1.0\r\nA: bcd\r\n\r\nhi\r\nPUB {subject} 6\r\n\r\nMSG \r\nPING\r\n"
    );
    other.write_all(lines.as_bytes()).await.expect("it listens");
    let mut answers = vec![0; 4_096];
    let _ = other.read(&mut answers).await.expect("it answers");
    assert_eq!(to.hear().await, "abc");
    assert_eq!(to.hear().await, "hi");
    assert_eq!(to.hear().await, "\r\nMSG ");
    meets(&from, &mut to, "news").await;
    assert_eq!(to.status().outages, 0);
}
