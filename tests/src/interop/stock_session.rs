//! One end of a session, held by a process of another library: its client's, or its server's.

use eio_tokio::Message;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::events::{Event, Events, text};
use super::{from_json, to_json};

/// The other library's end of one session.
#[derive(Debug)]
pub struct StockSession {
    /// What the process calls it.
    id: Value,
    commands: UnboundedSender<Value>,
    events: Events,
}

/// How a session ended, in the library's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// The library's reason.
    pub reason: String,
    /// Details, where it gives some.
    pub detail: String,
}

impl StockSession {
    pub(super) fn new(id: impl Into<Value>, commands: UnboundedSender<Value>, events: Events) -> Self {
        Self { id: id.into(), commands, events }
    }

    /// A server's name for it.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.as_str().unwrap_or_default()
    }

    /// Sends a command with this session's id.
    pub fn command(&self, command: &str, mut what: Value) {
        what["command"] = command.into();
        what["id"] = self.id.clone();
        // A process that has ended says so by the events that stay away.
        let _ = self.commands.send(what);
    }

    /// Sends a message.
    pub fn send(&self, message: &Message) {
        let (kind, value) = to_json(message);
        self.command("send", json!({ kind: value }));
    }

    /// Closes the session.
    pub fn close(&self) {
        self.command("close", json!({}));
    }

    /// Waits until a client's session is open; returns the handshake.
    pub async fn opened(&mut self) -> Value {
        let handshake = self.events.next("handshake").await;
        self.events.next("open").await;
        handshake.get("handshake").cloned().unwrap_or_default()
    }

    /// Waits until it has moved to WebSocket.
    pub async fn upgraded(&mut self) {
        self.events.next("upgrade").await;
    }

    /// Waits for a client's upgrade to fail.
    pub async fn upgrade_failed(&mut self) {
        self.events.next("upgrade-error").await;
    }

    /// Waits until it has sent or answered a heartbeat.
    pub async fn heartbeat(&mut self) {
        self.events.next("heartbeat").await;
    }

    /// The next message.
    pub async fn message(&mut self) -> Message {
        self.message_and_transport().await.0
    }

    /// The next message, and the name of the transport that carried the session when it came.
    pub async fn message_and_transport(&mut self) -> (Message, String) {
        let event = self.events.next("message").await;
        (from_json(&event), text(&event, "transport"))
    }

    /// The next event of this kind, whole.
    pub async fn event(&mut self, kind: &str) -> Event {
        self.events.next(kind).await
    }

    /// Waits for the end.
    pub async fn closed(&mut self) -> Closed {
        let event = self.events.next("close").await;
        Closed { reason: text(&event, "reason"), detail: text(&event, "detail") }
    }

    /// Waits for an error, such as a refused connection.
    pub async fn error(&mut self) -> String {
        text(&self.events.next("error").await, "detail")
    }

    /// Whether it has reported such an event that no test has asked for yet.
    pub fn has_told(&mut self, kind: &str) -> bool {
        self.events.has(kind)
    }
}
