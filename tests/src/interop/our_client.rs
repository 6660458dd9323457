//! Our client, as a test holds it: what it tells goes into the case's log, and can be waited for.

use core::ops::{Deref, DerefMut};

use eio_core::upgrade::UpgradeOutcome;
use eio_tokio::{
    Client, ClientBuilder, ClientEvent, ClientSocket, ConnectError, Disconnect, Message, Transport,
};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::{Log, Mode, soon};

/// An open session of our client.
#[derive(Debug)]
pub struct OurClient {
    socket: ClientSocket,
    events: UnboundedReceiver<ClientEvent>,
}

impl OurClient {
    /// Settings for this mode, and the events of what will be opened by them.
    pub fn builder(url: &str, mode: Mode, log: &Log) -> (ClientBuilder, UnboundedReceiver<ClientEvent>) {
        let (tell, events) = mpsc::unbounded_channel();
        let log = log.clone();
        let transports: &[Transport] = match mode {
            Mode::Polling => &[Transport::Polling],
            Mode::WebSocket => &[Transport::WebSocket],
            Mode::Upgrade => &[Transport::Polling, Transport::WebSocket],
        };
        let builder = Client::builder(url).transports(transports.iter().copied()).on_event(move |event| {
            log.line("client", &format!("{event:?}"));
            // A test that waits for none has dropped the receiver.
            let _ = tell.send(event);
        });
        (builder, events)
    }

    /// Opens a session, and waits until it is on its final transport.
    ///
    /// # Errors
    /// Why there is none.
    ///
    /// # Panics
    /// When the settings are no client, or the upgrade fails.
    pub async fn open(
        url: &str,
        mode: Mode,
        log: &Log,
        settings: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Self, ConnectError> {
        let mut client = Self::open_only(url, mode, log, settings).await?;
        if mode == Mode::Upgrade {
            assert_eq!(client.upgrade_ended().await, UpgradeOutcome::Upgraded);
        }
        Ok(client)
    }

    /// Opens a session, which may upgrade later.
    ///
    /// # Errors
    /// Why there is none.
    ///
    /// # Panics
    /// When the settings are no client.
    pub async fn open_only(
        url: &str,
        mode: Mode,
        log: &Log,
        settings: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Self, ConnectError> {
        let (builder, events) = Self::builder(url, mode, log);
        let client = settings(builder).build().expect("the settings are valid");
        let socket = soon("the client to connect", client.connect()).await?;
        Ok(Self { socket, events })
    }

    /// The next message.
    ///
    /// # Panics
    /// When the session ends instead.
    pub async fn message(&mut self) -> Message {
        soon("a message at the client", self.socket.recv()).await.expect("the session lives")
    }

    /// How the session ended.
    pub async fn ended(&self) -> Disconnect {
        soon("the client's session to end", self.socket.closed()).await
    }

    /// Waits for the next ping of the server's, or for its answer to ours.
    pub async fn heartbeat(&mut self) {
        self.told(|event| {
            matches!(event, ClientEvent::PingReceived { .. } | ClientEvent::PongReceived { .. }).then_some(())
        })
        .await;
    }

    /// Waits until the upgrade has succeeded or failed.
    pub async fn upgrade_ended(&mut self) -> UpgradeOutcome {
        self.told(|event| match event {
            ClientEvent::UpgradeEnded(outcome) => Some(*outcome),
            _ => None,
        })
        .await
    }

    async fn told<T>(&mut self, wanted: impl Fn(&ClientEvent) -> Option<T>) -> T {
        soon("the client to tell of it", async {
            loop {
                let event = self.events.recv().await.expect("the client lives");
                if let Some(found) = wanted(&event) {
                    return found;
                }
                assert!(!matches!(event, ClientEvent::Closed(_)), "{event:?} came first");
            }
        })
        .await
    }
}

impl Deref for OurClient {
    type Target = ClientSocket;

    fn deref(&self) -> &ClientSocket {
        &self.socket
    }
}

impl DerefMut for OurClient {
    fn deref_mut(&mut self) -> &mut ClientSocket {
        &mut self.socket
    }
}
