//! Our server, which sends every message back.

use core::time::Duration;
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use eio_core::Heartbeat;
use eio_tokio::{Server, Socket};
use tokio::net::TcpListener as TokioListener;
use tokio::sync::oneshot;

/// A server in a thread of its own, until it is dropped.
pub(crate) struct Echo {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    /// Starts it on this address of the machine itself; port 0 is any that is free.
    pub(crate) fn start(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let serve = async move {
            let server = Server::builder(echo).heartbeat(heartbeat()).build().expect("a server");
            let listener = TokioListener::from_std(listener).expect("a listener");
            tokio::select! {
                result = server.serve(listener) => result.expect("it serves"),
                _ = stopped => {}
            }
        };
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(serve);
        });
        Self { address, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A dead peer is noticed within 1.75 s of the last ping.
pub(crate) fn heartbeat() -> Heartbeat {
    Heartbeat::new(Duration::from_millis(750), Duration::from_secs(1)).expect("valid")
}

async fn echo(mut socket: Socket) {
    while let Ok(message) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}
