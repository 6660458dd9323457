//! Our client, as a test holds it.

use core::ops::{Deref, DerefMut};
use core::time::Duration;

use eio_socketio::client::{Ack, Client, ClientBuilder, Disconnect, Incoming, Socket};
use eio_socketio::{Args, RawArgs, Value};
use eio_tests::interop::{Log, Mode, soon};
use eio_tokio::{Backoff, ClientEvent, Transport};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::stock::{Peer, StockServer};
use crate::lines::from_ours;

/// Settings for this peer, and the events of the connection.
pub(super) fn builder(peer: Peer, url: &str, log: &Log) -> (ClientBuilder, UnboundedReceiver<ClientEvent>) {
    let (tell, events) = mpsc::unbounded_channel();
    let log = log.clone();
    let transports: &[Transport] = match peer.mode {
        Mode::Polling => &[Transport::Polling],
        Mode::WebSocket => &[Transport::WebSocket],
        Mode::Upgrade => &[Transport::Polling, Transport::WebSocket],
    };
    let backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(100)).expect("delays");
    let builder = Client::builder(url).eio3(peer.is_old()).backoff(backoff).engine(move |engine| {
        // Some cases keep it waiting, and machines are slow.
        let engine = engine.transports(transports.iter().copied()).upgrade_timeout(Duration::from_secs(30));
        engine.on_event(move |event| {
            // Thousands of messages take their time in a log.
            if !matches!(event, ClientEvent::Message(_)) {
                log.line("client", &format!("{event:?}"));
            }
            // A test that waits for none has dropped the receiver.
            let _ = tell.send(event);
        })
    });
    (builder, events)
}

/// A client that has joined `/`.
pub(super) struct Ours {
    pub(super) client: Client,
    socket: Socket,
    pub(super) events: UnboundedReceiver<ClientEvent>,
}

impl Ours {
    /// Joins `/`. The session may still be on its way to another transport.
    pub(super) async fn join(peer: Peer, server: &StockServer, log: &Log) -> Self {
        Self::join_with(peer, server, log, |builder| builder).await
    }

    /// Joins `/` at this URL.
    pub(super) async fn join_at(peer: Peer, url: &str, log: &Log) -> Self {
        Box::pin(Self::join_by(builder(peer, url, log))).await
    }

    pub(super) async fn join_with(
        peer: Peer,
        server: &StockServer,
        log: &Log,
        settings: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Self {
        let (builder, events) = builder(peer, &server.url(), log);
        Box::pin(Self::join_by((settings(builder), events))).await
    }

    async fn join_by((builder, events): (ClientBuilder, UnboundedReceiver<ClientEvent>)) -> Self {
        let client = builder.build().expect("the settings are valid");
        let socket = soon("to join", client.join("/")).await.expect("the server lets it in");
        Self { client, socket, events }
    }

    /// Joins `/`, and waits until the session is on its final transport.
    pub(super) async fn settle(peer: Peer, server: &StockServer, log: &Log) -> Self {
        let mut ours = Self::join(peer, server, log).await;
        ours.settled(peer).await;
        ours
    }

    /// Waits until the session is on its final transport.
    pub(super) async fn settled(&mut self, peer: Peer) {
        let mut is_settled = peer.mode != Mode::Upgrade;
        while !is_settled {
            let event = soon("the upgrade", self.events.recv()).await.expect("the client lives");
            is_settled = matches!(event, ClientEvent::UpgradeEnded(_));
        }
    }

    /// Waits until the server is on the final transport, too, and then for its next poll to be pending.
    pub(super) async fn at_rest(&mut self, peer: Peer) {
        self.settled(peer).await;
        assert_eq!(soon("the sum", self.socket.emit_with_ack::<u8>("sum", Args((1, 2)))).await, Ok(3));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }

    /// What arrives next.
    pub(super) async fn incoming(&mut self) -> Incoming {
        incoming(&mut self.socket).await
    }

    /// The event that arrives next.
    pub(super) async fn event(&mut self) -> (String, RawArgs, Option<Ack>) {
        match self.incoming().await {
            Incoming::Event { name, args, ack } => (name.to_string(), args, ack),
            other => panic!("expected an event, not {other:?}"),
        }
    }

    /// How it is disconnected, which is what happens next.
    pub(super) async fn disconnected(&mut self) -> Disconnect {
        disconnected(&mut self.socket).await
    }

    /// Waits until it is connected again, which is what happens next. Returns whether the server has recovered it.
    pub(super) async fn connected(&mut self) -> bool {
        match self.incoming().await {
            Incoming::Connected { recovered } => recovered,
            other => panic!("expected to be connected, not {other:?}"),
        }
    }

    pub(super) fn into_socket(self) -> Socket {
        self.socket
    }
}

impl Deref for Ours {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.socket
    }
}

impl DerefMut for Ours {
    fn deref_mut(&mut self) -> &mut Socket {
        &mut self.socket
    }
}

/// What arrives next on a socket.
pub(super) async fn incoming(socket: &mut Socket) -> Incoming {
    soon("something to arrive", socket.recv()).await.expect("the namespace is joined")
}

/// How a socket is disconnected, which is what happens next.
pub(super) async fn disconnected(socket: &mut Socket) -> Disconnect {
    match incoming(socket).await {
        Incoming::Disconnected(end) => end,
        other => panic!("expected to be disconnected, not {other:?}"),
    }
}

/// Arguments as lines carry them.
pub(super) fn line(args: &RawArgs) -> serde_json::Value {
    from_ours(&Value::Array(args.values().expect("Unicode")))
}
