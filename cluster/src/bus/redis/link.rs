//! A connection to one Redis server.

use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Pipeline, ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo, RedisError,
    RedisResult, Value,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::bus::Subject;
use crate::bus::redis::errors::{broken, check_role, is_forbidden, is_lasting, words};
use crate::bus::server::{Broken, Pulse, ServerUrl, Settings, Stream, connect, encrypt};

/// A connection, with what waits to be sent and what waits for its answer.
///
/// Commands are sent in batches, of which one is under way at a time: while it is, the next one grows. So a batch is one
/// command where there is little to send, and what came in within one round trip where there is much.
///
/// A sign of life is sent beside it, at once: the answer to a batch comes behind all messages that were pushed before it, so
/// where many wait to be read, it takes long, and the node must not seem dead meanwhile.
pub(super) struct Link {
    connection: MultiplexedConnection,
    driver: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// The driver has ended, because the connection has. It must not be polled again.
    is_over: bool,
    pushed: Arc<Mutex<VecDeque<PushInfo>>>,
    has_heard: Arc<AtomicBool>,
    waiting: Batch,
    /// What is under way, in the order of sending, which is that of the answers.
    flights: VecDeque<Flight>,
    events: VecDeque<Event>,
    pub(super) pulse: Pulse,
    /// The messages that were sent or wait, and are not answered.
    pub(super) unanswered: u64,
}

/// Commands, each of which has one answer.
#[derive(Default)]
struct Batch {
    commands: Vec<Sent>,
    pipeline: Pipeline,
    bytes: usize,
}

impl Batch {
    fn publish(&mut self, command: &str, subject: &Subject, payload: &[u8]) {
        self.bytes += payload.len();
        self.pipeline.cmd(command).arg(subject.as_str()).arg(payload);
        self.commands.push(Sent::Message);
    }
}

struct Flight {
    commands: Vec<Sent>,
    is_sign: bool,
    answers: Answers,
}

enum Answers {
    Awaited(Pin<Box<dyn Future<Output = RedisResult<Vec<Value>>> + Send>>),
    Here(RedisResult<Vec<Value>>),
}

/// What was sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Message,
    Subscription(Subject),
    End(Subject),
    Ping,
    Role,
}

/// What has come.
#[derive(Debug)]
pub(super) enum Event {
    Message(Bytes),
    Subscribed(Subject),
    /// The server refuses a subscription.
    Refused(Subject, String),
    /// The server does not take a message.
    NotTaken(String),
    /// There is room for commands again.
    Room,
}

/// A batch is not filled above one of these.
const MAX_COMMANDS: usize = 1_000;
const MAX_BYTES: usize = 256 * 1024;
/// How many signs of life may be unanswered. When a node says one every 4 s, and asks each second for an echo, they are those
/// of 200 s.
const MAX_SIGNS: usize = 256;

impl Link {
    pub(super) async fn open(url: &ServerUrl, settings: &Settings) -> Result<Self, Broken> {
        let stream = connect(url).await?;
        let stream = if url.is_tls { encrypt(stream, url, settings).await? } else { Box::new(stream) };
        Self::over(stream, url, settings).await
    }

    pub(super) async fn over(
        stream: Box<dyn Stream>,
        url: &ServerUrl,
        settings: &Settings,
    ) -> Result<Self, Broken> {
        let pushed = Arc::new(Mutex::new(VecDeque::new()));
        let inbox = Arc::clone(&pushed);
        let push = move |info: PushInfo| {
            inbox.lock().unwrap_or_else(PoisonError::into_inner).push_back(info);
            Ok::<_, core::convert::Infallible>(())
        };
        // Times are ours: what takes too long is found by the heartbeat.
        let config = AsyncConnectionConfig::new()
            .set_push_sender(push)
            .set_response_timeout(None)
            .set_connection_timeout(None);
        let mut user = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            .set_lib_name(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        if let Some(name) = &url.user {
            user = user.set_username(name);
        }
        if let Some(password) = &url.password {
            user = user.set_password(password);
        }
        let has_heard = Arc::new(AtomicBool::new(false));
        let stream = Heard { stream, has_heard: Arc::clone(&has_heard) };
        let (connection, driver) = MultiplexedConnection::new_with_config(&user, stream, config)
            .await
            .map_err(|error| broken(&error))?;
        Ok(Self {
            connection,
            driver: Box::pin(driver),
            is_over: false,
            pushed,
            has_heard,
            waiting: Batch::default(),
            flights: VecDeque::new(),
            events: VecDeque::new(),
            pulse: Pulse::new(settings.heartbeat),
            unanswered: 0,
        })
    }

    /// Sends a command of one's own, and waits for the answer. Nothing else may be under way.
    pub(super) async fn ask(&mut self, command: &redis::Cmd) -> RedisResult<Value> {
        tokio::select! {
            answer = self.connection.send_packed_command(command) => answer?.extract_error(),
            () = &mut self.driver => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.commands.len() < MAX_COMMANDS && self.waiting.bytes < MAX_BYTES
    }

    pub(super) fn is_idle(&self) -> bool {
        self.flights.is_empty() && self.waiting.commands.is_empty()
    }

    pub(super) fn publish(&mut self, command: &str, subject: &Subject, payload: &[u8]) {
        self.unanswered += 1;
        self.waiting.publish(command, subject, payload);
    }

    /// Sends a sign of life before what waits. Returns `false` if too many are unanswered: the node will say another one.
    pub(super) fn sign(&mut self, command: &str, subject: &Subject, payload: &[u8]) -> bool {
        if self.flights.iter().filter(|flight| flight.is_sign).count() >= MAX_SIGNS {
            return false;
        }
        let mut batch = Batch::default();
        batch.publish(command, subject, payload);
        self.unanswered += 1;
        self.send(batch, true);
        true
    }

    /// Puts a command about a subject into the batch. A command has one subject, so that it has one answer.
    pub(super) fn put(&mut self, command: &str, sent: Sent) {
        let pipeline = self.waiting.pipeline.cmd(command);
        if let Sent::Subscription(subject) | Sent::End(subject) = &sent {
            pipeline.arg(subject.as_str());
        }
        self.waiting.commands.push(sent);
    }

    /// Sends and receives, and returns what comes.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Broken>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(Ok(event));
            }
            let is_new = self.flights.iter().all(|flight| flight.is_sign) && self.take_off();
            // Each is polled, because the first poll is what sends it.
            self.flights.iter_mut().for_each(|flight| flight.poll(cx));
            // The answers are taken before the pushes behind them are.
            let mut is_answered = is_new;
            while self.flights.front().is_some_and(Flight::is_answered) {
                self.land()?;
                is_answered = true;
            }
            self.is_over = self.is_over || self.driver.as_mut().poll(cx).is_ready();
            if self.has_heard.swap(false, Ordering::Relaxed) {
                self.pulse.hear();
            }
            self.take_pushes()?;
            if self.events.is_empty() && self.is_over {
                return Poll::Ready(Err(self.end(cx)));
            }
            if self.events.is_empty() && !is_answered {
                return Poll::Pending;
            }
        }
    }

    /// Sends the batch that waits, if there is one.
    fn take_off(&mut self) -> bool {
        if self.waiting.commands.is_empty() {
            return false;
        }
        if !self.has_room() {
            self.events.push_back(Event::Room);
        }
        let batch = core::mem::take(&mut self.waiting);
        self.send(batch, false);
        true
    }

    fn send(&mut self, batch: Batch, is_sign: bool) {
        let Batch { commands, pipeline, .. } = batch;
        let (mut connection, count) = (self.connection.clone(), commands.len());
        let answers = async move { connection.send_packed_commands(&pipeline, 0, count).await };
        self.flights.push_back(Flight { commands, is_sign, answers: Answers::Awaited(Box::pin(answers)) });
    }

    /// Takes the answers to the first batch under way.
    fn land(&mut self) -> Result<(), Broken> {
        let Some(Flight { commands, answers: Answers::Here(answers), .. }) = self.flights.pop_front() else {
            return Ok(());
        };
        let answers = answers.map_err(|error| broken(&error))?;
        self.pulse.hear_answer();
        for (sent, answer) in commands.into_iter().zip(answers) {
            let refused = match answer.extract_error() {
                Ok(role) if sent == Sent::Role => check_role(&role).map(|()| None)?,
                Ok(_) => None,
                Err(error) if sent.breaks(&error) => return Err(broken(&error)),
                Err(error) => Some(words(&error)),
            };
            let event = match (sent, refused) {
                (Sent::Message, refused) => {
                    self.unanswered -= 1;
                    refused.map(Event::NotTaken)
                }
                (Sent::Subscription(subject), None) => Some(Event::Subscribed(subject)),
                (Sent::Subscription(subject), Some(why)) => Some(Event::Refused(subject, why)),
                (Sent::End(_) | Sent::Ping | Sent::Role, _) => None,
            };
            self.events.extend(event);
        }
        Ok(())
    }

    /// Takes what the server has pushed.
    fn take_pushes(&mut self) -> Result<(), Broken> {
        let pushes = core::mem::take(&mut *self.pushed.lock().unwrap_or_else(PoisonError::into_inner));
        for PushInfo { kind, data } in pushes {
            let mut data = data.into_iter();
            match (kind, data.next(), data.next()) {
                (PushKind::Message | PushKind::SMessage, _, Some(Value::BulkString(payload))) => {
                    self.events.push_back(Event::Message(payload.into()));
                }
                // The client takes it for an answer, so answers and commands would no longer match.
                (PushKind::SUnsubscribe, Some(Value::BulkString(channel)), _) if !self.ends(&channel) => {
                    return Err(Broken::new(
                        "the server has ended a subscription, because its slot has moved",
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether the end of this subscription is under way.
    fn ends(&self, channel: &[u8]) -> bool {
        let is_it =
            |sent: &Sent| matches!(sent, Sent::End(subject) if subject.as_str().as_bytes() == channel);
        self.flights.iter().any(|flight| flight.commands.iter().any(is_it))
    }

    /// Says why the connection is over. The client tells it to whoever waits for an answer.
    fn end(&mut self, cx: &mut Context<'_>) -> Broken {
        self.flights.iter_mut().for_each(|flight| flight.poll(cx));
        match self.flights.front().map(|flight| &flight.answers) {
            Some(Answers::Here(Err(error))) => broken(error),
            _ => Broken::new("the server has closed the connection"),
        }
    }
}

impl Flight {
    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Answers::Awaited(awaited) = &mut self.answers
            && let Poll::Ready(answers) = awaited.as_mut().poll(cx)
        {
            self.answers = Answers::Here(answers);
        }
    }

    fn is_answered(&self) -> bool {
        matches!(self.answers, Answers::Here(_))
    }
}

impl Sent {
    /// Whether a connection is of no use after this answer. A node whose subscription a server does not take for now would be
    /// deaf if it did not ask again, and one whose messages it does not take for now would seem dead.
    fn breaks(&self, error: &RedisError) -> bool {
        match self {
            Self::Subscription(_) => !is_forbidden(error),
            Self::Message | Self::End(_) | Self::Ping | Self::Role => !is_lasting(error),
        }
    }
}

/// Notices that bytes have come, before they are a whole message.
struct Heard {
    stream: Box<dyn Stream>,
    has_heard: Arc<AtomicBool>,
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if polled.is_ready() {
            self.has_heard.store(true, Ordering::Relaxed);
        }
        polled
    }
}

impl AsyncWrite for Heard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
