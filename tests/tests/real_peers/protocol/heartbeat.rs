//! Heartbeats are answered, and silence ends a session.

use eio_core::{DisconnectReason, Revision};
use eio_tests::interop::{Case, Log, soon};
use eio_tokio::Message;

use super::{Cases as _, Stage, quick_pings, short_patience};

/// How many heartbeats are enough.
const BEATS: usize = 3;

pub(super) fn cases(revision: Revision, cases: &mut Vec<Case>) {
    cases.push(revision.case("heartbeats go on over polling", beats_on_polling));
    cases.push(revision.case("silence on polling ends the session", silence_on_polling));
    cases.push(revision.case("heartbeats go on over a WebSocket", beats_on_websocket));
    cases.push(revision.case("silence on a WebSocket ends the session", silence_on_websocket));
}

/// "heartbeat, HTTP long-polling: sends ping/pong packets". Protocol, "Heartbeat"; revision 3, "2 ping" and "3 pong": there
/// the client pings.
async fn beats_on_polling(revision: Revision, log: Log) {
    let mut stage = Stage::with_heartbeat(revision, quick_pings(), &log).await;
    let (sid, _at_server) = stage.session().await;
    for _ in 0..BEATS {
        match revision {
            Revision::V4 => {
                let polled = stage.poll(&sid).await;
                assert_eq!((polled.status, polled.text()), (200, "2"));
                assert_eq!(stage.post(&sid, &["3"]).await.status, 200);
            }
            Revision::V3 => {
                assert_eq!(stage.post(&sid, &["2"]).await.status, 200);
                let polled = stage.poll(&sid).await;
                assert_eq!((polled.status, polled.text()), (200, "1:3"));
            }
        }
    }
    assert_eq!(stage.server.server.len(), 1, "it lives");
}

/// "heartbeat, HTTP long-polling: closes the session upon ping timeout". Protocol, "Heartbeat"; revision 3, "Timeouts". The
/// suite asks just when interval and timeout have passed since its handshake came in; here the server says when it is.
async fn silence_on_polling(revision: Revision, log: Log) {
    let mut stage = Stage::with_heartbeat(revision, short_patience(), &log).await;
    let (sid, at_server) = stage.session().await;
    assert_eq!(at_server.closed().await.reason, DisconnectReason::PingTimeout);
    assert_eq!(stage.poll(&sid).await.status, 400);
    assert_eq!(stage.post(&sid, &["2"]).await.status, 400);
}

/// "heartbeat, WebSocket: sends ping/pong packets". Protocol, "Heartbeat"; revision 3, "2 ping" and "3 pong".
async fn beats_on_websocket(revision: Revision, log: Log) {
    let mut stage = Stage::with_heartbeat(revision, quick_pings(), &log).await;
    let (mut socket, _at_server) = stage.socket().await;
    for _ in 0..BEATS {
        match revision {
            Revision::V4 => {
                assert_eq!(socket.message().await, Message::text("2"));
                socket.send("3");
            }
            Revision::V3 => {
                socket.send("2");
                assert_eq!(socket.message().await, Message::text("3"));
            }
        }
    }
    assert_eq!(stage.server.server.len(), 1, "it lives");
}

/// "heartbeat, WebSocket: closes the session upon ping timeout". Protocol, "Heartbeat"; revision 3, "Timeouts".
async fn silence_on_websocket(revision: Revision, log: Log) {
    let mut stage = Stage::with_heartbeat(revision, short_patience(), &log).await;
    let (mut socket, at_server) = stage.socket().await;
    soon("the WebSocket to be closed", socket.closed()).await;
    assert_eq!(at_server.closed().await.reason, DisconnectReason::PingTimeout);
}
