//! Thousands of clients, which are ours, in one room of several nodes.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use eio_socketio::client::{Client, Emitter, Incoming, Socket};
use eio_socketio::{AckError, Args};
use eio_tests::interop::soon;
use eio_tokio::Transport;
use tokio::task::JoinSet;

/// How many connect at once.
const AT_ONCE: usize = 50;

/// Clients of the main namespace, all in one room.
pub(crate) struct Crowd {
    clients: Vec<Arc<Member>>,
    tasks: JoinSet<()>,
}

struct Member {
    emitter: Emitter,
    got: AtomicU64,
    /// How often it has joined the room.
    joins: AtomicU64,
    is_in: AtomicBool,
}

impl Crowd {
    /// Connects so many clients, on WebSockets.
    pub(crate) async fn gather(url: &str, count: usize) -> Self {
        let (mut clients, mut tasks) = (Vec::new(), JoinSet::new());
        while clients.len() < count {
            let opening: JoinSet<_> = (0..AT_ONCE).map(|_| open(url.to_owned())).collect();
            for (member, socket) in soon("clients that connect", opening.join_all()).await {
                tasks.spawn(live(Arc::clone(&member), socket));
                clients.push(member);
            }
        }
        Self { clients, tasks }
    }

    /// Returns how often clients have joined.
    pub(crate) fn joins(&self) -> u64 {
        self.clients.iter().map(|client| client.joins.load(Ordering::Relaxed)).sum()
    }

    /// Waits until all are in the room, and lets the first one tell it something. All others get it, once.
    pub(crate) async fn all_hear(&mut self) {
        assert!(self.tasks.try_join_next().is_none(), "a client has ended");
        self.until("all clients are in the room", |client, _| client.is_in.load(Ordering::Relaxed)).await;
        let got = |client: &Member| client.got.load(Ordering::Relaxed);
        let expected: Vec<_> =
            self.clients.iter().enumerate().map(|(at, client)| got(client) + u64::from(at > 0)).collect();
        let told = self.clients[0].emitter.emit_with_ack::<usize>("to", Args(("room", "news")));
        told.await.expect("the server answers");
        self.until("what was told", |client, at| got(client) >= expected[at]).await;
        // Nothing comes twice.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(self.clients.iter().map(|client| got(client)).eq(expected), "something came twice");
    }

    /// Waits until something holds of each client and its number.
    async fn until(&self, what: &str, holds: impl Fn(&Member, usize) -> bool) {
        let looking = async {
            while !self.clients.iter().enumerate().all(|(at, client)| holds(client, at)) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        soon(what, looking).await;
    }
}

async fn open(url: String) -> (Arc<Member>, Socket) {
    let builder = Client::builder(url).engine(|engine| engine.transports([Transport::WebSocket]));
    let socket = builder.build().expect("a valid URL").join("/").await.expect("the server is there");
    let (got, joins) = (AtomicU64::new(0), AtomicU64::new(0));
    let member = Member { emitter: socket.emitter(), got, joins, is_in: AtomicBool::new(false) };
    (Arc::new(member), socket)
}

/// Joins the room after each connect, and counts what comes.
async fn live(member: Arc<Member>, mut socket: Socket) {
    loop {
        match socket.emit_with_ack::<Vec<String>>("join", "room").await {
            Ok(_) => {
                member.joins.fetch_add(1, Ordering::Relaxed);
                member.is_in.store(true, Ordering::Relaxed);
            }
            // It was disconnected again, and hears of that next.
            Err(AckError::Disconnected) => {}
            Err(other) => panic!("{other}"),
        }
        loop {
            match socket.recv().await.expect("it comes back by itself") {
                Incoming::Event { .. } => _ = member.got.fetch_add(1, Ordering::Relaxed),
                Incoming::Disconnected(_) => member.is_in.store(false, Ordering::Relaxed),
                Incoming::Connected { .. } => break,
                other => panic!("{other:?}"),
            }
        }
    }
}
