//! Clients leave and come back, and get what they have missed, or are told that it is not certain.

mod bounds;
mod model;

use std::sync::Arc;

use tokio::time::Instant;

use super::*;
use crate::server::rooms::Target;

/// A namespace with one socket, whose packets are numbers.
struct World {
    history: History<&'static str, u32>,
    trail: Trail,
    now: Instant,
}

fn target(rooms: &[&str], except: &[&str]) -> Target {
    let names = |names: &[&str]| names.iter().copied().map(Arc::from).collect();
    Target { rooms: names(rooms), except: names(except) }
}

fn room(name: &str) -> Arc<str> {
    Arc::from(name)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl World {
    fn new(settings: &Recovery) -> Self {
        let history = History::new(settings);
        let trail = history.begin(room("me"), None).unwrap();
        Self { history, trail, now: Instant::now() }
    }

    /// Sends a packet of ten bytes to these rooms. Returns its offset.
    fn log(&mut self, packet: u32, rooms: &[&str], except: &[&str]) -> Offset {
        self.log_for(packet, Recipients::Target(target(rooms, except)))
    }

    fn log_for(&mut self, packet: u32, recipients: Recipients) -> Offset {
        let offset = self.history.offsets().next();
        self.history.log(&offset, recipients, packet, 10, self.now);
        offset
    }

    /// Sends a packet to the socket.
    fn send(&mut self, packet: u32) -> Offset {
        let offset = self.log_for(packet, Recipients::Socket(room("me")));
        self.trail.sent(&offset);
        offset
    }

    fn leave(&mut self) {
        self.history.save(self.trail.clone(), "kept", 1, self.now);
    }

    fn restore(&mut self, last_seen: Option<&Offset>) -> Option<Restored<&'static str, u32>> {
        self.history.restore(self.trail.pid(), last_seen.map(Offset::as_str), self.now)
    }

    fn missed(&mut self, last_seen: Option<&Offset>) -> Option<Vec<u32>> {
        Some(self.restore(last_seen)?.missed)
    }
}

#[test]
fn the_defaults_are_those_of_the_reference() {
    let settings = Recovery::default();
    assert_eq!(settings.max_disconnection, seconds(120));
    assert!(settings.skips_middlewares() && !settings.clone().skip_middlewares(false).skips_middlewares());
}

#[test]
fn a_client_that_comes_back_gets_what_was_sent_after_the_last_that_it_saw() {
    let mut world = World::new(&Recovery::new());
    let seen = world.send(1);
    world.send(2);
    world.log(3, &["somebody else"], &[]);
    world.leave();
    world.log(4, &[], &[]);
    world.log(5, &[], &["me"]);
    world.log(6, &["nowhere", "me"], &[]);
    let restored = world.restore(Some(&seen)).unwrap();
    assert_eq!(restored.missed, [2, 4, 6]);
    assert_eq!((restored.kept, restored.trail.pid()), ("kept", world.trail.pid()));
}

#[test]
fn a_session_is_restored_once() {
    let mut world = World::new(&Recovery::new());
    world.leave();
    assert!(world.restore(None).is_some());
    assert!(world.restore(None).is_none());
    // Also if the first attempt was in vain.
    let seen = world.send(1);
    world.send(2);
    world.leave();
    assert!(world.history.restore(world.trail.pid(), Some("no offset"), world.now).is_none());
    assert!(world.restore(Some(&seen)).is_none());
}

#[test]
fn another_identifier_restores_nothing_and_takes_nothing() {
    let mut world = World::new(&Recovery::new());
    world.leave();
    let mut guess = world.trail.pid().to_owned();
    let last = guess.pop();
    guess.push(if last == Some('A') { 'B' } else { 'A' });
    for pid in ["", "me", &guess, &guess[..19], &format!("{}A", world.trail.pid())] {
        assert!(world.history.restore(pid, None, world.now).is_none(), "{pid}");
    }
    assert!(world.restore(None).is_some());
}

#[test]
fn identifiers_of_sessions_are_random() {
    let history = History::<(), ()>::new(&Recovery::new());
    let pids: Vec<_> = (0..100).map(|_| history.begin(room("me"), None).unwrap().pid().to_owned()).collect();
    for place in 0..20 {
        let characters: std::collections::HashSet<_> = pids.iter().map(|pid| pid.as_bytes()[place]).collect();
        // Of 64 characters, a hundred draws leave about a fifth out.
        assert!(characters.len() > 30, "character {place} is one of {}", characters.len());
    }
}

#[test]
fn a_client_that_saw_nothing_is_recovered_from_the_beginning_of_its_session() {
    let mut world = World::new(&Recovery::new());
    world.log(1, &[], &[]);
    world.trail = world.history.begin(room("me"), None).unwrap();
    let sent = world.log(2, &[], &[]);
    world.trail.sent(&sent);
    world.leave();
    world.log(3, &[], &[]);
    assert_eq!(world.missed(None), Some(vec![2, 3]));
}

#[test]
fn an_offset_of_an_earlier_session_stands_for_none() {
    let mut world = World::new(&Recovery::new());
    let earlier = world.send(1);
    world.log(2, &["me"], &[]);
    world.trail = world.history.begin(room("me"), None).unwrap();
    world.send(3);
    world.leave();
    world.log(4, &["me"], &[]);
    // Packet 2 was missed before the session began, and its client was told so.
    assert_eq!(world.missed(Some(&earlier)), Some(vec![3, 4]));
}

#[test]
fn a_client_that_saw_everything_is_recovered_however_old_that_is() {
    let settings = Recovery::new().max_packets(2);
    let mut world = World::new(&settings);
    let seen = world.send(1);
    for other in 10..20 {
        world.log(other, &["somebody else"], &[]);
    }
    world.now += seconds(86_400);
    world.leave();
    world.now += seconds(120);
    world.log(2, &["me"], &[]);
    assert_eq!(world.missed(Some(&seen)), Some(vec![2]));
    // The same for one to which nothing was ever sent.
    world.trail = world.history.begin(room("me"), None).unwrap();
    world.log(20, &["somebody else"], &[]);
    world.log(21, &["somebody else"], &[]);
    world.leave();
    world.log(3, &["me"], &[]);
    assert_eq!(world.missed(None), Some(vec![3]));
}

#[test]
fn nobody_is_recovered_if_something_that_it_missed_is_gone() {
    let settings = Recovery::new().max_packets(3);
    for (sent_later, is_recovered) in [(3, true), (4, false)] {
        let mut world = World::new(&settings);
        let seen = world.send(1);
        world.leave();
        for packet in 0..sent_later {
            world.log(packet, &["me"], &[]);
        }
        assert_eq!(world.restore(Some(&seen)).is_some(), is_recovered, "{sent_later} packets");
        // One that has missed a packet under way, too.
        let mut world = World::new(&settings);
        let seen = world.send(1);
        world.send(2);
        world.leave();
        for packet in 2..sent_later {
            world.log(packet, &["me"], &[]);
        }
        assert_eq!(world.restore(Some(&seen)).is_some(), is_recovered, "{sent_later} packets");
    }
}

#[test]
fn an_offset_that_the_client_cannot_have_seen_recovers_nothing() {
    let mut world = World::new(&Recovery::new());
    world.send(1);
    let others = world.log(2, &["somebody else"], &[]);
    world.leave();
    assert!(world.restore(Some(&others)).is_none());
    // A text of the application that a stock client took for an offset.
    world.send(3);
    world.leave();
    assert!(world.history.restore(world.trail.pid(), Some("good night"), world.now).is_none());
}

#[test]
fn a_client_may_come_back_as_long_as_the_settings_say() {
    let settings = Recovery::new().max_disconnection(seconds(30));
    for (away, is_recovered) in [(seconds(30), true), (seconds(30) + Duration::from_nanos(1), false)] {
        let mut world = World::new(&settings);
        world.leave();
        world.now += away;
        assert_eq!(world.restore(None).is_some(), is_recovered, "{away:?}");
    }
}

#[test]
fn what_was_sent_before_the_silence_was_noticed_is_there_for_as_long_as_the_client_may_come_back() {
    let mut world = World::new(&Recovery::new().max_disconnection(seconds(30)));
    let seen = world.send(1);
    world.send(2);
    world.now += seconds(30);
    world.leave();
    world.now += seconds(30);
    assert_eq!(world.missed(Some(&seen)), Some(vec![2]));
}

#[test]
fn a_room_counts_from_joining_to_leaving_and_while_the_client_is_away() {
    let mut world = World::new(&Recovery::new());
    let seen = world.send(0);
    world.log(1, &["a"], &[]);
    world.history.joined(&world.trail, &room("a"));
    world.history.joined(&world.trail, &room("b"));
    // These are under way, and get lost.
    for (packet, rooms) in [(2, &["a"][..]), (3, &["a", "b"])] {
        let sent = world.log(packet, rooms, &[]);
        world.trail.sent(&sent);
    }
    world.log(4, &[], &["b"]);
    world.history.left(&world.trail, "a");
    world.log(5, &["a"], &[]);
    world.history.joined(&world.trail, &room("c"));
    world.history.joined(&world.trail, &room("a"));
    let sent = world.log(6, &["a"], &[]);
    world.trail.sent(&sent);
    world.history.left(&world.trail, "b");
    world.leave();
    for (packet, rooms) in [(7, ["a"]), (8, ["b"]), (9, ["c"])] {
        world.log(packet, &rooms, &[]);
    }
    let restored = world.restore(Some(&seen)).unwrap();
    assert_eq!(restored.missed, [2, 3, 6, 7, 9]);
    assert_eq!(restored.rooms, [room("c"), room("a")]);
}

#[test]
fn a_restored_session_that_breaks_again_misses_nothing_of_what_it_was_to_catch_up_with() {
    let mut world = World::new(&Recovery::new());
    let seen = world.send(1);
    world.leave();
    world.log(2, &["me"], &[]);
    for _ in 0..3 {
        let restored = world.restore(Some(&seen)).unwrap();
        assert_eq!(restored.missed, [2]);
        world.history.save(restored.trail, restored.kept, 1, world.now);
    }
    // A client that has caught up has nothing to miss.
    let caught_up = world.send(3);
    world.leave();
    assert_eq!(world.missed(Some(&caught_up)), Some(vec![]));
}

#[test]
fn rooms_that_were_left_are_forgotten_with_the_packets_of_that_time() {
    let mut world = World::new(&Recovery::new().max_packets(10));
    for number in 0..1000 {
        world.history.joined(&world.trail, &room(&number.to_string()));
        world.log(number, &["somebody else"], &[]);
        world.history.left(&world.trail, &number.to_string());
    }
    assert!(world.trail.stays_kept() <= 11, "{}", world.trail.stays_kept());
    // A room that nothing was sent in the time of is not worth a note.
    for number in 0..1000 {
        world.history.joined(&world.trail, &room(&number.to_string()));
        world.history.left(&world.trail, &number.to_string());
    }
    assert!(world.trail.stays_kept() <= 11, "{}", world.trail.stays_kept());
}

#[test]
fn one_that_has_left_too_many_rooms_to_remember_is_recovered_from_then_on_only() {
    let mut world = World::new(&Recovery::new());
    let early = world.send(1);
    for number in 0..200 {
        world.history.joined(&world.trail, &room(&number.to_string()));
        world.send(number);
        world.history.left(&world.trail, &number.to_string());
    }
    assert!(world.trail.stays_kept() <= 101, "{}", world.trail.stays_kept());
    let late = world.send(1000);
    world.send(1001);
    world.leave();
    assert!(world.restore(Some(&early)).is_none());
    world.leave();
    assert_eq!(world.missed(Some(&late)), Some(vec![1001]));
}

#[test]
fn what_is_for_a_socket_is_for_nobody_else_whatever_its_rooms_are_called() {
    let mut world = World::new(&Recovery::new());
    let other = world.history.begin(room("other"), None).unwrap();
    world.history.joined(&other, &room("me"));
    world.history.save(other.clone(), "kept", 1, world.now);
    world.leave();
    world.log_for(1, Recipients::Socket(room("me")));
    // As among those that are connected.
    world.log(2, &["me"], &[]);
    world.log(3, &[], &["me"]);
    assert_eq!(world.missed(None), Some(vec![1, 2]));
    assert_eq!(world.history.restore(other.pid(), None, world.now).unwrap().missed, [2]);
}

#[test]
fn a_time_without_end_needs_no_clock() {
    let mut world = World::new(&Recovery::new().max_disconnection(Duration::MAX));
    world.leave();
    world.log(1, &["me"], &[]);
    assert_eq!(world.history.expire(world.now), None);
    world.now += seconds(1_000_000_000);
    assert_eq!(world.missed(None), Some(vec![1]));
}
