//! A client of a WebSocket, frame by frame.

use eio_core::ws::{self, Decoder, FrameHeader, Item, MessageKind, OpCode};

use super::Connection;

/// What a WebSocket receives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    /// A close frame with its code, or the end of the connection with none.
    Close(Option<u16>),
    End,
}

/// A client's WebSocket that does nothing by itself.
pub(crate) struct WebSocket {
    pub(crate) connection: Connection,
    pub(super) decoder: Decoder,
    pub(super) message: Vec<u8>,
    /// What the server's close frame said.
    pub(crate) close_reason: String,
}

impl WebSocket {
    pub(crate) fn frame(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
        let key = [1, 2, 3, 4];
        let mut bytes = vec![0; FrameHeader::MAX_LEN];
        let header = FrameHeader { mask: Some(key), ..FrameHeader::new(opcode, payload.len()) };
        let len = header.encode(&mut bytes).unwrap();
        bytes.truncate(len);
        bytes.extend_from_slice(payload);
        ws::mask(&mut bytes[len..], key, 0);
        bytes
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.connection.write(&Self::frame(OpCode::Text, text.as_bytes())).await;
    }

    pub(crate) async fn next(&mut self) -> Received {
        loop {
            let decoded = self.decoder.decode(&mut self.connection.received).unwrap();
            let item = match decoded.item {
                None => None,
                Some(Item::Message(eio_core::packet::WebSocketMessage::Text(text))) => {
                    Some(Received::Text(text.to_owned()))
                }
                Some(Item::Message(eio_core::packet::WebSocketMessage::Binary(bytes))) => {
                    Some(Received::Binary(bytes.to_vec()))
                }
                Some(Item::Piece(piece)) => {
                    self.message.extend_from_slice(piece.bytes);
                    let whole = piece.last.then(|| core::mem::take(&mut self.message));
                    let consumed = decoded.consumed;
                    let item = whole.map(|message| match piece.kind {
                        MessageKind::Text => Received::Text(String::from_utf8(message).unwrap()),
                        MessageKind::Binary => Received::Binary(message),
                    });
                    self.connection.received.drain(..consumed);
                    match item {
                        Some(item) => return item,
                        None => continue,
                    }
                }
                Some(Item::Control(ws::ControlFrame::Close(close))) => {
                    close.map_or("", |close| close.reason()).clone_into(&mut self.close_reason);
                    Some(Received::Close(close.map(|close| close.code().as_u16())))
                }
                Some(Item::Control(ws::ControlFrame::Pong(payload))) => {
                    Some(Received::Pong(payload.to_vec()))
                }
                Some(Item::Control(ws::ControlFrame::Ping(_))) => {
                    panic!("the server sends no pings of RFC 6455")
                }
            };
            let consumed = decoded.consumed;
            self.connection.received.drain(..consumed);
            match item {
                Some(item) => return item,
                None if self.connection.receive().await => {}
                None => return Received::End,
            }
        }
    }

    /// Discards what the server sends, and leaves when it closes.
    pub(crate) fn leave_with_server(mut self) {
        tokio::spawn(
            async move { while !matches!(self.next().await, Received::Close(_) | Received::End) {} },
        );
    }

    pub(crate) async fn text(&mut self) -> String {
        match self.next().await {
            Received::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }
}
