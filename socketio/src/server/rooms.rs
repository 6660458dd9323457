//! The members of a namespace, and the rooms that they are in.

use core::borrow::Borrow;
use core::hash::{Hash, Hasher};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A socket, as its namespace knows it. Clones are handles of the same socket.
pub(crate) trait Member: Clone {
    /// Tells the members of a namespace apart, more cheaply than the identifier does.
    type Key: Copy + Eq + Hash;

    /// Returns the key, which never changes and which no other member has.
    fn key(&self) -> Self::Key;

    /// Returns the identifier, which never changes and which no other member has.
    fn id(&self) -> &str;
}

/// Whom a packet is for: the members of any of the rooms, or all members if there are no rooms, except the members of the
/// exceptions. A member's identifier is the name of a room that it alone is in, unless others have joined that room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) rooms: Vec<Arc<str>>,
    pub(crate) except: Vec<Arc<str>>,
}

/// How long the name of a room may be, in bytes.
const MAX_NAME: usize = 1024;

/// Why a room could not be joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The socket is not a member of its namespace: it is not connected yet, or no longer.
    #[error("the socket is not connected")]
    Disconnected,
    /// The name of the room is too long. Names often come from clients.
    #[error("the name of the room is too long: expected at most {max} bytes")]
    NameTooLong {
        /// How many bytes a name may have.
        max: usize,
    },
    /// The socket is in as many rooms as one socket may be in.
    #[error("the socket is in {max} rooms, as many as are allowed")]
    TooManyRooms {
        /// How many rooms a socket may be in.
        max: usize,
    },
}

/// The members of a namespace, and the rooms that they are in. A member that has joined no room takes one place in one
/// set, which has the size of its handle.
pub(crate) struct Rooms<V: Member> {
    members: HashSet<ById<V>>,
    by_name: HashMap<Arc<str>, Room<V>>,
    /// The rooms of each member that is in any.
    by_member: HashMap<V::Key, Vec<Arc<str>>>,
    max_joined: usize,
}

type Room<V> = HashMap<<V as Member>::Key, V>;

impl<V: Member> Rooms<V> {
    /// Returns a namespace without members, each of which may be in so many rooms besides its own.
    pub(crate) fn new(max_joined: usize) -> Self {
        Self { members: HashSet::new(), by_name: HashMap::new(), by_member: HashMap::new(), max_joined }
    }

    /// Adds a member. Returns `false`, and changes nothing, if there is one with its identifier.
    pub(crate) fn insert(&mut self, member: V) -> bool {
        self.members.insert(ById(member))
    }

    /// Removes a member from the namespace. Returns the rooms that it was in, besides its own.
    pub(crate) fn remove(&mut self, member: &V) -> Vec<Arc<str>> {
        if !self.contains(member) {
            return Vec::new();
        }
        let left = self.leave_all(member);
        self.members.remove(member.id());
        if let Some(room) = surplus(self.members.len(), self.members.capacity()) {
            self.members.shrink_to(room);
        }
        left
    }

    /// Returns the member with this identifier.
    pub(crate) fn get(&self, id: &str) -> Option<&V> {
        self.members.get(id).map(|ById(member)| member)
    }

    /// Returns whether the namespace has no members.
    #[cfg(feature = "cluster")]
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Returns whether somebody has joined a room.
    #[cfg(feature = "cluster")]
    pub(crate) fn has(&self, room: &str) -> bool {
        self.by_name.contains_key(room)
    }

    /// Returns the rooms that somebody has joined.
    #[cfg(feature = "cluster")]
    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        self.by_name.keys().cloned().collect()
    }

    /// Returns how many members the namespace has.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// Returns how many rooms somebody has joined.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.by_name.len()
    }

    /// Puts a member into a room. Returns `false` if it was there before, as each is in the room of its own name.
    ///
    /// # Errors
    /// Returns an error if the socket is no member, or if it is in too many rooms.
    pub(crate) fn join(&mut self, member: &V, room: &str) -> Result<bool, JoinError> {
        if !self.contains(member) {
            return Err(JoinError::Disconnected);
        }
        if member.id() == room {
            return Ok(false);
        }
        if room.len() > MAX_NAME {
            return Err(JoinError::NameTooLong { max: MAX_NAME });
        }
        let key = member.key();
        let name = match self.by_name.get_key_value(room) {
            Some((_, inside)) if inside.contains_key(&key) => return Ok(false),
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(room),
        };
        if self.by_member.get(&key).map_or(0, Vec::len) >= self.max_joined {
            return Err(JoinError::TooManyRooms { max: self.max_joined });
        }
        self.by_member.entry(key).or_default().push(Arc::clone(&name));
        self.by_name.entry(name).or_default().insert(key, member.clone());
        Ok(true)
    }

    /// Takes a member out of a room. Returns `false` if it was not there, and for the room of its own name, which it is in
    /// as long as it is a member.
    pub(crate) fn leave(&mut self, member: &V, room: &str) -> bool {
        let key = member.key();
        if !self.take_out(key, room) {
            return false;
        }
        if let Some(joined) = self.by_member.get_mut(&key) {
            joined.retain(|name| **name != *room);
            if joined.is_empty() {
                self.by_member.remove(&key);
                shrink(&mut self.by_member);
            } else if let Some(room) = surplus(joined.len(), joined.capacity()) {
                joined.shrink_to(room);
            }
        }
        true
    }

    /// Takes a member out of all rooms besides its own. Returns them.
    pub(crate) fn leave_all(&mut self, member: &V) -> Vec<Arc<str>> {
        let key = member.key();
        let Some(joined) = self.by_member.remove(&key) else { return Vec::new() };
        shrink(&mut self.by_member);
        for room in &joined {
            self.take_out(key, room);
        }
        joined
    }

    /// Returns the rooms that a member is in besides its own, in the order in which it has joined them.
    pub(crate) fn of(&self, member: &V) -> &[Arc<str>] {
        self.by_member.get(&member.key()).map_or(&[], Vec::as_slice)
    }

    /// Returns whether a member is in a room, be it the room of its own name.
    #[cfg(test)]
    pub(crate) fn is_in(&self, member: &V, room: &str) -> bool {
        let inside = |room: &Room<V>| room.contains_key(&member.key());
        self.by_name.get(room).is_some_and(inside) || (member.id() == room && self.contains(member))
    }

    /// Returns each member whom the target names, once. The work is proportional to the members of the rooms that are
    /// named, and to all members only if no room is.
    pub(crate) fn select(&self, target: &Target) -> Vec<V> {
        let except = self.exceptions(&target.except);
        let is_meant = |member: &&V| !except.hold(member.key());
        if target.rooms.is_empty() {
            return self.members.iter().map(|ById(member)| member).filter(is_meant).cloned().collect();
        }
        let named: Vec<_> =
            target.rooms.iter().map(|name| (self.by_name.get(name), self.get(name))).collect();
        let inside = |(room, own)| Option::into_iter(room).flat_map(Room::<V>::values).chain(own);
        let sources: usize =
            named.iter().map(|(room, own)| usize::from(room.is_some()) + usize::from(own.is_some())).sum();
        let candidates = named.into_iter().flat_map(inside).filter(is_meant);
        if sources == 1 {
            return candidates.cloned().collect();
        }
        let mut seen = HashSet::new();
        candidates.filter(|member| seen.insert(member.key())).cloned().collect()
    }

    /// Returns the rooms that somebody has joined, in the order of their names, and how many of the members whom the target
    /// names are in each. The own rooms of the members are not among them.
    pub(crate) fn sizes(&self, target: &Target) -> Vec<(Arc<str>, usize)> {
        let mut sizes: Vec<_> = if *target == Target::default() {
            self.by_name.iter().map(|(name, inside)| (Arc::clone(name), inside.len())).collect()
        } else {
            let mut sizes = HashMap::<_, usize>::new();
            for name in self.select(target).iter().flat_map(|member| self.of(member)) {
                *sizes.entry(Arc::clone(name)).or_default() += 1;
            }
            sizes.into_iter().collect()
        };
        sizes.sort_unstable();
        sizes
    }

    fn exceptions<'a>(&'a self, names: &[Arc<str>]) -> Exceptions<'a, V> {
        let rooms = names.iter().filter_map(|name| self.by_name.get(name)).collect();
        let keys = names.iter().filter_map(|name| self.get(name)).map(Member::key).collect();
        Exceptions { rooms, keys }
    }

    /// Returns whether this socket is a member, and not another one of the same identifier.
    pub(crate) fn contains(&self, member: &V) -> bool {
        self.get(member.id()).is_some_and(|known| known.key() == member.key())
    }

    /// Removes a member from a room, and the room with its last member. Returns `false` if the member was not there.
    fn take_out(&mut self, key: V::Key, room: &str) -> bool {
        let Some(inside) = self.by_name.get_mut(room) else { return false };
        if inside.remove(&key).is_none() {
            return false;
        }
        if inside.is_empty() {
            self.by_name.remove(room);
            shrink(&mut self.by_name);
        } else {
            shrink(inside);
        }
        true
    }
}

/// The exceptions of a target, each looked up once.
struct Exceptions<'a, V: Member> {
    rooms: Vec<&'a Room<V>>,
    keys: HashSet<V::Key>,
}

impl<V: Member> Exceptions<'_, V> {
    fn hold(&self, key: V::Key) -> bool {
        self.keys.contains(&key) || self.rooms.iter().any(|room| room.contains_key(&key))
    }
}

/// Returns the room to leave to a collection that has become much smaller than its memory, as after a wave of clients.
/// An empty one keeps nothing.
pub(super) fn surplus(len: usize, capacity: usize) -> Option<usize> {
    (len < capacity.div_ceil(8)).then_some(len * 2)
}

/// Gives back the memory of a map that has become much smaller.
pub(super) fn shrink<K: Eq + Hash, T>(map: &mut HashMap<K, T>) {
    if let Some(room) = surplus(map.len(), map.capacity()) {
        map.shrink_to(room);
    }
}

/// A member, found by its identifier.
struct ById<V>(V);

impl<V: Member> Borrow<str> for ById<V> {
    fn borrow(&self) -> &str {
        self.0.id()
    }
}

impl<V: Member> Hash for ById<V> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.id().hash(hasher);
    }
}

impl<V: Member> PartialEq for ById<V> {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl<V: Member> Eq for ById<V> {}

#[cfg(test)]
mod tests;
