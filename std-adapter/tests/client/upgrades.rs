//! Upgrades that end with their session.

use core::time::Duration;

use eio_core::DisconnectReason;
use eio_core::upgrade::{UpgradeFailure, UpgradeOutcome};
use eio_tokio::{Client, ClientEvent};

use crate::support::{Events, open_packet, scripted};

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
