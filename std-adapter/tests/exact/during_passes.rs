//! Requests that come and go in the middle of a pass of their session's task, and runtimes that go before the first one. With
//! several threads this happens at any point of a pass; here, an observer makes it happen at one.

use core::pin::{Pin, pin};
use core::task::{Context, Waker};
use std::sync::{Arc, Mutex};

use eio_core::upgrade::UpgradeOutcome;
use eio_tokio::{Disconnect, Message, Observer, Sender, Server, SessionId, Socket};
use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tower_service::Service as _;

use crate::cancelled_requests::{begin, request};
use crate::support::{Harness, I, Journal, Polling, Received, handing_out, listen, ms, settle, traced};

/// What happens when the observer hears of an event for the first time.
#[derive(Clone, Default)]
struct Plan(Arc<Mutex<Option<Happens>>>);

type Happens = (&'static str, Box<dyn FnOnce() + Send>);

impl Plan {
    fn at(&self, event: &'static str, happens: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap() = Some((event, Box::new(happens)));
    }

    fn hear(&self, event: &str) {
        let due = self.0.lock().unwrap().take_if(|(at, _)| *at == event);
        if let Some((_, happens)) = due {
            happens();
        }
    }
}

/// Carries the plan out, and takes notes.
struct Planned(Plan, Journal);

impl Observer for Planned {
    fn opened(&self, _: &Sender) {
        self.1.note("opened");
    }

    fn ping(&self, _: SessionId) {
        self.0.hear("ping");
    }

    fn message(&self, _: SessionId, _: &Message) {
        self.0.hear("message");
    }

    fn sent(&self, _: SessionId, messages: usize, _: usize) {
        self.1.note(format!("{messages} sent"));
        self.0.hear("sent");
    }

    fn upgrade(&self, _: SessionId, outcome: UpgradeOutcome) {
        self.1.note(outcome.to_string());
        self.0.hear("upgrade");
    }

    fn closed(&self, _: SessionId, end: &Disconnect) {
        self.1.note(format!("{} on {}, {} unsent", end.reason.as_str(), end.transport.as_str(), end.unsent));
    }
}

/// A session on polling.
struct Planning {
    harness: Harness,
    plan: Plan,
    journal: Journal,
    polling: Polling,
    socket: Socket,
}

impl Planning {
    async fn start() -> Self {
        let (plan, journal) = (Plan::default(), Journal::default());
        let (sender, mut sockets) = mpsc::unbounded_channel();
        let builder = Server::builder(move |socket| {
            let _ = sender.send(socket);
            async {}
        });
        let harness = Harness::with_observer(builder, Planned(plan.clone(), journal.clone()));
        let polling = harness.polling(4).await;
        let socket = sockets.recv().await.unwrap();
        Self { harness, plan, journal, polling, socket }
    }

    /// A poll that waits.
    async fn poll(&self) -> Pin<Box<dyn Future<Output = u16> + Send>> {
        begin(self.call("GET", &[])).await
    }

    /// A request, which yields the status of its answer.
    fn call(&self, method: &str, body: &[&'static str]) -> Pin<Box<dyn Future<Output = u16> + Send>> {
        let answer = self.harness.server.service().call(request(method, &self.polling.query(), body));
        Box::pin(answer.map(|answer| answer.unwrap().status().as_u16()))
    }
}

/// Polls a request to where it waits for its session, without giving others a turn.
fn advance<R: Future + Unpin>(request: &mut R) {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..5 {
        assert!(Pin::new(&mut *request).poll(&mut cx).is_pending());
    }
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_poll_that_its_client_has_just_left_is_unsent_and_nobody_waits_for_it() {
    for closes in [false, true] {
        let mut session = Planning::start().await;
        let poll = session.poll().await;
        session.plan.at("sent", move || drop(poll));
        session.socket.try_send("hello").unwrap();
        if closes {
            session.socket.close();
        }
        let flushed = timeout(ms(1), session.socket.flush()).await.expect("it waits without end");
        let end = flushed.unwrap_err();
        let reason = if closes { "forced close" } else { "transport error" };
        assert_eq!((end.reason.as_str(), end.unsent), (reason, 1));
        assert_eq!(session.socket.take_unsent(), [Message::text("hello")]);
        assert!(session.harness.server.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn such_an_answer_goes_over_the_websocket_if_the_session_moves_next() {
    let mut session = Planning::start().await;
    let mut websocket = session.harness.probed(&session.polling).await;
    let poll = session.poll().await;
    let (back, moved) = oneshot::channel();
    session.plan.at("ping", move || {
        drop(poll);
        assert!(pin!(websocket.send("5")).now_or_never().is_some());
        assert!(back.send(websocket).is_ok());
    });
    tokio::time::advance(I).await;
    session.socket.try_send("hello").unwrap();
    let mut websocket = moved.await.unwrap();
    for expected in ["2", "4hello"] {
        assert_eq!(websocket.text().await, expected);
    }
    websocket.send("3").await;
    websocket.send("4still here").await;
    assert_eq!(session.socket.recv().await.unwrap(), Message::text("still here"));
    // Both transports had taken it.
    assert_eq!(session.journal.read(), ["opened", "1 sent", "upgraded", "1 sent"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_fails_while_its_session_moves_does_not_harm_it() {
    for failure in ["a poll is left", "a post is left", "polls overlap"] {
        let mut session = Planning::start().await;
        let mut websocket = session.harness.probed(&session.polling).await;
        let first =
            begin(session.call(if failure == "a post is left" { "POST" } else { "GET" }, &["4x"])).await;
        let mut second = session.call("GET", &[]);
        session.plan.at("upgrade", move || {
            if failure == "polls overlap" {
                assert_eq!(second.as_mut().now_or_never(), Some(400));
            }
            drop(first);
        });
        websocket.send("5").await;
        websocket.send("4still here").await;
        assert_eq!(session.socket.recv().await.unwrap(), Message::text("still here"), "{failure}");
        settle().await;
        assert_eq!(session.journal.read(), ["opened", "upgraded"], "{failure}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_moves_may_leave_its_requests_at_once() {
    for method in ["GET", "POST"] {
        let mut session = Planning::start().await;
        let left = begin(session.call(method, &["4x"])).await;
        let mut websocket = session.harness.probed(&session.polling).await;
        websocket.send("5").await;
        drop(left);
        websocket.send("4still here").await;
        assert_eq!(session.socket.recv().await.unwrap(), Message::text("still here"), "{method}");
        assert_eq!(session.journal.read(), ["opened", "upgraded"], "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_its_client_closes_and_moves_at_once_ends_where_it_was() {
    let session = Planning::start().await;
    let mut websocket = session.harness.probed(&session.polling).await;
    let mut post = session.call("POST", &["1"]);
    advance(&mut post);
    websocket.send("5").await;
    assert_eq!(post.await, 200);
    assert_eq!(websocket.next().await, Received::Close(None));
    let end = "transport close on polling, 0 unsent";
    assert_eq!(session.journal.read(), ["opened", "not upgraded: the session ended", end]);
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_ends_with_its_session_is_reported_before_that() {
    for (cause, end) in [
        ("the close packet", "forced close on polling, 0 unsent"),
        ("a poll that is left", "transport error on polling, 0 unsent"),
        ("silence", "ping timeout on polling, 0 unsent"),
    ] {
        let session = Planning::start().await;
        let mut websocket = session.harness.probed(&session.polling).await;
        match cause {
            "the close packet" => {
                let poll = session.poll().await;
                session.socket.close();
                assert_eq!(poll.await, 200);
            }
            "a poll that is left" => drop(session.poll().await),
            _ => {}
        }
        assert_eq!(websocket.next().await, Received::Close(None), "{cause}");
        assert_eq!(session.journal.read(), ["opened", "not upgraded: the session ended", end], "{cause}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_with_data_does_not_get_the_verdict_on_the_one_before_it() {
    let session = Planning::start().await;
    let mut first = session.call("POST", &["4one"]);
    advance(&mut first);
    let mut second = session.call("POST", &["no packet"]);
    let (back, sent) = oneshot::channel();
    session.plan.at("message", move || {
        drop(first);
        advance(&mut second);
        assert!(back.send(second).is_ok());
    });
    assert_eq!(sent.await.unwrap().await, 400);
    assert_eq!(session.journal.read(), ["opened", "parse error on polling, 0 unsent"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_fetched_is_not_kept_when_session_and_application_are_gone() {
    let (harness, mut sockets) = handing_out(|builder| builder);
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    let sender = socket.sender();
    let poll = begin(harness.server.service().call(request("GET", &polling.query(), &[]))).await;
    let (message, trace) = traced();
    socket.try_send(message).unwrap();
    settle().await;
    assert_eq!(polling.post(&["1"]).await.0, 200);
    drop(socket);
    settle().await;
    assert!(trace.upgrade().is_some(), "the poll may still fetch it");
    drop(poll);
    assert!(trace.upgrade().is_none());
    drop(sender);
}

#[test]
fn a_session_whose_runtime_goes_away_before_its_first_pass_opens_and_closes() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let journal = Journal::default();
    let server = runtime.block_on(async {
        let observer = Planned(Plan::default(), journal.clone());
        let server = Server::builder(listen).observer(observer).build().unwrap();
        let handshake = request("GET", "EIO=4&transport=polling", &[]);
        let answer = server.service().call(handshake).now_or_never().expect("it waits for nothing");
        assert_eq!(answer.unwrap().status(), 200);
        server
    });
    drop(runtime);
    assert_eq!(journal.read(), ["opened", "transport error on polling, 0 unsent"]);
    assert!(server.is_empty());
}
