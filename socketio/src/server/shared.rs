//! What all connections of a server share.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytestring::ByteString;

use crate::parser::Parser;
#[cfg(feature = "cluster")]
use crate::server::cluster::{Far, Joined};
use crate::server::guard::guarded;
use crate::server::namespace::Definition;
use crate::server::recovery::Recovery;
use crate::server::space::Space;
use crate::server::spaces::Spaces;
use crate::sync::{AtomicU64, Mutex, MutexGuard};

/// What the server does when there is something to send to a client that does not read, so that its outbox is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// The event is not sent. [`EmitError::Full`](crate::EmitError::Full), or the count of a broadcast, says so, and the
    /// client stays connected. Use [`Close`](Self::Close) if clients must not work on with gaps that they do not know of.
    #[default]
    Refuse,
    /// The event is not sent, and the connection is closed: [`Reason::SlowClient`](crate::Reason::SlowClient). A client
    /// that comes back is not [recovered](crate::Recovery) and asks for the present state, so none works on with gaps that it
    /// does not know of.
    Close,
}

/// What all connections of a server share.
pub(crate) struct Shared {
    pub(crate) parser: Arc<dyn Parser>,
    pub(crate) when_full: WhenFull,
    pub(crate) connect_timeout: Duration,
    pub(crate) ack_timeout: Duration,
    pub(crate) max_namespaces: usize,
    pub(crate) max_rooms: usize,
    pub(crate) max_running: (usize, usize),
    pub(crate) recovery: Option<Recovery>,
    spaces: Mutex<Spaces>,
    patterns: Vec<Pattern>,
    next_ack: AtomicU64,
    #[cfg(feature = "cluster")]
    pub(crate) far: Far,
}

/// How long the name of a namespace of a pattern may be, in bytes.
const MAX_NAME: usize = 256;

/// The namespaces whose names a function accepts.
pub(crate) struct Pattern {
    pub(crate) accepts: Box<dyn Fn(&str) -> bool + Send + Sync>,
    pub(crate) definition: Arc<Definition>,
}

/// The settings of [`Shared`] that a builder has.
pub(crate) struct Limits {
    pub(crate) when_full: WhenFull,
    pub(crate) connect_timeout: Duration,
    pub(crate) ack_timeout: Duration,
    pub(crate) max_namespaces: usize,
    pub(crate) max_rooms: usize,
    pub(crate) max_running: (usize, usize),
    pub(crate) recovery: Option<Recovery>,
    #[cfg(feature = "cluster")]
    pub(crate) far: crate::server::cluster::Settings,
}

impl Limits {
    /// Returns the name of a limit that is zero and would refuse everything.
    pub(crate) fn zero(&self) -> Option<&'static str> {
        let limits = [
            ("connect_timeout", self.connect_timeout.is_zero()),
            ("ack_timeout", self.ack_timeout.is_zero()),
            ("max_namespaces", self.max_namespaces == 0),
            ("max_running handlers", self.max_running.0 == 0),
            ("max_running bytes", self.max_running.1 == 0),
        ];
        limits.into_iter().find_map(|(name, is_zero)| is_zero.then_some(name))
    }
}

impl Shared {
    pub(crate) fn new(
        parser: Arc<dyn Parser>,
        limits: &Limits,
        namespaces: HashMap<ByteString, Arc<Definition>>,
        patterns: Vec<Pattern>,
    ) -> Self {
        let spaces = namespaces.into_iter().map(|(name, definition)| {
            let space =
                Space::new(name, definition, Arc::clone(&parser), limits.max_rooms, limits.recovery.as_ref());
            // It stays without sockets.
            space.count(true);
            space
        });
        Self {
            spaces: Mutex::new(spaces.collect()),
            parser,
            when_full: limits.when_full,
            connect_timeout: limits.connect_timeout,
            ack_timeout: limits.ack_timeout,
            max_namespaces: limits.max_namespaces,
            max_rooms: limits.max_rooms,
            max_running: limits.max_running,
            recovery: limits.recovery.clone(),
            patterns,
            next_ack: AtomicU64::new(0),
            #[cfg(feature = "cluster")]
            far: Far::new(limits.far.clone()),
        }
    }

    /// Returns the namespace of that name, if somebody is there or the server was built with it.
    pub(crate) fn space(&self, name: &str) -> Option<Arc<Space>> {
        self.lock().get(name).cloned()
    }

    /// Returns the namespace of that name for a client that wants to join. [`exit`](Self::exit) follows.
    pub(crate) fn enter(&self, name: &ByteString) -> Option<Arc<Space>> {
        let mut spaces = self.lock();
        if let Some(space) = spaces.get(name) {
            space.count(true);
            return Some(Arc::clone(space));
        }
        drop(spaces);
        if name.len() > MAX_NAME {
            return None;
        }
        // Code of the application, which may take its time or panic.
        let accepts = |pattern: &&Pattern| guarded(|| (pattern.accepts)(name)).unwrap_or(false);
        let definition = Arc::clone(&self.patterns.iter().find(accepts)?.definition);
        // The name may be a part of a long message, which the namespace should not keep.
        let name = &ByteString::from(String::from(&**name));
        spaces = self.lock();
        let space = spaces.get_or_insert_with(name, || {
            let parser = Arc::clone(&self.parser);
            let space = Space::new(name.clone(), definition, parser, self.max_rooms, self.recovery.as_ref());
            #[cfg(feature = "cluster")]
            self.far.introduce(&space);
            space
        });
        space.count(true);
        Some(space)
    }

    /// Joins a cluster. All namespaces hear the other nodes from now on. Returns `false` if a cluster was joined before.
    #[cfg(feature = "cluster")]
    pub(crate) fn join(&self, joined: Joined) -> bool {
        let spaces = self.lock();
        let has_joined = self.far.join(joined);
        if has_joined {
            spaces.all().for_each(|space| self.far.introduce(space));
        }
        has_joined
    }

    /// Notes that a socket has left the namespace, which is forgotten if it is one of a pattern and has no socket left.
    pub(crate) fn exit(&self, space: &Space) {
        let mut spaces = self.lock();
        let gone = if space.count(false) { spaces.retire(space) } else { Vec::new() };
        drop(spaces);
        drop(gone);
    }

    /// Returns a number for an event that asks for an acknowledgement. No two events of the server have the same, so that one
    /// packet can be for many sockets.
    pub(crate) fn next_ack(&self) -> u64 {
        self.next_ack.fetch_add(1, Ordering::Relaxed) % eio_core::socketio::MAX_ID
    }

    fn lock(&self) -> MutexGuard<'_, Spaces> {
        self.spaces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
