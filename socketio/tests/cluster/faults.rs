//! A bus that is down, split or slow.

use std::time::Duration;

use eio_socketio::cluster::bus::{BusState, Memory, NotPublished};
use eio_socketio::cluster::{Cluster, Incoming, NoAnswer};
use eio_socketio::{JoinClusterError, Namespace};

use crate::support::{Client, Nodes, build, settle};

fn nothing() -> Namespace {
    Namespace::new()
}

#[tokio::test(start_paused = true)]
async fn while_the_bus_is_down_local_work_goes_on_and_what_is_lost_is_counted() {
    let nodes = Nodes::of(nothing).await;
    let (mut a, mut b) = (nodes.join(0).await, nodes.join(1).await);
    let lost = || nodes.node(0).cluster().unwrap().status().bus.lost;
    nodes.bus.cut("a");
    settle().await;
    let before = lost();
    for number in 0..10 {
        assert_eq!(nodes.node(0).emit("e", number).unwrap().sent, 1);
        a.expect(&format!(r#"2["e",{number}]"#)).await;
    }
    assert_eq!(lost(), before + 10);
    nodes.node(1).emit("e", ()).unwrap();
    b.expect(r#"2["e"]"#).await;
    a.expect_nothing().await;
    // Rooms that are joined meanwhile are heard as soon as the bus is back.
    nodes.node(0).of("/").join("x");
    nodes.bus.mend("a");
    nodes.node(0).cluster().unwrap().connected().await;
    settle().await;
    nodes.node(1).to("x").emit("back", ()).unwrap();
    a.expect(r#"2["back"]"#).await;
    b.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_begins_without_its_bus() {
    let bus = Memory::new();
    bus.cut("a");
    let server = build("a", |builder| builder.namespace("/", nothing()));
    let cluster = Cluster::builder(server.engine(), bus.end("a")).join().unwrap();
    server.join_cluster(&cluster).unwrap();
    settle().await;
    let mut client = Client::join(&server, "/", "").await;
    server.emit("e", ()).unwrap();
    client.expect(r#"2["e"]"#).await;
    assert!(!matches!(cluster.status().bus.state, BusState::Up));
    // Others may be missing, so it does not claim that this is all.
    let fetched = server.of("/").fetch_sockets().await;
    let [missing] = &fetched.missing[..] else { panic!("{:?}", fetched.missing) };
    let refused = NoAnswer::NotPublished(NotPublished::Down);
    assert_eq!((fetched.found.len(), &*missing.node, missing.reason), (1, "a", refused));
    let mut answers = server.of("/").emit_with_ack::<u8>("how?", ()).unwrap();
    let id = client
        .next()
        .await
        .strip_prefix('2')
        .and_then(|rest| rest.strip_suffix(r#"["how?"]"#))
        .unwrap()
        .to_owned();
    client.send(&format!("3{id}[1]")).await;
    assert_eq!(answers.all().await.len(), 1);
    assert_eq!(answers.missing(), fetched.missing);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_split_is_two_and_one_again_when_it_is_healed() {
    let nodes = Nodes::of(nothing).await;
    let mut clients = [nodes.join(0).await, nodes.join(1).await, nodes.join(2).await];
    nodes.bus.split(&[&["a", "b"], &["c"]]);
    nodes.node(0).emit("e", 1).unwrap();
    nodes.node(2).emit("e", 2).unwrap();
    clients[0].expect(r#"2["e",1]"#).await;
    clients[1].expect(r#"2["e",1]"#).await;
    clients[2].expect(r#"2["e",2]"#).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(nodes.node(0).of("/").fetch_sockets().await.found.len(), 2);
    assert_eq!(nodes.node(2).of("/").fetch_sockets().await.found.len(), 1);
    nodes.bus.heal();
    tokio::time::sleep(Duration::from_secs(10)).await;
    nodes.node(2).emit("e", 3).unwrap();
    for client in &mut clients {
        client.expect(r#"2["e",3]"#).await;
        client.expect_nothing().await;
    }
    let fetched = nodes.node(2).of("/").fetch_sockets().await;
    assert_eq!((fetched.found.len(), fetched.missing.len()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_slow_bus_delays_what_others_send_and_keeps_its_order() {
    let nodes = Nodes::of(nothing).await;
    let (mut a, mut b) = (nodes.join(0).await, nodes.join(1).await);
    nodes.bus.slow("b", Duration::from_secs(3));
    for number in 0..5 {
        nodes.node(0).emit("e", number).unwrap();
    }
    a.expect(r#"2["e",0]"#).await;
    b.expect_nothing().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    for number in 0..5 {
        b.expect(&format!(r#"2["e",{number}]"#)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn sockets_that_end_while_a_message_is_under_way_are_passed_over() {
    let nodes = Nodes::of(nothing).await;
    let mut stays = nodes.join(1).await;
    let mut goes = nodes.join(1).await;
    nodes.bus.slow("b", Duration::from_secs(1));
    nodes.node(0).emit("e", ()).unwrap();
    nodes.node(0).to(&goes.id).disconnect();
    nodes.node(1).of("/").to(&goes.id).disconnect();
    goes.expect("1").await;
    stays.expect(r#"2["e"]"#).await;
    goes.expect_nothing().await;
    stays.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_of_another_version_is_refused_in_words_and_not_answered_by_nothing() {
    let nodes = Nodes::of(nothing).await;
    let other = build("d", |builder| builder.namespace("/", nothing()));
    let cluster = Cluster::builder(other.engine(), nodes.bus.end("d")).join().unwrap();
    cluster.connected().await;
    settle().await;
    let channel = cluster.channel("socketio", |_: Incoming<'_>| {}).unwrap();
    let mut responses = channel.ask("a", b"\xff", Duration::from_secs(1));
    assert_eq!(responses.next().await.unwrap().part, Err(NoAnswer::NoService));
    assert_eq!((responses.next().await, nodes.node(0).refused_from_nodes()), (None, 1));
}

#[tokio::test(start_paused = true)]
async fn a_server_joins_its_own_cluster_once() {
    let bus = Memory::new();
    let [a, b] = ["a", "b"].map(|name| build(name, |builder| builder.namespace("/", nothing())));
    let [of_a, of_b] = [("a", &a), ("b", &b)]
        .map(|(name, server)| Cluster::builder(server.engine(), bus.end(name)).join().unwrap());
    let error = a.join_cluster(&of_b).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"the cluster is that of the node "b": expected the server's own, Some("a")"#
    );
    a.join_cluster(&of_a).unwrap();
    assert_eq!(a.join_cluster(&of_a), Err(JoinClusterError::Twice));
    b.join_cluster(&of_b).unwrap();
    // Sockets that were there before hear the others, too.
    let c = build("c", |builder| builder.namespace("/", nothing()));
    let mut client = Client::join(&c, "/", "").await;
    c.of("/").join("x");
    let of_c = Cluster::builder(c.engine(), bus.end("c")).join().unwrap();
    c.join_cluster(&of_c).unwrap();
    of_c.connected().await;
    settle().await;
    a.to("x").emit("e", ()).unwrap();
    client.expect(r#"2["e"]"#).await;
}
