//! Servers that say what no server of ours says.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;

use eio_socketio::client::{Client, Incoming, JoinError, RecvError};
use eio_socketio::engine::{self, Backoff, Message};
use eio_socketio::{AckError, EmitError};
use futures_util::FutureExt as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::{args, event, next, soon};

/// Serves sessions by a script, at the path of Socket.IO. Returns where.
pub(crate) async fn serve<F, R>(eio3: bool, script: F) -> String
where
    F: Fn(engine::Socket) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let server = engine::Server::builder(script).path("/socket.io/").eio3(eio3).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { server.serve(listener).await });
    url
}

pub(crate) async fn expect(socket: &mut engine::Socket, text: &str) {
    assert_eq!(socket.recv().await.unwrap(), Message::from(text));
}

pub(crate) async fn say(socket: &engine::Socket, text: &str) {
    socket.send(text).await.unwrap();
}

pub(crate) fn quick(url: String) -> eio_socketio::client::ClientBuilder {
    let backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(20)).unwrap();
    Client::builder(url).backoff(backoff)
}

#[tokio::test]
async fn a_packet_that_cannot_be_read_ends_the_connection_and_the_client_comes_back() {
    for nonsense in ["9", "2{}", "51-[\"a\",{\"_placeholder\":true,\"num\":0}]|2[\"b\"]", "2[\"connect\"]"] {
        let url = serve(false, move |mut socket| async move {
            expect(&mut socket, "0").await;
            say(&socket, r#"0{"sid":"one"}"#).await;
            for text in nonsense.split('|') {
                say(&socket, text).await;
            }
            while socket.recv().await.is_ok() {}
        })
        .await;
        let client = quick(url).build().unwrap();
        let mut socket = soon(client.join("/")).await.unwrap();
        let Incoming::Disconnected(end) = next(&mut socket).await else { panic!("it is disconnected") };
        assert_eq!((end.as_str(), end.reconnects), ("parse error", true), "{nonsense}");
        assert!(end.to_string().starts_with("parse error: "), "{end}");
        assert!(matches!(next(&mut socket).await, Incoming::Connected { recovered: false }));
    }
}

#[tokio::test]
async fn a_namespace_that_the_server_closes_is_not_answered() {
    let url = serve(false, |mut socket| async move {
        expect(&mut socket, "0").await;
        say(&socket, r#"0{"sid":"one"}"#).await;
        expect(&mut socket, "0/other,").await;
        say(&socket, r#"0/other,{"sid":"two"}"#).await;
        say(&socket, "1").await;
        expect(&mut socket, r#"2/other,["next"]"#).await;
        say(&socket, r#"2/other,["nothing came before"]"#).await;
        while socket.recv().await.is_ok() {}
    })
    .await;
    let client = quick(url).build().unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    let mut other = soon(client.join("/other")).await.unwrap();
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
    other.emit("next", ()).unwrap();
    assert_eq!(event(&mut other).await.0, "nothing came before");
}

/// The server has forgotten its question, and may have asked another one with the same number.
#[tokio::test]
async fn an_event_from_before_the_consent_is_not_answered_on_the_next_connection() {
    let sessions = AtomicUsize::new(0);
    let url = serve(false, move |mut socket| {
        let session = sessions.fetch_add(1, Ordering::Relaxed);
        async move {
            expect(&mut socket, "0").await;
            if session == 0 {
                say(&socket, r#"27["first"]"#).await;
                let _ = socket.flush().await;
                return;
            }
            say(&socket, r#"0{"sid":"one"}"#).await;
            say(&socket, r#"27["second"]"#).await;
            expect(&mut socket, r#"37["to the second"]"#).await;
            while socket.recv().await.is_ok() {}
        }
    })
    .await;
    let client = quick(url).build().unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    let (name, _, ack) = event(&mut socket).await;
    assert_eq!(name, "first");
    assert_eq!(ack.expect("a question").send("to the first"), Err(EmitError::Disconnected));
    let (_, _, ack) = event(&mut socket).await;
    assert_eq!(ack.expect("a question").send("to the second"), Ok(()));
    assert!(soon(socket.emitter().flush()).await);
}

/// A server in Node sends the answer of a callback also after the client has left the namespace.
#[tokio::test]
async fn an_answer_to_a_question_from_before_the_leave_does_not_answer_a_later_one() {
    let url = serve(false, |mut socket| async move {
        expect(&mut socket, "0").await;
        say(&socket, r#"0{"sid":"one"}"#).await;
        expect(&mut socket, r#"20["old"]"#).await;
        expect(&mut socket, "1").await;
        expect(&mut socket, "0").await;
        say(&socket, r#"0{"sid":"two"}"#).await;
        expect(&mut socket, r#"21["new"]"#).await;
        say(&socket, r#"30["to the old one"]"#).await;
        say(&socket, r#"31["to the new one"]"#).await;
        while socket.recv().await.is_ok() {}
    })
    .await;
    let client = quick(url).build().unwrap();
    let socket = soon(client.join("/")).await.unwrap();
    let old = socket.emit_with_ack::<String>("old", ());
    let leaves = socket.leave();
    let ((), joined) = Box::pin(soon(async { tokio::join!(biased; leaves, client.join("/")) })).await;
    let socket = joined.unwrap();
    assert_eq!(socket.id().as_deref(), Some("two"));
    assert_eq!(soon(socket.emit_with_ack::<String>("new", ())).await.as_deref(), Ok("to the new one"));
    assert_eq!(soon(old).await, Err(AckError::Disconnected));
}

/// A second request to join would make the server close the connection.
#[tokio::test]
async fn a_client_that_closes_and_joins_again_before_it_has_been_answered_takes_the_first_request_back() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let sessions = AtomicUsize::new(0);
    let url = serve(false, move |mut socket| {
        let (tell, session) = (tell.clone(), sessions.fetch_add(1, Ordering::Relaxed));
        async move {
            expect(&mut socket, "0").await;
            if session == 0 {
                say(&socket, r#"0{"sid":"one"}"#).await;
                return;
            }
            let _ = tell.send("asked");
            tokio::time::sleep(Duration::from_millis(50)).await;
            say(&socket, r#"0{"sid":"two"}"#).await;
            expect(&mut socket, "1").await;
            expect(&mut socket, "0").await;
            say(&socket, r#"0{"sid":"three"}"#).await;
            let _ = tell.send("done");
            while socket.recv().await.is_ok() {}
        }
    })
    .await;
    let client = quick(url).build().unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    assert_eq!(soon(told.recv()).await, Some("asked"));
    let ((), joined) = Box::pin(soon(async { tokio::join!(biased; client.close(), socket.rejoin()) })).await;
    joined.unwrap();
    assert_eq!(socket.id().as_deref(), Some("three"));
    assert_eq!(soon(told.recv()).await, Some("done"));
}

#[tokio::test]
async fn a_rejoin_reads_the_consent_behind_events_that_have_filled_the_inbox() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let sessions = AtomicUsize::new(0);
    let url = serve(false, move |mut socket| {
        let (tell, session) = (tell.clone(), sessions.fetch_add(1, Ordering::Relaxed));
        async move {
            expect(&mut socket, "0").await;
            if session == 0 {
                say(&socket, r#"0{"sid":"one"}"#).await;
                return;
            }
            for text in [r#"2["missed",1]"#, r#"2["missed",2]"#, r#"0{"sid":"two"}"#] {
                say(&socket, text).await;
            }
            let _ = tell.send(());
            while socket.recv().await.is_ok() {}
        }
    })
    .await;
    // The end of the first session and the two events.
    let client = quick(url).inbox(3, 1_000).build().unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    soon(told.recv()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!socket.is_connected());
    soon(socket.rejoin()).await.unwrap();
    assert_eq!(socket.id().as_deref(), Some("two"));
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
    assert_eq!(args(&mut socket, "missed").await, [1.into()]);
    assert_eq!(args(&mut socket, "missed").await, [2.into()]);
    assert!(matches!(next(&mut socket).await, Incoming::Connected { .. }));
}

#[tokio::test]
async fn a_consent_to_a_rejoin_that_nobody_waits_for_any_more_is_received_in_its_place() {
    let url = serve(false, |mut socket| async move {
        expect(&mut socket, "0/other,").await;
        say(&socket, r#"0/other,{"sid":"other"}"#).await;
        expect(&mut socket, "0").await;
        say(&socket, r#"0{"sid":"one"}"#).await;
        say(&socket, "1").await;
        expect(&mut socket, "0").await;
        for text in [r#"2["before"]"#, r#"0{"sid":"two"}"#, r#"2["behind"]"#, "1", r#"2/other,["all"]"#] {
            say(&socket, text).await;
        }
        while socket.recv().await.is_ok() {}
    })
    .await;
    let client = Client::builder(url).build().unwrap();
    let mut other = soon(client.join("/other")).await.unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
    let mut rejoin = Box::pin(socket.rejoin());
    assert!((&mut rejoin).now_or_never().is_none());
    assert!(args(&mut other, "all").await.is_empty());
    drop(rejoin);
    assert!(args(&mut socket, "before").await.is_empty());
    assert!(matches!(next(&mut socket).await, Incoming::Connected { recovered: false }));
    assert!(args(&mut socket, "behind").await.is_empty());
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
    assert!(matches!(soon(socket.recv()).await, Err(RecvError::Disconnected(_))));
}

#[tokio::test]
async fn a_server_that_sends_events_without_end_instead_of_its_consent_fills_no_memory() {
    let sessions = AtomicUsize::new(0);
    let url = serve(false, move |mut socket| {
        let session = sessions.fetch_add(1, Ordering::Relaxed);
        async move {
            expect(&mut socket, "0").await;
            if session == 0 {
                say(&socket, r#"0{"sid":"one"}"#).await;
                say(&socket, "1").await;
                while socket.recv().await.is_ok() {}
            }
            while socket.send(r#"2["flood"]"#).await.is_ok() {}
        }
    })
    .await;
    let client = quick(url).inbox(1, 1_000).connect_timeout(Duration::from_millis(300)).build().unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    while socket.is_connected() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The inbox is full, with the end.
    assert!(matches!(soon(socket.rejoin()).await, Err(JoinError::Timeout)));
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
    let (name, ..) = event(&mut socket).await;
    assert_eq!(name, "flood", "one more has room");
    assert!(matches!(soon(socket.recv()).await, Err(RecvError::NotJoined(JoinError::Timeout))));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_left_later() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let url = serve(false, move |mut socket| {
        let tell = tell.clone();
        async move {
            expect(&mut socket, "0/slow,").await;
            expect(&mut socket, "0").await;
            say(&socket, r#"0{"sid":"root"}"#).await;
            expect(&mut socket, r#"2["now"]"#).await;
            say(&socket, r#"0/slow,{"sid":"slow"}"#).await;
            expect(&mut socket, "1/slow,").await;
            expect(&mut socket, "0/slow,").await;
            say(&socket, r#"0/slow,{"sid":"again"}"#).await;
            let _ = tell.send(());
            while socket.recv().await.is_ok() {}
        }
    })
    .await;
    let client = Client::builder(url).connect_timeout(Duration::from_millis(300)).build().unwrap();
    let slow = client.join("/slow");
    let root = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        client.join("/").await
    };
    let (slow, root) = Box::pin(soon(async { tokio::join!(slow, root) })).await;
    assert!(matches!(slow, Err(JoinError::Timeout)));
    let root = root.unwrap();
    root.emit("now", ()).unwrap();
    assert_eq!(soon(client.join("/slow")).await.unwrap().id().as_deref(), Some("again"));
    soon(told.recv()).await.unwrap();
}

#[tokio::test]
async fn an_old_server_opens_the_root_unasked_and_takes_credentials_as_a_query() {
    let url = serve(true, |mut socket| async move {
        say(&socket, "0").await;
        expect(&mut socket, "0/admin?token=a+b,").await;
        say(&socket, "0/admin,").await;
        expect(&mut socket, r#"2/admin,["hello"]"#).await;
        say(&socket, r#"4/admin,"denied""#).await;
        expect(&mut socket, "0/nowhere?token=a+b,").await;
        say(&socket, r#"4/nowhere,"Invalid namespace""#).await;
        say(&socket, r#"2["news",1]"#).await;
        while socket.recv().await.is_ok() {}
    })
    .await;
    let credentials = eio_socketio::client::Credentials::new(serde_json::json!({ "token": "a b" }));
    let client = Client::builder(url).eio3(true).auth(credentials).build().unwrap();
    let mut admin = soon(client.join("/admin")).await.unwrap();
    let mut root = soon(client.join("/")).await.unwrap();
    assert_eq!(admin.id().as_deref(), Some(format!("/admin#{}", root.id().unwrap()).as_str()));
    admin.emit("hello", ()).unwrap();
    let Incoming::Error(denied) = next(&mut admin).await else { panic!("an error") };
    assert_eq!(denied.message, "denied");
    assert!(admin.is_connected());
    let Err(JoinError::Refused(refused)) = soon(client.join("/nowhere")).await else { panic!("refused") };
    assert_eq!(refused.message, "Invalid namespace");
    assert_eq!(args(&mut root, "news").await.len(), 1);
}

#[tokio::test]
async fn a_server_of_socket_io_2_is_recognized() {
    let url = serve(false, |mut socket| async move {
        say(&socket, "0").await;
        while socket.recv().await.is_ok() {}
    })
    .await;
    let client = Client::builder(url).build().unwrap();
    assert!(matches!(soon(client.join("/")).await, Err(JoinError::OldServer)));
}
