//! A server of socketioxide whose handlers say that they were called.

use serde_json::{Value, json};
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use socketioxide::socket::DisconnectReason;

use crate::{Options, say, serve, when_told};

/// A name that JSON has to escape.
const ESCAPED: &str = "say \"hi\"";

pub(crate) async fn run(options: &Options) {
    let builder = SocketIo::builder()
        .ping_interval(options.millis("pingInterval", 25_000))
        .ping_timeout(options.millis("pingTimeout", 20_000));
    #[cfg(feature = "upgrade-timeout")]
    let builder = builder.upgrade_timeout(options.millis("upgradeTimeout", 10_000));
    let (service, io) = builder.build_svc();
    let burst = options.burst();
    io.ns("/", move |socket: SocketRef| {
        socket.on_disconnect(async |reason: DisconnectReason| {
            say("leave", json!({ "reason": reason.to_string() }))
        });
        socket.on("plain", async || say("event", json!({ "name": "plain" })));
        socket.on(ESCAPED, async || say("event", json!({ "name": ESCAPED })));
        socket.on("ask", async move |socket: SocketRef, _: Data<Value>, ack: AckSender| {
            let refused = (0..burst).filter(|_| socket.emit("x", &1).is_err()).count();
            let answered = ack.send(&"answer").is_ok();
            say("answered", json!({ "refused": refused, "answered": answered }));
        });
        // Its handlers are there.
        say("join", json!({}));
        async {}
    });
    let runtime = tokio::runtime::Handle::current();
    when_told(move || runtime.block_on(io.close()));
    serve(service).await;
}
