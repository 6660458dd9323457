//! Who is where.

use std::time::Duration;

use eio_socketio::cluster::NoAnswer;
use eio_socketio::{Args, Auth, Namespace, Socket, Value};

use crate::support::{Client, Nodes, Notes, settle};

async fn name(socket: Socket, Auth(auth): Auth<Option<Value>>) {
    if let Some(name) = auth.as_ref().and_then(|auth| auth.get("name")).and_then(Value::as_str) {
        socket.insert(name.to_owned());
    }
}

fn named() -> Namespace {
    Namespace::new().on_connect(name)
}

#[tokio::test(start_paused = true)]
async fn all_sockets_are_found_with_their_rooms_their_nodes_and_what_they_joined_with() {
    let nodes =
        Nodes::with(|builder| builder.namespace("/", named()).socket_data(Socket::get::<String>)).await;
    let mut clients = Vec::new();
    for (number, auth) in [(0, r#"{"name":"Ada"}"#), (1, r#"{"name":"Bob"}"#), (1, "")] {
        clients.push(Client::join(nodes.node(number), "/", auth).await);
    }
    settle().await;
    nodes.node(2).of("/").except(&clients[2].id).join("y");
    nodes.node(2).of("/").except(&clients[2].id).join("x");
    settle().await;
    for server in &nodes.servers {
        let fetched = server.of("/").fetch_sockets().await;
        assert_eq!(fetched.missing, []);
        let mut found = fetched.found;
        found.sort_by_key(|socket| (socket.node.clone(), core::cmp::Reverse(socket.rooms.len())));
        let seen: Vec<_> = found
            .iter()
            .map(|socket| {
                let data = socket.data::<Option<String>>().unwrap();
                (socket.id.to_string(), socket.node.clone().unwrap(), socket.rooms.join(" "), data)
            })
            .collect();
        let expected = [("a", "x y", Some("Ada")), ("b", "x y", Some("Bob")), ("b", "", None)];
        let expected: Vec<_> = expected
            .iter()
            .zip(&clients)
            .map(|((node, rooms, data), client)| {
                (client.id.clone(), (*node).to_owned(), (*rooms).to_owned(), data.map(str::to_owned))
            })
            .collect();
        assert_eq!(seen, expected);
        assert_eq!(found[1].auth.to_string(), r#"[{"name":"Bob"}]"#);
        let in_room = server.of("/").to("x").except(&clients[0].id).fetch_sockets().await;
        assert!(in_room.found.iter().map(|socket| socket.id.as_str()).eq([&*clients[1].id]));
        let rooms = server.of("/").fetch_rooms().await;
        assert_eq!(rooms.found, [("x".to_owned(), 2), ("y".to_owned(), 2)]);
        let of_bob = server.of("/").to(&clients[1].id).fetch_rooms().await;
        assert_eq!(of_bob.found, [("x".to_owned(), 1), ("y".to_owned(), 1)]);
    }
    let local = nodes.node(0).of("/").local().fetch_sockets().await;
    assert_eq!((local.found.len(), nodes.node(0).of("/").sockets().len()), (1, 1));
    assert_eq!(nodes.node(0).of("/nowhere").fetch_sockets().await.found.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_dies_is_missing_and_the_others_are_found() {
    let nodes = Nodes::of(named).await;
    let _clients = [nodes.join(0).await, nodes.join(1).await, nodes.join(2).await];
    nodes.bus.cut("b");
    let asking = nodes.node(0).of("/").timeout(Duration::from_secs(30));
    let start = tokio::time::Instant::now();
    let fetched = asking.fetch_sockets().await;
    assert_eq!(fetched.found.len(), 2);
    let [missing] = &fetched.missing[..] else { panic!("{:?}", fetched.missing) };
    assert_eq!((&*missing.node, missing.reason), ("b", NoAnswer::Gone));
    // It was missed when its time was over, and not at the end of the question's.
    assert!(start.elapsed() <= Duration::from_secs(11), "{:?}", start.elapsed());
    let again = nodes.node(0).of("/").fetch_sockets().await;
    assert_eq!((again.found.len(), again.missing.len()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_slow_is_missing_when_the_time_is_over() {
    let nodes = Nodes::of(named).await;
    nodes.bus.slow("b", Duration::from_secs(6));
    let start = tokio::time::Instant::now();
    let fetched = nodes.node(0).of("/").fetch_rooms().await;
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    let [missing] = &fetched.missing[..] else { panic!("{:?}", fetched.missing) };
    assert_eq!((&*missing.node, missing.reason), ("b", NoAnswer::Late));
}

#[tokio::test(start_paused = true)]
async fn many_sockets_come_in_parts() {
    let nodes = Nodes::of(named).await;
    let long = "x".repeat(20_000);
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(Client::join(nodes.node(1), "/", &format!(r#"{{"long":"{long}"}}"#)).await);
    }
    for number in 0..2_000 {
        nodes.node(2).to(&clients[number % 100].id).join(format!("{number:0>100}"));
    }
    settle().await;
    let (received, fetched) = nodes.received(nodes.node(0).of("/").fetch_sockets()).await;
    assert_eq!((fetched.found.len(), fetched.missing.len()), (100, 0));
    assert!(received[0] > 20, "{received:?}");
    assert!(fetched.found.iter().all(|socket| socket.rooms.len() == 20));
    assert_eq!(nodes.node(0).of("/").fetch_rooms().await.found.len(), 2_000);
}

#[tokio::test(start_paused = true)]
async fn the_rooms_of_a_large_node_come_whole_and_displace_no_message() {
    let nodes = Nodes::of(named).await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(nodes.join(1).await);
    }
    for (first, socket) in nodes.node(1).of("/").sockets().iter().enumerate() {
        for number in 0..900 {
            socket.join(format!("{:05}{}", 900 * first + number, "x".repeat(995))).unwrap();
        }
    }
    settle().await;
    let lost = || nodes.node(1).cluster().unwrap().status().bus.lost;
    let before = lost();
    let asking = [nodes.node(0).of("/"), nodes.node(2).of("/")];
    let (one, two) = tokio::join!(asking[0].fetch_rooms(), asking[1].fetch_rooms());
    for fetched in [one, two] {
        assert_eq!((fetched.found.len(), fetched.missing), (9_000, Vec::new()));
    }
    assert_eq!(lost(), before);
    drop(clients);
}

/// As many characters as the socket's name says.
fn much(socket: &Socket) -> String {
    "x".repeat(socket.get::<String>().map_or(0, |name| name.parse().unwrap()))
}

#[tokio::test(start_paused = true)]
async fn what_a_node_says_of_its_sockets_comes_in_parts_and_of_none_too_much() {
    let nodes = Nodes::with(|builder| builder.namespace("/", named()).socket_data(much)).await;
    let mut clients = Vec::new();
    for name in ["2000000"].into_iter().chain(["100000"; 12]) {
        clients.push(Client::join(nodes.node(1), "/", &format!(r#"{{"name":"{name}"}}"#)).await);
    }
    let fetched = nodes.node(0).of("/").fetch_sockets().await;
    assert_eq!((fetched.found.len(), fetched.missing.len()), (13, 0));
    for socket in &fetched.found {
        let len = if socket.id.as_str() == clients[0].id { None } else { Some(100_000) };
        assert_eq!(socket.data::<Option<String>>().unwrap().map(|data| data.len()), len);
    }
}

#[tokio::test(start_paused = true)]
async fn applications_of_nodes_talk_to_each_other() {
    let journal = Notes::default();
    let all = journal.clone();
    let nodes = Nodes::with(move |builder| {
        let notes = all.clone();
        builder
            .namespace("/", named())
            .on_server_side(move |event| notes.add(format!("{} {} {}", event.node, event.name, event.args)))
    })
    .await;
    nodes.node(1).server_side_emit("reload", Args((1, "x"))).unwrap();
    settle().await;
    assert_eq!(journal.take(), [r#"b reload [1,"x"]"#; 2]);
}
