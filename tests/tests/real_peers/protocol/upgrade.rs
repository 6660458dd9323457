//! A session moves from polling to a WebSocket, and is then nowhere else.

use eio_core::Revision;
use eio_tests::interop::{Case, Log, soon};
use eio_tokio::Message;

use super::{Cases as _, Stage};

pub(super) fn cases(revision: Revision, cases: &mut Vec<Case>) {
    cases.push(revision.case("a session moves from polling to a WebSocket", moves));
    cases.push(revision.case("after an upgrade polling is refused, and the session lives", polling_after));
    cases.push(
        revision.case("after an upgrade another WebSocket is closed, and the session lives", websocket_after),
    );
}

/// "upgrade: successfully upgrades from HTTP long-polling to WebSocket". Protocol, "Upgrade"; revision 3, "Transport
/// upgrading".
async fn moves(revision: Revision, log: Log) {
    let mut stage = Stage::open(revision, &log).await;
    let (sid, mut at_server) = stage.session().await;
    let query = stage.websocket(Some(&sid));
    let mut socket = stage.connect(&query);
    socket.opened().await;
    socket.send("2probe");
    assert_eq!(socket.message().await, Message::text("3probe"));
    // A poll is released, so that the client can leave polling.
    let polled = stage.poll(&sid).await;
    assert_eq!((polled.status, polled.text()), (200, &*revision.payload(&["6"])));
    socket.send("5");
    socket.send("4hello");
    assert_eq!(socket.message().await, Message::text("4hello"));
    let (message, transport) = at_server.message_and_transport().await;
    assert_eq!((message.as_text(), transport.as_str()), (Some("hello"), "websocket"));
}

/// "upgrade: ignores HTTP requests with same sid after upgrade". Protocol, "Upgrade"; revision 3, "Transport upgrading".
async fn polling_after(revision: Revision, log: Log) {
    let mut stage = Stage::open(revision, &log).await;
    let (sid, mut socket, _at_server) = stage.upgraded().await;
    lives(&mut socket).await;
    assert_eq!(stage.poll(&sid).await.status, 400);
    lives(&mut socket).await;
}

/// "upgrade: ignores WebSocket connection with same sid after upgrade". Protocol, "WebSocket": the server must close the
/// second connection; revision 3, "Transport upgrading". Closed it is as a WebSocket: the switch comes first.
async fn websocket_after(revision: Revision, log: Log) {
    let mut stage = Stage::open(revision, &log).await;
    let (sid, mut socket, _at_server) = stage.upgraded().await;
    lives(&mut socket).await;
    let query = stage.websocket(Some(&sid));
    let mut second = stage.connect(&query);
    second.opened().await;
    soon("the second WebSocket to be closed", second.closed()).await;
    assert!(!second.has_told("message"), "nothing was said on it");
    lives(&mut socket).await;
}

/// A message comes back on the session's WebSocket, whatever control packets come before.
async fn lives(socket: &mut eio_tests::interop::RawSocket) {
    socket.send("4hello");
    loop {
        match socket.message().await.as_text() {
            Some("4hello") => return,
            Some("3probe") => {}
            other => panic!("not the echo, but {other:?}"),
        }
    }
}
