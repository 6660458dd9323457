//! Which client meets our server, and how it connects.

use eio_tests::interop::{Case, Log, Mode};

use crate::client::Client;
use crate::server::TestServer;

/// A library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Library {
    /// socket.io-client 4: revision 5.
    JavaScript4,
    /// socket.io-client 2: revision 4, over Engine.IO 3.
    JavaScript2,
    /// python-socketio: revision 5.
    Python,
}

impl Library {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::JavaScript4 => "socket.io-client 4",
            Self::JavaScript2 => "socket.io-client 2",
            Self::Python => "python-socketio",
        }
    }
}

/// A library, and how it connects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) library: Library,
    pub(crate) mode: Mode,
}

impl Peer {
    pub(crate) fn all() -> Vec<Self> {
        let libraries = [Library::JavaScript4, Library::JavaScript2, Library::Python];
        libraries.into_iter().flat_map(|library| Mode::ALL.map(|mode| Self { library, mode })).collect()
    }

    /// A case that gets this peer as an argument.
    pub(crate) fn case<F, R>(self, sentence: &str, run: F) -> Case
    where
        F: FnOnce(Self, Log) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let name = format!("{} over {}: {sentence}", self.library.name(), self.mode.name());
        Case::new(name, move |log| run(self, log))
    }

    /// Whether the client speaks the revision of Socket.IO 2.
    pub(crate) fn is_old(self) -> bool {
        self.library == Library::JavaScript2
    }

    /// The transport on which sessions end up.
    pub(crate) fn transport(self) -> &'static str {
        if self.mode == Mode::Polling { "polling" } else { "websocket" }
    }

    /// Joins `/`, and waits until the session is on its final transport.
    pub(crate) async fn join(self, server: &TestServer, log: &Log) -> Client {
        let mut client = Client::open(self, server, "/", log).await;
        client.joined().await;
        client.settled().await;
        client
    }
}
