//! Many sockets on three nodes.

use eio_socketio::Namespace;

use crate::support::{Client, Nodes, settle};

/// How many sockets there are.
const SOCKETS: usize = 5_000;

/// How many events came to a client.
async fn count(client: &mut Client) -> usize {
    let mut events = 0;
    while let Ok(received) = tokio::time::timeout(std::time::Duration::ZERO, client.engine.recv()).await {
        received.unwrap();
        events += 1;
    }
    events
}

#[tokio::test(start_paused = true)]
async fn five_thousand_sockets_get_each_event_once_and_each_node_what_concerns_it() {
    let nodes = Nodes::of(Namespace::new).await;
    let mut clients = Vec::new();
    for number in 0..SOCKETS {
        clients.push(nodes.join(number % 3).await);
    }
    // Rooms of one node, of two, of three; and of the hundreds of clients.
    for (node, server) in nodes.servers.iter().enumerate() {
        for (number, socket) in server.of("/").sockets().into_iter().enumerate() {
            socket.join(format!("only-{node}")).unwrap();
            if node < 2 {
                socket.join("two").unwrap();
            }
            if number < 100 {
                socket.join("few").unwrap();
            }
        }
    }
    settle().await;
    let (received, ()) = nodes
        .received(async {
            for _ in 0..10 {
                nodes.node(2).to("only-0").emit("e", ()).unwrap();
                nodes.node(2).to("two").emit("e", ()).unwrap();
                nodes.node(0).to("few").emit("e", ()).unwrap();
                nodes.node(1).to("nobody").emit("e", ()).unwrap();
            }
            nodes.node(1).emit("e", ()).unwrap();
        })
        .await;
    // Each of `only-0`, `two`, `few` and all; each of `two`, `few` and all; each of `few` and all.
    assert_eq!(received, [31, 21, 11]);
    let mut total = 0;
    for client in &mut clients {
        total += count(client).await;
    }
    let of_a = SOCKETS.div_ceil(3);
    let of_b = (SOCKETS + 1) / 3;
    assert_eq!(total, 10 * of_a + 10 * (of_a + of_b) + 10 * 300 + SOCKETS);
    let fetched = nodes.node(1).of("/").fetch_sockets().await;
    assert_eq!((fetched.found.len(), fetched.missing.len()), (SOCKETS, 0));
    let rooms = nodes.node(1).of("/").fetch_rooms().await.found;
    assert_eq!(rooms[0], ("few".to_owned(), 300));
}
