//! What a board receives of a server's messages, and what the server receives of the board's: worked out from the documentation
//! of `eio_embassy::socketio`, message by message, with the core's codec.

use std::collections::VecDeque;

use eio_core::packet::WebSocketMessage;
use eio_core::socketio::{Body, Decoder, Packet, Received};
use eio_embassy::socketio::Incoming;

use crate::fakes::Sent;

/// What arrived on a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The name and the arguments as text, and the number to answer with.
    Event(String, String, Option<u64>, u32),
    Answer(u64, String, u32),
    Attachment(u32, Vec<u8>, bool),
    Connected,
    Refused(String),
    Disconnected,
    /// The message is not a packet, or comes at the wrong moment.
    Invalid,
}

impl Heard {
    pub(super) fn new(incoming: Incoming<'_>) -> Self {
        match incoming {
            Incoming::Event { event, ack, attachments } => Self::Event(
                event.name().unwrap_or("?").into(),
                event.args().as_str().into(),
                ack,
                attachments,
            ),
            Incoming::Ack { id, args, attachments } => Self::Answer(id, args.as_str().into(), attachments),
            Incoming::Attachment { num, data, last } => Self::Attachment(num, data.to_vec(), last),
            Incoming::Connected { .. } => Self::Connected,
            Incoming::Refused { data } => Self::Refused(data.into()),
            Incoming::Disconnected => Self::Disconnected,
            other => panic!("{other:?}"),
        }
    }
}

/// How far the board is in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Membership {
    Asked,
    /// It has asked, and wants it no more.
    TakenBack,
    /// It was let in all the same, and leaves.
    Unwanted,
    Joined,
}

/// How the board is used.
#[expect(clippy::struct_excessive_bools, reason = "each may be or not")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    /// It has one socket, and not a `Namespaces`.
    pub(super) is_alone: bool,
    /// It keeps a `Recovery`.
    pub(super) recovers: bool,
    /// It speaks revision 3.
    pub(super) is_old: bool,
    /// Its stream waits once before each read and write.
    pub(super) stutters: bool,
}

/// The state of a board that is as its documentation says.
#[derive(Debug)]
pub(super) struct Expected {
    usage: Use,
    /// What the server has sent, and nobody has received.
    sent: VecDeque<Sent>,
    decoder: Decoder,
    announced: u32,
    places: Vec<(&'static str, Membership)>,
    /// The namespace of the last packet.
    current: String,
    /// The namespaces that the board leaves by itself, because it was let in after it had taken its request back.
    pub(super) left: Vec<&'static str>,
    /// Whether the server has broken a rule of Socket.IO, after which nothing is heard.
    is_over: bool,
}

impl Expected {
    pub(super) fn new(usage: Use) -> Self {
        Self {
            usage,
            sent: VecDeque::new(),
            decoder: Decoder::new(),
            announced: 0,
            places: Vec::new(),
            current: String::new(),
            left: Vec::new(),
            is_over: false,
        }
    }

    /// Notes what the server sends.
    pub(super) fn push(&mut self, sent: Sent) {
        self.sent.push_back(sent);
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(super) fn membership(&self, namespace: &str) -> Option<Membership> {
        self.places.iter().find(|(name, _)| *name == namespace).map(|(_, membership)| *membership)
    }

    /// Returns whether the board can send on a namespace. A socket that recovers has joined once it receives what it missed.
    pub(super) fn can_send(&self, namespace: &str) -> bool {
        match self.membership(namespace) {
            Some(Membership::Joined) => true,
            Some(Membership::Asked) => self.usage.is_alone,
            _ => false,
        }
    }

    pub(super) fn places(&self) -> usize {
        self.places.len()
    }

    /// Notes that the board has left a namespace by itself.
    pub(super) fn note_left(&mut self, namespace: &str) {
        self.places.retain(|place| *place != (namespace, Membership::Unwanted));
    }

    /// Notes how far the board is in a namespace.
    pub(super) fn set(&mut self, namespace: &'static str, membership: Option<Membership>) {
        self.places.retain(|(name, _)| *name != namespace);
        self.places.extend(membership.map(|membership| (namespace, membership)));
    }

    /// Returns what the board receives next of what the server has sent.
    pub(super) fn next(&mut self) -> Option<(String, Heard)> {
        while let Some(message) = self.sent.pop_front() {
            if self.is_over {
                continue;
            }
            let message = match &message {
                Sent::Text(text) => WebSocketMessage::Text(text),
                Sent::Binary(bytes) => WebSocketMessage::Binary(bytes),
                other => panic!("{other:?}"),
            };
            let heard = match self.decoder.decode(message) {
                Err(_) => {
                    self.is_over = true;
                    return Some((String::new(), Heard::Invalid));
                }
                Ok(Received::Packet(packet)) => {
                    packet.namespace().clone_into(&mut self.current);
                    self.announced = packet.attachments();
                    self.hear(&packet)
                }
                Ok(Received::Attachment { num, data, last }) => {
                    Some(Heard::Attachment(num, data.to_vec(), last)).filter(|_| self.is_heard())
                }
            };
            if let Some(heard) = heard {
                return Some((self.current.clone(), heard));
            }
        }
        None
    }

    /// Whether events of the current namespace reach the application.
    fn is_heard(&self) -> bool {
        match self.membership(&self.current) {
            Some(Membership::Joined) => true,
            // What a server that recovers sends before its consent.
            Some(Membership::Asked) => !self.usage.is_alone || self.usage.recovers,
            _ => false,
        }
    }

    fn hear(&mut self, packet: &Packet<'_>) -> Option<Heard> {
        let place = self.places.iter_mut().find(|(name, _)| *name == packet.namespace())?;
        let is_wanted = matches!(place.1, Membership::Asked | Membership::Joined);
        match packet.body() {
            Body::Connect(_) => {
                place.1 = if is_wanted { Membership::Joined } else { Membership::Unwanted };
                self.left.extend((!is_wanted).then_some(place.0));
                is_wanted.then_some(Heard::Connected)
            }
            Body::ConnectError(data) => {
                let namespace = place.0;
                // An error of an old server, which leaves the socket joined.
                if !self.usage.is_alone {
                    self.set(namespace, None);
                }
                is_wanted.then(|| Heard::Refused(data.into()))
            }
            Body::Disconnect => {
                let namespace = place.0;
                self.set(namespace, None);
                is_wanted.then_some(Heard::Disconnected)
            }
            Body::Event(event) => Some(Heard::Event(
                event.name().unwrap_or("?").into(),
                event.args().as_str().into(),
                packet.id(),
                self.announced,
            ))
            .filter(|_| self.is_heard()),
            Body::Ack(args) => {
                let id = packet.id()?;
                Some(Heard::Answer(id, args.as_str().into(), self.announced)).filter(|_| self.is_heard())
            }
        }
    }
}
