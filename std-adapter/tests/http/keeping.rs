//! B30: no heartbeat's request meets a connection that the server is about to close. Every limit is held against
//! every period, on links whose ends close and ask at the same time.

use core::time::Duration;

use bytes::Bytes;
use eio_core::Heartbeat;
use eio_tokio::test_util::{Link, Network, NetworkStream};
use eio_tokio::{BuildError, Client, Server};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::support::{POLLING, Stage, read, send, stage, time_to_end};

const LATENCY: Duration = Duration::from_millis(20);

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Every time that the server waits for something, by default or as these tests set it, in milliseconds: the margin of
/// an idle connection, its last words, an upgrade, HTTP/2's pings where they are used, a request, closing, interval plus
/// timeout, idle connections, and idle connections with their margin.
const LIMITS: [u64; 9] = [2_000, 5_000, 10_000, 20_000, 30_000, 40_000, 45_000, 75_000, 77_000];

/// Ping intervals around every limit: as long, a link's way or two less or more, a moment less or more.
fn intervals() -> impl Iterator<Item = Duration> {
    const AROUND: [i64; 9] = [-1_000, -41, -40, -20, -1, 0, 1, 20, 1_000];
    LIMITS.into_iter().flat_map(|limit| {
        AROUND.into_iter().map(move |offset| Duration::from_millis(limit.saturating_add_signed(offset)))
    })
}

fn staged(interval: Duration) -> Stage {
    stage(|builder| builder.heartbeat(Heartbeat::new(interval, seconds(20)).unwrap()))
}

/// Says requests, each on the connection that it wants.
trait Asks {
    /// The body of the answer, which must be one with status 200.
    async fn ask(&mut self, method: &str, path: &str, body: &'static str) -> String;
}

/// One connection of HTTP/1.1 for each method, opened for its first request and then used without a look at what the
/// server says of it.
struct Pair {
    network: Network,
    get: Option<NetworkStream>,
    post: Option<NetworkStream>,
}

impl Pair {
    fn new(stage: &Stage) -> Self {
        Self { network: network(stage), get: None, post: None }
    }
}

impl Asks for Pair {
    async fn ask(&mut self, method: &str, path: &str, body: &'static str) -> String {
        let connection = if method == "GET" { &mut self.get } else { &mut self.post };
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(connect(&self.network).await),
        };
        send(connection, method, path, &[], body).await;
        let answer =
            read(connection).await.unwrap_or_else(|| panic!("{method} {path} met a closed connection"));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text().to_owned()
    }
}

impl Asks for SendRequest<Full<Bytes>> {
    async fn ask(&mut self, method: &str, path: &str, body: &'static str) -> String {
        let request = Request::builder().method(method).uri(format!("http://chat.example.org{path}"));
        let answer = self.send_request(request.body(Full::from(body)).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }
}

/// A network on which the server of this stage listens.
fn network(stage: &Stage) -> Network {
    let network = Network::new();
    let (server, listener) = (stage.server.clone(), network.listen());
    tokio::spawn(async move { server.serve(listener).await });
    network
}

/// A connection that opens at once, and has a latency from then on. What both ends say at once crosses on the way.
async fn connect(network: &Network) -> NetworkStream {
    let link = network.link();
    let connection = link.connect().await.unwrap();
    link.set_delay(LATENCY);
    connection
}

/// A link with a latency.
fn link(stage: &Stage) -> Link {
    let link = network(stage).link();
    link.set_delay(LATENCY);
    link
}

/// Lives through some heartbeats, each answered `pause` after it came.
async fn live(client: &mut impl Asks, pause: Duration) {
    let open = client.ask("GET", POLLING, "").await;
    let sid = open.split('"').nth(3).unwrap();
    let path = format!("{POLLING}&sid={sid}");
    for _ in 0..4 {
        assert_eq!(client.ask("GET", &path, "").await, "2");
        tokio::time::sleep(pause).await;
        assert_eq!(client.ask("POST", &path, "3").await, "ok");
    }
}

#[tokio::test(start_paused = true)]
async fn b30_no_interval_makes_a_heartbeat_meet_the_close_of_its_connection() {
    // A ping waits for its poll, and it and its answer go one way each: this leaves a millisecond.
    const LAST_MOMENT: Duration = Duration::from_millis(20_000 - 4 * 20 - 1);
    for interval in intervals() {
        for pause in [Duration::ZERO, LAST_MOMENT] {
            let stage = staged(interval);
            let mut client = Pair::new(&stage);
            live(&mut client, pause).await;
            assert_eq!(stage.server.len(), 1, "{interval:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn b30_nor_on_http_2() {
    for interval in intervals() {
        let stage = staged(interval);
        let io = TokioIo::new(connect(&network(&stage)).await);
        let (mut client, connection) = handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        live(&mut client, Duration::ZERO).await;
        assert_eq!(stage.server.len(), 1, "{interval:?}");
    }
}

/// Our own client lives through some heartbeats, and loses nothing.
async fn live_with_our_client(interval: Duration, upgrade: bool) {
    let stage = staged(interval);
    let client = Client::builder("http://chat.example.org").upgrade(upgrade).link(&link(&stage));
    let socket = client.build().unwrap().connect().await.unwrap();
    // A message now and then goes where heartbeats go, in the moments between them.
    for _ in 0..4 {
        tokio::time::sleep(interval + 2 * LATENCY).await;
        socket.send("x").await.unwrap();
    }
    tokio::time::sleep(interval).await;
    assert_eq!((socket.end(), stage.server.len()), (None, 1), "{interval:?}");
    assert_eq!(stage.seen.lock().unwrap().messages.len(), 4, "{interval:?}");
}

#[tokio::test(start_paused = true)]
async fn b30_nor_does_our_client_lose_a_session_to_any_limit_of_either_side() {
    for interval in intervals() {
        live_with_our_client(interval, false).await;
        live_with_our_client(interval, true).await;
    }
}

#[tokio::test(start_paused = true)]
async fn b30_a_request_in_the_last_moment_of_the_promise_is_answered_on_every_kind_of_connection() {
    for idle in [1_000, 1_999, 5_000, 30_000, 75_000] {
        let stage = stage(|builder| builder.idle_timeout(Duration::from_millis(idle)));
        let network = network(&stage);
        for path in ["/elsewhere", POLLING, "/engine.io/?EIO=4&transport=none"] {
            let mut connection = connect(&network).await;
            for _ in 0..3 {
                send(&mut connection, "GET", path, &[], "").await;
                let answer = read(&mut connection).await.expect("the promise holds");
                assert_eq!(answer.header("connection"), Some("keep-alive"));
                let promise = answer.header("keep-alive").unwrap().strip_prefix("timeout=").unwrap();
                tokio::time::sleep(seconds(promise.parse().unwrap())).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn answers_of_a_session_promise_interval_plus_timeout_and_others_the_idle_time() {
    let stage = stage(|builder| {
        builder
            .heartbeat(Heartbeat::new(Duration::from_millis(60_500), seconds(20)).unwrap())
            .idle_timeout(Duration::from_millis(30_900))
    });
    let opened = stage.get(POLLING, &[]).await;
    assert_eq!(opened.header("keep-alive"), Some("timeout=80"));
    let path = format!("{POLLING}&sid={}", opened.sid());
    assert_eq!(stage.ask("POST", &path, &[], "4x").await.header("keep-alive"), Some("timeout=80"));
    assert_eq!(stage.get("/elsewhere", &[]).await.header("keep-alive"), Some("timeout=30"));
    // A connection that will not be kept gets no promise.
    assert_eq!(stage.get("/elsewhere", &["connection: close"]).await.header("keep-alive"), None);
    assert_eq!(stage.upgrade("/engine.io/?EIO=4&transport=websocket", &[]).await.header("keep-alive"), None);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_while_its_session_lives_on_others_and_no_longer() {
    let stage = stage(|builder| builder.idle_timeout(seconds(5)));
    let mut spare = stage.connect();
    send(&mut spare, "GET", POLLING, &[], "").await;
    let path = format!("{POLLING}&sid={}", read(&mut spare).await.unwrap().sid());
    let spare = tokio::spawn(async move { time_to_end(&mut spare).await });
    let mut client = Pair::new(&stage);
    for _ in 0..10 {
        assert_eq!(client.ask("GET", &path, "").await, "2");
        assert_eq!(client.ask("POST", &path, "3").await, "ok");
    }
    assert!(!spare.is_finished());
    assert_eq!(client.ask("POST", &path, "1").await, "ok");
    let ended = tokio::time::Instant::now();
    assert!(spare.await.unwrap() >= seconds(250));
    assert!(ended.elapsed() <= seconds(45), "{:?}", ended.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_next_head_has_the_time_of_a_request_and_not_that_of_an_idle_connection() {
    let stage = stage(|builder| builder.request_timeout(seconds(3)).idle_timeout(seconds(300)));
    let mut connection = stage.connect();
    send(&mut connection, "GET", "/elsewhere", &[], "").await;
    assert_eq!(read(&mut connection).await.unwrap().status, 404);
    tokio::time::sleep(seconds(200)).await;
    tokio::io::AsyncWriteExt::write_all(&mut connection, b"GET").await.unwrap();
    assert_eq!(time_to_end(&mut connection).await.as_secs(), 3);
}

#[test]
fn an_idle_time_that_cannot_be_announced_is_refused_when_the_server_is_built() {
    let built = Server::builder(|_| async {}).idle_timeout(Duration::from_millis(999)).build();
    let error = built.err().unwrap();
    assert_eq!(error, BuildError::IdleTimeout(Duration::from_millis(999)));
    assert_eq!(error.to_string(), "idle_timeout is 999 ms: expected at least 1000");
}
