//! What is said to a Redis server, or to all masters of a Redis Cluster.

use core::task::{Context, Poll};
use core::time::Duration;

use redis::{Value, cmd};
use tokio::{task, time};

use crate::bus::redis::errors::{broken, check_role, is_lasting, words};
use crate::bus::redis::link::{Event, Link, Sent};
use crate::bus::redis::slots::{Address, Slots};
use crate::bus::server::{Beat, Broken, Ended, ServerUrl, Settings};
use crate::bus::state::Work;
use crate::bus::{Command, Port, Subject};
use crate::targets;

/// Connections on which the servers have accepted us: one, or one to each master of a cluster.
pub(crate) struct Session {
    links: Vec<Link>,
    /// Where the channels are, if each belongs to one of the masters.
    slots: Option<Slots>,
    commands: &'static Commands,
    patience: Duration,
    /// The server is not of a cluster.
    is_alone: bool,
    has_refused: bool,
    /// The link that is looked at first. Each has its turn.
    first: usize,
}

/// The names of commands.
struct Commands {
    publish: &'static str,
    subscribe: &'static str,
    unsubscribe: &'static str,
}

const PLAIN: Commands = Commands { publish: "PUBLISH", subscribe: "SUBSCRIBE", unsubscribe: "UNSUBSCRIBE" };
const SHARDED: Commands =
    Commands { publish: "SPUBLISH", subscribe: "SSUBSCRIBE", unsubscribe: "SUNSUBSCRIBE" };

/// What comes is handled up to this number before commands are looked at.
const AT_ONCE: usize = 64;

impl Session {
    /// Connects to a server, and to all masters if it is one of a cluster.
    pub(super) async fn open(url: &ServerUrl, settings: &Settings) -> Result<Self, Broken> {
        let mut link = Link::open(url, settings).await?;
        let (links, slots) = match masters(&mut link).await? {
            Found::Alone(why) if settings.urls.len() > 1 => {
                return Err(Broken::refused(format_args!("{NOT_A_CLUSTER}: {why}")));
            }
            Found::Alone(_) => return Ok(Self::alone(link, settings)),
            Found::Unsharded => (vec![link], None),
            Found::Sharded(slots, addresses) => {
                let mut links = Vec::with_capacity(addresses.len());
                for (host, port) in addresses {
                    let master = url.with_address(host.as_deref().unwrap_or(&url.host), port);
                    let opened = open_master(&master, settings).await;
                    links.push(opened.map_err(|broken| broken.within(&master.to_string()))?);
                }
                (links, Some(slots))
            }
        };
        Ok(Self::over(links, slots, settings))
    }

    fn alone(link: Link, settings: &Settings) -> Self {
        Self { is_alone: true, ..Self::over(vec![link], None, settings) }
    }

    fn over(links: Vec<Link>, slots: Option<Slots>, settings: &Settings) -> Self {
        let commands = if slots.is_some() { &SHARDED } else { &PLAIN };
        let patience = settings.patience();
        Self { links, slots, commands, patience, is_alone: false, has_refused: false, first: 0 }
    }

    /// Moves messages until the node closes the port, or a connection breaks.
    pub(super) async fn serve(mut self, port: &mut Port) -> Ended {
        let ended = match self.move_messages(port).await {
            Ok(()) => match time::timeout(self.patience, self.finish(port)).await {
                Ok(Err(broken)) => Err(broken),
                Ok(Ok(())) | Err(_) => Ok(()),
            },
            Err(broken) => Err(broken),
        };
        port.lost(self.links.iter().map(|link| link.unanswered).sum());
        ended.map_or_else(Ended::Broken, |()| Ended::Closed)
    }

    async fn move_messages(&mut self, port: &mut Port) -> Result<(), Broken> {
        port.up();
        loop {
            while let Some(work) = port.try_work(self.has_room()) {
                self.act(work, port);
            }
            let (has_room, due) = (self.has_room(), self.due());
            tokio::select! {
                event = core::future::poll_fn(|cx| self.poll_next(cx)) => {
                    self.handle(event?, port);
                    self.handle_ready(port).await?;
                }
                work = port.next_work(has_room) => match work {
                    Some(work) => self.act(work, port),
                    None => return Ok(()),
                },
                () = time::sleep_until(due) => self.check(port).await?,
            }
        }
    }

    /// Waits until the servers have all that the node has published.
    async fn finish(&mut self, port: &mut Port) -> Result<(), Broken> {
        core::future::poll_fn(|cx| {
            while let Poll::Ready(event) = self.poll_next(cx) {
                self.handle(event?, port);
            }
            if self.links.iter().all(Link::is_idle) { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await
    }

    fn has_room(&self) -> bool {
        self.links.iter().all(Link::has_room)
    }

    fn act(&mut self, Work { command, is_sign }: Work, port: &mut Port) {
        let names = self.commands;
        match command {
            Command::Publish { subject, payload } if is_sign => self.with_link(&subject, |link| {
                if !link.sign(names.publish, &subject, &payload) {
                    port.lost(1);
                }
            }),
            Command::Publish { subject, payload } => {
                self.with_link(&subject, |link| link.publish(names.publish, &subject, &payload));
            }
            Command::Subscribe(subject) => self.with_link(&subject.clone(), |link| {
                link.put(names.subscribe, Sent::Subscription(subject));
            }),
            Command::Unsubscribe(subject) => self.with_link(&subject.clone(), |link| {
                link.put(names.unsubscribe, Sent::End(subject));
            }),
        }
    }

    /// Finds the link to the master that has the channel.
    fn with_link(&mut self, subject: &Subject, act: impl FnOnce(&mut Link)) {
        let number = self.slots.as_ref().map_or(0, |slots| slots.master(subject.as_str()));
        if let Some(link) = self.links.get_mut(number) {
            act(link);
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Broken>> {
        let count = self.links.len();
        for number in 0..count {
            let number = (self.first + number) % count;
            if let Some(link) = self.links.get_mut(number)
                && let Poll::Ready(event) = link.poll_next(cx)
            {
                self.first = number + 1;
                return Poll::Ready(event);
            }
        }
        Poll::Pending
    }

    /// Handles what is there already, up to a bound. Returns whether there was anything.
    async fn handle_ready(&mut self, port: &mut Port) -> Result<bool, Broken> {
        core::future::poll_fn(|cx| {
            for number in 0..AT_ONCE {
                match self.poll_next(cx) {
                    Poll::Ready(event) => self.handle(event?, port),
                    Poll::Pending => return Poll::Ready(Ok(number > 0)),
                }
            }
            Poll::Ready(Ok(true))
        })
        .await
    }

    fn handle(&mut self, event: Event, port: &mut Port) {
        match event {
            Event::Room => {}
            Event::Message(payload) => port.deliver(payload),
            Event::Subscribed(subject) => port.subscribed(&subject),
            Event::Refused(subject, why) => port.refused(&subject, why),
            Event::NotTaken(why) => {
                port.lost(1);
                if !core::mem::replace(&mut self.has_refused, true) {
                    tracing::warn!(target: targets::BUS, cause = why, "the server does not take messages of this node");
                }
            }
        }
    }

    /// When a link has to be looked at.
    fn due(&self) -> time::Instant {
        let due = self.links.iter().map(|link| link.pulse.due()).min();
        due.unwrap_or_else(|| time::Instant::now() + self.patience)
    }

    async fn check(&mut self, port: &mut Port) -> Result<(), Broken> {
        // What a server has said counts before its silence: also when this process was asleep, and the runtime has not
        // looked at the socket yet.
        for _ in 0..2 {
            task::yield_now().await;
            while self.handle_ready(port).await? {}
        }
        for link in &mut self.links {
            match link.pulse.check() {
                // Connections live on when a server becomes a replica. Nothing else that is under way would show it.
                Some(Beat::Ping) if self.is_alone => link.put("ROLE", Sent::Role),
                Some(Beat::Ping) if link.is_idle() => link.put("PING", Sent::Ping),
                Some(Beat::Silent) => {
                    let patience = self.patience;
                    return Err(Broken::new(format_args!("the server has been silent for {patience:?}")));
                }
                // What is under way has an answer, too.
                Some(Beat::Ping) | None => {}
            }
        }
        Ok(())
    }
}

/// Nodes that are connected to servers which do not know each other would not hear each other.
const NOT_A_CLUSTER: &str = "the server is not of a Redis Cluster, or does not say so to this user, so there must be \
    one URL, the same for all nodes";

/// What a server is.
enum Found {
    /// A master, not of a cluster, or nobody may know. This is what it has said when it was asked for its cluster.
    Alone(String),
    /// Of a cluster that hands each message to all of its nodes.
    Unsharded,
    /// Of a cluster whose channels belong to these masters.
    Sharded(Slots, Vec<Address>),
}

/// Connects to a master that answers.
async fn open_master(url: &ServerUrl, settings: &Settings) -> Result<Link, Broken> {
    let mut link = Link::open(url, settings).await?;
    match link.ask(&cmd("PING")).await {
        Err(error) if !is_lasting(&error) => Err(broken(&error)),
        Ok(_) | Err(_) => Ok(link),
    }
}

/// Asks a server for the masters of its cluster.
async fn masters(link: &mut Link) -> Result<Found, Broken> {
    let answer = match link.ask(cmd("CLUSTER").arg("SLOTS")).await {
        Ok(answer) => answer,
        Err(error) if is_lasting(&error) => {
            return match link.ask(&cmd("ROLE")).await {
                Ok(role) => check_role(&role).map(|()| Found::Alone(words(&error))),
                Err(unknown) if is_lasting(&unknown) => Ok(Found::Alone(words(&error))),
                Err(unserved) => Err(broken(&unserved)),
            };
        }
        Err(error) => return Err(broken(&error)),
    };
    match link.ask(cmd("COMMAND").arg("INFO").arg("SSUBSCRIBE")).await {
        Ok(Value::Array(known)) if matches!(known[..], [Value::Array(_)]) => {}
        Err(error) if !is_lasting(&error) => return Err(broken(&error)),
        Ok(_) | Err(_) => return Ok(Found::Unsharded),
    }
    let (slots, masters) = Slots::parse(&answer).map_err(Broken::new)?;
    Ok(Found::Sharded(slots, masters))
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use tokio::io::{
        AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, duplex,
    };
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::bus::redis::SCHEME;
    use crate::bus::{Bus, BusState, Direct};
    use crate::{Channel, Cluster, Incoming};

    /// A bus whose one connection leads to the test.
    struct Once {
        stream: DuplexStream,
        is_sharded: bool,
    }

    impl Bus for Once {
        fn run(self: Box<Self>, mut port: Port) -> Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(async move {
                let settings = Settings::new(["redis://ann:secret@h"], &SCHEME).unwrap();
                let link = Link::over(Box::new(self.stream), &settings.urls[0], &settings).await.unwrap();
                let session = if self.is_sharded {
                    let (slots, _) = Slots::parse(&all_slots()).unwrap();
                    Session::over(vec![link], Some(slots), &settings)
                } else {
                    Session::alone(link, &settings)
                };
                match session.serve(&mut port).await {
                    Ended::Broken(broken) => port.down(format!("{broken:?}")),
                    Ended::Closed => return,
                }
                core::future::pending::<()>().await;
            })
        }
    }

    /// All slots have one master.
    fn all_slots() -> Value {
        let master = Value::Array(vec![Value::Nil, Value::Int(1)]);
        Value::Array(vec![Value::Array(vec![Value::Int(0), Value::Int(16_383), master])])
    }

    /// The test's end of the connection.
    struct Server(BufReader<DuplexStream>);

    impl Server {
        /// Reads a command: its words, with spaces between them.
        async fn hears(&mut self) -> String {
            let count = self.number('*').await;
            let mut words = Vec::new();
            for _ in 0..count {
                let mut word = vec![0; self.number('$').await + 2];
                self.0.read_exact(&mut word).await.unwrap();
                words.push(String::from_utf8_lossy(&word).trim_end().to_owned());
            }
            words.join(" ")
        }

        async fn greets(&mut self) {
            assert_eq!(self.hears().await, "HELLO 3 AUTH ann secret");
            self.says("%1\r\n+proto\r\n:3\r\n").await;
            for _ in 0..2 {
                assert!(self.hears().await.starts_with("CLIENT SETINFO LIB-"));
                self.says("+OK\r\n").await;
            }
        }

        async fn number(&mut self, kind: char) -> usize {
            let mut line = String::new();
            timeout(Duration::from_mins(1), self.0.read_line(&mut line)).await.expect("a line").unwrap();
            line.trim_end().strip_prefix(kind).expect("what was expected").parse().unwrap()
        }

        async fn says(&mut self, text: &str) {
            self.0.write_all(text.as_bytes()).await.unwrap();
        }

        /// Pushes something about a channel.
        async fn pushes(&mut self, kind: &str, channel: &Subject, what: &str) {
            let lengths = (kind.len(), channel.as_str().len());
            self.says(&format!(
                ">3\r\n${}\r\n{kind}\r\n${}\r\n{channel}\r\n{what}\r\n",
                lengths.0, lengths.1
            ))
            .await;
        }
    }

    type Heard = Arc<Mutex<Vec<Bytes>>>;

    async fn connected(is_sharded: bool) -> (Direct, Server, Heard) {
        let (stream, theirs) = duplex(64 * 1024);
        let heard = Heard::default();
        let keeps = Arc::clone(&heard);
        let once = Once { stream, is_sharded };
        let node = Direct::start("eio", once, move |payload| keeps.lock().unwrap().push(payload)).unwrap();
        let mut server = Server(BufReader::new(theirs));
        server.greets().await;
        node.up().await;
        (node, server, heard)
    }

    /// A node of a cluster that listens to this many topics.
    async fn joined(topics: u32) -> (Cluster, Channel, Server) {
        let (stream, theirs) = duplex(64 * 1024);
        let engine = eio_tokio::Server::builder(|_socket| async {}).node("me").build().unwrap();
        let cluster = Cluster::builder(&engine, Once { stream, is_sharded: false }).join().unwrap();
        let channel = cluster.channel("test", |_: Incoming<'_>| {}).unwrap();
        (0..topics).for_each(|number| channel.listen(&number.to_string()));
        let mut server = Server(BufReader::new(theirs));
        server.greets().await;
        (cluster, channel, server)
    }

    async fn cause(node: &Direct) -> String {
        sleep(Duration::from_millis(1)).await;
        node.status().cause.expect("it is down")
    }

    #[tokio::test(start_paused = true)]
    async fn commands_go_in_batches_and_each_has_its_answer() {
        let (node, mut server, heard) = connected(false).await;
        let (a, b) = (node.subject("a"), node.subject("b"));
        node.publish("a", "1".into()).unwrap();
        assert_eq!(server.hears().await, format!("PUBLISH {a} 1"));
        // These wait for the answer.
        node.subscribe("a");
        node.publish("b", "2".into()).unwrap();
        node.publish("b", "3".into()).unwrap();
        sleep(Duration::from_millis(1)).await;
        server.says(":0\r\n").await;
        for command in [format!("SUBSCRIBE {a}"), format!("PUBLISH {b} 2"), format!("PUBLISH {b} 3")] {
            assert_eq!(server.hears().await, command);
        }
        server.pushes("message", &a, "$3\r\nyes").await;
        server.pushes("subscribe", &a, ":1").await;
        server.says("-NOPERM No permissions to access a channel\r\n:0\r\n").await;
        node.subscribed("a").await;
        assert_eq!(heard.lock().unwrap()[..], ["yes"]);
        let status = node.status();
        assert_eq!((status.state, status.published, status.lost), (BusState::Up, 3, 1));
        // What is not answered when the connection breaks is lost.
        node.publish("b", "4".into()).unwrap();
        sleep(Duration::from_millis(1)).await;
        drop(server);
        assert!(cause(&node).await.contains("the server has closed the connection"));
        assert_eq!(node.status().lost, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_together_with_the_end_is_delivered() {
        let (node, mut server, heard) = connected(false).await;
        let a = node.subject("a");
        for _ in 0..3 {
            server.pushes("message", &a, "$3\r\nyes").await;
        }
        drop(server);
        assert!(cause(&node).await.contains("the server has closed the connection"));
        assert_eq!(heard.lock().unwrap().len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_that_moves_breaks_the_connection_whoever_notices_it() {
        let (node, mut server, _) = connected(true).await;
        let a = node.subject("a");
        node.subscribe("a");
        assert_eq!(server.hears().await, format!("SSUBSCRIBE {a}"));
        server.pushes("ssubscribe", &a, ":1").await;
        node.subscribed("a").await;
        server.pushes("sunsubscribe", &a, ":0").await;
        assert!(cause(&node).await.contains("its slot has moved"));

        let (node, mut server, _) = connected(true).await;
        node.publish("a", "1".into()).unwrap();
        assert_eq!(server.hears().await, format!("SPUBLISH {a} 1"));
        server.says("-MOVED 1 127.0.0.1:7001\r\n").await;
        let moved = cause(&node).await;
        assert!(moved.contains("the server says `MOVED 1 127.0.0.1:7001`"), "{moved}");
        assert_eq!(node.status().lost, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_about_the_server_breaks_the_connection_and_one_about_a_permission_does_not() {
        const BUSY: &str = "BUSY Redis is busy running a script.";
        for error in [BUSY, "LOADING Redis is loading", "MASTERDOWN Link with MASTER is down", "ERR unknown"]
        {
            let (node, mut server, _) = connected(false).await;
            node.subscribe("a");
            server.hears().await;
            server.says(&format!("-{error}\r\n")).await;
            let cause = cause(&node).await;
            assert!(cause.contains(&format!("the server says `{error}`")), "{cause}");
            assert_eq!(node.status().refused, 0);
        }
        let (node, mut server, _) = connected(false).await;
        for error in ["ERR of a proxy", "NOPERM no"] {
            node.publish("a", "1".into()).unwrap();
            server.hears().await;
            server.says(&format!("-{error}\r\n")).await;
        }
        node.subscribe("a");
        server.hears().await;
        server.says("-NOPERM no\r\n").await;
        node.subscribed("a").await;
        assert_eq!(server.hears().await, "ROLE");
        server.says("-NOPERM no\r\n").await;
        assert_eq!(server.hears().await, "ROLE");
        assert_eq!((node.status().state, node.status().lost, node.status().refused), (BusState::Up, 2, 1));
        server.says(&format!("-{BUSY}\r\n")).await;
        assert!(cause(&node).await.contains(BUSY));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_is_alone_when_it_says_so_and_not_when_it_cannot_say() {
        let name = |found| match found {
            Ok(Found::Alone(why)) => format!("alone: {why}"),
            Ok(Found::Unsharded) => "unsharded".to_owned(),
            Ok(Found::Sharded(..)) => "sharded".to_owned(),
            Err(broken) => format!("{broken:?}"),
        };
        let slots = "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\na\r\n:1\r\n";
        let (known, unknown) = ("*1\r\n*1\r\n$10\r\nssubscribe\r\n", "*1\r\n_\r\n");
        let alone = "-ERR This instance has cluster support disabled\r\n";
        let master = "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n";
        let replica = "*5\r\n$5\r\nslave\r\n$1\r\na\r\n:1\r\n$9\r\nconnected\r\n:0\r\n";
        for (first, second, expected) in [
            (alone, master, "alone: the server says `ERR This instance has cluster support disabled`"),
            ("-ERR unknown command 'CLUSTER'\r\n", master, "alone"),
            ("-NOPERM no\r\n", master, "alone: the server says `NOPERM no`"),
            (alone, "-NOPERM no\r\n", "alone"),
            (alone, "-ERR unknown command 'ROLE'\r\n", "alone"),
            (alone, replica, "the server is a replica"),
            (alone, "-BUSY Redis is busy\r\n", "BUSY"),
            ("-BUSY Redis is busy\r\n", "", "BUSY"),
            ("-LOADING Redis is loading\r\n", "", "LOADING"),
            ("-MASTERDOWN Link with MASTER is down\r\n", "", "MASTERDOWN"),
            (slots, known, "sharded"),
            (slots, unknown, "unsharded"),
            (slots, "-NOPERM no\r\n", "unsharded"),
            (slots, "-BUSY Redis is busy\r\n", "BUSY"),
        ] {
            let (stream, theirs) = duplex(64 * 1024);
            let settings = Settings::new(["redis://ann:secret@h"], &SCHEME).unwrap();
            let mut server = Server(BufReader::new(theirs));
            let asks = async {
                let mut link = Link::over(Box::new(stream), &settings.urls[0], &settings).await.unwrap();
                name(masters(&mut link).await)
            };
            let answers = async {
                server.greets().await;
                let next = if first == slots { "COMMAND INFO SSUBSCRIBE" } else { "ROLE" };
                for (question, answer) in [("CLUSTER SLOTS", first), (next, second)] {
                    if !answer.is_empty() {
                        assert_eq!(server.hears().await, question);
                        server.says(answer).await;
                    }
                }
            };
            let (found, ()) = tokio::join!(asks, answers);
            assert!(found.contains(expected), "{first} {second}: {found}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_becomes_a_replica_is_lost_however_much_is_published() {
        let (node, mut server, _) = connected(false).await;
        let a = node.subject("a");
        for role in ["*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n", "*1\r\n$5\r\nslave\r\n"] {
            assert_eq!(node.status().state, BusState::Up);
            sleep(Duration::from_millis(1_900)).await;
            // A message is always under way.
            node.publish("a", "1".into()).unwrap();
            assert_eq!(server.hears().await, format!("PUBLISH {a} 1"));
            node.publish("a", "2".into()).unwrap();
            sleep(Duration::from_millis(200)).await;
            server.says(":0\r\n").await;
            assert_eq!(server.hears().await, format!("PUBLISH {a} 2"));
            assert_eq!(server.hears().await, "ROLE");
            server.says(&format!(":0\r\n{role}")).await;
        }
        assert!(cause(&node).await.contains("the server is a replica"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_with_many_topics_says_that_it_lives_before_it_hears_them_all() {
        let (_cluster, _channel, mut server) = joined(5_000).await;
        for subject in ["eio.all", "eio.node.me"] {
            assert_eq!(server.hears().await, format!("SUBSCRIBE {subject}"));
        }
        // The answer to the first batch is the last one that comes.
        for _ in 2..1_000 {
            assert!(server.hears().await.starts_with("SUBSCRIBE eio.topic.test."));
        }
        server.says(&">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n".repeat(1_000)).await;
        let mut between = 0;
        while !server.hears().await.starts_with("PUBLISH eio.all ") {
            between += 1;
        }
        assert!(between <= 1_000, "{between}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_reads_slowly_still_says_that_it_lives() {
        let (cluster, _channel, mut server) = joined(0).await;
        for _ in 0..2 {
            server.hears().await;
            server.says(">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n").await;
        }
        server.hears().await;
        // From now on, its messages are not answered: for a minute, others come before the answers.
        cluster.broadcast("hello");
        let subject = cluster.node.link.subjects.all();
        for _ in 0..60 {
            sleep(Duration::from_secs(1)).await;
            server.pushes("message", &subject, "$1\r\nx").await;
            for _ in 0..1_000 {
                cluster.broadcast("hello");
            }
        }
        let mut beacons = 0;
        while let Ok(heard) = timeout(Duration::from_millis(1), server.hears()).await {
            beacons += u32::from(heard.starts_with("PUBLISH eio.all ") && !heard.contains("engine"));
        }
        assert!((14..=15).contains(&beacons), "{beacons}");
        assert_eq!(cluster.status().bus.state, BusState::Up);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_a_connection_and_half_a_message_is_none() {
        let (node, mut server, _) = connected(false).await;
        assert_eq!(server.hears().await, "ROLE");
        sleep(Duration::from_millis(2_900)).await;
        server.says(">3\r\n$7\r\nmess").await;
        sleep(Duration::from_millis(4_900)).await;
        assert_eq!(node.status().state, BusState::Up);
        sleep(Duration::from_millis(200)).await;
        assert!(node.status().cause.unwrap().contains("the server has been silent for 5s"));
    }
}
