//! Every future of the server, dropped at every point where it waits: nothing is lost, nothing comes twice, and no
//! session is left behind.

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use std::collections::VecDeque;

use eio_core::session::Violation;
use eio_tokio::{Message, Server};
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Frame};
use tower_service::Service as _;

use crate::support::{I, Reason, T, World, follow_later, handing_out, listen, ms, noting, settle};

/// Where a future is dropped.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// After so many polls.
    polls: usize,
    /// Only when it was woken once more, so that whoever woke it counts on it.
    woken: bool,
}

/// More polls than any of these futures takes.
const ALL_CUTS: usize = 12;

fn cuts() -> impl Iterator<Item = Cut> {
    (0..ALL_CUTS).flat_map(|polls| [false, true].map(|woken| Cut { polls, woken }))
}

impl Cut {
    /// What `future` yields, if it does before it is dropped.
    async fn apply<F: Future>(self, future: F) -> Option<F::Output> {
        let mut left = self.polls;
        let mut future = pin!(future);
        poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            match future.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending if left == 0 && !self.woken => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

#[tokio::test(start_paused = true)]
async fn recv_loses_nothing_and_yields_nothing_twice() {
    for cut in cuts().filter(|cut| cut.polls > 0) {
        let (mut world, mut sockets) = handing_out(|builder| builder.inbox(3, 1_000_000));
        let mut websocket = world.websocket(4).await;
        let mut socket = sockets.recv().await.unwrap();
        let sending = tokio::spawn(async move {
            for number in 0..50 {
                websocket.send(&format!("4{number}")).await;
                if number % 7 == 0 {
                    tokio::time::sleep(ms(1)).await;
                }
            }
            websocket
        });
        let mut received = Vec::new();
        while received.len() < 50 {
            match cut.apply(socket.recv()).await {
                Some(message) => received.push(message.unwrap()),
                None => tokio::task::yield_now().await,
            }
            tokio::time::sleep(ms(1)).await;
            world.assert_alive();
        }
        let expected: Vec<_> = (0..50).map(|number| Message::text(number.to_string())).collect();
        assert_eq!(received, expected, "{cut:?}");
        drop(sending.await.unwrap());
        let end = loop {
            match cut.apply(socket.recv()).await {
                Some(end) => break end.unwrap_err(),
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!(end.reason, Reason::TransportClosed, "{cut:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn send_sends_once_or_not_at_all() {
    for transport in ["websocket", "polling"] {
        for cut in cuts().filter(|cut| cut.polls > 0) {
            let (world, mut sockets) = handing_out(|builder| builder.outbox(2, 1_000_000));
            let (mut websocket, mut polling) = (None, None);
            match transport {
                // Less than one of the messages.
                "websocket" => {
                    let mut client = world.connect_with_room(1_000).upgrade(4, None).await;
                    assert!(client.text().await.starts_with('0'));
                    websocket = Some(client);
                }
                _ => polling = Some(world.polling(4).await),
            }
            let socket = sockets.recv().await.unwrap();
            let sending = tokio::spawn(async move {
                for number in 0..30 {
                    let message = format!("{number}{}", " ".repeat(1_500));
                    while cut.apply(socket.send(message.clone())).await.is_none() {
                        tokio::time::sleep(ms(1)).await;
                    }
                }
                socket
            });
            let mut received = Vec::new();
            while received.len() < 30 {
                tokio::time::sleep(ms(2)).await;
                match (&mut websocket, &mut polling) {
                    (Some(websocket), _) => received.push(websocket.text().await),
                    (_, Some(polling)) => received.extend(polling.poll().await),
                    _ => unreachable!(),
                }
            }
            let numbers: Vec<_> = received.iter().map(|packet| packet.trim()).collect();
            let expected: Vec<_> = (0..30).map(|number| format!("4{number}")).collect();
            assert_eq!(numbers, expected, "{transport} {cut:?}");
            drop(sending.await.unwrap());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_send_takes_nobody_elses_turn() {
    for cut in cuts().filter(|cut| cut.polls > 0) {
        let (world, mut sockets) = handing_out(|builder| builder.outbox(1, 1_000_000));
        let mut polling = world.polling(4).await;
        let socket = sockets.recv().await.unwrap();
        socket.try_send("first").unwrap();
        let dropped = tokio::spawn({
            let sender = socket.sender();
            async move { cut.apply(sender.send("dropped")).await }
        });
        settle().await;
        let waiting = tokio::spawn({
            let sender = socket.sender();
            async move { sender.send("waiting").await }
        });
        settle().await;
        assert_eq!(polling.poll().await, ["4first"]);
        settle().await;
        let mut rest = Vec::new();
        while !waiting.is_finished() || !dropped.is_finished() {
            rest.extend(polling.poll().await);
            settle().await;
        }
        if rest.len() < 1 + usize::from(dropped.await.unwrap().is_some()) {
            rest.extend(polling.poll().await);
        }
        assert!(rest.contains(&"4waiting".to_owned()), "{cut:?}: {rest:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn closed_may_be_asked_again_and_again() {
    for cut in cuts().filter(|cut| cut.polls > 0) {
        let (world, mut sockets) = handing_out(|builder| builder);
        let websocket = world.websocket(4).await;
        let socket = sockets.recv().await.unwrap();
        let asking = tokio::spawn(async move {
            loop {
                if let Some(end) = cut.apply(socket.closed()).await {
                    return end;
                }
                tokio::time::sleep(ms(1)).await;
            }
        });
        world.at(20).await;
        drop(websocket);
        assert_eq!(asking.await.unwrap().reason, Reason::TransportClosed, "{cut:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_shutdown_goes_on_closing_and_can_be_waited_for_again() {
    for cut in cuts().filter(|cut| cut.polls > 0) {
        let mut world = World::new(Server::builder(listen));
        let mut polling = world.polling(4).await;
        let _websocket = world.websocket(4).await;
        settle().await;
        let first = tokio::spawn({
            let server = world.server.clone();
            async move { cut.apply(server.shutdown(ms(400))).await }
        });
        settle().await;
        assert_eq!(world.end().await.disconnect.reason, Reason::LocalClose);
        let mut late = world.connect();
        assert_ne!(late.request("GET", "EIO=4&transport=polling", b"").await.0, 200);
        assert_eq!(polling.poll().await, ["6", "1"]);
        assert!(world.server.shutdown(ms(400)).await.is_empty(), "{cut:?}");
        first.await.unwrap();
        assert!(world.server.is_empty());
    }
}

/// A body of pieces, each of which lets itself be waited for.
struct Pieces {
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

fn request(method: &str, query: &str, body: &[&'static str]) -> http::Request<Pieces> {
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
        let world = World::new(Server::builder(listen).allow_request(|_| async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            Ok(())
        }));
        let answer =
            cut.apply(world.server.service().call(request("GET", "EIO=4&transport=polling", &[]))).await;
        settle().await;
        assert_eq!(world.server.len(), usize::from(answer.is_some()), "{cut:?}");
        opened += world.server.len();
    }
    assert!(opened > 0, "it never came to its end");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_poll_ends_the_session_with_its_messages_unsent() {
    for cut in cuts() {
        let (mut world, mut sockets) = handing_out(|builder| builder);
        let polling = world.polling(4).await;
        let mut socket = sockets.recv().await.unwrap();
        let poll = world.server.service().call(request("GET", &polling.query(), &[]));
        let polling = tokio::spawn(async move { cut.apply(poll).await });
        world.at(10).await;
        let refused = socket.try_send("hello").is_err();
        settle().await;
        match polling.await.unwrap() {
            Some(answer) => {
                let body = answer.unwrap().into_body().collect().await.unwrap().to_bytes();
                assert_eq!(body, "4hello", "{cut:?}");
                world.assert_alive();
            }
            // Never polled: it never began.
            None if cut.polls == 0 => world.assert_alive(),
            None => {
                let end = world.end().await.disconnect;
                assert_eq!(end.reason, Reason::TransportError, "{cut:?}");
                assert_eq!(end.unsent, usize::from(!refused), "{cut:?}");
                assert_eq!(socket.take_unsent().len(), end.unsent);
                assert!(world.server.is_empty());
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
        let mut world = World::new(builder.inbox(1, 1_000_000));
        let polling = world.polling(4).await;
        let post = request("POST", &polling.query(), &["4on", "e\u{1e}4t", "wo"]);
        let answer = cut.apply(world.server.service().call(post)).await;
        world.at(200).await;
        match (answer, &*journal.read()) {
            (Some(answer), [one, two]) => {
                assert_eq!((answer.unwrap().status().as_u16(), &**one, &**two), (200, "one", "two"));
                whole += 1;
            }
            // The payload was there, and only the answer is missing.
            (None, [one, two]) if one == "one" && two == "two" => world.assert_alive(),
            (None, []) if cut.polls == 0 => world.assert_alive(),
            (None, [end]) => {
                assert_eq!(end, "end: transport error", "{cut:?}");
                assert!(world.server.is_empty());
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
        let mut world = World::new(Server::builder(listen).upgrade_timeout(ms(100)));
        let polling = world.polling(4).await;
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
        if cut.apply(world.server.service().call(upgrade)).await.is_some() {
            opened += 1;
        }
        settle().await;
        // There is no connection behind it, so the candidate fails at once; another one can follow.
        let mut websocket = world.connect().upgrade(4, Some(&polling.sid)).await;
        websocket.send("2probe").await;
        assert_eq!(websocket.text().await, "3probe");
        websocket.send("5").await;
        world.at(250).await;
        world.assert_alive();
    }
    assert!(opened > 0, "it never came to its end");
}

#[tokio::test(start_paused = true)]
async fn a_second_poll_beside_an_answer_on_its_way_out_overlaps_and_takes_nothing_from_the_first() {
    let (mut world, mut sockets) = handing_out(|builder| builder);
    let polling = world.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    // Compressed in several turns.
    socket.try_send("x".repeat(100_000)).unwrap();
    let mut service = world.server.service();
    let mut compressed = request("GET", &polling.query(), &[]);
    compressed.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
    let mut first = Box::pin(service.call(compressed));
    for _ in 0..2 {
        // First it asks the session, then it is being compressed.
        assert!(poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_pending())).await);
        settle().await;
    }
    let second = service.call(request("GET", &polling.query(), &[])).await.unwrap();
    assert_eq!(second.status(), 400, "as of any two polls at once");
    let end = world.end().await.disconnect;
    assert_eq!(end.reason, Reason::Violation(Violation::OverlappingRequests));
    // The first answer was complete, and still comes.
    assert_eq!(first.await.unwrap().headers()["content-encoding"], "gzip");
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_is_dropped_while_its_answer_is_on_its_way_out_ends_the_session() {
    let (mut world, mut sockets) = handing_out(|builder| builder);
    let polling = world.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    socket.try_send("x".repeat(100_000)).unwrap();
    let mut service = world.server.service();
    let mut compressed = request("GET", &polling.query(), &[]);
    compressed.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
    let mut first = Box::pin(service.call(compressed));
    for _ in 0..2 {
        // First it asks the session, then it is being compressed.
        assert!(poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_pending())).await);
        settle().await;
    }
    drop(first);
    assert_eq!(world.end().await.disconnect.reason, Reason::TransportError);
    // It hangs nobody: the next one hears of the end.
    let second = service.call(request("GET", &polling.query(), &[])).await.unwrap();
    assert_eq!(second.status(), 400);
}

#[tokio::test(start_paused = true)]
async fn a_second_request_with_data_overlaps_and_takes_nothing_from_the_first() {
    let (mut world, _sockets) = handing_out(|builder| builder.inbox(1, 1_000_000));
    let polling = world.polling(4).await;
    let mut service = world.server.service();
    // It waits for the application, which does not read.
    let mut first = Box::pin(service.call(request("POST", &polling.query(), &["4one"])));
    for _ in 0..5 {
        assert!(poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_pending())).await);
    }
    let second = service.call(request("POST", &polling.query(), &["4two"])).await.unwrap();
    assert_eq!(second.status(), 400);
    assert_eq!(world.end().await.disconnect.reason, Reason::Violation(Violation::OverlappingRequests));
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
    let (mut world, mut sockets) = handing_out(|builder| builder.inbox(1_000, 25));
    let polling = world.polling(4).await;
    let mut socket = sockets.recv().await.unwrap();
    let mut service = world.server.service();
    for _ in 0..20 {
        give_up(service.call(request("POST", &polling.query(), &["4ten bytes.."]))).await;
    }
    // The third one filled it, and was given up while its answer waited; the fourth was not even read.
    assert_eq!(world.end().await.disconnect.reason, Reason::TransportError);
    for _ in 0..3 {
        assert_eq!(socket.recv().await.unwrap().as_text(), Some("ten bytes.."));
    }
    assert_eq!(socket.recv().await.unwrap_err().reason, Reason::TransportError);
}

#[tokio::test(start_paused = true)]
async fn a_request_with_data_that_finds_a_full_inbox_is_read_once_there_is_room() {
    let (mut world, mut sockets) = handing_out(|builder| builder.inbox(1, 1_000_000));
    let polling = world.polling(4).await;
    let mut socket = sockets.recv().await.unwrap();
    let mut service = world.server.service();
    give_up(service.call(request("POST", &polling.query(), &["4one"]))).await;
    let second = tokio::spawn(service.call(request("POST", &polling.query(), &["4two"])));
    world.at(100).await;
    assert_eq!(socket.recv().await.unwrap().as_text(), Some("one"));
    settle().await;
    assert_eq!(socket.recv().await.unwrap().as_text(), Some("two"));
    assert_eq!(second.await.unwrap().unwrap().status(), 200);
    world.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn a_request_with_data_waits_no_longer_for_a_session_that_closes_or_stalls() {
    for closes in [true, false] {
        let (mut world, mut sockets) = handing_out(|builder| builder.inbox(1, 1_000_000));
        let polling = world.polling(4).await;
        let socket = sockets.recv().await.unwrap();
        let mut service = world.server.service();
        give_up(service.call(request("POST", &polling.query(), &["4one"]))).await;
        let second = tokio::spawn(service.call(request("POST", &polling.query(), &["1"])));
        world.at(100).await;
        assert!(!second.is_finished());
        if closes {
            socket.close();
        }
        let end = world.end().await;
        let expected =
            if closes { (ms(100), Reason::LocalClose) } else { (I + T, Reason::ApplicationStalled) };
        assert_eq!((end.at, end.disconnect.reason), expected);
        assert!(second.await.unwrap().is_ok(), "it is answered");
    }
}
