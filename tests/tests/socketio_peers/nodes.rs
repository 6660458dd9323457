//! Two nodes that act as one: who gets what is sent on the other node, and who answers.

use eio_socketio::cluster::Cluster;
use eio_socketio::cluster::bus::Memory;
use eio_socketio::{Audience, Socket};
use eio_tests::interop::{Case, Log, soon};
use serde_json::json;

use crate::client::Client;
use crate::peer::Peer;
use crate::server::TestServer;

pub(crate) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case("a room spans two nodes, and what is sent reaches exactly its sockets", audiences));
    cases.push(
        peer.case("sockets of two nodes acknowledge an event, are found, moved and disconnected", asked),
    );
}

/// Two nodes on one bus.
async fn nodes(log: &Log) -> [TestServer; 2] {
    let bus = Memory::new();
    let mut nodes = Vec::new();
    for name in ["a7", "b2"] {
        let node =
            TestServer::start_with(log, |builder| builder.engine(move |engine| engine.node(name))).await;
        let cluster = Cluster::builder(node.server.engine(), bus.end(name)).join().expect("it has a name");
        node.server.join_cluster(&cluster).expect("it is its own");
        soon("the bus", cluster.connected()).await;
        nodes.push(node);
    }
    nodes.try_into().unwrap_or_else(|_| panic!("two"))
}

/// Four clients, two on each node: the first and the third are in `red`, the fourth in `blue`, and the second in none.
async fn four(peer: Peer, nodes: &[TestServer; 2], log: &Log) -> (Vec<Client>, [Socket; 4]) {
    let (mut clients, mut sockets) = (Vec::new(), Vec::new());
    for (number, rooms) in [&["red"][..], &[], &["red"], &["blue"]].into_iter().enumerate() {
        let node = &nodes[number / 2];
        let mut client = peer.join(node, log).await;
        sockets.push(node.joined().await);
        assert_eq!(client.call("join", &json!(rooms)).await, json!([rooms.len()]));
        clients.push(client);
    }
    (clients, sockets.try_into().expect("four"))
}

async fn audiences(peer: Peer, log: Log) {
    type Choose = fn(&[TestServer; 2], &[Socket; 4]) -> Audience;
    let table: [(Choose, &[usize]); 9] = [
        (|nodes, _| nodes[0].server.of("/"), &[0, 1, 2, 3]),
        (|nodes, _| nodes[1].server.to("red"), &[0, 2]),
        (|nodes, _| nodes[0].server.to("blue"), &[3]),
        (|nodes, _| nodes[1].server.to("red").to("blue"), &[0, 2, 3]),
        (|nodes, _| nodes[0].server.of("/").except("red"), &[1, 3]),
        (|nodes, sockets| nodes[0].server.to(sockets[3].id()), &[3]),
        (|_, sockets| sockets[2].to("red"), &[0]),
        (|_, sockets| sockets[0].broadcast(), &[1, 2, 3]),
        (|nodes, _| nodes[1].server.of("/").local(), &[2, 3]),
    ];
    let nodes = nodes(&log).await;
    let (mut clients, sockets) = four(peer, &nodes, &log).await;
    // A question and its answer come behind what the nodes have said to the bus before: that they hear these rooms.
    let rooms = soon("the rooms", nodes[0].server.of("/").fetch_rooms()).await.found;
    assert_eq!(rooms, [("blue".to_owned(), 1), ("red".to_owned(), 2)]);
    for (row, (choose, _)) in table.iter().enumerate() {
        choose(&nodes, &sockets).emit("news", (row, "é😀")).expect("it can be written");
    }
    for node in &nodes {
        node.server.emit("end", ()).expect("it can be written");
    }
    for (number, client) in clients.iter_mut().enumerate() {
        let (mut rows, mut ends) = (Vec::new(), 0);
        while ends < 2 {
            let (name, args) = client.event().await;
            if name == "end" { ends += 1 } else { rows.push(args) }
        }
        // Those of one node are in order, and those of two in any.
        rows.sort_by_key(|args| args[0][0].as_u64());
        let expected: Vec<_> = (0..table.len())
            .filter(|row| table[*row].1.contains(&number))
            .map(|row| json!([[row, "é😀"]]))
            .collect();
        assert_eq!(rows, expected, "client {number}");
    }
}

async fn asked(peer: Peer, log: Log) {
    let nodes = nodes(&log).await;
    let (mut clients, sockets) = four(peer, &nodes, &log).await;
    let asking = nodes[1].server.of("/").emit_with_ack::<u32>("how many?", 7);
    let mut answers = asking.expect("it can be written");
    let all = soon("all answers", Box::pin(answers.all())).await;
    assert!(answers.missing().is_empty() && all.iter().all(|(_, answer)| *answer == Ok(7)), "{all:?}");
    let mut ids: Vec<_> = all.iter().map(|(responder, _)| responder.id()).collect();
    let mut known: Vec<_> = sockets.iter().map(Socket::id).collect();
    ids.sort_unstable();
    known.sort_unstable();
    assert_eq!(ids, known);
    let found = soon("all sockets", nodes[0].server.to("red").fetch_sockets()).await.found;
    let mut found: Vec<_> = found.iter().map(|socket| (socket.node.as_deref(), &socket.id)).collect();
    found.sort_unstable();
    assert_eq!(found, [(Some("a7"), sockets[0].id()), (Some("b2"), sockets[2].id())]);
    nodes[0].server.to(sockets[3].id()).join("green");
    nodes[0].server.to("green").disconnect();
    for client in &mut clients[3..] {
        assert_eq!(client.event().await.0, "how many?");
        client.disconnected().await;
    }
}
