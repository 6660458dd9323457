//! The client, and servers that say what they like.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use eio_core::ws::opening::{Opening, RequestHead};
use eio_socketio::client::{Client, ClientBuilder, Incoming, Socket};
use eio_tokio::Transport;
use eio_tokio::test_util::{Link, Network, NetworkListener};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::peer::{Kind, Peer, are_in_order};
use super::{BUFFER, FLOOD};
use crate::script::Script;

/// Longer than any period that a server can ask for, and all other limits of the client together.
const LONG: Duration = Duration::from_hours(60 * 24);

const OPEN: &str =
    r#"0{"sid":"x7","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}"#;

/// The namespaces that the application joins.
const NAMES: [&str; 2] = ["/", "/a"];

/// What the applications have received.
#[derive(Debug, Default)]
struct Seen {
    /// The events "n" of each namespace, in order.
    numbers: HashMap<&'static str, Vec<u64>>,
    /// The answer to each question.
    answers: Vec<Option<u64>>,
    asked: u64,
}

/// Where an application is, by what it has received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Joined,
    Away,
    Out,
}

/// What an application receives with.
#[derive(Clone)]
struct Application {
    client: Client,
    namespace: &'static str,
    seen: Arc<Mutex<Seen>>,
    /// Whether it receives, and whether it goes on after its namespace is out.
    receives: watch::Receiver<bool>,
}

impl Application {
    /// Joins, again and again if need be, and receives.
    async fn run(self) {
        for _ in 0..3 {
            if let Ok(socket) = self.client.join(self.namespace).await {
                self.receive(socket).await;
            }
        }
    }

    async fn receive(&self, mut socket: Socket) {
        let (mut phase, mut questions) = (Phase::Joined, JoinSet::new());
        self.ask(&socket, &mut questions);
        loop {
            let _ = self.receives.clone().wait_for(|receives| *receives).await;
            let Ok(incoming) = socket.recv().await else { break };
            assert_ne!(phase, Phase::Out, "nothing comes after the end: {incoming:?}");
            match incoming {
                Incoming::Event { name, args, ack } => {
                    if let Ok(number) = args.first::<u64>()
                        && name == "n"
                    {
                        self.seen
                            .lock()
                            .expect("no panic")
                            .numbers
                            .entry(self.namespace)
                            .or_default()
                            .push(number);
                    }
                    if let Some(ack) = ack {
                        let _ = ack.send(args);
                    }
                }
                Incoming::Connected { .. } => {
                    assert_eq!(phase, Phase::Away, "it joins twice");
                    phase = Phase::Joined;
                    self.ask(&socket, &mut questions);
                }
                Incoming::Disconnected(end) => {
                    assert!(!end.as_str().is_empty());
                    assert!(phase == Phase::Joined || !end.reconnects, "it is disconnected twice");
                    phase = if end.reconnects { Phase::Away } else { Phase::Out };
                }
                Incoming::ConnectError(_) => phase = Phase::Out,
                other => assert!(matches!(other, Incoming::Error(_)), "{other:?}"),
            }
        }
        drop(socket);
        while let Some(asked) = questions.join_next().await {
            asked.expect("no panic");
        }
    }

    /// Asks the server a question.
    fn ask(&self, socket: &Socket, questions: &mut JoinSet<()>) {
        let number = {
            let mut seen = self.seen.lock().expect("no panic");
            seen.asked += 1;
            seen.answers.push(None);
            seen.asked - 1
        };
        let (answer, seen) = (socket.emit_with_ack::<u64>("q", number), Arc::clone(&self.seen));
        questions.spawn(async move {
            let answer = answer.await.ok();
            seen.lock().expect("no panic").answers[usize::try_from(number).expect("few")] = answer;
        });
    }
}

fn client(settings: u8, link: &Link) -> ClientBuilder {
    let is = |bit: u8| settings & 1 << bit != 0;
    let link = link.clone();
    let builder = Client::builder("http://server.test")
        .engine(move |engine| {
            engine.link(&link).transports([Transport::WebSocket]).inbox(4, 2_000).outbox(4, 2_000)
        })
        .eio3(is(3))
        .inbox(4, 2_000)
        .connect_timeout(Duration::from_secs(2))
        .max_attempts(4);
    let builder = if is(1) { builder.reconnection(false) } else { builder };
    let builder = if is(2) { builder.retries(2, Duration::from_millis(300)) } else { builder };
    if is(4) { builder.buffer_while_away(0, 0) } else { builder.buffer_while_away(2, 200) }
}

/// Steps of servers: they accept, say, hear, break and wait.
pub(super) async fn story(settings: u8, script: &mut Script<'_>) {
    let network = Network::new();
    let listener = network.listen();
    let link = network.link();
    link.set_buffer(BUFFER);
    let client = client(settings, &link).build().expect("settings that fit");
    let seen = Arc::<Mutex<Seen>>::default();
    let (receives, receiving) = watch::channel(true);
    let mut applications = JoinSet::new();
    for namespace in NAMES {
        let (client, seen, receives) = (client.clone(), Arc::clone(&seen), receiving.clone());
        applications.spawn(Application { client, namespace, seen, receives }.run());
    }
    let mut servers = Servers {
        listener,
        link,
        is_old: settings & 8 != 0,
        all: Vec::new(),
        current: 0,
        questions: HashMap::new(),
        events: 0,
        receives,
        seen,
    };
    while let Some(letter) = script.byte() {
        servers.step(letter, script).await;
    }
    let _ = servers.receives.send(true);
    let ends = async {
        while let Some(end) = applications.join_next().await {
            end.expect("no panic");
        }
        client.close().await;
    };
    for index in 0..servers.all.len() {
        servers.hear(index).await;
        servers.all[index].hang_up().await;
    }
    let Servers { listener, .. } = &mut servers;
    *listener = network.listen();
    drop(network);
    timeout(LONG, ends).await.expect("the applications have an end");
    servers.check();
}

/// The servers. Steps concern the current one.
struct Servers {
    listener: NetworkListener,
    link: Link,
    is_old: bool,
    all: Vec<Peer>,
    current: usize,
    /// Where each question of the client has arrived, and with which number to answer.
    questions: HashMap<u64, Vec<(usize, String, u64)>>,
    /// How many events were emitted.
    events: u64,
    /// Whether the applications receive.
    receives: watch::Sender<bool>,
    seen: Arc<Mutex<Seen>>,
}

impl Servers {
    async fn step(&mut self, letter: u8, script: &mut Script<'_>) {
        match letter {
            b'a' => self.accept().await,
            b'x' => self.link.reset(),
            b't' => sleep(script.time()).await,
            b'u' => self.current = script.byte().unwrap_or(0).into(),
            b'p' => self.receives.send_modify(|receives| *receives = !*receives),
            _ => {}
        }
        let Some(index) = self.current.checked_rem(self.all.len()) else { return };
        self.all[index].step(letter, script, None).await;
        match letter {
            b'r' => self.hear(index).await,
            b'c' => self.say_on(index, script, '0', "{\"sid\":\"s\",\"pid\":\"p\"}").await,
            b'd' => self.say_on(index, script, '1', "").await,
            b'e' => {
                self.events += 1;
                let text = format!("{}[\"n\",{}]", self.events % 4, self.events);
                self.say_on(index, script, '2', &text).await;
            }
            b'y' => {
                // The answer to a question, perhaps with a number that nobody has asked with.
                let (which, wrong) = (script.byte().unwrap_or(0), script.byte().unwrap_or(0));
                let known = self.questions.values().flatten().filter(|(of, ..)| *of == index);
                let known = known
                    .map(|(_, name, id)| (name.clone(), *id))
                    .min_by_key(|(_, id)| id.abs_diff(which.into()));
                if let Some((name, id)) = known {
                    let answer = format!("{}[{which}]", id + u64::from(wrong % 3));
                    self.all[index].say_on(&name, '3', &answer).await;
                }
            }
            b'z' => self.flood(index).await,
            _ => {}
        }
        if self.all[index].said.is_invalid {
            self.await_end(index).await;
        }
    }

    async fn say_on(&mut self, index: usize, script: &mut Script<'_>, letter: char, data: &str) {
        let name = NAMES[usize::from(script.byte().unwrap_or(0)) % NAMES.len()];
        self.all[index].say_on(name, letter, data).await;
    }

    /// Opens the next session of the client, if it comes soon.
    async fn accept(&mut self) {
        let Ok((mut stream, _)) = timeout(Duration::from_secs(6), self.listener.accept()).await else {
            return;
        };
        let mut request = vec![0; 1 << 12];
        let Ok(Ok(read)) = timeout(Duration::from_secs(1), stream.read(&mut request)).await else { return };
        request.truncate(read);
        let head = RequestHead::parse(&request).expect("a whole request");
        let opening = Opening::check(&head).expect("a request for a WebSocket");
        let mut out = [0; 512];
        let response = opening.accept(None, &[], &mut out).expect("room");
        if stream.write_all(response).await.is_ok() {
            let mut server = Peer::new(stream, false, self.is_old, Vec::new());
            server.text(OPEN).await;
            self.current = self.all.len();
            self.all.push(server);
        }
    }

    async fn hear(&mut self, index: usize) {
        for heard in self.all[index].hear().await {
            if let Kind::Event { id: Some(id), args } = heard.kind
                && let Ok(number) = args.parse()
            {
                self.questions.entry(number).or_default().push((index, heard.namespace, id));
            }
        }
    }

    /// A server that has sent an invalid packet loses the session at once, unless the applications make the client stop
    /// reading.
    async fn await_end(&mut self, index: usize) {
        // While a namespace that is not joined yet keeps the client from reading, that takes its time.
        for _ in 0..60 {
            self.hear(index).await;
            if self.all[index].has_ended {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        let server = &self.all[index];
        let reads = *self.receives.borrow();
        assert!(server.is_wild || !reads, "the session goes on after an invalid packet");
    }

    /// Emits more and more to an application that does not receive. The client does not keep all of it.
    async fn flood(&mut self, index: usize) {
        let server = &mut self.all[index];
        if server.is_wild || server.has_ended {
            return;
        }
        let received = || self.seen.lock().expect("no panic").numbers.get("/").map_or(0, Vec::len);
        let was_receiving = self.receives.send_replace(false);
        let (before, mut sent) = (received(), 0);
        for number in 0..FLOOD {
            server.say(&format!("2[\"n\",{number},\"{:>100}\"]", "")).await;
            sent += 1;
            if !server.flush().await {
                break;
            }
        }
        self.receives.send_replace(true);
        for _ in 0..20 {
            self.all[index].flush().await;
            sleep(Duration::from_millis(1)).await;
        }
        self.receives.send_replace(was_receiving);
        assert!(sent < FLOOD || received() < before + FLOOD, "the client keeps all of {FLOOD} events");
    }

    /// Compares what the applications have received with what the servers have said.
    fn check(&self) {
        if self.all.iter().any(|server| server.is_wild) {
            return;
        }
        let seen = self.seen.lock().expect("no panic");
        for (namespace, numbers) in &seen.numbers {
            let said = self.all.iter().filter_map(|server| server.said.numbers.get(*namespace));
            let said: Vec<_> = said.flatten().copied().collect();
            assert!(are_in_order(numbers, &said), "{numbers:?} of {said:?} on {namespace}");
        }
        for (number, answer) in (0..).zip(&seen.answers) {
            let Some(answer) = answer else { continue };
            let answer = answer.to_string();
            let asked = self.questions.get(&number).into_iter().flatten();
            let mut said = asked.filter_map(|(server, namespace, id)| {
                self.all[*server].said.answers.get(&(namespace.clone(), *id))
            });
            let is_said = said.any(|said| said.iter().any(|said| said.split(',').next() == Some(&answer)));
            assert!(is_said, "nobody has answered {answer} to question {number}");
        }
    }
}
