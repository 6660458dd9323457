//! Joining namespaces.

use std::sync::Arc;

use bytestring::ByteString;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout};

use crate::args::RawArgs;
use crate::client::credentials::Credentials;
use crate::client::disconnect::{Disconnect, DisconnectReason};
use crate::client::error::JoinError;
use crate::client::inbox::Item;
use crate::client::manager::{self, Running};
use crate::client::namespace::{Key, Namespace, Out, Phase};
use crate::client::outbox::Outgoing;
use crate::client::shared::{REJOIN_PAUSE, Shared, State};
use crate::client::target::Target;
use crate::packet::{Body, Packet};
use crate::sync::{Notify, Runtime};
use crate::targets;

/// A namespace that an application has joined, or is joining. It is left when this is dropped.
pub(super) struct Handle {
    pub(super) shared: Arc<Shared>,
    pub(super) key: Key,
    pub(super) reader: Arc<Notify>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.leave(&self.key);
    }
}

/// Belongs to who waits until a namespace is joined again. If nobody waits any more, the application receives what comes of it.
struct Rejoining<'a> {
    shared: &'a Shared,
    key: &'a Key,
    /// Whether the application has been told of the consent.
    is_told: bool,
}

impl Drop for Rejoining<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let Some(namespace) = state.get(self.key) else { return };
        namespace.is_joining = false;
        namespace.allowance = None;
        if let Some((place, item)) = namespace.consent.take().filter(|_| !self.is_told) {
            let is_full = namespace.inbox.insert(place, item, self.shared.settings.inbox);
            state.note_delivered(&self.key.name, is_full);
        }
        // The task does not watch a request that somebody waits for.
        state.wake_task();
    }
}

/// How far a namespace is that somebody waits for.
enum Progress {
    /// Until something changes, the server is not late.
    Waiting,
    /// The server has owed the answer since then, apart from the time in which nobody could read it.
    Asked {
        since: Instant,
    },
    Joined,
}

impl Shared {
    /// Joins a namespace.
    pub(super) async fn join(
        self: &Arc<Self>,
        namespace: &str,
        credentials: Credentials,
    ) -> Result<Handle, JoinError> {
        let target = Target::new(namespace, self.settings.is_old)?;
        if let Some(Err(error)) = credentials.fixed() {
            return Err(error.clone());
        }
        let handle = self.add(target, credentials, &Runtime::current())?;
        self.joined(&handle.key, 0).await?;
        Ok(handle)
    }

    /// Adds a namespace, and begins to join it.
    fn add(
        self: &Arc<Self>,
        target: Target,
        credentials: Credentials,
        runtime: &Runtime,
    ) -> Result<Handle, JoinError> {
        let name = target.name.clone();
        let farewell = self.farewell(&name);
        let mut state = self.lock();
        if state.namespaces.contains_key(&name) {
            return Err(JoinError::AlreadyJoined(name));
        }
        state.last_number += 1;
        let number = state.last_number;
        let mut namespace = Namespace::new(number, target, credentials, farewell);
        // Nobody receives before it is joined.
        namespace.allowance = Some(self.settings.inbox);
        let key = Key { name: name.clone(), number };
        let handle = Handle { shared: Arc::clone(self), key, reader: Arc::clone(&namespace.reader) };
        state.namespaces.insert(name.clone(), namespace);
        self.connect(&mut state, &name, runtime);
        Ok(handle)
    }

    /// Joins a namespace again that is out.
    pub(super) async fn rejoin(self: &Arc<Self>, key: &Key) -> Result<(), JoinError> {
        let runtime = Runtime::current();
        let (joins, mut rejoining) = {
            let mut state = self.lock();
            let closed = || JoinError::Disconnected(Disconnect::new(DisconnectReason::ClientDisconnect));
            let namespace = state.get(key).ok_or_else(closed)?;
            let joins = namespace.joins;
            namespace.join_again();
            // Who waits here cannot receive meanwhile.
            namespace.allowance = Some(namespace.inbox.and_more(self.settings.inbox));
            if matches!(namespace.phase, Phase::Waiting) {
                self.connect(&mut state, &key.name, &runtime);
            }
            state.wake_task();
            (joins, Rejoining { shared: self, key, is_told: false })
        };
        let joined = match self.joined(key, joins).await {
            // The consent may have come just now.
            Err(JoinError::Timeout) if self.give_up(key, joins) => Ok(()),
            joined => joined,
        };
        rejoining.is_told = joined.is_ok();
        joined
    }

    /// Waits until a namespace is joined, or cannot be. `joins` is how often it had been before. Joined is also one that is
    /// disconnected again already, which the application then receives.
    async fn joined(&self, key: &Key, joins: u64) -> Result<(), JoinError> {
        let began = Instant::now();
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let since = match self.progress(key, joins, began)? {
                Progress::Joined => return Ok(()),
                Progress::Asked { since } => since,
                Progress::Waiting => {
                    changed.await;
                    continue;
                }
            };
            let left = self.settings.connect_timeout.saturating_sub(since.elapsed());
            if left.is_zero() {
                return Err(JoinError::Timeout);
            }
            // It may be that nothing is read by then.
            let _ = timeout(left, changed).await;
        }
    }

    /// Returns how far a namespace is that somebody has waited for since it `began`.
    fn progress(&self, key: &Key, joins: u64, began: Instant) -> Result<Progress, JoinError> {
        let mut state = self.lock();
        let (is_leaving, reads_since) = (state.is_leaving(&key.name), state.reads_since);
        let closed = || JoinError::Disconnected(Disconnect::new(DisconnectReason::ClientDisconnect));
        let namespace = state.get(key).ok_or_else(closed)?;
        if namespace.joins > joins {
            return Ok(Progress::Joined);
        }
        let asked = match &namespace.phase {
            Phase::Connected => return Ok(Progress::Joined),
            Phase::Out(out) => return Err(out.clone().into()),
            Phase::Connecting { since } => *since,
            // The server owes the answer to an earlier request.
            Phase::Waiting if is_leaving => began,
            Phase::Waiting | Phase::Asking => return Ok(Progress::Waiting),
        };
        // Who waits here cannot make room in this inbox. As long as that of another namespace is full, no answer is late.
        Ok(match reads_since {
            _ if namespace.stops_reading() => Progress::Asked { since: asked },
            Some(reads_since) => Progress::Asked { since: asked.max(reads_since) },
            None => Progress::Waiting,
        })
    }

    /// Gives up a request to join that the server has not answered. Returns whether it has answered it. `joins` is how often the
    /// namespace had been joined before.
    fn give_up(&self, key: &Key, joins: u64) -> bool {
        let mut state = self.lock();
        let Some(namespace) = state.get(key) else { return false };
        if namespace.joins > joins {
            return true;
        }
        if matches!(namespace.phase, Phase::Connecting { .. }) {
            let given_up = namespace.put_out(Out::NotJoined(JoinError::Timeout));
            state.give_up(&key.name, given_up);
            state.owe_farewell(&key.name);
            state.note_change();
            state.wake_task();
        }
        false
    }

    /// Begins to join on the open session, or opens one, with the tasks that this needs.
    fn connect(self: &Arc<Self>, state: &mut State, name: &ByteString, runtime: &Runtime) {
        if state.runtime.is_none() {
            state.runtime = Some(runtime.clone());
            state.runs += 1;
            state.spawn(runtime.clone(), manager::run(Running::new(self)));
        }
        self.start_retries(state, name);
        self.start(state, name);
        state.note_change();
    }

    /// Begins to join a namespace that waits, if it may be joined now.
    pub(super) fn start(self: &Arc<Self>, state: &mut State, name: &ByteString) {
        let (Some(session), Some(runtime), Some(namespace)) =
            (&state.session, &state.runtime, state.namespaces.get_mut(name))
        else {
            return;
        };
        let may_start = matches!(namespace.phase, Phase::Waiting)
            && !session.leaving.contains_key(name)
            && (namespace.allowance.is_some() || !namespace.inbox.is_full());
        if !may_start {
            return;
        }
        let has_left = session.has_left(name);
        if self.settings.is_old {
            if namespace.target.is_root() && !session.has_left_root {
                if session.is_in_root {
                    self.let_in(state, name, None);
                } else {
                    // The server does it by itself.
                    namespace.phase = Phase::Connecting { since: Instant::now() };
                }
                return;
            }
            if !session.has_root {
                return;
            }
        }
        namespace.phase = Phase::Asking;
        namespace.asks += 1;
        let (key, ask) = (Key { name: name.clone(), number: namespace.number }, namespace.asks);
        let shared = Arc::clone(self);
        match namespace.credentials.fixed() {
            Some(credentials) if !has_left => {
                let credentials = credentials.clone();
                state.later(move || shared.request(&key, ask, credentials));
            }
            // What the application returns, perhaps since an earlier connection, is for this request, too.
            None if namespace.asked_in == Some(state.runs) => {}
            _ => {
                let run = state.runs;
                namespace.asked_in = Some(run);
                let (credentials, runtime) = (namespace.credentials.clone(), runtime.clone());
                state.spawn(runtime, async move {
                    if has_left {
                        tokio::time::sleep(REJOIN_PAUSE).await;
                    }
                    let credentials = credentials.ask().await;
                    let ask = shared.lock().note_asked(&key, run);
                    if let Some(ask) = ask {
                        shared.request(&key, ask, credentials);
                    }
                });
            }
        }
    }

    /// Asks the server to let the client into a namespace, unless another request has begun since.
    fn request(&self, key: &Key, ask: u64, credentials: Result<Map<String, Value>, JoinError>) {
        let packet = {
            let mut state = self.lock();
            let Some(namespace) = state.asking(key, ask) else { return };
            credentials.and_then(|mut credentials| {
                let (namespace, args) = if self.settings.is_old {
                    (namespace.target.with_query(&credentials), RawArgs::none())
                } else {
                    namespace.recovery.add_to(&mut credentials);
                    let args =
                        if credentials.is_empty() { RawArgs::none() } else { RawArgs::new(credentials)? };
                    (key.name.clone(), args)
                };
                Ok(Packet { namespace, body: Body::Connect(args) })
            })
        };
        let request = packet.and_then(|packet| Ok(Outgoing::control(self.settings.parser.encode(&packet)?)));
        let mut state = self.lock();
        let Some(namespace) = state.asking(key, ask) else { return };
        match request {
            Ok(request) => {
                namespace.phase = Phase::Connecting { since: Instant::now() };
                state.note_change();
                // From now on, the answer may be late.
                state.wake_task();
                if let Err(error) = state.transmit(request) {
                    let why = format!("{error}");
                    self.refuse(&mut state, &key.name, JoinError::InvalidCredentials(why.into()));
                }
            }
            Err(error) => self.refuse(&mut state, &key.name, error),
        }
    }

    /// Notes that a namespace cannot be joined.
    pub(super) fn refuse(&self, state: &mut State, name: &ByteString, error: JoinError) {
        let Some(namespace) = state.namespaces.get_mut(name) else { return };
        let was_joining = namespace.is_joining;
        let given_up = namespace.put_out(Out::NotJoined(error.clone()));
        state.give_up(name, given_up);
        let (logged, why) = (name.clone(), error.clone());
        state.later(
            move || tracing::debug!(target: targets::CLIENT, namespace = %logged, error = %why, "not joined"),
        );
        let item = (!was_joining).then_some(Item::ConnectError(error));
        self.tell(state, name, item);
        state.wake_task();
    }

    /// Notes that the server has let the client into a namespace. `answer` holds the id of the socket and its private id,
    /// which an old server leaves out.
    pub(super) fn let_in(
        &self,
        state: &mut State,
        name: &ByteString,
        answer: Option<(ByteString, Option<ByteString>)>,
    ) {
        let (Some(session), Some(namespace)) = (&state.session, state.namespaces.get_mut(name)) else {
            return;
        };
        let (id, pid) = answer.unwrap_or_else(|| {
            let sid = session.handshake.sid();
            let id = if namespace.target.is_root() { sid.into() } else { format!("{name}#{sid}").into() };
            (id, None)
        });
        let item = namespace.let_in(id, pid);
        while let Some(packet) = namespace.away.pop() {
            state.outbox.push(packet);
        }
        let logged = name.clone();
        state.later(move || tracing::debug!(target: targets::CLIENT, namespace = %logged, "joined"));
        self.tell(state, name, item);
        state.pump();
    }

    /// Tells the application what has happened to a namespace, and those who wait for its phase.
    pub(super) fn tell(&self, state: &mut State, name: &ByteString, item: Option<Item>) {
        state.note_change();
        match item {
            Some(item) => self.deliver(state, name, item),
            None => state.wake_reader(name),
        }
    }

    /// Puts something into a namespace's inbox.
    pub(super) fn deliver(&self, state: &mut State, name: &ByteString, item: Item) {
        let Some(namespace) = state.namespaces.get_mut(name) else { return };
        let is_full = namespace.inbox.push(item, self.settings.inbox);
        state.note_delivered(name, is_full);
    }
}
