//! Two nodes in memory, and a balancer that sends each request to the wrong one.

use core::convert::Infallible;
use core::net::{IpAddr, SocketAddr};
use core::task::{Context, Poll};
use core::time::Duration;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use eio_cluster::forward::{AddressPattern, Directory, ForwardService, Forwarder, ForwarderBuilder, Secret};
use eio_tokio::test_util::{Link, Network, NetworkStream};
use eio_tokio::{
    Client, ClientSocket, Disconnect, EngineService, Observer, RefusedRequest, Server, ServerBuilder,
    SessionId, Socket, TimedBody, Transport,
};
use http::Request;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tower_service::Service;

/// The ping interval and the ping timeout, by default.
pub(crate) const I: Duration = Duration::from_secs(25);
pub(crate) const T: Duration = Duration::from_secs(20);

pub(crate) fn secret() -> Secret {
    Secret::new("a secret of all the nodes").unwrap()
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Sends every message back, but for these: `quiet`, and `sleep`, after which it reads nothing for [`ASLEEP`].
pub(crate) async fn echo(mut socket: Socket) {
    while let Ok(message) = socket.recv().await {
        if message == "sleep".into() {
            tokio::time::sleep(ASLEEP).await;
        } else if message != "quiet".into() && socket.send(message).await.is_err() {
            break;
        }
    }
}

/// How long an application sleeps.
pub(crate) const ASLEEP: Duration = Duration::from_mins(8);

/// What a node has reported: the ends of its sessions, and when they came.
#[derive(Clone)]
pub(crate) struct Ends {
    ended: Arc<Semaphore>,
    all: Arc<Mutex<Vec<(Instant, Disconnect)>>>,
    /// Whom the node has refused a request.
    pub(crate) refused: Arc<Mutex<Vec<Option<SocketAddr>>>>,
}

impl Observer for Ends {
    fn refused(&self, request: &RefusedRequest<'_>) {
        self.refused.lock().unwrap().push(request.peer);
    }

    fn closed(&self, _: SessionId, end: &Disconnect) {
        self.all.lock().unwrap().push((Instant::now(), end.clone()));
        self.ended.add_permits(1);
    }
}

impl Ends {
    pub(crate) fn new() -> Self {
        Self { ended: Arc::new(Semaphore::new(0)), all: Arc::default(), refused: Arc::default() }
    }

    /// Waits for the next end. Returns when it came, and its words.
    pub(crate) async fn next(&self) -> (Instant, Disconnect) {
        self.ended.acquire().await.unwrap().forget();
        self.all.lock().unwrap().remove(0)
    }
}

/// A node.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) server: Server,
    pub(crate) forwarder: Forwarder,
    pub(crate) ends: Ends,
    /// Where the other nodes connect to.
    pub(crate) network: Network,
    /// The way of the other node to this one.
    pub(crate) link: Link,
}

impl Node {
    /// Serves the other node, and whoever connects to this one alone.
    pub(crate) fn listen(&self) {
        let (server, service, listener) =
            (self.server.clone(), self.forwarder.service(), self.network.listen());
        tokio::spawn(async move { server.serve_with(listener, service).await });
    }

    /// Lets the node end as by a signal: its connections are closed, and nobody listens.
    pub(crate) fn kill(&self) {
        self.link.refuse(true);
        self.link.reset();
    }
}

/// Two nodes, a7 and b2. Sessions open on a7, and every later request comes to b2.
pub(crate) struct World {
    pub(crate) a: Node,
    pub(crate) b: Node,
    /// How many connections the nodes have opened to each other.
    pub(crate) dials: Arc<AtomicUsize>,
    front: Network,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder, |builder| builder)
    }

    pub(crate) fn with(
        server: impl Fn(ServerBuilder) -> ServerBuilder,
        forwarder: impl Fn(ForwarderBuilder) -> ForwarderBuilder,
    ) -> Self {
        Self::found_by(|_, _| AddressPattern::new("http://{node}").unwrap(), server, forwarder)
    }

    /// Two nodes, each of which finds the other one by a directory of its own: that of this server, whose node has this name.
    pub(crate) fn found_by<D: Directory>(
        directory: impl Fn(&Server, &str) -> D,
        server: impl Fn(ServerBuilder) -> ServerBuilder,
        forwarder: impl Fn(ForwarderBuilder) -> ForwarderBuilder,
    ) -> Self {
        let networks = [Network::new(), Network::new()];
        let links = [networks[0].link(), networks[1].link()];
        let dials = Arc::new(AtomicUsize::new(0));
        let [a, b] = [("a7", 0), ("b2", 1)].map(|(name, place)| {
            let ends = Ends::new();
            let builder = Server::builder(echo).node(name).observer(ends.clone()).max_connections(100_000);
            let server = server(builder).build().unwrap();
            let ways = HashMap::from([("a7", links[0].clone()), ("b2", links[1].clone())]);
            let builder = Forwarder::builder(&server, directory(&server, name), secret());
            let dials = Arc::clone(&dials);
            let builder = builder.dial_with(move |address| {
                dials.fetch_add(1, Ordering::Relaxed);
                let link = ways.get(address.host()).cloned();
                async move { link.ok_or(io::ErrorKind::NotFound)?.connect().await }
            });
            let forwarder = forwarder(builder).build().unwrap();
            let (network, link) = (networks[place].clone(), links[place].clone());
            let node = Node { server, forwarder, ends, network, link };
            node.listen();
            node
        });
        let front = Network::new();
        let balancer = Balancer { a: a.forwarder.service(), b: b.forwarder.service() };
        let (server, listener) = (b.server.clone(), front.listen());
        tokio::spawn(async move { server.serve_with(listener, balancer).await });
        Self { a, b, dials, front }
    }

    /// A new client's way to the balancer.
    pub(crate) fn link(&self) -> Link {
        self.front.link()
    }

    /// The same, with this address.
    pub(crate) fn link_from(&self, address: &str) -> Link {
        self.front.link_from(address.parse::<IpAddr>().unwrap())
    }

    /// A session of a7 whose requests come by way of b2.
    pub(crate) async fn connect(&self, way: Way) -> (ClientSocket, Link) {
        let link = self.link();
        let builder = Client::builder("http://chat.test").link(&link).upgrade(way == Way::Upgrade);
        let mut socket = builder.build().unwrap().connect().await.unwrap();
        assert!(socket.handshake().sid().starts_with("a7"));
        socket.send("first").await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), "first".into());
        while (socket.transport() == Transport::WebSocket) != (way == Way::Upgrade) {
            tokio::time::sleep(ms(1)).await;
        }
        (socket, link)
    }
}

/// How a session is carried once it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Polling,
    Upgrade,
}

impl Way {
    pub(crate) const BOTH: [Self; 2] = [Self::Polling, Self::Upgrade];
}

/// Sends each request to another node than that of its session.
#[derive(Clone)]
struct Balancer {
    a: ForwardService<EngineService>,
    b: ForwardService<EngineService>,
}

impl Service<Request<TimedBody>> for Balancer {
    type Response = <ForwardService<EngineService> as Service<Request<TimedBody>>>::Response;
    type Error = Infallible;
    type Future = <ForwardService<EngineService> as Service<Request<TimedBody>>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<TimedBody>) -> Self::Future {
        let query = request.uri().query().unwrap_or_default();
        let is_for_b = query.contains("sid=") && !query.contains("sid=b2");
        if is_for_b { self.b.call(request) } else { self.a.call(request) }
    }
}

/// Sends a request over a connection of its own. Returns the status, the head and the body of the answer.
pub(crate) async fn ask(link: &Link, request: &str) -> (u16, String, String) {
    let mut stream = link.connect().await.unwrap();
    // Who refuses a request may not read all of it.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, head.to_owned(), body.to_owned())
}

/// Sends a request, or the first part of one, over a connection of its own.
pub(crate) async fn begin(link: &Link, request: &str) -> NetworkStream {
    let mut stream = link.connect().await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// A request with this query, which is the last one on its connection.
pub(crate) fn get(query: &str) -> String {
    format!(
        "GET /engine.io/?EIO=4&transport={query} HTTP/1.1\r\nhost: chat.test\r\nconnection: close\r\n\r\n"
    )
}

/// Opens a session by hand. Returns its sid.
pub(crate) async fn open(link: &Link) -> String {
    let (status, _, body) = ask(link, &get("polling")).await;
    assert_eq!(status, 200, "{body}");
    body.split('"').nth(3).unwrap().to_owned()
}

/// A request for a WebSocket of a session.
pub(crate) fn websocket(sid: &str) -> String {
    get(&format!("websocket&sid={sid}")).replace(
        "connection: close",
        "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-protocol: chat",
    )
}

/// Moves a session to a WebSocket by hand.
pub(crate) async fn upgrade(link: &Link, sid: &str) -> NetworkStream {
    let mut stream = begin(link, &websocket(sid)).await;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap().to_lowercase();
    assert!(
        answer.starts_with("http/1.1 101") && answer.contains("sec-websocket-protocol: chat"),
        "{answer}"
    );
    assert!(!answer.contains("eio-forward"), "{answer}");
    send(&mut stream, "2probe").await;
    assert_eq!(receive(&mut stream).await, "3probe");
    send(&mut stream, "5").await;
    stream
}

/// Sends a short text frame, masked with zeros.
pub(crate) async fn send(stream: &mut (impl AsyncWrite + Unpin), text: &str) {
    let header = [0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
    stream.write_all(&[&header, text.as_bytes()].concat()).await.unwrap();
}

/// Receives a short text frame.
pub(crate) async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> String {
    assert_eq!(stream.read_u8().await.unwrap(), 0x81);
    let mut text = vec![0; stream.read_u8().await.unwrap().into()];
    stream.read_exact(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}
