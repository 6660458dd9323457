//! The span of a session: what is in it, and how it ends.

use core::fmt::{Debug, Write as _};
use std::collections::BTreeMap;

use eio_tokio::{Disconnect, Observer, Sender, Server, SessionId, Socket};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, registry};

use crate::log_subscribers::listen;
use crate::support::{Harness, Journal, follow, noting, settle};

/// Notes each event with the span that it is in, and each span at its end.
#[derive(Clone, Default)]
struct Notes(Journal);

/// The fields of a span or an event. A field that is recorded again has its last value.
#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl Fields {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("-", String::as_str)
    }
}

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for Notes {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let span = cx.span(id).unwrap();
        assert!(span.parent().is_none(), "{} is in another span", span.name());
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        let span = cx.span(id).unwrap();
        values.record(span.extensions_mut().get_mut::<Fields>().unwrap());
    }

    fn on_follows_from(&self, id: &Id, cause: &Id, cx: Context<'_, S>) {
        let name = |id| cx.span(id).map_or("-", |span| span.name());
        self.0.note(format!("{} follows from {}", name(id), name(cause)));
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut note = fields.get("message").to_owned();
        for span in cx.event_scope(event).into_iter().flatten() {
            let extensions = span.extensions();
            let fields = extensions.get::<Fields>().unwrap();
            let _ = write!(note, " in {} {}", span.name(), fields.get("sid"));
        }
        self.0.note(note);
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        let span = cx.span(&id).unwrap();
        let extensions = span.extensions();
        let fields = extensions.get::<Fields>().unwrap();
        let words = ["sid", "peer", "transport", "reason"].map(|name| fields.get(name));
        self.0.note(format!("{} closed: {}", span.name(), words.join(", ")));
    }
}

/// Listens on this thread to what the filter lets through.
fn listening(filter: &str) -> (Journal, DefaultGuard) {
    let notes = Notes::default();
    (notes.0.clone(), listen(registry().with(EnvFilter::new(filter)).with(notes)))
}

/// Logs the end.
struct Logs;

impl Observer for Logs {
    fn closed(&self, _: SessionId, _: &Disconnect) {
        tracing::info!("observed");
    }
}

fn short(sid: &str) -> String {
    format!("{}…", &sid[..4])
}

#[tokio::test(start_paused = true)]
async fn what_the_application_the_observer_and_on_disconnect_log_is_in_the_sessions_span() {
    let (journal, _guard) = listening("info");
    let builder = Server::builder(|mut socket: Socket| async move {
        while socket.recv().await.is_ok() {
            tracing::info!("received");
        }
    })
    .on_disconnect(|_: Sender, _: Disconnect| async {
        tokio::task::yield_now().await;
        tracing::info!("cleaned up");
    });
    let harness = Harness::with_observer(builder, Logs);
    let mut polling = harness.polling(4).await;
    polling.post(&["4hello"]).await;
    let mut websocket = harness.probed(&polling).await;
    websocket.send("5").await;
    settle().await;
    drop(websocket);
    settle().await;
    tracing::info!("outside");
    let session = format!("in session {}", short(&polling.sid));
    assert_eq!(
        journal.read(),
        [
            format!("received {session}"),
            format!("session ended {session}"),
            format!("observed {session}"),
            format!("cleaned up {session}"),
            format!("session closed: {}, -, websocket, transport close", short(&polling.sid)),
            "outside".to_owned(),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn sessions_that_take_turns_on_a_thread_keep_their_spans_apart() {
    let (journal, _guard) = listening("info");
    let harness = Harness::unobserved(Server::builder(|mut socket: Socket| async move {
        while socket.recv().await.is_ok() {
            tracing::info!("{} begins", socket.id().short());
            tokio::task::yield_now().await;
            tracing::info!("{} goes on", socket.id().short());
        }
    }));
    let mut polling = [harness.polling(4).await, harness.polling(4).await];
    for _ in 0..3 {
        for client in &mut polling {
            let (query, payload) = (client.query(), client.payload(&["4hello"]));
            client.data.send_request("POST", &query, payload.as_bytes()).await;
        }
        settle().await;
    }
    let noted = journal.read();
    for client in &polling {
        let sid = short(&client.sid);
        let own: Vec<_> = noted.iter().filter(|note| note.starts_with(&sid)).collect();
        assert_eq!(own.len(), 6, "{noted:?}");
        assert!(own.iter().all(|note| note.ends_with(&format!(" in session {sid}"))), "{noted:?}");
    }
    // Their turns do alternate.
    assert!(noted.windows(2).any(|pair| pair.iter().all(|note| note.contains("begins"))), "{noted:?}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_application_leaves_the_span_which_ends_with_its_reason() {
    let (journal, _guard) = listening("info");
    let harness = Harness::unobserved(Server::builder(|mut socket: Socket| async move {
        let _ = socket.recv().await;
        panic!("as the test wants it");
    }));
    let mut websocket = harness.websocket(4).await;
    let sid = short(harness.server.sessions()[0].id().as_str());
    websocket.send("4hello").await;
    settle().await;
    tracing::info!("outside");
    drop(websocket);
    settle().await;
    assert_eq!(
        journal.read(),
        [
            format!("a callback panicked in session {sid}"),
            format!("session ended in session {sid}"),
            "outside".to_owned(),
            format!("session closed: {sid}, -, websocket, forced close"),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_request_is_logged_without_a_session() {
    let (journal, _guard) = listening("info");
    let harness =
        Harness::unobserved(Server::builder(|_| async {}).on_headers(|_, _| panic!("as the test wants it")));
    assert_eq!(harness.connect().request("GET", "EIO=4&transport=polling", b"").await.0, 500);
    assert_eq!(journal.read(), ["a callback panicked"]);
}

/// Logs when it is dropped.
struct Dropped;

impl Drop for Dropped {
    fn drop(&mut self) {
        tracing::info!("dropped");
    }
}

#[test]
fn an_application_that_ends_with_its_runtime_is_dropped_in_the_span_which_has_its_reason() {
    let (journal, _guard) = listening("info");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sid = runtime.block_on(async {
        let harness = Harness::unobserved(Server::builder(|mut socket: Socket| async move {
            let _dropped = Dropped;
            while socket.recv().await.is_ok() {}
        }));
        let polling = harness.polling(4).await;
        settle().await;
        short(&polling.sid)
    });
    assert_eq!(journal.read(), [""; 0]);
    drop(runtime);
    assert_eq!(
        journal.read(),
        [
            format!("session ended in session {sid}"),
            format!("dropped in session {sid}"),
            format!("session closed: {sid}, -, polling, transport error"),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_outlives_the_span_of_the_request_that_opens_it() {
    let (builder, _) = noting(follow);
    let harness = Harness::unobserved(builder);
    let (journal, _guard) = listening("info");
    // On this thread, everything is in it.
    let request = tracing::info_span!("request").entered();
    let polling = harness.polling(4).await;
    drop(request);
    assert_eq!(journal.read(), ["session follows from request", "request closed: -, -, -, -"]);
    assert!(harness.server.get(&polling.sid).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_span_no_subscriber_wants_has_none() {
    let (journal, _guard) = listening("info,eio_tokio::session=off");
    let harness = Harness::unobserved(Server::builder(|mut socket: Socket| async move {
        while socket.recv().await.is_ok() {
            tracing::info!("received");
        }
    }));
    let mut websocket = harness.websocket(4).await;
    websocket.send("4hello").await;
    settle().await;
    drop(websocket);
    settle().await;
    assert_eq!(journal.read(), ["received"]);
    assert!(harness.server.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_filter_shows_everything_of_the_sessions_from_one_address() {
    let (journal, _guard) = listening(r"info,[session{peer=203\.0\.113\.7:.*}]=trace");
    let (builder, _) = noting(follow);
    let harness = Harness::unobserved(builder);
    let mut websockets = Vec::new();
    for peer in ["203.0.113.7:1000", "203.0.113.77:1000", "203.0.113.8:1000"] {
        let mut websocket = harness.connect_from(peer.parse().unwrap()).upgrade(4, None).await;
        assert!(websocket.text().await.starts_with("0{"));
        websocket.send("4hello").await;
        settle().await;
        websockets.push(websocket);
    }
    let seen = journal.read();
    let shown: Vec<_> = seen.iter().map(|note| note.split(" in ").next().unwrap()).collect();
    assert_eq!(shown, ["session opened", "message"], "{seen:?}");
}
