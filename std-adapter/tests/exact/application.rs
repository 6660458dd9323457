//! The application is polled beside the I/O: slow, deaf, busy or broken, it never makes a live peer look silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use eio_core::Heartbeat;
use eio_core::settings::ServerSettings;
use eio_tokio::http::request::Parts;
use eio_tokio::{Admission, Message, Server, Socket, TrySendError};
use tokio::sync::Mutex;

use crate::support::{Harness, I, Reason, T, WebSocket, follow, handing_out, listen, ms, noting, traced};

#[tokio::test(start_paused = true)]
async fn b18_a_connect_handler_slower_than_ten_timeouts_delays_no_heartbeat() {
    let (builder, journal) = noting(|socket, journal| async move {
        tokio::time::sleep(T * 10).await;
        journal.note("connected");
        follow(socket, journal).await;
    });
    let mut harness = Harness::new(builder);
    let mut websocket = harness.websocket(4).await;
    websocket.send("4early").await;
    for ping in 1..10 {
        assert_eq!(websocket.text().await, "2");
        assert_eq!(harness.elapsed(), I * ping);
        websocket.send("3").await;
    }
    harness.assert_alive();
    assert_eq!(journal.read(), ["connected", "early"]);
}

#[tokio::test(start_paused = true)]
async fn b11_a_burst_from_the_connect_handler_does_not_disconnect() {
    let mut harness = Harness::new(Server::builder(|mut socket: Socket| async move {
        for number in 0..1_000 {
            socket.send(number.to_string()).await.unwrap();
        }
        let _ = socket.recv().await;
    }));
    let mut websocket = harness.websocket(4).await;
    for number in 0..1_000 {
        assert_eq!(websocket.text().await, format!("4{number}"));
    }
    let mut polling = harness.polling(4).await;
    let mut number = 0;
    while number < 1_000 {
        for packet in polling.poll().await {
            assert_eq!(packet, format!("4{number}"));
            number += 1;
        }
    }
    assert_eq!(harness.elapsed(), Duration::ZERO);
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn an_application_that_never_reads_ends_as_stalled_and_not_as_a_ping_timeout() {
    for transport in ["websocket", "polling"] {
        let (mut harness, mut sockets) = handing_out(|builder| builder.inbox(4, 1_000_000));
        // Held, and never read.
        let (_websocket, _polling);
        if transport == "websocket" {
            let mut websocket = harness.websocket(4).await;
            harness.at(100).await;
            for _ in 0..10 {
                websocket.send("4x").await;
            }
            _websocket = websocket;
        } else {
            let mut polling = harness.polling(4).await;
            harness.at(100).await;
            polling.begin_poll().await;
            let (query, body) = (polling.query(), polling.payload(&["4x"; 10]));
            polling.data.send_request("POST", &query, body.as_bytes()).await;
            _polling = polling;
        }
        let _socket = sockets.recv().await.unwrap();
        // The inbox is full at 100 ms. A ping at 300 ms stays unanswered, which is not judged.
        harness.assert_ends(600, Reason::ApplicationStalled).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_stall_timeout_is_a_setting() {
    let (mut harness, mut sockets) =
        handing_out(|builder| builder.inbox(1, 1_000).app_stall_timeout(ms(7_000)));
    let mut websocket = harness.websocket(4).await;
    websocket.send("4x").await;
    let _socket = sockets.recv().await.unwrap();
    harness.assert_ends(7_000, Reason::ApplicationStalled).await;
}

#[tokio::test(start_paused = true)]
async fn a_stall_timeout_that_settings_leave_open_follows_the_sessions_own_periods() {
    let own = Heartbeat::new(ms(2_000), ms(1_000)).unwrap();
    let (mut harness, mut sockets) = handing_out(|builder| {
        let admission = Admission::new().heartbeat(own);
        let allow = move |_: &Parts| core::future::ready(Ok(admission.clone()));
        builder.settings(ServerSettings::DEFAULT).allow_request(allow).inbox(1, 1_000)
    });
    let mut websocket = harness.websocket(4).await;
    websocket.send("4x").await;
    let _socket = sockets.recv().await.unwrap();
    harness.assert_ends(3_000, Reason::ApplicationStalled).await;
}

#[tokio::test(start_paused = true)]
async fn an_application_that_reads_in_time_finds_everything_and_silence_counts_from_then() {
    let (mut harness, mut sockets) = handing_out(|builder| builder.inbox(4, 1_000_000));
    let mut websocket = harness.websocket(4).await;
    for number in 0..10 {
        websocket.send(&format!("4{number}")).await;
    }
    let mut socket = sockets.recv().await.unwrap();
    // The ping of 300 ms is outstanding.
    harness.at(499).await;
    for number in 0..10 {
        assert_eq!(socket.recv().await.unwrap(), Message::text(number.to_string()));
    }
    // T after reading resumed, and once more because a message came: those in the tail were read after the ping.
    let end = harness.end().await;
    assert_eq!(end.disconnect.reason, Reason::PingTimeout);
    assert_eq!(end.at, ms(499) + T);
}

#[tokio::test(start_paused = true)]
async fn bytes_fill_the_inbox_as_messages_do() {
    let (mut harness, mut sockets) = handing_out(|builder| builder.inbox(1_000, 50_000));
    let mut websocket = harness.websocket(4).await;
    let message = format!("4{}", "x".repeat(10_000));
    let writing = tokio::spawn(async move {
        for _ in 0..100 {
            websocket.send(&message).await;
        }
        websocket
    });
    let mut socket = sockets.recv().await.unwrap();
    harness.at(200).await;
    assert!(!writing.is_finished(), "the server stopped reading");
    for _ in 0..100 {
        assert_eq!(socket.recv().await.unwrap().len(), 10_000);
    }
    assert!(writing.is_finished());
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn a_full_outbox_makes_send_wait_and_try_send_hand_the_message_back() {
    let (mut harness, mut sockets) = handing_out(|builder| builder.outbox(3, 1_000_000));
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    for number in 0..3 {
        socket.try_send(number.to_string()).unwrap();
    }
    let Err(TrySendError::Full(message)) = socket.try_send("3") else { panic!("there was room") };
    assert_eq!(message, Message::text("3"));
    let waiting = tokio::spawn({
        let sender = socket.sender();
        async move { sender.send(message).await }
    });
    harness.at(10).await;
    assert!(!waiting.is_finished());
    assert_eq!(polling.poll().await, ["40", "41", "42"]);
    assert_eq!(polling.poll().await, ["43"]);
    waiting.await.unwrap().unwrap();
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn bytes_fill_the_outbox_as_messages_do() {
    let (harness, mut sockets) = handing_out(|builder| builder.outbox(1_000, 100));
    let _polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    socket.try_send("x".repeat(99)).unwrap();
    socket.try_send("x".repeat(1_000)).unwrap();
    assert!(matches!(socket.try_send("x"), Err(TrySendError::Full(_))));
}

#[tokio::test(start_paused = true)]
async fn an_expired_session_takes_no_message_even_before_anybody_has_ended_it() {
    let (mut harness, mut sockets) = handing_out(|builder| builder);
    let _websocket = harness.websocket(4).await;
    let socket = sockets.recv().await.unwrap();
    harness.at(300).await;
    tokio::task::yield_now().await;
    socket.try_send("in time").unwrap();
    // The clock jumps beyond the deadline, as after a suspend, and no task has run since.
    tokio::time::advance(ms(10_000)).await;
    let refused = socket.try_send("too late");
    let Err(TrySendError::Refused(error)) = refused else { panic!("{refused:?}") };
    assert_eq!(error.message, Message::text("too late"));
    assert_eq!(harness.end().await.disconnect.reason, Reason::PingTimeout);
}

#[tokio::test(start_paused = true)]
async fn an_application_that_panics_ends_its_session_and_no_other() {
    let mut harness = Harness::new(Server::builder(|mut socket: Socket| async move {
        while let Ok(message) = socket.recv().await {
            socket.try_send("last words").unwrap();
            assert_ne!(message.as_text(), Some("panic"));
        }
    }));
    let mut other = harness.websocket(4).await;
    let mut websocket = harness.websocket(4).await;
    let mut polling = harness.polling(4).await;
    assert_eq!(harness.server.len(), 3);

    websocket.send("4panic").await;
    assert_eq!(websocket.text().await, "4last words");
    assert_eq!(websocket.next().await, crate::support::Received::Close(None));
    assert_eq!(harness.end().await.disconnect.reason, Reason::ApplicationPanicked);

    assert_eq!(polling.post(&["4panic"]).await.0, 200);
    assert_eq!(polling.poll().await, ["4last words", "1"]);
    assert_eq!(harness.end().await.disconnect.reason, Reason::ApplicationPanicked);

    other.send("4hello").await;
    assert_eq!(other.text().await, "4last words");
    assert_eq!(harness.server.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_application_that_panics_before_it_awaits_anything_ends_its_session_as_well() {
    let mut harness = Harness::new(Server::builder(|socket: Socket| {
        assert!(socket.peer_addr().is_some(), "no address");
        async {}
    }));
    let mut websocket = harness.connect().upgrade(4, None).await;
    assert!(websocket.text().await.starts_with('0'));
    assert_eq!(websocket.next().await, crate::support::Received::Close(None));
    harness.assert_ends(0, Reason::ApplicationPanicked).await;
}

#[tokio::test(start_paused = true)]
async fn dropping_the_socket_closes_the_session() {
    let mut harness = Harness::new(Server::builder(|socket: Socket| async move {
        socket.try_send("bye").unwrap();
    }));
    let mut websocket = harness.websocket(4).await;
    assert_eq!(websocket.text().await, "4bye");
    assert_eq!(websocket.next().await, crate::support::Received::Close(None));
    harness.assert_ends(0, Reason::LocalClose).await;
}

#[tokio::test(start_paused = true)]
async fn a_sender_outlives_its_session_and_says_so() {
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let mut harness = Harness::new(Server::builder(move |socket: Socket| {
        let keep = Arc::clone(&keep);
        async move {
            *keep.lock().await = Some(socket.sender());
            listen(socket).await;
        }
    }));
    let websocket = harness.websocket(4).await;
    tokio::task::yield_now().await;
    let sender = kept.lock().await.take().unwrap();
    sender.send("hello").await.unwrap();
    drop(websocket);
    harness.assert_ends(0, Reason::TransportClosed).await;
    assert_eq!(sender.closed().await.reason, Reason::TransportClosed);
    let error = sender.send("nobody").await.unwrap_err();
    assert_eq!(error.message, Message::text("nobody"));
    assert!(matches!(sender.try_send("nobody"), Err(TrySendError::Refused(_))));
    sender.close();
    assert_eq!(sender.closed().await.reason, Reason::TransportClosed);
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_outlives_session_and_socket_keeps_no_messages() {
    for drops_first in [true, false] {
        let (mut harness, mut sockets) = handing_out(|builder| builder);
        let mut polling = harness.polling(4).await;
        let mut socket = sockets.recv().await.unwrap();
        let sender = socket.sender();
        let ((first, first_trace), (second, second_trace)) = (traced(), traced());
        socket.try_send(first).unwrap();
        socket.try_send(second).unwrap();
        assert_eq!(polling.post(&["4hello"]).await.0, 200);
        if drops_first {
            drop(socket);
            harness.end().await;
        } else {
            assert_eq!(harness.end().await.disconnect.unsent, 2);
            // A socket still has what came in before the end, and what was not sent.
            assert_eq!(socket.recv().await, Ok("hello".into()));
            assert!(first_trace.upgrade().is_some() && second_trace.upgrade().is_some());
            drop(socket);
        }
        assert!(first_trace.upgrade().is_none() && second_trace.upgrade().is_none(), "{drops_first}");
        assert!(sender.try_send("nobody").is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_of_a_session_that_never_opened_keeps_no_messages() {
    let mut harness = Harness::new(Server::builder(listen));
    // The answer that opens it does not fit.
    let mut connection = harness.connect_with_room(16);
    tokio::spawn(async move {
        connection.send_upgrade(4, None).await;
        core::future::pending::<()>().await;
    });
    while harness.server.is_empty() {
        tokio::time::sleep(ms(1)).await;
    }
    let sender = harness.server.sessions().pop().unwrap();
    let (message, trace) = traced();
    sender.try_send(message).unwrap();
    assert!(trace.upgrade().is_some());
    assert_eq!(harness.end().await.disconnect.unsent, 1);
    crate::support::settle().await;
    assert!(trace.upgrade().is_none());
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn packets_that_never_fill_the_inbox_do_not_keep_the_application_from_its_turn() {
    const FLOOD: usize = 2 * 1024 * 1024;
    let turns = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&turns);
    let harness = Harness::new(Server::builder(move |mut socket: Socket| {
        let turns = Arc::clone(&counted);
        async move {
            let mut received = Box::pin(socket.recv());
            // Wants a turn whenever there is one.
            let message = core::future::poll_fn(|cx| {
                turns.fetch_add(1, Ordering::Relaxed);
                cx.waker().wake_by_ref();
                received.as_mut().poll(cx)
            })
            .await;
            drop(received);
            assert_eq!(message, Ok("the end of the flood".into()));
            listen(socket).await;
        }
    }));
    let mut websocket = harness.connect_with_room(2 * FLOOD).upgrade(4, None).await;
    let pong = WebSocket::frame(eio_core::ws::OpCode::Text, b"3");
    let flood = pong.repeat(FLOOD / pong.len());
    let before = turns.load(Ordering::Relaxed);
    websocket.connection.write(&flood).await;
    websocket.send("4the end of the flood").await;
    crate::support::settle().await;
    let meanwhile = turns.load(Ordering::Relaxed) - before;
    // One for each quarter of a megabyte, at least.
    assert!(meanwhile >= FLOOD / (256 * 1024), "{meanwhile} turns");
    assert_eq!(harness.server.len(), 1);
}
