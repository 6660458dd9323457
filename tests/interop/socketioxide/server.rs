//! A server on a port of its own.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use socketioxide::extract::{AckSender, Data, Event, SocketRef, TryData};
use socketioxide::handler::ConnectHandler as _;
use socketioxide::socket::DisconnectReason;
use socketioxide::{SendError, SocketError, SocketIo, TransportType};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::line::Args;

pub(crate) struct Server {
    id: u64,
    io: SocketIo,
    sockets: Sockets,
    accepting: JoinHandle<()>,
}

/// The sockets of a server, by their namespaces.
type Sockets = Arc<Mutex<HashMap<String, Joined>>>;

#[derive(Clone)]
struct Joined {
    socket: SocketRef,
    numbers: Arc<Mutex<Numbers>>,
}

/// Counts the numbered events that came.
#[derive(Default)]
struct Numbers {
    count: u64,
    wrong: u64,
    transports: Vec<&'static str>,
}

impl Server {
    pub(crate) async fn start(id: u64, settings: &Value) -> io::Result<Self> {
        let millis = |name: &str, default| {
            Duration::from_millis(settings["options"][name].as_u64().unwrap_or(default))
        };
        let (service, io) = SocketIo::builder()
            .ping_interval(millis("pingInterval", 25_000))
            .ping_timeout(millis("pingTimeout", 20_000))
            .upgrade_timeout(millis("upgradeTimeout", 10_000))
            // That of the other libraries.
            .max_payload(1_000_000)
            // More than a case sends: of an answer, nothing is left to send again when the queue is full (B37), and an
            // upgrade that begins then never completes (B40).
            .max_buffer_size(16_384)
            .build_svc();
        let port = settings["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or_default();
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        say(json!({ "id": id, "event": "listening", "port": listener.local_addr()?.port() }));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
                tokio::spawn(connection.with_upgrades());
            }
        });
        let server = Self { id, io, sockets: Sockets::default(), accepting };
        server.add_namespaces();
        Ok(server)
    }

    fn add_namespaces(&self) {
        let join = || {
            let (id, sockets) = (self.id, Arc::clone(&self.sockets));
            move |socket: SocketRef, TryData(auth): TryData<Value>| {
                welcome(id, &sockets, &socket, &auth.unwrap_or_default());
                async {}
            }
        };
        for name in ["/", "/chat", "/ünï 😀"] {
            self.io.ns(name, join());
        }
        self.io.ns("/guarded", join().with(guard));
        self.io.ns(
            "/slow",
            join().with(async || -> Result<(), &str> {
                sleep(Duration::from_secs(5)).await;
                Ok(())
            }),
        );
    }

    pub(crate) async fn obey(&self, command: &Value) {
        let namespace = command["namespace"].as_str().unwrap_or("/");
        let joined = || self.sockets.lock().unwrap().get(namespace).cloned().expect("it has joined");
        match command["command"].as_str().unwrap_or_default() {
            "emit" => self.emit(&joined().socket, command).await,
            "flood" => self.flood(&joined().socket, command).await,
            "tell_numbers" => {
                let Joined { numbers, .. } = joined();
                let Numbers { count, wrong, transports } = &*numbers.lock().unwrap();
                let told = json!({ "count": count, "wrong": wrong, "transports": transports });
                tell(self.id, &joined().socket, "numbers", told);
            }
            "disconnect" => joined().socket.disconnect().expect("there is room"),
            "abandon" => self.abandon().await,
            "close" => {
                self.accepting.abort();
                self.io.close().await;
            }
            other => panic!("there is no command {other}"),
        }
    }

    async fn emit(&self, socket: &SocketRef, command: &Value) {
        let name = command["name"].as_str().unwrap_or_default();
        let args = args(&command["args"]);
        let Some(call) = command["call"].as_u64() else {
            return when_there_is_room(|| socket.emit(name, &args)).await;
        };
        let answer = when_there_is_room(|| socket.emit_with_ack::<_, Args>(name, &args)).await;
        let (id, socket) = (self.id, socket.clone());
        tokio::spawn(async move {
            if let Ok(Args(args)) = answer.await {
                tell(id, &socket, "answer", json!({ "call": call, "args": args }));
            }
        });
    }

    /// Sends numbered events, each fiftieth with bytes.
    async fn flood(&self, socket: &SocketRef, command: &Value) {
        let number = |name: &str| command[name].as_u64().unwrap_or_default();
        for number in number("from")..number("to") {
            let bytes = json!({ "$hex": format!("{:02x}", number % 256) });
            let args = if number % 50 == 0 { json!([number, bytes]) } else { json!([number]) };
            when_there_is_room(|| socket.emit("numbered", &self::args(&args))).await;
        }
        tell(self.id, socket, "flooded", json!({}));
    }

    /// Ends all sessions and says nothing of namespaces. The library removes the namespaces when it begins, so they are added
    /// again while it waits for the sessions.
    async fn abandon(&self) {
        tokio::join!(self.io.close(), async { self.add_namespaces() });
    }
}

/// The library refuses what there is no room for.
async fn when_there_is_room<T>(send: impl Fn() -> Result<T, SendError>) -> T {
    loop {
        match send() {
            Ok(sent) => return sent,
            Err(SendError::Socket(SocketError::InternalChannelFull)) => sleep(Duration::from_millis(1)).await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Lets in those who know the token.
async fn guard(TryData(auth): TryData<Value>) -> Result<(), &'static str> {
    if auth.unwrap_or_default()["token"] == "open" { Ok(()) } else { Err("not authorized") }
}

/// Takes in a socket.
fn welcome(id: u64, sockets: &Sockets, socket: &SocketRef, auth: &Value) {
    let numbers = Arc::<Mutex<Numbers>>::default();
    let joined = Joined { socket: socket.clone(), numbers: Arc::clone(&numbers) };
    sockets.lock().unwrap().insert(socket.ns().to_owned(), joined);
    socket.join("room");
    socket.on_fallback(move |socket: SocketRef, event: Event, args: Data<Args>, ack: AckSender| {
        hear(id, socket, event.0, args.0, ack, Arc::clone(&numbers))
    });
    socket.on_disconnect(move |socket: SocketRef, reason: DisconnectReason| {
        tell(id, &socket, "leave", json!({ "reason": reason.to_string() }));
        async {}
    });
    tell(id, socket, "join", json!({ "auth": auth, "sid": socket.id, "session": socket.id }));
}

/// Tells of an event, and answers it as its name says.
async fn hear(
    id: u64,
    socket: SocketRef,
    name: String,
    Args(args): Args,
    ack: AckSender,
    numbers: Arc<Mutex<Numbers>>,
) {
    let first = args.first().and_then(Value::as_u64).unwrap_or_default();
    match name.as_str() {
        "numbered" => return numbers.lock().unwrap().add(first, transport(&socket)),
        "back" => {
            // A handler does not know whether an answer is wanted.
            when_there_is_room(|| socket.emit(&name, &self::args(&Value::from(args.clone())))).await;
            return answer(ack, args);
        }
        _ => tell(id, &socket, "event", json!({ "name": name, "args": args })),
    }
    match name.as_str() {
        "silent" => {}
        "sum" => answer(ack, vec![(first + args[1].as_u64().unwrap_or_default()).into()]),
        "late" => {
            sleep(Duration::from_millis(first)).await;
            answer(ack, args);
        }
        _ => answer(ack, args),
    }
}

fn answer(ack: AckSender, args: Vec<Value>) {
    // Who asked may have left.
    let _ = ack.send(&Args(args));
}

impl Numbers {
    fn add(&mut self, number: u64, transport: &'static str) {
        self.wrong += u64::from(number != self.count);
        self.count += 1;
        if !self.transports.contains(&transport) {
            self.transports.push(transport);
        }
    }
}

fn args(args: &Value) -> Args {
    Args(args.as_array().cloned().unwrap_or_default())
}

fn transport(socket: &SocketRef) -> &'static str {
    match socket.transport_type() {
        TransportType::Polling => "polling",
        TransportType::Websocket => "websocket",
    }
}

fn tell(id: u64, socket: &SocketRef, event: &str, mut more: Value) {
    more["id"] = id.into();
    more["event"] = event.into();
    more["namespace"] = socket.ns().into();
    more["transport"] = transport(socket).into();
    say(more);
}

fn say(event: Value) {
    let mut output = io::stdout().lock();
    // Nobody listens any more when the test has ended.
    let _ = writeln!(output, "{event}").and_then(|()| output.flush());
}
