//! engineioxide on hyper, as its documentation shows it, with the least that an application can do.

// The command line, the runtime, and the beginning and end are those of our own servers.
#[path = "../../servers/src/lib.rs"]
#[allow(dead_code, reason = "each peer needs a part of it")]
mod harness;

use std::collections::HashMap;
use std::io;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use engineioxide::config::EngineIoConfig;
use engineioxide::handler::EngineIoHandler;
use engineioxide::service::EngineIoService;
use engineioxide::{DisconnectReason, Socket, Str};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use harness::{App, Options, run};

#[derive(Debug)]
struct Echo;

impl EngineIoHandler for Echo {
    type Data = ();

    fn on_connect(self: Arc<Self>, _socket: Arc<Socket<()>>) {}

    fn on_disconnect(&self, _socket: Arc<Socket<()>>, _reason: DisconnectReason) {}

    fn on_message(self: &Arc<Self>, message: Str, socket: Arc<Socket<()>>) {
        let _ = socket.emit(message);
    }

    fn on_binary(self: &Arc<Self>, data: Bytes, socket: Arc<Socket<()>>) {
        let _ = socket.emit_binary(data);
    }
}

/// Keeps a list of the sessions, because the library has none.
#[derive(Debug, Default)]
struct Broadcast {
    sessions: Mutex<HashMap<String, Arc<Socket<()>>>>,
}

impl EngineIoHandler for Broadcast {
    type Data = ();

    fn on_connect(self: Arc<Self>, socket: Arc<Socket<()>>) {
        self.sessions.lock().unwrap().insert(socket.id.to_string(), socket);
    }

    fn on_disconnect(&self, socket: Arc<Socket<()>>, _reason: DisconnectReason) {
        self.sessions.lock().unwrap().remove(&socket.id.to_string());
    }

    fn on_message(self: &Arc<Self>, message: Str, _socket: Arc<Socket<()>>) {
        for session in self.sessions.lock().unwrap().values() {
            let _ = session.emit(message.clone());
        }
    }

    fn on_binary(self: &Arc<Self>, data: Bytes, _socket: Arc<Socket<()>>) {
        for session in self.sessions.lock().unwrap().values() {
            let _ = session.emit_binary(data.clone());
        }
    }
}

async fn serve<H: EngineIoHandler>(listener: TcpListener, handler: H, options: Options) -> io::Result<()> {
    let config = EngineIoConfig::builder()
        .ping_interval(options.ping_interval())
        .ping_timeout(options.ping_timeout())
        .build();
    let acceptor = options.tls()?;
    let service = EngineIoService::with_config(Arc::new(handler), config);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (service, acceptor) = (service.clone(), acceptor.clone());
        let http = http1::Builder::new();
        match acceptor {
            None => {
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
            }
            Some(acceptor) => {
                tokio::spawn(async move {
                    let stream = TokioIo::new(acceptor.accept(stream).await.ok()?);
                    http.serve_connection(stream, service).with_upgrades().await.ok()
                });
            }
        }
    }
}

fn main() -> ExitCode {
    let serve = |listener, options: Options| async move {
        match options.app {
            App::Echo => serve(listener, Echo, options).await,
            App::Broadcast => serve(listener, Broadcast::default(), options).await,
        }
    };
    run(|_| Ok(()), serve)
}
