//! Clients that attack the server, and applications whose code does what it should not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use eio_socketio::{
    Auth, Data, Decoder, DefaultParser, Disconnect, EncodeError, Encoded, HandlerError, Namespace, Packet,
    Parser, Recovery, Refusal, Reply, Server, Socket,
};

use crate::support::{Diary, Raw, build, join, lose, settle};

#[derive(serde::Deserialize)]
struct Login {
    name: String,
}

/// Lets in everybody but the admin, whom nobody may be.
async fn check(Auth(login): Auth<Login>) -> Result<(), Refusal> {
    if login.name == "admin" { Err("not you".into()) } else { Ok(()) }
}

async fn who(Auth(login): Auth<Login>) -> Reply<String> {
    Reply(login.name)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_past_the_middlewares_keeps_the_data_that_they_have_seen() {
    let namespace = Namespace::new().middleware(check).on("who", who);
    let server = build(Server::builder().namespace("/", namespace).recovery(Recovery::new()));
    let (client, pid) = join(&server, "", r#"{"name":"Eve"}"#).await;
    lose(client).await;
    let (mut client, same) = join(&server, "", &format!(r#"{{"name":"admin","pid":"{pid}"}}"#)).await;
    assert_eq!(same, pid);
    client.send("21[\"who\"]").await;
    client.expect("31[\"Eve\"]").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_through_the_middlewares_has_the_data_that_they_have_seen() {
    let namespace = Namespace::new().middleware(check).on("who", who);
    let recovery = Recovery::new().skip_middlewares(false);
    let server = build(Server::builder().namespace("/", namespace).recovery(recovery));
    let (client, pid) = join(&server, "", r#"{"name":"Ada"}"#).await;
    lose(client).await;
    let mut client = Raw::open(&server).await;
    client.send(&format!(r#"0{{"name":"admin","pid":"{pid}"}}"#)).await;
    client.expect(r#"4{"message":"not you"}"#).await;
    client.send(&format!(r#"0{{"name":"Lovelace","pid":"{pid}"}}"#)).await;
    assert!(client.next().await.contains(&pid));
    client.send("21[\"who\"]").await;
    client.expect("31[\"Lovelace\"]").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_socket_is_disconnected_while_it_joins_is_refused() {
    let diary = Diary::default();
    let namespace = diary.of_ends().middleware(|socket: Socket| async move {
        socket.disconnect();
        tokio::task::yield_now().await;
        Ok(())
    });
    let server = build(Server::builder().namespace("/", namespace));
    let mut client = Raw::open(&server).await;
    for _ in 0..2 {
        client.send("0").await;
        client.expect(r#"4{"message":"Disconnected by the server"}"#).await;
        settle().await;
    }
    assert!(server.of("/").sockets().is_empty() && diary.lines().is_empty());
}

/// An error that panics when somebody looks at it, or when it goes.
#[derive(Debug)]
struct Cursed {
    panics_when_shown: bool,
}

impl core::fmt::Display for Cursed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        assert!(!self.panics_when_shown, "do not look");
        f.write_str("cursed")
    }
}

impl core::error::Error for Cursed {}

impl Drop for Cursed {
    fn drop(&mut self) {
        assert!(self.panics_when_shown, "it does not go");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_that_panics_when_it_is_shown_or_dropped_ends_its_handler_only() {
    let handler = |panics_when_shown| {
        move || core::future::ready(Err(Cursed { panics_when_shown }) as Result<(), Cursed>)
    };
    let namespace = Namespace::new()
        .on("shown", handler(true))
        .on("dropped", handler(false))
        .on("works", || async { Reply("done") });
    let server = build(Server::builder().namespace("/", namespace));
    let mut client = Raw::join(&server).await;
    for packet in ["2[\"shown\"]", "2[\"dropped\"]", "21[\"works\"]"] {
        client.send(packet).await;
    }
    client.expect("31[\"done\"]").await;
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a bug in a destructor")
    }
}

#[tokio::test(start_paused = true)]
async fn handlers_that_panic_when_they_are_cut_off_keep_no_end_from_being_told() {
    let diary = Diary::default();
    let namespace = diary.of_ends().on("wait", || async {
        let _bomb = Bomb;
        core::future::pending::<()>().await;
    });
    let server = build(Server::builder().namespace("/", namespace));
    let client = Raw::join(&server).await;
    for _ in 0..10 {
        client.send("2[\"wait\"]").await;
    }
    settle().await;
    assert_eq!(server.shutdown(Duration::from_secs(1)).await.applications, 1);
    settle().await;
    assert_eq!(diary.lines(), ["server shutting down in []", "server shutting down in []"]);
}

#[tokio::test(start_paused = true)]
async fn the_end_is_told_also_if_a_shutdown_cuts_off_the_handler_that_runs_before() {
    let diary = Diary::default();
    let (leaving, left) = (diary.clone(), diary.clone());
    let namespace = Namespace::new()
        .on_disconnecting(move || {
            leaving.note("leaving");
            core::future::pending::<()>()
        })
        .on_disconnect(move |socket: Socket, end: Disconnect| {
            left.note(format!("{} in {:?}", end.reason.as_str(), socket.rooms()));
            core::future::ready(())
        });
    let server = build(Server::builder().namespace("/", namespace));
    let client = Raw::join(&server).await;
    lose(client).await;
    assert_eq!(diary.lines(), ["leaving"]);
    assert_eq!(server.shutdown(Duration::from_secs(1)).await.applications, 1);
    settle().await;
    assert_eq!(diary.lines(), ["leaving", "transport close in []"]);
}

/// Counts the packets that are written.
struct Counting(Arc<AtomicUsize>);

impl Parser for Counting {
    fn encode(&self, packet: &Packet) -> Result<Encoded, EncodeError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        DefaultParser.encode(packet)
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        DefaultParser.decoder()
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_and_does_not_read_makes_few_answers_wait() {
    let written = Arc::new(AtomicUsize::new(0));
    let server = build(
        Server::builder()
            .namespace("/", Namespace::new())
            .parser(Counting(Arc::clone(&written)))
            .engine(|engine| engine.outbox(4, 1 << 20)),
    );
    let client = Raw::open_with(&server, |client| client.inbox(1, 1000)).await;
    for _ in 0..2000 {
        if client.engine.try_send("0/nowhere,").is_err() {
            settle().await;
        }
    }
    settle().await;
    let before = written.load(Ordering::Relaxed);
    // What the connection's buffers hold has left, and the outbox and one answer wait.
    assert!(before < 200, "{before} answers");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_no_answer_could_name_closes_the_connection() {
    let diary = Diary::default();
    let server = build(Server::builder().namespace_matching(|_| true, diary.of_ends()));
    for packet in ["0/\u{1},", "0/a\n,", "0/\u{7f}", "2/\u{0},[\"e\"]"] {
        let mut client = Raw::open(&server).await;
        client.send(packet).await;
        client.closed().await;
        settle().await;
    }
    assert!(diary.lines().is_empty());
}

/// Binary data that is copied, as most types of serde's copy it.
struct Copied;

impl<'de> serde::Deserialize<'de> for Copied {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = eio_socketio::Binary::deserialize(deserializer)?.to_vec();
        assert_eq!(bytes.len(), 500_000);
        Ok(Self)
    }
}

#[tokio::test(start_paused = true)]
async fn an_attachment_that_stands_in_very_many_places_is_refused() {
    let handler = |Data(parts): Data<Vec<Copied>>| async move { Reply(parts.len()) };
    let namespace = Namespace::new()
        .on("store", handler)
        .on_error(|socket, _, error: &HandlerError| drop(socket.emit("refused", error.to_string())));
    let server = build(Server::builder().namespace("/", namespace));
    let mut client = Raw::join(&server).await;
    let place = r#"{"_placeholder":true,"num":0}"#;
    let header = |places: &str| format!(r#"51-1["store",[{places}]]"#);
    client.send(&header(&[place; 1000].join(","))).await;
    client.engine.send(vec![0; 500_000]).await.unwrap();
    client.expect(r#"2["refused","argument 1: too many placeholders: expected at most 10"]"#).await;
    client.send(&header(place)).await;
    client.engine.send(vec![0; 500_000]).await.unwrap();
    client.expect("31[1]").await;
}

#[tokio::test(start_paused = true)]
async fn an_error_repeats_only_the_beginning_of_what_a_client_has_sent() {
    let diary = Diary::default();
    let errors = diary.clone();
    let namespace = Namespace::new()
        .on("number", |Data(_): Data<u32>| async {})
        .on_error(move |_, _, error: &HandlerError| errors.note(error.to_string()));
    let server = build(Server::builder().namespace("/", namespace));
    let client = Raw::join(&server).await;
    client.send(&format!("2[\"number\",\"{}\"]", "ä".repeat(100_000))).await;
    settle().await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let lines = diary.lines();
    assert!(
        lines[0].starts_with("argument 1: invalid type: string \"ä") && lines[0].len() < 300,
        "{lines:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_joins_and_leaves_leaves_nothing() {
    let diary = Diary::default();
    let server = build(Server::builder().namespace_matching(|_| true, diary.of_ends()));
    let mut client = Raw::open(&server).await;
    for number in 0..2000 {
        let name = ["/__proto__", "/connect", "/constructor", "/ä"][number % 4];
        client.send(&format!("0{name},")).await;
        assert!(client.next().await.starts_with(&format!("0{name},{{\"sid\":")));
        client.send(&format!("3{name},{number}[]")).await;
        client.send(&format!("1{name},")).await;
    }
    settle().await;
    assert_eq!(diary.lines().len(), 4000);
    assert!(server.of("/__proto__").sockets().is_empty());
    assert_eq!(server.engine().len(), 1);
}
