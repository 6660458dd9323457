//! What the protocol's own suite asks of a server, in our words, by clients that know nothing of Engine.IO: Node's
//! `fetch`, and npm's `ws`.
//!
//! Each case holds one of the suite's in both revisions, where both have it; its documentation names the suite's title
//! and the section of the protocol's description. `docs/conformance.md` lists the cases of the suite, and where it is.

mod close;
mod handshake;
mod heartbeat;
mod message;
mod upgrade;

use core::time::Duration;

use eio_core::{Heartbeat, Revision};
use eio_tests::interop::{Answer, Case, Log, RawClients, RawSocket, ServerEnd, TestServer};
use serde_json::Value;

/// Every case.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for revision in [Revision::V4, Revision::V3] {
        handshake::cases(revision, &mut cases);
        message::cases(revision, &mut cases);
        heartbeat::cases(revision, &mut cases);
        close::cases(revision, &mut cases);
        upgrade::cases(revision, &mut cases);
    }
    cases
}

/// What the cases need of a revision.
trait Cases {
    /// Returns a case that passes this revision to `run`.
    fn case<R>(self, sentence: &str, run: fn(Self, Log) -> R) -> Case
    where
        R: Future<Output = ()> + Send + 'static;

    /// Returns a polling payload of packets that are text.
    fn payload(self, packets: &[&str]) -> String;
}

impl Cases for Revision {
    fn case<R>(self, sentence: &str, run: fn(Self, Log) -> R) -> Case
    where
        R: Future<Output = ()> + Send + 'static,
    {
        Case::new(format!("fetch and ws in revision {self}: {sentence}"), move |log| run(self, log))
    }

    fn payload(self, packets: &[&str]) -> String {
        match self {
            Self::V4 => packets.join("\u{1e}"),
            Self::V3 => {
                let framed = packets.iter().map(|packet| format!("{}:{packet}", packet.len()));
                framed.collect::<Vec<_>>().concat()
            }
        }
    }
}

/// A server that echoes, and raw clients for it.
struct Stage {
    revision: Revision,
    server: TestServer,
    clients: RawClients,
}

impl Stage {
    /// With periods that no case comes near.
    async fn open(revision: Revision, log: &Log) -> Self {
        Self::with_heartbeat(revision, Heartbeat::DEFAULT, log).await
    }

    async fn with_heartbeat(revision: Revision, heartbeat: Heartbeat, log: &Log) -> Self {
        let server = TestServer::start_echo(log, |server| {
            server.heartbeat(heartbeat).max_payload(1_000_000).eio3(revision == Revision::V3)
        });
        Self { revision, server: server.await, clients: RawClients::start(log) }
    }

    /// A URL with this query.
    fn url(&self, scheme: &str, query: &str) -> String {
        format!("{scheme}://{}/engine.io/?{query}", self.server.address)
    }

    /// The query of a polling request. In revision 3 it is one of a client that cannot take bytes.
    fn polling(&self, sid: Option<&str>) -> String {
        let b64 = if self.revision == Revision::V3 && sid.is_none() { "&b64=1" } else { "" };
        let sid = sid.map(|sid| format!("&sid={sid}")).unwrap_or_default();
        format!("EIO={}&transport=polling{b64}{sid}", self.revision)
    }

    /// The query of a WebSocket.
    fn websocket(&self, sid: Option<&str>) -> String {
        let sid = sid.map(|sid| format!("&sid={sid}")).unwrap_or_default();
        format!("EIO={}&transport=websocket{sid}", self.revision)
    }

    /// Makes a request; the future is its answer.
    fn ask(&mut self, method: &str, query: &str, body: Option<&str>) -> impl Future<Output = Answer> + use<> {
        let url = self.url("http", query);
        self.clients.request(method, &url, body)
    }

    /// Polls a session.
    fn poll(&mut self, sid: &str) -> impl Future<Output = Answer> + use<> {
        let query = self.polling(Some(sid));
        self.ask("GET", &query, None)
    }

    /// Posts a payload of these packets to a session.
    fn post(&mut self, sid: &str, packets: &[&str]) -> impl Future<Output = Answer> + use<> {
        let (query, body) = (self.polling(Some(sid)), self.revision.payload(packets));
        self.ask("POST", &query, Some(&body))
    }

    fn connect(&mut self, query: &str) -> RawSocket {
        let url = self.url("ws", query);
        self.clients.connect(&url)
    }

    /// A session on polling: its identifier, and the server's end.
    async fn session(&mut self) -> (String, ServerEnd) {
        let query = self.polling(None);
        let answer = self.ask("GET", &query, None).await;
        assert_eq!(answer.status, 200);
        let handshake = self.handshake(answer.text());
        let sid = handshake["sid"].as_str().expect("a sid is text").to_owned();
        (sid, self.server.accept().await)
    }

    /// A session on a WebSocket, behind its handshake, and the server's end.
    async fn socket(&mut self) -> (RawSocket, ServerEnd) {
        let query = self.websocket(None);
        let mut socket = self.connect(&query);
        socket.message().await;
        (socket, self.server.accept().await)
    }

    /// A session that has moved from polling to a WebSocket: its identifier, the WebSocket, and the server's end.
    async fn upgraded(&mut self) -> (String, RawSocket, ServerEnd) {
        let (sid, at_server) = self.session().await;
        let query = self.websocket(Some(&sid));
        let mut socket = self.connect(&query);
        socket.opened().await;
        socket.send("2probe");
        if self.revision == Revision::V3 {
            assert_eq!(socket.message().await.as_text(), Some("3probe"));
        }
        socket.send("5");
        (sid, socket, at_server)
    }

    /// The JSON of the open packet that this polling payload holds.
    fn handshake(&self, payload: &str) -> Value {
        let packet = match self.revision {
            Revision::V4 => payload,
            Revision::V3 => {
                let (length, packet) = payload.split_once(':').expect("a length stands before a packet");
                assert_eq!(length.parse(), Ok(packet.len()));
                packet
            }
        };
        open_packet(packet)
    }
}

/// The JSON of an open packet.
fn open_packet(packet: &str) -> Value {
    serde_json::from_str(packet.strip_prefix('0').expect("an open packet comes first")).expect("JSON")
}

/// Pings soon, and waits for long.
fn quick_pings() -> Heartbeat {
    Heartbeat::new(Duration::from_millis(300), Duration::from_secs(20)).expect("valid periods")
}

/// Notices silence soon.
fn short_patience() -> Heartbeat {
    Heartbeat::new(Duration::from_millis(300), Duration::from_millis(200)).expect("valid periods")
}
