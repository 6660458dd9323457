//! Engine.IO clients.
//!
//! `{"command": "open", "url": .., "options": {"transports": [..], "size": ..}}` opens a session and sends one binary
//! message of that size, unless it is 0.

use eio_core::upgrade::UpgradeOutcome;
use eio_tests::interop::to_json;
use eio_tokio::{Client, ClientEvent, Transport};
use serde_json::{Value, json};

use crate::{Commands, Options, say};

pub(crate) async fn run(mut commands: Commands) {
    while let Some(mut command) = commands.next().await {
        let url = command["url"].as_str().unwrap_or_default().to_owned();
        tokio::spawn(open(url, Options(command["options"].take())));
    }
}

async fn open(url: String, options: Options) {
    let only = options.0["transports"].as_array().and_then(|names| names.first()).and_then(Value::as_str);
    let transports: &[Transport] = match only {
        Some("websocket") => &[Transport::WebSocket],
        Some(_) => &[Transport::Polling],
        None => &[Transport::Polling, Transport::WebSocket],
    };
    let client = Client::builder(url).transports(transports.iter().copied()).on_event(|event| tell(&event));
    let mut socket = match client.build().expect("the settings are valid").connect().await {
        Ok(socket) => socket,
        Err(error) => return say("close", json!({ "reason": error.to_string() })),
    };
    say("open", json!({}));
    if options.number("size") > 0 {
        let sender = socket.sender();
        tokio::spawn(async move { sender.send(vec![0; options.number("size")]).await });
    }
    while let Ok(message) = socket.recv().await {
        let (kind, value) = to_json(&message);
        say("message", json!({ kind: value }));
    }
    say("close", json!({ "reason": socket.closed().await.reason.as_str() }));
}

fn tell(event: &ClientEvent) {
    if let ClientEvent::UpgradeEnded(outcome) = event
        && *outcome != UpgradeOutcome::Upgraded
    {
        say("upgrade-error", json!({ "detail": outcome.to_string() }));
    }
}
