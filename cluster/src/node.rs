//! This node: what its handles, its task and the bus share.

mod log;

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use eio_core::{Heartbeat, Instant};
use eio_tokio::Server;
use tokio::sync::watch;

use crate::bus::{Receive, Sending};
use crate::channel::{Incoming, Services};
use crate::clock::{Clock, deadline_after};
use crate::frame::{Beacon, Body, Frame, Phase, Publisher};
use crate::link::Link;
use crate::members::{Change, Members};
use crate::metrics;
use crate::once::Taken;
use crate::reply::Reply;
use crate::request::{NoAnswer, Requests, Responses};
use crate::sync::{AtomicBool, AtomicU8, AtomicU64, Mutex, MutexGuard, Notify};
use crate::targets;

/// This node, as long as anybody has a handle.
pub(crate) struct Node {
    pub(crate) link: Arc<Link>,
    pub(crate) server: Server,
    pub(crate) services: Services,
    pub(crate) requests: Arc<Requests>,
    pub(crate) clock: Clock,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) address: Option<String>,
    members: Mutex<Members>,
    taken: Mutex<Taken>,
    /// A [`Phase`].
    phase: AtomicU8,
    /// Whether the bus is connected, and this node hears the others and was announced to them. The node's task sets it.
    pub(crate) connected: watch::Sender<bool>,
    /// Signalled when the task has to look at the time, or has something to say.
    pub(crate) work: Arc<Notify>,
    /// Signalled when the nodes that are there have changed.
    pub(crate) nodes_changed: watch::Sender<u64>,
    pub(crate) unreadable: AtomicU64,
    pub(crate) panics: AtomicU64,
    /// An unreadable frame is in the log.
    is_told: AtomicBool,
}

/// Hands what comes from the bus to the node, while there is one.
pub(crate) struct Receiver(pub(crate) Weak<Node>);

impl Receive for Receiver {
    fn receive(&self, payload: Bytes) {
        if let Some(node) = self.0.upgrade() {
            node.receive(&payload);
        }
    }
}

impl Node {
    pub(crate) fn new(server: Server, link: Link, heartbeat: Heartbeat, address: Option<String>) -> Self {
        Self {
            members: Mutex::new(Members::new(Arc::clone(&link.node), link.incarnation)),
            link: Arc::new(link),
            server,
            services: Services::default(),
            requests: Arc::default(),
            clock: Clock::start(),
            heartbeat,
            address,
            taken: Mutex::default(),
            phase: AtomicU8::new(Phase::Up as u8),
            connected: watch::Sender::new(false),
            work: Arc::default(),
            nodes_changed: watch::Sender::new(0),
            unreadable: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            is_told: AtomicBool::new(false),
        }
    }

    pub(crate) fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            up if up == Phase::Up as u8 => Phase::Up,
            draining if draining == Phase::Draining as u8 => Phase::Draining,
            _ => Phase::Leaving,
        }
    }

    /// Takes what has come from the bus.
    fn receive(self: &Arc<Self>, bytes: &Bytes) {
        let Some((Frame { from, body }, payload)) = Frame::decode(bytes) else {
            return self.count_unreadable(bytes.len());
        };
        if from.incarnation == self.link.incarnation {
            return self.receive_own(&body);
        }
        match body {
            Body::Beacon(beacon) => self.take_beacon(from, &beacon),
            Body::Message { service, number, topics } => {
                let is_new = || number.is_none_or(|number| self.taken().take(from.incarnation, number));
                if self.services.hears(service, &topics) && is_new() {
                    self.handle(service, Incoming { from: from.node, payload, reply: None });
                }
            }
            Body::Request { service, id } => {
                let reply = Some(Reply::new(&self.link, from.node, from.incarnation, id));
                self.handle(service, Incoming { from: from.node, payload, reply });
            }
            Body::Part { to, id, index } if to == self.link.incarnation => {
                self.requests.part(id, from.incarnation, from.node, index, payload);
            }
            Body::End { to, id, parts, outcome } if to == self.link.incarnation => {
                self.requests.end(id, from.incarnation, from.node, parts, outcome);
            }
            // For another node, or for the one that had this name before.
            Body::Part { .. } | Body::End { .. } | Body::Echo { .. } => {}
        }
    }

    /// Takes what this node has said to itself.
    fn receive_own(&self, body: &Body<'_>) {
        let now = self.clock.now();
        match body {
            Body::Echo { sent } => {
                let changes = self.members().handle_echo(now, Instant::from_micros(*sent));
                self.apply(changes);
            }
            Body::Beacon(beacon) if beacon.is_new => {
                self.members().handle_own_beacon(now);
                self.work.notify_one();
            }
            _ => {}
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, service: &str, message: Incoming<'_>) {
        if !self.services.handle(service, message) {
            self.panics.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn count_unreadable(&self, len: usize) {
        self.unreadable.fetch_add(1, Ordering::Relaxed);
        metrics::UNREADABLE.add(1);
        if !self.is_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                target: targets::CLUSTER, bytes = len,
                "something unreadable came from the bus; from now on, it is only counted"
            );
        }
    }

    fn take_beacon(&self, from: Publisher<'_>, beacon: &Beacon<'_>) {
        let mut members = self.members();
        let changes = members.handle_beacon(self.clock.now(), from, beacon);
        // It was there before this node knew it, so it has got the questions that wait until this node knows the others.
        if !beacon.is_new && changes.iter().any(|change| matches!(change, Change::Joined { .. })) {
            self.requests.expect_node(self.link.incarnation, from.incarnation, from.node);
        }
        drop(members);
        if beacon.is_new && beacon.phase != Phase::Leaving && self.phase() != Phase::Leaving {
            self.link.sign_to_node(from.node, Body::Beacon(self.beacon(false)));
        }
        self.apply(changes);
    }

    /// Tells everybody what has changed.
    pub(crate) fn apply(&self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        for change in changes {
            log::write(&change);
            if let Change::Gone { incarnation, .. } = change {
                self.requests.end_node(incarnation, Some(NoAnswer::Gone));
            }
        }
        self.count_nodes();
        self.nodes_changed.send_modify(|changes| *changes = changes.wrapping_add(1));
        self.work.notify_one();
    }

    /// Tells the metrics how many nodes there are. A node that has left is alone: it learns nothing more of the others.
    fn count_nodes(&self) {
        let is_alone = self.phase() == Phase::Leaving;
        let others = if is_alone { 0 } else { self.members().others().count() };
        metrics::NODES.set(1 + u32::try_from(others).unwrap_or(u32::MAX - 1));
    }

    fn beacon(&self, is_new: bool) -> Beacon<'_> {
        let sessions = self.server.len();
        Beacon::new(self.phase(), is_new, self.heartbeat, sessions, self.address.as_deref())
    }

    /// Says to all that this node lives.
    pub(crate) fn say(&self, is_new: bool) {
        if self.phase() != Phase::Leaving {
            self.link.sign_to_all(Body::Beacon(self.beacon(is_new)));
        }
    }

    /// Does what is due: asks for evidence if a node has been silent for too long, and takes note of what this node has
    /// heard of itself.
    pub(crate) fn check(&self) {
        let now = self.clock.now();
        let (due, is_heard) = {
            let mut members = self.members();
            (members.handle_timeout(now), members.is_heard())
        };
        if due.echo {
            // By the way that beacons take: in a Redis Cluster, what is sent to this node alone is on another master.
            self.link.sign_to_all(Body::Echo { sent: now.as_micros() });
        }
        if due.settled {
            self.requests.end_node(self.link.incarnation, None);
        }
        self.connected.send_if_modified(|connected| core::mem::replace(connected, is_heard) != is_heard);
    }

    /// Takes note that the bus is connected, and this node is subscribed to what the others say.
    pub(crate) fn bus_is_up(&self) {
        self.members().handle_bus_up(self.clock.now());
        self.say(true);
    }

    /// Takes note that the bus is lost.
    pub(crate) fn bus_is_down(&self) {
        self.connected.send_replace(false);
        self.members().handle_bus_down();
        self.requests.end_all(NoAnswer::Disconnected);
        tracing::debug!(target: targets::CLUSTER, "until the bus is back, it is unknown which nodes live");
    }

    /// Asks all nodes, or one.
    pub(crate) fn ask(
        &self,
        service: &str,
        node: Option<&str>,
        payload: &[u8],
        timeout: Duration,
    ) -> Responses {
        let deadline = deadline_after(tokio::time::Instant::now(), timeout);
        // A node cannot be gone before the question is open, which would then never hear of it.
        let members = self.members();
        // While this node does not know who is there, it waits for itself: so others have time to answer, and the answers do
        // not look as if they were all.
        let is_missing = node.is_none() && !(members.knows_all() && self.phase() != Phase::Leaving);
        let own = is_missing.then(|| (self.link.incarnation, Arc::clone(&self.link.node)));
        let mut asked = members
            .others()
            .filter(|(_, member)| node.is_none_or(|node| *member.name == *node))
            .map(|(incarnation, member)| (incarnation, Arc::clone(&member.name)))
            .chain(own)
            .peekable();
        let is_nobody = asked.peek().is_none();
        let (id, responses) = self.requests.open(asked, node.is_none(), deadline);
        drop(members);
        if is_nobody {
            if let Some(node) = node {
                responses.fail(node, NoAnswer::Gone);
            }
            return responses;
        }
        let body = Body::Request { service, id };
        let published = match node {
            Some(node) => self.link.to_node(node, body, payload),
            None => self.link.to_all(body, payload),
        };
        if let Err(why) = published {
            responses.end_all(NoAnswer::NotPublished(why));
        }
        responses
    }

    /// Returns what waits for the end of this node, and does not keep it.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + use<> {
        let mut connected = self.connected.subscribe();
        async move { while connected.changed().await.is_ok() {} }
    }

    /// Says that this node takes no new sessions.
    pub(crate) fn drain(&self) {
        let (up, draining) = (Phase::Up as u8, Phase::Draining as u8);
        if self.phase.compare_exchange(up, draining, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            self.say(false);
        }
    }

    /// Says behind everything that waits that this node is gone, and lets the bus end.
    pub(crate) fn leave(&self) {
        if self.phase.swap(Phase::Leaving as u8, Ordering::SeqCst) == Phase::Leaving as u8 {
            return;
        }
        // If it does not get through, the others notice the silence.
        self.link.close_with(Body::Beacon(self.beacon(false)));
        self.requests.end_all(NoAnswer::Disconnected);
        self.count_nodes();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Keeps a node in its cluster: says at each interval that it lives, and notices who does not. Ends with the node.
pub(crate) async fn run(node: Weak<Node>, sending: Sending) {
    let mut watcher = sending.watcher();
    let Some((subjects, work)) = node.upgrade().map(|node| {
        let subjects = &node.link.subjects;
        ([Some(subjects.all()), subjects.node(&node.link.node)], Arc::clone(&node.work))
    }) else {
        return;
    };
    // From here on, nothing keeps the bus but the node.
    drop(sending);
    while watcher.up().await {
        let heard = async {
            for subject in subjects.iter().flatten() {
                watcher.subscribed(subject).await;
            }
        };
        tokio::select! {
            biased;
            () = watcher.clone().lost() => {
                // What was asked meanwhile is lost.
                let Some(disconnected) = node.upgrade() else { return };
                disconnected.bus_is_down();
                continue;
            }
            () = heard => {}
        }
        let Some(connected) = node.upgrade() else { return };
        connected.bus_is_up();
        drop(connected);
        tokio::select! {
            biased;
            () = watcher.clone().lost() => {}
            () = live(&node, &work) => return,
        }
        let Some(disconnected) = node.upgrade() else { return };
        disconnected.bus_is_down();
    }
}

/// Sends beacons and does what is due, until the node is dropped.
async fn live(node: &Weak<Node>, work: &Notify) {
    let mut said = tokio::time::Instant::now();
    loop {
        let wake = {
            let Some(node) = node.upgrade() else { return };
            node.check();
            let next = said + node.heartbeat.ping_interval();
            let silence = node.members().poll_timeout().map(|at| node.clock.deadline(at));
            silence.map_or(next, |silence| silence.min(next))
        };
        tokio::select! {
            () = tokio::time::sleep_until(wake) => {}
            () = work.notified() => {}
        }
        let Some(node) = node.upgrade() else { return };
        let now = tokio::time::Instant::now();
        if now >= said + node.heartbeat.ping_interval() {
            said = now;
            // One that has not come back was lost.
            let is_new = !node.members().is_heard();
            node.say(is_new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{Bus, Command, Memory, Port};
    use crate::cluster::Cluster;
    use crate::frame::tests::samples;

    fn node() -> Cluster {
        let server = Server::builder(|_socket| async {}).node("me").build().unwrap();
        Cluster::builder(&server, Memory::new().end("me")).join().unwrap()
    }

    /// A bus that keeps what is published, and where.
    struct Kept(Arc<std::sync::Mutex<Vec<(String, Bytes)>>>);

    impl Bus for Kept {
        fn run(self: Box<Self>, mut port: Port) -> core::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(async move {
                port.up();
                while let Some(command) = port.next().await {
                    match command {
                        Command::Subscribe(subject) => port.subscribed(&subject),
                        Command::Publish { subject, payload } => {
                            self.0.lock().unwrap().push((subject.to_string(), payload));
                        }
                        Command::Unsubscribe(_) => {}
                    }
                }
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_judged_by_an_echo_on_the_way_of_the_beacons() {
        let server = Server::builder(|_socket| async {}).node("me").build().unwrap();
        let kept = Arc::default();
        let cluster = Cluster::builder(&server, Kept(Arc::clone(&kept))).join().unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        let heartbeat = Heartbeat::from_millis(1_000, 1_000).unwrap();
        let beacon = Body::Beacon(Beacon::new(Phase::Up, false, heartbeat, 0, None));
        cluster
            .node
            .receive(&Frame { from: Publisher { node: "a", incarnation: 1 }, body: beacon }.encode(b""));
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!(cluster.nodes().len(), 2, "it may have spoken, and the bus is slow");
        let kept = kept.lock().unwrap().clone();
        let is_echo =
            |bytes: &Bytes| matches!(Frame::decode(bytes), Some((Frame { body: Body::Echo { .. }, .. }, _)));
        let (subject, echo) = kept.iter().find(|(_, bytes)| is_echo(bytes)).unwrap();
        assert_eq!(subject, "eio.all");
        cluster.node.receive(echo);
        assert_eq!(cluster.nodes().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_is_connected_when_it_hears_itself_where_all_hear_it() {
        let server = Server::builder(|_socket| async {}).node("me").build().unwrap();
        let kept = Arc::default();
        let cluster = Cluster::builder(&server, Kept(Arc::clone(&kept))).join().unwrap();
        let within = async |time| tokio::time::timeout(time, cluster.connected()).await.is_ok();
        assert!(!within(Duration::from_secs(5)).await);
        let beacons = kept.lock().unwrap().clone();
        assert_eq!(beacons.len(), 2, "one that does not come back is said again");
        cluster.node.receive(&beacons[1].1);
        assert!(within(Duration::from_millis(1)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn garbage_is_counted_and_harms_nothing() {
        let cluster = node();
        let count = Arc::new(AtomicU64::new(0));
        let heard = Arc::clone(&count);
        let handler = move |_: Incoming<'_>| {
            heard.fetch_add(1, Ordering::Relaxed);
        };
        let _channel = cluster.channel("test", handler).unwrap();
        let mut readable = 0;
        let mut sent = 0;
        let mut take = |bytes: Bytes| {
            sent += 1;
            readable += u64::from(Frame::decode(&bytes).is_some());
            cluster.node.receive(&bytes);
        };
        for bytes in samples() {
            for len in 0..=bytes.len() {
                take(bytes.slice(..len));
                for bit in 0..if len < bytes.len() { 8 } else { 0 } {
                    let mut flipped = bytes.to_vec();
                    flipped[len] ^= 1 << bit;
                    take(flipped.into());
                }
            }
        }
        assert_eq!(cluster.status().unreadable, sent - readable);
        assert!(sent > 1_000 && readable < sent, "{readable} of {sent}");
        assert_eq!(cluster.status().panics, 0);
        // Still a node: it hears what it heard before.
        let before = count.load(Ordering::Relaxed);
        let from = Publisher { node: "a", incarnation: 1 };
        let body = Body::Message { service: "test", number: None, topics: Vec::new() };
        cluster.node.receive(&Frame { from, body }.encode(b"hello"));
        assert_eq!(count.load(Ordering::Relaxed), before + 1);
    }
}
