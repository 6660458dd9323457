//! Rooms that sockets of other nodes were told to join a moment ago.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::PoisonError;

use tokio::time::Instant;

use crate::sync::Mutex;

/// How long a node may take to listen to a room that its sockets have joined.
const TIME: Duration = Duration::from_secs(5);
/// How many rooms are remembered.
const MAX: usize = 1_000;

/// Rooms that sockets of other nodes were told to join a moment ago. Their nodes may not listen to these rooms yet, so
/// what is sent there also goes where they were told to join: a node that hears that has handled the joining before.
#[derive(Debug, Default)]
pub(super) struct Fresh(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// By the topic of the room.
    rooms: HashMap<String, (Instant, Route)>,
    /// Until when all rooms count as fresh, because there were too many.
    all: Option<Instant>,
}

/// Where a message goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) nodes: Vec<String>,
    pub(super) topics: Vec<String>,
}

impl Route {
    /// Adds another route.
    pub(super) fn extend(&mut self, other: &Self) {
        for (own, more) in [(&mut self.nodes, &other.nodes), (&mut self.topics, &other.topics)] {
            for name in more {
                if !own.contains(name) {
                    own.push(name.clone());
                }
            }
        }
    }
}

impl Fresh {
    /// Notes that the sockets that this route leads to were told to join the room of this topic.
    pub(super) fn note(&self, topic: String, route: &Route) {
        let now = Instant::now();
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.rooms.len() >= MAX {
            inner.rooms.retain(|_, (until, _)| *until > now);
        }
        let until = now + TIME;
        if inner.rooms.len() >= MAX && !inner.rooms.contains_key(&topic) {
            inner.all = Some(until);
            return;
        }
        let (old, known) = inner.rooms.entry(topic).or_insert((until, Route::default()));
        if *old <= now {
            *known = Route::default();
        }
        *old = until;
        known.extend(route);
    }

    /// Adds to the route of a message to the rooms of these topics where it has to go, too.
    pub(super) fn widen(&self, namespace: &str, route: &mut Route) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.rooms.is_empty() {
            return;
        }
        let now = Instant::now();
        if inner.all.is_some_and(|until| until > now) {
            route.extend(&Route { nodes: Vec::new(), topics: vec![namespace.to_owned()] });
            return;
        }
        let fresh = route.topics.iter().filter_map(|topic| inner.rooms.get(topic));
        let fresh: Vec<_> = fresh.filter(|(until, _)| *until > now).map(|(_, route)| route.clone()).collect();
        for fresh in &fresh {
            route.extend(fresh);
        }
        if inner.rooms.values().all(|(until, _)| *until <= now) {
            *inner = Inner::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(topic: &str) -> Route {
        Route { nodes: Vec::new(), topics: vec![topic.to_owned()] }
    }

    fn widened(fresh: &Fresh, topic: &str) -> Vec<String> {
        let mut route = to(topic);
        fresh.widen("/", &mut route);
        route.topics
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_to_a_fresh_room_goes_where_its_sockets_were_told_to_join() {
        let fresh = Fresh::default();
        fresh.note("/,b".to_owned(), &to("/,a"));
        fresh.note("/,b".to_owned(), &to("/,c"));
        assert_eq!(widened(&fresh, "/,b"), ["/,b", "/,a", "/,c"]);
        assert_eq!(widened(&fresh, "/,a"), ["/,a"]);
        tokio::time::advance(TIME).await;
        fresh.note("/,d".to_owned(), &to("/,a"));
        assert_eq!(widened(&fresh, "/,b"), ["/,b"]);
        assert_eq!(widened(&fresh, "/,d"), ["/,d", "/,a"]);
        tokio::time::advance(TIME).await;
        assert_eq!(widened(&fresh, "/,d"), ["/,d"]);
        assert_eq!(fresh.0.lock().unwrap().rooms.capacity(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_fresh_rooms_take_no_more_memory_and_lose_nothing() {
        let fresh = Fresh::default();
        for number in 0..=MAX {
            fresh.note(format!("/,{number}"), &to("/,a"));
        }
        assert_eq!(fresh.0.lock().unwrap().rooms.len(), MAX);
        assert_eq!(widened(&fresh, "/,any"), ["/,any", "/"]);
        tokio::time::advance(TIME).await;
        assert_eq!(widened(&fresh, "/,any"), ["/,any"]);
    }
}
