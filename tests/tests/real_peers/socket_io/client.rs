//! A Socket.IO client made of our client and the core's packets.

use core::ops::Deref;

use eio_core::packet::WebSocketMessage;
use eio_core::socketio::{Args, Body, Decoder, Packet, Received};
use eio_tests::interop::{Log, Mode, OurClient, StockServer};
use eio_tokio::{ClientBuilder, Message};
use serde_json::{Value, json};

/// The client, once it is in a namespace.
pub(super) struct Joined {
    client: OurClient,
    decoder: Decoder,
}

/// What the server said.
#[derive(Debug, PartialEq)]
pub(super) enum Told {
    Connect(String),
    ConnectError(String),
    Disconnect,
    Event { name: String, id: Option<u64>, args: Value, attachments: Vec<Vec<u8>> },
    Ack { id: u64, args: Value, attachments: Vec<Vec<u8>> },
}

impl Told {
    /// An event that asks for nothing.
    pub(super) fn event(name: &str, args: &Value) -> Self {
        Self::Event { name: name.to_owned(), id: None, args: args.clone(), attachments: vec![] }
    }
}

impl Joined {
    /// Opens a session, and waits until it is on its final transport.
    pub(super) async fn open(server: &StockServer, mode: Mode, log: &Log, eio3: bool) -> Self {
        let client = OurClient::open(&server.url(), mode, log, |client| settings(client).eio3(eio3)).await;
        Self { client: client.expect("the server opens sessions"), decoder: Decoder::new() }
    }

    /// Opens a session, which may upgrade later.
    pub(super) async fn open_only(server: &StockServer, mode: Mode, log: &Log) -> Self {
        let client = OurClient::open_only(&server.url(), mode, log, settings).await;
        Self { client: client.expect("the server opens sessions"), decoder: Decoder::new() }
    }

    pub(super) async fn send(&self, packet: Packet<'_>) {
        self.client.send(encoded(packet)).await.expect("the session lives");
    }

    /// An attachment of the packet before.
    pub(super) async fn send_bytes(&self, bytes: &[u8]) {
        self.client.send(bytes.to_vec()).await.expect("the session lives");
    }

    /// The next packet, with its attachments.
    pub(super) async fn told(&mut self) -> Told {
        let message = self.client.message().await;
        let Ok(Received::Packet(packet)) = self.decoder.decode(frame(&message)) else {
            panic!("no packet: {message:?}");
        };
        let mut attachments = Vec::new();
        while self.decoder.missing() > 0 {
            let message = self.client.message().await;
            let Ok(Received::Attachment { data, .. }) = self.decoder.decode(frame(&message)) else {
                panic!("no attachment: {message:?}");
            };
            attachments.push(data.to_vec());
        }
        match packet.body() {
            Body::Connect(data) => Told::Connect(data.to_owned()),
            Body::ConnectError(data) => Told::ConnectError(data.to_owned()),
            Body::Disconnect => Told::Disconnect,
            Body::Event(event) => {
                let name = event.name().map(str::to_owned);
                // A name with escapes is compared, not read.
                let name = name.or_else(|| event.is(ESCAPED).then(|| ESCAPED.to_owned()));
                Told::Event {
                    name: name.expect("a name that the tests know"),
                    id: packet.id(),
                    args: values(event.args()),
                    attachments,
                }
            }
            Body::Ack(args) => Told::Ack {
                id: packet.id().expect("an answer to something"),
                args: values(args),
                attachments,
            },
        }
    }
}

/// The one event's name in these tests that JSON escapes.
const ESCAPED: &str = "news \"of\" today";

impl Deref for Joined {
    type Target = OurClient;

    fn deref(&self) -> &OurClient {
        &self.client
    }
}

fn settings(client: ClientBuilder) -> ClientBuilder {
    client.path("/socket.io/")
}

/// The text of a packet.
pub(super) fn encoded(packet: Packet<'_>) -> String {
    let mut out = vec![0; 1024];
    packet.encode(&mut out).expect("the tests' packets are small").to_owned()
}

fn frame(message: &Message) -> WebSocketMessage<'_> {
    match message {
        Message::Text(text) => WebSocketMessage::Text(text),
        Message::Binary(bytes) => WebSocketMessage::Binary(bytes),
    }
}

fn values(args: Args<'_>) -> Value {
    args.iter().map(|value| serde_json::from_str(value).unwrap_or(json!(null))).collect()
}
