//! A set of sessions, which finds them by their identifiers.

use core::borrow::Borrow;
use core::hash::{Hash, Hasher};
use std::collections::HashSet;
use std::sync::Arc;

use crate::wire::session_id::SessionId;

/// A session, as the set knows it.
pub(crate) trait Identified {
    /// Returns the identifier, which never changes.
    fn id(&self) -> &SessionId;
}

/// A set of sessions. Each entry takes one pointer.
pub(crate) struct SessionSet<S>(HashSet<ById<S>>);

impl<S> Default for SessionSet<S> {
    fn default() -> Self {
        Self(HashSet::new())
    }
}

impl<S: Identified> SessionSet<S> {
    /// Adds a session. Returns `false` if it was there before.
    pub(crate) fn insert(&mut self, session: Arc<S>) -> bool {
        self.0.insert(ById(session))
    }

    /// Removes a session.
    pub(crate) fn take(&mut self, id: SessionId) -> Option<Arc<S>> {
        let taken = self.0.take(&id)?;
        if let Some(room) = surplus(self.0.len(), self.0.capacity()) {
            self.0.shrink_to(room);
        }
        Some(taken.0)
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Arc<S>> {
        self.0.get(&id).map(|found| &found.0)
    }

    pub(crate) fn contains(&self, id: SessionId) -> bool {
        self.0.contains(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<S>> {
        self.0.iter().map(|session| &session.0)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Returns the room to leave to a collection that has become much smaller than its memory, as after a wave of sessions.
pub(crate) fn surplus(len: usize, capacity: usize) -> Option<usize> {
    (len < capacity / 8).then_some(len * 2)
}

/// A session, found by its identifier.
struct ById<S>(Arc<S>);

impl<S: Identified> Borrow<SessionId> for ById<S> {
    fn borrow(&self) -> &SessionId {
        self.0.id()
    }
}

impl<S: Identified> Hash for ById<S> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.id().hash(hasher);
    }
}

impl<S: Identified> PartialEq for ById<S> {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl<S: Identified> Eq for ById<S> {}
