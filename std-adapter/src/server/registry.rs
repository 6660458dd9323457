//! The registry of one server's sessions and their groups.

use std::collections::HashSet;
use std::sync::Arc;

use crate::server::audience::Audience;
use crate::server::groups::Groups;
use crate::server::session_set::{Identified, SessionSet};
use crate::wire::session_id::SessionId;

/// The sessions that have not ended, or whose applications have not.
pub(crate) struct Registry<S> {
    open: SessionSet<S>,
    /// The sessions that have ended and whose applications have not.
    ending: SessionSet<S>,
    groups: Groups<S>,
}

impl<S> Default for Registry<S> {
    fn default() -> Self {
        Self { open: SessionSet::default(), ending: SessionSet::default(), groups: Groups::default() }
    }
}

impl<S: Identified> Registry<S> {
    pub(crate) fn insert(&mut self, session: Arc<S>) {
        self.open.insert(session);
    }

    /// Removes a session that has ended from the open ones, and from its groups. Its application may still be running.
    pub(crate) fn session_ended(&mut self, id: SessionId) {
        if let Some(session) = self.open.take(id) {
            self.ending.insert(session);
        }
        self.groups.session_ended(id);
    }

    /// Removes a session that has ended together with its application.
    pub(crate) fn application_ended(&mut self, id: SessionId) -> Option<Arc<S>> {
        self.groups.forget(id);
        self.ending.take(id)
    }

    /// Returns the sessions that have not ended.
    pub(crate) fn open(&self) -> &SessionSet<S> {
        &self.open
    }

    /// Returns the sessions that have ended and whose applications have not.
    pub(crate) fn ending(&self) -> &SessionSet<S> {
        &self.ending
    }

    /// Adds a session to a group. Returns `false` if it is a member, or has ended.
    pub(crate) fn join(&mut self, id: SessionId, group: &str) -> bool {
        self.open.get(id).is_some_and(|session| self.groups.join(session, group))
    }

    /// Removes a session from a group. Returns `false` if it is no member.
    pub(crate) fn leave(&mut self, id: SessionId, group: &str) -> bool {
        self.groups.leave(id, group)
    }

    /// Returns the names of a session's groups.
    pub(crate) fn groups_of(&self, id: SessionId) -> Vec<String> {
        self.groups.of(id)
    }

    pub(crate) fn members(&self, group: &str) -> Vec<Arc<S>> {
        self.groups.members(group).into_iter().flat_map(SessionSet::iter).cloned().collect()
    }

    pub(crate) fn member_count(&self, group: &str) -> usize {
        self.groups.members(group).map_or(0, SessionSet::len)
    }

    /// Returns the groups, for those who watch them.
    pub(crate) fn groups(&mut self) -> &mut Groups<S> {
        &mut self.groups
    }

    /// Returns the sessions of an audience, each once.
    pub(crate) fn audience(&self, audience: &Audience) -> Vec<Arc<S>> {
        let excepted: Vec<_> =
            audience.excepted_groups().filter_map(|group| self.groups.members(group)).collect();
        let hears = |session: &&Arc<S>| {
            let id = *session.id();
            !audience.excepts(id) && !excepted.iter().any(|members| members.contains(id))
        };
        let Some(groups) = audience.groups() else {
            return self.open.iter().filter(hears).cloned().collect();
        };
        let mut groups = groups.filter_map(|group| self.groups.members(group)).peekable();
        let Some(first) = groups.next() else { return Vec::new() };
        if groups.peek().is_none() {
            return first.iter().filter(hears).cloned().collect();
        }
        let mut seen = HashSet::new();
        let once = |session: &&Arc<S>| seen.insert(*session.id());
        let members = core::iter::once(first).chain(groups).flat_map(SessionSet::iter);
        members.filter(hears).filter(once).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fake(SessionId);

    impl Identified for Fake {
        fn id(&self) -> &SessionId {
            &self.0
        }
    }

    impl Registry<Fake> {
        /// Registers a session.
        fn open_one(&mut self) -> SessionId {
            let id = SessionId::random(None).unwrap();
            self.insert(Arc::new(Fake(id)));
            id
        }

        fn hears(&self, audience: &Audience) -> usize {
            self.audience(audience).len()
        }

        /// Nothing of any session or group is kept.
        fn assert_empty(&self) {
            assert!(self.open.is_empty() && self.ending.is_empty());
            assert!(self.groups.is_empty());
        }
    }

    #[test]
    fn a_session_that_has_ended_is_in_no_group_and_joins_none() {
        let mut registry = Registry::default();
        let (first, second) = (registry.open_one(), registry.open_one());
        for id in [first, second] {
            assert!(registry.join(id, "b") && registry.join(id, "a"));
        }
        registry.session_ended(first);
        assert_eq!(
            (registry.members("a").len(), registry.hears(&Audience::group("a").and_group("b"))),
            (1, 1)
        );
        assert!(!registry.join(first, "c") && !registry.leave(first, "a"));
        assert_eq!(registry.groups_of(first), ["a", "b"]);
        assert!(registry.application_ended(first).is_some());
        assert_eq!(registry.groups_of(first), [""; 0]);
        assert!(!registry.join(first, "c"));
        registry.session_ended(second);
        registry.application_ended(second);
        registry.assert_empty();
    }

    #[test]
    fn watchers_hear_what_is_and_not_what_was() {
        let mut registry = Registry::default();
        let (first, second) = (registry.open_one(), registry.open_one());
        registry.join(first, "a");
        assert!(!registry.groups.has_news(), "nobody watches");
        let watcher = registry.groups.watch();
        let news = |registry: &mut Registry<Fake>, watcher| {
            let mut news = registry.groups.take_news(watcher);
            news.sort();
            news.into_iter().map(|(name, exists)| format!("{name} {exists}")).collect::<Vec<_>>()
        };
        assert_eq!(news(&mut registry, watcher), ["a true"]);
        registry.join(second, "a");
        registry.leave(first, "a");
        assert!(!registry.groups.has_news());
        registry.join(first, "b");
        assert!(registry.groups.has_news() && !registry.groups.has_news());
        registry.session_ended(second);
        let other = registry.groups.watch();
        assert_eq!(news(&mut registry, watcher), ["a false", "b true"]);
        assert_eq!(news(&mut registry, other), ["b true"]);
        for number in 0..10_000 {
            registry.join(first, &number.to_string());
            registry.leave(first, &number.to_string());
        }
        registry.leave(first, "b");
        registry.join(first, "b");
        assert_eq!(news(&mut registry, watcher), [""; 0]);
        registry.groups.unwatch(watcher);
        assert_eq!(news(&mut registry, watcher), [""; 0]);
    }

    #[test]
    fn a_hundred_thousand_members_hear_once_each_and_leave_nothing_behind() {
        const MEMBERS: usize = 100_000;
        let mut registry = Registry::default();
        let ids: Vec<_> = (0..MEMBERS).map(|_| registry.open_one()).collect();
        for (number, id) in ids.iter().enumerate() {
            assert!(registry.join(*id, "all") && registry.join(*id, &format!("of ten {}", number / 10)));
        }
        assert_eq!(registry.hears(&Audience::all()), MEMBERS);
        assert_eq!(registry.hears(&Audience::group("all").and_group("of ten 7").except(ids[0])), MEMBERS - 1);
        assert_eq!(registry.hears(&Audience::group("all").except_group("of ten 7")), MEMBERS - 10);
        let several =
            (0..1_000).fold(Audience::group("none"), |some, ten| some.and_group(format!("of ten {ten}")));
        assert_eq!(registry.hears(&several), 10_000);
        for id in ids {
            registry.session_ended(id);
            registry.application_ended(id);
        }
        registry.assert_empty();
    }

    #[test]
    fn a_session_in_a_hundred_thousand_groups_may_leave_each_of_them() {
        const GROUPS: usize = 100_000;
        let mut registry = Registry::default();
        let id = registry.open_one();
        let names: Vec<_> = (0..GROUPS).map(|number| number.to_string()).collect();
        assert!(names.iter().all(|name| registry.join(id, name)));
        assert_eq!(registry.groups_of(id).len(), GROUPS);
        assert!(names.iter().all(|name| registry.leave(id, name)));
        assert!(registry.groups.is_empty());
    }
}
