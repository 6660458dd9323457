//! Rooms: who is in which, and who gets what is sent to whom.

use eio_socketio::{Audience, Socket};
use eio_tests::interop::{Case, Log};
use serde_json::json;

use crate::client::Client;
use crate::peer::Peer;
use crate::server::{Happened, TestServer};

pub(crate) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case("events reach exactly the sockets that they are for", audiences));
    cases
        .push(peer.case("the server lets sockets join and leave rooms, and disconnects those in one", moved));
    cases.push(peer.case("volatile events arrive in order, or not at all", volatile));
}

/// Four clients. The first two are in `red`, the second and the third in `blue`, and the fourth in none.
async fn four(peer: Peer, server: &TestServer, log: &Log) -> (Vec<Client>, [Socket; 4]) {
    let (mut clients, mut sockets) = (Vec::new(), Vec::new());
    for rooms in [&["red"][..], &["red", "blue"], &["blue"], &[]] {
        let mut client = peer.join(server, log).await;
        sockets.push(server.joined().await);
        assert_eq!(client.call("join", &json!(rooms)).await, json!([rooms.len()]));
        clients.push(client);
    }
    (clients, sockets.try_into().expect("four"))
}

async fn audiences(peer: Peer, log: Log) {
    type Choose = fn(&TestServer, &[Socket; 4]) -> Audience;
    let table: [(Choose, &[usize]); 16] = [
        (|server, _| server.server.of("/"), &[0, 1, 2, 3]),
        (|server, _| server.server.to("red"), &[0, 1]),
        (|server, _| server.server.to("red").to("blue"), &[0, 1, 2]),
        (|server, _| server.server.to("red").to("red"), &[0, 1]),
        (|server, _| server.server.to("red").except("blue"), &[0]),
        (|server, _| server.server.of("/").except("red"), &[2, 3]),
        (|server, _| server.server.of("/").except("red").except("blue"), &[3]),
        (|server, _| server.server.to("nobody"), &[]),
        (|server, _| server.server.of("/chat"), &[]),
        (|server, _| server.server.of("/chat").to("red"), &[]),
        (|_, sockets| sockets[0].broadcast(), &[1, 2, 3]),
        (|_, sockets| sockets[0].to("red"), &[1]),
        (|_, sockets| sockets[3].to("red").to("blue"), &[0, 1, 2]),
        (|_, sockets| sockets[1].except("blue"), &[0, 3]),
        (|server, sockets| server.server.to(sockets[2].id()), &[2]),
        (
            |server, sockets| server.server.of("/").except(sockets[1].id()).to("red").to(sockets[3].id()),
            &[0, 3],
        ),
    ];
    let server = TestServer::start(&log).await;
    let (mut clients, sockets) = four(peer, &server, &log).await;
    for (row, (choose, expected)) in table.iter().enumerate() {
        let audience = choose(&server, &sockets);
        assert_eq!(audience.sockets().len(), expected.len(), "row {row}");
        assert_eq!(audience.emit("news", row).unwrap().sent, expected.len(), "row {row}");
    }
    for (number, client) in clients.iter_mut().enumerate() {
        let rows: Vec<_> =
            (0..table.len()).filter(|row| table[*row].1.contains(&number)).map(|row| json!([row])).collect();
        assert_eq!(news(client).await, rows, "client {number}");
    }
}

/// The arguments of the events that came before the answer to a question does.
async fn news(client: &mut Client) -> Vec<serde_json::Value> {
    assert_eq!(client.call("sum", &json!([1, 2])).await, json!([3]));
    let mut news = Vec::new();
    while client.has_told("event") {
        news.push(client.event().await.1);
    }
    news
}

async fn moved(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let (mut clients, sockets) = four(peer, &server, &log).await;
    server.server.to("red").join("green");
    assert_eq!(sockets[1].rooms(), ["blue", "green", "red"]);
    server.server.to("blue").leave("green");
    assert!(sockets[1].leave("red") && !sockets[1].leave("red"));
    assert_eq!(server.server.to("green").emit("news", 1).unwrap().sent, 1);
    assert_eq!(server.server.to("red").emit("news", 2).unwrap().sent, 1);
    assert_eq!(news(&mut clients[0]).await, [json!([1]), json!([2])]);
    assert!(news(&mut clients[1]).await.is_empty());
    server.server.to("blue").disconnect();
    let mut left = Vec::new();
    for _ in 0..2 {
        let Happened::Left { socket, rooms, reason } = server.next().await else { panic!("they leave") };
        assert_eq!(reason, "server namespace disconnect");
        assert_eq!(rooms, ["blue"]);
        left.push(socket.id().clone());
    }
    assert!(left.contains(sockets[1].id()) && left.contains(sockets[2].id()));
    for client in &mut clients[1..3] {
        client.disconnected().await;
    }
    assert_eq!(server.server.to("blue").emit("news", 3).unwrap().sent, 0);
    assert_eq!(server.server.of("/").sockets().len(), 2);
    assert!(news(&mut clients[0]).await.is_empty() && news(&mut clients[3]).await.is_empty());
}

async fn volatile(peer: Peer, log: Log) {
    const COUNT: u64 = 2_000;
    let server = TestServer::start(&log).await;
    let mut client = peer.join(&server, &log).await;
    let socket = server.joined().await;
    let sent: Vec<u64> =
        (0..COUNT).filter(|number| socket.emit_volatile("news", *number).expect("it is connected")).collect();
    let arrived: Vec<u64> = news(&mut client).await.iter().filter_map(|args| args[0].as_u64()).collect();
    assert_eq!(arrived, sent);
    assert_ne!(sent, (0..COUNT).collect::<Vec<_>>(), "none was dropped, however full the connection was");
    // The connection is idle now, and takes it.
    let mut tries = 0;
    while !socket.emit_volatile("news", "idle").expect("it is connected") {
        tries += 1;
        assert!(tries < 1_000, "an idle connection takes a volatile event");
        tokio::time::sleep(core::time::Duration::from_millis(5)).await;
    }
    assert_eq!(client.event().await.1, json!(["idle"]));
}
