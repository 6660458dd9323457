//! Groups: named sets of sessions.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::server::session_set::{Identified, SessionSet, surplus};
use crate::wire::session_id::SessionId;

/// The groups of a server. A group exists while it has members, and a session is here while it is in a group.
pub(crate) struct Groups<S> {
    members: HashMap<Arc<str>, SessionSet<S>>,
    /// The names of each session's groups. They stay after the session's end, until it is forgotten.
    joined: HashMap<SessionId, HashSet<Arc<str>>>,
    news: News,
}

impl<S> Default for Groups<S> {
    fn default() -> Self {
        Self { members: HashMap::new(), joined: HashMap::new(), news: News::default() }
    }
}

impl<S: Identified> Groups<S> {
    /// Adds a session to a group. Returns `false` if it is a member.
    pub(crate) fn join(&mut self, session: &Arc<S>, group: &str) -> bool {
        let name = if let Some((name, _)) = self.members.get_key_value(group) {
            Arc::clone(name)
        } else {
            let name = Arc::from(group);
            self.news.note(&name);
            name
        };
        let joins = self.members.entry(Arc::clone(&name)).or_default().insert(Arc::clone(session));
        joins && self.joined.entry(*session.id()).or_default().insert(name)
    }

    /// Removes a session from a group. Returns `false` if it is no member.
    pub(crate) fn leave(&mut self, id: SessionId, group: &str) -> bool {
        if !remove(&mut self.members, &mut self.news, id, group) {
            return false;
        }
        if let Some(joined) = self.joined.get_mut(&id) {
            joined.remove(group);
            if joined.is_empty() {
                self.forget(id);
            }
        }
        true
    }

    /// Removes a session that has ended from its groups. Their names stay with it.
    pub(crate) fn session_ended(&mut self, id: SessionId) {
        for group in self.joined.get(&id).into_iter().flatten() {
            remove(&mut self.members, &mut self.news, id, group);
        }
    }

    /// Forgets the names of a session's groups.
    pub(crate) fn forget(&mut self, id: SessionId) {
        if self.joined.remove(&id).is_some()
            && let Some(room) = surplus(self.joined.len(), self.joined.capacity())
        {
            self.joined.shrink_to(room);
        }
    }

    /// Returns the names of a session's groups, in order.
    pub(crate) fn of(&self, id: SessionId) -> Vec<String> {
        let mut names: Vec<_> =
            self.joined.get(&id).into_iter().flatten().map(|name| String::from(&**name)).collect();
        names.sort_unstable();
        names
    }

    /// Returns the members of a group, or `None` if it has none.
    pub(crate) fn members(&self, group: &str) -> Option<&SessionSet<S>> {
        self.members.get(group)
    }

    /// Adds somebody who wants to know which groups there are. Returns the number to ask with.
    pub(crate) fn watch(&mut self) -> u64 {
        self.news.watch(self.members.keys())
    }

    /// Removes a watcher.
    pub(crate) fn unwatch(&mut self, watcher: u64) {
        self.news.watchers.remove(&watcher);
    }

    /// Returns the groups that came into being or vanished since a watcher has asked last, and whether they exist now.
    pub(crate) fn take_news(&mut self, watcher: u64) -> Vec<(Arc<str>, bool)> {
        let changed = self.news.watchers.get_mut(&watcher).map(core::mem::take).unwrap_or_default();
        changed.into_iter().map(|name| (Arc::clone(&name), self.members.contains_key(&name))).collect()
    }

    /// Returns whether there is something new for any watcher since the last call.
    pub(crate) fn has_news(&mut self) -> bool {
        core::mem::take(&mut self.news.is_new)
    }
}

/// What the watchers of groups do not know yet.
#[derive(Default)]
struct News {
    last: u64,
    /// For each watcher, the groups whose existence is not what it was when the watcher has asked last. So a watcher that
    /// does not ask costs memory for groups that exist or that it knows, and not for each one that came and went.
    watchers: HashMap<u64, HashSet<Arc<str>>>,
    is_new: bool,
}

impl News {
    fn watch<'n>(&mut self, existing: impl Iterator<Item = &'n Arc<str>>) -> u64 {
        self.last += 1;
        self.watchers.insert(self.last, existing.cloned().collect());
        self.last
    }

    /// Notes that a group has come into being, or has vanished.
    fn note(&mut self, name: &Arc<str>) {
        for changed in self.watchers.values_mut() {
            if !changed.remove(name) {
                changed.insert(Arc::clone(name));
            }
            self.is_new = true;
        }
    }
}

/// Removes a session from a group. Returns `false` if it is no member.
fn remove<S: Identified>(
    members: &mut HashMap<Arc<str>, SessionSet<S>>,
    news: &mut News,
    id: SessionId,
    group: &str,
) -> bool {
    let Some(sessions) = members.get_mut(group) else { return false };
    let is_member = sessions.take(id).is_some();
    if sessions.is_empty()
        && let Some((name, _)) = members.remove_entry(group)
    {
        news.note(&name);
        if let Some(room) = surplus(members.len(), members.capacity()) {
            members.shrink_to(room);
        }
    }
    is_member
}

#[cfg(test)]
impl<S> Groups<S> {
    /// Returns whether there is no group, no session, and hardly any memory for them.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { members, joined, news: _ } = self;
        members.is_empty() && joined.is_empty() && members.capacity() + joined.capacity() < 100
    }
}
