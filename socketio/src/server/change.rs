//! What happens to the sockets of an audience.

use crate::server::socket::Socket;

/// Sockets join a room, leave one, or end.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "cluster", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Change<'a> {
    Join(&'a str),
    Leave(&'a str),
    Disconnect,
    Close,
}

impl Change<'_> {
    /// Lets it happen to sockets of this server.
    pub(crate) fn apply(self, sockets: &[Socket]) {
        for socket in sockets {
            match self {
                // Those that are in as many rooms as they may be do not join.
                Self::Join(room) => drop(socket.join(room)),
                Self::Leave(room) => drop(socket.leave(room)),
                Self::Disconnect => socket.disconnect(),
                Self::Close => socket.close(),
            }
        }
    }
}
