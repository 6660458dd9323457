//! The application's end of a session: it runs, once, always, and a shutdown waits for it.

use core::future::pending;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use eio_tokio::test_util::Network;
use eio_tokio::{CutOff, Server, ServerBuilder, Socket};
use tokio::time::Instant;

use crate::support::{Harness, Journal, Reason, listen, ms, noting, settle};

/// Notes every session's end, after a while.
fn noting_ends(builder: ServerBuilder, journal: &Journal, takes: u64) -> ServerBuilder {
    let journal = journal.clone();
    builder.on_disconnect(move |session, end| {
        let journal = journal.clone();
        async move {
            assert!(session.try_send("too late").is_err());
            tokio::time::sleep(ms(takes)).await;
            journal.note(format!("disconnect: {:?}", end.reason));
        }
    })
}

fn cut(cut: CutOff) -> (usize, usize, usize) {
    (cut.sessions, cut.applications, cut.connections)
}

/// Writes to a database when its session has ended.
async fn writes_at_the_end(mut socket: Socket, journal: Journal) {
    while socket.recv().await.is_ok() {}
    tokio::time::sleep(ms(300)).await;
    journal.note("written");
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_what_applications_do_at_the_end() {
    let (builder, journal) = noting(writes_at_the_end);
    let harness = Harness::new(noting_ends(builder, &journal, 50));
    harness.websocket(4).await.leave_with_server();
    settle().await;
    assert!(harness.server.shutdown(ms(5_000)).await.is_empty());
    assert_eq!(journal.read(), ["written", "disconnect: LocalClose"]);
    assert_eq!(harness.elapsed(), ms(350));
}

#[tokio::test(start_paused = true)]
async fn on_disconnect_runs_once_after_every_end() {
    for way in ["return", "panic", "peer", "silence", "callback"] {
        let (builder, journal) = noting(|mut socket: Socket, journal: Journal| async move {
            while let Ok(message) = socket.recv().await {
                match message.as_text() {
                    Some("return") => return,
                    text => assert_ne!(text, Some("panic")),
                }
            }
            journal.note("seen");
        });
        let mut harness = Harness::new(noting_ends(builder, &journal, 0));
        let mut websocket = harness.websocket(4).await;
        match way {
            "return" | "panic" => websocket.send(&format!("4{way}")).await,
            "peer" => websocket.send("1").await,
            "callback" => harness.server.sessions()[0].close(),
            _ => {}
        }
        let reason = harness.end().await.disconnect.reason;
        drop(websocket);
        settle().await;
        let expected = match way {
            "panic" => Reason::ApplicationPanicked,
            "peer" => Reason::PeerClose,
            "silence" => Reason::PingTimeout,
            _ => Reason::LocalClose,
        };
        assert_eq!(reason, expected, "{way}");
        let told = format!("disconnect: {expected:?}");
        match way {
            "return" | "panic" => assert_eq!(journal.read(), [told], "{way}"),
            // Last of all.
            _ => assert_eq!(journal.read(), ["seen".to_owned(), told], "{way}"),
        }
        assert!(harness.server.shutdown(ms(1_000)).await.is_empty(), "{way}");
    }
}

#[tokio::test(start_paused = true)]
async fn on_disconnect_runs_for_a_session_whose_application_never_started() {
    let (builder, journal) = noting(|socket, journal| async move {
        journal.note("started");
        listen(socket).await;
    });
    let mut harness = Harness::new(noting_ends(builder, &journal, 0));
    let mut connection = harness.connect_with_room(16);
    tokio::time::timeout(ms(1), connection.send_upgrade(4, None)).await.unwrap();
    harness.assert_ends(500, Reason::PingTimeout).await;
    settle().await;
    assert_eq!(journal.read(), ["disconnect: PingTimeout"]);
}

#[tokio::test(start_paused = true)]
async fn an_on_disconnect_that_panics_harms_nobody() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let builder = Server::builder(listen).on_disconnect(move |_, end| {
        let call = counted.fetch_add(1, Ordering::Relaxed);
        assert_ne!(call, 0, "called");
        async move { assert_ne!(end.reason, Reason::PeerClose, "polled") }
    });
    let mut harness = Harness::new(builder);
    for _ in 0..3 {
        let mut websocket = harness.websocket(4).await;
        websocket.send("1").await;
        assert_eq!(harness.end().await.disconnect.reason, Reason::PeerClose);
    }
    settle().await;
    assert_eq!(calls.load(Ordering::Relaxed), 3);
    assert!(harness.server.shutdown(ms(100)).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_application_that_does_not_end_is_cut_off_and_on_disconnect_still_runs() {
    let (builder, journal) = noting(|socket: Socket, _| async move {
        let _held = socket;
        pending::<()>().await;
    });
    let harness = Harness::new(noting_ends(builder, &journal, 10));
    harness.websocket(4).await.leave_with_server();
    settle().await;
    assert_eq!(cut(harness.server.shutdown(ms(1_000)).await), (0, 1, 0));
    assert_eq!(journal.read(), ["disconnect: LocalClose"]);
    assert_eq!(harness.elapsed(), ms(760));
}

#[tokio::test(start_paused = true)]
async fn an_on_disconnect_that_does_not_end_is_counted_at_the_limit() {
    let builder = Server::builder(listen).on_disconnect(|_, _| pending());
    let harness = Harness::new(builder);
    harness.websocket(4).await.leave_with_server();
    settle().await;
    assert_eq!(cut(harness.server.shutdown(ms(1_000)).await), (0, 1, 0));
    assert_eq!(harness.elapsed(), ms(1_000));
}

#[tokio::test(start_paused = true)]
async fn a_vanished_client_leaves_its_application_a_quarter_of_the_limit() {
    let (builder, journal) = noting(|mut socket: Socket, journal: Journal| async move {
        while socket.recv().await.is_ok() {}
        tokio::time::sleep(ms(190)).await;
        journal.note("written");
    });
    let harness = Harness::new(noting_ends(builder.close_timeout(ms(60_000)), &journal, 0));
    // It never asks again.
    let _polling = harness.polling(4).await;
    settle().await;
    assert_eq!(cut(harness.server.shutdown(ms(800)).await), (1, 0, 0));
    assert_eq!(journal.read(), ["written", "disconnect: LocalClose"]);
    assert_eq!(harness.elapsed(), ms(590));
}

#[tokio::test(start_paused = true)]
async fn a_close_timeout_shorter_than_the_limit_ends_a_session_that_nobody_fetches() {
    let (builder, journal) = noting(writes_at_the_end);
    let harness = Harness::new(noting_ends(builder.close_timeout(ms(100)), &journal, 0));
    let _polling = harness.polling(4).await;
    settle().await;
    assert!(harness.server.shutdown(ms(2_000)).await.is_empty());
    assert_eq!(harness.elapsed(), ms(400));
}

#[tokio::test(start_paused = true)]
async fn applications_that_panic_while_the_server_closes_are_not_waited_for() {
    let (builder, journal) = noting(|mut socket: Socket, _| async move {
        while socket.recv().await.is_ok() {}
        panic!("as the test wants it");
    });
    let harness = Harness::new(noting_ends(builder, &journal, 0));
    harness.websocket(4).await.leave_with_server();
    settle().await;
    assert!(harness.server.shutdown(ms(1_000)).await.is_empty());
    assert_eq!(journal.read(), ["disconnect: LocalClose"], "the session had ended before");
    assert_eq!(harness.elapsed(), ms(0));
}

#[tokio::test(start_paused = true)]
async fn a_second_shutdown_waits_for_the_same_end_and_the_shorter_limit_holds() {
    for (first, second, ends) in [(10_000, 200, 150), (200, 10_000, 150), (10_000, 10_000, 300)] {
        let (builder, journal) = noting(writes_at_the_end);
        let harness = Harness::new(builder);
        harness.websocket(4).await.leave_with_server();
        settle().await;
        let other = harness.server.clone();
        let (one, two) = tokio::join!(harness.server.shutdown(ms(first)), other.shutdown(ms(second)));
        assert_eq!(harness.elapsed(), ms(ends), "{first} {second}");
        let cut_off = one.applications + two.applications;
        assert_eq!(cut_off, usize::from(ends < 300), "{first} {second}");
        assert_eq!(journal.read().len(), usize::from(ends == 300), "{first} {second}");
        assert!(harness.server.shutdown(ms(1)).await.is_empty(), "nothing is left");
    }
}

#[test]
fn serving_ends_with_the_limit_of_the_shutdown_although_a_sessions_task_is_stuck() {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    // The sessions' tasks run on a runtime that stands still.
    let (stuck, running) = (runtime(), runtime());
    let (harness, _websocket) = stuck.block_on(async {
        let harness = Harness::patient(Server::builder(listen));
        let websocket = harness.websocket(4).await;
        (harness, websocket)
    });
    running.block_on(async {
        let start = Instant::now();
        let serving = harness.server.serve(Network::new().listen());
        let ending = async { tokio::join!(serving, harness.server.shutdown(ms(800))) };
        let (served, cut_off) = tokio::time::timeout(ms(10_000), Box::pin(ending)).await.expect("it ends");
        served.unwrap();
        assert_eq!(cut(cut_off), (1, 0, 0));
        assert_eq!(start.elapsed(), ms(800));
    });
}

#[tokio::test(start_paused = true)]
async fn a_dropped_shutdown_lets_applications_end_by_themselves() {
    let (builder, journal) = noting(writes_at_the_end);
    let harness = Harness::new(noting_ends(builder, &journal, 0));
    harness.websocket(4).await.leave_with_server();
    settle().await;
    assert!(tokio::time::timeout(ms(10), harness.server.shutdown(ms(50))).await.is_err());
    harness.at(1_000).await;
    assert_eq!(journal.read(), ["written", "disconnect: LocalClose"]);
    assert!(harness.server.shutdown(ms(1)).await.is_empty());
}
