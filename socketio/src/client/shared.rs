//! What a client, its sockets and the task of its connection share.
//!
//! One mutex guards all of it. It is held to move packets and to change phases, and never while the application's code
//! runs: its parser, what it makes of log lines, and what its tasks are woken by. All of that comes after the lock.

use core::ops::{Deref, DerefMut};
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use bytestring::ByteString;
use eio_tokio::{ClientSender, HandshakeInfo};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::client::namespace::{Answer, Farewell, GivenUp, Key, Namespace, Phase};
use crate::client::outbox::{Limit, NotTaken, Outbox, Outgoing};
use crate::client::retries::Unanswered;
use crate::client::settings::Settings;
use crate::errors::{AckError, EmitError};
use crate::sync::{Mutex, MutexGuard, Notify, Runtime};
use crate::targets;

/// What a client, its sockets and the task of its connection share.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) engine: eio_tokio::Client,
    state: Mutex<State>,
    /// Signalled when a namespace's phase changes, and when packets have left a queue.
    pub(super) changed: Notify,
    /// Wakes the task of the connection.
    pub(super) task: Notify,
}

/// How long the client waits before it joins a namespace that it has left on the same connection. A server in Node that
/// handles both packets at once takes the second for an error, and closes the connection.
pub(super) const REJOIN_PAUSE: Duration = Duration::from_millis(100);

/// How many packets besides events, such as answers, wait before the client stops reading. Events that were emitted while the
/// client was away are bounded by their namespaces: the client reads the answers to the first while the last ones wait.
const MOST_WAITING: Limit = Limit { count: 4096, bytes: 4 * 1024 * 1024 };

/// The state behind the mutex.
#[derive(Default)]
pub(super) struct State {
    pub(super) namespaces: HashMap<ByteString, Namespace>,
    /// The session, once it is open and until it closes.
    pub(super) session: Option<Session>,
    pub(super) outbox: Outbox,
    /// Whether the transport took no more, so that only the task of the connection sends.
    pub(super) is_stuck: bool,
    /// The runtime of the task of the connection, while it runs.
    pub(super) runtime: Option<Runtime>,
    /// How often the task of the connection was started.
    pub(super) runs: u64,
    /// How many inboxes are full: while there is one, nothing is read.
    pub(super) full: usize,
    /// Since when the task of the connection has been reading, or `None` while it does not: what nobody reads is not late.
    pub(super) reads_since: Option<Instant>,
    pub(super) last_number: u64,
    next_ack: u64,
    wake: Wake,
}

/// An open session.
pub(super) struct Session {
    pub(super) sender: ClientSender,
    pub(super) handshake: HandshakeInfo,
    /// Namespaces whose request to join is to be taken back once the server has answered it: an earlier disconnect packet
    /// would make it close the connection.
    pub(super) leaving: HashMap<ByteString, Farewell>,
    /// Namespaces that the client has left lately, and when.
    left: HashMap<ByteString, Instant>,
    /// Whether an old server has answered for `/`, to which it joins every client. Others have to wait for it.
    pub(super) has_root: bool,
    /// Whether that answer was consent.
    pub(super) is_in_root: bool,
    /// Whether the client was in `/` and is no more. An old server does not join it unasked again.
    pub(super) has_left_root: bool,
}

impl Session {
    pub(super) fn new(sender: ClientSender, handshake: HandshakeInfo) -> Self {
        Self {
            sender,
            handshake,
            leaving: HashMap::new(),
            left: HashMap::new(),
            has_root: false,
            is_in_root: false,
            has_left_root: false,
        }
    }

    /// Notes that the client has left a namespace.
    pub(super) fn note_left(&mut self, name: &ByteString) {
        if name == "/" {
            self.is_in_root = false;
            self.has_left_root = true;
        }
        self.left.retain(|_, left| left.elapsed() < REJOIN_PAUSE);
        self.left.insert(name.clone(), Instant::now());
    }

    /// Returns whether the client has left the namespace a moment ago.
    pub(super) fn has_left(&self, name: &ByteString) -> bool {
        self.left.get(name).is_some_and(|left| left.elapsed() < REJOIN_PAUSE)
    }
}

/// All that was sent until a moment.
pub(super) struct Mark {
    sender: ClientSender,
    count: u64,
    unanswered: Unanswered,
}

impl Mark {
    /// Adds events that are sent until they are answered.
    pub(super) fn and(self, unanswered: Unanswered) -> Self {
        Self { unanswered, ..self }
    }
}

/// What to do once the lock is released. Wakers run the application's code.
#[derive(Default)]
struct Wake {
    /// What else may run the application's code, in its order.
    first: Vec<Box<dyn FnOnce() + Send>>,
    changed: bool,
    task: bool,
    /// Mostly one.
    reader: Option<Arc<Notify>>,
    further_readers: Vec<Arc<Notify>>,
}

/// The locked state.
pub(super) struct Locked<'a> {
    shared: &'a Shared,
    /// Some until the drop.
    state: Option<MutexGuard<'a, State>>,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        self.state.as_ref().expect("held until the drop")
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.state.as_mut().expect("held until the drop")
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let wake = std::mem::take(&mut self.wake);
        self.state = None;
        for action in wake.first {
            action();
        }
        if wake.changed {
            self.shared.changed.notify_waiters();
        }
        if wake.task {
            self.shared.task.notify_one();
        }
        for reader in wake.reader.into_iter().chain(wake.further_readers) {
            reader.notify_one();
        }
    }
}

impl Shared {
    pub(super) fn new(settings: Settings, engine: eio_tokio::Client) -> Self {
        Self { settings, engine, state: Mutex::default(), changed: Notify::new(), task: Notify::new() }
    }

    /// Locks the state. A panic elsewhere does not poison it.
    pub(super) fn lock(&self) -> Locked<'_> {
        Locked { shared: self, state: Some(self.state.lock().unwrap_or_else(PoisonError::into_inner)) }
    }

    /// Calls `look` now and after every change, until it returns a value.
    pub(super) async fn until<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(value) = look(&mut self.lock()) {
                return value;
            }
            changed.await;
        }
    }
}

impl Shared {
    /// Waits until what was sent before has been passed on. Returns whether it has.
    pub(super) async fn passed(&self, mark: Mark) -> bool {
        let passed = self.until(|state| {
            let has_passed = state.outbox.has_passed(mark.count) && mark.unanswered.is_over(state);
            (has_passed || state.session.is_none()).then_some(has_passed)
        });
        passed.await && mark.sender.flush().await.is_ok()
    }
}

impl State {
    /// Returns the namespace, unless it was left.
    pub(super) fn get(&mut self, key: &Key) -> Option<&mut Namespace> {
        self.namespaces.get_mut(&key.name).filter(|namespace| namespace.number == key.number)
    }

    /// Returns the number for an event that wants an answer. Numbers never repeat, also after a reconnect or in a namespace
    /// that was left and joined again: a server may answer a question although the client has left the namespace since.
    pub(super) fn next_ack(&mut self) -> u64 {
        let id = self.next_ack;
        self.next_ack += 1;
        id
    }

    /// Returns the namespace if it waits for this request to join to be written.
    pub(super) fn asking(&mut self, key: &Key, ask: u64) -> Option<&mut Namespace> {
        self.get(key).filter(|namespace| matches!(namespace.phase, Phase::Asking) && namespace.asks == ask)
    }

    /// Notes that the application was asked for credentials, in this run of the connection's task. Returns the request to join
    /// that begins with them, unless the application is asked in a later run.
    pub(super) fn note_asked(&mut self, key: &Key, run: u64) -> Option<u64> {
        let namespace = self.get(key)?;
        namespace.asked_in.take_if(|asked_in| *asked_in == run).map(|_| namespace.asks)
    }

    /// Returns whether a connection is wanted.
    pub(super) fn is_wanted(&self) -> bool {
        self.namespaces.values().any(|namespace| !namespace.is_out())
    }

    /// Returns whether the client reads: it does not while an inbox is full, or while many answers wait.
    pub(super) fn is_reading(&self) -> bool {
        let stops = || self.full > 0 && self.namespaces.values().any(Namespace::stops_reading);
        !(self.outbox.is_full(MOST_WAITING) || stops())
    }

    pub(super) fn note_change(&mut self) {
        self.wake.changed = true;
    }

    pub(super) fn wake_task(&mut self) {
        self.wake.task = true;
    }

    /// Does something once the lock is released.
    pub(super) fn later(&mut self, action: impl FnOnce() + Send + 'static) {
        self.wake.first.push(Box::new(action));
    }

    /// Starts a task once the lock is released: a runtime that shuts down drops it at once, which ends what it serves.
    pub(super) fn spawn(&mut self, runtime: Runtime, task: impl Future<Output = ()> + Send + 'static) {
        self.later(move || {
            runtime.spawn(task);
        });
    }

    /// Stops waiting for an answer, and for the chance to ask. Returns what gives the answer up when it is dropped.
    #[must_use]
    pub(super) fn give_up_answer(&mut self, key: &Key, id: u64) -> Option<oneshot::Sender<Answer>> {
        // Somebody may wait for the room that it took.
        self.note_change();
        let namespace = self.get(key)?;
        namespace.away.remove(id);
        namespace.acks.take(id)
    }

    /// Gives up answers and events of a namespace once the lock is released, which wakes who waits for them.
    pub(super) fn give_up(&mut self, name: &ByteString, given_up: GivenUp) {
        let name = name.clone();
        self.later(move || {
            let events = given_up.events;
            if events > 0 {
                tracing::warn!(target: targets::CLIENT, namespace = %name, events, "events were given up with their namespace");
            }
            given_up.tell();
        });
    }

    /// Wakes the application that receives from a namespace.
    pub(super) fn wake_reader(&mut self, name: &ByteString) {
        let Some(namespace) = self.namespaces.get(name) else { return };
        let reader = Arc::clone(&namespace.reader);
        match &self.wake.reader {
            None => self.wake.reader = Some(reader),
            Some(_) => self.wake.further_readers.push(reader),
        }
    }

    /// Returns whether the server still owes the answer to a request to join that was given up.
    pub(super) fn is_leaving(&self, name: &ByteString) -> bool {
        self.session.as_ref().is_some_and(|session| session.leaving.contains_key(name))
    }

    /// Returns what tells when all that was sent until now has been passed on.
    pub(super) fn mark(&self) -> Option<Mark> {
        let sender = self.session.as_ref()?.sender.clone();
        Some(Mark { sender, count: self.outbox.mark(), unanswered: Unanswered::default() })
    }

    /// Notes that something was put into a namespace's inbox, and whether the inbox has just become full.
    pub(super) fn note_delivered(&mut self, name: &ByteString, is_full: bool) {
        if is_full {
            self.full += 1;
            let name = name.clone();
            self.later(move || {
                tracing::warn!(
                    target: targets::CLIENT,
                    namespace = %name,
                    "the inbox is full: the client reads nothing until the application receives"
                );
            });
        }
        self.wake_reader(name);
    }

    /// Notes that a full inbox has room again, or is gone.
    pub(super) fn note_room(&mut self) {
        self.full = self.full.saturating_sub(1);
        self.wake.task = true;
    }

    /// Hands a packet to the session, or puts it into the outbox. The session may refuse it.
    pub(super) fn transmit(&mut self, packet: Outgoing) -> Result<(), EmitError> {
        if let Some(session) = self.session.as_ref().filter(|_| self.outbox.is_empty()) {
            match packet.try_send(&session.sender) {
                Ok(()) => {}
                Err(NotTaken::Full(packet)) => {
                    self.outbox.push(packet);
                    self.note_stuck();
                }
                Err(NotTaken::Over(packet)) => self.outbox.push(packet),
                Err(NotTaken::Refused(_, error)) => return Err(error),
            }
        } else {
            self.outbox.push(packet);
        }
        Ok(())
    }

    /// Hands to the session what waits in the outbox, as far as it takes it.
    pub(super) fn pump(&mut self) {
        while !self.is_stuck
            && let Some(session) = &self.session
            && let Some(packet) = self.outbox.pop()
        {
            match packet.try_send(&session.sender) {
                Ok(()) => {}
                Err(NotTaken::Full(packet)) => {
                    self.outbox.put_back(packet);
                    self.note_stuck();
                }
                Err(NotTaken::Over(packet)) => {
                    self.outbox.put_back(packet);
                    break;
                }
                Err(NotTaken::Refused(packet, error)) => self.fail(&packet, error),
            }
            self.wake.changed = true;
        }
    }

    /// Notes that the session has no room. The task of the connection waits for it.
    fn note_stuck(&mut self) {
        self.is_stuck = true;
        self.wake.task = true;
    }

    /// Tells the application that an event that waited for the connection cannot be sent.
    pub(super) fn fail(&mut self, packet: &Outgoing, error: EmitError) {
        let namespace =
            self.namespaces.values_mut().find(|namespace| Some(namespace.number) == packet.event_of);
        let answer = namespace.zip(packet.id).and_then(|(namespace, id)| namespace.acks.take(id));
        self.later(move || {
            tracing::warn!(target: targets::CLIENT, %error, "an event was not sent");
            if let Some(answer) = answer {
                // Nobody may wait any more.
                let _ = answer.send(Err(AckError::Emit(error)));
            }
        });
    }
}
