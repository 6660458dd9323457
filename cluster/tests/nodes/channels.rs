//! What reaches whom.

use std::sync::{Arc, OnceLock};

use eio_cluster::bus::{Memory, NotPublished};
use eio_cluster::{Channel, Emitter, Incoming, To};

use crate::support::{Heard, nodes, publish, settle};

#[tokio::test(start_paused = true)]
async fn a_message_reaches_the_nodes_that_listen_and_costs_the_others_nothing() {
    let bus = Memory::new();
    let [a, b, c] = nodes(&bus, ["a", "b", "c"]).await;
    let ((a, heard_a), (b, heard_b), (c, heard_c)) = (Heard::at(&a), Heard::at(&b), Heard::at(&c));
    b.listen("lobby");
    b.listening("lobby").await;
    let before = ["a", "b", "c"].map(|name| bus.received(name));
    let received = || {
        let now = ["a", "b", "c"].map(|name| bus.received(name));
        [now[0] - before[0], now[1] - before[1], now[2] - before[2]]
    };
    publish(&a, To::Topics(&["lobby"]), "1");
    settle().await;
    assert_eq!((received(), heard_b.take()), ([0, 1, 0], vec!["a: 1".to_owned()]));
    publish(&a, To::Topics(&["nobody"]), "2");
    publish(&a, To::Topics(&[]), "2");
    publish(&a, To::Node("c"), "3");
    settle().await;
    assert_eq!((received(), heard_c.take()), ([0, 1, 1], vec!["a: 3".to_owned()]));
    b.unlisten("lobby");
    c.listen("lobby");
    c.listening("lobby").await;
    settle().await;
    publish(&a, To::Topics(&["lobby"]), "4");
    settle().await;
    assert_eq!((received(), heard_c.take()), ([0, 1, 2], vec!["a: 4".to_owned()]));
    publish(&a, To::All, "5");
    settle().await;
    assert_eq!((heard_b.take(), heard_c.take()), (vec!["a: 5".to_owned()], vec!["a: 5".to_owned()]));
    assert!(heard_a.take().is_empty(), "a node serves its own sessions itself");
}

#[tokio::test(start_paused = true)]
async fn a_message_to_several_topics_is_taken_once_and_messages_keep_their_order() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let ((a, _), (b, heard)) = (Heard::at(&a), Heard::at(&b));
    let topics: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    for topic in &topics {
        b.listen(topic);
        b.listening(topic).await;
    }
    let mut expected = Vec::new();
    for number in 0..500_usize {
        let some: Vec<&str> = topics[number % 10..][..=number % 7].iter().map(|t| &**t).collect();
        publish(&a, To::Topics(&some), &number.to_string());
        expected.push(format!("a: {number}"));
    }
    settle().await;
    assert_eq!(heard.take(), expected);
    // The same holds for nodes and topics.
    publish(&a, To::Any { nodes: &["b", "z"], topics: &["1", "nobody", "2"] }, "any");
    publish(&a, To::Any { nodes: &["b"], topics: &[] }, "node");
    publish(&a, To::Any { nodes: &[], topics: &["1"] }, "topic");
    settle().await;
    assert_eq!(heard.take(), ["a: any", "a: node", "a: topic"]);
    // More topics than a message may name: it goes to all nodes, once.
    let many: Vec<String> = (0..1_001).map(|number| number.to_string()).collect();
    publish(&a, To::Topics(&many.iter().map(|topic| &**topic).collect::<Vec<_>>()), "many");
    settle().await;
    assert_eq!(heard.take(), ["a: many"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_copies_would_fill_the_queue_goes_to_every_node_once() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let ((ours, _), (b, heard)) = (Heard::at(&a), Heard::at(&b));
    b.listen("last");
    b.listening("last").await;
    settle().await;
    let before = (bus.received("b"), a.status().bus.lost);
    // Each copy names all of them, so these would be 20 MB.
    let names: Vec<String> = (0..900).map(|number| format!("the room of user {number:06}")).collect();
    let topics: Vec<&str> = names.iter().map(|name| &**name).chain(["last"]).collect();
    assert_eq!(ours.publish(To::Topics(&topics), b"many names"), Ok(()));
    let long = "x".repeat(900_000);
    assert_eq!(ours.publish(To::Any { nodes: &["b"], topics: &["last"] }, long.as_bytes()), Ok(()));
    settle().await;
    assert_eq!(heard.take(), ["a: many names".to_owned(), format!("a: {long}")]);
    assert_eq!((bus.received("b"), a.status().bus.lost), (before.0 + 2, before.1));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_is_counted_and_hears_the_next_message() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let (ours, _) = Heard::at(&a);
    let heard = Arc::new(std::sync::Mutex::new(0));
    let count = Arc::clone(&heard);
    let _theirs = b.channel("test", move |message: Incoming<'_>| {
        *count.lock().unwrap() += 1;
        assert_ne!(&message.payload[..], b"bad", "as the test wants it");
    });
    for text in ["good", "bad", "good"] {
        // A panic poisons no lock of the cluster, but it would poison this one if it were held.
        publish(&ours, To::All, text);
    }
    settle().await;
    assert_eq!((*heard.lock().unwrap(), b.status().panics, b.status().bus.outages), (3, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_publish_listen_and_ask_and_leave_its_own_channel() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let (ours, heard) = Heard::at(&a);
    let channel: Arc<OnceLock<Channel>> = Arc::default();
    let (own, cluster) = (Arc::clone(&channel), b.clone());
    let theirs = b.channel("test", move |message: Incoming<'_>| {
        let own = own.get().unwrap();
        own.listen("lobby");
        drop(own.request(b"?", core::time::Duration::from_secs(1)));
        own.publish(To::Node(message.from), b"answer").unwrap();
        assert_eq!(cluster.nodes().len(), 2);
        assert_eq!(cluster.status().bus.lost, 0);
    });
    channel.set(theirs.unwrap()).unwrap();
    publish(&ours, To::All, "?");
    settle().await;
    assert_eq!(heard.take(), ["b: ?", "b: answer"]);
    assert_eq!(b.status().panics, 0);
}

#[tokio::test(start_paused = true)]
async fn services_do_not_hear_each_other_and_end_with_their_channels() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let ((ours, _), (theirs, heard)) = (Heard::at(&a), Heard::at(&b));
    let other = a.channel("other", |_: Incoming<'_>| {}).unwrap();
    assert_eq!(
        a.channel("other", |_: Incoming<'_>| {}).unwrap_err().to_string(),
        "the service \"other\" has a channel already"
    );
    other.publish(To::All, b"not for them").unwrap();
    theirs.listen("lobby");
    theirs.listening("lobby").await;
    other.publish(To::Topics(&["lobby"]), b"nor this").unwrap();
    settle().await;
    assert!(heard.take().is_empty());
    let subscriptions = b.status().bus.subscriptions;
    drop(theirs);
    settle().await;
    assert_eq!(b.status().bus.subscriptions, subscriptions - 1);
    publish(&ours, To::All, "too late");
    drop(other);
    assert!(a.channel("other", |_: Incoming<'_>| {}).is_ok());
    settle().await;
    assert!(heard.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_waits_to_hear_a_topic_waits_no_longer_than_the_node_listens_to_it() {
    let bus = Memory::new();
    let [a, _b] = nodes(&bus, ["a", "b"]).await;
    let (channel, _) = Heard::at(&a);
    // The bus has not been asked for it, or it has been and does not answer.
    for is_asked in [false, true] {
        bus.slow("a", core::time::Duration::from_hours(1));
        channel.listen("lobby");
        if is_asked {
            settle().await;
        }
        let unlisten = async { channel.unlisten("lobby") };
        let both = async { tokio::join!(channel.listening("lobby"), unlisten) };
        tokio::time::timeout(core::time::Duration::from_secs(1), both).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_no_node_can_have_is_refused_before_it_is_a_subject() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let ((ours, _), (_theirs, heard)) = (Heard::at(&a), Heard::at(&b));
    for name in ["", "*", ">", "a.b", "a b", "nodes", "ä\r\n"] {
        assert_eq!(ours.publish(To::Node(name), b"x"), Err(NotPublished::InvalidNode), "{name:?}");
    }
    settle().await;
    assert!(heard.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_emitter_reaches_the_nodes_is_none_and_says_all_before_it_goes() {
    let bus = Memory::new();
    let [a, b] = nodes(&bus, ["a", "b"]).await;
    let ((_a, heard_a), (b, heard_b)) = (Heard::at(&a), Heard::at(&b));
    b.listen("lobby");
    b.listening("lobby").await;
    let emitter = Emitter::connect(bus.end("emitter"), "eio").unwrap();
    assert_eq!(emitter.publish("test", To::All, b"too early"), Err(NotPublished::Down));
    emitter.connected().await;
    emitter.publish("test", To::All, b"1").unwrap();
    emitter.publish("test", To::Topics(&["lobby", "bar"]), b"2").unwrap();
    emitter.close().await;
    settle().await;
    assert_eq!(
        (heard_a.take(), heard_b.take()),
        (vec![": 1".to_owned()], vec![": 1".to_owned(), ": 2".to_owned()])
    );
    assert_eq!((a.nodes().len(), bus.received("emitter"), emitter.status().lost), (2, 0, 1));
    assert_eq!(emitter.publish("test", To::All, b"too late"), Err(NotPublished::Down));
}
