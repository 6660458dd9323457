//! Nodes that find each other over the bus, and a bus that fails.

use core::time::Duration;

use eio_cluster::Cluster;
use eio_cluster::bus::Memory;
use eio_cluster::forward::Directory as _;
use tokio::time::Instant;

use crate::support::{I, Way, World, ask, get, ms, open};

/// Longer than a node that is not heard counts as one that lives.
const SILENT: Duration = Duration::from_secs(30);

/// Two nodes on this bus.
async fn nodes(bus: &Memory) -> World {
    let join = |server: &_, name: &str| {
        let builder = Cluster::builder(server, bus.end(name)).address(format!("http://{name}"));
        let cluster = builder.join().unwrap();
        move |node: &str| cluster.address(node)
    };
    let world = World::found_by(join, |builder| builder, |builder| builder);
    for node in [&world.a, &world.b] {
        Cluster::of(&node.server).unwrap().connected().await;
    }
    tokio::time::sleep(ms(1)).await;
    world
}

#[tokio::test(start_paused = true)]
async fn sessions_of_a_node_that_has_lost_its_bus_live_on() {
    for way in Way::BOTH {
        let bus = Memory::new();
        let world = nodes(&bus).await;
        let (mut socket, _) = world.connect(way).await;
        bus.cut("a7");
        for number in 0..20 {
            tokio::time::sleep(SILENT).await;
            let text = format!("{number}");
            socket.send(text.as_str()).await.unwrap();
            assert_eq!(socket.recv().await.unwrap(), text.as_str().into(), "{way:?}");
        }
        assert_eq!(
            Cluster::of(&world.b.server).unwrap().nodes().len(),
            1,
            "it is gone for what the bus is for"
        );
        bus.mend("a7");
        tokio::time::sleep(SILENT).await;
        socket.send("back").await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), "back".into());
        assert_eq!(world.b.forwarder.counts().failed, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn clients_of_a_node_that_has_died_are_told_by_one_connection_that_is_refused() {
    let bus = Memory::new();
    let world = nodes(&bus).await;
    let link = world.link();
    let sid = open(&link).await;
    bus.cut("a7");
    world.a.kill();
    tokio::time::sleep(SILENT.min(I)).await;
    let asked = Instant::now();
    let (status, _, body) = ask(&link, &get(&format!("polling&sid={sid}"))).await;
    assert_eq!((status, body.as_str()), (400, r#"{"code":1,"message":"Session ID unknown"}"#));
    assert_eq!((asked.elapsed(), world.b.forwarder.counts().failed), (ms(0), 1));
}
