//! Subscribers of the log that use the server that writes it, or panic.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, Weak};

use eio_tokio::Server;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, Interest};
use tracing::{Event, Metadata, Subscriber};

use crate::callbacks::count;
use crate::support::{Expected, Harness, Journal, Received, Watch, WebSocket, follow, noting, settle};

/// Sends what is logged to all clients of the server that logs it; panics if told to.
struct LogsOverTheServer {
    server: Mutex<Weak<Server>>,
    journal: Journal,
    panics_at: Option<&'static str>,
}

struct Words(String);

impl tracing::field::Visit for Words {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn core::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for LogsOverTheServer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("eio_tokio")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        self.happens("new span");
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut words = Words(String::new());
        event.record(&mut words);
        self.happens(&words.0);
    }

    fn enter(&self, _: &Id) {
        if self.panics_at == Some("enter") {
            self.happens("enter");
        }
    }

    fn exit(&self, _: &Id) {}
}

/// Hears nothing, and lets nobody believe that nobody listens: what a thread without a subscriber learns about an event
/// counts for all threads otherwise.
struct Deaf;

impl Subscriber for Deaf {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Lets a subscriber listen on this thread, until the guard is dropped.
pub(crate) fn listen(subscriber: impl Subscriber + Send + Sync) -> DefaultGuard {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Deaf).unwrap());
    tracing::subscriber::set_default(subscriber)
}

impl LogsOverTheServer {
    fn happens(&self, what: &str) {
        self.journal.note(what);
        let server = self.server.lock().unwrap().upgrade();
        if let Some(server) = server {
            server.broadcast(format!("log: {what}"));
            for session in server.sessions() {
                let _ = session.last_seen();
            }
        }
        assert_ne!(Some(what), self.panics_at, "as the test wants it");
    }
}

/// Reads until this text has come.
async fn hears(websocket: &mut WebSocket, text: &str) {
    while websocket.text().await != text {}
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_sent_over_the_server_that_writes_it_does_not_stop_it() {
    let (builder, journal) = noting(follow);
    let harness = Harness::unobserved(builder);
    let server = Arc::new(harness.server.clone());
    let logged = Journal::default();
    let subscriber = LogsOverTheServer {
        server: Mutex::new(Arc::downgrade(&server)),
        journal: logged.clone(),
        panics_at: None,
    };
    let _guard = listen(subscriber);
    let mut polling = harness.polling(4).await;
    let mut websocket = harness.websocket(4).await;
    hears(&mut websocket, "4log: session opened").await;
    websocket.send("4hello").await;
    hears(&mut websocket, "4log: message").await;
    hears(&mut websocket, "2").await;
    hears(&mut websocket, "4log: ping").await;
    websocket.send("3").await;
    hears(&mut websocket, "4log: heartbeat").await;
    assert!(polling.poll().await.contains(&"4log: message".to_owned()));
    polling.post(&["3"]).await;
    polling.post(&["1"]).await;
    hears(&mut websocket, "4log: session ended").await;
    websocket.send("1").await;
    while !matches!(websocket.next().await, Received::Close(_)) {}
    settle().await;
    assert!(harness.server.is_empty());
    assert_eq!(count(&logged, "session ended"), 2);
    assert_eq!(journal.read(), ["hello", "end: transport close", "end: transport close"]);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_of_the_log_that_panics_ends_the_session_that_the_line_is_about() {
    let _expected = Expected::panic();
    for (at, opens) in [
        ("session opened", true),
        ("message", true),
        ("session ended", true),
        ("enter", true),
        ("new span", false),
    ] {
        let (builder, journal) = noting(follow);
        let harness = Harness::unobserved(builder);
        let mut bystander = harness.websocket(4).await;
        settle().await;
        let subscriber =
            LogsOverTheServer { server: Mutex::default(), journal: Journal::default(), panics_at: Some(at) };
        let guard = listen(subscriber);
        let mut connection = harness.connect();
        connection.send_upgrade(4, None).await;
        let (status, _) = connection.response().await;
        assert_eq!(status, if opens { 101 } else { 500 }, "{at}");
        if opens {
            let mut websocket = connection.into_websocket();
            if at != "enter" {
                websocket.send("4hello").await;
            }
            if at == "session ended" {
                websocket.send("1").await;
            }
            while !matches!(websocket.next().await, Received::Close(_) | Received::End) {}
        }
        settle().await;
        drop(guard);
        assert_eq!(harness.server.len(), 1, "{at}");
        assert_eq!(count(&journal, "end: forced close"), usize::from(opens && at != "session ended"), "{at}");
        bystander.send("4still there").await;
        settle().await;
        assert!(journal.read().contains(&"still there".to_owned()), "{at}");
    }
}

/// As all tests would, if the task of one of their sessions panicked.
#[tokio::test(start_paused = true)]
async fn a_panic_in_the_task_of_a_session_fails_the_test_that_does_not_expect_it() {
    static FAILURES: AtomicUsize = AtomicUsize::new(0);
    let count = || {
        FAILURES.fetch_add(1, Ordering::Relaxed);
    };
    let watch = Watch { fail: count };
    let _recorder = ::metrics::set_default_local_recorder(&watch);
    for expected in [Some(Expected::panic()), None] {
        let failures = usize::from(expected.is_none());
        let harness = Harness::unobserved(noting(follow).0);
        let _guard = listen(LogsOverTheServer {
            server: Mutex::default(),
            journal: Journal::default(),
            panics_at: Some("enter"),
        });
        let mut connection = harness.connect();
        connection.send_upgrade(4, None).await;
        assert_eq!(connection.response().await.0, 101);
        let mut websocket = connection.into_websocket();
        while !matches!(websocket.next().await, Received::Close(_) | Received::End) {}
        assert_eq!(FAILURES.load(Ordering::Relaxed), failures);
    }
}
