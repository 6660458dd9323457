//! Our client against stock servers.

mod ends;
mod heartbeats;
mod messages;
mod requests;

use eio_tests::interop::{Case, Log, Mode, OurClient, ServerKind, StockServer};
use eio_tokio::ClientBuilder;
use serde_json::{Value, json};

/// Every case.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let peers = [(ServerKind::Engine6, false), (ServerKind::Engine6, true), (ServerKind::Engine3, true)];
    for (kind, eio3) in peers {
        for mode in Mode::ALL {
            let peer = Peer { kind, eio3, mode };
            messages::cases(peer, &mut cases);
            ends::cases(peer, &mut cases);
            heartbeats::cases(peer, &mut cases);
            requests::cases(peer, &mut cases);
        }
    }
    // Of this one, how many packets it takes at once is what matters.
    messages::bursts(Peer { kind: ServerKind::Python, eio3: false, mode: Mode::Polling }, &mut cases);
    cases
}

/// A library, the revision that our client speaks to it, and how it connects.
#[derive(Clone, Copy)]
struct Peer {
    kind: ServerKind,
    eio3: bool,
    mode: Mode,
}

impl Peer {
    /// A case that gets this peer as an argument.
    fn case<R>(self, sentence: &str, run: fn(Self, Log) -> R) -> Case
    where
        R: Future<Output = ()> + Send + 'static,
    {
        let revision = if self.eio3 { 3 } else { 4 };
        let name = format!("{} (EIO={revision}) over {}: {sentence}", self.kind.name(), self.mode.name());
        Case::new(name, move |log| run(self, log))
    }

    /// Starts the server.
    async fn start(self, mut options: Value, log: &Log) -> StockServer {
        options["allowEIO3"] = json!(self.eio3);
        StockServer::start(self.kind, &options, log).await
    }

    /// Opens a session and waits until it is on its final transport.
    async fn open(self, server: &StockServer, log: &Log) -> OurClient {
        let client = OurClient::open(&server.url(), self.mode, log, |client| self.settings(client)).await;
        client.expect("the server opens sessions")
    }

    fn settings(self, client: ClientBuilder) -> ClientBuilder {
        client.eio3(self.eio3)
    }
}
