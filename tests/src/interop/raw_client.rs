//! Raw clients: a process of Node with its `fetch` and the WebSockets of npm's ws, which know nothing of Engine.IO.
//!
//! Commands to such a process, a line of JSON each: `request` with `id`, `url`, `method`, `body` and, if it is to be
//! aborted, the milliseconds until then as `abort`; `connect` with `id` and `url`; `send` with `id` and a message; `close`
//! with `id`. What it tells, with the `id`: `response` with a `status`, a `type` and the body as `hex`, or `failed` with a
//! `detail`; and of a WebSocket `open`, `message`, `refused` with a `status`, and `close` with a `code`.

use core::time::Duration;

use eio_tokio::Message;
use serde_json::{Value, json};
use tokio::process::Command;

use super::events::{Events, text};
use super::routes::Routes;
use super::{Child, Log, from_json, to_json};

/// The process.
#[derive(Debug)]
pub struct RawClients {
    child: Child,
    routes: Routes,
}

/// What a request was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The status code.
    pub status: u64,
    /// The content type; empty if there is none.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body.
    ///
    /// # Panics
    /// If it is not text.
    #[must_use]
    pub fn text(&self) -> &str {
        core::str::from_utf8(&self.body).expect("the body is text")
    }
}

impl RawClients {
    /// Starts the process.
    #[must_use]
    pub fn start(log: &Log) -> Self {
        let mut command = Command::new("node");
        command.arg("raw.cjs");
        let (child, events) = Child::start(command, "client", log);
        Self { child, routes: Routes::start("client", events) }
    }

    /// Sends a request, now; the future is its answer. Requests overlap if the next one is made before it is awaited.
    ///
    /// # Panics
    /// When it fails.
    pub fn request(
        &mut self,
        method: &str,
        url: &str,
        body: Option<&str>,
    ) -> impl Future<Output = Answer> + use<> {
        let (id, mut events) = self.routes.session();
        self.command("request", id, json!({ "method": method, "url": url, "body": body }));
        async move {
            let event = events.next("response").await;
            let body = match from_json(&event) {
                Message::Binary(body) => body.to_vec(),
                Message::Text(text) => text.as_bytes().to_vec(),
            };
            let status = event.get("status").and_then(Value::as_u64).unwrap_or_default();
            Answer { status, content_type: text(&event, "type"), body }
        }
    }

    /// Sends a GET, and aborts it after this time.
    ///
    /// # Panics
    /// When it is answered before.
    pub async fn abandon(&mut self, url: &str, after: Duration) {
        let (id, mut events) = self.routes.session();
        let abort = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        self.command("request", id, json!({ "method": "GET", "url": url, "abort": abort }));
        events.next("failed").await;
    }

    /// Opens a WebSocket.
    pub fn connect(&mut self, url: &str) -> RawSocket {
        let (id, events) = self.routes.session();
        self.command("connect", id, json!({ "url": url }));
        RawSocket { id, commands: self.child.commands(), events }
    }

    fn command(&self, command: &str, id: u64, mut what: Value) {
        what["command"] = command.into();
        what["id"] = id.into();
        // A process that has ended says so by the events that stay away.
        let _ = self.child.commands().send(what);
    }
}

/// A WebSocket.
#[derive(Debug)]
pub struct RawSocket {
    id: u64,
    commands: tokio::sync::mpsc::UnboundedSender<Value>,
    events: Events,
}

impl RawSocket {
    /// Waits until it is open.
    pub async fn opened(&mut self) {
        self.events.next("open").await;
    }

    /// Waits for a refusal instead of an opening; returns its status.
    pub async fn refused(&mut self) -> u64 {
        let event = self.events.next("refused").await;
        event.get("status").and_then(Value::as_u64).unwrap_or_default()
    }

    /// The next message.
    pub async fn message(&mut self) -> Message {
        from_json(&self.events.next("message").await)
    }

    /// Sends a message.
    pub fn send(&self, message: impl Into<Message>) {
        let (kind, value) = to_json(&message.into());
        let _ = self.commands.send(json!({ "command": "send", "id": self.id, kind: value }));
    }

    /// Closes it.
    pub fn close(&self) {
        let _ = self.commands.send(json!({ "command": "close", "id": self.id }));
    }

    /// Waits for its end; returns the code.
    pub async fn closed(&mut self) -> u64 {
        let event = self.events.next("close").await;
        event.get("code").and_then(Value::as_u64).unwrap_or_default()
    }

    /// Whether it has reported such an event that no test has asked for yet.
    pub fn has_told(&mut self, kind: &str) -> bool {
        self.events.has(kind)
    }
}
