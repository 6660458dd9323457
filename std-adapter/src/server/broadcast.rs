//! The result of sending one message to many sessions.

use crate::session::send::{SendErrorKind, TrySendError};

/// The result of a [broadcast](crate::Server::broadcast). Each session of the server counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broadcast {
    /// The number of sessions that get the message.
    pub sent: usize,
    /// The number of sessions whose outbox is full.
    pub full: usize,
    /// The number of sessions on a transport that cannot carry the message: see
    /// [`SendErrorKind::Separator`].
    pub uncarried: usize,
    /// The number of sessions that are closing, have just ended, or whose peer has been silent past its deadline.
    pub closed: usize,
}

impl Broadcast {
    /// One session more.
    pub(crate) fn count(&mut self, result: Result<(), TrySendError>) {
        *match result {
            Ok(()) => &mut self.sent,
            Err(TrySendError::Full(_)) => &mut self.full,
            Err(TrySendError::Refused(error)) => match error.kind {
                SendErrorKind::Separator { .. } => &mut self.uncarried,
                _ => &mut self.closed,
            },
        } += 1;
    }
}
