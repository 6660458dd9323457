//! A namespace of a running server: its sockets, their rooms and what is sent to them.

mod kept;
mod listening;
mod tidying;

use core::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};

use bytestring::ByteString;
use eio_tokio::Broadcast;
use tokio::time::Instant;

pub(crate) use kept::{BeingTold, Kept};

use crate::args::{EncodeError, RawArgs};
use crate::errors::EmitError;
use crate::packet::{Body, Packet};
use crate::parser::{Encoded, Parser};
#[cfg(feature = "cluster")]
use crate::server::cluster::topics::Topics;
use crate::server::delivery;
use crate::server::namespace::Definition;
use crate::server::recovery::{Before, History, Offset, Offsets, Recipients, Recovery, Restored, Trail};
use crate::server::rooms::{JoinError, Rooms, Target};
use crate::server::socket::Socket;
use crate::server::space::listening::Listening;
use crate::server::space::tidying::Tidying;
use crate::sync::{AtomicUsize, Mutex, MutexGuard};

/// A namespace of a running server.
pub(crate) struct Space {
    name: ByteString,
    pub(crate) definition: Arc<Definition>,
    parser: Arc<dyn Parser>,
    /// The number of sockets, with those that have not joined yet. Changed under the lock of the server's namespaces.
    users: AtomicUsize,
    /// Numbers the events, if there is a history.
    offsets: Option<Offsets>,
    inner: Mutex<Inner>,
}

/// What one lock guards, so that the order of the history is the order in which clients get events.
struct Inner {
    rooms: Rooms<Socket>,
    history: Option<History<Kept, Encoded>>,
    /// Follows the rooms, and the sockets that are away.
    listening: Listening,
    /// Whether a task drops what the history has kept for long enough.
    tidying: Weak<Tidying>,
}

impl Space {
    pub(crate) fn new(
        name: ByteString,
        definition: Arc<Definition>,
        parser: Arc<dyn Parser>,
        max_rooms: usize,
        recovery: Option<&Recovery>,
    ) -> Self {
        let history = recovery.map(History::new);
        let offsets = history.as_ref().map(History::offsets);
        let inner = Inner {
            rooms: Rooms::new(max_rooms),
            history,
            listening: Listening::default(),
            tidying: Weak::new(),
        };
        Self { name, definition, parser, users: AtomicUsize::new(0), offsets, inner: Mutex::new(inner) }
    }

    pub(crate) fn name(&self) -> &ByteString {
        &self.name
    }

    /// Writes a packet of this namespace.
    pub(crate) fn encode(&self, body: Body) -> Result<Encoded, EncodeError> {
        self.parser.encode(&Packet { namespace: self.name.clone(), body })
    }

    /// Sends an event to one socket. One that has ended gets it if its client comes back.
    pub(crate) fn emit_to(
        self: &Arc<Self>,
        socket: &Socket,
        name: ByteString,
        args: RawArgs,
    ) -> Result<(), EmitError> {
        if !socket.is_connected() && socket.trail().is_none() {
            return Err(EmitError::Disconnected);
        }
        let (offset, encoded) = self.event(name, args)?;
        let Some(offset) = offset else { return socket.link().send(encoded) };
        let mut inner = self.lock();
        // The clients of others never come back.
        let Some(trail) = socket.trail() else { return socket.link().send(encoded) };
        // What the application is told not to be sent is not sent later.
        inner.hand_over(socket, &trail, &offset, &encoded)?;
        inner.log(&offset, Recipients::Socket(socket.id().shared()), encoded);
        self.tidy_later(&mut inner);
        Ok(())
    }

    /// Returns whether events have a history, and so an offset.
    pub(crate) fn has_history(&self) -> bool {
        self.offsets.is_some()
    }

    /// Sends an event to the addressed sockets. This is the way for events with a history.
    pub(crate) fn emit_to_all(
        self: &Arc<Self>,
        target: &Target,
        name: ByteString,
        args: RawArgs,
    ) -> Result<Broadcast, EncodeError> {
        let (offset, encoded) = self.event(name, args)?;
        let mut inner = self.lock();
        let sockets = inner.rooms.select(target);
        let (Some(offset), Some(history)) = (offset, &inner.history) else {
            return Ok(delivery::send(&sockets, &encoded));
        };
        let position = history.position();
        let broadcast = delivery::send_each(&sockets, &encoded, |socket, has_room| {
            if let Some(trail) = socket.trail() {
                if !has_room {
                    trail.refused(position);
                }
                trail.sent(&offset);
            }
        });
        inner.log(&offset, Recipients::Target(target.clone()), encoded);
        self.tidy_later(&mut inner);
        Ok(broadcast)
    }

    /// Writes an event, with its offset if there is a history.
    fn event(&self, name: ByteString, mut args: RawArgs) -> Result<(Option<Offset>, Encoded), EncodeError> {
        let offset = self.offsets.as_ref().map(Offsets::next);
        if let Some(offset) = &offset {
            args.push_string(offset.as_str());
        }
        Ok((offset, self.encode(Body::Event { name, args, id: None })?))
    }

    /// Begins to hear the other nodes.
    #[cfg(feature = "cluster")]
    pub(crate) fn listen(&self, channel: eio_cluster::Channel) {
        let mut inner = self.lock();
        let Inner { rooms, history, listening, .. } = &mut *inner;
        listening.begin(Topics::new(channel, self.name.clone()));
        let mut names = rooms.names();
        for kept in history.iter().flat_map(History::kept) {
            listening.hold(&kept.rooms);
            names.extend(kept.rooms.iter().cloned());
        }
        inner.note(&names);
    }

    /// Hears nothing of the other nodes any more: the server forgets the namespace.
    #[cfg(feature = "cluster")]
    pub(crate) fn hush(&self) {
        self.lock().listening.end();
    }

    /// Adds a socket that joins the namespace, and calls `accept` before others can send to it. Returns `false` if the socket
    /// has ended meanwhile.
    pub(crate) fn insert(&self, socket: &Socket, accept: impl FnOnce()) -> bool {
        let server = socket.engine().server();
        let mut inner = self.lock();
        // One that ends from now on is removed after it was added, because that takes the lock.
        if !socket.note_joined() {
            return false;
        }
        // Clients of Socket.IO 2 do not come back. Without random bytes, the socket cannot be recovered. That is all.
        let history = inner.history.as_ref().filter(|_| !socket.link().is_old());
        let trail = history.and_then(|history| history.begin(socket.id().shared(), server.node()).ok());
        socket.set_trail(trail);
        accept();
        let is_new = inner.rooms.insert(socket.clone());
        inner.note(&[""; 0]);
        is_new
    }

    /// Returns what is kept of the socket of a client that comes back, if everything that it has missed is known and the application
    /// has been told of the end. Otherwise, it is not kept any more.
    pub(crate) fn kept(&self, Before { pid, offset }: &Before) -> Option<Kept> {
        let mut inner = self.lock();
        let history = inner.history.as_mut()?;
        let returning = history.returning(pid, offset.as_deref(), Instant::now());
        let kept = returning.filter(|kept| kept.being_told().is_none()).cloned();
        if kept.is_none() {
            history.forget(pid);
        }
        kept
    }

    /// Adds the socket of a client that has come back, with what was [kept](Self::kept), and calls `accept` before others can send to
    /// it. Returns `false` if the socket has ended meanwhile, or if nothing is kept any more.
    pub(crate) fn restore(&self, socket: &Socket, before: &Before, accept: impl FnOnce()) -> bool {
        let Before { pid, offset } = before;
        let mut inner = self.lock();
        // It may have gone on elsewhere, and have ended there.
        if inner.away(pid).is_none_or(|kept| kept.being_told().is_some()) {
            return false;
        }
        let restored = inner
            .history
            .as_mut()
            .and_then(|history| history.restore(pid, offset.as_deref(), Instant::now()));
        // The socket has the same values, so dropping this drops none.
        let Some(Restored { trail, kept, rooms, missed }) = restored else { return false };
        inner.listening.release(&kept.rooms);
        if !socket.note_joined() {
            inner.note(&rooms);
            return false;
        }
        socket.set_trail(Some(trail));
        inner.rooms.insert(socket.clone());
        for room in &rooms {
            // The socket was in as many before.
            let _ = inner.rooms.join(socket, room);
        }
        inner.note(&rooms);
        accept();
        socket.link().send_missed(missed);
        true
    }

    /// Returns the time until the handlers of an end have started, if a client with this session wants to come back before.
    pub(crate) fn being_told(&self, pid: &str) -> Option<BeingTold> {
        self.lock().away(pid)?.being_told()
    }

    /// Removes a socket that has ended. Returns the rooms that it was in. Keeps what its client needs if it may come back.
    pub(crate) fn remove(self: &Arc<Self>, socket: &Socket, kept: Option<Kept>) -> Vec<Arc<str>> {
        let mut inner = self.lock();
        let Inner { rooms, history, listening, .. } = &mut *inner;
        if let (Some(history), Some(trail), Some(mut kept)) = (history, socket.trail(), kept) {
            kept.rooms = rooms.of(socket).to_vec();
            listening.hold(&kept.rooms);
            let length = kept.byte_len();
            history.save(trail, kept, length, Instant::now());
            self.tidy_later(&mut inner);
        }
        let left = inner.rooms.remove(socket);
        inner.note(&left);
        left
    }

    pub(crate) fn join(&self, socket: &Socket, room: &str) -> Result<bool, JoinError> {
        let mut inner = self.lock();
        let has_joined = inner.rooms.join(socket, room)?;
        if has_joined && let (Some(history), Some(trail)) = (&inner.history, socket.trail()) {
            let name = inner.rooms.of(socket).last().map_or_else(|| room.into(), Arc::clone);
            history.joined(&trail, &name);
        }
        if has_joined {
            inner.note(&[room]);
        }
        Ok(has_joined)
    }

    pub(crate) fn leave(&self, socket: &Socket, room: &str) -> bool {
        let mut inner = self.lock();
        let has_left = inner.rooms.leave(socket, room);
        if has_left && let (Some(history), Some(trail)) = (&inner.history, socket.trail()) {
            history.left(&trail, room);
        }
        if has_left {
            inner.note(&[room]);
        }
        has_left
    }

    pub(crate) fn rooms_of(&self, socket: &Socket) -> Vec<Arc<str>> {
        self.lock().rooms.of(socket).to_vec()
    }

    /// Returns the addressed sockets.
    pub(crate) fn select(&self, target: &Target) -> Vec<Socket> {
        self.lock().rooms.select(target)
    }

    /// Returns the rooms of the addressed sockets, and how many of these are in each.
    pub(crate) fn sizes(&self, target: &Target) -> Vec<(Arc<str>, usize)> {
        self.lock().rooms.sizes(target)
    }

    /// Notes a socket more or less. Returns whether none is left.
    pub(crate) fn count(&self, joins: bool) -> bool {
        if joins {
            self.users.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        self.users.fetch_sub(1, Ordering::Relaxed) == 1
    }

    /// Returns whether nobody is here or on the way.
    pub(crate) fn is_empty(&self) -> bool {
        self.users.load(Ordering::Relaxed) == 0
    }

    /// Returns whether a client that is away may come back.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.lock().history.as_ref().is_some_and(|history| history.is_waited_for(Instant::now()))
    }

    /// Keeps the session of a client that was never here.
    #[cfg(test)]
    pub(crate) fn wait_for_somebody(&self) {
        let mut inner = self.lock();
        let history = inner.history.as_mut().unwrap();
        let trail = history.begin("somebody".into(), None).unwrap();
        let (_, told) = tokio::sync::watch::channel(());
        let kept = Kept::new("somebody".into(), RawArgs::none(), Arc::default(), told);
        history.save(trail, kept, 0, Instant::now());
    }

    fn lock(&self) -> Locked<'_> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        Locked { inner, gone: Vec::new() }
    }
}

/// The locked namespace. What is not kept any more is dropped after the lock, because it is the application's.
struct Locked<'a> {
    inner: MutexGuard<'a, Inner>,
    gone: Vec<Kept>,
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if let Some(history) = &mut self.inner.history {
            self.gone = history.take_gone();
        }
        for kept in &self.gone {
            self.inner.listening.release(&kept.rooms);
            self.inner.note(&kept.rooms);
        }
    }
}

impl Deref for Locked<'_> {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Inner {
        &mut self.inner
    }
}

impl Inner {
    /// Notes that rooms, or the whole namespace, may have got their first member, or have lost their last one.
    fn note(&mut self, rooms: &[impl AsRef<str>]) {
        self.listening.note(&self.rooms, rooms);
    }

    /// Hands an event to a socket. One that has ended, and whose client may come back, gets it from the history.
    fn hand_over(
        &mut self,
        socket: &Socket,
        trail: &Trail,
        offset: &Offset,
        encoded: &Encoded,
    ) -> Result<(), EmitError> {
        if !self.rooms.contains(socket) {
            return self.away(trail.pid()).map(|_| ()).ok_or(EmitError::Disconnected);
        }
        match socket.link().send(encoded.clone()) {
            // Its session has ended, and so the socket is about to end.
            Err(EmitError::Disconnected) if !socket.link().is_slow() => {}
            sent => sent?,
        }
        trail.sent(offset);
        Ok(())
    }

    fn away(&mut self, pid: &str) -> Option<&Kept> {
        self.history.as_mut()?.away(pid, Instant::now())
    }

    fn expire(&mut self) -> Option<Instant> {
        self.history.as_mut()?.expire(Instant::now())
    }

    fn log(&mut self, offset: &Offset, recipients: Recipients, encoded: Encoded) {
        if let Some(history) = &mut self.history {
            let length = encoded.byte_len();
            history.log(offset, recipients, encoded, length, Instant::now());
        }
    }
}
