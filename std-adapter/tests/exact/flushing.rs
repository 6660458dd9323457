//! Flushing: a session says when the messages that were sent are on their way, and when they never will be.

use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use eio_tokio::{Disconnect, Sender, ServerBuilder, Socket};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::task::JoinHandle;

use crate::cancellation::cuts;
use crate::support::{
    Harness, NARROW, Reason, Received, WebSocket, handing_out, kilobyte, ms, noting, settle,
};
use crate::wakers::Counted;

/// Flushes in a task, which has begun.
async fn flushing(sender: Sender) -> JoinHandle<Result<(), Disconnect>> {
    let flush = tokio::spawn(async move { sender.flush().await });
    settle().await;
    flush
}

#[tokio::test(start_paused = true)]
async fn on_a_websocket_a_flush_waits_until_the_connection_has_taken_every_message() {
    let (harness, mut sockets) = handing_out(|builder| builder);
    let mut websocket = harness.websocket_with_room(NARROW).await;
    let socket = sockets.recv().await.unwrap();
    for letter in ["a", "b", "c"] {
        socket.try_send(kilobyte(letter)).unwrap();
    }
    let flush = flushing(socket.sender()).await;
    for letter in ["a", "b"] {
        assert!(!flush.is_finished(), "before {letter}");
        assert_eq!(websocket.text().await, format!("4{}", kilobyte(letter)));
        settle().await;
    }
    assert_eq!(flush.await.unwrap(), Ok(()));
    assert_eq!(websocket.text().await, format!("4{}", kilobyte("c")));
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_sent_later_do_not_prolong_a_flush() {
    let (harness, mut sockets) = handing_out(|builder| builder);
    let mut websocket = harness.websocket_with_room(NARROW).await;
    let socket = sockets.recv().await.unwrap();
    // More than the session writes at once.
    let large = "a".repeat(20_000);
    socket.try_send(large.clone()).unwrap();
    let flush = flushing(socket.sender()).await;
    socket.try_send(large.clone()).unwrap();
    socket.try_send(large.clone()).unwrap();
    settle().await;
    assert!(!flush.is_finished());
    assert_eq!(websocket.text().await, format!("4{large}"));
    settle().await;
    assert!(flush.is_finished(), "two messages are still to be written");
    let all = flushing(socket.sender()).await;
    assert_eq!(websocket.text().await, format!("4{large}"));
    settle().await;
    assert!(!all.is_finished());
    assert_eq!(websocket.text().await, format!("4{large}"));
    assert_eq!(all.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_flush_without_messages_is_ready_at_once_also_after_the_end() {
    let (mut harness, mut sockets) = handing_out(|builder| builder);
    for on_polling in [false, true] {
        let (mut websocket, mut polling) = (None, None);
        if on_polling {
            polling = Some(harness.polling(4).await);
        } else {
            websocket = Some(harness.websocket(4).await);
        }
        let socket = sockets.recv().await.unwrap();
        assert_eq!(socket.flush().await, Ok(()));
        socket.try_send("hello").unwrap();
        match (&mut websocket, &mut polling) {
            (Some(websocket), _) => assert_eq!(websocket.text().await, "4hello"),
            (_, Some(polling)) => assert_eq!(polling.poll().await, ["4hello"]),
            _ => unreachable!(),
        }
        assert_eq!(socket.flush().await, Ok(()));
        // Nobody answers the ping.
        harness.end().await;
        assert_eq!(socket.flush().await, Ok(()), "nothing was lost");
    }
}

#[tokio::test(start_paused = true)]
async fn the_application_flushes_in_the_sessions_own_task() {
    let (builder, journal) = noting(|socket, journal| async move {
        for number in 0..3 {
            socket.send(number.to_string().repeat(2_000)).await.unwrap();
            socket.flush().await.unwrap();
            journal.note(format!("flushed {number}"));
        }
        socket.closed().await;
    });
    let harness = Harness::new(builder);
    let mut websocket = harness.websocket_with_room(NARROW).await;
    for number in 0..3 {
        settle().await;
        assert_eq!(journal.read().len(), number);
        assert_eq!(websocket.text().await, format!("4{}", number.to_string().repeat(2_000)));
    }
    settle().await;
    assert_eq!(journal.read(), ["flushed 0", "flushed 1", "flushed 2"]);
}

#[tokio::test(start_paused = true)]
async fn on_polling_a_flush_waits_for_the_answer_that_carries_the_last_message() {
    let (harness, mut sockets) = handing_out(|builder| builder.max_packets_per_payload(2));
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    for number in 0..3 {
        socket.try_send(number.to_string()).unwrap();
    }
    let flush = flushing(socket.sender()).await;
    assert_eq!(polling.poll().await, ["40", "41"]);
    settle().await;
    assert!(!flush.is_finished());
    assert_eq!(polling.poll().await, ["42"]);
    assert_eq!(flush.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_polls_keeps_a_flush_waiting_until_the_session_ends() {
    let (mut harness, mut sockets) = handing_out(|builder| builder);
    let _polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    socket.try_send("hello").unwrap();
    let flush = flushing(socket.sender()).await;
    harness.at(499).await;
    assert!(!flush.is_finished());
    let end = harness.assert_ends(500, Reason::PingTimeout).await;
    assert_eq!(flush.await.unwrap(), Err(end.clone()));
    assert_eq!(socket.flush().await, Err(end), "also for those who ask later");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_keeps_a_flush_waiting_until_the_session_ends() {
    let (mut harness, mut sockets) = handing_out(|builder| builder);
    let _websocket = harness.websocket_with_room(NARROW).await;
    let mut socket = sockets.recv().await.unwrap();
    socket.try_send(kilobyte("a")).unwrap();
    let flush = flushing(socket.sender()).await;
    harness.at(499).await;
    assert!(!flush.is_finished());
    let end = harness.assert_ends(500, Reason::PingTimeout).await;
    assert_eq!(flush.await.unwrap(), Err(end.clone()));
    // Whoever takes the message back, or drops the socket, does not make it one that has left.
    assert_eq!(socket.take_unsent().len(), 1);
    assert_eq!(socket.flush().await, Err(end.clone()));
    let sender = socket.sender();
    drop(socket);
    assert_eq!(sender.flush().await, Err(end));
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_begins_on_polling_is_ready_once_the_websocket_has_the_message() {
    let (harness, mut sockets) = handing_out(|builder| builder);
    let polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    socket.try_send("hello").unwrap();
    let flush = flushing(socket.sender()).await;
    let mut websocket = harness.probed(&polling).await;
    settle().await;
    assert!(!flush.is_finished());
    websocket.send("5").await;
    assert_eq!(websocket.text().await, "4hello");
    assert_eq!(flush.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_closing_session_flushes_what_was_sent_before() {
    let (mut harness, mut sockets) = handing_out(|builder| builder);
    let mut websocket = harness.websocket(4).await;
    let socket = sockets.recv().await.unwrap();
    socket.try_send("bye").unwrap();
    socket.close();
    assert_eq!(socket.flush().await, Ok(()));
    assert_eq!(websocket.text().await, "4bye");
    assert_eq!(websocket.next().await, Received::Close(None));
    assert_eq!(harness.end().await.disconnect.reason, Reason::LocalClose);

    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    socket.try_send("bye").unwrap();
    socket.close();
    let flush = flushing(socket.sender()).await;
    assert!(!flush.is_finished());
    // The session ends with this answer, before the HTTP server has it.
    assert_eq!(polling.poll().await, ["4bye", "1"]);
    assert_eq!(harness.end().await.disconnect.reason, Reason::LocalClose);
    assert_eq!(flush.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_closing_session_whose_client_takes_nothing_flushes_until_its_close_timeout() {
    let (mut harness, mut sockets) = handing_out(|builder| builder.close_timeout(ms(200)));
    let _polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    socket.try_send("bye").unwrap();
    socket.close();
    let flush = flushing(socket.sender()).await;
    let end = harness.assert_ends(200, Reason::LocalClose).await;
    assert_eq!(end.unsent, 1);
    assert_eq!(flush.await.unwrap(), Err(end));
}

#[tokio::test(start_paused = true)]
async fn a_message_in_an_answer_that_is_never_written_has_not_been_passed_on() {
    let (mut harness, mut sockets) = handing_out(|builder| builder);
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    polling.begin_poll().await;
    // The client goes away while the answer is on its way to the HTTP server.
    socket.try_send("hello").unwrap();
    polling.poll = harness.connect();
    let flush = flushing(socket.sender()).await;
    let end = harness.end().await.disconnect;
    assert_eq!(end.reason, Reason::TransportError);
    assert_eq!(flush.await.unwrap(), Err(end));
}

#[tokio::test(start_paused = true)]
async fn the_initial_packet_does_not_stand_in_for_a_message_that_was_sent_before_the_opening() {
    let (harness, mut sockets) = handing_out(|builder| builder.initial_packet(kilobyte("i")));
    let mut connection = harness.connect_with_room(64);
    connection.send_upgrade(4, None).await;
    settle().await;
    let sender = harness.server.sessions().pop().unwrap();
    sender.try_send(kilobyte("a")).unwrap();
    let flush = flushing(sender).await;
    assert_eq!(connection.response().await.0, 101);
    let mut websocket = connection.into_websocket();
    assert!(websocket.text().await.starts_with('0'));
    assert_eq!(websocket.text().await, format!("4{}", kilobyte("i")));
    settle().await;
    assert!(!flush.is_finished());
    assert_eq!(websocket.text().await, format!("4{}", kilobyte("a")));
    assert_eq!(flush.await.unwrap(), Ok(()));
    drop(sockets.recv().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_flush_loses_nothing_and_the_next_one_waits_again() {
    for cut in cuts().filter(|cut| cut.polls > 0) {
        let (harness, mut sockets) = handing_out(|builder| builder);
        let mut websocket = harness.websocket_with_room(NARROW).await;
        let socket = sockets.recv().await.unwrap();
        let sending = tokio::spawn(async move {
            for number in 0..10 {
                socket.send(kilobyte(&number.to_string())).await.unwrap();
                while cut.apply(socket.flush()).await.is_none() {
                    tokio::time::sleep(ms(1)).await;
                }
            }
            socket
        });
        for number in 0..10 {
            tokio::time::sleep(ms(2)).await;
            assert_eq!(websocket.text().await, format!("4{}", kilobyte(&number.to_string())), "{cut:?}");
        }
        drop(sending.await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_flush_keeps_no_waker() {
    let (harness, mut sockets) = handing_out(|builder| builder);
    let _polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    socket.try_send("hello").unwrap();
    let counted = Arc::new(Counted);
    let waker = Waker::from(Arc::clone(&counted));
    {
        let mut flush = pin!(socket.flush());
        assert!(flush.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(Arc::strong_count(&counted), 3, "the test's two and the session's");
    }
    assert_eq!(Arc::strong_count(&counted), 2);
}

/// A pipe that keeps what is written until it may be flushed, as TLS may.
struct Keeping {
    pipe: DuplexStream,
    kept: Vec<u8>,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    is_open: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Gate {
    fn open(&self) {
        self.is_open.store(true, Ordering::SeqCst);
        if let Some(waker) = self.waker.lock().unwrap().take() {
            waker.wake();
        }
    }
}

impl AsyncRead for Keeping {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl AsyncWrite for Keeping {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.kept.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { pipe, kept, gate } = &mut *self;
        if !kept.is_empty() && !gate.is_open.load(Ordering::SeqCst) {
            *gate.waker.lock().unwrap() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        while !kept.is_empty() {
            match Pin::new(&mut *pipe).poll_write(cx, kept) {
                Poll::Ready(written) => drop(kept.drain(..written?)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// A session on a WebSocket whose stream keeps what is written until the gate opens.
async fn above_a_gate(build: fn(ServerBuilder) -> ServerBuilder) -> (Arc<Gate>, WebSocket, Socket) {
    let (harness, mut sockets) = handing_out(build);
    let gate = Arc::new(Gate::default());
    gate.open();
    let (near, far) = tokio::io::duplex(64 * 1024);
    let keeping = Keeping { pipe: far, kept: Vec::new(), gate: Arc::clone(&gate) };
    let mut websocket = harness.connect_over(near, keeping).upgrade(4, None).await;
    assert!(websocket.text().await.starts_with('0'));
    let socket = sockets.recv().await.unwrap();
    gate.is_open.store(false, Ordering::SeqCst);
    (gate, websocket, socket)
}

#[tokio::test(start_paused = true)]
async fn a_message_in_the_buffer_of_a_stream_above_the_kernel_has_left_its_room() {
    let (_gate, _websocket, socket) = above_a_gate(|builder| builder.outbox(1, 1_000)).await;
    socket.try_send("hello").unwrap();
    let mut send = pin!(socket.send("and this"));
    assert!(send.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(), "the outbox is full");
    assert_eq!(tokio::time::timeout(ms(100), send).await, Ok(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn a_message_in_the_buffer_of_a_stream_above_the_kernel_has_not_been_passed_on() {
    let (gate, mut websocket, socket) = above_a_gate(|builder| builder).await;
    socket.try_send("hello").unwrap();
    let flush = flushing(socket.sender()).await;
    assert!(!flush.is_finished());
    assert!(!socket.send_volatile("and this"), "the stream takes nothing");
    gate.open();
    assert_eq!(flush.await.unwrap(), Ok(()));
    assert_eq!(websocket.text().await, "4hello");
}
