//! The requests to a session's task, besides messages.

use crate::wire::close_frame::CloseFrame;

/// The requests to the task since its last pass.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "requests that do not depend on each other")]
pub(crate) struct Requests {
    pub(crate) close: bool,
    /// The content of the close frame.
    pub(crate) close_frame: Option<CloseFrame>,
    /// Application code panicked: close the session as panicked.
    pub(crate) panicked: bool,
    /// End the session without waiting for the peer.
    pub(crate) cut_off: bool,
    /// The inbox has room again.
    pub(crate) resume: bool,
}

impl Requests {
    /// Returns whether there is any.
    pub(crate) fn are_any(&self) -> bool {
        let Self { close, close_frame: _, panicked, cut_off, resume } = *self;
        close | panicked | cut_off | resume
    }
}
