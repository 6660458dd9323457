//! The namespaces of a running server.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytestring::ByteString;

use crate::server::rooms::shrink;
use crate::server::space::Space;

/// How many namespaces without sockets wait for clients that may come back.
const MAX_WAITING: usize = 1000;

/// The namespaces of a running server: those that it was built with, and those of patterns that clients are in, or may come
/// back to.
#[derive(Default)]
pub(crate) struct Spaces {
    by_name: HashMap<ByteString, Arc<Space>>,
    /// The names of those that wait. The one that the last socket left first comes first.
    waiting: VecDeque<ByteString>,
}

impl Spaces {
    /// Returns the namespace of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Space>> {
        self.by_name.get(name)
    }

    /// Returns all namespaces.
    #[cfg(feature = "cluster")]
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Space>> {
        self.by_name.values()
    }

    /// Returns the namespace of that name, which `create` creates if it does not exist.
    pub(crate) fn get_or_insert_with(
        &mut self,
        name: &ByteString,
        create: impl FnOnce() -> Space,
    ) -> Arc<Space> {
        Arc::clone(self.by_name.entry(name.clone()).or_insert_with(|| Arc::new(create())))
    }

    /// Forgets a namespace that has no socket left, or lets it wait for clients that may come back. Forgets those for which
    /// that time is over, too, and the first ones while there are too many. Returns them, to be dropped without the lock:
    /// they have values of the application.
    #[must_use]
    pub(crate) fn retire(&mut self, space: &Space) -> Vec<Arc<Space>> {
        let mut gone = Vec::new();
        if space.is_waited_for() {
            // Each waits once: one that comes and goes again and again must not take the places of others.
            self.waiting.retain(|name| name != space.name());
            self.waiting.push_back(space.name().clone());
        } else {
            gone.extend(self.by_name.remove(space.name()));
        }
        self.forget_the_first(&mut gone);
        // While no other namespace of its name can begin to listen.
        #[cfg(feature = "cluster")]
        for space in &gone {
            space.hush();
        }
        shrink(&mut self.by_name);
        gone
    }

    fn forget_the_first(&mut self, gone: &mut Vec<Arc<Space>>) {
        if self.waiting.len() > MAX_WAITING {
            // Those that have sockets again do not wait.
            let by_name = &self.by_name;
            self.waiting.retain(|name| by_name.get(name).is_some_and(|space| space.is_empty()));
        }
        while let Some(name) = self.waiting.front() {
            if let Some(space) = self.by_name.get(name)
                && space.is_empty()
            {
                if self.waiting.len() <= MAX_WAITING && space.is_waited_for() {
                    return;
                }
                gone.extend(self.by_name.remove(name));
            }
            self.waiting.pop_front();
        }
        self.waiting = VecDeque::new();
    }
}

impl FromIterator<Space> for Spaces {
    fn from_iter<I: IntoIterator<Item = Space>>(spaces: I) -> Self {
        let by_name = spaces.into_iter().map(|space| (space.name().clone(), Arc::new(space))).collect();
        Self { by_name, waiting: VecDeque::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::parser::DefaultParser;
    use crate::server::namespace::Namespace;
    use crate::server::recovery::Recovery;

    /// Lets a socket join the namespace of this name.
    fn enter(spaces: &mut Spaces, name: &str) -> Arc<Space> {
        let name = ByteString::from(name);
        let space = spaces.get_or_insert_with(&name, || {
            let definition = Arc::new(Namespace::<()>::new().define(&Arc::new(())).unwrap());
            Space::new(name.clone(), definition, Arc::new(DefaultParser), 1, Some(&Recovery::new()))
        });
        space.count(true);
        space
    }

    /// Lets the last socket of a namespace leave, whose client may come back.
    fn lose(spaces: &mut Spaces, name: &str) {
        let space = enter(spaces, name);
        space.wait_for_somebody();
        assert!(space.count(false));
        drop(spaces.retire(&space));
    }

    /// Lets the last socket of a namespace leave for good.
    fn leave(spaces: &mut Spaces, name: &str) {
        let space = enter(spaces, name);
        assert!(space.count(false));
        drop(spaces.retire(&space));
    }

    #[tokio::test(start_paused = true)]
    async fn a_namespace_without_sockets_waits_as_long_as_a_client_may_come_back() {
        let mut spaces = Spaces::default();
        lose(&mut spaces, "/a");
        leave(&mut spaces, "/b");
        assert!(spaces.get("/a").is_some() && spaces.get("/b").is_none());
        tokio::time::advance(Duration::from_mins(2)).await;
        leave(&mut spaces, "/b");
        assert!(spaces.get("/a").is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        leave(&mut spaces, "/b");
        assert_eq!((spaces.by_name.capacity(), spaces.waiting.capacity()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_namespace_that_has_sockets_again_is_not_forgotten() {
        let mut spaces = Spaces::default();
        lose(&mut spaces, "/a");
        let space = enter(&mut spaces, "/a");
        tokio::time::advance(Duration::from_mins(3)).await;
        leave(&mut spaces, "/b");
        assert!(spaces.get("/a").is_some() && spaces.waiting.is_empty());
        assert!(space.count(false));
        assert_eq!(spaces.retire(&space).len(), 1);
        assert!(spaces.get("/a").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn of_too_many_that_wait_the_first_is_forgotten() {
        let mut spaces = Spaces::default();
        for number in 0..MAX_WAITING + 2 {
            lose(&mut spaces, &format!("/{number}"));
        }
        assert_eq!(spaces.waiting.len(), MAX_WAITING);
        assert!(spaces.get("/0").is_none() && spaces.get("/1").is_none() && spaces.get("/2").is_some());
        // One that comes and goes again and again takes one place.
        for _ in 0..2 * MAX_WAITING {
            lose(&mut spaces, "/again");
        }
        assert_eq!((spaces.waiting.len(), spaces.by_name.len()), (MAX_WAITING, MAX_WAITING));
        assert!(spaces.get("/again").is_some() && spaces.get("/2").is_none() && spaces.get("/3").is_some());
        // One that has sockets again takes none.
        enter(&mut spaces, "/5");
        lose(&mut spaces, "/one more");
        assert!(spaces.get("/3").is_some() && spaces.get("/5").is_some());
        lose(&mut spaces, "/and another");
        assert!(spaces.get("/3").is_none() && spaces.get("/5").is_some());
    }
}
