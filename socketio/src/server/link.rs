//! What the sockets of one connection share: the way to the client, and the way to the connection's task.

mod lane;

use core::pin::Pin;
use core::task::{Context, Waker};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use bytestring::ByteString;
use eio_tokio::{Revision, Sender, TrySendBatchError, TrySendError};

use crate::args::EncodeError;
use crate::errors::EmitError;
use crate::packet::{Body, Packet};
use crate::parser::Encoded;
use crate::server::link::lane::{Lane, Step};
use crate::server::refusal::Refusal;
use crate::server::shared::{Shared, WhenFull};
use crate::sync::{AtomicBool, Mutex, MutexGuard};
use crate::targets::{self, shown};

/// The connection of some sockets.
pub(crate) struct Link {
    pub(crate) server: Arc<Shared>,
    pub(crate) sender: Sender,
    desk: Mutex<Desk>,
    /// Whether the lane is busy, known without the lock.
    is_busy: AtomicBool,
}

/// What waits for the connection's task.
#[derive(Default)]
struct Desk {
    lane: Lane,
    /// Whether a socket has ended since the task last looked.
    has_ended: bool,
    /// Whether the application has asked to close the connection.
    closes: bool,
    /// Why the connection closes, if the server closes it.
    is_slow: bool,
    task: Option<Waker>,
}

/// Why a packet is not in the outbox.
enum NotPosted {
    /// There is no room for the packet.
    Full(Encoded),
    Refused(EmitError),
}

impl From<NotPosted> for EmitError {
    fn from(not_posted: NotPosted) -> Self {
        match not_posted {
            NotPosted::Full(_) => Self::Full,
            NotPosted::Refused(error) => error,
        }
    }
}

/// What the connection's task has to know.
pub(crate) struct News {
    /// Whether a socket has ended.
    pub(crate) has_ended: bool,
    /// Whether the application has asked to close the connection.
    pub(crate) closes: bool,
}

impl Link {
    pub(crate) fn new(server: Arc<Shared>, sender: Sender) -> Self {
        Self { server, sender, desk: Mutex::default(), is_busy: AtomicBool::new(false) }
    }

    /// Returns whether the client speaks the revision of Socket.IO 2.
    pub(crate) fn is_old(&self) -> bool {
        self.sender.revision() == Revision::V3
    }

    /// Returns whether packets wait that others must not overtake, or the client catches up with what it has missed.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::Acquire)
    }

    /// Returns whether packets wait that the client has caused, so that it has to wait with further ones.
    pub(crate) fn owes(&self) -> bool {
        self.is_busy() && self.lock().lane.owes()
    }

    /// Sends a packet, if the outbox has room. While the client catches up with what it has missed, the packet may also wait
    /// behind that.
    pub(crate) fn send(&self, encoded: Encoded) -> Result<(), EmitError> {
        if self.is_busy() {
            return self.send_behind(encoded);
        }
        self.post(encoded).map_err(EmitError::from)
    }

    fn send_behind(&self, encoded: Encoded) -> Result<(), EmitError> {
        let mut desk = self.lock();
        let encoded = match self.post_behind(&desk, encoded) {
            Err(NotPosted::Full(encoded)) => encoded,
            posted => return Ok(posted?),
        };
        if !desk.lane.follow(encoded, self.server.recovery.as_ref()) {
            return Err(EmitError::Full);
        }
        self.note_lane(desk);
        Ok(())
    }

    /// Posts a packet unless others wait.
    fn post_behind(&self, desk: &Desk, encoded: Encoded) -> Result<(), NotPosted> {
        if desk.lane.is_free() { self.post(encoded) } else { Err(NotPosted::Full(encoded)) }
    }

    fn post(&self, encoded: Encoded) -> Result<(), NotPosted> {
        match encoded.into_single() {
            Ok(message) => self.sender.try_send(message).map_err(|error| match error {
                TrySendError::Full(message) => NotPosted::Full(Encoded::new(message, [])),
                error => NotPosted::Refused(error.into()),
            }),
            Err(encoded) => {
                self.sender.try_send_batch(encoded.into_messages()).map_err(|error| match error {
                    TrySendBatchError::Full(messages) => Encoded::from_messages(messages)
                        .map_or(NotPosted::Refused(EmitError::Full), NotPosted::Full),
                    error => NotPosted::Refused(error.into()),
                })
            }
        }
    }

    /// Sends a packet if the transport takes it at once. Returns whether it was sent.
    pub(crate) fn send_volatile(&self, encoded: Encoded) -> bool {
        if self.is_busy() {
            return false;
        }
        self.sender.send_batch_volatile(encoded.into_messages())
    }

    /// Closes the connection if the server does so with clients that do not read.
    pub(crate) fn note_full(&self) {
        if self.server.when_full == WhenFull::Close {
            self.lock().is_slow = true;
            self.sender.close();
        }
    }

    /// Returns whether the connection was closed because the client does not read.
    pub(crate) fn is_slow(&self) -> bool {
        self.lock().is_slow
    }

    /// Sends a packet that must not be lost: at once, or by the connection's task as soon as there is room.
    pub(crate) fn send_surely(&self, packet: &Packet) {
        self.send_surely_if(self.server.parser.encode(packet));
    }

    /// Sends a packet as [`send_surely`](Self::send_surely) does, and returns why that is not possible.
    pub(crate) fn try_send_surely(&self, packet: &Packet) -> Result<(), EmitError> {
        self.send_encoded_surely(self.server.parser.encode(packet)?)
    }

    /// Sends a packet that must not be lost, if it could be written.
    fn send_surely_if(&self, encoded: Result<Encoded, EncodeError>) {
        match encoded.map_err(EmitError::from).and_then(|encoded| self.send_encoded_surely(encoded)) {
            // A session that has ended needs no packet.
            Ok(()) | Err(EmitError::Disconnected) => {}
            Err(error) => tracing::error!(target: targets::CONNECTION, %error, "a packet cannot be written"),
        }
    }

    /// Tells the client that it may not join a namespace.
    pub(crate) fn refuse(&self, namespace: &ByteString, refusal: &Refusal) {
        tracing::debug!(
            target: targets::CONNECTION,
            sid = %self.sender.id().short(),
            namespace = ?shown(namespace),
            message = ?shown(refusal.message()),
            "a client may not join a namespace"
        );
        let encode = |refusal: &Refusal| {
            let data = if self.is_old() { refusal.old_packet_data() } else { refusal.packet_data() };
            let packet = Packet { namespace: namespace.clone(), body: Body::ConnectError(data?) };
            self.server.parser.encode(&packet)
        };
        // Some data is none that the packet may have. Without any answer, the client would wait.
        self.send_surely_if(encode(refusal).or_else(|_| encode(&refusal.without_data())));
    }

    /// Sends an encoded packet that must not be lost, as [`send_surely`](Self::send_surely) does.
    fn send_encoded_surely(&self, encoded: Encoded) -> Result<(), EmitError> {
        let mut desk = self.lock();
        match self.post_behind(&desk, encoded) {
            Err(NotPosted::Full(encoded)) => {
                desk.lane.push(encoded);
                self.note_lane(desk);
                Ok(())
            }
            posted => Ok(posted?),
        }
    }

    /// Sends the events that a client has missed. Events that are sent after them wait for room until they have left.
    pub(crate) fn send_missed(&self, missed: Vec<Encoded>) {
        if missed.is_empty() {
            return;
        }
        for encoded in missed {
            // A session that has ended needs none of them.
            let _ = self.send_encoded_surely(encoded);
        }
        let mut desk = self.lock();
        desk.lane.catch_up();
        self.note_lane(desk);
    }

    /// Tells others that the lane is busy, and wakes the connection's task.
    fn note_lane(&self, mut desk: MutexGuard<'_, Desk>) {
        self.is_busy.store(desk.lane.is_busy(), Ordering::Release);
        let task = desk.task.take();
        drop(desk);
        wake(task);
    }

    /// Tells the connection's task that a socket has ended.
    pub(crate) fn note_ended(&self) {
        let mut desk = self.lock();
        desk.has_ended = true;
        let task = desk.task.take();
        drop(desk);
        wake(task);
    }

    /// Asks the connection's task to disconnect all sockets and to close the connection.
    pub(crate) fn ask_to_close(&self) {
        let mut desk = self.lock();
        desk.closes = true;
        let task = desk.task.take();
        drop(desk);
        wake(task);
    }

    /// Returns what has happened since the last call. Wakes the task of `cx` when more does, or when a packet waits.
    pub(crate) fn look(&self, cx: &Context<'_>) -> News {
        let mut desk = self.lock();
        match &mut desk.task {
            Some(task) => task.clone_from(cx.waker()),
            task => *task = Some(cx.waker().clone()),
        }
        News { has_ended: core::mem::take(&mut desk.has_ended), closes: core::mem::take(&mut desk.closes) }
    }

    /// Returns what is to be done next for packets that wait. [`note_done`](Self::note_done) follows when it is over.
    pub(crate) fn next_step(&self) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        let step = self.lock().lane.next_step()?;
        let sender = self.sender.clone();
        Some(match step {
            // A session that has ended needs no packet, and has nothing to flush.
            Step::Send(encoded) => Box::pin(async move {
                let _ = sender.send_batch(encoded.into_messages()).await;
            }),
            Step::Flush => self.flushed(),
        })
    }

    /// Returns the moment when all that was sent before is on its way, or the session has ended.
    pub(crate) fn flushed(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let sender = self.sender.clone();
        Box::pin(async move {
            // A session that has ended is closed.
            let _ = sender.flush().await;
        })
    }

    /// Sends a packet as [`send`](Self::send) does. A client that has no room for it may be [closed](crate::WhenFull::Close).
    pub(crate) fn send_or_close(&self, encoded: Encoded) -> Result<(), EmitError> {
        self.send(encoded).inspect_err(|error| {
            if let EmitError::Full = error {
                self.note_full();
            }
        })
    }

    /// Notes that the step is over, so that others may follow if no more wait.
    pub(crate) fn note_done(&self) {
        let mut desk = self.lock();
        desk.lane.note_done();
        self.is_busy.store(desk.lane.is_busy(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(task: Option<Waker>) {
    if let Some(task) = task {
        task.wake();
    }
}
