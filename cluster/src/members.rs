//! Who is there: the rules by which a node joins and is gone, without a clock and without a bus.
//!
//! Each node says at every interval that it lives. [`Machine`] decides when a silent one is gone, in the role that waits for
//! pings. Before it does, this node sends an echo to itself over the bus, by the way that beacons take: when it comes back,
//! everything that was published before has been heard, too. So nobody is gone because this node was stalled, or because its
//! own connection hangs.
//!
//! When the bus is up, this node says that it is new, and the others answer. It knows them when its own beacon has come back,
//! which shows that they were told, and they had [some time](ANSWER_TIME) to answer. One that is too busy for that becomes known by
//! its next beacon.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use eio_core::heartbeat::Machine;
use eio_core::packet::PacketType;
use eio_core::{Heartbeat, Instant};

use crate::frame::{Beacon, Phase, Publisher};
use crate::last_addresses::LastAddresses;

/// How many other nodes are known. Beacons of more are ignored, so that garbage on the bus takes no memory without bounds.
pub(crate) const MAX_NODES: usize = 1_024;
/// How long an echo may take before another one is sent.
const ECHO_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the others may take to answer a beacon that says that this node is new, beside the time on the bus.
const ANSWER_TIME: Duration = Duration::from_millis(250);

/// What this node knows of the others.
pub(crate) struct Members {
    name: Arc<str>,
    incarnation: u64,
    /// By incarnation.
    others: BTreeMap<u64, Member>,
    last_addresses: LastAddresses,
    own: Own,
    /// When the last echo was sent, if a node is silent that may be gone.
    echo: Option<Instant>,
}

/// How far this node has got in joining the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    /// The bus is down.
    Away,
    /// It says that it is new, since this time.
    New(Instant),
    /// Its beacon has come back. At this time, it knows who is there.
    Heard(Instant),
    /// It knows who is there.
    Settled,
}

/// What is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    /// To send an echo, which carries the time of the call.
    pub(crate) echo: bool,
    /// To end what waits until this node [knows](Members::knows_all) who is there: it does from now on.
    pub(crate) settled: bool,
}

/// Another node.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: Arc<str>,
    pub(crate) sessions: u64,
    pub(crate) address: Option<Arc<str>>,
    pub(crate) is_draining: bool,
    heartbeat: Heartbeat,
    machine: Machine,
    /// It was heard since the bus is up.
    is_heard: bool,
    standing: Standing,
}

/// What is known of other nodes of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Alone,
    /// Another start of the same node has come. If this one is heard nevertheless, there are two.
    Replaced,
    /// That there are two was reported.
    Twice,
}

/// What has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A node has come.
    Joined { name: Arc<str> },
    /// A node is gone, and what is expected of it will not come.
    Gone { name: Arc<str>, incarnation: u64, why: Why },
    /// There are two nodes of this name.
    Twice { name: Arc<str> },
    /// The name of a node that has come is of another length than that of this one, so neither finds the sessions of the
    /// other.
    OtherLength { name: Arc<str> },
}

/// Why a node is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Silent { millis: u64 },
    Left,
    Replaced,
}

impl Members {
    pub(crate) fn new(name: Arc<str>, incarnation: u64) -> Self {
        let (others, last_addresses) = (BTreeMap::new(), LastAddresses::default());
        Self { name, incarnation, others, last_addresses, own: Own::Away, echo: None }
    }

    /// Takes a beacon. Returns what it changes.
    pub(crate) fn handle_beacon(
        &mut self,
        now: Instant,
        from: Publisher<'_>,
        beacon: &Beacon<'_>,
    ) -> Vec<Change> {
        let Publisher { node, incarnation } = from;
        let Some(heartbeat) = beacon.heartbeat().filter(|_| incarnation != self.incarnation) else {
            return Vec::new();
        };
        if beacon.phase == Phase::Leaving {
            self.last_addresses.forget_start(node, incarnation);
            let left = self.others.remove(&incarnation).filter(|member| !member.is_replaced());
            return left
                .map(|member| Change::Gone { name: member.name, incarnation, why: Why::Left })
                .into_iter()
                .collect();
        }
        let is_new = !self.others.contains_key(&incarnation);
        if is_new && self.others.len() >= MAX_NODES {
            return Vec::new();
        }
        self.last_addresses.forget(node);
        let mut changes = if is_new { self.replace(node) } else { Vec::new() };
        let member = self.others.entry(incarnation).or_insert_with(|| Member::new(node, heartbeat, now));
        let _pong = member.machine.handle_packet(now, PacketType::Ping);
        if member.heartbeat != heartbeat {
            member.heartbeat = heartbeat;
            member.machine = Machine::eio4_client(heartbeat, now);
        }
        member.sessions = beacon.sessions;
        member.is_draining = beacon.phase == Phase::Draining;
        member.is_heard = true;
        if member.address.as_deref() != beacon.address {
            member.address = beacon.address.map(Arc::from);
        }
        let name = Arc::clone(&member.name);
        let is_back = member.is_replaced();
        if is_back {
            member.standing = Standing::Alone;
        }
        if is_new || is_back {
            changes.push(Change::Joined { name: Arc::clone(&name) });
        }
        if is_new && name.len() != self.name.len() {
            changes.push(Change::OtherLength { name: Arc::clone(&name) });
        }
        if is_back || name == self.name {
            changes.extend(self.tell_twice(&name));
        }
        changes
    }

    /// A start of a node that was not known has come: those of its name that were there before have most likely ended.
    fn replace(&mut self, name: &str) -> Vec<Change> {
        let of_name = |member: &Member| *member.name == *name && !member.is_replaced();
        let before = self.others.iter_mut().filter(|(_, member)| of_name(member));
        before
            .map(|(incarnation, member)| {
                member.standing = Standing::Replaced;
                Change::Gone { name: Arc::clone(&member.name), incarnation: *incarnation, why: Why::Replaced }
            })
            .collect()
    }

    /// Reports that there are two nodes of a name, once for those that are there now.
    fn tell_twice(&mut self, name: &str) -> Option<Change> {
        let mut is_news = false;
        for member in self.others.values_mut().filter(|member| *member.name == *name) {
            is_news |= core::mem::replace(&mut member.standing, Standing::Twice) != Standing::Twice;
        }
        is_news.then(|| Change::Twice { name: name.into() })
    }

    /// Reports that the bus is connected. Silence counts anew: what was said meanwhile was not heard.
    pub(crate) fn handle_bus_up(&mut self, now: Instant) {
        self.own = Own::New(now);
        self.echo = None;
        for member in self.others.values_mut() {
            member.machine = Machine::eio4_client(member.heartbeat, now);
        }
    }

    /// Reports that this node has heard its own beacon, which says that it is new.
    pub(crate) fn handle_own_beacon(&mut self, now: Instant) {
        if let Own::New(since) = self.own {
            let answered = now.saturating_add(now.saturating_duration_since(since));
            self.own = Own::Heard(answered.saturating_add(ANSWER_TIME));
        }
    }

    /// Reports that the bus is lost. From now on, nobody is gone by silence.
    pub(crate) fn handle_bus_down(&mut self) {
        self.own = Own::Away;
        self.echo = None;
        for member in self.others.values_mut() {
            member.is_heard = false;
        }
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout), if anything is awaited.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.silence_timeout(), self.settle_timeout()].into_iter().flatten().min()
    }

    /// When this node knows who is there, if it does not yet.
    fn settle_timeout(&self) -> Option<Instant> {
        if let Own::Heard(settles) = self.own { Some(settles) } else { None }
    }

    /// When a node has been silent for too long.
    fn silence_timeout(&self) -> Option<Instant> {
        if self.own == Own::Away {
            return None;
        }
        let silent = self.others.values().filter_map(|member| member.machine.poll_timeout()).min()?;
        Some(self.echo.map_or(silent, |sent| silent.max(sent.saturating_add(ECHO_TIMEOUT))))
    }

    /// Reports that the clock has moved. Returns what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Due {
        let is_past = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        let due = Due { echo: is_past(self.silence_timeout()), settled: is_past(self.settle_timeout()) };
        if due.echo {
            self.echo = Some(now);
        }
        if due.settled {
            self.own = Own::Settled;
        }
        due
    }

    /// Takes an echo that has come back, and when it was sent. The nodes that had been silent for too long then are gone.
    pub(crate) fn handle_echo(&mut self, now: Instant, sent: Instant) -> Vec<Change> {
        let sent = sent.min(now);
        self.echo = None;
        let mut changes = Vec::new();
        self.others.retain(|incarnation, member| {
            let last_seen = member.machine.last_seen();
            let is_gone = member.machine.handle_timeout(sent).is_some();
            if is_gone && !member.is_replaced() {
                let millis = sent.saturating_duration_since(last_seen).as_millis();
                let why = Why::Silent { millis: millis.try_into().unwrap_or(u64::MAX) };
                if let Some(address) = member.address.take() {
                    self.last_addresses.keep(now, &member.name, *incarnation, address);
                }
                changes.push(Change::Gone { name: Arc::clone(&member.name), incarnation: *incarnation, why });
            }
            !is_gone
        });
        changes
    }

    /// Returns whether this node hears the others, and they were told that it is there.
    pub(crate) fn is_heard(&self) -> bool {
        matches!(self.own, Own::Heard(_) | Own::Settled)
    }

    /// Returns whether this node knows who is there.
    pub(crate) fn knows_all(&self) -> bool {
        self.own == Own::Settled
    }

    /// Returns the other nodes that are there, with their incarnations.
    pub(crate) fn others(&self) -> impl Iterator<Item = (u64, &Member)> {
        let there = self.others.iter().filter(|(_, member)| !member.is_replaced());
        there.map(|(incarnation, member)| (*incarnation, member))
    }

    /// Returns where a node is, by what it has said last. One that has said that it leaves is nowhere.
    #[cfg(any(feature = "forward", test))]
    pub(crate) fn address(&self, name: &str, now: Instant) -> Option<&Arc<str>> {
        let named = self.others().map(|(_, member)| member).filter(|member| *member.name == *name);
        // After a restart, the name may be that of two for a moment: the one that was heard last is the new one.
        match named.max_by_key(|member| member.last_seen()) {
            Some(member) => member.address.as_ref(),
            None => self.last_addresses.get(now, name),
        }
    }

    /// Returns the names that more than one node has.
    pub(crate) fn names_twice(&self) -> BTreeSet<Arc<str>> {
        let mut seen = BTreeSet::from([Arc::clone(&self.name)]);
        let names = self.others().map(|(_, member)| Arc::clone(&member.name));
        names.filter(|name| !seen.insert(Arc::clone(name))).collect()
    }

    /// Returns whether it is known that a node lives: the bus is up, and the node was not silent for too long.
    pub(crate) fn is_certain(&self, member: &Member, now: Instant) -> bool {
        self.own != Own::Away && member.is_heard && !member.machine.is_expired(now)
    }
}

impl Member {
    fn new(name: &str, heartbeat: Heartbeat, now: Instant) -> Self {
        Self {
            name: name.into(),
            sessions: 0,
            address: None,
            is_draining: false,
            heartbeat,
            machine: Machine::eio4_client(heartbeat, now),
            is_heard: true,
            standing: Standing::Alone,
        }
    }

    fn is_replaced(&self) -> bool {
        self.standing == Standing::Replaced
    }

    /// Returns when the node was last heard.
    pub(crate) fn last_seen(&self) -> Instant {
        self.machine.last_seen()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEARTBEAT: Heartbeat = match Heartbeat::from_millis(5_000, 5_000) {
        Ok(heartbeat) => heartbeat,
        Err(_) => panic!(),
    };

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1_000)
    }

    fn beacon(members: &mut Members, now: u64, node: &str, incarnation: u64, phase: Phase) -> Vec<Change> {
        let beacon = Beacon::new(phase, false, HEARTBEAT, 3, Some("http://there"));
        members.handle_beacon(at(now), Publisher { node, incarnation }, &beacon)
    }

    /// An echo that has taken 200 s.
    fn echo(members: &mut Members, sent: u64) -> Vec<Change> {
        members.handle_echo(at(sent + 200_000), at(sent))
    }

    fn up() -> Members {
        let mut members = Members::new("m".into(), 0);
        members.handle_bus_up(at(0));
        members
    }

    fn joined(name: &str) -> Change {
        Change::Joined { name: name.into() }
    }

    fn gone(name: &str, incarnation: u64, why: Why) -> Change {
        Change::Gone { name: name.into(), incarnation, why }
    }

    fn names(members: &Members) -> Vec<&str> {
        members.others().map(|(_, member)| &*member.name).collect()
    }

    #[test]
    fn a_silent_node_is_gone_at_its_bound_and_not_before() {
        let mut members = up();
        assert_eq!(members.poll_timeout(), None);
        assert_eq!(beacon(&mut members, 1_000, "a", 1, Phase::Up), [joined("a")]);
        assert_eq!(beacon(&mut members, 6_000, "a", 1, Phase::Up), []);
        assert_eq!(members.poll_timeout(), Some(at(16_000)));
        assert!(!members.handle_timeout(at(15_999)).echo);
        assert!(members.handle_timeout(at(16_000)).echo);
        assert_eq!(names(&members), ["a"], "nobody is gone before the echo");
        assert_eq!(echo(&mut members, 16_000), [gone("a", 1, Why::Silent { millis: 10_000 })]);
        assert_eq!((names(&members), members.poll_timeout()), (vec![], None));
    }

    #[test]
    fn a_beacon_that_comes_before_the_echo_counts() {
        let mut members = up();
        beacon(&mut members, 0, "a", 1, Phase::Up);
        // This node was stalled for an hour. What it did not read is there.
        assert!(members.handle_timeout(at(3_600_000)).echo);
        assert_eq!(beacon(&mut members, 3_600_001, "a", 1, Phase::Up), []);
        assert_eq!(echo(&mut members, 3_600_000), []);
        assert_eq!(members.poll_timeout(), Some(at(3_610_001)));
    }

    #[test]
    fn while_no_echo_comes_nobody_is_gone_and_it_is_sent_again() {
        let mut members = up();
        beacon(&mut members, 0, "a", 1, Phase::Up);
        assert!(members.handle_timeout(at(10_000)).echo);
        assert!(!members.handle_timeout(at(10_999)).echo);
        assert_eq!(members.poll_timeout(), Some(at(11_000)));
        assert!(members.handle_timeout(at(11_000)).echo);
        let (_, member) = members.others().next().unwrap();
        assert!(!members.is_certain(member, at(11_000)));
        // The first one took long. What it proves is enough.
        assert_eq!(echo(&mut members, 10_000), [gone("a", 1, Why::Silent { millis: 10_000 })]);
        assert_eq!(echo(&mut members, 11_000), []);
    }

    #[test]
    fn an_echo_proves_only_what_was_before_it() {
        let mut members = up();
        beacon(&mut members, 0, "a", 1, Phase::Up);
        assert_eq!(echo(&mut members, 9_999), []);
        let late = members.handle_echo(at(9_999), at(20_000));
        assert_eq!(late, [], "a time that has not come yet");
        assert_eq!(echo(&mut members, 10_000).len(), 1);
    }

    #[test]
    fn while_the_bus_is_down_nobody_is_gone_and_afterwards_a_new_period_begins() {
        let mut members = up();
        beacon(&mut members, 0, "a", 1, Phase::Up);
        members.handle_bus_down();
        assert_eq!((members.poll_timeout(), members.handle_timeout(at(60_000)).echo), (None, false));
        let (_, member) = members.others().next().unwrap();
        assert!(!members.is_certain(member, at(1)));
        members.handle_bus_up(at(60_000));
        assert_eq!(members.poll_timeout(), Some(at(70_000)));
        assert!(members.handle_timeout(at(70_000)).echo);
        assert_eq!(echo(&mut members, 70_000).len(), 1);
    }

    #[test]
    fn a_node_says_that_it_leaves_and_one_that_starts_again_replaces_itself() {
        let mut members = up();
        beacon(&mut members, 0, "a", 1, Phase::Up);
        assert_eq!(beacon(&mut members, 1, "a", 1, Phase::Draining), []);
        assert!(members.others().next().unwrap().1.is_draining);
        assert_eq!(beacon(&mut members, 2, "a", 1, Phase::Leaving), [gone("a", 1, Why::Left)]);
        assert_eq!(beacon(&mut members, 3, "a", 1, Phase::Leaving), []);
        beacon(&mut members, 4, "a", 2, Phase::Up);
        assert_eq!(beacon(&mut members, 5, "a", 3, Phase::Up), [gone("a", 2, Why::Replaced), joined("a")]);
        assert_eq!((names(&members), members.names_twice().len()), (vec!["a"], 0));
        // The one that was replaced leaves no trace.
        assert!(members.handle_timeout(at(10_004)).echo);
        assert_eq!(echo(&mut members, 10_004), []);
        assert_eq!(members.others.len(), 1);
    }

    #[test]
    fn two_nodes_of_one_name_are_noticed_once_until_one_of_them_is_gone() {
        let mut members = up();
        beacon(&mut members, 0, "a", 1, Phase::Up);
        beacon(&mut members, 1, "a", 2, Phase::Up);
        let twice = Change::Twice { name: "a".into() };
        assert_eq!(beacon(&mut members, 5_000, "a", 1, Phase::Up), [joined("a"), twice]);
        for now in [5_001, 10_000, 10_001] {
            assert_eq!(beacon(&mut members, now, "a", 1 + now % 2, Phase::Up), []);
        }
        assert_eq!(members.names_twice(), BTreeSet::from([Arc::from("a")]));
        beacon(&mut members, 11_000, "a", 1, Phase::Leaving);
        assert!(members.names_twice().is_empty());

        // This node's own name.
        let change = beacon(&mut members, 12_000, "m", 9, Phase::Up);
        assert_eq!(change, [joined("m"), Change::Twice { name: "m".into() }]);
        assert_eq!(members.names_twice(), BTreeSet::from([Arc::from("m")]));
        assert_eq!(beacon(&mut members, 12_000, "m", 0, Phase::Up), [], "its own beacon");
    }

    #[test]
    fn a_name_of_another_length_is_noticed_once_for_each_start_of_its_node() {
        let mut members = up();
        let other = || Change::OtherLength { name: "a7".into() };
        assert_eq!(beacon(&mut members, 0, "a7", 1, Phase::Up), [joined("a7"), other()]);
        assert_eq!(beacon(&mut members, 5_000, "a7", 1, Phase::Up), []);
        let again = beacon(&mut members, 6_000, "a7", 2, Phase::Up);
        assert_eq!(again, [gone("a7", 1, Why::Replaced), joined("a7"), other()]);
        assert_eq!(beacon(&mut members, 7_000, "b", 3, Phase::Up), [joined("b")]);
    }

    #[test]
    fn the_address_of_a_node_that_is_gone_without_a_word_is_known_until_it_leaves_or_is_there_again() {
        let there = |members: &Members| members.address("a", at(20_000)).map(ToString::to_string);
        let gone = || {
            let mut members = up();
            beacon(&mut members, 0, "a", 1, Phase::Up);
            members.handle_timeout(at(10_000));
            assert_eq!(echo(&mut members, 10_000).len(), 1);
            assert!(names(&members).is_empty());
            members
        };
        let mut members = gone();
        assert_eq!(there(&members).as_deref(), Some("http://there"));
        beacon(&mut members, 20_000, "a", 1, Phase::Leaving);
        assert_eq!(there(&members), None);

        let mut members = gone();
        let elsewhere = Beacon::new(Phase::Up, true, HEARTBEAT, 0, Some("http://elsewhere"));
        members.handle_beacon(at(20_000), Publisher { node: "a", incarnation: 2 }, &elsewhere);
        assert_eq!(there(&members).as_deref(), Some("http://elsewhere"));
        beacon(&mut members, 20_000, "a", 2, Phase::Leaving);
        assert_eq!(there(&members), None);
    }

    #[test]
    fn a_node_knows_all_some_time_after_its_own_beacon_has_come_back() {
        let mut members = Members::new("m".into(), 0);
        members.handle_own_beacon(at(0));
        assert!(!members.is_heard(), "it comes from an earlier connection");
        members.handle_bus_up(at(1_000));
        assert_eq!((members.is_heard(), members.poll_timeout()), (false, None));
        // What comes back after 2 s is with the others by then, and their answers take 2 s as well.
        members.handle_own_beacon(at(3_000));
        members.handle_own_beacon(at(4_000));
        assert_eq!((members.is_heard(), members.poll_timeout()), (true, Some(at(5_250))));
        assert_eq!((members.handle_timeout(at(5_249)), members.knows_all()), (Due::default(), false));
        assert_eq!(members.handle_timeout(at(5_250)), Due { echo: false, settled: true });
        assert_eq!((members.knows_all(), members.poll_timeout()), (true, None));
        members.handle_bus_down();
        assert_eq!((members.is_heard(), members.knows_all()), (false, false));
    }

    #[test]
    fn the_number_of_nodes_has_a_bound() {
        let mut members = up();
        for incarnation in 1..=2 * MAX_NODES as u64 {
            beacon(&mut members, incarnation, "a", incarnation, Phase::Up);
        }
        assert_eq!(members.others.len(), MAX_NODES);
    }
}
