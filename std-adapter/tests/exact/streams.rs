//! Sessions as streams and sinks: what the combinators of `futures` expect of both holds.

use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use std::sync::Arc;
use std::task::Waker;

use eio_core::session::CheckSendError;
use eio_tokio::{Message, MessageSink, SendErrorKind, SinkError, Socket};
use futures_core::FusedStream as _;
use futures_util::{Sink, SinkExt, StreamExt as _, stream};

use crate::cancellation::cuts;
use crate::support::{Harness, Reason, Received, handing_out, ms, noting, settle};
use crate::wakers::Counted;

fn text(number: usize) -> Message {
    Message::text(number.to_string())
}

/// A sink's `poll_ready`, `poll_flush` or `poll_close`.
type Step = fn(Pin<&mut MessageSink>, &mut Context<'_>) -> Poll<Result<(), SinkError>>;

/// Makes one step, with a waker that does nothing.
fn step(sink: &mut MessageSink, step: Step) -> Poll<Result<(), SinkError>> {
    step(Pin::new(sink), &mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn an_echo_is_a_stream_that_is_forwarded_to_a_sink() {
    for with_halves in [false, true] {
        let (builder, journal) = noting(move |socket: Socket, journal| async move {
            if with_halves {
                let (sink, socket) = socket.split();
                journal.note(format!("{:?}", socket.map(Ok).forward(sink).await));
            } else {
                let (sink, stream) = futures_util::StreamExt::split(socket);
                journal.note(format!("{:?}", stream.map(Ok).forward(sink).await));
            }
        });
        let mut harness = Harness::new(builder);
        let mut websocket = harness.websocket(4).await;
        let mut polling = harness.polling(4).await;
        for number in 0..10 {
            websocket.send(&format!("4{number}")).await;
            assert_eq!(websocket.text().await, format!("4{number}"));
            assert_eq!(polling.post(&[&format!("4{number}")]).await.0, 200);
            assert_eq!(polling.poll().await, [format!("4{number}")]);
        }
        websocket.send("1").await;
        assert_eq!(harness.end().await.disconnect.reason, Reason::PeerClose);
        settle().await;
        assert_eq!(journal.read(), ["Ok(())"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_yields_every_message_and_then_ends_and_the_socket_says_why() {
    let (harness, mut sockets) = handing_out(|builder| builder);
    let mut websocket = harness.websocket(4).await;
    let mut socket = sockets.recv().await.unwrap();
    for number in 0..5 {
        websocket.send(&format!("4{number}")).await;
    }
    drop(websocket);
    settle().await;
    assert!(socket.end().is_some() && !socket.is_terminated(), "there are messages left");
    for number in 0..5 {
        assert!(!socket.is_terminated());
        assert_eq!(socket.next().await, Some(text(number)));
    }
    assert!(socket.is_terminated());
    assert_eq!(socket.next().await, None);
    assert_eq!(socket.next().await, None);
    assert_eq!(socket.end().unwrap().reason, Reason::TransportClosed);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_next_loses_nothing_and_yields_nothing_twice() {
    for cut in cuts().filter(|cut| cut.polls > 0) {
        let (harness, mut sockets) = handing_out(|builder| builder.inbox(3, 1_000_000));
        let mut websocket = harness.websocket(4).await;
        let mut socket = sockets.recv().await.unwrap();
        let sending = tokio::spawn(async move {
            for number in 0..20 {
                websocket.send(&format!("4{number}")).await;
                if number % 7 == 0 {
                    tokio::time::sleep(ms(1)).await;
                }
            }
            websocket
        });
        let mut received = Vec::new();
        while received.len() < 20 {
            tokio::time::sleep(ms(1)).await;
            received.extend(cut.apply(socket.next()).await.map(Option::unwrap));
        }
        assert_eq!(received, (0..20).map(text).collect::<Vec<_>>(), "{cut:?}");
        drop(sending.await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn the_halves_work_in_different_tasks() {
    let (harness, mut sockets) = handing_out(|builder| builder);
    let mut websocket = harness.websocket(4).await;
    let (mut sink, mut socket) = sockets.recv().await.unwrap().split();
    let sending = tokio::spawn(async move {
        sink.send_all(&mut stream::iter((0..20).map(text).map(Ok))).await.unwrap();
        sink
    });
    let receiving = tokio::spawn(async move {
        let received: Vec<_> = (&mut socket).take(20).collect().await;
        (received, socket)
    });
    for number in 0..20 {
        websocket.send(&format!("4{number}")).await;
        assert_eq!(websocket.text().await, format!("4{number}"));
    }
    let (received, socket) = receiving.await.unwrap();
    assert_eq!(received, (0..20).map(text).collect::<Vec<_>>());
    drop(sending.await.unwrap());
    settle().await;
    assert_eq!(socket.end(), None, "a sink that is dropped ends nothing");
    drop(socket);
    assert_eq!(websocket.next().await, Received::Close(None));
}

#[tokio::test(start_paused = true)]
async fn a_sink_is_ready_while_the_outbox_has_room() {
    let (harness, mut sockets) = handing_out(|builder| builder.outbox(2, 1_000_000));
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    let mut sink = socket.sender().sink();
    sink.feed(text(0)).await.unwrap();
    sink.feed(text(1)).await.unwrap();
    assert!(step(&mut sink, Sink::poll_ready).is_pending());
    // What is started without having been ready comes back.
    let refused = Pin::new(&mut sink).start_send(text(2)).unwrap_err();
    assert_eq!(refused, SinkError::Full(text(2)));
    assert_eq!(refused.into_message(), Some(text(2)));
    assert_eq!(polling.poll().await, ["40", "41"]);
    assert!(step(&mut sink, Sink::poll_ready).is_ready());
    Pin::new(&mut sink).start_send(text(2)).unwrap();
    assert_eq!(polling.poll().await, ["42"]);
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_for_room_get_it() {
    let (harness, mut sockets) = handing_out(|builder| builder.outbox(1, 1_000_000));
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    socket.try_send("first").unwrap();
    let mut waiting = Vec::new();
    for number in 0..4 {
        let sender = socket.sender();
        waiting.push(tokio::spawn(async move {
            if number % 2 == 0 {
                sender.sink().feed(text(number)).await.unwrap();
            } else {
                sender.send(text(number)).await.unwrap();
            }
        }));
        settle().await;
    }
    assert!(waiting.iter().all(|task| !task.is_finished()));
    assert_eq!(polling.poll().await, ["4first"]);
    let mut received = Vec::new();
    while received.len() < 4 {
        received.extend(polling.poll().await);
    }
    received.sort();
    assert_eq!(received, ["40", "41", "42", "43"]);
    for task in waiting {
        task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn each_sink_that_is_ready_sends_one_message_whoever_took_the_room() {
    let (harness, mut sockets) = handing_out(|builder| builder.outbox(1, 1_000_000));
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    let mut sinks = [socket.sender().sink(), socket.sender().sink()];
    for sink in &mut sinks {
        assert!(step(sink, Sink::poll_ready).is_ready());
    }
    for (number, sink) in sinks.iter_mut().enumerate() {
        Pin::new(&mut *sink).start_send(text(number)).unwrap();
        // One, and not one more.
        assert!(matches!(Pin::new(sink).start_send(text(9)), Err(SinkError::Full(_))));
    }
    assert_eq!(polling.poll().await, ["40", "41"]);
}

#[tokio::test(start_paused = true)]
async fn a_sink_whose_session_ends_while_it_waits_returns_the_message() {
    let (mut harness, mut sockets) = handing_out(|builder| builder.outbox(1, 1_000_000));
    let _polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    socket.try_send("first").unwrap();
    let sender = socket.sender();
    let sending = tokio::spawn(async move { sender.sink().send(text(1)).await });
    harness.assert_ends(500, Reason::PingTimeout).await;
    match sending.await.unwrap() {
        Err(SinkError::Refused(error)) => {
            assert_eq!(error.message, text(1));
            assert_eq!(error.kind, SendErrorKind::Session(CheckSendError::Closed));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_message_comes_back_and_the_sink_goes_on() {
    let (harness, mut sockets) = handing_out(|builder| builder);
    let mut polling = harness.polling(4).await;
    let mut socket = sockets.recv().await.unwrap();
    let error = SinkExt::send(&mut socket, "a\u{1e}b".into()).await.unwrap_err();
    assert!(
        matches!(&error, SinkError::Refused(error) if matches!(error.kind, SendErrorKind::Separator { at: 1 }))
    );
    assert_eq!(error.into_message(), Some("a\u{1e}b".into()));
    socket.feed("ab".into()).await.unwrap();
    assert_eq!(polling.poll().await, ["4ab"]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_feed_sends_once_or_not_at_all() {
    for cut in cuts().filter(|cut| cut.polls > 0) {
        let (harness, mut sockets) = handing_out(|builder| builder.outbox(2, 1_000_000));
        let mut polling = harness.polling(4).await;
        let mut sink = sockets.recv().await.unwrap().split();
        let sending = tokio::spawn(async move {
            for number in 0..10 {
                while cut.apply(sink.0.feed(text(number))).await.is_none() {
                    tokio::time::sleep(ms(1)).await;
                }
            }
            sink
        });
        let mut received = Vec::new();
        while received.len() < 10 {
            tokio::time::sleep(ms(2)).await;
            received.extend(polling.poll().await);
        }
        let expected: Vec<_> = (0..10).map(|number| format!("4{number}")).collect();
        assert_eq!(received, expected, "{cut:?}");
        drop(sending.await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_flushes_what_it_sent_and_not_what_others_sent() {
    let (harness, mut sockets) = handing_out(|builder| builder.max_packets_per_payload(1));
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    let mut sink = socket.sender().sink();
    socket.try_send("first").unwrap();
    assert_eq!(step(&mut sink, Sink::poll_flush), Poll::Ready(Ok(())), "it has sent nothing");
    sink.feed(text(0)).await.unwrap();
    socket.try_send("last").unwrap();
    assert!(step(&mut sink, Sink::poll_flush).is_pending());
    assert_eq!(polling.poll().await, ["4first"]);
    settle().await;
    assert!(step(&mut sink, Sink::poll_flush).is_pending());
    // A message that is sent while a flush is pending belongs to the next one.
    sink.feed(text(1)).await.unwrap();
    for packet in ["40", "4last"] {
        assert_eq!(polling.poll().await, [packet]);
        settle().await;
        assert!(step(&mut sink, Sink::poll_flush).is_pending(), "{packet}");
    }
    assert_eq!(polling.poll().await, ["41"]);
    settle().await;
    assert_eq!(step(&mut sink, Sink::poll_flush), Poll::Ready(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn closing_a_sink_closes_the_session_and_waits_for_its_end() {
    let (mut harness, mut sockets) = handing_out(|builder| builder);
    let mut polling = harness.polling(4).await;
    let (mut sink, mut socket) = sockets.recv().await.unwrap().split();
    sink.feed(text(0)).await.unwrap();
    let closing = tokio::spawn(async move { sink.close().await });
    settle().await;
    assert!(!closing.is_finished());
    assert_eq!(polling.poll().await, ["40", "1"]);
    assert_eq!(closing.await.unwrap(), Ok(()));
    assert_eq!(harness.end().await.disconnect.reason, Reason::LocalClose);
    assert_eq!(socket.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn closing_a_sink_fails_if_its_messages_were_not_passed_on() {
    let (mut harness, mut sockets) = handing_out(|builder| builder.close_timeout(ms(200)));
    let _polling = harness.polling(4).await;
    let (mut sink, _socket) = sockets.recv().await.unwrap().split();
    sink.feed(text(0)).await.unwrap();
    let closing = tokio::spawn(async move { sink.close().await });
    let end = harness.assert_ends(200, Reason::LocalClose).await;
    assert_eq!(closing.await.unwrap(), Err(SinkError::Ended(end)));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_dropped_or_done_keeps_no_waker() {
    let (harness, mut sockets) = handing_out(|builder| builder.outbox(1, 1_000_000));
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    let counted = Arc::new(Counted);
    let waker = Waker::from(Arc::clone(&counted));
    let mut cx = Context::from_waker(&waker);
    let mut dropped = socket.sender().sink();
    dropped.feed(text(0)).await.unwrap();
    assert!(Pin::new(&mut dropped).poll_flush(&mut cx).is_pending());
    assert_eq!(Arc::strong_count(&counted), 3, "the test's two and the session's");
    drop(dropped);
    assert_eq!(Arc::strong_count(&counted), 2);

    let mut done = pin!(socket.sender().sink());
    assert!(done.as_mut().poll_ready(&mut cx).is_pending());
    assert_eq!(polling.poll().await, ["40"]);
    settle().await;
    assert!(done.as_mut().poll_ready(&mut cx).is_ready());
    assert_eq!(Arc::strong_count(&counted), 2);
}
