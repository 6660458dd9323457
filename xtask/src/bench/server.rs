//! The servers that are measured.

/// One server. The order is the one of the table's columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Server {
    /// Our library, behind a handler of a few lines.
    Ours,
    /// A loop on tokio's sockets that knows one upgrade request and echoes frames: what the machine gives.
    Bare,
    /// engineioxide, the other server in Rust.
    Engineioxide,
    /// `@socket.io/bun-engine` on Bun.
    Bun,
    /// `engine.io` on Node, the reference.
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

    /// Its name for people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Bare => "bare loop",
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
