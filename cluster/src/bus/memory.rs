//! A bus within a process.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::bus::port::Port;
use crate::bus::subject::Subject;
use crate::bus::{Bus, Command};
use crate::sync::{Mutex, MutexGuard, Notify};

/// A bus within a process: for tests of applications, also in paused time, and for programs that have one node. Cloning
/// returns another handle to the same bus.
///
/// Each node has an end of its own, with a name. A test can cut ends off, slow them down, split them into parts that do
/// not hear each other, and heal them:
///
/// ```
/// use std::time::Duration;
///
/// use eio_cluster::bus::Memory;
///
/// let bus = Memory::new();
/// let (_a, _b, _c) = (bus.end("a"), bus.end("b"), bus.end("c"));
/// bus.slow("a", Duration::from_millis(50)); // what comes to a takes 50 ms
/// bus.cut("b"); // b is not connected, and knows it
/// bus.split(&[&["a"], &["c"]]); // a and c do not hear each other, and do not know
/// bus.mend("b");
/// bus.heal();
/// assert_eq!(bus.received("a"), 0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Memory {
    hub: Arc<Hub>,
}

/// What waits for one end at most, in bytes. What comes beyond is lost, as behind a connection that is too slow.
const MAX_WAITING: usize = 16 * 1024 * 1024;

#[derive(Debug, Default)]
struct Hub {
    ends: Mutex<Ends>,
}

type Ends = BTreeMap<String, End>;

/// One end of the bus, with what the server would know of it.
#[derive(Debug, Default)]
struct End {
    is_cut: bool,
    delay: Duration,
    /// The number of the part that the end is in, while the bus is split.
    part: usize,
    subscriptions: HashSet<Subject>,
    /// What is on its way to this end, and when it arrives.
    arriving: VecDeque<(Instant, Arriving)>,
    waiting: usize,
    lost: u64,
    received: u64,
    /// Signalled when any of this changes.
    changed: Arc<Notify>,
}

#[derive(Debug)]
enum Arriving {
    Message(Bytes),
    Subscribed(Subject),
}

impl End {
    fn send(&mut self, arriving: Arriving) {
        if let Arriving::Message(payload) = &arriving {
            if self.waiting + payload.len() > MAX_WAITING {
                self.lost += 1;
                return;
            }
            self.waiting += payload.len();
        }
        self.arriving.push_back((Instant::now() + self.delay, arriving));
        self.changed.notify_one();
    }

    /// Forgets what a broken connection forgets.
    fn disconnect(&mut self) {
        self.lost +=
            self.arriving.iter().filter(|(_, one)| matches!(one, Arriving::Message(_))).count() as u64;
        self.arriving.clear();
        self.waiting = 0;
        self.subscriptions.clear();
    }
}

impl Memory {
    /// Makes a bus without ends.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the end of this name. Two that run at once under one name share what comes: give each node its own name.
    #[must_use]
    pub fn end(&self, name: &str) -> MemoryBus {
        self.with(name, |_| {});
        MemoryBus { hub: Arc::clone(&self.hub), name: name.to_owned() }
    }

    /// Breaks the connection of an end. What is on its way is lost.
    pub fn cut(&self, name: &str) {
        self.with(name, |end| {
            end.is_cut = true;
            end.disconnect();
        });
    }

    /// Lets an end connect again.
    pub fn mend(&self, name: &str) {
        self.with(name, |end| end.is_cut = false);
    }

    /// Delays everything that comes to an end from now on. [`Duration::ZERO`] ends it.
    pub fn slow(&self, name: &str, by: Duration) {
        self.with(name, |end| end.delay = by);
    }

    /// Splits the bus: ends hear only what comes from their own part. Those that are not named are in the first part.
    pub fn split(&self, parts: &[&[&str]]) {
        for (name, end) in self.hub.lock().iter_mut() {
            end.part = parts.iter().position(|part| part.contains(&name.as_str())).unwrap_or(0);
        }
    }

    /// Ends the split.
    pub fn heal(&self) {
        self.split(&[]);
    }

    /// Returns how many messages an end has got so far. What a node does not subscribe to does not come to its end.
    #[must_use]
    pub fn received(&self, name: &str) -> u64 {
        self.hub.lock().get(name).map_or(0, |end| end.received)
    }

    /// Changes an end, which is made if there is none of the name.
    fn with(&self, name: &str, change: impl FnOnce(&mut End)) {
        let mut ends = self.hub.lock();
        let end = ends.entry(name.to_owned()).or_default();
        change(end);
        end.changed.notify_one();
    }
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One end of [`Memory`], to be given to a node.
#[derive(Debug)]
pub struct MemoryBus {
    hub: Arc<Hub>,
    name: String,
}

impl Bus for MemoryBus {
    fn run(self: Box<Self>, port: Port) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.run_with(port))
    }
}

impl MemoryBus {
    async fn run_with(self: Box<Self>, mut port: Port) {
        let changed = self.with(|end| Arc::clone(&end.changed));
        let mut is_up = false;
        loop {
            match (self.with(|end| end.is_cut), is_up) {
                (true, _) => {
                    port.down("the connection is cut");
                    is_up = false;
                }
                (false, false) => {
                    port.up();
                    is_up = true;
                }
                (false, true) => {}
            }
            let arrives = self.deliver(&mut port);
            tokio::select! {
                command = port.next() => match command {
                    Some(command) => self.act(command),
                    None => break,
                },
                () = changed.notified() => {}
                () = arrive(arrives) => {}
            }
        }
        self.with(End::disconnect);
    }

    fn with<T>(&self, act: impl FnOnce(&mut End) -> T) -> T {
        act(self.hub.lock().entry(self.name.clone()).or_default())
    }

    /// Delivers what has arrived. Returns when the next message will.
    fn deliver(&self, port: &mut Port) -> Option<Instant> {
        loop {
            let (arriving, lost) = self.with(|end| {
                let due = end.arriving.front().is_some_and(|(at, _)| *at <= Instant::now());
                let arriving = if due { end.arriving.pop_front() } else { None };
                if let Some((_, Arriving::Message(payload))) = &arriving {
                    end.waiting -= payload.len();
                    end.received += 1;
                }
                (arriving, core::mem::take(&mut end.lost))
            });
            port.lost(lost);
            match arriving {
                Some((_, Arriving::Message(payload))) => port.deliver(payload),
                Some((_, Arriving::Subscribed(subject))) => port.subscribed(&subject),
                None => return self.with(|end| end.arriving.front().map(|(at, _)| *at)),
            }
        }
    }

    fn act(&self, command: Command) {
        match command {
            Command::Subscribe(subject) => self.with(|end| end.subscribe(subject)),
            Command::Unsubscribe(subject) => drop(self.with(|end| end.subscriptions.remove(&subject))),
            Command::Publish { subject, payload } => {
                let mut ends = self.hub.lock();
                let part = ends.get(&self.name).map_or(0, |end| end.part);
                for end in ends.values_mut() {
                    if end.part == part && end.subscriptions.contains(&subject) {
                        end.send(Arriving::Message(payload.clone()));
                    }
                }
            }
        }
    }
}

impl End {
    fn subscribe(&mut self, subject: Subject) {
        self.subscriptions.insert(subject.clone());
        self.send(Arriving::Subscribed(subject));
    }
}

async fn arrive(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => core::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::sending::{NotPublished, Receive, Sending};
    use crate::bus::state::{BusState, Limits, OVERHEAD};
    use crate::bus::subject::Subjects;

    /// Keeps what has come.
    #[derive(Default)]
    struct Heard(Mutex<Vec<Bytes>>);

    impl Receive for Heard {
        fn receive(&self, payload: Bytes) {
            self.0.lock().unwrap().push(payload);
        }
    }

    impl Heard {
        fn take(&self) -> Vec<Bytes> {
            core::mem::take(&mut *self.0.lock().unwrap())
        }
    }

    fn node(bus: &Memory, name: &str) -> (Sending, Arc<Heard>) {
        let heard = Arc::<Heard>::default();
        let limits = Limits { queued: 1_000, message: 500 };
        (Sending::start(Box::new(bus.end(name)), limits, heard.clone()), heard)
    }

    /// Lets everything happen that happens at once.
    async fn settle() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    fn topic(name: &str) -> Subject {
        Subjects::new("eio").unwrap().topic("test", name)
    }

    #[tokio::test(start_paused = true)]
    async fn messages_come_in_order_and_only_to_those_that_subscribe() {
        let bus = Memory::new();
        let ((a, _), (b, heard), (c, _)) = (node(&bus, "a"), node(&bus, "b"), node(&bus, "c"));
        b.subscribe(topic("x"));
        c.subscribe(topic("y"));
        b.subscribed(&topic("x")).await;
        for payload in ["1", "2", "3"] {
            a.publish(topic("x"), payload.into()).unwrap();
        }
        settle().await;
        assert_eq!(heard.take(), ["1", "2", "3"]);
        assert_eq!((bus.received("a"), bus.received("b"), bus.received("c")), (0, 3, 0));
        b.unsubscribe(topic("x"));
        settle().await;
        a.publish(topic("x"), "4".into()).unwrap();
        settle().await;
        assert_eq!(bus.received("b"), 3);
        assert_eq!((a.status().published, b.status().received, b.status().subscriptions), (4, 3, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_seen_counted_and_over_with_all_subscriptions() {
        let bus = Memory::new();
        bus.cut("b");
        let ((a, _), (b, heard)) = (node(&bus, "a"), node(&bus, "b"));
        b.subscribe(topic("x"));
        settle().await;
        assert_eq!((b.status().state, b.status().outages), (BusState::Down, 0));
        assert_eq!(b.publish(topic("x"), "no".into()), Err(NotPublished::Down));
        bus.mend("b");
        b.subscribed(&topic("x")).await;
        assert_eq!((b.status().state, b.status().cause), (BusState::Up, None));
        bus.cut("b");
        settle().await;
        // Changed while nobody listens: after the outage, only what is wanted then counts.
        b.unsubscribe(topic("x"));
        b.subscribe(topic("y"));
        for number in 0..10_000 {
            b.subscribe(topic(&number.to_string()));
            b.unsubscribe(topic(&number.to_string()));
        }
        assert_eq!(b.status().subscriptions, 1);
        a.publish(topic("y"), "lost".into()).unwrap();
        settle().await;
        bus.mend("b");
        b.subscribed(&topic("y")).await;
        a.publish(topic("x"), "unwanted".into()).unwrap();
        a.publish(topic("y"), "there".into()).unwrap();
        settle().await;
        assert_eq!(heard.take(), ["there"]);
        assert_eq!((b.status().outages, b.status().lost), (1, 1));
        assert_eq!(b.changes(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_has_bounds_and_what_is_refused_is_counted() {
        let bus = Memory::new();
        let (a, _) = node(&bus, "a");
        settle().await;
        let long = Bytes::from(vec![0; 501]);
        assert_eq!(a.publish(topic("x"), long), Err(NotPublished::TooLong { len: 501, max: 500 }));
        // Nothing runs in between, so nothing leaves the queue.
        let fit = 1_000 / (100 + OVERHEAD);
        for _ in 0..fit {
            a.publish(topic("x"), vec![0; 100].into()).unwrap();
        }
        assert_eq!(a.publish(topic("x"), vec![0; 100].into()), Err(NotPublished::Full));
        assert_eq!(a.status().queued, fit * (100 + OVERHEAD));
        settle().await;
        assert_eq!((a.status().queued, a.status().published, a.status().lost), (0, fit as u64, 2));
        // What waits when the connection breaks is lost.
        a.publish(topic("x"), "1".into()).unwrap();
        bus.cut("a");
        settle().await;
        assert_eq!((a.status().queued, a.status().lost + a.status().published), (0, fit as u64 + 3));
    }

    #[tokio::test(start_paused = true)]
    async fn signs_of_life_go_first_in_their_order_and_none_behind_the_last_message() {
        let bus = Memory::new();
        let ((a, _), (b, heard)) = (node(&bus, "a"), node(&bus, "b"));
        b.subscribe(topic("x"));
        b.subscribed(&topic("x")).await;
        while a.publish(topic("x"), vec![b'm'; 100].into()).is_ok() {}
        for number in 0..100 {
            a.subscribe(topic(&number.to_string()));
        }
        for sign in ["1", "2"] {
            a.publish_first(topic("x"), sign.into());
        }
        a.close_with(topic("x"), "last".into());
        a.publish_first(topic("x"), "3".into());
        settle().await;
        let heard = heard.take();
        assert_eq!((&heard[..2], heard.last().unwrap()), (&["1".into(), "2".into()][..], &"last".into()));
        assert!(heard.len() > 4 && !heard.contains(&"3".into()), "{heard:?}");
        assert_eq!((a.status().state, a.status().queued), (BusState::Stopped, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_end_gets_all_in_order_later_and_a_split_one_nothing() {
        let bus = Memory::new();
        let ((a, _), (b, heard)) = (node(&bus, "a"), node(&bus, "b"));
        b.subscribe(topic("x"));
        b.subscribed(&topic("x")).await;
        bus.slow("b", Duration::from_secs(1));
        a.publish(topic("x"), "1".into()).unwrap();
        settle().await;
        a.publish(topic("x"), "2".into()).unwrap();
        tokio::time::sleep(Duration::from_millis(990)).await;
        assert_eq!(heard.take(), [""; 0]);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(heard.take(), ["1", "2"]);
        bus.slow("b", Duration::ZERO);
        bus.split(&[&["a"], &["b"]]);
        a.publish(topic("x"), "3".into()).unwrap();
        settle().await;
        bus.heal();
        a.publish(topic("x"), "4".into()).unwrap();
        settle().await;
        assert_eq!(heard.take(), ["4"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_subscription_that_is_unwanted_before_it_is_confirmed_ends() {
        let bus = Memory::new();
        let (a, _) = node(&bus, "a");
        bus.slow("a", Duration::from_secs(1));
        settle().await;
        a.subscribe(topic("x"));
        settle().await;
        a.unsubscribe(topic("x"));
        settle().await;
        assert_eq!(bus.hub.lock()["a"].subscriptions.len(), 1);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(bus.hub.lock()["a"].subscriptions.len(), 0);
        // Wanted again before the confirmation: nothing happens at all.
        a.subscribe(topic("x"));
        settle().await;
        a.unsubscribe(topic("x"));
        a.subscribe(topic("x"));
        a.subscribed(&topic("x")).await;
        assert_eq!(bus.hub.lock()["a"].subscriptions.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_last_handle_is_dropped_what_waits_is_published_and_the_bus_ends() {
        let bus = Memory::new();
        let ((a, _), (b, heard)) = (node(&bus, "a"), node(&bus, "b"));
        b.subscribe(topic("x"));
        b.subscribed(&topic("x")).await;
        let watcher = a.watcher();
        a.publish(topic("x"), "bye".into()).unwrap();
        drop(a);
        watcher.stopped().await;
        settle().await;
        assert_eq!(heard.take(), ["bye"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bus_whose_task_is_gone_is_stopped_and_keeps_nobody_waiting() {
        struct Gone;
        impl Bus for Gone {
            fn run(self: Box<Self>, _port: Port) -> Pin<Box<dyn Future<Output = ()> + Send>> {
                Box::pin(async {})
            }
        }
        let a = Sending::start(Box::new(Gone), Limits::default(), Arc::<Heard>::default());
        a.subscribe(topic("x"));
        a.subscribed(&topic("x")).await;
        assert_eq!(a.status().state, BusState::Stopped);
        assert_eq!(a.publish(topic("x"), "no".into()), Err(NotPublished::Down));
    }
}
