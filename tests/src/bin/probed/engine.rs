//! An Engine.IO server that sends every message back.
//!
//! Its own options: `connectDelay`, how many milliseconds its handler waits before it reads; `burst` and `size`, how many
//! messages a session is sent when it opens, and how long each is; `closeAfter`, after how many milliseconds a session is
//! closed, with the last words that its client's query asks for in `words`; `blockAfterPing`, for how many milliseconds
//! the whole process stands still after each ping. `{"command": "send", "id": .., "text": ..}` sends a message,
//! `{"command": "close"}` closes all sessions.

use core::time::Duration;

use eio_core::upgrade::UpgradeOutcome;
use eio_tests::interop::to_json;
use eio_tokio::{Message, Observer, Sender, Server, SessionId, Socket};
use serde_json::json;

use crate::{Commands, Options, listen, say};

pub(crate) async fn run(options: &Options, mut commands: Commands) {
    let heartbeat = match options.heartbeat() {
        Ok(heartbeat) => heartbeat,
        Err(error) => return say("refused", json!({ "detail": error.to_string() })),
    };
    let of_sessions = options.clone();
    let observer = Tells { block_after_ping: options.millis("blockAfterPing") };
    let builder = Server::builder(move |socket| echo(socket, of_sessions.clone())).observer(observer);
    let server = options.apply(heartbeat, builder).build().expect("the settings are valid");
    let serving = server.clone();
    let listener = listen().await;
    tokio::spawn(async move { serving.serve(listener).await });
    while let Some(command) = commands.next().await {
        let text = |name: &str| command[name].as_str().unwrap_or_default();
        match text("command") {
            "send" => {
                if let Some(session) = server.get(text("id"))
                    && let Err(error) = session.try_send(text("text"))
                {
                    say("not-sent", json!({ "detail": error.to_string() }));
                }
            }
            _ => server.sessions().iter().for_each(Sender::close),
        }
    }
}

async fn echo(mut socket: Socket, options: Options) {
    for name in ["connectDelay", "closeAfter"] {
        tokio::time::sleep(options.millis(name).unwrap_or_default()).await;
    }
    if options.millis("closeAfter").is_some() {
        let query = socket.request().and_then(|request| request.uri.query()).unwrap_or_default();
        let words = query.split('&').find_map(|pair| pair.strip_prefix("words=")).unwrap_or_default();
        if !words.is_empty() {
            let _ = socket.try_send(words);
        }
        socket.close();
    }
    for _ in 0..options.number("burst") {
        // A session that has ended is seen below.
        let _ = socket.send("x".repeat(options.number("size").max(1))).await;
    }
    while let Ok(message) = socket.recv().await {
        let (kind, value) = to_json(&message);
        say("message", json!({ kind: value }));
        if message == Message::text("flood") {
            // As many as there is room for.
            while socket.try_send("x").is_ok() {}
        } else if socket.send(message).await.is_err() {
            break;
        }
    }
    // The application's own view: whatever it reads later would be a failure.
    let closed = socket.closed().await;
    say("close", json!({ "reason": closed.reason.as_str(), "detail": closed.to_string() }));
}

/// Says what happens beside the application.
struct Tells {
    block_after_ping: Option<Duration>,
}

impl Observer for Tells {
    fn opened(&self, session: &Sender) {
        say("open", json!({ "id": session.id().as_str() }));
    }

    fn ping(&self, _: SessionId) {
        if let Some(duration) = self.block_after_ping {
            // In a task, which runs when the session's task has written the ping.
            tokio::spawn(async move { block(duration) });
        }
    }

    fn heartbeat(&self, _: SessionId, _: Option<Duration>) {
        say("heartbeat", json!({}));
    }

    fn upgrade(&self, _: SessionId, outcome: UpgradeOutcome) {
        if outcome == UpgradeOutcome::Upgraded {
            say("upgrade", json!({}));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "stops the whole process, as a busy machine would")]
fn block(duration: Duration) {
    std::thread::sleep(duration);
}
