//! The server, and clients that say what they like.

use core::time::Duration;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use eio_core::ws::opening::HeadEnd;
use eio_socketio::{
    Ack, Data, Disconnect, EmitError, Namespace, RawArgs, Recovery, Reply, Server, ServerBuilder, Socket,
};
use eio_tokio::test_util::{Link, Network};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout};

use super::peer::{self, Kind, Peer, are_in_order};
use super::{BUFFER, FLOOD};
use crate::reached;
use crate::script::Script;

/// Longer than a session lives without its peer, and than everything that its handlers wait for.
const LONG: Duration = Duration::from_mins(5);

const MAX_NAMESPACES: usize = 3;
const MAX_ROOMS: usize = 2;
const MAX_RUNNING: (usize, usize) = (4, 2_000);

/// A session and one of its namespaces.
type Place = (String, String);

/// What the applications of the server have seen.
#[derive(Debug, Default)]
struct Seen {
    /// How often each socket has joined and left, by its identifier.
    lives: HashMap<String, (u32, u32)>,
    /// The events "n" of each namespace of a session, in the order in which they were handled.
    numbers: HashMap<Place, Vec<u64>>,
    /// How many sockets of a session there are, how many of its handlers wait, and for how many bytes.
    sockets: HashMap<String, usize>,
    waiting: HashMap<String, (usize, usize)>,
    /// The sessions that the application has closed.
    closed: HashSet<String>,
    /// The answers to the questions of the server, by what tells a question from others.
    answers: HashMap<u64, Option<u64>>,
    asked: u64,
}

type Shared = Arc<Mutex<Seen>>;

/// Returns the session of a socket.
fn session(socket: &Socket) -> String {
    socket.engine().id().as_str().to_owned()
}

/// Handlers that see what they are called with, and judge when.
fn namespace(seen: &Shared) -> Namespace {
    let on = |seen: &Shared| Arc::clone(seen);
    let (connects, numbers, waits, closes, leaves) = (on(seen), on(seen), on(seen), on(seen), on(seen));
    Namespace::new()
        .middleware(async |socket: Socket| match &**socket.namespace() {
            "/refused" => Err("no".into()),
            "/slow" => {
                sleep(Duration::from_secs(1)).await;
                Ok(())
            }
            _ => Ok(()),
        })
        .on_connect(move |socket: Socket| connected(Arc::clone(&connects), socket))
        .on("n", move |socket: Socket, Data(number): Data<u64>, ack: Ack| {
            assert!(socket.is_connected(), "an event of a socket that is not connected");
            let mut seen = numbers.lock().expect("no panic");
            assert_ne!(
                seen.lives.get(socket.id().as_str()).map(|life| life.0),
                None,
                "an event before its socket"
            );
            seen.numbers.entry((session(&socket), socket.namespace().to_string())).or_default().push(number);
            core::future::ready(ack.send(number))
        })
        .on("wait", move |socket: Socket, args: RawArgs| wait(Arc::clone(&waits), socket, args.byte_len()))
        .on("leave", async |socket: Socket| socket.disconnect())
        .on("close", move |socket: Socket| {
            closes.lock().expect("no panic").closed.insert(session(&socket));
            socket.close();
            core::future::ready(())
        })
        .on("join", async |socket: Socket, args: RawArgs| {
            let _ = socket.join(args.first::<String>()?);
            assert!(socket.rooms().len() <= MAX_ROOMS);
            socket.to("room").emit("news", args).map(drop).map_err(Box::from)
                as Result<_, eio_socketio::BoxError>
        })
        .on_any(async || Reply("unknown"))
        .on_disconnect(move |socket: Socket, end: Disconnect| {
            let mut seen = leaves.lock().expect("no panic");
            assert!(!end.reason.as_str().is_empty() && !socket.is_connected());
            seen.lives.entry(socket.id().to_string()).or_default().1 += 1;
            *seen.sockets.get_mut(&session(&socket)).expect("it has joined") -= 1;
            core::future::ready(())
        })
}

/// Asks a client that has joined a question.
async fn connected(seen: Shared, socket: Socket) {
    reached::note(if socket.is_recovered() { "recovered" } else { "joined" });
    let number = {
        let mut seen = seen.lock().expect("no panic");
        seen.lives.entry(socket.id().to_string()).or_default().0 += 1;
        let sockets = seen.sockets.entry(session(&socket)).or_default();
        *sockets += 1;
        assert!(*sockets <= MAX_NAMESPACES, "a client is in {sockets} namespaces");
        seen.asked += 1;
        seen.asked
    };
    let answer = socket.emit_with_ack("who", number).await;
    let before = seen.lock().expect("no panic").answers.insert(number, answer.ok());
    assert_eq!(before, None, "a question is answered once");
}

/// Waits, while a client may send so much more and nothing beyond.
async fn wait(seen: Shared, socket: Socket, bytes: usize) -> Result<Reply<u64>, EmitError> {
    let session = session(&socket);
    {
        let mut seen = seen.lock().expect("no panic");
        let (handlers, waiting) = seen.waiting.entry(session.clone()).or_default();
        assert!(
            *handlers < MAX_RUNNING.0 && *waiting < MAX_RUNNING.1,
            "{handlers} handlers wait, for {waiting} bytes"
        );
        *handlers += 1;
        *waiting += bytes;
    }
    sleep(Duration::from_secs(3)).await;
    let mut seen = seen.lock().expect("no panic");
    let (handlers, waiting) = seen.waiting.get_mut(&session).expect("it waits");
    (*handlers, *waiting) = (*handlers - 1, *waiting - bytes);
    Ok(Reply(0))
}

fn server(settings: u8, seen: &Shared) -> Server {
    let is = |bit: u8| settings & 1 << bit != 0;
    let builder: ServerBuilder = Server::builder()
        .namespace("/", namespace(seen))
        .namespace_matching(|name| name != "/none", namespace(seen))
        .max_namespaces(MAX_NAMESPACES)
        .max_rooms(MAX_ROOMS)
        .max_running(MAX_RUNNING.0, MAX_RUNNING.1)
        .engine(|engine| engine.eio3(true).inbox(4, 2_000).outbox(4, 2_000));
    let builder =
        if is(1) { builder.recovery(Recovery::new().max_packets(8).max_sessions(2)) } else { builder };
    let builder = if is(2) { builder.when_full(eio_socketio::WhenFull::Close) } else { builder };
    builder.build().expect("settings that fit")
}

/// Steps of clients: they connect, say, hear, break and wait.
pub(super) async fn story(settings: u8, script: &mut Script<'_>) {
    let seen = Shared::default();
    let server = server(settings, &seen);
    let network = Network::new();
    let serving = tokio::spawn({
        let (server, listener) = (server.clone(), network.listen());
        async move { server.serve(listener).await }
    });
    let link = network.link();
    link.set_buffer(BUFFER);
    let mut clients = Clients {
        link,
        settings,
        all: Vec::new(),
        current: 0,
        connected: Instant::now(),
        may_end: settings & 4 != 0,
        place: None,
        questions: HashMap::new(),
    };
    while let Some(letter) = script.byte() {
        clients.step(letter, script, &seen).await;
    }
    for client in &mut clients.all {
        client.hear().await;
        client.hang_up().await;
    }
    sleep(LONG).await;
    assert!(server.engine().is_empty(), "{} sessions have no end", server.engine().len());
    serving.abort();
    let seen = seen.lock().expect("no panic");
    assert!(seen.lives.values().all(|(joined, left)| joined == left), "{:?}", seen.lives);
    assert_eq!(seen.answers.len(), usize::try_from(seen.asked).expect("few"), "each question has an end");
    assert!(seen.waiting.values().all(|waiting| *waiting == (0, 0)), "{:?}", seen.waiting);
    clients.check(&seen);
}

/// How long after a step a session of a client that keeps the rules goes on: the server's first ping comes later.
const FAITHFUL: Duration = Duration::from_secs(20);

/// The clients. Steps concern the current one.
struct Clients {
    link: Link,
    settings: u8,
    all: Vec<Peer>,
    current: usize,
    /// When the last client has connected.
    connected: Instant,
    /// Whether something else than a client's packets may have ended a session.
    may_end: bool,
    /// Where the last event that has a place in the history has arrived.
    place: Option<peer::Place>,
    /// Where each question of the server has arrived, and with which number to answer.
    questions: HashMap<u64, (usize, String, u64)>,
}

impl Clients {
    async fn step(&mut self, letter: u8, script: &mut Script<'_>, seen: &Shared) {
        match letter {
            b'c' if self.all.len() < 4 => self.connect().await,
            b'x' => {
                self.link.reset();
                self.may_end = true;
            }
            b't' => sleep(script.time()).await,
            b'u' => self.current = script.byte().unwrap_or(0).into(),
            _ => {}
        }
        let Some(index) = self.current.checked_rem(self.all.len()) else { return };
        self.all[index].step(letter, script, self.place.as_ref()).await;
        match letter {
            b'g' => self.may_end = true,
            b'r' => self.hear(index).await,
            b'a' => {
                // The answer to a question, perhaps with a number that nobody has asked with.
                let (which, wrong) = (script.byte().unwrap_or(0), script.byte().unwrap_or(0));
                let known = self.questions.values().filter(|(of, ..)| *of == index);
                let known = known.map(|(_, name, id)| (name.clone(), *id)).nth((which % 4).into());
                if let Some((name, id)) = known {
                    let answer = format!("{}[{which}]", id + u64::from(wrong % 3));
                    self.all[index].say_on(&name, '3', &answer).await;
                }
            }
            b'z' => self.flood(index).await,
            _ => {}
        }
        let client = &self.all[index];
        if client.said.is_invalid {
            self.await_end(index, seen).await;
        } else if client.has_ended {
            self.judge_end(client, seen);
        }
    }

    /// A session ends only because of the time, of the connection, or of what the client has said.
    fn judge_end(&self, client: &Peer, seen: &Shared) {
        let is_early = self.connected.elapsed() < FAITHFUL && !self.may_end;
        let is_faithful = !client.is_wild && !client.said.is_unexpected;
        let is_closed = seen.lock().expect("no panic").closed.contains(&client.sid);
        assert!(
            !is_early || !is_faithful || is_closed,
            "the session of a client that keeps the rules has ended"
        );
    }

    /// Opens a WebSocket.
    async fn connect(&mut self) {
        let is_old = self.settings & 8 != 0;
        let Ok(mut stream) = self.link.connect().await else { return };
        let request = format!(
            "GET /socket.io/?EIO={}&transport=websocket HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n\
             connection: upgrade\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            if is_old { 3 } else { 4 }
        );
        stream.write_all(request.as_bytes()).await.expect("an open connection");
        let (mut received, mut bytes) = (Vec::new(), [0; 1_024]);
        let head = loop {
            let read = timeout(LONG, stream.read(&mut bytes)).await.expect("an answer").expect("an answer");
            received.extend(&bytes[..read]);
            if let Some(len) = HeadEnd::new().find(&received) {
                break len;
            }
        };
        assert!(received.starts_with(b"HTTP/1.1 101"), "{}", received.escape_ascii());
        let mut client = Peer::new(stream, true, is_old, received.split_off(head));
        client.hear().await;
        (self.current, self.connected) = (self.all.len(), Instant::now());
        self.all.push(client);
    }

    async fn hear(&mut self, index: usize) {
        let all = self.all[index].hear().await;
        self.place = self.all[index].place.take().or(self.place.take());
        for heard in all {
            if let Kind::Event { id: Some(id), args } = heard.kind
                && let Ok(number) = args.parse()
            {
                self.questions.insert(number, (index, heard.namespace, id));
            }
        }
    }

    /// A client that has sent an invalid packet loses its session at once, unless handlers make the server stop reading.
    async fn await_end(&mut self, index: usize, seen: &Shared) {
        let mut idle = 0;
        for _ in 0..100 {
            self.hear(index).await;
            let client = &self.all[index];
            if client.has_ended || client.is_wild {
                return;
            }
            let waiting =
                seen.lock().expect("no panic").waiting.get(&client.sid).copied().unwrap_or_default();
            idle = if waiting.0 == 0 { idle + 1 } else { 0 };
            assert!(idle < 5, "the session goes on after an invalid packet");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks more and more, and takes no answer. The server does not keep all of it.
    async fn flood(&mut self, index: usize) {
        let client = &mut self.all[index];
        if client.is_wild || client.has_ended {
            return;
        }
        let before: usize = client.answered.values().sum();
        let mut asked = 0;
        for number in 0..FLOOD {
            client.say(&format!("2{number}[\"n\",{number},\"{:>100}\"]", "")).await;
            asked += 1;
            if !client.flush().await {
                break;
            }
        }
        self.hear(index).await;
        let answered = self.all[index].answered.values().sum::<usize>() - before;
        assert!(asked < FLOOD || answered < FLOOD, "the server keeps all of {FLOOD} questions");
    }

    /// Compares what the server has seen with what the clients have said.
    fn check(&self, seen: &Seen) {
        for client in self.all.iter().filter(|client| !client.is_wild) {
            for ((session, namespace), numbers) in &seen.numbers {
                if *session == client.sid {
                    let said = client.said.numbers.get(namespace).map_or(&[][..], Vec::as_slice);
                    assert!(are_in_order(numbers, said), "{numbers:?} of {said:?} on {namespace}");
                }
            }
        }
        for (number, answer) in &seen.answers {
            let Some(answer) = answer else { continue };
            let Some((client, namespace, id)) = self.questions.get(number) else {
                assert!(
                    self.all.iter().any(|client| client.is_wild),
                    "an answer to a question that nobody has heard"
                );
                continue;
            };
            let client = &self.all[*client];
            let said = client.said.answers.get(&(namespace.clone(), *id));
            let is_said = said.is_some_and(|said| {
                said.iter().any(|said| said.split(',').next() == Some(&answer.to_string()))
            });
            assert!(is_said || client.is_wild, "nobody has answered {answer} to question {number}");
        }
    }
}
