//! What was sent in a namespace, and who was away meanwhile.

use std::io;
use std::sync::Arc;

use tokio::time::Instant;

use crate::server::recovery::Recovery;
use crate::server::recovery::log::Log;
use crate::server::recovery::offset::{Offset, Offsets};
use crate::server::recovery::recipients::Recipients;
use crate::server::recovery::sessions::{Away, Sessions};
use crate::server::recovery::trail::{Pid, Trail};

/// What was sent in a namespace, and the sessions whose clients are away. `K` is what is kept of a socket besides its
/// rooms, `P` a packet as it goes out.
///
/// One lock guards the history and the rooms of the namespace. A packet is logged, and handed to the sockets that it is
/// for, before that lock is released: otherwise two packets could reach a client in another order than that of the log,
/// and what comes before the last one that it has seen would be taken for seen.
pub(crate) struct History<K, P> {
    log: Log<P>,
    sessions: Sessions<K>,
    offsets: Offsets,
}

/// A session that goes on.
pub(crate) struct Restored<K, P> {
    /// The trail, which the socket leaves further.
    pub(crate) trail: Trail,
    /// What was kept of the socket.
    pub(crate) kept: K,
    /// The rooms that it was in when it left, besides its own, in the order of joining.
    pub(crate) rooms: Vec<Arc<str>>,
    /// The packets that its client has not seen, in the order of sending.
    pub(crate) missed: Vec<P>,
}

impl<K, P: Clone> History<K, P> {
    /// Returns a history of nothing, which keeps as much as the settings allow.
    pub(crate) fn new(settings: &Recovery) -> Self {
        Self { log: Log::new(settings), sessions: Sessions::new(settings), offsets: Offsets::default() }
    }

    /// Returns what numbers the packets. It works without the lock of the history.
    pub(crate) fn offsets(&self) -> Offsets {
        self.offsets.clone()
    }

    /// Begins the trail of a socket that becomes a member of the namespace, on this node.
    ///
    /// # Errors
    /// Returns an error if the system has no random bytes.
    pub(crate) fn begin(&self, id: Arc<str>, node: Option<&str>) -> io::Result<Trail> {
        Trail::new(id, node, self.log.next())
    }

    /// Notes that a socket has joined a room that it was not in.
    pub(crate) fn joined(&self, trail: &Trail, room: &Arc<str>) {
        trail.join(room, self.log.next());
    }

    /// Notes that a socket has left a room. One that disconnects stays in its rooms.
    pub(crate) fn left(&self, trail: &Trail, room: &str) {
        trail.leave(room, self.log.next(), self.log.first());
    }

    /// Keeps a packet of this length. Call [`Trail::sent`] for each socket that it is handed to. Only events that ask for no
    /// acknowledgement and are not volatile may be missed and sent later.
    pub(crate) fn log(
        &mut self,
        offset: &Offset,
        recipients: Recipients,
        packet: P,
        length: usize,
        now: Instant,
    ) {
        self.log.push(offset.number(), recipients, packet, length, now);
    }

    /// Keeps the session of a socket that has disconnected for a reason after which its client may come back. `length` is
    /// how many bytes `kept` takes.
    pub(crate) fn save(&mut self, trail: Trail, kept: K, length: usize, now: Instant) {
        self.sessions.insert(trail, kept, length, self.log.next(), now);
    }

    /// Returns what is kept of the socket with this session, if its client may come back.
    pub(crate) fn away(&mut self, pid: &str, now: Instant) -> Option<&K> {
        self.expire(now);
        Some(&self.sessions.get(Pid::parse(pid)?)?.kept)
    }

    /// Forgets a session: its client has not come back to it, and joins anew.
    pub(crate) fn forget(&mut self, pid: &str) {
        if let Some(pid) = Pid::parse(pid) {
            self.sessions.drop_later(pid);
        }
    }

    /// Returns the same as [`away`](Self::away), if [`restore`](Self::restore) would return the session now.
    pub(crate) fn returning(&mut self, pid: &str, offset: Option<&str>, now: Instant) -> Option<&K> {
        self.expire(now);
        let away = self.sessions.get(Pid::parse(pid)?)?;
        self.missed(away, offset).map(|_| &away.kept)
    }

    /// Returns the position of the next packet.
    pub(crate) fn position(&self) -> u64 {
        self.log.next()
    }

    /// Returns the session with this identifier, and what its client has missed after the packet with this offset, the
    /// last that it has seen. A client that has seen none names none.
    ///
    /// Returns nothing if no such session is kept, or if it is not certain that nothing else is missing. The session is
    /// gone afterwards in either case: a session is restored once.
    pub(crate) fn restore(
        &mut self,
        pid: &str,
        offset: Option<&str>,
        now: Instant,
    ) -> Option<Restored<K, P>> {
        self.expire(now);
        let away = self.sessions.take(Pid::parse(pid)?)?;
        let Some(missed) = self.missed(&away, offset).map(Iterator::collect::<Vec<_>>) else {
            self.sessions.give_up(away.kept);
            return None;
        };
        if let Some((number, _)) = missed.last() {
            away.trail.note(*number);
        }
        // It comes now.
        away.trail.forget_refused();
        let missed = missed.into_iter().map(|(_, packet)| packet).collect();
        Some(Restored { rooms: away.trail.rooms(), trail: away.trail, kept: away.kept, missed })
    }

    /// Returns what is kept of the sockets whose clients are away.
    #[cfg(feature = "cluster")]
    pub(crate) fn kept(&self) -> impl Iterator<Item = &K> {
        self.sessions.kept()
    }

    /// Returns whether a client may come back.
    pub(crate) fn is_waited_for(&self, now: Instant) -> bool {
        self.sessions.is_waited_for(now)
    }

    /// Takes what was kept of sockets and is not any more, to be dropped without the lock: it is the application's, and may
    /// use the server when it is dropped.
    pub(crate) fn take_gone(&mut self) -> Vec<K> {
        self.sessions.take_gone()
    }

    /// Drops what has been kept for long enough. Returns when to do so again, unless nothing is left.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Instant> {
        [self.log.trim(now), self.sessions.trim(now)].into_iter().flatten().min()
    }

    /// Returns the packets that a client has missed, with their numbers, unless some of them may be gone.
    fn missed(&self, away: &Away<K>, offset: Option<&str>) -> Option<impl Iterator<Item = (u64, P)>> {
        let audience = away.trail.audience();
        let last_seen = match offset {
            Some(text) => Some(self.offsets.parse(text)?),
            None => None,
        };
        let last_sent = away.trail.last();
        let start = if last_sent == 0 || last_seen == Some(last_sent) {
            // Nothing was under way when it left.
            away.left
        } else {
            match last_seen.and_then(|number| self.log.find(number)) {
                Some((position, entry)) if position >= away.trail.began() => {
                    // A packet that was not for the session cannot be the last that its client has seen.
                    audience.includes(position, &entry.recipients).then_some(position + 1)?
                }
                // Of this session it has seen nothing. An offset may come from an earlier one: stock clients keep it.
                _ => away.trail.began(),
            }
        };
        if start < away.left && start < away.trail.known_from() {
            return None;
        }
        // What it has seen came after what was refused.
        if away.trail.first_refused() < start {
            return None;
        }
        let is_missed = move |(position, entry): (u64, &super::log::Entry<P>)| {
            audience.includes(position, &entry.recipients).then(|| (entry.number, entry.packet.clone()))
        };
        Some(self.log.since(start)?.filter_map(is_missed))
    }

    #[cfg(test)]
    pub(super) fn usage(&self) -> ((usize, usize, usize), (usize, usize, usize)) {
        (self.log.usage(), self.sessions.usage())
    }
}
