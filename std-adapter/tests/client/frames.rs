//! What RFC 6455 asks of a client whose server breaks a rule of it, and of what travels before the first frame and behind
//! the last.

use core::time::Duration;
use std::collections::HashSet;
use std::net::SocketAddr;

use eio_core::DisconnectReason;
use eio_core::session::Violation;
use eio_tokio::{Client, ClientSocket, Message};
use tokio::io::AsyncReadExt as _;

use crate::bad_frames::{bad_frames, frame};
use crate::support::{Raw, Way, noting, open_packet};

const LATE: Duration = Duration::from_secs(1);

async fn open(mut raw: Raw) -> Raw {
    let request = raw.request().await;
    raw.switch_protocols(&request).await;
    raw.text(&open_packet(25_000, 20_000, "")).await;
    raw
}

async fn connect(address: SocketAddr) -> ClientSocket {
    Way::WebSocket.client(address).build().unwrap().connect().await.unwrap()
}

#[tokio::test]
async fn a_frame_that_breaks_a_rule_is_answered_with_its_code_and_nothing_behind_it_is_heard() {
    for (what, bytes, code) in bad_frames(false) {
        let (address, answers) = noting(move |raw, noted| {
            let bytes = bytes.clone();
            async move {
                let mut raw = open(raw).await;
                raw.text("4before").await;
                raw.write([bytes, frame(false, 0x81, b"4late")].concat()).await;
                let answer = raw.any_frame().await;
                let rest = raw.0.read(&mut [0; 64]).await.unwrap_or(0);
                noted.lock().unwrap().push((answer, rest));
            }
        })
        .await;
        let mut socket = connect(address).await;
        assert_eq!(socket.recv().await.unwrap(), Message::text("before"), "{what}");
        let end = socket.recv().await.unwrap_err();
        assert_eq!(end.reason, DisconnectReason::Violation(Violation::WebSocket), "{what}");
        while answers.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let expected = vec![(Some((8, code.to_be_bytes().to_vec())), 0)];
        assert_eq!(*answers.lock().unwrap(), expected, "{what}");
    }
}

#[tokio::test]
async fn control_frames_between_the_fragments_of_a_message_are_answered_at_once() {
    let (address, answers) = noting(|raw, noted| async move {
        let mut raw = open(raw).await;
        raw.write([frame(false, 0x01, b"4he"), frame(false, 0x89, b"now")].concat()).await;
        let answer = raw.any_frame().await;
        noted.lock().unwrap().push(answer);
        raw.write(frame(false, 0x80, b"llo")).await;
        while raw.frame().await.is_some() {}
    })
    .await;
    let mut socket = connect(address).await;
    assert_eq!(socket.recv().await.unwrap(), Message::text("hello"));
    assert_eq!(*answers.lock().unwrap(), [Some((10, b"now".to_vec()))]);
}

#[tokio::test]
async fn every_frame_has_a_key_of_its_own() {
    const COUNT: usize = 100;
    let (address, wires) = noting(|raw, noted| async move {
        let mut raw = open(raw).await;
        // A head of two bytes, a key of four, and `4same`.
        let mut wire = [0; 11 * COUNT];
        raw.0.read_exact(&mut wire).await.unwrap();
        noted.lock().unwrap().push(wire);
        while raw.frame().await.is_some() {}
    })
    .await;
    let socket = connect(address).await;
    for _ in 0..COUNT {
        socket.send("same").await.unwrap();
    }
    while wires.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let wire = wires.lock().unwrap()[0];
    let keys: HashSet<_> = wire.chunks(11).map(|frame| &frame[2..6]).collect();
    // Two of them may be alike by chance.
    assert!(keys.len() > COUNT - 5, "{keys:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_follows_the_request_for_a_websocket_before_its_answer() {
    let (address, early) = noting(|mut raw, noted| async move {
        let request = raw.request().await;
        let early = tokio::time::timeout(LATE, raw.0.read(&mut [0; 64])).await;
        noted.lock().unwrap().push(early.is_err());
        raw.switch_protocols(&request).await;
        raw.text(&open_packet(25_000, 20_000, "")).await;
        while raw.frame().await.is_some() {}
    })
    .await;
    let client = Client::builder(format!("ws://{address}")).build().unwrap();
    let socket = client.connect().await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(*early.lock().unwrap(), [true]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_closes_reads_on_until_its_server_has_closed_the_connection() {
    let (address, order) = noting(|raw, noted| async move {
        let mut raw = open(raw).await;
        assert_eq!(raw.any_frame().await.map(|(opcode, _)| opcode), Some(8));
        tokio::time::sleep(LATE).await;
        // A connection that is gone would answer the first of these with a reset, and refuse the second.
        raw.write(frame(false, 0x81, b"4not heard")).await;
        tokio::time::sleep(LATE).await;
        raw.write(frame(false, 0x88, b"")).await;
        let rest = raw.0.read(&mut [0; 64]).await;
        noted.lock().unwrap().push(rest.map_err(|error| error.kind()));
    })
    .await;
    let mut socket = connect(address).await;
    socket.close();
    assert_eq!(socket.recv().await.unwrap_err().reason, DisconnectReason::LocalClose);
    while order.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(*order.lock().unwrap(), [Ok(0)]);
}
