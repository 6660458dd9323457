//! Who is there, and when a node is gone.

use std::time::Duration;

use eio_cluster::bus::Memory;
use eio_cluster::{Cluster, JoinError, NodeState};
use eio_tokio::Server;
use tokio::time::Instant;

use crate::support::{BOUND, nodes, settle, sleep, start, there};

fn up(name: &str) -> (String, NodeState) {
    (name.to_owned(), NodeState::Up)
}

#[tokio::test(start_paused = true)]
async fn nodes_know_of_each_other_at_once_and_for_hours() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let server = Server::builder(|_socket| async {}).node("c").build().unwrap();
    let c = Cluster::builder(&server, bus.end("c")).address("http://10.0.0.3:3000").join().unwrap();
    settle().await;
    for node in [&a, &b, &c] {
        assert_eq!(there(node), [up("a"), up("b"), up("c")]);
        assert_eq!(node.nodes()[2].address.as_deref(), Some("http://10.0.0.3:3000"));
    }
    let seen = a.nodes_changed(0).await;
    tokio::select! {
        _ = a.nodes_changed(seen) => panic!("nothing has changed: {:?}", there(&a)),
        () = sleep(Duration::from_hours(2)) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_dies_without_a_word_is_gone_at_its_bound_and_not_before() {
    let bus = Memory::new();
    let [a, b, _c] = nodes(&bus, ["a", "b", "c"]).await;
    // Anywhere between two beacons.
    sleep(Duration::from_millis(7_300)).await;
    bus.cut("c");
    let died = Instant::now();
    let spoke = died - a.nodes()[2].silent_for;
    let notices = async |node: &Cluster| {
        let seen = node.nodes_changed(0).await;
        assert_eq!(there(node), [up("a"), up("b"), up("c")]);
        node.nodes_changed(seen).await;
        assert_eq!(there(node), [up("a"), up("b")]);
        let late = spoke.elapsed().checked_sub(BOUND).expect("it was noticed too early");
        assert!(late <= Duration::from_millis(2), "{late:?} late");
    };
    tokio::join!(notices(&a), notices(&b));
}

#[tokio::test(start_paused = true)]
async fn one_lost_sign_of_life_makes_nobody_gone() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let seen = a.nodes_changed(0).await;
    for _ in 0..100 {
        // At every time of its interval: whichever sign falls into the gap is lost, and never two.
        sleep(Duration::from_millis(8_123)).await;
        bus.split(&[&["a"], &["b"]]);
        sleep(Duration::from_millis(3_900)).await;
        bus.heal();
        assert_eq!(there(&a), [up("a"), up("b")]);
    }
    assert_eq!(a.nodes_changed(0).await, seen);
    drop(b);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_leaves_is_gone_at_once_and_one_that_drains_is_not() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    b.drain();
    settle().await;
    assert_eq!(there(&a), [up("a"), ("b".to_owned(), NodeState::Draining)]);
    assert_eq!(there(&b), [up("a"), ("b".to_owned(), NodeState::Draining)]);
    b.leave().await;
    settle().await;
    assert_eq!(there(&a), [up("a")]);
    drop(a);
    let late = start(&bus, "c");
    settle().await;
    assert_eq!(there(&late), [up("c")], "dropping the last handle is to leave");
}

#[tokio::test(start_paused = true)]
async fn split_nodes_lose_each_other_and_find_each_other_when_it_is_healed() {
    let bus = Memory::new();
    let [a, b, c] = nodes(&bus, ["a", "b", "c"]).await;
    bus.split(&[&["a", "b"], &["c"]]);
    sleep(Duration::from_mins(1)).await;
    assert_eq!((there(&a), there(&b)), (vec![up("a"), up("b")], vec![up("a"), up("b")]));
    assert_eq!(there(&c), [up("c")]);
    bus.heal();
    sleep(Duration::from_secs(5)).await;
    for node in [&a, &b, &c] {
        assert_eq!(there(node), [up("a"), up("b"), up("c")]);
        assert!(node.status().names_twice.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_back_under_its_name_replaces_itself_at_once() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let before = a.nodes()[1].incarnation;
    // It dies without a word, and is back before anybody notices.
    bus.split(&[&["a"], &["b"]]);
    drop(b);
    settle().await;
    bus.heal();
    let b = start(&bus, "b");
    settle().await;
    assert_eq!((there(&a), there(&b)), (vec![up("a"), up("b")], vec![up("a"), up("b")]));
    assert_ne!(a.nodes()[1].incarnation, before);
    sleep(Duration::from_mins(1)).await;
    assert!(a.status().names_twice.is_empty());
}

#[tokio::test(start_paused = true)]
async fn two_nodes_of_one_name_are_reported_by_all_until_one_leaves() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    // An end of another name: two that run on one end would share what comes.
    let server = Server::builder(|_socket| async {}).node("b").build().unwrap();
    let twin = Cluster::builder(&server, bus.end("twin")).join().unwrap();
    sleep(Duration::from_secs(6)).await;
    for node in [&a, &b, &twin] {
        assert_eq!(node.status().names_twice, [std::sync::Arc::<str>::from("b")]);
        assert_eq!(there(node), [up("a"), up("b"), up("b")]);
    }
    twin.leave().await;
    settle().await;
    assert!(a.status().names_twice.is_empty() && b.status().names_twice.is_empty());
    assert_eq!(there(&a), [up("a"), up("b")]);
}

#[tokio::test(start_paused = true)]
async fn a_server_joins_only_with_a_name_and_with_settings_that_fit() {
    let bus = Memory::new();
    let server = |name: Option<&str>| {
        let builder = Server::builder(|_socket| async {});
        name.map_or(builder, |name| Server::builder(|_socket| async {}).node(name)).build().unwrap()
    };
    let nameless = Cluster::builder(&server(None), bus.end("a")).join().unwrap_err();
    assert_eq!(nameless, JoinError::NoName);
    let builder = || Cluster::builder(&server(Some("a")), bus.end("a"));
    let refused = [
        builder().prefix("a.b").join().unwrap_err().to_string(),
        builder().interval(Duration::ZERO).join().unwrap_err().to_string(),
        builder().address("x".repeat(256)).join().unwrap_err().to_string(),
    ];
    let begins = [
        "the prefix \"a.b\" has",
        "the interval and the timeout of nodes: ",
        "the address of the node has 256",
    ];
    for (refused, begins) in refused.iter().zip(begins) {
        assert!(refused.starts_with(begins), "{refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn clusters_of_different_prefixes_do_not_hear_each_other() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let server = Server::builder(|_socket| async {}).node("a").build().unwrap();
    let other = Cluster::builder(&server, bus.end("other")).prefix("staging").join().unwrap();
    sleep(Duration::from_mins(1)).await;
    assert_eq!((there(&a).len(), there(&b).len(), there(&other).len()), (2, 2, 1));
}
