//! U+001E separates packets on polling in revision 4, and nothing escapes it there: text with it is refused where it is
//! sent, and carried wherever it can be.

use eio_tokio::{BuildError, SendError, SendErrorKind, Server, TrySendError};

use crate::support::{Received, handing_out, settle};

const FORGED: &str = "hi\u{1e}4forged\u{1e}1";

#[tokio::test(start_paused = true)]
async fn b29_text_that_would_forge_packets_is_refused_on_polling_and_the_session_goes_on() {
    let (mut harness, mut sockets) = handing_out(|builder| builder);
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    let refused = |result| match result {
        Err(SendError { message, kind: SendErrorKind::Separator { at: 2 }, .. }) => message,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(socket.send(FORGED).await), FORGED.into());
    let Err(TrySendError::Refused(error)) = socket.try_send(FORGED) else { panic!("sent") };
    assert_eq!(
        error.to_string(),
        "the message was not sent: text with U+001E at byte 2 cannot be sent on polling, where it separates packets: \
         send it as bytes"
    );
    assert_eq!(refused(Err(error)), FORGED.into());
    // As bytes it travels.
    socket.send(FORGED.as_bytes().to_vec()).await.unwrap();
    socket.send("next").await.unwrap();
    assert_eq!(polling.poll().await, ["baGkeNGZvcmdlZB4x", "4next"]);
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn the_same_text_arrives_on_a_websocket_and_in_revision_3() {
    let (harness, mut sockets) = handing_out(|builder| builder);
    let mut websocket = harness.websocket(4).await;
    sockets.recv().await.unwrap().send(FORGED).await.unwrap();
    assert_eq!(websocket.text().await, format!("4{FORGED}"));
    let mut legacy = harness.polling(3).await;
    let socket = sockets.recv().await.unwrap();
    socket.send(FORGED).await.unwrap();
    assert_eq!(legacy.poll().await, [format!("4{FORGED}")]);
}

#[tokio::test(start_paused = true)]
async fn b29_a_broadcast_leaves_out_the_sessions_that_cannot_carry_it_and_counts_them() {
    let (harness, mut sockets) = handing_out(|builder| builder.outbox(2, 1_000));
    let (mut polling, mut websocket) = (harness.polling(4).await, harness.websocket(4).await);
    let _legacy = harness.polling(3).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(sockets.recv().await.unwrap());
    }
    let broadcast = harness.server.broadcast(FORGED);
    assert_eq!((broadcast.sent, broadcast.uncarried), (2, 1));
    assert_eq!(websocket.text().await, format!("4{FORGED}"));
    // The outbox of revision 3, which nobody polls, is full now; one session closes.
    let broadcast = harness.server.broadcast("plain");
    assert_eq!((broadcast.sent, broadcast.full), (3, 0));
    assert_eq!(websocket.text().await, "4plain");
    held.remove(1).close();
    let broadcast = harness.server.broadcast("plain");
    assert_eq!((broadcast.sent, broadcast.full, broadcast.uncarried, broadcast.closed), (1, 1, 0, 1));
    assert_eq!(polling.poll().await, ["4plain", "4plain"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_takes_it_as_soon_as_it_has_upgraded() {
    let (harness, mut sockets) = handing_out(|builder| builder);
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    polling.begin_poll().await;
    let mut websocket = harness.probed(&polling).await;
    // Until the last packet of the upgrade it may fail, and the session stay where it is.
    assert!(socket.send(FORGED).await.is_err());
    websocket.send("5").await;
    settle().await;
    socket.send(FORGED).await.unwrap();
    assert_eq!(websocket.next().await, Received::Text(format!("4{FORGED}")));
}

#[tokio::test(start_paused = true)]
async fn an_initial_packet_that_polling_cannot_carry_is_refused_when_the_server_is_built() {
    let server = || Server::builder(|_| async {}).initial_packet(FORGED);
    assert_eq!(server().build().err(), Some(BuildError::InitialPacket { at: 2 }));
    assert!(server().transports(false, true).build().is_ok());
    assert!(Server::builder(|_| async {}).initial_packet(FORGED.as_bytes().to_vec()).build().is_ok());
}
