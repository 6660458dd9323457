//! Events whose answer is waited for.

use core::time::Duration;

use eio_embassy::socketio::{Incoming, SocketError};
use serde_json::json;

use crate::board::{PATIENCE, in_root_of_each};

fn nothing_else(incoming: Incoming<'_>) {
    panic!("{incoming:?}");
}

#[test]
fn an_answer_comes_back_from_the_call() {
    in_root_of_each(async |mut socket, _| {
        for _ in 0..3 {
            let answer = socket.request("sum", "1,41", PATIENCE, nothing_else).await.expect("an answer");
            assert_eq!((answer.args.as_str(), answer.attachments), ("42", 0));
        }
    });
}

#[test]
fn an_event_that_nobody_answers_times_out_and_the_session_lives_on() {
    in_root_of_each(async |mut socket, server| {
        // Longer than several pings.
        let silent = socket.request("silent", "", Duration::from_secs(1), nothing_else).await;
        assert_eq!(silent, Err(SocketError::AckTimeout));
        assert_eq!(server.hears("event").await["name"], "silent");
        let answer = socket.request("sum", "1,2", PATIENCE, nothing_else).await.expect("an answer");
        assert_eq!(answer.args.as_str(), "3");
        assert!(!server.has_told("leave"));
    });
}

#[test]
fn an_answer_that_comes_too_late_is_not_that_of_the_next_event() {
    in_root_of_each(async |mut socket, _| {
        let late = socket.request("late", "300", Duration::from_millis(100), nothing_else).await;
        assert_eq!(late, Err(SocketError::AckTimeout));
        let mut others = Vec::new();
        let answer = socket.request("late", "600", PATIENCE, |incoming| {
            others.push(match incoming {
                Incoming::Ack { id, args, .. } => (id, args.as_str().to_owned()),
                other => panic!("{other:?}"),
            });
        });
        assert_eq!(answer.await.expect("an answer").args.as_str(), "600");
        assert_eq!(others, [(1, "300".to_owned())]);
    });
}

#[test]
fn what_arrives_before_the_answer_is_passed_on_and_can_be_answered_afterwards() {
    in_root_of_each(async |mut socket, server| {
        server.command("emit", json!({ "name": "led", "args": ["on"], "call": 7 }));
        let mut ask = None;
        let answer = socket.request("late", "300", PATIENCE, |incoming| match incoming {
            Incoming::Event { event, ack, .. } if event.is("led") => ask = ack,
            other => panic!("{other:?}"),
        });
        assert_eq!(answer.await.expect("an answer").args.as_str(), "300");
        socket.ack(ask.expect("it asks"), "\"on\"").await.expect("it is open");
        let answer = server.hears("answer").await;
        assert_eq!((&answer["call"], &answer["args"]), (&json!(7), &json!(["on"])));
    });
}

#[test]
fn a_server_that_disconnects_the_client_ends_the_wait_for_an_answer() {
    in_root_of_each(async |mut socket, server| {
        let asked = socket.emit_with_timeout("silent", "", PATIENCE).await.expect("it is open");
        server.hears("event").await;
        server.command("disconnect", json!({ "namespace": "/" }));
        assert_eq!(socket.answer(asked, nothing_else).await, Err(SocketError::Disconnected));
        assert_eq!(socket.emit("more", "").await, Err(SocketError::Disconnected));
    });
}
