//! Events with binary data, sent in one call.

use core::fmt::Write as _;

use eio_embassy::socketio::Incoming;
use serde_json::{Value, json};

use crate::board::{PATIENCE, in_root_of_each};

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from(index % 251).expect("a byte")).collect()
}

/// Bytes as a server tells them.
fn told(bytes: &[u8]) -> Value {
    let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    json!({ "$hex": hex })
}

#[test]
fn attachments_longer_than_the_buffers_arrive_as_the_last_arguments() {
    in_root_of_each(async |mut socket, server| {
        let (long, short) = (bytes(5_000), bytes(3));
        for attachments in [&[&long[..], &short][..], &[&[]], &[]] {
            socket.emit_binary("photo", "\"front\",1", attachments).await.expect("it is open");
            let event = server.hears("event").await;
            let args: Vec<_> =
                [json!("front"), json!(1)].into_iter().chain(attachments.iter().map(|b| told(b))).collect();
            assert_eq!((&event["name"], &event["args"]), (&json!("photo"), &Value::from(args)));
        }
        // Nothing has mixed.
        let sum = socket.request("sum", "1,2", PATIENCE, |other| panic!("{other:?}"));
        assert_eq!(sum.await.expect("an answer").args.as_str(), "3");
    });
}

#[test]
fn a_binary_event_is_answered_with_its_own_bytes() {
    in_root_of_each(async |mut socket, _| {
        let (first, second) = (bytes(300), bytes(1));
        let asked = socket.emit_binary_with_ack("mirror", "true", &[&first, &second]).await;
        let asked = asked.expect("it is open");
        match socket.recv().await {
            Ok(Incoming::Ack { id, attachments, .. }) => assert_eq!((id, attachments), (asked, 2)),
            other => panic!("{other:?}"),
        }
        for (number, sent) in [(0, &first), (1, &second)] {
            let last = number == 1;
            let expected = Incoming::Attachment { num: number, data: sent.as_slice(), last };
            assert_eq!(socket.recv().await, Ok(expected));
        }
    });
}

#[test]
fn a_question_with_bytes_is_answered_with_bytes() {
    in_root_of_each(async |mut socket, server| {
        let (question, answer) = (bytes(200), bytes(1_000));
        server.command("emit", json!({ "name": "sign", "args": [told(&question), "md5"], "call": 1 }));
        let id = match socket.recv().await {
            Ok(Incoming::Event { event, ack: Some(id), attachments: 1 }) if event.is("sign") => id,
            other => panic!("{other:?}"),
        };
        let expected = Incoming::Attachment { num: 0, data: question.as_slice(), last: true };
        assert_eq!(socket.recv().await, Ok(expected));
        socket.ack_binary(id, "\"ok\"", &[&answer]).await.expect("it is open");
        assert_eq!(server.hears("answer").await["args"], json!(["ok", told(&answer)]));
    });
}
