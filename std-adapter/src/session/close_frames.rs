//! The content of a session's close frames.

use crate::wire::close_frame::CloseFrame;

/// The content of the close frames of both sides. Without any, it owns no memory.
#[derive(Debug, Default)]
pub(crate) struct CloseFrames(Option<Box<Both>>);

#[derive(Debug, Default)]
struct Both {
    own: Option<CloseFrame>,
    peers: Option<CloseFrame>,
}

impl CloseFrames {
    /// Sets the content of this side's close frame, which the application has chosen.
    pub(crate) fn set_own(&mut self, frame: CloseFrame) {
        self.0.get_or_insert_default().own = Some(frame);
    }

    /// Returns the content of this side's close frame, if the application has chosen it.
    pub(crate) fn own(&self) -> Option<CloseFrame> {
        self.0.as_ref()?.own.clone()
    }

    /// Keeps the content of the peer's close frame until the end is reported.
    pub(crate) fn set_peers(&mut self, frame: CloseFrame) {
        self.0.get_or_insert_default().peers = Some(frame);
    }

    /// Takes the content of the peer's close frame.
    pub(crate) fn take_peers(&mut self) -> Option<CloseFrame> {
        self.0.as_mut()?.peers.take()
    }
}
