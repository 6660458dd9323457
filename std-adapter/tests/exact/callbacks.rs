//! Callbacks that panic, or that use the session they are told of: one session may end of it, and nothing else.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::time::Duration;

use eio_tokio::{Disconnect, Message, Observer, Rejection, Sender, Server, ServerBuilder, SessionId, Socket};
use tokio::sync::mpsc;

use crate::support::{Harness, Journal, Reason, Received, follow, listen, ms, settle};

/// A server whose observer is the test's own.
fn observed_by(builder: ServerBuilder, observer: impl Observer + 'static) -> Harness {
    Harness::with_observer(builder, observer)
}

/// Notes every call; panics at the ones that are named.
struct Panics {
    at: &'static str,
    journal: Journal,
}

impl Panics {
    fn call(&self, name: &'static str) {
        self.journal.note(name);
        assert_ne!(name, self.at, "as the test wants it");
    }
}

impl Observer for Panics {
    fn opened(&self, _: &Sender) {
        self.call("opened");
    }

    fn ping(&self, _: SessionId) {
        self.call("ping");
    }

    fn heartbeat(&self, _: SessionId, _: Option<Duration>) {
        self.call("heartbeat");
    }

    fn message(&self, _: SessionId, _: &Message) {
        self.call("message");
    }

    fn upgrade(&self, _: SessionId, _: eio_core::upgrade::UpgradeOutcome) {
        self.call("upgrade");
    }

    fn closed(&self, _: SessionId, end: &Disconnect) {
        self.journal.note(format!("{:?}", end.reason));
        self.call("closed");
    }
}

/// How often a name was noted.
pub(crate) fn count(journal: &Journal, name: &str) -> usize {
    journal.read().iter().filter(|note| *note == name).count()
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_ends_that_session_and_hears_of_the_others() {
    for at in ["opened", "ping", "heartbeat", "message", "closed"] {
        let journal = Journal::default();
        let harness = observed_by(Server::builder(listen), Panics { at, journal: journal.clone() });
        for round in 1..=2 {
            let mut websocket = harness.connect().upgrade(4, None).await;
            assert!(websocket.text().await.starts_with('0'));
            settle().await;
            if at != "opened" {
                websocket.send("4hello").await;
                settle().await;
            }
            if at == "ping" || at == "heartbeat" {
                assert_eq!(websocket.text().await, "2");
                websocket.send("3").await;
                settle().await;
            }
            if at == "closed" {
                websocket.send("1").await;
            }
            assert_eq!(websocket.next().await, Received::Close(None), "{at}");
            settle().await;
            assert_eq!((count(&journal, at), count(&journal, "closed")), (round, round), "{at}");
            let expected = if at == "closed" { "PeerClose" } else { "ApplicationPanicked" };
            assert_eq!(count(&journal, expected), round, "{at}: {:?}", journal.read());
            assert!(harness.server.is_empty());
        }
        let notes = journal.read();
        let session = &notes[..notes.len() / 2];
        assert_eq!((session[0].as_str(), session[session.len() - 1].as_str()), ("opened", "closed"), "{at}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_ends_a_polling_session_at_its_pending_poll() {
    let journal = Journal::default();
    let harness = observed_by(Server::builder(listen), Panics { at: "message", journal: journal.clone() });
    let mut polling = harness.polling(4).await;
    polling.begin_poll().await;
    assert_eq!(polling.post(&["4x"]).await.0, 200);
    assert_eq!(polling.poll_answer().await, ["1"]);
    settle().await;
    assert_eq!(journal.read(), ["opened", "message", "ApplicationPanicked", "closed"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_room_is_told_at_once_that_an_observer_has_panicked() {
    let (sender, mut sockets) = mpsc::unbounded_channel();
    let builder = Server::builder(move |socket| {
        sender.send(socket).unwrap();
        async {}
    });
    let harness =
        observed_by(builder.outbox(1, 1_000), Panics { at: "message", journal: Journal::default() });
    let mut polling = harness.polling(4).await;
    settle().await;
    let socket = sockets.recv().await.unwrap();
    socket.try_send("as much as there is room for").unwrap();
    let sender = socket.sender();
    let sending = tokio::spawn(async move { sender.send("no room").await });
    settle().await;
    assert!(!sending.is_finished());
    // No poll comes that would take the first message and the close packet.
    assert_eq!(polling.post(&["4x"]).await.0, 200);
    settle().await;
    assert!(sending.is_finished());
    assert_eq!(sending.await.unwrap().unwrap_err().message.as_text(), Some("no room"));
    assert_eq!(socket.end(), None);
}

/// Panics while it holds a lock that `closed` takes, too.
#[derive(Default)]
struct Poisons {
    sessions: Mutex<Vec<SessionId>>,
    closed: AtomicUsize,
}

impl Observer for &'static Poisons {
    fn opened(&self, session: &Sender) {
        self.sessions.lock().unwrap().push(session.id());
    }

    fn message(&self, _: SessionId, message: &Message) {
        let _sessions = self.sessions.lock().unwrap();
        assert_ne!(message.as_text(), Some("poison"));
    }

    fn closed(&self, id: SessionId, _: &Disconnect) {
        self.closed.fetch_add(1, Ordering::Relaxed);
        self.sessions.lock().unwrap().retain(|session| *session != id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_an_observer_has_poisoned_does_not_abort_the_process() {
    let observer: &'static Poisons = Box::leak(Box::default());
    let harness = observed_by(Server::builder(follow_quietly), observer);
    let mut bystander = harness.websocket(4).await;
    let mut websocket = harness.websocket(4).await;
    websocket.send("4poison").await;
    assert_eq!(websocket.next().await, Received::Close(None));
    settle().await;
    assert_eq!(observer.closed.load(Ordering::Relaxed), 1);
    assert_eq!(harness.server.len(), 1);
    // That it is poisoned for the others is the observer's own business: they end as their calls panic.
    bystander.send("4hello").await;
    assert_eq!(bystander.next().await, Received::Close(None));
    settle().await;
    assert_eq!(observer.closed.load(Ordering::Relaxed), 2);
    assert!(harness.server.is_empty());
}

async fn follow_quietly(socket: Socket) {
    follow(socket, Journal::default()).await;
}

/// Asks the session that it is told of for all there is.
#[derive(Default)]
struct Curious(Mutex<Option<Sender>>, AtomicUsize);

impl Curious {
    fn ask(&self) {
        let sender = self.0.lock().unwrap().clone().unwrap();
        let _ = (
            sender.transport(),
            sender.rtt(),
            sender.last_seen(),
            sender.heartbeat(),
            sender.next_deadline(),
        );
        let _ = sender.try_send("told");
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

impl Observer for &'static Curious {
    fn opened(&self, session: &Sender) {
        *self.0.lock().unwrap() = Some(session.clone());
        self.ask();
    }

    fn ping(&self, _: SessionId) {
        self.ask();
    }

    fn heartbeat(&self, _: SessionId, _: Option<Duration>) {
        self.ask();
    }

    fn message(&self, _: SessionId, _: &Message) {
        self.ask();
        self.0.lock().unwrap().clone().unwrap().close();
    }

    fn closed(&self, _: SessionId, _: &Disconnect) {
        self.ask();
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_may_use_the_session_that_an_event_is_about() {
    let observer: &'static Curious = Box::leak(Box::default());
    let harness = observed_by(Server::builder(listen), observer);
    let mut websocket = harness.websocket(4).await;
    assert_eq!(websocket.text().await, "4told");
    assert_eq!(websocket.text().await, "2");
    assert_eq!(websocket.text().await, "4told");
    websocket.send("3").await;
    assert_eq!(websocket.text().await, "4told");
    websocket.send("4bye").await;
    assert_eq!(websocket.text().await, "4told");
    assert_eq!(websocket.next().await, Received::Close(None));
    settle().await;
    assert_eq!(observer.1.load(Ordering::Relaxed), 5);
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_callback_panics_is_answered_with_500_and_opens_no_session() {
    type Configure = fn(ServerBuilder) -> ServerBuilder;
    let callbacks: [(&str, Configure); 4] = [
        ("called", |builder| {
            builder.allow_request(|_| -> core::future::Ready<Result<(), Rejection>> {
                panic!("as the test wants it")
            })
        }),
        ("polled", |builder| {
            builder.allow_request(|_| async {
                tokio::task::yield_now().await;
                assert!(std::thread::panicking(), "as the test wants it");
                Ok(())
            })
        }),
        ("headers", |builder| builder.on_headers(|_, _| panic!("as the test wants it"))),
        ("initial headers", |builder| builder.on_initial_headers(|_, _| panic!("as the test wants it"))),
    ];
    for (name, configure) in callbacks {
        let journal = Journal::default();
        let builder = configure(Server::builder(listen));
        let harness = observed_by(builder, Panics { at: "", journal: journal.clone() });
        let (status, body) = harness.connect().request("GET", "EIO=4&transport=polling", b"").await;
        assert_eq!((status, body.as_str()), (500, r#"{"code":4,"message":"Internal error"}"#), "{name}");
        let mut connection = harness.connect();
        connection.send_upgrade(4, None).await;
        assert_eq!(connection.response().await, (500, "Internal error".to_owned()), "{name}");
        settle().await;
        assert!(harness.server.is_empty(), "{name}");
        assert_eq!(journal.read(), [""; 0], "{name}: it never was a session");
        assert!(harness.server.shutdown(ms(100)).await.is_empty(), "{name}: nothing of it is left");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_request_makes_on_headers_panic_ends() {
    let builder = Server::builder(listen).on_headers(|request, _| {
        assert!(!request.uri.query().unwrap_or_default().contains("panic"));
    });
    let mut harness = Harness::new(builder);
    let mut other = harness.polling(4).await;
    let mut polling = harness.polling(4).await;
    let query = format!("{}&panic=1", polling.query());
    assert_eq!(polling.poll.request("GET", &query, b"").await.0, 500);
    assert_eq!(polling.poll().await, ["6", "1"]);
    assert_eq!(harness.end().await.disconnect.reason, Reason::ApplicationPanicked);
    other.begin_poll().await;
    harness.assert_alive();
}

struct PanicsInItsDrop;

impl Drop for PanicsInItsDrop {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "as the test wants it");
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_application_holds_may_panic_when_it_is_dropped() {
    for way in ["return", "panic"] {
        let mut harness = Harness::new(Server::builder(|socket: Socket| holding(socket, PanicsInItsDrop)));
        let mut websocket = harness.websocket(4).await;
        websocket.send(&format!("4{way}")).await;
        assert_eq!(websocket.next().await, Received::Close(None), "{way}");
        assert_eq!(harness.end().await.disconnect.reason, Reason::ApplicationPanicked, "{way}");
    }
}

#[test]
fn a_runtime_that_goes_away_takes_every_session_with_it_whatever_panics() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let journal = Journal::default();
    let harness = runtime.block_on(async {
        let builder = Server::builder(|socket: Socket| holding(socket, PanicsInItsDrop));
        let harness = observed_by(builder, Panics { at: "closed", journal: journal.clone() });
        for _ in 0..2 {
            drop(harness.polling(4).await);
        }
        settle().await;
        harness
    });
    drop(runtime);
    assert_eq!(count(&journal, "closed"), 2);
    assert!(harness.server.is_empty());
}

/// Holds something until it is told to return or to panic.
async fn holding(mut socket: Socket, _held: PanicsInItsDrop) {
    while let Ok(message) = socket.recv().await {
        match message.as_text() {
            Some("return") => return,
            text => assert_ne!(text, Some("panic")),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_a_panic_elsewhere_drops_ends_its_session_as_panicked() {
    let (mut harness, mut sockets) = crate::support::handing_out(|builder| builder);
    let mut websocket = harness.websocket(4).await;
    let socket = sockets.recv().await.unwrap();
    let elsewhere = tokio::spawn(async move {
        socket.try_send("last words").unwrap();
        panic!("as the test wants it");
    });
    assert!(elsewhere.await.is_err());
    assert_eq!(websocket.text().await, "4last words");
    assert_eq!(websocket.next().await, Received::Close(None));
    assert_eq!(harness.end().await.disconnect.reason, Reason::ApplicationPanicked);
}

/// Notes what was sent, and the end.
struct Sends(Journal);

impl Observer for Sends {
    fn sent(&self, _: SessionId, messages: usize, bytes: usize) {
        self.0.note(format!("{messages} messages, {bytes} bytes"));
    }

    fn closed(&self, _: SessionId, end: &Disconnect) {
        self.0.note(format!("end, {} unsent", end.unsent));
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_is_told_of_messages_when_the_transport_has_taken_them() {
    let journal = Journal::default();
    let harness = observed_by(Server::builder(listen), Sends(journal.clone()));
    let mut polling = harness.polling(4).await;
    settle().await;
    let session = harness.server.sessions().pop().unwrap();
    session.try_send("one").unwrap();
    session.try_send("three").unwrap();
    settle().await;
    assert_eq!(journal.read(), [""; 0], "no poll has asked for them");
    assert_eq!(polling.poll().await, ["4one", "4three"]);
    settle().await;
    assert_eq!(journal.read(), ["2 messages, 8 bytes"]);
    session.try_send("more").unwrap();
    session.close();
    settle().await;
    assert_eq!(polling.poll().await, ["4more", "1"]);
    settle().await;
    assert_eq!(journal.read(), ["2 messages, 8 bytes", "1 messages, 4 bytes", "end, 0 unsent"]);

    let journal = Journal::default();
    let harness = observed_by(Server::builder(listen), Sends(journal.clone()));
    let mut websocket = harness.websocket(4).await;
    harness.server.broadcast("to all");
    assert_eq!(websocket.text().await, "4to all");
    drop(websocket);
    settle().await;
    assert_eq!(journal.read(), ["1 messages, 6 bytes", "end, 0 unsent"]);
}
