//! Which library was recorded, and which rules its version followed.

use eio_core::{Liveness, Revision};

/// A library and its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Library {
    /// Of engine.io, or the one that this socket.io carries.
    engine: (u32, u32, u32),
}

/// Reads `engine.io 6.6.12`. Returns `None` for a script, which is not a library.
pub(crate) fn library(name: &str) -> Option<Library> {
    let (package, version) = name.split_once(' ')?;
    let mut numbers = version.split('.').map(str::parse::<u32>);
    let (major, minor, patch) =
        (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next().and_then(Result::ok).unwrap_or(0));
    let engine = match package {
        "engine.io" | "engine.io-client" => (major, minor, patch),
        "socket.io" | "socket.io-client" => match (major, minor) {
            (0, _) => return None,
            (1 | 2, _) => (3, 6, 0),
            (3, _) => (4, 0, 0),
            (4, 0..=7) => (6, 5, 0),
            _ => (6, 6, 12),
        },
        _ => return None,
    };
    Some(Library { engine })
}

/// Whether the server is Socket.IO, which tells of its engine by other words.
pub(crate) fn is_socket_io(name: &str) -> bool {
    name.starts_with("socket.io ")
}

/// The revision of a session whose first request had this value of `EIO`.
pub(crate) fn revision(server: Option<Library>, eio: &str) -> Revision {
    let speaks_four = server.is_none_or(|library| library.engine >= (4, 0, 0));
    if speaks_four && eio == "4" { Revision::V4 } else { Revision::V3 }
}

impl Library {
    /// What counted as life for this server.
    pub(crate) fn liveness(self) -> Liveness {
        match self.engine {
            (6, 6, 0..=10) => Liveness::PongOnly,
            engine if engine >= (6, 6, 11) => Liveness::ExtendOnce,
            _ => Liveness::AnyPacket,
        }
    }

    /// The ping interval and the ping timeout of this server, in milliseconds, unless it is told otherwise.
    pub(crate) fn periods(self) -> (u32, u32) {
        let timeout = match self.engine {
            (0..=2, ..) | (3, 0..=1, _) => 60_000,
            (3, 2..=5, _) | (4, ..) => 5_000,
            _ => 20_000,
        };
        (25_000, timeout)
    }

    /// The largest payload that this server takes, unless it is told otherwise.
    pub(crate) fn max_payload(self) -> u64 {
        if self.engine >= (3, 6, 0) { 1_000_000 } else { 100_000_000 }
    }
}
