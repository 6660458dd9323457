//! Events and answers in both directions.

use core::time::Duration;
use std::sync::Arc;

use eio_socketio::client::Socket;
use eio_socketio::{
    AckError, Args, Binary, EmitError, EncodeError, Namespace, RawArgs, Reply, Server, Value,
};
use serde_json::json;
use tokio::sync::mpsc;

use crate::support::{Way, args, event, serve, soon};

async fn echo(socket: eio_socketio::Socket, args: RawArgs) -> Result<(), EmitError> {
    socket.send("echoed", args).await
}

/// A server that sends events back, adds, and asks.
fn server() -> (Server, mpsc::UnboundedReceiver<Result<String, AckError>>) {
    let (tell, told) = mpsc::unbounded_channel();
    let tell = Arc::new(tell);
    let ask = move |socket: eio_socketio::Socket, args: RawArgs| {
        let tell = Arc::clone(&tell);
        async move {
            let answer = socket.emit_with_ack("question", args).await;
            let _ = tell.send(answer);
        }
    };
    let namespace = Namespace::new()
        .on("echo", echo)
        .on("add", async |Args((a, b)): Args<(i64, i64)>| Reply(a + b))
        .on("many", async |ack: eio_socketio::Ack, args: RawArgs| ack.send(args))
        .on("silent", async || {})
        .on("ask", ask);
    (Server::builder().namespace("/", namespace).build().unwrap(), told)
}

async fn joined(way: Way) -> (Socket, mpsc::UnboundedReceiver<Result<String, AckError>>) {
    let (server, told) = server();
    let url = serve(&server).await;
    (soon(way.client(&url).build().unwrap().join("/")).await.unwrap(), told)
}

fn every_kind() -> Value {
    Value::from(json!(["text 😀", 1.5, -3, true, null, { "deep": [[{ "é": "ü" }]] }, "", "\u{1e}\"\\"]))
}

#[tokio::test]
async fn an_event_arrives_as_it_was_emitted_and_so_does_its_echo() {
    for way in Way::ALL {
        let (mut socket, _) = joined(way).await;
        socket.emit("echo", every_kind()).unwrap();
        assert_eq!(args(&mut socket, "echoed").await, [every_kind()], "{way:?}");
        socket.emit("echo", Args((1, "two", [3]))).unwrap();
        let several = vec![Value::from(1), Value::from("two"), Value::from(vec![3])];
        assert_eq!(args(&mut socket, "echoed").await, several, "{way:?}");
        socket.emit("echo", ()).unwrap();
        assert_eq!(args(&mut socket, "echoed").await, [], "{way:?}");
    }
}

#[tokio::test]
async fn bytes_travel_three_levels_deep() {
    for way in Way::ALL {
        let (mut socket, _) = joined(way).await;
        let bytes = |byte: u8, len| Value::Binary(vec![byte; len].into());
        let nested: Value =
            [("a", Value::Array(vec![[("b", bytes(1, 3))].into_iter().collect()]))].into_iter().collect();
        let sent = vec![nested, bytes(2, 70_000), Value::from("between"), bytes(3, 0)];
        socket.emit("echo", Args(&sent)).unwrap();
        assert_eq!(args(&mut socket, "echoed").await, sent, "{way:?}");
        let Args(answer): Args<Vec<Value>> = soon(socket.emit_with_ack("many", Args(&sent))).await.unwrap();
        assert_eq!(answer, sent, "{way:?}");
    }
}

#[tokio::test]
async fn answers_come_in_both_directions() {
    for way in Way::ALL {
        let (mut socket, mut told) = joined(way).await;
        assert_eq!(soon(socket.emit_with_ack::<i64>("add", Args((1, 41)))).await.unwrap(), 42);
        assert_eq!(soon(socket.emit_with_ack::<RawArgs>("many", ())).await.unwrap().len(), 0);
        socket.emit("ask", "is it?").unwrap();
        let (name, question, ack) = event(&mut socket).await;
        assert_eq!((&*name, question.first::<String>().unwrap().as_str()), ("question", "is it?"));
        ack.expect("it asks").send("it is").unwrap();
        assert_eq!(soon(told.recv()).await.unwrap().unwrap(), "it is", "{way:?}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_or_does_not_come_is_an_error() {
    let (socket, _) = joined(Way::WebSocket).await;
    let wrong = soon(socket.emit_with_ack::<String>("add", Args((1, 1)))).await;
    assert!(matches!(wrong, Err(AckError::Decode(_))), "{wrong:?}");
    let none = socket.emit_with_ack::<String>("silent", ()).timeout(Duration::from_millis(50)).await;
    assert_eq!(none, Err(AckError::Timeout));
    let reserved = socket.emit_with_ack::<String>("connect", ()).await;
    assert!(matches!(reserved, Err(AckError::Emit(EmitError::Encode(EncodeError::ReservedName { .. })))));
}

#[tokio::test]
async fn binary_events_of_many_tasks_do_not_mix() {
    const TASKS: u8 = 8;
    const EACH: u32 = 50;
    for way in Way::ALL {
        let (mut socket, _) = joined(way).await;
        for task in 0..TASKS {
            let emitter = socket.emitter();
            tokio::spawn(async move {
                for number in 0..EACH {
                    let bytes = Binary::from(vec![task; 100]);
                    emitter.send("echo", Args((task, number, &bytes, [&bytes]))).await.unwrap();
                }
            });
        }
        let mut next = [0; TASKS as usize];
        for _ in 0..u32::from(TASKS) * EACH {
            let (_, args, _) = event(&mut socket).await;
            let (task, number, first, second): (u8, u32, Value, Vec<Value>) = args.all().unwrap();
            assert_eq!(number, std::mem::replace(&mut next[usize::from(task)], number + 1), "in order");
            let bytes = Value::Binary(vec![task; 100].into());
            assert_eq!((&first, second.as_slice()), (&bytes, [bytes.clone()].as_slice()));
        }
    }
}

#[tokio::test]
async fn ten_thousand_events_arrive_in_order_while_the_session_upgrades() {
    const COUNT: u32 = 10_000;
    for way in Way::ALL {
        let (mut socket, _) = joined(way).await;
        let emitter = socket.emitter();
        tokio::spawn(async move {
            for number in 0..COUNT {
                emitter.send("echo", number).await.unwrap();
            }
        });
        for number in 0..COUNT {
            let (_, args, _) = event(&mut socket).await;
            assert_eq!(args.first::<u32>().unwrap(), number, "{way:?}");
        }
    }
}

#[tokio::test]
async fn a_volatile_event_is_sent_when_the_transport_is_idle() {
    for way in [Way::WebSocket, Way::Polling] {
        let (mut socket, _) = joined(way).await;
        while !socket.emit_volatile("echo", Args((1, Binary::from(vec![1, 2])))).unwrap() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(args(&mut socket, "echoed").await.len(), 2, "{way:?}");
    }
}

#[tokio::test]
async fn an_event_above_the_servers_limit_is_refused_whole() {
    let (socket, _) = joined(Way::WebSocket).await;
    let large = Binary::from(vec![0; 2_000_000]);
    let refused = socket.emit("echo", Args(("a", &large)));
    assert!(matches!(refused, Err(EmitError::TooLarge { .. })), "{refused:?}");
    let refused = soon(socket.emit_with_ack::<()>("echo", &large)).await;
    assert!(matches!(refused, Err(AckError::Emit(EmitError::TooLarge { .. }))), "{refused:?}");
    assert_eq!(soon(socket.emit_with_ack::<i64>("add", Args((1, 1)))).await.unwrap(), 2, "the session lives");
}
