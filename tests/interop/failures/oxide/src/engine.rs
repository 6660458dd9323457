//! A server of engineioxide that sends every message back.

use std::sync::Arc;

use bytes::Bytes;
use engineioxide::config::EngineIoConfig;
use engineioxide::handler::EngineIoHandler;
use engineioxide::service::EngineIoService;
use engineioxide::{DisconnectReason, Socket, Str};
use serde_json::json;

use crate::{Options, say, serve, when_told};

#[derive(Debug)]
struct Echo {
    burst: u64,
    size: usize,
}

impl EngineIoHandler for Echo {
    type Data = ();

    fn on_connect(self: Arc<Self>, socket: Arc<Socket<()>>) {
        let refused = (0..self.burst).filter(|_| socket.emit("x".repeat(self.size)).is_err()).count();
        say("open", json!({ "refused": refused }));
    }

    fn on_disconnect(&self, _: Arc<Socket<()>>, reason: DisconnectReason) {
        say("close", json!({ "reason": format!("{reason:?}") }));
    }

    fn on_message(self: &Arc<Self>, message: Str, socket: Arc<Socket<()>>) {
        say("message", json!({ "text": message.as_str() }));
        // As many as there is room for.
        if message == "flood" {
            while socket.emit("x").is_ok() {}
        } else {
            let _ = socket.emit(message);
        }
    }

    fn on_binary(self: &Arc<Self>, data: Bytes, socket: Arc<Socket<()>>) {
        let _ = socket.emit_binary(data);
    }
}

pub(crate) async fn run(options: &Options) {
    let config = EngineIoConfig::builder()
        .ping_interval(options.millis("pingInterval", 25_000))
        .ping_timeout(options.millis("pingTimeout", 20_000));
    #[cfg(feature = "upgrade-timeout")]
    let config = config.upgrade_timeout(options.millis("upgradeTimeout", 10_000));
    when_told(|| {});
    let echo = Echo { burst: options.burst(), size: options.size() };
    serve(EngineIoService::with_config(Arc::new(echo), config.build())).await;
}
