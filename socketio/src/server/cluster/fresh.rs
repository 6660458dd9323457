//! Rooms that sockets of other nodes were told to join a moment ago.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::PoisonError;

use tokio::time::Instant;

use crate::sync::Mutex;

/// How long a node may take to listen to a room that its sockets have joined.
const TIME: Duration = Duration::from_secs(5);
/// How many rooms are remembered.
const MAX_ROOMS: usize = 1_000;
/// How many places are remembered for each room.
const MAX_PLACES: usize = 50;

/// Rooms that sockets of other nodes were told to join a moment ago. Their nodes may not listen to these rooms yet, so
/// what is sent there also goes where they were told to join: a node that hears that has handled the joining before.
#[derive(Debug, Default)]
pub(super) struct Fresh(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// By the topic of the room.
    rooms: HashMap<String, Places>,
    /// Until when all rooms count as fresh, because there were too many.
    all: Option<Instant>,
    /// When the last room is no longer fresh.
    end: Option<Instant>,
}

/// Where sockets were told to join one room, and until when that counts.
#[derive(Debug, Default)]
struct Places {
    nodes: HashMap<String, Instant>,
    topics: HashMap<String, Instant>,
    /// Until when they may be anywhere in the namespace, because there were too many places.
    anywhere: Option<Instant>,
}

/// Where a message goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) nodes: Vec<String>,
    pub(super) topics: Vec<String>,
}

fn is_after(until: Option<Instant>, now: Instant) -> bool {
    until.is_some_and(|until| until > now)
}

impl Places {
    fn note(&mut self, route: &Route, now: Instant) {
        let until = now + TIME;
        for (known, more) in [(&mut self.nodes, &route.nodes), (&mut self.topics, &route.topics)] {
            // One more than there is room for shows that there are too many.
            for name in more.iter().take(MAX_PLACES + 1) {
                known.insert(name.clone(), until);
            }
        }
        if self.len() > MAX_PLACES {
            self.forget_old(now);
        }
        if self.len() > MAX_PLACES {
            *self = Self { anywhere: Some(until), ..Self::default() };
        }
    }

    fn len(&self) -> usize {
        self.nodes.len() + self.topics.len()
    }

    fn forget_old(&mut self, now: Instant) {
        self.nodes.retain(|_, until| *until > now);
        self.topics.retain(|_, until| *until > now);
    }

    fn is_fresh(&self, now: Instant) -> bool {
        let mut all = self.nodes.values().chain(self.topics.values());
        is_after(self.anywhere, now) || all.any(|until| *until > now)
    }

    /// Adds those that count to a route.
    fn add_to(&self, namespace: &str, route: &mut Route, now: Instant) {
        for (known, names) in [(&self.nodes, &mut route.nodes), (&self.topics, &mut route.topics)] {
            let fresh = known.iter().filter(|(_, until)| **until > now);
            names.extend(fresh.map(|(name, _)| name.clone()));
        }
        if is_after(self.anywhere, now) {
            route.topics.push(namespace.to_owned());
        }
    }
}

impl Fresh {
    /// Notes that the sockets that this route leads to were told to join the room of this topic.
    pub(super) fn note(&self, topic: String, route: &Route) {
        let now = Instant::now();
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.rooms.len() >= MAX_ROOMS {
            inner.rooms.retain(|_, places| places.is_fresh(now));
        }
        inner.end = Some(now + TIME);
        if inner.rooms.len() >= MAX_ROOMS && !inner.rooms.contains_key(&topic) {
            inner.all = Some(now + TIME);
            return;
        }
        inner.rooms.entry(topic).or_default().note(route, now);
    }

    /// Adds to the route of a message to the rooms of these topics where it has to go, too.
    pub(super) fn widen(&self, namespace: &str, route: &mut Route) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.end.is_none() {
            return;
        }
        let now = Instant::now();
        if !is_after(inner.end, now) {
            *inner = Inner::default();
            return;
        }
        let mut more = Route::default();
        if is_after(inner.all, now) {
            more.topics.push(namespace.to_owned());
        } else {
            for places in route.topics.iter().filter_map(|topic| inner.rooms.get(topic)) {
                places.add_to(namespace, &mut more, now);
            }
        }
        drop(inner);
        for (names, more) in [(&mut route.nodes, more.nodes), (&mut route.topics, more.topics)] {
            if !more.is_empty() {
                names.extend(more);
                // A message goes to each name once.
                names.sort_unstable();
                names.dedup();
            }
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
        assert_eq!(widened(&fresh, "/,b"), ["/,a", "/,b", "/,c"]);
        assert_eq!(widened(&fresh, "/,a"), ["/,a"]);
        tokio::time::advance(TIME).await;
        fresh.note("/,d".to_owned(), &to("/,a"));
        assert_eq!(widened(&fresh, "/,b"), ["/,b"]);
        assert_eq!(widened(&fresh, "/,d"), ["/,a", "/,d"]);
        tokio::time::advance(TIME).await;
        assert_eq!(widened(&fresh, "/,d"), ["/,d"]);
        assert_eq!(fresh.0.lock().unwrap().rooms.capacity(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_fresh_rooms_take_no_more_memory_and_lose_nothing() {
        let fresh = Fresh::default();
        for number in 0..=MAX_ROOMS {
            fresh.note(format!("/,{number}"), &to("/,a"));
        }
        assert_eq!(fresh.0.lock().unwrap().rooms.len(), MAX_ROOMS);
        assert_eq!(widened(&fresh, "/,any"), ["/", "/,any"]);
        tokio::time::advance(TIME).await;
        assert_eq!(widened(&fresh, "/,any"), ["/,any"]);
    }

    #[tokio::test(start_paused = true)]
    async fn each_place_counts_for_its_own_time_however_often_sockets_join_the_room() {
        let fresh = Fresh::default();
        for number in 0..100 {
            fresh.note("/,busy".to_owned(), &to(&format!("/,{number}")));
            tokio::time::advance(TIME / 2).await;
        }
        assert_eq!(widened(&fresh, "/,busy"), ["/,99", "/,busy"]);
        assert!(fresh.0.lock().unwrap().rooms["/,busy"].len() <= MAX_PLACES);
    }

    #[tokio::test(start_paused = true)]
    async fn sockets_that_join_from_too_many_places_may_be_anywhere_for_a_while() {
        let fresh = Fresh::default();
        let node = |number| Route { nodes: vec![format!("{number}")], topics: Vec::new() };
        for number in 0..10 * MAX_PLACES {
            fresh.note(
                "/,busy".to_owned(),
                &if number % 2 == 0 { node(number) } else { to(&number.to_string()) },
            );
            assert!(fresh.0.lock().unwrap().rooms["/,busy"].len() <= MAX_PLACES);
        }
        let wide =
            Route { nodes: Vec::new(), topics: (0..100_000).map(|number| number.to_string()).collect() };
        fresh.note("/,wide".to_owned(), &wide);
        assert_eq!(fresh.0.lock().unwrap().rooms["/,wide"].len(), 0);
        for room in ["/,busy", "/,wide"] {
            assert!(widened(&fresh, room).contains(&"/".to_owned()));
        }
        tokio::time::advance(TIME).await;
        fresh.note("/,busy".to_owned(), &to("/,a"));
        assert_eq!(widened(&fresh, "/,busy"), ["/,a", "/,busy"]);
    }
}
