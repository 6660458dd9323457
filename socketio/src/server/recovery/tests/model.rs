//! Sockets of a namespace lose their connections at any time, and get each event exactly once, or are not recovered.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::server::rooms::{Member, Rooms};

#[derive(Clone, Debug)]
enum Step {
    Join(usize, String),
    Leave(usize, String),
    /// Sends an event to rooms, with exceptions.
    Emit(Vec<String>, Vec<String>),
    /// Sends an event to one socket.
    Send(usize),
    /// So many events that are under way arrive.
    Arrive(usize, usize),
    /// The connection breaks, and what is under way is lost.
    Break(usize),
    Return(usize),
    /// Seconds go by.
    Wait(u64),
}

const CLIENTS: usize = 3;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = 0..CLIENTS;
    let name = || prop_oneof![4 => "[ab]", 1 => "[0-2]"];
    let names = |most| prop::collection::vec(name(), 0..=most);
    let step = prop_oneof![
        3 => (client.clone(), name()).prop_map(|(client, room)| Step::Join(client, room)),
        2 => (client.clone(), name()).prop_map(|(client, room)| Step::Leave(client, room)),
        8 => (names(2), names(1)).prop_map(|(rooms, except)| Step::Emit(rooms, except)),
        4 => client.clone().prop_map(Step::Send),
        4 => (client.clone(), 1_usize..4).prop_map(|(client, events)| Step::Arrive(client, events)),
        3 => client.clone().prop_map(Step::Break),
        4 => client.prop_map(Step::Return),
        1 => (1_u64..50).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..80)
}

/// A socket of the namespace. Its identifier is the number of its client, so that it is the same after each return.
#[derive(Clone)]
struct Socket {
    id: Arc<str>,
    trail: Trail,
}

impl Member for Socket {
    type Key = usize;

    fn key(&self) -> usize {
        self.id.parse().unwrap()
    }

    fn id(&self) -> &str {
        &self.id
    }
}

/// A client as a stock client is, and the truth about it.
struct Client {
    socket: Socket,
    is_away: Option<Instant>,
    last_seen: Option<String>,
    under_way: VecDeque<(u32, String)>,
    seen: Vec<u32>,
    /// What was for it since its session began.
    due: Vec<u32>,
    /// Its rooms: what it was in last, while it is away.
    rooms: Vec<String>,
}

struct World {
    history: History<Socket, (u32, String)>,
    rooms: Rooms<Socket>,
    clients: Vec<Client>,
    /// When each event was sent.
    events: Vec<Instant>,
    now: Instant,
}

impl World {
    fn new(settings: &Recovery) -> Self {
        let history = History::new(settings);
        let mut rooms = Rooms::new(10);
        let clients = (0..CLIENTS).map(|client| Client::new(&history, &mut rooms, client, None)).collect();
        Self { history, rooms, clients, events: Vec::new(), now: Instant::now() }
    }

    fn emit(&mut self, rooms: &[String], except: &[String]) {
        let names = |names: &[String]| names.iter().map(|name| Arc::from(name.as_str())).collect();
        let target = Target { rooms: names(rooms), except: names(except) };
        let here = self.rooms.select(&target);
        let event = self.hand_over(&here, Recipients::Target(target));
        for (number, client) in self.clients.iter_mut().enumerate() {
            let is_in = |name: &String| client.rooms.contains(name) || *name == number.to_string();
            if (rooms.is_empty() || rooms.iter().any(is_in)) && !except.iter().any(is_in) {
                client.due.push(event);
            }
        }
    }

    fn send(&mut self, number: usize) {
        let socket = self.clients[number].socket.clone();
        let here: Vec<_> = self.rooms.get(&socket.id).cloned().into_iter().collect();
        let event = self.hand_over(&here, Recipients::Socket(socket.id));
        self.clients[number].due.push(event);
    }

    /// Hands an event to those who are here, and keeps it for the others. Returns its number.
    fn hand_over(&mut self, here: &[Socket], recipients: Recipients) -> u32 {
        let (event, offset) = (u32::try_from(self.events.len()).unwrap(), self.history.offsets().next());
        self.events.push(self.now);
        let packet = (event, offset.as_str().to_owned());
        for socket in here {
            socket.trail.sent(&offset);
            self.clients[socket.key()].under_way.push_back(packet.clone());
        }
        self.history.log(&offset, recipients, packet, 1, self.now);
        event
    }

    /// Returns whether a client that comes back now is recovered, if that is certain. An event that has not arrived may be
    /// gone after twice the time in which clients come back.
    fn recovers(&self, client: &Client) -> Option<bool> {
        let is_in_time = self.now - client.is_away? <= seconds(120);
        let missed = client.due.get(client.seen.len()).map(|event| self.events[*event as usize]);
        let is_kept = missed.is_none_or(|sent| self.now - sent <= seconds(240));
        (is_kept || !is_in_time).then_some(is_in_time)
    }

    /// Lets a client connect. Returns whether it was recovered, unless it is connected.
    fn come_back(&mut self, number: usize) -> Option<bool> {
        let client = &mut self.clients[number];
        client.is_away?;
        let pid = client.socket.trail.pid().to_owned();
        let Some(restored) = self.history.restore(&pid, client.last_seen.as_deref(), self.now) else {
            let last_seen = client.last_seen.take();
            *client = Client::new(&self.history, &mut self.rooms, number, last_seen);
            return Some(false);
        };
        assert!(self.rooms.insert(restored.kept.clone()));
        for room in &restored.rooms {
            self.rooms.join(&restored.kept, room).unwrap();
        }
        let names: Vec<_> = restored.rooms.iter().map(ToString::to_string).collect();
        assert_eq!(names, client.rooms);
        let missed: Vec<_> = restored.missed.iter().map(|(event, _)| *event).collect();
        assert_eq!(
            [client.seen.clone(), missed].concat(),
            client.due,
            "nothing is lost, and nothing comes twice"
        );
        client.under_way = restored.missed.into();
        client.is_away = None;
        Some(true)
    }

    fn step(&mut self, step: Step) -> Option<bool> {
        match step {
            Step::Join(number, room) => {
                let client = &mut self.clients[number];
                if self.rooms.join(&client.socket, &room) == Ok(true) {
                    self.history.joined(&client.socket.trail, &Arc::from(room.as_str()));
                    client.rooms.push(room);
                }
            }
            Step::Leave(number, room) => {
                let client = &mut self.clients[number];
                if self.rooms.leave(&client.socket, &room) {
                    self.history.left(&client.socket.trail, &room);
                    client.rooms.retain(|name| *name != room);
                }
            }
            Step::Emit(rooms, except) => self.emit(&rooms, &except),
            Step::Send(number) => self.send(number),
            Step::Arrive(number, events) => {
                let client = &mut self.clients[number];
                for (event, offset) in client.under_way.drain(..events.min(client.under_way.len())) {
                    client.seen.push(event);
                    client.last_seen = Some(offset);
                }
            }
            Step::Break(number) => {
                let client = &mut self.clients[number];
                if client.is_away.is_none() {
                    client.is_away = Some(self.now);
                    client.under_way.clear();
                    self.rooms.remove(&client.socket);
                    self.history.save(client.socket.trail.clone(), client.socket.clone(), 1, self.now);
                }
            }
            Step::Return(number) => return self.come_back(number),
            Step::Wait(time) => self.now += seconds(time),
        }
        None
    }
}

impl Client {
    fn new<P: Clone>(
        history: &History<Socket, P>,
        rooms: &mut Rooms<Socket>,
        number: usize,
        last_seen: Option<String>,
    ) -> Self {
        let id: Arc<str> = number.to_string().into();
        let socket = Socket { trail: history.begin(Arc::clone(&id), None).unwrap(), id };
        assert!(rooms.insert(socket.clone()));
        let (seen, due, rooms) = (Vec::new(), Vec::new(), Vec::new());
        Self { socket, is_away: None, last_seen, under_way: VecDeque::new(), seen, due, rooms }
    }
}

proptest! {
    #[test]
    fn with_room_enough_every_client_that_comes_back_in_time_is_recovered(steps in steps()) {
        let mut world = World::new(&Recovery::new());
        for step in steps {
            let expected = match step {
                Step::Return(client) => world.recovers(&world.clients[client]),
                _ => None,
            };
            let recovered = world.step(step);
            prop_assert!(expected.is_none() || recovered == expected, "{recovered:?}");
        }
    }

    #[test]
    fn with_little_room_a_client_is_recovered_whole_or_not_at_all(steps in steps(), packets in 0_usize..6) {
        let mut world = World::new(&Recovery::new().max_packets(packets).max_sessions(2));
        for step in steps {
            world.step(step);
        }
    }
}
