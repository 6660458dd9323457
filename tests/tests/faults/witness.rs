//! What a server said of its sessions, and when.

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
const LATE: Duration = Duration::from_secs(3);

/// A server of which every ping and every end is known.
pub(crate) struct Witness {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    ends: mpsc::UnboundedReceiver<(Instant, Disconnect)>,
}

#[derive(Default)]
struct Shared {
    last_ping: Mutex<Option<Instant>>,
}

struct Watch {
    shared: Arc<Shared>,
    ends: mpsc::UnboundedSender<(Instant, Disconnect)>,
}

impl Observer for Watch {
    fn ping(&self, _: SessionId) {
        *self.shared.last_ping.lock().unwrap() = Some(Instant::now());
    }

    fn closed(&self, _: SessionId, disconnect: &Disconnect) {
        let _ = self.ends.send((Instant::now(), disconnect.clone()));
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
    pub(crate) async fn end(&mut self) -> (Instant, Disconnect) {
        tokio::time::timeout(Duration::from_secs(30), self.ends.recv()).await.expect("no end").unwrap()
    }

    /// Nothing has ended.
    pub(crate) fn assert_no_end(&mut self) {
        if let Ok((_, disconnect)) = self.ends.try_recv() {
            panic!("{disconnect} ({} sessions are left)", self.server.len());
        }
    }

    /// The only session ends for silence: the timeout after its last ping, not earlier and hardly later.
    pub(crate) async fn assert_ping_timeout(&mut self) -> Disconnect {
        let (at, disconnect) = self.end().await;
        assert_eq!(disconnect.reason, DisconnectReason::PingTimeout, "{disconnect}");
        let last_ping = self.shared.last_ping.lock().unwrap().expect("no ping was sent");
        let waited = at - last_ping;
        // The ping was reported just after it was due.
        assert!(
            waited + Duration::from_millis(5) >= T && waited <= T + LATE,
            "{waited:?} after the last ping"
        );
        disconnect
    }

    /// The same, when the ping could not leave either: counted from the opening.
    pub(crate) async fn assert_ping_timeout_without_ping(&mut self) -> Disconnect {
        let opened = Instant::now();
        let (at, disconnect) = self.end().await;
        assert_eq!(disconnect.reason, DisconnectReason::PingTimeout, "{disconnect}");
        let waited = at.saturating_duration_since(opened);
        assert!(waited <= I + T + LATE, "{waited:?} after it opened");
        assert!(disconnect.silent_for >= I + T, "{disconnect}");
        disconnect
    }

    /// The only session ends at once, for this reason.
    pub(crate) async fn assert_ends_soon(&mut self, reason: DisconnectReason) {
        let began = Instant::now();
        let (at, disconnect) = self.end().await;
        assert_eq!(disconnect.reason, reason, "{disconnect}");
        assert!(at.saturating_duration_since(began) < LATE);
    }
}
