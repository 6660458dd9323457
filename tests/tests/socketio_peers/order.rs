//! Thousands of events, both ways at the same time, each in its place.

use core::time::Duration;

use eio_socketio::{Args, Binary, Socket};
use eio_tests::interop::{Cable, Case, Log, Mode, soon};
use serde_json::json;
use tokio::time::sleep;

use crate::client::Client;
use crate::peer::{Library, Peer};
use crate::server::{Numbers, TestServer};

pub(crate) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case(promise(peer.mode, false).1, order));
}

/// How many events travel each way, and the sentence that says so. A library that is slow gets fewer over an upgrade.
pub(crate) fn promise(mode: Mode, is_slow: bool) -> (u64, &'static str) {
    match (mode, is_slow) {
        (Mode::Upgrade, false) => {
            (10_000, "ten thousand events each way keep their order, and the upgrade is in the midst of them")
        }
        (Mode::Upgrade, true) => {
            (2_000, "two thousand events each way keep their order, and the upgrade is in the midst of them")
        }
        (Mode::Polling | Mode::WebSocket, _) => (2_000, "two thousand events each way keep their order"),
    }
}

async fn order(peer: Peer, log: Log) {
    let (count, _) = promise(peer.mode, false);
    let (quarter, rest) = (count / 4, count / 4 * 3);
    // python-socketio upgrades before it reads or sends anything.
    let upgrades_midway = peer.mode == Mode::Upgrade && peer.library != Library::Python;
    let server = TestServer::start(&log).await;
    let cable = Cable::start_without_websockets(server.address).await;
    if !upgrades_midway {
        cable.let_upgrade();
    }
    let mut client = Client::open_at(peer, &cable.url(), json!({}), &log).await;
    client.joined().await;
    let socket = server.joined().await;
    let numbers = socket.get::<Numbers>().expect("it counts from the beginning");
    let flood_client = |from: u64, to: u64| client.command("flood", json!({ "from": from, "to": to }));

    // A quarter on polling, two while the session moves to a WebSocket, and one on it.
    flood_client(0, quarter);
    flood(&socket, 0..quarter).await;
    received(&numbers, quarter).await;
    cable.let_upgrade();
    flood_client(quarter, rest);
    flood(&socket, quarter..rest).await;
    client.hears("flooded").await;
    client.hears("flooded").await;
    client.settled().await;
    client.command("flood", json!({ "from": rest, "to": count }));
    flood(&socket, rest..count).await;

    received(&numbers, count).await;
    assert_eq!(numbers.counts(), (count, 0), "at the server");
    let told = soon("the client to have every event", async {
        loop {
            client.command("tell_numbers", json!({}));
            let told = client.hears("numbers").await;
            if told["count"].as_u64() >= Some(count) {
                return told;
            }
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!((&told["count"], &told["wrong"]), (&json!(count), &json!(0)), "at the client");
    let transports = if upgrades_midway { peer.mode.transports() } else { &[peer.transport()] };
    assert_eq!(told["transports"], json!(transports), "what carried them");
}

/// Waits until the server has this many events.
async fn received(numbers: &Numbers, count: u64) {
    soon(&format!("the server to have {count} events"), async {
        while numbers.counts().0 < count {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// Numbered events, each fiftieth with bytes.
async fn flood(socket: &Socket, numbers: core::ops::Range<u64>) {
    for number in numbers {
        let sent = if number % 50 == 0 {
            socket.send("numbered", Args((number, Binary::from(&number.to_le_bytes()[..1])))).await
        } else {
            socket.send("numbered", number).await
        };
        sent.expect("the client reads");
    }
}
