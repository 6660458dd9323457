//! What a namespace hears of the other nodes.

use std::sync::Arc;

#[cfg(feature = "cluster")]
use crate::server::cluster::topics::Topics;
use crate::server::rooms::Rooms;
use crate::server::socket::Socket;

/// What a namespace hears of the other nodes. Without a cluster, it is nothing.
#[derive(Debug, Default)]
pub(super) struct Listening {
    #[cfg(feature = "cluster")]
    topics: Option<Topics>,
}

#[cfg(feature = "cluster")]
impl Listening {
    /// Begins to hear the other nodes. [`note`](Self::note) follows.
    pub(super) fn begin(&mut self, topics: Topics) {
        self.topics = Some(topics);
    }

    /// Hears nothing from now on.
    pub(super) fn end(&mut self) {
        self.topics = None;
    }

    /// Notes that rooms, or the whole namespace, may have got their first member, or have lost their last one.
    pub(super) fn note(&mut self, members: &Rooms<Socket>, rooms: &[impl AsRef<str>]) {
        let Some(topics) = &mut self.topics else { return };
        for room in rooms {
            let room = room.as_ref();
            topics.note_room(room, members.has(room));
        }
        topics.note_whole(!members.is_empty());
    }

    /// Notes that a socket is away, whose client may come back and then gets what it has missed.
    pub(super) fn hold(&mut self, rooms: &[Arc<str>]) {
        if let Some(topics) = &mut self.topics {
            topics.hold(rooms);
        }
    }

    /// Notes that a socket is not away any more. [`note`](Self::note) follows.
    pub(super) fn release(&mut self, rooms: &[Arc<str>]) {
        if let Some(topics) = &mut self.topics {
            topics.release(rooms);
        }
    }
}

#[cfg(not(feature = "cluster"))]
#[expect(clippy::unused_self, reason = "there is nothing to hear")]
impl Listening {
    pub(super) fn note(&mut self, _: &Rooms<Socket>, _: &[impl AsRef<str>]) {}
    pub(super) fn hold(&mut self, _: &[Arc<str>]) {}
    pub(super) fn release(&mut self, _: &[Arc<str>]) {}
}
