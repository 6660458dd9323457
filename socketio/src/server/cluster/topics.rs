//! The topics that a namespace of this node listens to.

use core::fmt;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytestring::ByteString;
use eio_cluster::Channel;

use crate::server::cluster::publisher::topic;
use crate::server::rooms::{shrink, surplus};

/// The topics that a namespace listens to: one for each room that has members, and one for the whole namespace while it
/// has any. Those of sockets whose clients may come back are held until they have come back or will not.
pub(crate) struct Topics {
    channel: Channel,
    namespace: ByteString,
    rooms: HashSet<Arc<str>>,
    is_whole: bool,
    /// How many sockets that are away were in each room.
    held: HashMap<Arc<str>, usize>,
    away: usize,
}

impl Topics {
    pub(crate) fn new(channel: Channel, namespace: ByteString) -> Self {
        let (rooms, held) = (HashSet::new(), HashMap::new());
        Self { channel, namespace, rooms, is_whole: false, held, away: 0 }
    }

    /// Notes whether a room has members.
    pub(crate) fn note_room(&mut self, room: &str, has_members: bool) {
        if has_members || self.held.contains_key(room) {
            if !self.rooms.contains(room) {
                self.rooms.insert(room.into());
                self.channel.listen(&topic(&self.namespace, room));
            }
        } else if self.rooms.remove(room) {
            self.channel.unlisten(&topic(&self.namespace, room));
            if let Some(capacity) = surplus(self.rooms.len(), self.rooms.capacity()) {
                self.rooms.shrink_to(capacity);
            }
        }
    }

    /// Notes whether the namespace has members.
    pub(crate) fn note_whole(&mut self, has_members: bool) {
        let is_wanted = has_members || self.away > 0;
        if is_wanted == self.is_whole {
            return;
        }
        self.is_whole = is_wanted;
        if is_wanted {
            self.channel.listen(&self.namespace);
        } else {
            self.channel.unlisten(&self.namespace);
        }
    }

    /// Notes that a socket is away, whose client may come back and then gets what it has missed.
    pub(crate) fn hold(&mut self, rooms: &[Arc<str>]) {
        self.away += 1;
        for room in rooms {
            *self.held.entry(Arc::clone(room)).or_default() += 1;
        }
    }

    /// Notes that a socket is not away any more. The rooms are to be noted again.
    pub(crate) fn release(&mut self, rooms: &[Arc<str>]) {
        self.away = self.away.saturating_sub(1);
        for room in rooms {
            let Some(count) = self.held.get_mut(room) else { continue };
            *count -= 1;
            if *count == 0 {
                self.held.remove(room);
            }
        }
        shrink(&mut self.held);
    }
}

/// The namespace is forgotten.
impl Drop for Topics {
    fn drop(&mut self) {
        for room in &self.rooms {
            self.channel.unlisten(&topic(&self.namespace, room));
        }
        if self.is_whole {
            self.channel.unlisten(&self.namespace);
        }
    }
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topics").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}
