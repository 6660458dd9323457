//! Several namespaces on one client.

use core::time::Duration;

use eio_embassy::socketio::{Incoming, Namespaces, SocketError};
use embassy_futures::select::{Either, select};
use embassy_time::with_deadline;
use serde_json::{Value, json};

use crate::board::{Reader, Writer, with_each};
use crate::server::Server;

type Two<'c, 'b, 's> = Namespaces<'c, 'b, Reader<'s>, Writer<'s>, 2>;

/// Joins a namespace.
async fn join<'c>(namespaces: &mut Two<'c, '_, '_>, namespace: &'c str, server: &mut Server) -> Value {
    namespaces.join(namespace, "").await.expect("a free place");
    assert_eq!(namespaces.recv().await, Ok((namespace, Incoming::Connected { recovered: false })));
    let joined = server.hears("join").await;
    assert_eq!(joined["namespace"], namespace);
    joined["session"].clone()
}

/// Asks the server in a namespace for a sum. Nothing else may come before it.
async fn sum(namespaces: &mut Two<'_, '_, '_>, namespace: &str) {
    let asked = namespaces.socket(namespace).expect("joined").emit_with_ack("sum", "1,41").await;
    let asked = asked.expect("it is open");
    match namespaces.recv().await {
        Ok((at, Incoming::Ack { id, args, .. })) => {
            assert_eq!((at, id, args.as_str()), (namespace, asked, "42"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_namespaces_share_a_session_and_each_gets_what_is_its_own() {
    with_each(async |client, server| {
        let mut namespaces = Two::new(client);
        let sessions =
            [join(&mut namespaces, "/", server).await, join(&mut namespaces, "/chat", server).await];
        assert_eq!(sessions[0], sessions[1], "one connection");
        for namespace in ["/chat", "/"] {
            server.command(
                "emit",
                json!({ "namespace": namespace, "name": "led", "args": [namespace], "call": 7 }),
            );
            let id = match namespaces.recv().await {
                Ok((at, Incoming::Event { event, ack: Some(id), .. })) => {
                    assert_eq!((at, event.name()), (namespace, Some("led")));
                    assert_eq!(event.args().as_str(), format!("{namespace:?}"));
                    id
                }
                other => panic!("{other:?}"),
            };
            namespaces.socket(namespace).expect("joined").ack(id, "\"done\"").await.expect("it is open");
            assert_eq!(server.hears("answer").await["args"], json!(["done"]));
            sum(&mut namespaces, namespace).await;
            assert_eq!(server.hears("event").await["namespace"], namespace);
        }
    });
}

#[test]
fn a_namespace_is_refused_with_the_reason_while_another_lives() {
    with_each(async |client, server| {
        let mut namespaces = Two::new(client);
        join(&mut namespaces, "/", server).await;
        for (namespace, auth, reason) in [
            (
                "/guarded",
                r#"{"token":"wrong"}"#,
                json!({ "message": "not authorized", "data": { "code": 7, "bytes": [1] } }),
            ),
            ("/nowhere", "", json!({ "message": "Invalid namespace" })),
        ] {
            namespaces.join(namespace, auth).await.expect("a free place");
            match namespaces.recv().await {
                Ok((at, Incoming::Refused { data })) => {
                    assert_eq!((at, serde_json::from_str(data).ok()), (namespace, Some(reason)));
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(namespaces.socket(namespace).err(), Some(SocketError::NotJoined));
            sum(&mut namespaces, "/").await;
        }
        namespaces.join("/guarded", r#"{"token":"open"}"#).await.expect("its place is free");
        assert_eq!(namespaces.recv().await, Ok(("/guarded", Incoming::Connected { recovered: false })));
        sum(&mut namespaces, "/guarded").await;
    });
}

#[test]
fn a_server_disconnects_one_namespace_and_the_other_lives() {
    with_each(async |client, server| {
        let mut namespaces = Two::new(client);
        join(&mut namespaces, "/", server).await;
        join(&mut namespaces, "/chat", server).await;
        server.command("disconnect", json!({ "namespace": "/chat" }));
        assert_eq!(namespaces.recv().await, Ok(("/chat", Incoming::Disconnected)));
        assert_eq!(server.hears("leave").await["reason"], "server namespace disconnect");
        sum(&mut namespaces, "/").await;
        join(&mut namespaces, "/chat", server).await;
        sum(&mut namespaces, "/chat").await;
    });
}

/// Joins both namespaces, asks in `/chat` for an answer that comes late and for one that does not come, and leaves. Returns
/// the number of the first question.
async fn leave_asking(namespaces: &mut Two<'_, '_, '_>, server: &mut Server) -> u64 {
    join(namespaces, "/", server).await;
    join(namespaces, "/chat", server).await;
    let mut chat = namespaces.socket("/chat").expect("joined");
    let late = chat.emit_with_ack("late", "300").await.expect("it is open");
    chat.emit_with_ack("silent", "").await.expect("it is open");
    namespaces.leave("/chat").await.expect("it is open");
    for name in ["late", "silent"] {
        assert_eq!(server.hears("event").await["name"], name);
    }
    assert_eq!(server.hears("leave").await["reason"], "client namespace disconnect");
    late
}

/// Asks in a namespace for an answer that does not come, and waits until it is due. Only the answer to the question `late`,
/// if any, may arrive.
async fn ask_in_vain(namespaces: &mut Two<'_, '_, '_>, namespace: &str, late: Option<u64>) {
    let mut socket = namespaces.socket(namespace).expect("joined");
    let asked = socket.emit_with_timeout("silent", "", Duration::from_millis(700)).await.expect("it is open");
    assert_ne!(late, Some(asked.id()));
    while let Ok(received) = with_deadline(asked.deadline(), namespaces.recv()).await {
        match received {
            Ok((_, Incoming::Ack { id, .. })) if Some(id) == late => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_namespace_is_left_while_requests_wait_and_their_answers_do_not_arrive() {
    with_each(async |client, server| {
        let mut namespaces = Two::new(client);
        leave_asking(&mut namespaces, server).await;
        ask_in_vain(&mut namespaces, "/", None).await;
        sum(&mut namespaces, "/").await;
    });
}

/// socket.io sends it although its socket has left, and NestJS does not.
#[test]
fn an_answer_from_before_a_namespace_was_left_and_joined_again_is_not_that_of_a_new_event() {
    with_each(async |client, server| {
        let mut namespaces = Two::new(client);
        let late = leave_asking(&mut namespaces, server).await;
        join(&mut namespaces, "/chat", server).await;
        ask_in_vain(&mut namespaces, "/chat", Some(late)).await;
        sum(&mut namespaces, "/chat").await;
    });
}

/// These servers end the session of a client that leaves a namespace before they have let it in.
#[test]
fn a_request_to_join_that_takes_long_is_taken_back_and_the_session_lives_on() {
    with_each(async |client, server| {
        let mut namespaces = Two::new(client);
        join(&mut namespaces, "/", server).await;
        namespaces.join("/slow", "").await.expect("a free place");
        assert_eq!(namespaces.socket("/slow").err(), Some(SocketError::NotJoined));
        namespaces.leave("/slow").await.expect("it is open");
        sum(&mut namespaces, "/").await;
        // The server lets the client in after five seconds, and hears then that it is not wanted any more.
        let left = async {
            assert_eq!(server.hears("join").await["namespace"], "/slow");
            server.hears("leave").await
        };
        match select(namespaces.recv(), left).await {
            Either::Second(left) => assert_eq!(left["reason"], "client namespace disconnect"),
            Either::First(other) => panic!("{other:?}"),
        }
        join(&mut namespaces, "/chat", server).await;
        sum(&mut namespaces, "/chat").await;
    });
}
