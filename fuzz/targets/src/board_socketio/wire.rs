//! What the server receives of a board: what the board's calls have promised, once, in order, in packets that can be read.

use std::collections::VecDeque;

use eio_core::packet::WebSocketMessage;
use eio_core::socketio::{Body, Decoder, Packet, Received};

use crate::fakes::Sent;

/// What is to arrive.
#[derive(Debug)]
struct Promise {
    what: What,
    /// Whether it is a part of an event that cannot be sent to its end, because the server has closed the namespace. It was
    /// not begun, or its attachments are cut.
    is_given_up: bool,
}

#[derive(Debug)]
enum What {
    /// A request to join this namespace.
    Join(&'static str),
    Text(String),
    Attachment(Vec<u8>),
}

/// What the board has promised to send.
#[derive(Debug, Default)]
pub(super) struct Wire {
    promised: VecDeque<Promise>,
    decoder: Decoder,
    /// The namespaces that the board leaves by itself, at any moment, because it has taken its request back.
    leaving: Vec<String>,
    /// Whether nobody knows which namespaces these are.
    pub(super) is_wild: bool,
}

impl Wire {
    pub(super) fn promise_join(&mut self, namespace: &'static str) {
        self.promised.push_back(What::Join(namespace).into());
    }

    pub(super) fn promise(&mut self, packet: Packet<'_>, namespace: &str, attachments: &[&[u8]]) {
        let packet = packet.in_namespace(namespace).expect("a name");
        let mut out = vec![0; 1_000];
        self.promised.push_back(What::Text(packet.encode(&mut out).expect("room").to_owned()).into());
        self.promised.extend(attachments.iter().map(|bytes| What::Attachment(bytes.to_vec()).into()));
    }

    /// Notes that the board leaves a namespace by itself.
    pub(super) fn may_leave(&mut self, namespace: &str) {
        self.leaving.push(namespace.to_owned());
    }

    /// Forgets the last `parts` promises: nothing of them was sent.
    pub(super) fn take_back(&mut self, parts: usize) {
        self.promised.truncate(self.promised.len() - parts);
    }

    /// Notes that the last `parts` promises are those of an event that cannot be sent to its end.
    pub(super) fn give_up(&mut self, parts: usize) {
        for promise in self.promised.iter_mut().rev().take(parts) {
            promise.is_given_up = true;
        }
    }

    /// Compares what has arrived with what was promised. Returns the namespaces that the board has left by itself.
    pub(super) fn check(&mut self, sent: Vec<Sent>, is_old: bool) -> Vec<String> {
        let mut left = Vec::new();
        for sent in sent {
            match &sent {
                Sent::Text(text) => {
                    if let Some(text) = text.strip_prefix('4') {
                        left.extend(self.check_message(WebSocketMessage::Text(text)));
                    }
                }
                Sent::Binary(bytes) => {
                    let bytes = if is_old { bytes.strip_prefix(b"\x04").expect("a type") } else { bytes };
                    left.extend(self.check_message(WebSocketMessage::Binary(bytes)));
                }
                Sent::Ping(_) | Sent::Pong(_) | Sent::Close(_) => {}
            }
        }
        left
    }

    /// Returns the namespace that the board leaves by itself, if this is that.
    fn check_message(&mut self, message: WebSocketMessage<'_>) -> Option<String> {
        let received = self.decoder.decode(message).expect("a packet that can be read");
        let is_promised = matches!(
            (self.promised.iter().find(|promise| !promise.is_given_up), message),
            (Some(Promise { what: What::Text(promised), .. }), WebSocketMessage::Text(text)) if promised == text
        );
        if let Received::Packet(packet) = received
            && packet.body() == Body::Disconnect
            && !is_promised
        {
            if let Some(at) = self.leaving.iter().position(|name| name == packet.namespace()) {
                return Some(self.leaving.remove(at));
            }
            if self.is_wild {
                return None;
            }
        }
        while let Some(promise) = self.promised.pop_front() {
            let is_kept = match (&promise.what, message, received) {
                (What::Join(namespace), _, Received::Packet(packet)) => {
                    packet.namespace() == *namespace && matches!(packet.body(), Body::Connect(_))
                }
                (What::Text(promised), WebSocketMessage::Text(text), _) => promised == text,
                (What::Attachment(promised), WebSocketMessage::Binary(bytes), _) => {
                    promised == bytes || promise.is_given_up && promised.starts_with(bytes)
                }
                _ => false,
            };
            if is_kept {
                return None;
            }
            assert!(promise.is_given_up, "{received:?} arrives in the place of {:?}", promise.what);
        }
        panic!("{received:?} arrives, and nobody has sent it");
    }
}

impl From<What> for Promise {
    fn from(what: What) -> Self {
        Self { what, is_given_up: false }
    }
}
