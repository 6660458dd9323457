//! What a namespace keeps of a socket whose client is away.

use std::sync::Arc;

use tokio::sync::watch;

use crate::args::RawArgs;
use crate::server::socket::Values;
use crate::server::socket_id::SocketId;

/// What is kept of a socket whose client may come back.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) id: SocketId,
    /// The data that the middlewares have seen.
    pub(crate) auth: RawArgs,
    pub(crate) values: Arc<Values>,
    /// Closed once the handlers of the end have started.
    told: watch::Receiver<()>,
    /// The rooms that it was in when it left.
    pub(super) rooms: Vec<Arc<str>>,
}

/// The time until the handlers of an end have started.
pub(crate) struct BeingTold(watch::Receiver<()>);

impl Kept {
    pub(crate) fn new(id: SocketId, auth: RawArgs, values: Arc<Values>, told: watch::Receiver<()>) -> Self {
        Self { id, auth, values, told, rooms: Vec::new() }
    }

    /// Returns about how many bytes of memory the names and the auth data take. Values of the application have no size that
    /// is known.
    pub(super) fn byte_len(&self) -> usize {
        let rooms: usize = self.rooms.iter().map(|room| size_of::<Arc<str>>() + room.len()).sum();
        self.id.as_str().len() + self.auth.byte_len() + rooms
    }

    /// Returns the time to wait until the handlers of the end have started, if they have not.
    pub(crate) fn being_told(&self) -> Option<BeingTold> {
        // It is an error that nobody tells any more.
        self.told.has_changed().is_ok().then(|| BeingTold(self.told.clone()))
    }
}

impl BeingTold {
    pub(crate) async fn over(mut self) {
        while self.0.changed().await.is_ok() {}
    }
}
