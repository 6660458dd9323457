//! How a session closes: until when, and what the close frames say.

use eio_core::Instant;

use crate::wire::close_frame::CloseFrame;

/// The state of a session that closes or has been closed. Until then, it owns no memory.
#[derive(Debug, Default)]
pub(crate) struct Closing(Option<Box<State>>);

#[derive(Debug, Default)]
struct State {
    /// Until when the close of this side may take, that of the connection included.
    by: Option<Instant>,
    own: Option<CloseFrame>,
    peers: Option<CloseFrame>,
}

impl Closing {
    /// Notes that this side closes the session, for which there is time until `by`. Has no effect on a session that is
    /// already closing.
    pub(crate) fn begin(&mut self, by: Instant) {
        self.0.get_or_insert_default().by.get_or_insert(by);
    }

    /// Returns until when the close of this side may take, that of the connection included. Returns `None` if this side has
    /// not closed the session.
    pub(crate) fn by(&self) -> Option<Instant> {
        self.0.as_ref()?.by
    }

    /// Sets the content of this side's close frame, which the application has chosen.
    pub(crate) fn set_own_frame(&mut self, frame: CloseFrame) {
        self.0.get_or_insert_default().own = Some(frame);
    }

    /// Returns the content of this side's close frame, if the application has chosen it.
    pub(crate) fn own_frame(&self) -> Option<CloseFrame> {
        self.0.as_ref()?.own.clone()
    }

    /// Keeps the content of the peer's close frame until the end is reported.
    pub(crate) fn set_peers_frame(&mut self, frame: CloseFrame) {
        self.0.get_or_insert_default().peers = Some(frame);
    }

    /// Takes the content of the peer's close frame.
    pub(crate) fn take_peers_frame(&mut self) -> Option<CloseFrame> {
        self.0.as_mut()?.peers.take()
    }
}
