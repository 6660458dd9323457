//! Clients that come back to a cluster after their connection broke.

use std::time::Duration;

use eio_socketio::{Data, JoinError, Namespace, Recovery, Server, Socket};

use crate::support::{Client, Nodes, settle};

async fn join(socket: Socket, Data(room): Data<String>) -> Result<(), JoinError> {
    socket.join(room).map(drop)
}

fn rooms() -> Namespace {
    Namespace::new().on("join", join)
}

async fn nodes() -> Nodes {
    Nodes::with(|builder| builder.namespace("/", rooms()).recovery(Recovery::new())).await
}

/// What a client of the reference remembers, and what it shows.
struct Known {
    client: Client,
    offset: Option<String>,
}

impl Known {
    async fn join(server: &Server) -> Self {
        Self { client: Client::join(server, "/", "").await, offset: None }
    }

    /// Loses the connection and comes back to a server. Returns whether it has got its socket back.
    async fn come_back(&mut self, server: &Server) -> bool {
        let pid = self.client.pid.clone().unwrap();
        let offset = self.offset.as_ref().map_or(String::new(), |offset| format!(r#","offset":"{offset}""#));
        let client = Client::join(server, "/", &format!(r#"{{"pid":"{pid}"{offset}}}"#)).await;
        let before = core::mem::replace(&mut self.client, client);
        let is_same = (self.client.id == before.id, self.client.pid == before.pid);
        assert_eq!(is_same.0, is_same.1);
        is_same.0
    }

    /// Loses the connection.
    async fn leave(&mut self) {
        self.client.engine.close();
        settle().await;
    }

    /// The next packets are these events.
    async fn expect(&mut self, events: &[&str]) {
        for event in events {
            let packet = self.client.next().await;
            let (begin, offset) = packet.rsplit_once(',').unwrap();
            assert_eq!(format!("{begin}]"), format!("2[\"{event}\"]"));
            self.offset =
                offset.strip_prefix('"').and_then(|rest| rest.strip_suffix("\"]")).map(str::to_owned);
        }
        self.client.expect_nothing().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_gets_what_other_nodes_have_sent_meanwhile_in_order() {
    let nodes = nodes().await;
    let mut known = Known::join(nodes.node(0)).await;
    known.client.send(r#"2["join","x"]"#).await;
    settle().await;
    nodes.node(1).emit("one", ()).unwrap();
    settle().await;
    nodes.node(0).emit("two", ()).unwrap();
    known.expect(&["one", "two"]).await;
    known.leave().await;
    // It was the only socket of its node.
    let id = known.client.id.clone();
    nodes.node(1).to("x").emit("three", ()).unwrap();
    settle().await;
    nodes.node(0).to("x").emit("four", ()).unwrap();
    nodes.node(2).emit("five", ()).unwrap();
    settle().await;
    nodes.node(1).to(&id).emit("six", ()).unwrap();
    nodes.node(1).to("y").emit("for others", ()).unwrap();
    nodes.node(1).of("/").except("x").emit("for others", ()).unwrap();
    nodes.node(1).of("/").volatile().emit("lost", ()).unwrap();
    settle().await;
    assert!(known.come_back(nodes.node(0)).await);
    known.expect(&["three", "four", "five", "six"]).await;
    // Again, from the event of another node on.
    nodes.node(1).emit("seven", ()).unwrap();
    known.expect(&["seven"]).await;
    nodes.node(2).to("x").emit("eight", ()).unwrap();
    settle().await;
    known.leave().await;
    nodes.node(1).to("x").emit("nine", ()).unwrap();
    settle().await;
    assert!(known.come_back(nodes.node(0)).await);
    known.expect(&["eight", "nine"]).await;
}

#[tokio::test(start_paused = true)]
async fn whatever_event_of_all_nodes_a_client_saw_last_it_gets_those_behind_it() {
    let nodes = nodes().await;
    let mut known = Known::join(nodes.node(0)).await;
    for number in 0..60 {
        nodes.node(number % 3).emit("e", number).unwrap();
        if number % 5 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut seen = Vec::new();
    for _ in 0..60 {
        let packet = known.client.next().await;
        let (event, offset) = packet.rsplit_once(",\"").unwrap();
        seen.push((event.to_owned(), offset.trim_end_matches("\"]").to_owned()));
    }
    for last in [0, 1, 17, 42, 59] {
        known.leave().await;
        known.offset = Some(seen[last].1.clone());
        assert!(known.come_back(nodes.node(0)).await);
        for (event, _) in &seen[last + 1..] {
            let packet = known.client.next().await;
            assert!(packet.starts_with(&format!("{event},")), "{packet} instead of {event}");
        }
        known.client.expect_nothing().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_hears_a_room_for_as_long_as_a_client_may_come_back() {
    let nodes = nodes().await;
    let mut known = Known::join(nodes.node(0)).await;
    known.client.send(r#"2["join","x"]"#).await;
    settle().await;
    known.leave().await;
    let emit = || async {
        let (room, _) = nodes.received(async { nodes.node(1).to("x").emit("e", ()) }).await;
        let (all, _) = nodes.received(async { nodes.node(1).emit("e", ()) }).await;
        (room, all)
    };
    assert_eq!(emit().await, ([1, 0, 0], [1, 0, 0]));
    assert!(known.come_back(nodes.node(0)).await);
    known.expect(&["e", "e"]).await;
    known.leave().await;
    assert_eq!(emit().await, ([1, 0, 0], [1, 0, 0]));
    tokio::time::sleep(Duration::from_secs(122)).await;
    assert_eq!(emit().await, ([0; 3], [0; 3]));
    assert!(!known.come_back(nodes.node(0)).await);
    // On purpose: nobody comes back.
    known.client.send("1").await;
    assert_eq!(emit().await, ([0; 3], [0; 3]));
}

#[tokio::test(start_paused = true)]
async fn a_node_without_recovery_hands_on_what_the_others_send_as_it_is() {
    let mut nodes = nodes().await;
    nodes.add("d", |builder| builder.namespace("/", rooms())).await;
    let mut client = nodes.join(3).await;
    nodes.node(0).emit("e", 1).unwrap();
    client.expect(r#"2["e",1]"#).await;
    let mut known = Known::join(nodes.node(0)).await;
    nodes.node(3).emit("e", ()).unwrap();
    known.expect(&["e"]).await;
    client.expect(r#"2["e"]"#).await;
}
