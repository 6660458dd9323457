//! The bus is down at the start, lost, slow, and back.

use std::time::Duration;

use eio_cluster::bus::{BusState, Memory, NotPublished};
use eio_cluster::{Cluster, NodeState, To};
use eio_tokio::Server;

use crate::support::{BOUND, Heard, nodes, publish, settle, sleep, start, there};

#[tokio::test(start_paused = true)]
async fn a_node_starts_without_the_bus_and_joins_when_it_is_there() {
    let bus = Memory::new();
    bus.cut("a");
    let (a, b) = (start(&bus, "a"), start(&bus, "b"));
    let ((ours, heard), (theirs, _)) = (Heard::at(&a), Heard::at(&b));
    ours.listen("lobby");
    sleep(Duration::from_mins(1)).await;
    assert_eq!((there(&a).len(), there(&b).len()), (1, 1));
    assert_eq!(ours.publish(To::All, b"x"), Err(NotPublished::Down));
    let status = a.status().bus;
    assert_eq!((status.state, status.lost, status.outages), (BusState::Down, 1, 0));
    assert_eq!(status.cause.as_deref(), Some("the connection is cut"));
    bus.mend("a");
    a.connected().await;
    ours.listening("lobby").await;
    settle().await;
    assert_eq!((there(&a).len(), there(&b).len()), (2, 2));
    publish(&theirs, To::Topics(&["lobby"]), "welcome");
    settle().await;
    assert_eq!(heard.take(), ["b: welcome"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_bus_makes_nobody_gone_and_takes_no_memory() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let ((ours, heard), (theirs, _)) = (Heard::at(&a), Heard::at(&b));
    ours.listen("lobby");
    ours.listening("lobby").await;
    let seen = a.nodes_changed(0).await;
    bus.cut("a");
    settle().await;
    let unknown = [("a".to_owned(), NodeState::Up), ("b".to_owned(), NodeState::Unknown)];
    for _ in 0..100 {
        for number in 0..100 {
            publish(&ours, To::All, "into the void");
            ours.listen(&number.to_string());
            ours.unlisten(&number.to_string());
        }
        sleep(Duration::from_mins(1)).await;
        assert_eq!(there(&a), unknown);
    }
    let status = a.status().bus;
    assert_eq!((status.lost, status.queued, status.subscriptions), (10_000, 0, 3));
    assert_eq!(there(&b).len(), 1, "the other side does not hear it, and cannot know why");
    bus.mend("a");
    a.connected().await;
    settle().await;
    assert_eq!(there(&a), [("a".to_owned(), NodeState::Up), ("b".to_owned(), NodeState::Up)]);
    assert_eq!(a.nodes_changed(0).await, seen, "nobody came or went");
    publish(&theirs, To::Topics(&["lobby"]), "welcome");
    settle().await;
    assert_eq!(heard.take(), ["b: welcome"]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_died_during_an_outage_is_gone_a_whole_period_after_it() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    bus.cut("a");
    bus.cut("b");
    sleep(Duration::from_mins(1)).await;
    bus.mend("a");
    a.connected().await;
    let unknown = ("b".to_owned(), NodeState::Unknown);
    sleep(Duration::from_millis(9_990)).await;
    assert_eq!(there(&a)[1..], [unknown]);
    sleep(Duration::from_millis(20)).await;
    assert_eq!(there(&a).len(), 1);
    drop(b);
}

#[tokio::test(start_paused = true)]
async fn a_slow_bus_makes_nobody_gone_and_a_dead_node_later_by_its_delay() {
    let bus = Memory::new();
    let [a, _b] = nodes(&bus, ["a", "b"]).await;
    bus.slow("a", Duration::from_secs(3));
    sleep(Duration::from_mins(10)).await;
    assert_eq!(there(&a).len(), 2);
    bus.cut("b");
    sleep(BOUND + Duration::from_secs(3)).await;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(there(&a).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_said_too_fast_is_refused_and_the_node_still_says_that_it_lives() {
    let bus = Memory::new();
    let server = Server::builder(|_socket| async {}).node("a").build().unwrap();
    let a = Cluster::builder(&server, bus.end("a")).max_queued(10_000).max_message(1_000).join().unwrap();
    let b = start(&bus, "b");
    settle().await;
    let ((ours, _), (_theirs, heard)) = (Heard::at(&a), Heard::at(&b));
    assert!(matches!(ours.publish(To::All, &[0; 1_000]), Err(NotPublished::TooLong { max: 1_000, .. })));
    let mut refused = 0;
    for _ in 0..100 {
        // Nothing leaves the queue before this test waits for something.
        refused += u64::from(ours.publish(To::All, &[b'x'; 500]) == Err(NotPublished::Full));
    }
    a.drain();
    assert!(refused > 80 && a.status().bus.queued < 11_000, "{refused} {}", a.status().bus.queued);
    assert_eq!(a.status().bus.lost, refused + 1);
    settle().await;
    assert_eq!(heard.take().len() as u64, 100 - refused);
    assert_eq!(there(&b)[0], ("a".to_owned(), NodeState::Draining));
}
