//! The servers that are measured.

/// What the clients of a row speak, and so which program of a project serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    EngineIo,
    /// Socket.IO on Engine.IO.
    SocketIo,
}

/// One server. The order is the one of the table's columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Server {
    /// Our libraries, behind handlers of a few lines.
    Ours,
    /// A loop on tokio's sockets that knows one upgrade request and echoes frames: what the machine gives.
    Bare,
    /// engineioxide, the other server in Rust, and socketioxide on top of it.
    Engineioxide,
    /// `@socket.io/bun-engine` on Bun, and `socket.io` on top of it.
    Bun,
    /// `engine.io` on Node, the reference, and `socket.io` on top of it.
    Node,
}

/// Why a server that people ask for has no column.
pub(crate) const UWEBSOCKETS: &str = "uWebSockets: not run: because uWebSockets.js is not on a registry; its authors publish it on GitHub only";

impl Server {
    pub(crate) const ALL: [Self; 5] = [Self::Ours, Self::Bare, Self::Engineioxide, Self::Bun, Self::Node];

    /// Its name in the JSON file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Bare => "bare",
            Self::Engineioxide => "engineioxide",
            Self::Bun => "bun",
            Self::Node => "node",
        }
    }

    /// The head of its column, for people.
    pub(crate) fn column(self) -> &'static str {
        match self {
            Self::Engineioxide => "engineioxide, socketioxide",
            _ => self.title(Protocol::EngineIo),
        }
    }

    /// Its name for people, where it serves this protocol.
    pub(crate) fn title(self, protocol: Protocol) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Bare => "bare loop",
            Self::Engineioxide if protocol == Protocol::SocketIo => "socketioxide",
            Self::Engineioxide => "engineioxide",
            Self::Bun => "Bun",
            Self::Node => "Node",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|server| server.name() == name)
    }

    /// Whether it is slow until its compiler has seen what is hot.
    pub(crate) fn is_javascript(self) -> bool {
        matches!(self, Self::Bun | Self::Node)
    }

    /// Whether it is built from this repository alone.
    pub(crate) fn is_own(self) -> bool {
        matches!(self, Self::Ours | Self::Bare)
    }
}
