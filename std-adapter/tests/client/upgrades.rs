//! Upgrades that end with their session, or at the last moment.

use core::time::Duration;

use eio_core::DisconnectReason;
use eio_core::upgrade::{UpgradeFailure, UpgradeOutcome};
use eio_tokio::{Client, ClientEvent, Server};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::bad_frames::frame;
use crate::support::{Events, Raw, echo, open_packet, scripted, serve};

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_ends_with_a_silent_server_is_told_before_the_end() {
    let address = scripted(|mut raw| async move {
        loop {
            let request = raw.request().await;
            if request.is_empty() {
                return;
            }
            if request.contains("transport=websocket") {
                raw.switch_protocols(&request).await;
                // It does not answer the probe.
                core::future::pending::<()>().await;
            } else if request.contains("sid=") {
                core::future::pending::<()>().await;
            }
            raw.answer("200 OK", &open_packet(300, 200, r#""websocket""#)).await;
        }
    })
    .await;
    let events = Events::default();
    let client = events.watch(Client::builder(format!("http://{address}"))).build().unwrap();
    let mut socket = client.connect().await.unwrap();
    assert_eq!(socket.recv().await.unwrap_err().reason, DisconnectReason::PingTimeout);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let events = events.all();
    let position = |wanted: fn(&ClientEvent) -> bool| events.iter().position(wanted);
    let upgrade = position(|event| {
        let failed = UpgradeOutcome::Failed(UpgradeFailure::SessionEnded);
        matches!(event, ClientEvent::UpgradeEnded(outcome) if *outcome == failed)
    });
    let end = position(|event| matches!(event, ClientEvent::Closed(_)));
    assert!(upgrade.is_some() && upgrade < end, "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn the_last_packet_of_an_upgrade_counts_if_the_runtime_has_not_seen_it_when_its_time_is_over() {
    let (server, address) = serve(Server::builder(echo)).await;
    let mut polling = Raw(TcpStream::connect(address).await.unwrap());
    polling.write("GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (_, mut open) = polling.head().await;
    while !open.ends_with(b"}") {
        open.push(polling.0.read_u8().await.unwrap());
    }
    let open = String::from_utf8(open).unwrap();
    let sid = open.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
    let mut websocket = Raw(TcpStream::connect(address).await.unwrap());
    let request = format!(
        "GET /engine.io/?EIO=4&transport=websocket&sid={sid} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    );
    websocket.write(request).await;
    websocket.head().await;
    websocket.write(frame(true, 0x81, b"2probe")).await;
    let mut answer = [0; 8];
    websocket.0.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"\x81\x063probe");

    // As when another task holds the runtime up: the session's task is due to run, and nobody has looked at its socket since.
    let last = frame(true, 0x81, b"5");
    assert_eq!(websocket.0.try_write(&last).unwrap(), last.len());
    server.sessions()[0].try_send("hello").unwrap();
    tokio::time::advance(Duration::from_secs(10)).await;
    let mut answer = [0; 8];
    websocket.0.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"\x81\x064hello");
}
