//! What holds for a bus over any server.

use core::time::Duration;

use eio_cluster::bus::{Bus, BusState, Nats, NotPublished, Redis};
use eio_cluster::bytes::Bytes;
use eio_tests::interop::{Case, Identity, LATE, Log, soon};
use tokio::time::Instant;

use crate::servers::{Gate, Kind, Node, Server, bus, meets};

/// A server that is silent for longer counts as lost.
const BOUND: Duration = Duration::from_secs(5);

pub(crate) fn cases() -> Vec<Case> {
    [Kind::Redis, Kind::Nats].into_iter().flat_map(cases_with).collect()
}

fn cases_with(kind: Kind) -> Vec<Case> {
    macro_rules! cases {
        ($($case:ident),* $(,)?) => {
            vec![$(Case::new(
                format!("{kind:?}: {}", stringify!($case).replace('_', " ")),
                move |log| Box::pin($case(kind, log)),
            )),*]
        };
    }
    cases![
        a_hundred_thousand_topics_are_subscribed_and_subscribed_again,
        a_server_that_stands_still_is_noticed_within_the_bound,
        a_hundred_thousand_messages_come_in_order_over_all_topics,
        messages_of_all_sizes_come_as_they_are,
        a_server_that_is_down_at_first_is_found_when_it_is_there,
        a_server_that_is_killed_and_back_has_all_subscriptions_again,
        what_no_server_answers_is_a_cause_and_no_haste,
        a_node_that_reads_too_slowly_is_dropped_and_comes_back,
        over_tls_only_servers_of_a_known_authority_are_accepted,
        when_the_node_leaves_what_it_said_last_still_arrives,
    ]
}

async fn messages_of_all_sizes_come_as_they_are(kind: Kind, log: Log) {
    let server = Server::start(kind, "", &log).await;
    let (from, mut to) = (server.node().await, server.node().await);
    to.subscribe("sizes").await;
    for size in [0, 1, 2, 127, 128, 4_095, 16_383, 16_384, 16_385, 65_536, 262_144, 999_999, 1_000_000] {
        let payload: Bytes = (0u8..=250).cycle().take(size).collect::<Vec<_>>().into();
        from.publish("sizes", payload.clone());
        assert!(to.hear().await == payload, "of {size} bytes");
    }
    let above = vec![0; 1_000_001].into();
    let refused = NotPublished::TooLong { len: 1_000_001, max: 1_000_000 };
    assert_eq!(from.direct.publish("sizes", above), Err(refused));
    to.direct.unsubscribe("sizes");
    to.subscribe("others").await;
    from.publish("sizes", "unwanted");
    from.publish("others", "wanted");
    assert_eq!(to.hear().await, "wanted");
    assert_eq!((from.status().lost, from.status().published), (1, 15));
}

async fn a_hundred_thousand_messages_come_in_order_over_all_topics(kind: Kind, log: Log) {
    const COUNT: u32 = 100_000;
    let server = Server::start(kind, "", &log).await;
    let (from, mut to) = (server.node().await, server.node().await);
    let topics: Vec<_> = (0..10).map(|number| format!("topic {number}")).collect();
    for topic in &topics {
        to.subscribe(topic).await;
    }
    let start = Instant::now();
    let sending = async {
        for number in 0..COUNT {
            let topic = &topics[number as usize % topics.len()];
            while from.direct.publish(topic, number.to_be_bytes().to_vec().into()).is_err() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    let receiving = async {
        for number in 0..COUNT {
            let heard = to.hear().await;
            assert_eq!(u32::from_be_bytes(heard[..].try_into().expect("four bytes")), number);
        }
    };
    tokio::join!(sending, receiving);
    log.line("test", &format!("{COUNT} messages in {:?}", start.elapsed()));
    assert_eq!((from.status().published, to.status().received), (COUNT.into(), COUNT.into()));
}

async fn a_server_that_is_down_at_first_is_found_when_it_is_there(kind: Kind, log: Log) {
    let mut server = Server::prepare(kind, "", &log);
    let (from, mut to) = (Node::start(server.bus()), Node::start(server.bus()));
    to.direct.subscribe("news");
    let cause = to.cause().await;
    assert!(cause.contains(&server.port.to_string()) && cause.contains("refused"), "{cause}");
    assert_eq!(from.direct.publish("news", "lost".into()), Err(NotPublished::Down));
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.restart().await;
    soon("the subscription", to.direct.subscribed("news")).await;
    soon("the bus", from.direct.up()).await;
    from.publish("news", "hello");
    assert_eq!(to.hear().await, "hello");
    assert_eq!((to.status().outages, to.status().cause), (0, None));
}

async fn a_server_that_is_killed_and_back_has_all_subscriptions_again(kind: Kind, log: Log) {
    let mut server = Server::start(kind, "", &log).await;
    let (from, mut to) = (server.node().await, server.node().await);
    for topic in ["a", "b", "c"] {
        to.subscribe(topic).await;
    }
    from.publish("a", "before");
    assert_eq!(to.hear().await, "before");
    server.kill().await;
    tokio::join!(from.loses(1), to.loses(1));
    assert_eq!(from.direct.publish("a", "lost".into()), Err(NotPublished::Down));
    // Changes while it is gone count, too.
    to.direct.unsubscribe("b");
    to.direct.subscribe("d");
    server.restart().await;
    for topic in ["a", "c", "d"] {
        meets(&from, &mut to, topic).await;
    }
    from.publish("b", "unwanted");
    from.publish("a", "after");
    assert_eq!(to.hear().await, "after");
    assert_eq!((to.status().outages, to.status().subscriptions), (1, 3));
    assert!(from.status().lost >= 1);
}

async fn a_server_that_stands_still_is_noticed_within_the_bound(kind: Kind, log: Log) {
    let server = Server::start(kind, "", &log).await;
    let (from, mut to) = (server.node().await, server.node().await);
    to.subscribe("news").await;
    from.publish("news", "before");
    assert_eq!(to.hear().await, "before");
    server.signal("STOP");
    let stopped = Instant::now();
    // The queue takes what fits, and whoever publishes never waits.
    let payload = Bytes::from(vec![0; 100_000]);
    let refused = (0..1_000).filter(|_| from.direct.publish("news", payload.clone()).is_err()).count();
    assert!(refused > 800, "{refused}");
    assert!(from.status().queued <= 8 * 1024 * 1024);
    assert!(stopped.elapsed() < LATE);
    tokio::join!(from.loses(1), to.loses(1));
    assert!(stopped.elapsed() < BOUND + LATE, "{:?}", stopped.elapsed());
    assert!(to.cause().await.contains("silent for 5s"), "{:?}", to.status());
    assert!(from.status().lost >= 990, "{:?}", from.status());
    // New connections are accepted by the kernel, and answered by nobody.
    from.reaches("an attempt", |status| {
        status.cause.as_ref().is_some_and(|cause| cause.contains("no answer within"))
    })
    .await;
    server.signal("CONT");
    meets(&from, &mut to, "news").await;
    assert_eq!((from.status().outages, to.status().outages), (1, 1));
}

async fn a_hundred_thousand_topics_are_subscribed_and_subscribed_again(kind: Kind, log: Log) {
    const COUNT: usize = 100_000;
    let mut server = Server::start(kind, "", &log).await;
    let (from, mut to) = (server.node().await, server.node().await);
    let topics: Vec<_> = (0..COUNT).map(|number| format!("topic {number}")).collect();
    let all = async |what: &str, to: &Node| {
        let start = Instant::now();
        for topic in &topics {
            soon("a subscription", to.direct.subscribed(topic)).await;
        }
        log.line("test", &format!("{what}: {:?}", start.elapsed()));
    };
    for topic in &topics {
        to.direct.subscribe(topic);
    }
    all("subscribed", &to).await;
    server.kill().await;
    to.loses(1).await;
    server.restart().await;
    all("again", &to).await;
    soon("the bus", from.direct.up()).await;
    for topic in [&topics[0], &topics[COUNT / 2], &topics[COUNT - 1]] {
        meets(&from, &mut to, topic).await;
    }
    for topic in &topics {
        to.direct.unsubscribe(topic);
    }
    to.subscribe("last").await;
    from.publish(&topics[1], "unwanted");
    from.publish("last", "hello");
    assert_eq!(to.hear().await, "hello");
}

/// Something listens that is neither Redis nor NATS: a silent one, and one that speaks HTTP.
async fn what_no_server_answers_is_a_cause_and_no_haste(kind: Kind, _log: Log) {
    use tokio::io::AsyncWriteExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let scheme = if kind == Kind::Redis { "redis" } else { "nats" };
    let node = Node::start(bus(kind, &[&format!("{scheme}://127.0.0.1:{port}")]));
    let start = Instant::now();
    let (silent, _) = listener.accept().await.expect("a connection");
    assert!(node.cause().await.ends_with("no answer within 5s"), "{:?}", node.status());
    assert!((BOUND..BOUND + LATE).contains(&start.elapsed()), "{:?}", start.elapsed());
    drop(silent);
    let (mut http, _) = soon("another attempt", listener.accept()).await.expect("a connection");
    http.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("it listens");
    let status = node.reaches("another cause", |status| {
        status.cause.as_ref().is_some_and(|cause| !cause.ends_with("no answer within 5s"))
    });
    assert_eq!(status.await.state, BusState::Down);
}

async fn a_node_that_reads_too_slowly_is_dropped_and_comes_back(kind: Kind, log: Log) {
    let limits = match kind {
        Kind::Redis => "client-output-buffer-limit pubsub 2mb 1mb 1",
        Kind::Nats => "max_pending: 2MB\nwrite_deadline: \"1s\"",
    };
    let server = Server::start(kind, limits, &log).await;
    let from = server.node().await;
    let (gate, mut slow) = Gate::node(server.bus());
    slow.subscribe("news").await;
    let closed = gate.close().await;
    for _ in 0..200 {
        from.reaches("room", |status| status.queued < 1024 * 1024).await;
        from.publish("news", vec![0; 100_000]);
    }
    from.reaches("an empty queue", |status| status.queued == 0).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    drop(closed);
    slow.loses(1).await;
    meets(&from, &mut slow, "news").await;
    assert_eq!((slow.status().outages, from.status().outages), (1, 0));
    assert!(slow.status().received < from.status().published);
}

async fn over_tls_only_servers_of_a_known_authority_are_accepted(kind: Kind, log: Log) {
    let (scheme, config) = match kind {
        Kind::Redis => (
            "rediss",
            "port 0\ntls-port PORT\ntls-auth-clients no\ntls-ca-cert-file FOLDER/authority.pem\n\
             tls-cert-file FOLDER/own.pem\ntls-key-file FOLDER/key.pem",
        ),
        Kind::Nats => ("tls", "tls { cert_file: \"FOLDER/own.pem\", key_file: \"FOLDER/key.pem\" }"),
    };
    let identity = Identity::signed("localhost", |_| {});
    let mut server = Server::prepare(kind, config, &log);
    for (name, text) in [
        ("own.pem", &identity.certificate),
        ("key.pem", &identity.key),
        ("authority.pem", &identity.authority),
    ] {
        let _ = server.folder.write(name, text);
    }
    server.restart().await;
    let url = |host: &str| format!("{scheme}://{host}:{}", server.port);
    let trusting = |host: &str| -> Box<dyn Bus> {
        let (url, pem) = (url(host), identity.authority.as_bytes());
        match kind {
            Kind::Redis => Box::new(Redis::new([url]).unwrap().root_certificates_pem(pem).unwrap()),
            Kind::Nats => Box::new(Nats::new([url]).unwrap().root_certificates_pem(pem).unwrap()),
        }
    };
    let (from, mut to) = (Node::start(trusting("localhost")), Node::start(trusting("localhost")));
    soon("the bus", from.direct.up()).await;
    to.subscribe("news").await;
    for size in [1, 100_000, 1_000_000] {
        from.publish("news", vec![7; size]);
        assert_eq!(to.hear().await.len(), size);
    }
    let cause = Node::start(bus(kind, &[&url("localhost")])).cause().await;
    assert!(cause.contains("TLS: invalid peer certificate: UnknownIssuer"), "{cause}");
    let cause = Node::start(trusting("127.0.0.1")).cause().await;
    assert!(cause.contains("not valid for name"), "{cause}");
    // Without TLS, nobody is told anything.
    let cause = Node::start(server.bus()).cause().await;
    assert!(cause.contains("closed") || cause.contains("TLS") || cause.contains("reset"), "{cause}");
}

async fn when_the_node_leaves_what_it_said_last_still_arrives(kind: Kind, log: Log) {
    let server = Server::start(kind, "", &log).await;
    let (from, mut to) = (server.node().await, server.node().await);
    to.subscribe("news").await;
    for number in 0..1_000 {
        from.publish("news", number.to_string());
    }
    drop(from);
    for number in 0..1_000 {
        assert_eq!(to.hear().await, number.to_string());
    }
    assert!(to.is_up());
}
