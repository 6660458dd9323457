//! A close packet ends its session on either transport.

use core::time::Duration;

use eio_core::{DisconnectReason, Revision};
use eio_tests::interop::{Case, Log, soon};

use super::{Cases as _, Stage};

pub(super) fn cases(revision: Revision, cases: &mut Vec<Case>) {
    cases.push(revision.case("a close packet on polling ends the session and its poll", on_polling));
    cases.push(revision.case("a close packet on a WebSocket ends the session", on_websocket));
}

/// "close, HTTP long-polling: forcefully closes the session". Protocol, "HTTP long-polling"; revision 3, "1 close" and
/// "6 noop".
async fn on_polling(revision: Revision, log: Log) {
    let mut stage = Stage::open(revision, &log).await;
    let (sid, at_server) = stage.session().await;
    let polled = stage.poll(&sid);
    // The suite sends both at once and takes them to arrive in that order; here the poll comes first.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let posted = stage.post(&sid, &["1"]);
    let (polled, posted) = tokio::join!(polled, posted);
    assert_eq!((posted.status, posted.text()), (200, "ok"));
    assert_eq!((polled.status, polled.text()), (200, &*revision.payload(&["6"])));
    assert_eq!(at_server.closed().await.reason, DisconnectReason::PeerClose);
    assert_eq!(stage.poll(&sid).await.status, 400);
}

/// "close, WebSocket: forcefully closes the session". Protocol, "WebSocket"; revision 3, "1 close". The reference ignores
/// the packet, and passes by its ping timeout.
async fn on_websocket(revision: Revision, log: Log) {
    let mut stage = Stage::open(revision, &log).await;
    let (mut socket, at_server) = stage.socket().await;
    socket.send("1");
    soon("the WebSocket to be closed", socket.closed()).await;
    assert_eq!(at_server.closed().await.reason, DisconnectReason::PeerClose);
}
