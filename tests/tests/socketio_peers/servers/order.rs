//! Thousands of events, both ways at the same time, each in its place.

use eio_socketio::{Args, Binary};
use eio_tests::interop::{Cable, Case, Log, Mode, soon};
use serde_json::json;

use super::ours::Ours;
use super::stock::{Peer, StockServer};
use crate::order::promise;

pub(super) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case(promise(peer.mode, peer.library.is_slow).1, order));
}

async fn order(peer: Peer, log: Log) {
    let (count, _) = promise(peer.mode, peer.library.is_slow);
    let (quarter, rest) = (count / 4, count / 4 * 3);
    let mut server = StockServer::start(peer, &log).await;
    let cable = Cable::start_without_websockets(server.address()).await;
    if peer.mode != Mode::Upgrade {
        cable.let_upgrade();
    }
    let mut ours = Ours::join_at(peer, &cable.url(), &log).await;

    // A quarter on polling, two while the session moves to a WebSocket, and one on it.
    each_way(&mut ours, &server, 0..quarter).await;
    cable.let_upgrade();
    each_way(&mut ours, &server, quarter..rest).await;
    ours.settled(peer).await;
    each_way(&mut ours, &server, rest..count).await;

    server.command("tell_numbers", json!({}));
    let told = server.hears("numbers").await;
    assert_eq!((&told["count"], &told["wrong"]), (&json!(count), &json!(0)));
    assert_eq!(told["transports"], json!(peer.mode.transports()), "what carried them");
}

/// Sends these numbers both ways, each fiftieth with bytes.
async fn each_way(ours: &mut Ours, server: &StockServer, numbers: core::ops::Range<u64>) {
    server.command("flood", json!({ "from": numbers.start, "to": numbers.end }));
    let emitter = ours.emitter();
    let sent = numbers.clone();
    let flood = tokio::spawn(async move {
        for number in sent {
            let sent = if number % 50 == 0 {
                emitter.send("numbered", Args((number, Binary::from(number.to_le_bytes().to_vec())))).await
            } else {
                emitter.send("numbered", number).await
            };
            sent.expect("the server reads");
        }
    });
    for number in numbers {
        let (_, args, _) = ours.event().await;
        assert_eq!(args.first::<u64>().expect("a number"), number);
        assert_eq!(args.len(), if number % 50 == 0 { 2 } else { 1 });
    }
    soon("all to be sent", flood).await.expect("all is sent");
    // Its answer comes behind all of them.
    soon("the sum", ours.emit_with_ack::<u8>("sum", Args((1, 2)))).await.expect("the server answers");
}
