//! Stock clients of three nodes behind a balancer that knows nothing of sessions: what they see when a node, the bus or a
//! cable fails.

use eio_tests::interop::{Cable, Case, Log, Network};
use tokio::time::Instant;

use crate::cases;
use crate::crowd::Crowd;
use crate::servers::{Kind, Server};
use crate::whole::{Client, Clients, Node, Nodes, two_periods};

/// From polling to a WebSocket, as clients do by default; and each alone.
const EACH: [&[&str]; 3] = [&["polling", "websocket"], &["polling"], &["websocket"]];

pub(crate) fn cases() -> Vec<Case> {
    cases![
        over_redis_three_nodes_act_as_one_and_one_may_die,
        over_nats_three_nodes_act_as_one_and_one_may_die,
        a_bus_that_is_lost_ends_no_session_and_is_found_again,
        a_node_that_alone_loses_the_bus_keeps_its_clients,
        a_node_that_stands_still_is_gone_and_comes_back,
        a_rolling_restart_loses_nobody,
        five_thousand_clients_hear_each_message_once_before_and_after_a_node_dies,
        a_node_whose_cable_is_pulled_is_gone_and_comes_back,
    ]
}

async fn over_redis_three_nodes_act_as_one_and_one_may_die(log: Log) {
    Box::pin(act_as_one(Kind::Redis, log)).await;
}

async fn over_nats_three_nodes_act_as_one_and_one_may_die(log: Log) {
    Box::pin(act_as_one(Kind::Nats, log)).await;
}

async fn act_as_one(kind: Kind, log: Log) {
    let mut nodes = Nodes::start(Server::start(kind, "", &log).await, &log).await;
    let mut clients = Clients::open(&nodes.url(), 6, &EACH, &log).await;
    clients.all_hear(&["a", "b", "c"]).await;
    // Requests went to all nodes in turn, and no session has ended.
    assert!(clients.look().await.iter().all(|client| client.connects == 1), "{:?}", clients.look().await);

    // Whatever the name by which clients come.
    let answer = nodes.open_by_name("chat.example").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let died = Instant::now();
    nodes.each[1].kill().await;
    clients
        .until("all clients are back", |all| all.iter().all(|client| client.joined && client.node != "b"))
        .await;
    clients.all_hear(&["a", "c"]).await;
    for at in [0, 2] {
        nodes.each[at].sees_gone("b", died).await;
    }
    let after = clients.look().await;
    assert!(after.iter().all(|client| client.connects <= 2), "nobody came back more than once: {after:?}");

    nodes.restart(1).await;
    nodes.each[0].sees("b", "joined").await;
    let before: Vec<_> = clients.look().await.iter().map(|client| client.got).collect();
    let mut more = Clients::open(&nodes.url_of(1), 1, &EACH, &log).await;
    more.all_hear(&["b"]).await;
    let heard = |all: &[Client]| all.iter().zip(&before).all(|(client, before)| client.got == before + 1);
    clients.until("what a client of the new b has told", heard).await;
}

async fn a_bus_that_is_lost_ends_no_session_and_is_found_again(log: Log) {
    let mut nodes = Nodes::start(Server::start(Kind::Redis, "", &log).await, &log).await;
    let mut clients = Clients::open(&nodes.url(), 4, &EACH, &log).await;
    nodes.bus.kill().await;
    for node in &mut nodes.each {
        node.event("bus", &[("up", false.into())]).await;
    }
    // Requests find their nodes, and the clients of one node hear each other.
    two_periods().await;
    let all = clients.look().await;
    let on_a = all.iter().filter(|client| client.node == "a").count() as u64;
    let from = all.iter().position(|client| client.node == "a").expect("a client on each node");
    assert_eq!(clients.tell(from).await, on_a - 1);
    nodes.bus.restart().await;
    for node in &mut nodes.each {
        node.event("bus", &[("up", true.into()), ("cause", ().into())]).await;
    }
    let heard = |all: &[Client]| all.iter().filter(|client| client.got > 0).count() as u64 == on_a - 1;
    clients.until("what was told on one node", heard).await;
    clients.all_hear(&["a", "b", "c"]).await;
    let all = clients.look().await;
    assert!(all.iter().all(|client| client.connects == 1 && client.ends.is_empty()), "{all:?}");
}

async fn a_node_that_alone_loses_the_bus_keeps_its_clients(log: Log) {
    let bus = Server::start(Kind::Redis, "", &log).await;
    let cable = Cable::start(([127, 0, 0, 1], bus.port).into()).await;
    let mut nodes = Nodes::start_with(bus, format!("redis://127.0.0.1:{}", cable.port()), "1s", &log).await;
    let mut clients = Clients::open(&nodes.url(), 4, &EACH, &log).await;
    let cut = Instant::now();
    cable.cut_until_mended();
    nodes.each[2].event("bus", &[("up", false.into())]).await;
    for at in [0, 1] {
        nodes.each[at].sees_gone("c", cut).await;
    }
    // Requests still find it, by way of each node.
    two_periods().await;
    let all = clients.look().await;
    let on_c = all.iter().filter(|client| client.node == "c").count() as u64;
    let from = all.iter().position(|client| client.node == "c").expect("a client on each node");
    assert_eq!(clients.tell(from).await, on_c - 1);
    cable.mend();
    for at in [0, 1] {
        nodes.each[at].sees("c", "joined").await;
    }
    let heard = |all: &[Client]| all.iter().filter(|client| client.got > 0).count() as u64 == on_c - 1;
    clients.until("what was told on one node", heard).await;
    clients.all_hear(&["a", "b", "c"]).await;
    let all = clients.look().await;
    assert!(all.iter().all(|client| client.connects == 1 && client.ends.is_empty()), "{all:?}");
}

async fn a_node_that_stands_still_is_gone_and_comes_back(log: Log) {
    let mut nodes = Nodes::start(Server::start(Kind::Nats, "", &log).await, &log).await;
    let mut clients = Clients::open(&nodes.url(), 4, &EACH, &log).await;
    let stopped = Instant::now();
    nodes.each[2].signal("STOP");
    clients
        .until("all clients are back", |all| all.iter().all(|client| client.joined && client.node != "c"))
        .await;
    for at in [0, 1] {
        nodes.each[at].sees_gone("c", stopped).await;
    }
    clients.all_hear(&["a", "b"]).await;
    nodes.each[2].signal("CONT");
    for at in [0, 1] {
        nodes.each[at].sees("c", "joined").await;
    }
    let mut more = Clients::open(&nodes.url_of(2), 1, &EACH, &log).await;
    more.all_hear(&["c"]).await;
}

async fn a_rolling_restart_loses_nobody(log: Log) {
    let mut nodes = Nodes::start(Server::start(Kind::Redis, "", &log).await, &log).await;
    let mut clients = Clients::open(&nodes.url(), 6, &EACH, &log).await;
    for at in 0..3 {
        nodes.each[at].stop().await;
        let name = crate::whole::NAMES[at];
        let back = |all: &[Client]| all.iter().all(|client| client.joined && client.node != name);
        clients.until("all clients are back", back).await;
        nodes.restart(at).await;
        nodes.each[(at + 1) % 3].sees(name, "joined").await;
        nodes.takes_part(at).await;
    }
    let all = clients.look().await;
    // A client knows of each end, and comes back once for each.
    assert!(all.iter().all(|client| client.connects == client.ends.len() as u64 + 1), "{all:?}");
    clients.all_hear(&["a", "b"]).await;
}

async fn a_node_whose_cable_is_pulled_is_gone_and_comes_back(log: Log) {
    let network = Network::new();
    let bus =
        Server::start(Kind::Redis, &format!("bind 127.0.0.1 {}\nprotected-mode no", network.host), &log)
            .await;
    let far = format!("redis://{}:{}", network.host, bus.port);
    let mut nodes = Nodes::start(bus, &log).await;
    let mut away = Node::start_inside(
        &network.inside(),
        "d",
        &format!("{}:3000", network.guest),
        &far,
        (nodes.secret(), "1s"),
        &log,
    )
    .await;
    nodes.each[0].sees("d", "joined").await;
    away.sees("a", "joined").await;
    let pulled = Instant::now();
    network.pull_cable();
    away.event("bus", &[("up", false.into())]).await;
    nodes.each[0].sees_gone("d", pulled).await;
    network.plug_in();
    away.event("bus", &[("up", true.into()), ("cause", ().into())]).await;
    nodes.each[0].sees("d", "joined").await;
}

async fn five_thousand_clients_hear_each_message_once_before_and_after_a_node_dies(log: Log) {
    let bus = Server::start(Kind::Redis, "", &log).await;
    let url = bus.url_with("");
    let mut nodes = Nodes::start_with(bus, url, "15s", &log).await;
    let mut crowd = Crowd::gather(&nodes.url(), 5_000).await;
    crowd.all_hear().await;
    let before = crowd.joins();
    let died = Instant::now();
    nodes.each[1].kill().await;
    nodes.each[0].sees_gone("b", died).await;
    crowd.all_hear().await;
    let came_back = crowd.joins() - before;
    log.line("test", &format!("{came_back} clients came back"));
    // A third had their sessions on it, and it forwarded for others.
    assert!((1_500..=5_000).contains(&came_back), "{came_back} clients came back");
}
