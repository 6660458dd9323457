//! What the history needs to know of one session.

use core::sync::atomic::Ordering;
use std::io;
use std::sync::{Arc, PoisonError};

use crate::server::random_id::{self, random_id};
use crate::server::recovery::offset::Offset;
use crate::server::recovery::recipients::Recipients;
use crate::server::rooms::surplus;
use crate::sync::{AtomicU64, Mutex, MutexGuard};

/// How many of the rooms that a session has left are remembered.
const MAX_LEFT: usize = 100;

/// A position that no packet has.
const NONE: u64 = u64::MAX;

/// The identifier of a session. Only its client knows it: 120 random bits, or 96 behind the name of its node.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Pid([u8; random_id::LEN]);

impl Pid {
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.as_bytes().try_into().ok().map(Self)
    }

    fn as_str(&self) -> &str {
        random_id::as_str(&self.0)
    }
}

/// What the history needs to know of one session: when it began, when it was in which rooms, and what was sent to it last.
/// Clones are handles of the same trail.
#[derive(Clone)]
pub(crate) struct Trail(Arc<Session>);

struct Session {
    pid: Pid,
    /// The identifier of the socket.
    id: Arc<str>,
    /// The position of the first packet that could be for it.
    began: u64,
    /// The number of the last packet that was for it, or 0.
    last: AtomicU64,
    /// The position of the first packet that was for it and for which its outbox had no room, since it was last restored.
    refused: AtomicU64,
    stays: Mutex<Stays>,
}

/// The rooms that a session is in, and those that it was in while packets were logged that are still kept.
#[derive(Default)]
struct Stays {
    /// In the order of joining.
    all: Vec<Stay>,
    /// The position from which on the rooms are known.
    known_from: u64,
}

/// A stay in a room: it holds for the packets whose positions are in this range.
#[derive(Clone)]
struct Stay {
    room: Arc<str>,
    from: u64,
    until: Option<u64>,
}

impl Trail {
    /// Begins a session on this node, for the socket of this identifier.
    ///
    /// # Errors
    /// Returns an error if the system has no random bytes.
    pub(super) fn new(id: Arc<str>, node: Option<&str>, began: u64) -> io::Result<Self> {
        let pid = Pid(random_id(node)?);
        Ok(Self(Arc::new(Session {
            pid,
            id,
            began,
            last: AtomicU64::new(0),
            refused: AtomicU64::new(NONE),
            stays: Mutex::default(),
        })))
    }

    /// Returns the identifier of the session. Only its client may learn it: who knows it can take the socket over.
    pub(crate) fn pid(&self) -> &str {
        self.0.pid.as_str()
    }

    /// Notes that a packet was handed to the socket.
    pub(crate) fn sent(&self, offset: &Offset) {
        self.note(offset.number());
    }

    pub(super) fn note(&self, number: u64) {
        self.0.last.store(number, Ordering::Relaxed);
    }

    /// Returns the number of the last packet that was handed to the socket, or 0.
    pub(super) fn last(&self) -> u64 {
        self.0.last.load(Ordering::Relaxed)
    }

    /// Notes that the socket had no room for the packet at this position.
    pub(crate) fn refused(&self, position: u64) {
        self.0.refused.fetch_min(position, Ordering::Relaxed);
    }

    /// Returns the position of the first packet that the socket had no room for.
    pub(super) fn first_refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    pub(super) fn forget_refused(&self) {
        self.0.refused.store(NONE, Ordering::Relaxed);
    }

    pub(super) fn key(&self) -> Pid {
        self.0.pid
    }

    pub(super) fn began(&self) -> u64 {
        self.0.began
    }

    /// Returns the position from which on it is known whether a packet was for the session.
    pub(super) fn known_from(&self) -> u64 {
        self.stays().known_from.max(self.0.began)
    }

    pub(super) fn join(&self, room: &Arc<str>, position: u64) {
        self.stays().all.push(Stay { room: Arc::clone(room), from: position, until: None });
    }

    /// Ends the stay in a room, and forgets the stays during which nothing was logged that is kept: the oldest is at
    /// `first`.
    pub(super) fn leave(&self, room: &str, position: u64, first: u64) {
        let mut stays = self.stays();
        let Some(stay) = stays.all.iter_mut().find(|stay| stay.until.is_none() && *stay.room == *room) else {
            return;
        };
        stay.until = Some(position);
        stays.all.retain(|stay| stay.until.is_none_or(|until| until > first.max(stay.from)));
        if stays.all.iter().filter(|stay| stay.until.is_some()).count() > MAX_LEFT {
            stays.forget_one();
        }
        if let Some(room) = surplus(stays.all.len(), stays.all.capacity()) {
            stays.all.shrink_to(room);
        }
    }

    /// Returns the rooms that the session is in, in the order of joining.
    pub(super) fn rooms(&self) -> Vec<Arc<str>> {
        self.stays()
            .all
            .iter()
            .filter(|stay| stay.until.is_none())
            .map(|stay| Arc::clone(&stay.room))
            .collect()
    }

    /// Returns what tells which packets were for the session.
    pub(super) fn audience(&self) -> Audience {
        let mut stays = self.stays().all.clone();
        stays.sort_by(|a, b| a.room.cmp(&b.room));
        Audience { id: Arc::clone(&self.0.id), stays }
    }

    /// Returns about how many bytes of memory the session takes.
    pub(super) fn byte_len(&self) -> usize {
        let stays = self.stays();
        let names: usize = stays.all.iter().map(|stay| size_of::<Stay>() + stay.room.len()).sum();
        size_of::<Session>() + names
    }

    #[cfg(test)]
    pub(super) fn stays_kept(&self) -> usize {
        self.stays().all.len()
    }

    fn stays(&self) -> MutexGuard<'_, Stays> {
        self.0.stays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stays {
    /// Forgets the room that was left first, and with it what was for the session until then.
    fn forget_one(&mut self) {
        let Some(until) = self.all.iter().filter_map(|stay| stay.until).min() else { return };
        self.known_from = self.known_from.max(until);
        self.all.retain(|stay| stay.until != Some(until));
    }
}

/// Tells which packets were for a session, of those since it began.
pub(super) struct Audience {
    id: Arc<str>,
    /// Sorted by room.
    stays: Vec<Stay>,
}

impl Audience {
    /// Returns whether the packet at this position was for the session.
    pub(super) fn includes(&self, position: u64, recipients: &Recipients) -> bool {
        let target = match recipients {
            Recipients::Socket(id) => return *id == self.id,
            Recipients::Target(target) => target,
        };
        let is_in = |room: &Arc<str>| self.was_in(room, position);
        let is_named = target.rooms.is_empty() || target.rooms.iter().any(is_in);
        is_named && !target.except.iter().any(is_in)
    }

    fn was_in(&self, room: &Arc<str>, position: u64) -> bool {
        let index = self.stays.partition_point(|stay| stay.room < *room);
        let stays = self.stays.iter().skip(index).take_while(|stay| stay.room == *room);
        let holds = |stay: &Stay| stay.from <= position && stay.until.is_none_or(|until| position < until);
        *room == self.id || stays.into_iter().any(holds)
    }
}
