//! A client on WebSocket, which sends packets as they are and answers nothing but pings.

use core::time::Duration;

use eio_core::packet::WebSocketMessage;
use eio_core::ws::{self, ControlFrame, Decoder, FrameHeader, Item, MessageKind, OpCode};
use eio_socketio::Value;
use tokio::time::timeout;

use super::{Pipe, settle};

/// What a client receives: packets of Engine.IO, or the end of the connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Text(String),
    Binary(Vec<u8>),
    End,
}

/// A client that sends exactly what it is told to.
pub(crate) struct Client {
    pipe: Pipe,
    decoder: Decoder,
    /// The beginning of a message that has not arrived whole.
    pieces: Vec<u8>,
    revision: u8,
    /// The identifier of the Engine.IO session.
    pub(crate) sid: String,
}

/// Longer than any silence that a test waits for.
const PATIENCE: Duration = Duration::from_mins(10);

impl Client {
    pub(super) fn new(pipe: Pipe) -> Self {
        Self { pipe, decoder: Decoder::client(u32::MAX), pieces: Vec::new(), revision: 4, sid: String::new() }
    }

    pub(super) fn of_revision(self, revision: u8) -> Self {
        Self { revision, ..self }
    }

    /// Sends a packet of Engine.IO.
    pub(crate) async fn send_engine(&mut self, text: &str) {
        self.write(OpCode::Text, text.as_bytes()).await;
    }

    /// Sends the text of a Socket.IO packet.
    pub(crate) async fn send(&mut self, text: &str) {
        self.send_engine(&format!("4{text}")).await;
    }

    /// Sends an attachment.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        let prefix: &[u8] = if self.revision == 3 { &[4] } else { &[] };
        self.write(OpCode::Binary, &[prefix, bytes].concat()).await;
    }

    async fn write(&mut self, opcode: OpCode, payload: &[u8]) {
        let key = [1, 2, 3, 4];
        let mut frame = vec![0; FrameHeader::MAX_LEN];
        let header = FrameHeader { mask: Some(key), ..FrameHeader::new(opcode, payload.len()) };
        let len = header.encode(&mut frame).unwrap();
        frame.truncate(len);
        frame.extend_from_slice(payload);
        ws::mask(&mut frame[len..], key, 0);
        self.pipe.write(&frame).await;
    }

    /// Returns the next packet of Engine.IO, whatever it is.
    pub(crate) async fn next(&mut self) -> Received {
        timeout(PATIENCE, self.read()).await.expect("nothing more comes")
    }

    async fn read(&mut self) -> Received {
        loop {
            let decoded = self.decoder.decode(&mut self.pipe.received).unwrap();
            let received = match decoded.item {
                None => None,
                Some(Item::Message(WebSocketMessage::Text(text))) => Some(Received::Text(text.to_owned())),
                Some(Item::Message(WebSocketMessage::Binary(bytes))) => {
                    Some(Received::Binary(bytes.to_vec()))
                }
                Some(Item::Piece(piece)) => {
                    self.pieces.extend_from_slice(piece.bytes);
                    piece.last.then(|| whole(piece.kind, core::mem::take(&mut self.pieces)))
                }
                Some(Item::Control(ControlFrame::Close(_))) => Some(Received::End),
                Some(Item::Control(control)) => panic!("the server sends {control:?}"),
            };
            let has_moved = decoded.consumed > 0;
            let consumed = decoded.consumed;
            self.pipe.received.drain(..consumed);
            match received {
                Some(received) => return received,
                None if has_moved || self.pipe.receive().await => {}
                None => return Received::End,
            }
        }
    }

    /// Returns the next packet of Engine.IO, which is text.
    pub(crate) async fn text(&mut self) -> String {
        match self.next().await {
            Received::Text(text) => text,
            other => panic!("{other:?} instead of a text"),
        }
    }

    /// Returns the next packet of Engine.IO besides pings, which it answers.
    async fn next_message(&mut self) -> Received {
        let message = async {
            loop {
                match self.read().await {
                    Received::Text(text) if text == "2" => self.send_engine("3").await,
                    received => return received,
                }
            }
        };
        timeout(PATIENCE, message).await.expect("nothing but pings comes")
    }

    /// Returns the text of the next Socket.IO packet.
    pub(crate) async fn packet(&mut self) -> String {
        match self.next_message().await {
            Received::Text(text) if text.starts_with('4') => text[1..].to_owned(),
            other => panic!("{other:?} instead of a packet"),
        }
    }

    /// The next packet is this one.
    pub(crate) async fn expect(&mut self, text: &str) {
        assert_eq!(self.packet().await, text);
    }

    /// The next message is this attachment.
    pub(crate) async fn expect_bytes(&mut self, bytes: &[u8]) {
        let prefix: &[u8] = if self.revision == 3 { &[4] } else { &[] };
        assert_eq!(self.next_message().await, Received::Binary([prefix, bytes].concat()));
    }

    /// Nothing has come, now that everybody has had their turn.
    pub(crate) async fn expect_nothing(&mut self) {
        settle().await;
        if let Ok(received) = timeout(Duration::ZERO, self.read()).await {
            panic!("{received:?} instead of nothing");
        }
    }

    /// The next thing is the end of the connection. Pings before it are answered.
    pub(crate) async fn expect_end(&mut self) {
        assert_eq!(self.next_message().await, Received::End);
    }

    /// Discards what the server sends, and leaves when it closes.
    pub(crate) fn leave_with_server(mut self) {
        tokio::spawn(async move { while self.read().await != Received::End {} });
    }

    /// Joins a namespace with this data, which may be nothing. Returns the identifier of the socket.
    pub(crate) async fn join(&mut self, namespace: &str, auth: &str) -> String {
        let prefix = if namespace == "/" { "0".to_owned() } else { format!("0{namespace},") };
        self.send(&format!("{prefix}{auth}")).await;
        let packet = self.packet().await;
        let data = packet
            .strip_prefix(&prefix)
            .unwrap_or_else(|| panic!("{packet} instead of the socket's identifier"));
        let Value::Object(object) = serde_json::from_str(data).unwrap() else {
            panic!("{packet} is no object")
        };
        let [(key, Value::String(sid))] = &object.iter().collect::<Vec<_>>()[..] else {
            panic!("{packet} has other keys than sid");
        };
        assert_eq!(*key, "sid");
        sid.clone()
    }
}

fn whole(kind: MessageKind, bytes: Vec<u8>) -> Received {
    match kind {
        MessageKind::Text => Received::Text(String::from_utf8(bytes).unwrap()),
        MessageKind::Binary => Received::Binary(bytes),
    }
}
