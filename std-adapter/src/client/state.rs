//! What a client session's task and its application share.
//!
//! One mutex, held for short, never across an await. The core's [`ClientSession`] decides; this file moves messages
//! between the queues, wakes whoever waits, and notes what the session's task tells later, when no lock is held.

use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eio_core::packet::{DecodeError, Packet};
use eio_core::payload::v3::Framing;
use eio_core::session::{Control, SessionEvent};
use eio_core::ws::Close;
use eio_core::{ClientSession, DisconnectReason, Heartbeat, Instant, payload};
use tokio::sync::Notify;
use tracing::level_filters::LevelFilter;

use crate::client::error::ConnectError;
use crate::client::event::ClientEvent;
use crate::client::handshake::HandshakeInfo;
use crate::client::http::{Answer, Dialer};
use crate::client::notice;
use crate::session::guard::guarded;
use crate::session::mailbox::{Mailbox, Taken};
use crate::session::socket::{Disconnect, SendError, SendErrorKind, TrySendError};
use crate::session::waiting::{self, until};
use crate::wire::close_frame::CloseFrame;
use crate::wire::message::Message;
use crate::wire::outgoing::Outgoing;
use crate::wire::outgoing::ToWrite;
use crate::wire::payload::{packet_bound, separator};
use crate::wire::transport::Transport;
use eio_core::Revision;

/// How much messages may fill of one request with data. A heartbeat that becomes due waits for the request in flight.
const BATCH: usize = 64 * 1024;

/// One session, for all who deal with it.
pub(crate) struct State {
    pub(crate) dialer: Dialer,
    /// Signalled when the session opens, when the outbox has room again, and when the session ends.
    pub(crate) changed: Notify,
    inner: Mutex<Inner>,
}

/// What the mutex guards.
pub(crate) struct Inner {
    pub(crate) session: ClientSession,
    pub(crate) transport: Transport,
    pub(crate) mail: Mailbox,
    /// `close` was called: the close packet goes out behind the last message.
    close_due: bool,
    /// What our close frame will say, if `close_with` was called.
    close_frame: Option<CloseFrame>,
    /// What the peer's close frame said, until the end is told.
    peer_close: Option<CloseFrame>,
    handshake: Option<HandshakeInfo>,
    /// When the server's latest ping came, or the session opened.
    last_ping: Instant,
    /// Why the session will not open, or the request that ended it.
    failure: Option<Box<ConnectError>>,
    /// The subprotocol of its WebSocket.
    pub(crate) protocol: Option<Box<str>>,
    end: Option<Disconnect>,
    ended_at: Option<Instant>,
    /// What the session's task has yet to tell.
    notices: Vec<ClientEvent>,
    /// It is telling it now.
    telling: bool,
}

/// What one request with data carries.
pub(crate) struct Batch {
    pub(crate) controls: Vec<Packet<'static>>,
    pub(crate) messages: Vec<Message>,
    /// It ends with the close packet.
    pub(crate) closes: bool,
}

impl State {
    /// A session that opens within `open_timeout`.
    pub(crate) fn new(dialer: Dialer, open_timeout: Duration) -> Self {
        let config = &dialer.config;
        let now = dialer.clock.now();
        let mut session = match config.revision {
            Revision::V4 => ClientSession::eio4(open_timeout, now),
            Revision::V3 => ClientSession::eio3(open_timeout, now),
        };
        if let Some(at_most) = config.ping_timeout_at_most {
            session = session.with_ping_timeout_at_most(at_most);
        }
        let inner = Inner {
            session,
            transport: config.first,
            mail: Mailbox::default(),
            close_due: false,
            close_frame: None,
            peer_close: None,
            handshake: None,
            last_ping: now,
            failure: None,
            protocol: None,
            end: None,
            ended_at: None,
            notices: vec![ClientEvent::Connecting],
            telling: false,
        };
        Self { dialer, changed: Notify::new(), inner: Mutex::new(inner) }
    }

    /// A panic of an application elsewhere must not take this session with it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Instant {
        self.dialer.clock.now()
    }

    /// Whether anybody wants to hear of messages and heartbeats. If not, nothing is noted.
    fn is_watched(&self) -> bool {
        self.dialer.config.on_event.is_some() || LevelFilter::current() >= LevelFilter::TRACE
    }

    pub(crate) fn revision(&self) -> Revision {
        self.dialer.config.revision
    }

    /// Changes the session. What came of it the session's task tells later.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut Inner, Instant) -> T) -> T {
        let now = self.now();
        let mut inner = self.lock();
        let result = change(&mut inner, now);
        Self::settle(&mut inner, now);
        if !inner.notices.is_empty() {
            inner.mail.wake_task();
        }
        let reader = inner.mail.take_woken_reader();
        drop(inner);
        // Only now: it may be of the application's own making.
        if let Some(reader) = reader {
            reader.wake();
        }
        result
    }

    /// Changes the session, for its task, which tells at once what came of it.
    pub(crate) fn update_and_tell<T>(&self, change: impl FnOnce(&mut Inner, Instant) -> T) -> T {
        let result = self.update(change);
        self.tell();
        result
    }

    /// Notes what has happened.
    pub(crate) fn note(&self, event: ClientEvent) {
        let mut inner = self.lock();
        inner.notices.push(event);
        inner.mail.wake_task();
    }

    /// Tells what has happened, for the session's task. If whoever hears of it panics, the session ends, which is told
    /// as well. Only then the application sees what it waits for, so that it never comes before its event.
    pub(crate) fn tell(&self) {
        let mut told = false;
        loop {
            let (notices, handshake) = {
                let mut inner = self.lock();
                inner.telling = !inner.notices.is_empty();
                (core::mem::take(&mut inner.notices), inner.handshake.clone())
            };
            if notices.is_empty() {
                break;
            }
            told = true;
            let sid = handshake.as_ref().map_or("", HandshakeInfo::sid);
            let mut panicked = false;
            for event in notices {
                panicked |= !notice::tell(&event, sid, self.dialer.config.on_event.as_ref());
                panicked |= guarded(|| drop(event)).is_err();
            }
            if panicked {
                let close_timeout = self.dialer.config.close_timeout;
                self.update(|inner, now| {
                    inner.session.handle_application_panicked(now, close_timeout);
                    inner.mail.wake_task();
                });
            }
        }
        if told {
            self.update(|inner, _| inner.mail.wake_reader());
            self.changed.notify_waiters();
        }
    }

    /// Notices the end once, as soon as it is there, before anything is written.
    fn settle(inner: &mut Inner, now: Instant) {
        if inner.end.is_none()
            && let Some(end) = inner.session.end()
        {
            let disconnect = Disconnect {
                reason: end.reason,
                silent_for: end.silent_for,
                transport: inner.transport,
                unsent: inner.mail.outgoing(),
                close_frame: inner.peer_close.take(),
            };
            inner.mail.end();
            inner.end = Some(disconnect.clone());
            inner.ended_at = Some(now);
            let event = match inner.handshake {
                Some(_) => ClientEvent::Closed(disconnect),
                None => ClientEvent::ConnectFailed { error: inner.connect_error(&disconnect) },
            };
            inner.notices.push(event);
            inner.mail.wake_task();
        }
    }

    /// Waits for the handshake.
    pub(crate) fn opened(&self) -> impl Future<Output = Result<HandshakeInfo, ConnectError>> {
        until(&self.changed, || {
            let inner = self.lock();
            if !inner.is_told() {
                return None;
            }
            match (&inner.handshake, &inner.end) {
                (Some(handshake), _) => Some(Ok(handshake.clone())),
                (None, Some(end)) => Some(Err(inner.connect_error(end))),
                (None, None) => None,
            }
        })
    }

    /// Waits for the end.
    pub(crate) fn closed(&self) -> impl Future<Output = Disconnect> {
        until(&self.changed, || {
            let inner = self.lock();
            inner.end.clone().filter(|_| inner.is_told())
        })
    }

    /// Sends a message as soon as the outbox has room.
    pub(crate) fn send(&self, message: Message) -> impl Future<Output = Result<(), SendError>> {
        waiting::send(&self.changed, message, |message| self.try_send(message))
    }

    /// Whether a message may enter the outbox, and in it goes.
    pub(crate) fn try_send(&self, message: Message) -> Result<(), TrySendError> {
        let now = self.now();
        let mut inner = self.lock();
        let kind = match inner.session.check_send(now) {
            Err(error) => SendErrorKind::Session(error),
            Ok(())
                if inner.transport == Transport::Polling
                    && let Some(at) = separator(self.revision(), &message) =>
            {
                SendErrorKind::Separator { at }
            }
            Ok(()) => match inner.max_payload_below(&message, self.revision()) {
                Some(max_payload) => SendErrorKind::TooLarge { max_payload },
                None if inner.mail.has_room(&self.dialer.config.limits) => {
                    inner.mail.post(Outgoing::Message(message));
                    inner.mail.wake_task();
                    return Ok(());
                }
                None => return Err(TrySendError::Full(message)),
            },
        };
        Err(TrySendError::Refused(SendError { message, kind }))
    }

    /// The next message for the application, or how the session ended once all have been taken.
    pub(crate) fn poll_recv(&self, cx: &Context<'_>) -> Poll<Result<Message, Disconnect>> {
        let now = self.now();
        let mut inner = self.lock();
        match inner.mail.take(&self.dialer.config.limits) {
            Some(Taken::Message(message)) => return Poll::Ready(Ok(message)),
            Some(Taken::MessageAndRoom(message)) => {
                inner.session.handle_reading_resumed(now);
                inner.mail.wake_task();
                return Poll::Ready(Ok(message));
            }
            None => {}
        }
        if let Some(end) = inner.end.as_ref().filter(|_| inner.is_told()) {
            return Poll::Ready(Err(end.clone()));
        }
        inner.mail.wait(cx);
        Poll::Pending
    }

    /// `frame` is what the close frame says, where one can be sent.
    pub(crate) fn close(&self, frame: Option<CloseFrame>) {
        let close_timeout = self.dialer.config.close_timeout;
        self.update(|inner, now| {
            if inner.session.is_open() {
                inner.close_frame = frame;
            }
            inner.session.close(now, close_timeout);
            inner.mail.wake_task();
        });
    }

    /// The application is gone: what still comes in goes nowhere, and the session closes.
    pub(crate) fn abandon(&self) {
        let unread = self.update(|inner, now| {
            let (unread, resumes) = inner.mail.abandon();
            if resumes {
                inner.session.handle_reading_resumed(now);
            }
            if std::thread::panicking() {
                inner.session.handle_application_panicked(now, self.dialer.config.close_timeout);
            }
            unread
        });
        drop(unread);
        self.close(None);
    }
}

impl Inner {
    /// One packet from the server, or something that is none.
    pub(crate) fn handle_packet(
        &mut self,
        now: Instant,
        packet: Result<Packet<'_>, DecodeError>,
        state: &State,
    ) {
        let left = self.session.poll_timeout().map(|deadline| deadline.saturating_duration_since(now));
        match self.session.handle_packet(now, packet) {
            Some(SessionEvent::Opened(handshake)) => {
                let handshake = HandshakeInfo::new(&handshake);
                self.last_ping = now;
                self.handshake = Some(handshake.clone());
                let protocol = self.protocol.as_deref().map(str::to_owned);
                self.notices.extend(protocol.map(|protocol| ClientEvent::ProtocolChosen { protocol }));
                self.notices.push(ClientEvent::Opened { handshake, transport: self.transport });
            }
            Some(SessionEvent::Message(data)) => {
                let message = match Message::from_data(data) {
                    Ok(message) => message,
                    Err(error) => {
                        let error = ConnectError::io(std::io::Error::other(error));
                        self.notices.push(ClientEvent::RequestFailed { error });
                        return self.session.handle_transport_error(now);
                    }
                };
                if state.is_watched() {
                    self.notices.push(ClientEvent::Message(message.clone()));
                }
                let config = &state.dialer.config;
                if self.mail.deliver(message, &config.limits)
                    && let Some(heartbeat) = self.session.heartbeat()
                {
                    self.session.handle_reading_paused(now, config.app_stall_timeout(heartbeat));
                }
            }
            Some(SessionEvent::Heartbeat { rtt }) if state.revision() == Revision::V3 => {
                self.note_heartbeat(state, ClientEvent::PongReceived { rtt });
            }
            Some(SessionEvent::Heartbeat { .. }) => {
                let after = now.saturating_duration_since(self.last_ping);
                let interval = self.session.heartbeat().map_or(Duration::ZERO, Heartbeat::ping_interval);
                let late = after.saturating_sub(interval);
                self.last_ping = now;
                let left = left.unwrap_or_default();
                self.note_heartbeat(state, ClientEvent::PingReceived { after, late, left });
            }
            Some(_) | None => {}
        }
    }

    /// The packets of an answer to a poll.
    pub(crate) fn handle_payload(&mut self, now: Instant, answer: &Answer, state: &State) {
        // As many as it holds: its bytes are what is limited.
        let max_packets = usize::MAX;
        match state.revision() {
            Revision::V4 => {
                for packet in payload::v4::decode(&answer.body, max_packets) {
                    self.handle_packet(now, packet, state);
                }
            }
            Revision::V3 => {
                let framing = if answer.is_binary { Framing::Binary } else { Framing::Text };
                for packet in payload::v3::decode(framing, &answer.body, max_packets) {
                    self.handle_packet(now, packet, state);
                }
            }
        }
    }

    /// The peer's close frame came in. It ends the session, and is kept if nothing has ended it before.
    pub(crate) fn handle_close_frame(&mut self, now: Instant, close: Option<Close<'_>>) {
        if !self.session.has_ended() {
            self.peer_close = Some(CloseFrame::received(close));
        }
        self.session.handle_close_frame(now, close);
    }

    /// What our close frame will say, if it will say anything.
    pub(crate) fn close_frame(&self) -> Option<CloseFrame> {
        self.close_frame.clone()
    }

    /// The same, once nobody else will need it.
    pub(crate) fn take_close_frame(&mut self) -> Option<CloseFrame> {
        self.close_frame.take()
    }

    fn note_heartbeat(&mut self, state: &State, event: ClientEvent) {
        if state.is_watched() {
            self.notices.push(event);
        }
    }

    /// Notes what has happened.
    pub(crate) fn note(&mut self, event: ClientEvent) {
        self.notices.push(event);
    }

    /// Whether the session has ended, and everybody knows.
    pub(crate) fn is_over(&self) -> bool {
        self.end.is_some() && self.is_told()
    }

    /// Whether everything that has happened has been told.
    fn is_told(&self) -> bool {
        self.notices.is_empty() && !self.telling
    }

    /// A request failed, and with it the transport.
    pub(crate) fn fail(&mut self, error: ConnectError) {
        self.failure.get_or_insert(Box::new(error));
    }

    pub(crate) fn failure(&self) -> Option<&ConnectError> {
        self.failure.as_deref()
    }

    pub(crate) fn handshake(&self) -> Option<&HandshakeInfo> {
        self.handshake.as_ref()
    }

    pub(crate) fn end(&self) -> Option<&Disconnect> {
        self.end.as_ref()
    }

    pub(crate) fn ended_at(&self) -> Option<Instant> {
        self.ended_at
    }

    fn connect_error(&self, end: &Disconnect) -> ConnectError {
        match (&self.failure, end.reason) {
            (Some(failure), _) => ConnectError::clone(failure),
            (None, DisconnectReason::OpenTimeout) => ConnectError::Timeout,
            (None, _) => ConnectError::Session(end.clone()),
        }
    }

    /// The server's limit, if the message is above it.
    fn max_payload_below(&self, message: &Message, revision: Revision) -> Option<u32> {
        let max_payload = self.handshake.as_ref()?.max_payload()?;
        let packet = Packet::message(message.as_websocket_message());
        // An upgrade on the way can only make it shorter.
        let binary_as_it_is = self.transport == Transport::WebSocket || revision == Revision::V3;
        let len = revision.encoded_len(&packet, binary_as_it_is);
        (u64::try_from(len).unwrap_or(u64::MAX) > u64::from(max_payload)).then_some(max_payload)
    }

    /// The session's own next packet, but for the close packet, which is noted.
    fn next_control(&mut self, state: &State) -> Option<Control> {
        while let Some(control) = self.session.poll_transmit() {
            match control {
                Control::Close => self.close_due = true,
                Control::Ping => {
                    self.note_heartbeat(state, ClientEvent::PingSent);
                    return Some(control);
                }
                Control::Pong => {
                    self.note_heartbeat(state, ClientEvent::PongSent);
                    return Some(control);
                }
            }
        }
        None
    }

    /// What a WebSocket writes next: heartbeats overtake messages.
    pub(crate) fn next_to_write(&mut self, state: &State) -> Option<ToWrite> {
        match self.next_control(state) {
            Some(control) => Some(ToWrite::Control(control.as_str())),
            None => self.mail.begin_writing().map(ToWrite::Message),
        }
    }

    /// All that was sent before `close` has been taken: the close frame's turn.
    pub(crate) fn may_close(&self) -> bool {
        self.close_due && self.mail.outgoing() == 0
    }

    /// What the next request with data carries: heartbeats first, a close packet last, and in between as many messages
    /// as the server takes in one payload, up to [`BATCH`] and the limit on packets. A single message goes out whatever
    /// its size; what does not fit follows in the next request.
    pub(crate) fn next_batch(&mut self, state: &State) -> Option<Batch> {
        let revision = state.revision();
        let mut batch = Batch { controls: Vec::new(), messages: Vec::new(), closes: false };
        while let Some(control) = self.next_control(state) {
            batch.controls.push(control.packet());
        }
        let mut packets_left =
            state.dialer.config.max_packets_per_payload.saturating_sub(batch.controls.len());
        let max_payload = self.handshake.as_ref().and_then(HandshakeInfo::max_payload).unwrap_or(u32::MAX);
        let limit = usize::try_from(max_payload).unwrap_or(usize::MAX).min(BATCH);
        let mut room = limit.saturating_sub(
            batch.controls.iter().chain([&Packet::CLOSE]).map(|packet| packet_bound(revision, packet)).sum(),
        );
        while let Some(outgoing) = self.mail.next_outgoing() {
            let len = packet_bound(revision, &Packet::message(outgoing.message().as_websocket_message()));
            let is_first = batch.messages.is_empty() && batch.controls.is_empty();
            if packets_left == 0 || (len > room && !is_first) {
                break;
            }
            room = room.saturating_sub(len);
            packets_left -= 1;
            batch.messages.extend(self.mail.pop_outgoing().map(Outgoing::into_message));
        }
        batch.closes = self.may_close() && packets_left > 0;
        self.close_due &= !batch.closes;
        (batch.closes || !batch.controls.is_empty() || !batch.messages.is_empty()).then_some(batch)
    }
}

/// Names the session in the logs of its owner.
impl core::fmt::Debug for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let inner = self.lock();
        f.debug_struct("State")
            .field("handshake", &inner.handshake)
            .field("end", &inner.end)
            .finish_non_exhaustive()
    }
}

/// Shared handles of one session.
pub(crate) type Shared = Arc<State>;
