//! The hostile end of a WebSocket: it says what it likes, and takes note of what it has said and heard.

use core::time::Duration;
use std::collections::HashMap;

use eio_core::packet::WebSocketMessage;
use eio_core::socketio::{Body, Decoder, Packet, Received, member};
use eio_core::ws::{self, FrameHeader, Item};
use eio_tokio::test_util::NetworkStream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::script::Script;

/// More bytes than this are not kept to be sent.
const MOST_UNSENT: usize = 1 << 18;

/// A packet that the peer has received.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) namespace: String,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Event { id: Option<u64>, args: String },
    Other,
}

/// What the peer has said that the other side can understand, up to the first packet that it must refuse.
#[derive(Debug, Default)]
pub(super) struct Said {
    decoder: Decoder,
    /// The event whose attachments are still to be said.
    unfinished: Option<(String, Event)>,
    /// The only arguments of the events "n" of each namespace, in order.
    pub(super) numbers: HashMap<String, Vec<u64>>,
    /// How many events of each namespace ask for an answer with this number.
    pub(super) asked: HashMap<(String, u64), usize>,
    /// The answers to the events with this number.
    pub(super) answers: HashMap<(String, u64), Vec<String>>,
    /// Whether it has said something that is not a packet of Socket.IO. Nothing after it may have an effect.
    pub(super) is_invalid: bool,
    /// The namespaces that it has asked to join and has not left, as far as it knows, and whether the other side has let it
    /// in.
    joined: HashMap<String, bool>,
    /// Whether it has said what a client may not say at that moment.
    pub(super) is_unexpected: bool,
}

/// What a client says of itself when it comes back.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pid: String,
    offset: String,
}

/// One end of a connection.
pub(super) struct Peer {
    stream: NetworkStream,
    /// What its frames are masked with, if it is the client.
    mask: Option<[u8; 4]>,
    pub(super) is_old: bool,
    /// How many bytes it writes at once.
    pub(super) chunk: usize,
    pub(super) said: Said,
    /// Whether it has written bytes that are no messages, so that nobody knows what the other side has understood.
    pub(super) is_wild: bool,
    /// How often each event was answered.
    pub(super) answered: HashMap<(String, u64), usize>,
    /// Whether the other side has ended the session.
    pub(super) has_ended: bool,
    pub(super) sid: String,
    /// What the other side has called it in the last namespace that it has joined, in case it comes back.
    pid: String,
    /// The place of the last event in the history of the other side, and who has received it, until it is taken.
    pub(super) place: Option<Place>,
    unsent: Vec<u8>,
    ws: ws::Decoder,
    unread: Vec<u8>,
    partial: Vec<u8>,
    decoder: Decoder,
}

impl Peer {
    /// A peer whose connection carries WebSocket frames from now on. `unread` has arrived of them.
    pub(super) fn new(stream: NetworkStream, is_client: bool, is_old: bool, unread: Vec<u8>) -> Self {
        let most = 1 << 24;
        Self {
            stream,
            mask: is_client.then_some([1, 2, 3, 4]),
            is_old,
            chunk: usize::MAX,
            said: Said::default(),
            is_wild: false,
            answered: HashMap::new(),
            has_ended: false,
            sid: String::new(),
            pid: String::new(),
            place: None,
            unsent: Vec::new(),
            ws: if is_client { ws::Decoder::client(most) } else { ws::Decoder::server(most) },
            unread,
            partial: Vec::new(),
            decoder: Decoder::new(),
        }
    }

    /// Does what a letter of a script stands for at either end of a connection, if it is one of those. In texts, `{pid}` and
    /// `{offset}` stand for the place.
    pub(super) async fn step(&mut self, letter: u8, script: &mut Script<'_>, place: Option<&Place>) {
        match letter {
            b'f' => {
                let text = String::from_utf8_lossy(script.bytes());
                match place {
                    Some(Place { pid, offset }) => {
                        self.say(&text.replace("{pid}", pid).replace("{offset}", offset)).await;
                    }
                    None => self.say(&text).await,
                }
            }
            b'b' => self.attach(script.bytes()).await,
            b'w' => self.raw(script.bytes()).await,
            b'i' => {
                // The heartbeat packet that its role sends in its revision.
                let pings = self.mask.is_some() == self.is_old;
                self.text(if pings { "2" } else { "3" }).await;
            }
            b'h' => self.chunk = usize::from(script.byte().unwrap_or(0)) + 1,
            b'g' => self.hang_up().await,
            _ => {}
        }
    }

    /// Says a packet of a namespace: `letter` is its type, and `data` is what follows the namespace.
    pub(super) async fn say_on(&mut self, namespace: &str, letter: char, data: &str) {
        let namespace = if namespace == "/" { String::new() } else { format!("{namespace},") };
        self.say(&format!("{letter}{namespace}{data}")).await;
    }

    /// Says a text of Socket.IO.
    pub(super) async fn say(&mut self, text: &str) {
        self.said.note(WebSocketMessage::Text(text), self.is_old);
        self.message(WebSocketMessage::Text(&format!("4{text}"))).await;
    }

    /// Says an attachment.
    pub(super) async fn attach(&mut self, bytes: &[u8]) {
        self.said.note(WebSocketMessage::Binary(bytes), self.is_old);
        let prefix: &[u8] = if self.is_old { b"\x04" } else { b"" };
        self.message(WebSocketMessage::Binary(&[prefix, bytes].concat())).await;
    }

    /// Says a text of Engine.IO.
    pub(super) async fn text(&mut self, text: &str) {
        self.message(WebSocketMessage::Text(text)).await;
    }

    async fn message(&mut self, message: WebSocketMessage<'_>) {
        let len = match message {
            WebSocketMessage::Text(text) => text.len(),
            WebSocketMessage::Binary(bytes) => bytes.len(),
        };
        let mut out = vec![0; len + FrameHeader::MAX_LEN];
        let len = ws::encode_message(message, self.mask, &mut out).expect("room");
        self.unsent.extend(&out[..len]);
        self.flush().await;
    }

    /// Writes bytes that need not be frames.
    pub(super) async fn raw(&mut self, bytes: &[u8]) {
        self.is_wild = true;
        self.unsent.extend(bytes);
        self.flush().await;
    }

    /// Writes as much as the connection takes. Returns whether that is all.
    pub(super) async fn flush(&mut self) -> bool {
        self.unsent.truncate(MOST_UNSENT);
        while !self.unsent.is_empty() {
            let chunk = self.chunk.min(self.unsent.len());
            match timeout(Duration::from_millis(1), self.stream.write(&self.unsent[..chunk])).await {
                Ok(Ok(written)) if written > 0 => drop(self.unsent.drain(..written)),
                _ => return false,
            }
            if self.chunk < usize::MAX {
                tokio::task::yield_now().await;
            }
        }
        true
    }

    /// Says nothing more.
    pub(super) async fn hang_up(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Takes all that arrives without further time. Whatever the peer has said, it arrives in frames and packets that can be
    /// read, and no event is answered more often than it was sent.
    pub(super) async fn hear(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        let mut bytes = vec![0; 1 << 12];
        loop {
            self.decode(&mut heard);
            match timeout(Duration::from_millis(1), self.stream.read(&mut bytes)).await {
                Err(_) => break,
                Ok(Err(_) | Ok(0)) => {
                    self.has_ended = true;
                    break;
                }
                Ok(Ok(read)) => self.unread.extend(&bytes[..read]),
            }
        }
        self.flush().await;
        heard
    }

    fn decode(&mut self, heard: &mut Vec<Heard>) {
        let mut unread = core::mem::take(&mut self.unread);
        let mut at = 0;
        while !self.has_ended {
            let decoded = self.ws.decode(&mut unread[at..]).expect("frames that can be read");
            at += decoded.consumed;
            match decoded.item {
                None => break,
                Some(Item::Message(WebSocketMessage::Text(text))) => self.hear_text(text, heard),
                Some(Item::Message(WebSocketMessage::Binary(bytes))) => self.hear_binary(bytes),
                Some(Item::Piece(piece)) => {
                    self.partial.extend(piece.bytes);
                    if piece.last {
                        let whole = core::mem::take(&mut self.partial);
                        match piece.kind {
                            ws::MessageKind::Text => {
                                self.hear_text(str::from_utf8(&whole).expect("UTF-8"), heard);
                            }
                            ws::MessageKind::Binary => self.hear_binary(&whole),
                        }
                    }
                }
                Some(Item::Control(ws::ControlFrame::Close(_))) => self.has_ended = true,
                Some(Item::Control(_)) => {}
            }
        }
        unread.drain(..at);
        self.unread = unread;
    }

    fn hear_text(&mut self, text: &str, heard: &mut Vec<Heard>) {
        if let Some(sid) = text.strip_prefix("0{\"sid\":\"").and_then(|rest| rest.split('"').next()) {
            sid.clone_into(&mut self.sid);
        }
        self.has_ended |= text == "1";
        let Some(text) = text.strip_prefix('4') else { return };
        let received = self.decoder.decode(WebSocketMessage::Text(text)).expect("a packet that can be read");
        let Received::Packet(packet) = received else { unreachable!("text is no attachment") };
        let namespace = packet.namespace().to_owned();
        self.said.note_heard(&namespace, packet.body());
        self.note_place(packet.body());
        let kind = match packet.body() {
            Body::Event(event) => Kind::Event { id: packet.id(), args: event.args().as_str().to_owned() },
            Body::Ack(_) => {
                let id = packet.id().expect("an answer to a question");
                let question = (namespace.clone(), id);
                let asked = self.said.asked.get(&question).copied().unwrap_or(0);
                let answered = self.answered.entry(question.clone()).or_default();
                *answered += 1;
                assert!(
                    self.is_wild || *answered <= asked,
                    "{asked} events {question:?} were answered {answered} times"
                );
                Kind::Other
            }
            Body::Connect(_) | Body::Disconnect | Body::ConnectError(_) => Kind::Other,
        };
        heard.push(Heard { namespace, kind });
    }

    /// Takes note of what the other side says for the case that it loses this peer.
    fn note_place(&mut self, body: Body<'_>) {
        let string = |json: &str| serde_json::from_str::<String>(json).ok();
        match body {
            Body::Connect(data) => {
                self.pid = member(data, "pid").and_then(string).unwrap_or_default();
            }
            Body::Event(event) => {
                if let Some(offset) = event.args().iter().last().and_then(string)
                    && !self.pid.is_empty()
                {
                    self.place = Some(Place { pid: self.pid.clone(), offset });
                }
            }
            Body::Ack(_) | Body::Disconnect | Body::ConnectError(_) => {}
        }
    }

    fn hear_binary(&mut self, bytes: &[u8]) {
        let bytes = if self.is_old { bytes.strip_prefix(b"\x04").expect("a type") } else { bytes };
        self.decoder.decode(WebSocketMessage::Binary(bytes)).expect("an attachment that was announced");
    }
}

/// An event or an answer.
#[derive(Debug)]
struct Event {
    id: Option<u64>,
    /// What makes it an event "n".
    number: Option<u64>,
    /// The arguments, if it is an answer.
    answer: Option<String>,
}

impl Said {
    fn note(&mut self, message: WebSocketMessage<'_>, is_old: bool) {
        if self.is_invalid {
            return;
        }
        match self.decoder.decode(message) {
            Err(_) => self.is_invalid = true,
            Ok(Received::Packet(packet)) if !can_be_answered(&packet) => self.is_invalid = true,
            Ok(Received::Packet(packet)) => {
                // Clients of Socket.IO 2 name a namespace together with their credentials.
                let namespace = packet.namespace();
                let name = if is_old { namespace.split('?').next().unwrap_or(namespace) } else { namespace };
                self.note_rules(name, packet.body());
                let event = match packet.body() {
                    Body::Event(event) => Event {
                        id: packet.id(),
                        number: event
                            .args()
                            .iter()
                            .next()
                            .filter(|_| event.is("n"))
                            .and_then(|n| n.parse().ok()),
                        answer: None,
                    },
                    Body::Ack(args) => {
                        Event { id: packet.id(), number: None, answer: Some(args.as_str().to_owned()) }
                    }
                    _ => return,
                };
                if packet.attachments() == 0 {
                    self.finish(name.to_owned(), event);
                } else {
                    self.unfinished = Some((name.to_owned(), event));
                }
            }
            Ok(Received::Attachment { last, .. }) => {
                if last && let Some((namespace, event)) = self.unfinished.take() {
                    self.finish(namespace, event);
                }
            }
        }
    }

    /// Notes whether a client may say this.
    fn note_rules(&mut self, namespace: &str, body: Body<'_>) {
        match body {
            Body::Connect(_) => {
                self.is_unexpected |= self.joined.insert(namespace.to_owned(), false).is_some();
            }
            Body::ConnectError(_) => self.is_unexpected = true,
            Body::Disconnect => self.is_unexpected |= self.joined.remove(namespace) != Some(true),
            Body::Event(_) | Body::Ack(_) => {
                self.is_unexpected |= self.joined.get(namespace) != Some(&true);
            }
        }
    }

    /// Notes what a client learns of a namespace.
    fn note_heard(&mut self, namespace: &str, body: Body<'_>) {
        match body {
            Body::Connect(_) => drop(self.joined.insert(namespace.to_owned(), true)),
            Body::Disconnect | Body::ConnectError(_) => drop(self.joined.remove(namespace)),
            Body::Event(_) | Body::Ack(_) => {}
        }
    }

    fn finish(&mut self, namespace: String, event: Event) {
        match event {
            Event { id: Some(id), answer: Some(answer), .. } => {
                self.answers.entry((namespace, id)).or_default().push(answer);
            }
            Event { answer: Some(_), .. } => {}
            Event { id, number, .. } => {
                if let Some(id) = id {
                    *self.asked.entry((namespace.clone(), id)).or_default() += 1;
                }
                self.numbers.entry(namespace).or_default().extend(number);
            }
        }
    }
}

/// Whether a packet can be passed on, and answered in its namespace. Others are refused as well.
fn can_be_answered(packet: &Packet<'_>) -> bool {
    let is_shallow = match packet.body() {
        Body::Connect(data) | Body::ConnectError(data) => Packet::ack(0, data).is_ok(),
        _ => true,
    };
    is_shallow && Packet::disconnect().in_namespace(packet.namespace()).is_ok()
}

/// Whether `some` are among `all`, in the same order.
pub(super) fn are_in_order(some: &[u64], all: &[u64]) -> bool {
    let mut all = all.iter();
    some.iter().all(|one| all.any(|other| other == one))
}
