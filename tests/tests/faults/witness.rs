//! What a server said of its sessions, and when.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eio_core::{DisconnectReason, Heartbeat};
use eio_tokio::{Disconnect, Observer, Server, ServerBuilder, SessionId};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;

pub(crate) const I: Duration = Duration::from_millis(700);
pub(crate) const T: Duration = Duration::from_millis(500);

/// How late a machine that has other things to do may be.
pub(crate) const LATE: Duration = Duration::from_secs(3);

/// A server of which every ping and every end is known.
pub(crate) struct Witness {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    ends: mpsc::UnboundedReceiver<End>,
}

/// The end of a session.
pub(crate) struct End {
    session: SessionId,
    at: Instant,
    disconnect: Disconnect,
}

#[derive(Default)]
struct Shared {
    last_pings: Mutex<HashMap<SessionId, Instant>>,
}

struct Watch {
    shared: Arc<Shared>,
    ends: mpsc::UnboundedSender<End>,
}

impl Observer for Watch {
    fn ping(&self, session: SessionId) {
        self.shared.last_pings.lock().unwrap().insert(session, Instant::now());
    }

    fn closed(&self, session: SessionId, disconnect: &Disconnect) {
        let _ = self.ends.send(End { session, at: Instant::now(), disconnect: disconnect.clone() });
    }
}

impl Witness {
    /// Serves on a free port of `host`.
    pub(crate) async fn start(host: &str, builder: ServerBuilder) -> Self {
        Self::start_with(host, builder, Heartbeat::new(I, T).unwrap()).await
    }

    pub(crate) async fn start_with(host: &str, builder: ServerBuilder, heartbeat: Heartbeat) -> Self {
        let shared = Arc::new(Shared::default());
        let (sender, ends) = mpsc::unbounded_channel();
        let watch = Watch { shared: Arc::clone(&shared), ends: sender };
        let server = builder.heartbeat(heartbeat).observer(watch).build().unwrap();
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = server.clone();
        tokio::spawn(async move { serving.serve(listener).await });
        Self { server, address, shared, ends }
    }

    /// The next end of a session.
    pub(crate) async fn end(&mut self) -> End {
        tokio::time::timeout(Duration::from_secs(30), self.ends.recv()).await.expect("no end").unwrap()
    }

    /// Nothing has ended.
    pub(crate) fn assert_no_end(&mut self) {
        if let Ok(End { disconnect, .. }) = self.ends.try_recv() {
            panic!("{disconnect} ({} sessions are left)", self.server.len());
        }
    }

    /// A session ends for silence: interval plus timeout after its client has died, at the latest, and the timeout after
    /// its last ping, not earlier.
    pub(crate) async fn assert_ping_timeout(&mut self, died: Instant) {
        let End { session, at, disconnect } = self.assert_silence(died).await;
        let last_ping = *self.shared.last_pings.lock().unwrap().get(&session).expect("no ping was sent");
        let waited = at - last_ping;
        // The ping was reported just after it was due.
        assert!(waited + Duration::from_millis(5) >= T, "{disconnect}: {waited:?} after the last ping");
    }

    /// The same, when the ping could not leave either.
    pub(crate) async fn assert_ping_timeout_without_ping(&mut self, died: Instant) -> Disconnect {
        let disconnect = self.assert_silence(died).await.disconnect;
        assert!(disconnect.silent_for >= I + T, "{disconnect}");
        disconnect
    }

    async fn assert_silence(&mut self, died: Instant) -> End {
        let end = self.end().await;
        assert_eq!(end.disconnect.reason, DisconnectReason::PingTimeout, "{}", end.disconnect);
        let noticed = end.at - died;
        assert!(noticed <= I + T + LATE, "{noticed:?} after its client died");
        end
    }

    /// A session ends at once, for this reason.
    pub(crate) async fn assert_ends_soon(&mut self, died: Instant, reason: DisconnectReason) {
        let End { at, disconnect, .. } = self.end().await;
        assert_eq!(disconnect.reason, reason, "{disconnect}");
        assert!(at - died < LATE, "{:?} after its client died", at - died);
    }
}
