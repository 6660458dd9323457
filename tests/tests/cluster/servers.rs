//! Servers of Redis and NATS, and nodes that use them.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eio_cluster::bus::{Bus, BusState, BusStatus, Direct, Nats, Redis};
use eio_cluster::bytes::Bytes;
use eio_tests::interop::{Daemon, Folder, Log, free_port, soon};
use tokio::process::Command;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Mutex, MutexGuard};

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Redis,
    Nats,
}

/// A server that can be stopped and started again on the same port.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) port: u16,
    pub(crate) folder: Folder,
    config: String,
    daemon: Option<Daemon>,
    log: Log,
}

impl Server {
    /// Starts one. `config` is added to its configuration, in which `PORT` and `FOLDER` are where it listens and lives.
    pub(crate) async fn start(kind: Kind, config: &str, log: &Log) -> Self {
        let mut server = Self::prepare(kind, config, log);
        server.restart().await;
        server
    }

    /// Prepares one that does not run yet.
    pub(crate) fn prepare(kind: Kind, config: &str, log: &Log) -> Self {
        let (folder, port) = (Folder::new(), free_port());
        Self { kind, port, folder, config: config.to_owned(), daemon: None, log: log.clone() }
    }

    /// Starts it, if it does not run.
    pub(crate) async fn restart(&mut self) {
        let Self { port, config, folder, .. } = self;
        let path = folder.path().display();
        let config = config.replace("PORT", &port.to_string()).replace("FOLDER", &path.to_string());
        let (who, command) = match self.kind {
            Kind::Redis => {
                let text = format!("bind 127.0.0.1\nport {port}\ndir {path}\nsave \"\"\n{config}\n");
                let mut command = Command::new("redis-server");
                command.arg(folder.write("redis.conf", &text));
                ("redis", command)
            }
            Kind::Nats => {
                let text = format!("listen: \"127.0.0.1:{port}\"\n{config}\n");
                let mut command = Command::new("nats-server");
                command.arg("-c").arg(folder.write("nats.conf", &text));
                ("nats", command)
            }
        };
        self.daemon = Some(Daemon::start(command, who, *port, &self.log).await);
    }

    pub(crate) async fn kill(&mut self) {
        self.daemon.take().expect("it runs").kill().await;
    }

    pub(crate) fn signal(&self, signal: &str) {
        self.daemon.as_ref().expect("it runs").signal(signal);
    }

    /// Its URL, with what stands before the host.
    pub(crate) fn url_with(&self, credentials: &str) -> String {
        let scheme = if self.kind == Kind::Redis { "redis" } else { "nats" };
        format!("{scheme}://{credentials}127.0.0.1:{}", self.port)
    }

    /// A bus over it.
    pub(crate) fn bus(&self) -> Box<dyn Bus> {
        self.bus_with("")
    }

    pub(crate) fn bus_with(&self, credentials: &str) -> Box<dyn Bus> {
        bus(self.kind, &[&self.url_with(credentials)])
    }

    /// A node that uses it, and is connected.
    pub(crate) async fn node(&self) -> Node {
        let node = Node::start(self.bus());
        soon("the bus", node.direct.up()).await;
        node
    }

    /// Ann may use all topics but one: that is refused and counted, and her nodes stay connected. Returns one of them.
    pub(crate) async fn refuses_one_topic(&self) -> Node {
        let (from, mut to) = (Node::start(self.bus_with("ann:p@")), Node::start(self.bus_with("ann:p@")));
        soon("the bus", from.direct.up()).await;
        for topic in ["a", "forbidden", "b"] {
            to.subscribe(topic).await;
        }
        assert_eq!((to.status().subscriptions, to.status().refused), (3, 1));
        from.publish("forbidden", "lost");
        for topic in ["a", "b"] {
            from.publish(topic, topic.to_owned());
            assert_eq!(to.hear().await, topic);
        }
        from.reaches("the refusal", |status| status.lost == 1).await;
        assert!(from.is_up() && to.is_up() && from.status().outages == 0);
        to
    }

    /// What `redis-cli` prints about a command.
    pub(crate) async fn redis_cli(&self, arguments: &[&str]) -> String {
        let output =
            Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(arguments).output().await;
        let output = output.expect("redis-cli is installed");
        let text = String::from_utf8(output.stdout).expect("text") + &String::from_utf8_lossy(&output.stderr);
        self.log.line("cli", &format!("{arguments:?}: {text}"));
        text
    }
}

/// A bus over servers of one kind.
pub(crate) fn bus(kind: Kind, urls: &[&str]) -> Box<dyn Bus> {
    match kind {
        Kind::Redis => Box::new(Redis::new(urls).expect("valid URLs")),
        Kind::Nats => Box::new(Nats::new(urls).expect("valid URLs")),
    }
}

/// One that uses a bus, and keeps what comes.
pub(crate) struct Node {
    pub(crate) direct: Direct,
    pub(crate) heard: UnboundedReceiver<Bytes>,
}

impl Node {
    pub(crate) fn start(bus: impl Bus) -> Self {
        let (sender, heard) = unbounded_channel();
        let receive = move |payload| drop(sender.send(payload));
        Self { direct: Direct::start("eio", bus, receive).expect("a valid prefix"), heard }
    }

    pub(crate) async fn subscribe(&self, topic: &str) {
        self.direct.subscribe(topic);
        soon("the subscription", self.direct.subscribed(topic)).await;
    }

    /// Publishes a message that must be accepted.
    pub(crate) fn publish(&self, topic: &str, payload: impl Into<Bytes>) {
        self.direct.publish(topic, payload.into()).expect("it is connected");
    }

    /// Waits for the next message. What [`meets`] has sent more than once is left out.
    pub(crate) async fn hear(&mut self) -> Bytes {
        loop {
            let heard = soon("a message", self.heard.recv()).await.expect("the bus runs");
            if !heard.starts_with(b"meet ") {
                return heard;
            }
        }
    }

    pub(crate) fn status(&self) -> BusStatus {
        self.direct.status()
    }

    /// Waits until the bus is down, and returns why.
    pub(crate) async fn cause(&self) -> String {
        soon("the outage", async {
            loop {
                if let Some(cause) = self.status().cause {
                    return cause;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }

    /// Waits until this holds for the status.
    pub(crate) async fn reaches(&self, what: &str, is_it: impl Fn(&BusStatus) -> bool) -> BusStatus {
        soon(what, async {
            loop {
                let status = self.status();
                if is_it(&status) {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }

    /// Waits until it has lost its connection this many times.
    pub(crate) async fn loses(&self, outages: u64) {
        self.reaches("the outage", |status| status.outages == outages).await;
    }

    pub(crate) fn is_up(&self) -> bool {
        self.status().state == BusState::Up
    }
}

/// Waits until messages of one come to the other on this topic, one of which the other has subscribed to.
pub(crate) async fn meets(from: &Node, to: &mut Node, topic: &str) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let payload = format!("meet {}", NEXT.fetch_add(1, Ordering::Relaxed));
    let (from, expected) = (&from.direct, Bytes::from(payload));
    soon("a message after the outage", async {
        loop {
            let _ = from.publish(topic, expected.clone());
            let within = tokio::time::timeout(Duration::from_millis(50), to.heard.recv());
            if matches!(within.await, Ok(Some(heard)) if heard == expected) {
                return;
            }
        }
    })
    .await;
}

/// A handler that stops when it is told to, as one does that waits for a lock.
pub(crate) struct Gate(Arc<Mutex<()>>);

impl Gate {
    /// Makes one that is open, and a node behind it.
    pub(crate) fn node(bus: impl Bus) -> (Self, Node) {
        let gate = Arc::new(Mutex::new(()));
        let behind = Arc::clone(&gate);
        let (sender, heard) = unbounded_channel();
        let receive = move |payload| {
            tokio::task::block_in_place(|| drop(behind.blocking_lock()));
            drop(sender.send(payload));
        };
        (Self(gate), Node { direct: Direct::start("eio", bus, receive).expect("a valid prefix"), heard })
    }

    /// Closed until the guard is dropped.
    pub(crate) async fn close(&self) -> MutexGuard<'_, ()> {
        self.0.lock().await
    }
}
