//! Requests that are dropped at every point where they wait, or that overlap: no message is lost or delivered twice, and
//! no session is left behind.

use core::convert::Infallible;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use std::collections::VecDeque;

use eio_core::session::Violation;
use eio_tokio::{Server, Socket};
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Frame};
use tower_service::Service as _;

use crate::cancellation::cuts;
use crate::support::{
    Harness, I, Polling, Reason, Received, T, follow_later, handing_out, listen, ms, noting, settle,
};

/// A body of pieces, each of which lets itself be waited for.
pub(crate) struct Pieces {
    left: VecDeque<&'static str>,
    ready: bool,
}

impl Pieces {
    fn new(pieces: &[&'static str]) -> Self {
        Self { left: pieces.iter().copied().collect(), ready: false }
    }
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.ready = !self.ready;
        if self.ready {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.left.pop_front().map(|piece| Ok(Frame::data(piece.into()))))
    }
}

pub(crate) fn request(method: &str, query: &str, body: &[&'static str]) -> http::Request<Pieces> {
    http::Request::builder()
        .header("host", "x")
        .method(method)
        .uri(format!("/engine.io/?{query}"))
        .body(Pieces::new(body))
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_dropped_handshake_leaves_no_session() {
    let mut opened = 0;
    for cut in cuts() {
        let harness = Harness::new(Server::builder(listen).allow_request(|_| async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            Ok(())
        }));
        let answer =
            cut.apply(harness.server.service().call(request("GET", "EIO=4&transport=polling", &[]))).await;
        settle().await;
        assert_eq!(harness.server.len(), usize::from(answer.is_some()), "{cut:?}");
        opened += harness.server.len();
    }
    assert!(opened > 0, "it never came to its end");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_poll_ends_the_session_with_its_messages_unsent() {
    for cut in cuts() {
        let (mut harness, mut sockets) = handing_out(|builder| builder);
        let polling = harness.polling(4).await;
        let mut socket = sockets.recv().await.unwrap();
        let poll = harness.server.service().call(request("GET", &polling.query(), &[]));
        let polling = tokio::spawn(async move { cut.apply(poll).await });
        harness.at(10).await;
        let refused = socket.try_send("hello").is_err();
        settle().await;
        match polling.await.unwrap() {
            Some(answer) => {
                let body = answer.unwrap().into_body().collect().await.unwrap().to_bytes();
                assert_eq!(body, "4hello", "{cut:?}");
                harness.assert_alive();
            }
            // Never polled: it never began.
            None if cut.polls == 0 => harness.assert_alive(),
            None => {
                let end = harness.end().await.disconnect;
                assert_eq!(end.reason, Reason::TransportError, "{cut:?}");
                assert_eq!(end.unsent, usize::from(!refused), "{cut:?}");
                assert_eq!(socket.take_unsent().len(), end.unsent);
                assert!(harness.server.is_empty());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_request_with_data_delivers_all_of_it_or_nothing() {
    let mut whole = 0;
    for cut in cuts() {
        // The inbox is so small that the request waits for the application, too.
        let (builder, journal) = noting(follow_later);
        let mut harness = Harness::new(builder.inbox(1, 1_000_000));
        let polling = harness.polling(4).await;
        let post = request("POST", &polling.query(), &["4on", "e\u{1e}4t", "wo"]);
        let answer = cut.apply(harness.server.service().call(post)).await;
        harness.at(200).await;
        match (answer, &*journal.read()) {
            (Some(answer), [one, two]) => {
                assert_eq!((answer.unwrap().status().as_u16(), &**one, &**two), (200, "one", "two"));
                whole += 1;
            }
            // The payload was there, and only the answer is missing.
            (None, [one, two]) if one == "one" && two == "two" => harness.assert_alive(),
            (None, []) if cut.polls == 0 => harness.assert_alive(),
            (None, [end]) => {
                assert_eq!(end, "end: transport error", "{cut:?}");
                assert!(harness.server.is_empty());
            }
            (answer, journal) => panic!("{cut:?}: {:?} {journal:?}", answer.is_some()),
        }
    }
    assert!(whole > 0, "it never came to its end");
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_request_that_is_dropped_leaves_nothing() {
    let mut opened = 0;
    for cut in cuts() {
        let mut harness = Harness::new(Server::builder(listen).upgrade_timeout(ms(100)));
        let polling = harness.polling(4).await;
        let mut upgrade =
            request("GET", &format!("EIO=4&transport=websocket&sid={}", polling.sid), &[]).map(drop);
        for (name, value) in [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            upgrade.headers_mut().insert(name, value.parse().unwrap());
        }
        let upgrade = upgrade.map(|()| Pieces::new(&[]));
        if cut.apply(harness.server.service().call(upgrade)).await.is_some() {
            opened += 1;
        }
        settle().await;
        // There is no connection behind it, so the candidate fails at once; another one can follow.
        let mut websocket = harness.probed(&polling).await;
        websocket.send("5").await;
        harness.at(250).await;
        harness.assert_alive();
    }
    assert!(opened > 0, "it never came to its end");
}

type Answer<B> = Result<http::Response<B>, Infallible>;

/// Opens a session and polls, up to where the answer is being compressed.
async fn poll_being_compressed()
-> (Harness, Polling, Socket, impl Future<Output = Answer<impl Sized>> + Unpin) {
    let (harness, mut sockets) = handing_out(|builder| builder);
    let polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    // Compressed in several turns.
    socket.try_send("x".repeat(100_000)).unwrap();
    let mut compressed = request("GET", &polling.query(), &[]);
    compressed.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
    let mut poll = harness.server.service().call(compressed);
    for _ in 0..2 {
        // First it asks the session, then it is being compressed.
        poll = begin(poll).await;
    }
    (harness, polling, socket, poll)
}

#[tokio::test(start_paused = true)]
async fn a_second_poll_beside_an_answer_on_its_way_out_overlaps_and_takes_nothing_from_the_first() {
    let (mut harness, polling, _socket, first) = poll_being_compressed().await;
    let second = harness.server.service().call(request("GET", &polling.query(), &[])).await.unwrap();
    assert_eq!(second.status(), 400, "as of any two polls at once");
    let end = harness.end().await.disconnect;
    assert_eq!(end.reason, Reason::Violation(Violation::OverlappingRequests));
    // The first answer was complete, and still comes.
    assert_eq!(first.await.unwrap().headers()["content-encoding"], "gzip");
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_is_dropped_while_its_answer_is_on_its_way_out_ends_the_session() {
    for moves in [false, true] {
        let (mut harness, polling, _socket, first) = poll_being_compressed().await;
        let mut websocket = harness.probed(&polling).await;
        if moves {
            // What the answer holds is lost, and the session must not go on as if it had arrived.
            websocket.send("5").await;
        }
        drop(first);
        assert_eq!(harness.end().await.disconnect.reason, Reason::TransportError);
        assert_eq!(websocket.next().await, Received::Close(None));
        // It hangs nobody: the next one hears of the end.
        let second = harness.server.service().call(request("GET", &polling.query(), &[])).await.unwrap();
        assert_eq!(second.status(), 400);
    }
}

/// Polls a request up to where it waits, as a connection does that then has other things to do.
pub(crate) async fn begin<R: Future + Unpin>(mut request: R) -> R {
    assert!(poll_fn(|cx| Poll::Ready(Pin::new(&mut request).poll(cx).is_pending())).await);
    settle().await;
    request
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_no_request_has_taken_when_the_session_moves_goes_first_over_the_websocket() {
    // The client leaves its poll when the session has moved, or together with the `5`.
    for (revision, leaves_late) in [(4, true), (3, true), (4, false), (3, false)] {
        let (mut harness, mut sockets) = handing_out(|builder| builder);
        let mut polling = harness.polling(revision).await;
        let socket = sockets.recv().await.unwrap();
        let poll = begin(harness.server.service().call(request("GET", &polling.query(), &[]))).await;
        let heartbeat = if revision == 4 { "2" } else { "3" };
        if revision == 4 {
            // The ping is due when the task makes its pass, and leaves with the messages.
            tokio::time::advance(I).await;
        } else {
            assert_eq!(polling.post(&["2"]).await.0, 200);
        }
        socket.try_send("one").unwrap();
        socket.try_send("two").unwrap();
        settle().await;
        let mut websocket = harness.probed(&polling).await;
        websocket.send("5").await;
        let poll = leaves_late.then_some(poll);
        socket.try_send("three").unwrap();
        settle().await;
        drop(poll);
        socket.flush().await.unwrap();
        let start = harness.elapsed();
        for expected in [heartbeat, "4one", "4two", "4three"] {
            assert_eq!(websocket.text().await, expected);
        }
        assert_eq!(harness.elapsed(), start);
        harness.assert_alive();
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_request_with_data_overlaps_and_takes_nothing_from_the_first() {
    let (mut harness, _sockets) = handing_out(|builder| builder.inbox(1, 1_000_000));
    let polling = harness.polling(4).await;
    let mut service = harness.server.service();
    // It waits for the application, which does not read.
    let mut first = Box::pin(service.call(request("POST", &polling.query(), &["4one"])));
    for _ in 0..5 {
        assert!(poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_pending())).await);
    }
    let second = service.call(request("POST", &polling.query(), &["4two"])).await.unwrap();
    assert_eq!(second.status(), 400);
    assert_eq!(harness.end().await.disconnect.reason, Reason::Violation(Violation::OverlappingRequests));
    assert_eq!(first.await.unwrap().status(), 200, "its payload was taken");
}

/// Polls a request as often as it takes to come to its wait, if it has one, and then gives it up.
async fn give_up(request: impl Future) {
    let mut request = pin!(request);
    for _ in 0..5 {
        if poll_fn(|cx| Poll::Ready(request.as_mut().poll(cx).is_ready())).await {
            return;
        }
        settle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn requests_with_data_that_are_given_up_one_after_the_other_fill_no_more_than_the_inbox() {
    let (mut harness, mut sockets) = handing_out(|builder| builder.inbox(1_000, 25));
    let polling = harness.polling(4).await;
    let mut socket = sockets.recv().await.unwrap();
    let mut service = harness.server.service();
    for _ in 0..20 {
        give_up(service.call(request("POST", &polling.query(), &["4ten bytes.."]))).await;
    }
    // The third one filled it, and was given up while its answer waited; the fourth was not even read.
    assert_eq!(harness.end().await.disconnect.reason, Reason::TransportError);
    for _ in 0..3 {
        assert_eq!(socket.recv().await.unwrap().as_text(), Some("ten bytes.."));
    }
    assert_eq!(socket.recv().await.unwrap_err().reason, Reason::TransportError);
}

#[tokio::test(start_paused = true)]
async fn a_request_with_data_that_finds_a_full_inbox_is_read_once_there_is_room() {
    let (mut harness, mut sockets) = handing_out(|builder| builder.inbox(1, 1_000_000));
    let polling = harness.polling(4).await;
    let mut socket = sockets.recv().await.unwrap();
    let mut service = harness.server.service();
    give_up(service.call(request("POST", &polling.query(), &["4one"]))).await;
    let second = tokio::spawn(service.call(request("POST", &polling.query(), &["4two"])));
    harness.at(100).await;
    assert_eq!(socket.recv().await.unwrap().as_text(), Some("one"));
    settle().await;
    assert_eq!(socket.recv().await.unwrap().as_text(), Some("two"));
    assert_eq!(second.await.unwrap().unwrap().status(), 200);
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn a_request_with_data_waits_no_longer_for_a_session_that_closes_or_stalls() {
    for closes in [true, false] {
        let (mut harness, mut sockets) = handing_out(|builder| builder.inbox(1, 1_000_000));
        let polling = harness.polling(4).await;
        let socket = sockets.recv().await.unwrap();
        let mut service = harness.server.service();
        give_up(service.call(request("POST", &polling.query(), &["4one"]))).await;
        let second = tokio::spawn(service.call(request("POST", &polling.query(), &["1"])));
        harness.at(100).await;
        assert!(!second.is_finished());
        if closes {
            socket.close();
        }
        let end = harness.end().await;
        let expected =
            if closes { (ms(100), Reason::LocalClose) } else { (I + T, Reason::ApplicationStalled) };
        assert_eq!((end.at, end.disconnect.reason), expected);
        assert!(second.await.unwrap().is_ok(), "it is answered");
    }
}
