//! Whom a packet of the history is for.

use std::sync::Arc;

use crate::server::rooms::Target;

/// Whom a packet is for.
#[derive(Clone, Debug)]
pub(crate) enum Recipients {
    /// The socket of this identifier. Others that are in a room of that name do not get the packet.
    Socket(Arc<str>),
    /// The sockets that the target names.
    Target(Target),
}

impl Recipients {
    /// Returns about how many bytes of memory the names take.
    pub(super) fn byte_len(&self) -> usize {
        let size = |name: &Arc<str>| size_of::<Arc<str>>() + name.len();
        match self {
            Self::Socket(id) => size(id),
            Self::Target(target) => target.rooms.iter().chain(&target.except).map(size).sum(),
        }
    }
}
