//! What a session receives in one go: packets for the core's session, and messages on their way to the inbox.

use eio_core::BufferTooSmall;
use eio_core::Instant;
use eio_core::packet::{Data, DecodeError, Packet, WebSocketMessage};
use eio_core::session::SessionEvent;
use eio_core::ws::Close;

use crate::carrier::websocket::FrameSink;
use crate::session::engine::{Engine, Reacts};
use crate::session::happening::Happening;
use crate::session::machine::Machine as _;
use crate::session::queue::Queue;
use crate::wire::message::Message;

/// Passes packets to a session, and its messages to the inbox: several of them with one lock.
pub(crate) struct Receiver<'a, K: Reacts> {
    engine: &'a mut Engine<K>,
    now: Instant,
    /// Whether anybody wants to know of each message.
    is_watched: bool,
    /// Messages that are not in the inbox yet.
    messages: Queue<Message>,
}

impl<K: Reacts> Engine<K> {
    /// Receives what `read` passes on.
    pub(crate) fn receive<T>(&mut self, now: Instant, read: impl FnOnce(&mut Receiver<'_, K>) -> T) -> T {
        let (result, mut messages) = self.receive_undelivered(now, read);
        if !messages.is_empty() {
            self.deliver(&mut messages, now);
        }
        result
    }

    /// Receives what `read` passes on. Also returns the messages that are not in the inbox yet, for
    /// [`show_received`](Self::show_received).
    #[inline]
    pub(crate) fn receive_undelivered<T>(
        &mut self,
        now: Instant,
        read: impl FnOnce(&mut Receiver<'_, K>) -> T,
    ) -> (T, Queue<Message>) {
        let is_watched = K::is_watching(self);
        let mut receiver = Receiver { engine: self, now, is_watched, messages: Queue::default() };
        let result = read(&mut receiver);
        (result, receiver.messages)
    }
}

impl<K: Reacts> Receiver<'_, K> {
    /// Handles a decoded packet, or the error of decoding it.
    #[inline]
    pub(crate) fn handle_packet(&mut self, packet: Result<Packet<'_>, DecodeError>) {
        self.handle_packet_with(packet, Message::from_data);
    }

    /// `take` makes a message of a packet's data.
    #[inline]
    fn handle_packet_with(
        &mut self,
        packet: Result<Packet<'_>, DecodeError>,
        take: impl FnOnce(Data<'_>) -> Result<Message, BufferTooSmall>,
    ) {
        let Self { engine, now, .. } = self;
        let deadline = engine.session.poll_timeout();
        match engine.session.handle_packet(*now, packet) {
            Some(SessionEvent::Message(data)) => match take(data) {
                Ok(message) => self.handle_message(message),
                Err(error) => {
                    engine.tell(*now, Happening::Undecodable(error));
                    engine.session.handle_transport_error(*now);
                }
            },
            Some(SessionEvent::Heartbeat { rtt }) => K::handle_heartbeat(engine, *now, deadline, rtt),
            Some(SessionEvent::Opened(handshake)) => K::handle_opened(engine, *now, &handshake),
            Some(_) | None => {}
        }
    }

    /// Reports a message to observers, and keeps it for the inbox.
    #[inline]
    fn handle_message(&mut self, message: Message) {
        if self.is_watched {
            self.engine.tell(self.now, Happening::Message(&message));
        }
        let has_room = self.engine.room.take(&message);
        self.messages.push_back(message);
        if !has_room {
            self.deliver();
        }
    }

    /// Puts the messages into the inbox.
    #[inline(never)]
    fn deliver(&mut self) {
        self.engine.deliver(&mut self.messages, self.now);
        // Nobody will read those that are left. Their memory, and its `Drop`, may belong to the application.
        drop(core::mem::take(&mut self.messages));
    }
}

impl<K: Reacts> FrameSink for Receiver<'_, K> {
    fn wants_more(&self) -> bool {
        self.engine.is_reading()
    }

    #[inline]
    fn handle(&mut self, frame: WebSocketMessage<'_>) {
        let packet = K::revision(self.engine.context()).decode(frame);
        self.handle_packet(packet);
    }

    fn handle_owned(&mut self, frame: Message) {
        let packet = K::revision(self.engine.context()).decode(frame.as_websocket_message());
        self.handle_packet_with(packet, |data| Message::from_data_in(data, &frame));
    }

    fn handle_activity(&mut self) {
        self.engine.session.handle_activity(self.now);
    }

    fn handle_close(&mut self, close: Option<Close<'_>>) {
        self.engine.handle_close_frame(self.now, close);
    }
}
