//! A Socket.IO server whose handlers say that they were called.
//!
//! Its own option: `burst`, how many events the handler of `ask` emits before it answers. `{"command": "close"}` shuts the
//! server down.

use core::time::Duration;

use eio_socketio::{Ack, Disconnect, EventName, Namespace, Server, Socket, State};
use serde_json::json;

use crate::{Commands, Options, listen, say};

/// A name that JSON has to escape.
const ESCAPED: &str = "say \"hi\"";

pub(crate) async fn run(options: &Options, mut commands: Commands) {
    let heartbeat = match options.heartbeat() {
        Ok(heartbeat) => heartbeat,
        Err(error) => return say("refused", json!({ "detail": error.to_string() })),
    };
    let of_engine = options.clone();
    let events = Namespace::new()
        .on_connect(joined)
        .on("plain", named)
        .on(ESCAPED, named)
        .on("ask", asked)
        .on("go", three_volatile)
        .on_disconnect(left);
    let server = Server::with_state(options.number("burst"))
        .namespace("/", events)
        .engine(move |engine| of_engine.apply(heartbeat, engine))
        .build()
        .expect("the settings are valid");
    let serving = server.clone();
    let listener = listen().await;
    tokio::spawn(async move { serving.serve(listener).await });
    while commands.next().await.is_some() {
        server.shutdown(Duration::from_secs(5)).await;
    }
}

async fn joined(_: Socket) {
    say("join", json!({}));
}

async fn named(EventName(name): EventName) {
    say("event", json!({ "name": name.to_string() }));
}

async fn asked(socket: Socket, ack: Ack, State(burst): State<usize>) {
    let refused = (0..burst).filter(|_| socket.emit("x", 1).is_err()).count();
    let answered = ack.send("answer").is_ok();
    say("answered", json!({ "refused": refused, "answered": answered }));
}

async fn three_volatile(socket: Socket) {
    for number in 1..=3 {
        // The client counts those that arrive.
        let _ = socket.emit_volatile("number", number);
    }
}

async fn left(end: Disconnect) {
    say("leave", json!({ "reason": end.reason.as_str() }));
}
