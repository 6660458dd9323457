//! Servers that take their time to answer a request to join, and applications that do so to prove who they are.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;

use eio_socketio::client::{ClientBuilder, Credentials, Incoming, JoinError, RecvError};
use eio_socketio::engine::{self, test_util::Network};
use eio_socketio::{AckError, EmitError};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::scripted::{expect, quick, say};
use crate::support::{args, event, next, soon};

/// A client, and a server in memory that serves its sessions by a script.
fn client_of<F, R>(script: F) -> ClientBuilder
where
    F: Fn(engine::Socket) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let server = engine::Server::builder(script).path("/socket.io/").build().unwrap();
    let network = Network::new();
    let (listener, link) = (network.listen(), network.link());
    tokio::spawn(async move { server.serve(listener).await });
    quick("http://server.test".to_owned()).engine(move |engine| engine.link(&link))
}

#[tokio::test(start_paused = true)]
async fn an_event_that_waits_for_a_rejoin_is_refused_when_nobody_answers_it() {
    let client = client_of(|mut socket| async move {
        expect(&mut socket, "0/other,").await;
        say(&socket, r#"0/other,{"sid":"other"}"#).await;
        expect(&mut socket, "0").await;
        say(&socket, r#"0{"sid":"one"}"#).await;
        say(&socket, "1").await;
        while socket.recv().await.is_ok() {}
    });
    let client = client.connect_timeout(Duration::from_millis(300)).build().unwrap();
    // It keeps the connection.
    let _other = soon(client.join("/other")).await.unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
    let emitter = socket.emitter();
    let sent = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        while emitter.emit("filler", "x".repeat(1024)).is_ok() {}
        emitter.send("waits", ()).await
    };
    let (rejoined, sent) = Box::pin(soon(async { tokio::join!(socket.rejoin(), sent) })).await;
    assert!(matches!(rejoined, Err(JoinError::Timeout)));
    assert_eq!(sent, Err(EmitError::Disconnected));
}

#[tokio::test(start_paused = true)]
async fn a_request_to_join_after_a_reconnect_is_given_up_in_time() {
    let (sessions, late) = (AtomicUsize::new(0), Arc::new(Notify::new()));
    let answers = Arc::clone(&late);
    let client = client_of(move |mut socket| {
        let (session, late) = (sessions.fetch_add(1, Ordering::Relaxed), Arc::clone(&late));
        async move {
            expect(&mut socket, "0/other,").await;
            say(&socket, r#"0/other,{"sid":"other"}"#).await;
            expect(&mut socket, "0").await;
            if session == 0 {
                say(&socket, r#"0{"sid":"one"}"#).await;
                return;
            }
            late.notified().await;
            say(&socket, r#"0{"sid":"late"}"#).await;
            expect(&mut socket, "1").await;
            expect(&mut socket, "0").await;
            say(&socket, r#"0{"sid":"again"}"#).await;
            while socket.recv().await.is_ok() {}
        }
    });
    let client = client.connect_timeout(Duration::from_millis(300)).build().unwrap();
    let _other = soon(client.join("/other")).await.unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
    assert!(matches!(next(&mut socket).await, Incoming::ConnectError(JoinError::Timeout)));
    assert!(matches!(soon(socket.recv()).await, Err(RecvError::NotJoined(JoinError::Timeout))));
    answers.notify_one();
    soon(socket.rejoin()).await.unwrap();
    assert_eq!(socket.id().as_deref(), Some("again"));
}

#[tokio::test(start_paused = true)]
async fn a_request_to_join_with_credentials_that_are_asked_for_is_given_up_in_time() {
    let sessions = AtomicUsize::new(0);
    let client = client_of(move |mut socket| {
        let session = sessions.fetch_add(1, Ordering::Relaxed);
        async move {
            expect(&mut socket, r#"0{"t":1}"#).await;
            if session == 0 {
                say(&socket, r#"0{"sid":"one"}"#).await;
                return;
            }
            while socket.recv().await.is_ok() {}
        }
    });
    let credentials = Credentials::asked(async || Ok::<_, std::io::Error>(serde_json::json!({ "t": 1 })));
    let client = client.auth(credentials).connect_timeout(Duration::from_millis(300)).build().unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
    assert!(matches!(next(&mut socket).await, Incoming::ConnectError(JoinError::Timeout)));
}

#[tokio::test(start_paused = true)]
async fn a_rejoin_that_nobody_waits_for_any_more_is_given_up_in_time() {
    let client = client_of(|mut socket| async move {
        expect(&mut socket, "0/other,").await;
        say(&socket, r#"0/other,{"sid":"other"}"#).await;
        expect(&mut socket, "0").await;
        say(&socket, r#"0{"sid":"one"}"#).await;
        say(&socket, "1").await;
        while socket.recv().await.is_ok() {}
    });
    let client = client.connect_timeout(Duration::from_millis(300)).build().unwrap();
    // It keeps the connection.
    let _other = soon(client.join("/other")).await.unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
    let rejoin = tokio::time::timeout(Duration::from_millis(200), socket.rejoin()).await;
    assert!(rejoin.is_err(), "the server does not answer");
    assert!(matches!(next(&mut socket).await, Incoming::ConnectError(JoinError::Timeout)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_waits_for_room_in_an_inbox_is_not_late() {
    let sessions = AtomicUsize::new(0);
    let client = client_of(move |mut socket| {
        let session = sessions.fetch_add(1, Ordering::Relaxed);
        async move {
            expect(&mut socket, "0").await;
            if session > 0 {
                // They fill the inbox, with the end of the first session.
                say(&socket, r#"2["missed"]"#).await;
                say(&socket, r#"2["missed"]"#).await;
            }
            say(&socket, r#"0{"sid":"one"}"#).await;
            if session > 0 {
                while socket.recv().await.is_ok() {}
            }
        }
    });
    let client = client.inbox(3, 1_000).connect_timeout(Duration::from_millis(100)).build().unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
    assert!(args(&mut socket, "missed").await.is_empty());
    assert!(args(&mut socket, "missed").await.is_empty());
    let found = next(&mut socket).await;
    assert!(matches!(found, Incoming::Connected { .. }), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_behind_the_full_inbox_of_another_namespace_is_not_late() {
    let client = client_of(|mut socket| async move {
        expect(&mut socket, "0/full,").await;
        say(&socket, r#"0/full,{"sid":"full"}"#).await;
        say(&socket, r#"2/full,["first"]"#).await;
        say(&socket, r#"2/full,["second"]"#).await;
        for _ in 0..2 {
            expect(&mut socket, "0").await;
            say(&socket, r#"0{"sid":"one"}"#).await;
            say(&socket, "1").await;
        }
        while socket.recv().await.is_ok() {}
    });
    let client = client.inbox(2, 1_000).connect_timeout(Duration::from_millis(100)).build().unwrap();
    let mut full = soon(client.join("/full")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let receives = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(args(&mut full, "first").await.is_empty());
    };
    let (joined, ()) = Box::pin(soon(async { tokio::join!(client.join("/"), receives) })).await;
    let mut socket = joined.unwrap();
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
    soon(socket.rejoin()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fills_the_inbox_of_who_joins_and_is_lost_does_not_keep_the_join_waiting_for_ever() {
    let sessions = AtomicUsize::new(0);
    let client = client_of(move |mut socket| {
        let session = sessions.fetch_add(1, Ordering::Relaxed);
        async move {
            expect(&mut socket, "0").await;
            say(&socket, r#"2["too early"]"#).await;
            if session > 0 {
                while socket.recv().await.is_ok() {}
            }
        }
    });
    let client = client.inbox(1, 1_000).connect_timeout(Duration::from_millis(300)).build().unwrap();
    let joined = soon(client.join("/")).await;
    assert!(matches!(joined, Err(JoinError::Timeout)), "{joined:?}");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_goes_on_when_an_event_that_waits_is_given_up() {
    let sessions = AtomicUsize::new(0);
    let client = client_of(move |mut socket| {
        let session = sessions.fetch_add(1, Ordering::Relaxed);
        async move {
            expect(&mut socket, "0").await;
            if session == 0 {
                say(&socket, r#"0{"sid":"one"}"#).await;
                return;
            }
            // It does not answer.
            while socket.recv().await.is_ok() {}
        }
    });
    let mut socket = soon(client.buffer_while_away(1, 1_000).build().unwrap().join("/")).await.unwrap();
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
    let given_up = socket.emit_with_ack::<String>("asks", ()).timeout(Duration::from_millis(500));
    let (start, emitter) = (Instant::now(), socket.emitter());
    let (given_up, sent) = Box::pin(soon(async { tokio::join!(given_up, emitter.send("waits", ())) })).await;
    assert_eq!((given_up, sent), (Err(AckError::Timeout), Ok(())));
    assert_eq!(start.elapsed(), Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn a_question_for_which_no_event_has_room_is_asked_once_one_before_it_is_given_up() {
    let client = client_of(|mut socket| async move {
        expect(&mut socket, "0").await;
        say(&socket, r#"0{"sid":"one"}"#).await;
        expect(&mut socket, r#"20["first"]"#).await;
        expect(&mut socket, r#"21["second"]"#).await;
        expect(&mut socket, r#"22["third"]"#).await;
        say(&socket, r#"32["answer"]"#).await;
        while socket.recv().await.is_ok() {}
    });
    let client = client.retries(0, Duration::from_millis(500)).buffer_while_away(1, 1_000).build().unwrap();
    let socket = soon(client.join("/")).await.unwrap();
    socket.emit("first", ()).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    socket.emit("second", ()).unwrap();
    assert_eq!(socket.emit("none", ()), Err(EmitError::Full));
    let start = Instant::now();
    assert_eq!(soon(socket.emit_with_ack::<String>("third", ())).await.as_deref(), Ok("answer"));
    assert_eq!(start.elapsed(), Duration::from_millis(900));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_has_found_no_room_before_its_namespace_was_lost_is_sent_after_a_rejoin() {
    // Together more than the connection and both of its ends hold, and less than keeps the client from reading.
    const ANSWERS: usize = 48;
    let goes_on = Arc::new(Notify::new());
    let told = Arc::clone(&goes_on);
    let client = client_of(move |mut socket| {
        let goes_on = Arc::clone(&told);
        async move {
            expect(&mut socket, "0/other,").await;
            say(&socket, r#"0/other,{"sid":"other"}"#).await;
            for number in 0..ANSWERS {
                say(&socket, &format!(r#"2/other,{number}["question"]"#)).await;
            }
            expect(&mut socket, "0").await;
            say(&socket, r#"0{"sid":"one"}"#).await;
            goes_on.notified().await;
            say(&socket, "1").await;
            goes_on.notified().await;
            while socket.recv().await.unwrap().as_text() != Some("0") {}
            say(&socket, r#"0{"sid":"two"}"#).await;
            let question = socket.recv().await.unwrap();
            let number =
                question.as_text().and_then(|text| text.strip_prefix('2')?.strip_suffix(r#"["waits"]"#));
            say(&socket, &format!(r#"3{}["answer"]"#, number.expect("the event"))).await;
            while socket.recv().await.is_ok() {}
        }
    });
    let client = client.retries(0, Duration::from_secs(5)).build().unwrap();
    let mut other = soon(client.join("/other")).await.unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    for _ in 0..ANSWERS {
        let (_, _, ack) = event(&mut other).await;
        ack.expect("a question").send("x".repeat(64 * 1024)).unwrap();
    }
    let answer = socket.emit_with_ack::<String>("waits", ());
    tokio::time::sleep(Duration::from_millis(10)).await;
    goes_on.notify_one();
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
    // The event finds its namespace lost, and not on the way back.
    tokio::time::sleep(Duration::from_millis(10)).await;
    goes_on.notify_one();
    soon(socket.rejoin()).await.unwrap();
    assert_eq!(soon(answer).await.as_deref(), Ok("answer"));
}

/// Otherwise the answers to the first of them, and the server's pings behind these, would wait until the last one has left.
#[tokio::test(start_paused = true)]
async fn events_from_the_time_away_do_not_keep_the_client_from_reading() {
    const EVENTS: u32 = 6_000;
    let (sessions, heard) = (AtomicUsize::new(0), Arc::new(Notify::new()));
    let told = Arc::clone(&heard);
    let client = client_of(move |mut socket| {
        let (session, heard) = (sessions.fetch_add(1, Ordering::Relaxed), Arc::clone(&told));
        async move {
            expect(&mut socket, "0").await;
            say(&socket, r#"0{"sid":"one"}"#).await;
            if session == 0 {
                return;
            }
            expect(&mut socket, r#"20["event","0"]"#).await;
            say(&socket, r#"30["answer"]"#).await;
            // A server that reads slowly: it does not go on until its answer has arrived.
            heard.notified().await;
            for number in 1..EVENTS {
                let message = socket.recv().await.unwrap();
                assert!(message.as_text().unwrap().ends_with(&format!("{number}\"]")), "{number}");
            }
            say(&socket, r#"2["all"]"#).await;
            while socket.recv().await.is_ok() {}
        }
    });
    let client = client.buffer_while_away(10_000, 16 * 1024 * 1024).build().unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
    let answer = socket.emit_with_ack::<String>("event", "0");
    for number in 1..EVENTS {
        socket.emit("event", format!("{}{number}", "x".repeat(1_000))).unwrap();
    }
    assert_eq!(soon(answer).await.unwrap(), "answer");
    heard.notify_one();
    assert!(matches!(next(&mut socket).await, Incoming::Connected { .. }));
    assert!(args(&mut socket, "all").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn credentials_that_take_longer_than_a_connection_are_sent_on_the_next_one() {
    let sessions = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sessions);
    let client = client_of(move |mut socket| {
        let session = count.fetch_add(1, Ordering::Relaxed);
        async move {
            match session {
                0 => {
                    expect(&mut socket, r#"0{"asked":1}"#).await;
                    say(&socket, r#"0{"sid":"one"}"#).await;
                }
                // The client has no credentials yet.
                1 | 2 => {}
                _ => {
                    expect(&mut socket, r#"0{"asked":2}"#).await;
                    say(&socket, r#"0{"sid":"two"}"#).await;
                    while socket.recv().await.is_ok() {}
                }
            }
        }
    });
    let (asked, waiting) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let token_service = Arc::clone(&waiting);
    let credentials = Credentials::asked(move || {
        let (number, waiting) = (asked.fetch_add(1, Ordering::Relaxed) + 1, Arc::clone(&waiting));
        async move {
            if number > 1 {
                waiting.notified().await;
            }
            Ok::<_, std::io::Error>(serde_json::json!({ "asked": number }))
        }
    });
    let client = client.auth(credentials).build().unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
    while sessions.load(Ordering::Relaxed) < 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The clock moves when the client knows of it, too.
    tokio::time::sleep(Duration::from_millis(5)).await;
    token_service.notify_one();
    assert!(matches!(next(&mut socket).await, Incoming::Connected { .. }));
    assert_eq!(socket.id().as_deref(), Some("two"));
}
