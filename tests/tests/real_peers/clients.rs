//! Stock clients against our server.

mod ends;
mod heartbeats;
mod messages;
mod requests;

use eio_tests::interop::{Case, Log, Mode, StockClients, StockKind, StockSession, TestServer};

/// Every case.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in StockKind::ALL {
        for mode in Mode::ALL {
            let peer = Peer { kind, mode };
            messages::cases(peer, &mut cases);
            ends::cases(peer, &mut cases);
            heartbeats::cases(peer, &mut cases);
        }
        requests::cases(kind, &mut cases);
    }
    cases
}

/// A library, and how it connects.
#[derive(Clone, Copy)]
struct Peer {
    kind: StockKind,
    mode: Mode,
}

impl Peer {
    /// A case that gets this peer as an argument.
    fn case<R>(self, sentence: &str, run: fn(Self, Log) -> R) -> Case
    where
        R: Future<Output = ()> + Send + 'static,
    {
        let name = format!("{} over {}: {sentence}", self.kind.name(), self.mode.name());
        Case::new(name, move |log| run(self, log))
    }

    /// Opens a session and waits until it is on its final transport.
    async fn open(self, clients: &mut StockClients, server: &TestServer) -> StockSession {
        let mut client = clients.open(&server.url(), self.mode);
        client.opened().await;
        if self.mode == Mode::Upgrade {
            client.upgraded().await;
        }
        client
    }
}
