//! Members join, leave and are selected, and what is empty owns nothing.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Debug, PartialEq)]
struct Socket {
    key: u64,
    id: String,
}

impl Member for Arc<Socket> {
    type Key = u64;

    fn key(&self) -> u64 {
        self.key
    }

    fn id(&self) -> &str {
        &self.id
    }
}

fn socket(key: u64) -> Arc<Socket> {
    Arc::new(Socket { key, id: format!("socket-{key}") })
}

/// A namespace with so many members.
fn namespace(members: u64) -> (Rooms<Arc<Socket>>, Vec<Arc<Socket>>) {
    let mut rooms = Rooms::new(100);
    let sockets: Vec<_> = (0..members).map(socket).collect();
    assert!(sockets.iter().all(|socket| rooms.insert(Arc::clone(socket))));
    (rooms, sockets)
}

fn target(rooms: &[&str], except: &[&str]) -> Target {
    let names = |names: &[&str]| names.iter().map(|&name| Arc::from(name)).collect();
    Target { rooms: names(rooms), except: names(except) }
}

/// Selects the members' keys, in order. Fails if one is selected twice.
fn keys(rooms: &Rooms<Arc<Socket>>, target: &Target) -> Vec<u64> {
    let selected = rooms.select(target);
    let keys: BTreeSet<_> = selected.iter().map(|socket| socket.key).collect();
    assert_eq!(keys.len(), selected.len(), "{target:?} selected one twice: {selected:?}");
    keys.into_iter().collect()
}

#[test]
fn rooms_have_the_sizes_of_their_members_whom_the_target_names() {
    let (mut rooms, sockets) = namespace(3);
    for (member, room) in [(0, "b"), (0, "a"), (1, "b"), (2, "b"), (2, "c")] {
        assert_eq!(rooms.join(&sockets[member], room), Ok(true));
    }
    let sizes = |rooms: &Rooms<_>, target: &Target| {
        let sizes = rooms.sizes(target).into_iter();
        sizes.map(|(name, size)| format!("{name} {size}")).collect::<Vec<_>>()
    };
    assert_eq!(sizes(&rooms, &target(&[], &[])), ["a 1", "b 3", "c 1"]);
    assert_eq!(sizes(&rooms, &target(&["a", "c"], &[])), ["a 1", "b 2", "c 1"]);
    assert_eq!(sizes(&rooms, &target(&[], &["socket-0", "c"])), ["b 1"]);
    assert!(rooms.leave(&sockets[0], "a"));
    assert_eq!(sizes(&rooms, &target(&[], &[])), ["b 3", "c 1"]);
}

#[test]
fn a_target_of_several_rooms_reaches_each_member_once_and_no_exception() {
    let (mut rooms, sockets) = namespace(6);
    for (member, room) in [(0, "a"), (1, "a"), (2, "a"), (1, "b"), (2, "b"), (3, "b"), (2, "muted")] {
        assert_eq!(rooms.join(&sockets[member], room), Ok(true));
    }
    assert_eq!(keys(&rooms, &target(&[], &[])), [0, 1, 2, 3, 4, 5]);
    assert_eq!(keys(&rooms, &target(&["a"], &[])), [0, 1, 2]);
    assert_eq!(keys(&rooms, &target(&["a", "b", "a"], &[])), [0, 1, 2, 3]);
    assert_eq!(keys(&rooms, &target(&["a", "b"], &["muted", "nowhere"])), [0, 1, 3]);
    assert_eq!(keys(&rooms, &target(&[], &["a", "socket-5"])), [3, 4]);
    assert_eq!(keys(&rooms, &target(&["nowhere"], &[])), [0; 0]);
}

#[test]
fn a_socket_is_in_the_room_of_its_own_name_as_long_as_it_is_a_member() {
    let (mut rooms, sockets) = namespace(3);
    assert_eq!(keys(&rooms, &target(&["socket-1"], &[])), [1]);
    assert_eq!(keys(&rooms, &target(&["socket-1", "socket-2"], &["socket-2"])), [1]);
    assert_eq!(rooms.join(&sockets[1], "socket-1"), Ok(false));
    assert!(!rooms.leave(&sockets[1], "socket-1"));
    assert!(rooms.is_in(&sockets[1], "socket-1") && !rooms.is_in(&sockets[0], "socket-1"));
    // Others may join it: it is a room like any other.
    assert_eq!(rooms.join(&sockets[0], "socket-1"), Ok(true));
    assert_eq!(keys(&rooms, &target(&["socket-1"], &[])), [0, 1]);
    assert_eq!(keys(&rooms, &target(&[], &["socket-1"])), [2]);
    rooms.remove(&sockets[1]);
    assert_eq!(keys(&rooms, &target(&["socket-1"], &[])), [0]);
    assert!(!rooms.is_in(&sockets[1], "socket-1"));
}

#[test]
fn a_member_that_leaves_the_namespace_tells_its_rooms_in_the_order_of_joining() {
    let (mut rooms, sockets) = namespace(2);
    for room in ["c", "a", "b", "d"] {
        rooms.join(&sockets[0], room).unwrap();
    }
    rooms.join(&sockets[1], "a").unwrap();
    assert!(rooms.leave(&sockets[0], "a") && !rooms.leave(&sockets[0], "a"));
    let names = |names: &[Arc<str>]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(rooms.of(&sockets[0])), ["c", "b", "d"]);
    assert_eq!(names(&rooms.remove(&sockets[0])), ["c", "b", "d"]);
    assert!(rooms.remove(&sockets[0]).is_empty());
    assert_eq!((rooms.len(), rooms.count()), (1, 1));
    assert_eq!(rooms.join(&sockets[0], "c"), Err(JoinError::Disconnected));
    assert_eq!(rooms.count(), 1);
}

#[test]
fn a_second_socket_of_the_same_identifier_is_no_member_and_removes_none() {
    let (mut rooms, sockets) = namespace(1);
    let twin = Arc::new(Socket { key: 9, id: sockets[0].id.clone() });
    assert!(!rooms.insert(Arc::clone(&twin)));
    assert_eq!(rooms.join(&twin, "a"), Err(JoinError::Disconnected));
    assert!(rooms.remove(&twin).is_empty());
    assert_eq!(rooms.get("socket-0"), Some(&sockets[0]));
}

#[test]
fn a_member_joins_no_more_rooms_than_allowed() {
    let mut rooms = Rooms::new(2);
    let member = socket(0);
    rooms.insert(Arc::clone(&member));
    assert_eq!(rooms.join(&member, "a"), Ok(true));
    assert_eq!(rooms.join(&member, "b"), Ok(true));
    let refused = rooms.join(&member, "c").unwrap_err();
    assert_eq!(refused, JoinError::TooManyRooms { max: 2 });
    assert_eq!(refused.to_string(), "the socket is in 2 rooms, as many as are allowed");
    // One that it is in already is no further one, and a refused room leaves nothing behind.
    assert_eq!(rooms.join(&member, "a"), Ok(false));
    assert_eq!((rooms.count(), keys(&rooms, &target(&["c"], &[])).len()), (2, 0));
    rooms.leave(&member, "a");
    assert_eq!(rooms.join(&member, "c"), Ok(true));
}

#[test]
fn a_member_without_rooms_costs_its_place_in_the_set_and_nothing_else() {
    let (mut rooms, sockets) = namespace(1000);
    assert_eq!(size_of::<ById<Arc<Socket>>>(), size_of::<usize>());
    assert_eq!((rooms.by_name.capacity(), rooms.by_member.capacity()), (0, 0));
    assert!(sockets.iter().all(|socket| Arc::strong_count(socket) == 2));
    for member in &sockets {
        for room in ["a", "b"] {
            rooms.join(member, room).unwrap();
        }
    }
    for member in &sockets {
        rooms.leave(member, "a");
        rooms.leave_all(member);
    }
    assert_eq!((rooms.count(), rooms.by_member.capacity()), (0, 0));
    assert!(sockets.iter().all(|socket| Arc::strong_count(socket) == 2));
}

#[test]
fn after_a_wave_of_members_and_rooms_the_memory_goes_back() {
    let (mut rooms, sockets) = namespace(1000);
    for member in &sockets {
        rooms.join(member, "all").unwrap();
        rooms.join(member, &format!("{} alone", member.id)).unwrap();
    }
    for room in 0..90 {
        rooms.join(&sockets[0], &format!("room {room}")).unwrap();
    }
    for room in 0..90 {
        rooms.leave(&sockets[0], &format!("room {room}"));
    }
    for member in &sockets[4..] {
        assert_eq!(rooms.remove(member).len(), 2);
    }
    assert!(rooms.members.capacity() < 40, "{}", rooms.members.capacity());
    assert!(rooms.by_name.capacity() < 40, "{}", rooms.by_name.capacity());
    assert!(rooms.by_name["all"].capacity() < 40, "{}", rooms.by_name["all"].capacity());
    assert!(rooms.by_member.capacity() < 40, "{}", rooms.by_member.capacity());
    assert!(rooms.by_member[&0].capacity() < 20, "{}", rooms.by_member[&0].capacity());
    assert!(sockets[4..].iter().all(|socket| Arc::strong_count(socket) == 1));
}

/// What is done to the namespace. A room's name is that of a socket for some numbers.
#[derive(Clone, Debug)]
enum Step {
    Insert(usize),
    Remove(usize),
    Join(usize, String),
    Leave(usize, String),
    LeaveAll(usize),
    Select(Vec<String>, Vec<String>),
}

const SOCKETS: usize = 6;
const MAX_JOINED: usize = 3;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = || prop_oneof![3 => "[a-d]", 1 => "socket-[0-6]"];
    let names = |most| prop::collection::vec(name(), 0..=most);
    let step = prop_oneof![
        2 => (0..SOCKETS).prop_map(Step::Insert),
        1 => (0..SOCKETS).prop_map(Step::Remove),
        6 => (0..SOCKETS, name()).prop_map(|(socket, room)| Step::Join(socket, room)),
        3 => (0..SOCKETS, name()).prop_map(|(socket, room)| Step::Leave(socket, room)),
        1 => (0..SOCKETS).prop_map(Step::LeaveAll),
        6 => (names(4), names(2)).prop_map(|(rooms, except)| Step::Select(rooms, except)),
    ];
    prop::collection::vec(step, 1..60)
}

/// The simplest thing that does the same: for each member the list of its rooms.
#[derive(Default)]
struct Model([Option<Vec<String>>; SOCKETS]);

impl Model {
    fn join(&mut self, socket: usize, room: &str) -> Result<bool, JoinError> {
        let joined = self.0[socket].as_mut().ok_or(JoinError::Disconnected)?;
        if joined.iter().any(|name| name == room) || room == format!("socket-{socket}") {
            return Ok(false);
        }
        if joined.len() == MAX_JOINED {
            return Err(JoinError::TooManyRooms { max: MAX_JOINED });
        }
        joined.push(room.to_owned());
        Ok(true)
    }

    fn leave(&mut self, socket: usize, room: &str) -> bool {
        let Some(joined) = &mut self.0[socket] else { return false };
        let before = joined.len();
        joined.retain(|name| name != room);
        joined.len() < before
    }

    fn select(&self, rooms: &[String], except: &[String]) -> Vec<u64> {
        let is_in = |socket: usize, name: &String| {
            self.0[socket]
                .as_ref()
                .is_some_and(|joined| joined.contains(name) || *name == format!("socket-{socket}"))
        };
        let is_meant = |&socket: &usize| {
            self.0[socket].is_some()
                && (rooms.is_empty() || rooms.iter().any(|name| is_in(socket, name)))
                && !except.iter().any(|name| is_in(socket, name))
        };
        (0..SOCKETS).filter(is_meant).map(|socket| socket as u64).collect()
    }
}

proptest! {
    #[test]
    fn rooms_do_what_a_list_of_rooms_for_each_member_does(steps in steps()) {
        let mut rooms = Rooms::new(MAX_JOINED);
        let sockets: Vec<_> = (0..SOCKETS as u64).map(socket).collect();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Insert(socket) => {
                    let is_new = model.0[socket].is_none();
                    prop_assert_eq!(rooms.insert(Arc::clone(&sockets[socket])), is_new);
                    model.0[socket].get_or_insert_default();
                }
                Step::Remove(socket) => {
                    let left: Vec<_> = rooms.remove(&sockets[socket]).iter().map(ToString::to_string).collect();
                    prop_assert_eq!(left, model.0[socket].take().unwrap_or_default());
                }
                Step::Join(socket, room) => {
                    prop_assert_eq!(rooms.join(&sockets[socket], &room), model.join(socket, &room));
                }
                Step::Leave(socket, room) => {
                    prop_assert_eq!(rooms.leave(&sockets[socket], &room), model.leave(socket, &room));
                }
                Step::LeaveAll(socket) => {
                    let left: Vec<_> = rooms.leave_all(&sockets[socket]).iter().map(ToString::to_string).collect();
                    let before = model.0[socket].as_mut().map(core::mem::take).unwrap_or_default();
                    prop_assert_eq!(left, before);
                }
                Step::Select(names, except) => {
                    let as_strs = |names: &[String]| names.iter().map(|name| Arc::from(name.as_str())).collect();
                    let target = Target { rooms: as_strs(&names), except: as_strs(&except) };
                    prop_assert_eq!(keys(&rooms, &target), model.select(&names, &except));
                }
            }
            let names: HashSet<_> = model.0.iter().flatten().flatten().collect();
            prop_assert_eq!(rooms.count(), names.len());
            prop_assert_eq!(rooms.len(), model.0.iter().flatten().count());
            prop_assert_eq!(rooms.by_member.len(), model.0.iter().flatten().filter(|joined| !joined.is_empty()).count());
        }
    }
}
