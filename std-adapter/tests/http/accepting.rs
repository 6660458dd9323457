//! Newcomers find room: connections that say nothing make way, one address takes only its share, and a server that can
//! accept nobody says so once.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex};

use eio_tokio::{BuildError, CannotAccept, Listener, Observer, Server, ServerBuilder};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::support::{POLLING, Stage, UPGRADE, WEBSOCKET, read, send, stage, time_to_end};

/// What a listener is to say.
type Accepted = io::Result<(DuplexStream, Option<SocketAddr>)>;

struct Scripted(mpsc::UnboundedReceiver<Accepted>);

impl Listener for Scripted {
    type Io = DuplexStream;

    async fn accept(&mut self) -> Accepted {
        match self.0.recv().await {
            Some(accepted) => accepted,
            None => core::future::pending().await,
        }
    }
}

/// What the server reports about accepting, and when.
#[derive(Clone)]
struct Told {
    start: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Told {
    fn note(&self, what: &str) {
        self.lines.lock().unwrap().push(format!("{:?}: {what}", self.start.elapsed()));
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

impl Observer for Told {
    fn connection_refused(&self, peer: Option<SocketAddr>) {
        self.note(&format!("refused {peer:?}"));
    }

    fn cannot_accept(&self, why: &CannotAccept<'_>) {
        self.note(&why.to_string());
    }

    fn accepts_again(&self, after: Duration) {
        self.note(&format!("again after {after:?}"));
    }
}

/// A server and those who come to it.
struct Door {
    newcomers: mpsc::UnboundedSender<Accepted>,
    told: Told,
}

impl Door {
    fn open(configure: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let told = Told { start: Instant::now(), lines: Arc::default() };
        let builder = Server::builder(|mut socket| async move { while socket.recv().await.is_ok() {} });
        let server = configure(builder).observer(told.clone()).build().unwrap();
        let (newcomers, accepted) = mpsc::unbounded_channel();
        tokio::spawn(async move { server.serve(Scripted(accepted)).await });
        Self { newcomers, told }
    }

    fn connect(&self, peer: &str) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        self.newcomers.send(Ok((theirs, Some(peer.parse().unwrap())))).unwrap();
        ours
    }

    /// How long a newcomer waits for the answer to its first request.
    async fn newcomer(&self, peer: &str) -> (Duration, DuplexStream) {
        let start = Instant::now();
        let mut connection = self.connect(peer);
        send(&mut connection, "GET", POLLING, &[], "").await;
        assert_eq!(read(&mut connection).await.expect("an answer").status, 200);
        (start.elapsed(), connection)
    }
}

const PEER: &str = "192.0.2.1:1";

#[tokio::test(start_paused = true)]
async fn connections_that_say_nothing_make_room_after_a_second_when_all_are_taken() {
    let door = Door::open(|builder| builder.max_connections(3));
    let mut silent = [door.connect(PEER), door.connect(PEER), door.connect(PEER)];
    tokio::io::AsyncWriteExt::write_all(&mut silent[0], b"GET /half HTTP/1.1\r\n").await.unwrap();
    let (waited, connection) = door.newcomer(PEER).await;
    assert!(waited <= Duration::from_millis(1_200), "{waited:?}");
    for mut silent in silent {
        assert_eq!(time_to_end(&mut silent).await, Duration::ZERO);
    }
    // Who has spoken stays, and when nobody waits there is all the time again.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let mut patient = door.connect(PEER);
    assert_eq!(time_to_end(&mut patient).await.as_secs(), 30);
    drop(connection);
    assert_eq!(
        door.told.lines(),
        ["0ns: the limit of 3 open connections is reached", "5.9s: again after 900ms"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_now_and_then_does_not_hold_a_newcomers_place() {
    let door = Door::open(|builder| builder.max_connections(2));
    let start = Instant::now();
    let promises: Arc<Mutex<Vec<String>>> = Arc::default();
    for _ in 0..2 {
        let (mut holder, promises) = (door.connect(PEER), Arc::clone(&promises));
        tokio::spawn(async move {
            loop {
                send(&mut holder, "GET", "/nothing", &[], "").await;
                let Some(answer) = read(&mut holder).await else { return };
                promises.lock().unwrap().push(answer.header("keep-alive").unwrap().to_owned());
                tokio::time::sleep(Duration::from_mins(1)).await;
            }
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut newcomers = Vec::new();
    // The second one came when there was no room any more. What the first one was promised before holds.
    for at in [3, 77] {
        let newcomer = tokio::time::timeout(Duration::from_mins(10), door.newcomer(PEER));
        newcomers.push(newcomer.await.expect("it has to be let in"));
        assert_eq!(start.elapsed().as_secs(), at);
    }
    assert_eq!(*promises.lock().unwrap(), ["timeout=75", "timeout=1", "timeout=1"]);
}

#[tokio::test(start_paused = true)]
async fn one_address_takes_its_share_of_connections_and_websockets_count() {
    let door = Door::open(|builder| builder.max_connections_per_address(2));
    let mut websocket = door.connect("192.0.2.1:1");
    send(&mut websocket, "GET", WEBSOCKET, &UPGRADE, "").await;
    assert_eq!(read(&mut websocket).await.unwrap().status, 101);
    let (_, polling) = door.newcomer("192.0.2.1:2").await;
    assert_eq!(time_to_end(&mut door.connect("192.0.2.1:3")).await, Duration::ZERO);
    // Somebody else, and the same one when there is room again.
    door.newcomer("192.0.2.2:1").await;
    drop(polling);
    tokio::time::sleep(Duration::from_millis(1)).await;
    let (_, _polling) = door.newcomer("192.0.2.1:4").await;
    assert_eq!(time_to_end(&mut door.connect("192.0.2.1:5")).await, Duration::ZERO);
    drop(websocket);
    tokio::time::sleep(Duration::from_millis(1)).await;
    door.newcomer("192.0.2.1:6").await;
    let told: Vec<_> =
        door.told.lines().iter().filter_map(|line| Some(line.split_once(": ")?.1.to_owned())).collect();
    assert_eq!(told, ["refused Some(192.0.2.1:3)", "refused Some(192.0.2.1:5)"]);
}

#[tokio::test(start_paused = true)]
async fn a_trusted_proxy_is_not_limited() {
    let door = Door::open(|builder| {
        let proxies = eio_tokio::TrustedProxies::new(eio_tokio::Forwarding::XForwardedFor, ["10.0.0.0/8"]);
        builder.trusted_proxies(proxies.unwrap()).max_connections_per_address(1)
    });
    let mut connections = Vec::new();
    for port in 1..10 {
        connections.push(door.newcomer(&format!("10.0.0.1:{port}")).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_without_descriptors_says_so_once_and_when_it_has_some_again() {
    let door = Door::open(|builder| builder);
    let mut silent = door.connect(PEER);
    let start = Instant::now();
    // Accepting fails again and again, with a success in between, for six seconds.
    for failure in 0..60 {
        door.newcomers.send(Err(io::Error::from_raw_os_error(24))).unwrap();
        if failure == 30 {
            drop(door.connect(PEER));
        }
    }
    time_to_end(&mut silent).await;
    assert!(start.elapsed() <= Duration::from_millis(1_200), "{:?}", start.elapsed());
    let (waited, _connection) = door.newcomer(PEER).await;
    assert!(waited <= Duration::from_secs(6), "{waited:?}");
    tokio::time::sleep(Duration::from_mins(1)).await;
    let lines = door.told.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("0ns: ") && lines[0].contains("os error 24"), "{lines:?}");
    assert!(lines[1].contains("again after 5."), "{lines:?}");
}

/// The limits of a server that somebody else accepts connections for.
fn elsewhere(configure: impl FnOnce(ServerBuilder) -> ServerBuilder) -> (Stage, Told) {
    let told = Told { start: Instant::now(), lines: Arc::default() };
    let observer = told.clone();
    (stage(|builder| configure(builder).observer(observer)), told)
}

/// Whether a connection gets an answer.
async fn is_answered(connection: &mut DuplexStream) -> bool {
    send(connection, "GET", POLLING, &[], "").await;
    read(connection).await.is_some()
}

#[tokio::test(start_paused = true)]
async fn connections_that_somebody_else_accepts_count_and_are_dropped_above_the_limits() {
    let (stage, told) = elsewhere(|builder| builder.max_connections(3).max_connections_per_address(2));
    let mut first = [stage.connect_from("192.0.2.1:1"), stage.connect_from("192.0.2.1:2")];
    for connection in &mut first {
        assert!(is_answered(connection).await);
    }
    assert!(!is_answered(&mut stage.connect_from("192.0.2.1:3")).await, "its address has two");
    let mut silent = stage.connect_from("192.0.2.2:1");
    assert!(!is_answered(&mut stage.connect_from("192.0.2.3:1")).await, "there are three");
    // Who says nothing makes room, and so does who leaves.
    assert_eq!(time_to_end(&mut silent).await, Duration::from_secs(1));
    let mut fourth = stage.connect_from("192.0.2.3:2");
    assert!(is_answered(&mut fourth).await);
    drop(first);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(is_answered(&mut stage.connect_from("192.0.2.1:4")).await);
    assert_eq!(told.lines(), ["0ns: refused Some(192.0.2.1:3)", "0ns: refused Some(192.0.2.3:1)"]);
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_closes_holds_its_place_until_the_client_has_left_or_the_close_timeout_is_over() {
    for leaves in [true, false] {
        let closes = Server::builder(|_socket| async {}).close_timeout(Duration::from_secs(9));
        let server = closes.max_connections(1).build().unwrap();
        let connect = || {
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            let server = server.clone();
            tokio::spawn(async move { server.serve_connection(theirs, None).await });
            ours
        };
        let mut websocket = connect();
        send(&mut websocket, "GET", WEBSOCKET, &UPGRADE, "").await;
        assert_eq!(read(&mut websocket).await.unwrap().status, 101);
        tokio::time::sleep(Duration::from_millis(8_900)).await;
        assert!(server.is_empty(), "the session has ended");
        assert!(!is_answered(&mut connect()).await);
        if leaves {
            drop(websocket);
            tokio::time::sleep(Duration::from_millis(1)).await;
        } else {
            tokio::time::sleep(Duration::from_millis(101)).await;
        }
        assert!(is_answered(&mut connect()).await, "{leaves}");
    }
}

#[test]
fn a_request_timeout_of_zero_is_refused_when_the_server_is_built() {
    let built = Server::builder(|_| async {}).request_timeout(Duration::ZERO).build();
    assert_eq!(built.err().unwrap(), BuildError::Zero("request_timeout"));
}

#[test]
fn a_limit_of_zero_connections_is_refused_when_the_server_is_built() {
    let none = |configure: fn(ServerBuilder) -> ServerBuilder| {
        configure(Server::builder(|_| async {})).build().err().unwrap()
    };
    assert_eq!(none(|builder| builder.max_connections(0)), BuildError::Zero("max_connections"));
    let error = none(|builder| builder.max_connections_per_address(0));
    assert_eq!(error, BuildError::Zero("max_connections_per_address"));
}
