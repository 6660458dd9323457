//! Messages to the sessions of all nodes.

use std::time::Duration;

use eio_cluster::bus::{Memory, NotPublished};
use eio_cluster::{Cluster, Emitter, NoAnswer, NotSent};
use eio_tokio::test_util::Network;
use eio_tokio::{Audience, Client, ClientSocket, Message, Server, Socket};

use crate::support::{settle, sleep};

/// A node whose clients say which groups they join and leave.
struct Site {
    cluster: Cluster,
    network: Network,
}

async fn obey(mut socket: Socket) {
    while let Ok(message) = socket.recv().await {
        match message.as_text().unwrap_or_default().split_once(' ') {
            Some(("join", group)) => socket.join(group),
            Some(("leave", group)) => socket.leave(group),
            _ => panic!("{message:?}"),
        };
        socket.send("done").await.unwrap();
    }
}

async fn sites<const N: usize>(bus: &Memory, names: [&str; N]) -> [Site; N] {
    let sites = names.map(|name| {
        let (network, server) = (Network::new(), Server::builder(obey).node(name).build().unwrap());
        let cluster = Cluster::builder(&server, bus.end(name)).join().unwrap();
        let listener = network.listen();
        tokio::spawn(async move { server.serve(listener).await });
        Site { cluster, network }
    });
    for site in &sites {
        site.cluster.connected().await;
    }
    settle().await;
    sites
}

impl Site {
    /// A client in these groups, which the other nodes can reach.
    async fn client(&self, groups: &[&str]) -> ClientSocket {
        let link = self.network.link();
        let mut client =
            Client::builder("http://node.test").link(&link).build().unwrap().connect().await.unwrap();
        for group in groups {
            wish(&mut client, &format!("join {group}")).await;
            self.cluster.heard(group).await;
        }
        client
    }
}

/// Has the client's application join or leave a group.
async fn wish(client: &mut ClientSocket, wish: &str) {
    client.send(wish).await.unwrap();
    assert_eq!(client.recv().await.unwrap(), "done".into());
}

/// What a client has received by now.
async fn received(client: &mut ClientSocket) -> Vec<Message> {
    let mut received = Vec::new();
    while let Ok(message) = tokio::time::timeout(Duration::from_millis(500), client.recv()).await {
        received.push(message.unwrap());
    }
    received
}

fn sid(client: &ClientSocket) -> String {
    client.handshake().sid().to_string()
}

#[tokio::test(start_paused = true)]
async fn a_group_reaches_its_members_on_all_nodes_once_each_and_in_order() {
    let bus = Memory::new();
    let [a, b, c] = sites(&bus, ["a", "b", "c"]).await;
    let mut ann = a.client(&["news", "sport"]).await;
    let mut bob = b.client(&["news", "sport"]).await;
    let mut ben = b.client(&["sport", "muted"]).await;
    let mut cid = c.client(&["other"]).await;
    let before = bus.received("c");
    let audience = Audience::group("news").and_group("sport").except_group("muted");
    for number in 0..10 {
        let sent = a.cluster.send_to(&audience, number.to_string());
        assert_eq!((sent.local.sent, sent.published), (1, Ok(())));
    }
    let expected: Vec<Message> = (0..10).map(|number: u32| number.to_string().into()).collect();
    assert_eq!((received(&mut ann).await, received(&mut bob).await), (expected.clone(), expected));
    assert_eq!((received(&mut ben).await, received(&mut cid).await), (vec![], vec![]));
    assert_eq!(bus.received("c"), before, "a node without members gets nothing");

    let except = Audience::all().except(sid(&bob).parse().unwrap());
    let batch = [Message::text("a picture"), Message::binary(vec![0xff; 3])];
    a.cluster.send_batch_to(&except, batch.clone());
    for client in [&mut ann, &mut ben, &mut cid] {
        assert_eq!(received(client).await, batch);
    }
    assert_eq!(received(&mut bob).await, []);
    assert_eq!(b.cluster.broadcast("all").local.sent, 2);
    assert_eq!((received(&mut ann).await.len(), received(&mut bob).await.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_node_listens_to_a_group_while_it_has_members_and_no_longer() {
    let bus = Memory::new();
    let [a, b] = sites(&bus, ["a", "b"]).await;
    let subscriptions = || b.cluster.status().bus.subscriptions;
    let own = subscriptions();
    let (mut bob, ben) = (b.client(&["news"]).await, b.client(&["news", "sport"]).await);
    assert_eq!(subscriptions(), own + 2);
    wish(&mut bob, "leave news").await;
    settle().await;
    assert_eq!(subscriptions(), own + 2);
    ben.close();
    ben.closed().await;
    settle().await;
    assert_eq!(subscriptions(), own);
    b.cluster.heard("news").await;
    assert_eq!(subscriptions(), own, "to wait for a group without members is not to listen");
    let before = bus.received("b");
    a.cluster.send_to(&Audience::group("news").and_group("sport"), "nobody");
    settle().await;
    assert_eq!(bus.received("b"), before);
}

#[tokio::test(start_paused = true)]
async fn one_session_is_reached_and_closed_from_any_node_and_by_an_emitter() {
    let bus = Memory::new();
    let [a, b] = sites(&bus, ["a", "b"]).await;
    let (mut ann, mut bob) = (a.client(&[]).await, b.client(&[]).await);
    for site in [&a, &b] {
        site.cluster.send(&sid(&ann), "ann").unwrap();
        site.cluster.send_batch(&sid(&bob), ["bob", "bob"]).unwrap();
    }
    assert_eq!(received(&mut ann).await, ["ann".into(), "ann".into()]);
    assert_eq!(received(&mut bob).await.len(), 4);
    let emitter = Emitter::connect(bus.end("emitter"), "eio").unwrap();
    emitter.connected().await;
    emitter.send(&sid(&ann), "night").unwrap();
    emitter.broadcast("all").unwrap();
    emitter.send_to(&Audience::group("nobody"), "nobody").unwrap();
    assert_eq!(received(&mut ann).await, ["night".into(), "all".into()]);
    assert_eq!(received(&mut bob).await, ["all".into()]);

    a.cluster.close(&sid(&bob)).unwrap();
    assert_eq!(bob.closed().await.reason.as_str(), "transport close");
    emitter.close_session(&sid(&ann)).unwrap();
    assert_eq!(ann.closed().await.reason.as_str(), "transport close");
    settle().await;
    assert_eq!(a.cluster.send(&sid(&ann), "late"), Err(NotSent::NoSession));
    assert_eq!(a.cluster.send(&sid(&bob), "late"), Ok(()), "whether it lives is not known here");
    for no_sid in ["", "b", "bb bb bb bb bb bb bb", "ä", "b.*>bbbbbbbbbbbbbbbb"] {
        assert_eq!(a.cluster.send(no_sid, "x"), Err(NotSent::NoSession), "{no_sid:?}");
        assert_eq!(emitter.close_session(no_sid), Err(NotSent::NoSession), "{no_sid:?}");
    }
    settle().await;
    assert_eq!((a.cluster.status().unreadable, b.cluster.status().unreadable), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn without_the_bus_a_node_serves_its_own_and_says_that_the_others_hear_nothing() {
    let bus = Memory::new();
    let [a, b] = sites(&bus, ["a", "b"]).await;
    let (mut ann, mut bob) = (a.client(&["news"]).await, b.client(&["news"]).await);
    bus.cut("a");
    settle().await;
    let sent = a.cluster.send_to(&Audience::group("news"), "alone");
    assert_eq!((sent.local.sent, sent.published), (1, Err(NotPublished::Down)));
    assert_eq!(a.cluster.send(&sid(&bob), "x"), Err(NotSent::NotPublished(NotPublished::Down)));
    assert_eq!(a.cluster.status().bus.lost, 2);
    sleep(Duration::from_mins(10)).await;
    assert_eq!((received(&mut ann).await, received(&mut bob).await), (vec!["alone".into()], vec![]));
    bus.mend("a");
    a.cluster.heard("news").await;
    settle().await;
    b.cluster.send_to(&Audience::group("news"), "back");
    assert_eq!(received(&mut ann).await, ["back".into()]);
    bus.cut("b");
    settle().await;
    let mut members = b.cluster.members("news", Duration::from_secs(1)).await;
    assert_eq!(members.found.len(), 1);
    members.missing.sort_by(|a, b| a.0.cmp(&b.0));
    let refused = NoAnswer::NotPublished(NotPublished::Down);
    assert_eq!(members.missing, [("a".into(), refused), ("b".into(), refused)]);
}

#[tokio::test(start_paused = true)]
async fn the_members_of_a_group_are_found_on_all_nodes_however_many_they_are() {
    let bus = Memory::new();
    let [a, b, _c] = sites(&bus, ["a", "b", "c"]).await;
    let ann = a.client(&["news"]).await;
    let long = "x".repeat(10_000);
    let mut bobs = Vec::new();
    for _ in 0..10 {
        bobs.push(b.client(&["news", &long]).await);
    }
    let members = a.cluster.members("news", Duration::from_secs(5)).await;
    assert_eq!(members.missing, []);
    let mut found: Vec<_> = members
        .found
        .iter()
        .map(|one| (one.node.to_string(), one.sid.to_string(), one.groups.clone()))
        .collect();
    let mut expected = vec![("a".to_owned(), sid(&ann), vec!["news".to_owned()])];
    expected.extend(bobs.iter().map(|bob| ("b".to_owned(), sid(bob), vec!["news".to_owned(), long.clone()])));
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(b.cluster.nodes().iter().map(|node| node.sessions).collect::<Vec<_>>(), [0, 10, 0]);
    // The next beacon tells how many sessions the other nodes have.
    sleep(Duration::from_secs(5)).await;
    assert_eq!(b.cluster.nodes().iter().map(|node| node.sessions).collect::<Vec<_>>(), [1, 10, 0]);
    assert!(a.cluster.members("nobody", Duration::from_secs(5)).await.found.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_application_finds_its_cluster_which_goes_with_its_last_handle() {
    let bus = Memory::new();
    let [a, b] = sites(&bus, ["a", "b"]).await;
    let server = a.cluster.server().clone();
    assert_eq!(Cluster::of(&server).unwrap().name(), "a");
    let channel = a.cluster.channel("test", |_: eio_cluster::Incoming<'_>| {}).unwrap();
    drop(a);
    settle().await;
    assert!(Cluster::of(&server).is_none());
    assert_eq!(b.cluster.nodes().len(), 2, "its channel keeps the node");
    drop(channel);
    settle().await;
    assert_eq!(b.cluster.nodes().len(), 1);
}
