//! What a WebSocket hands to its session and takes from it.

use eio_core::packet::WebSocketMessage;
use eio_core::ws::Close;

use crate::wire::close_frame::CloseFrame;
use crate::wire::outgoing::ToWrite;

/// Takes what was read.
pub(crate) trait FrameSink {
    /// Whether reading may go on.
    fn wants_more(&self) -> bool;
    /// One whole WebSocket message.
    fn handle(&mut self, frame: WebSocketMessage<'_>);
    /// A piece of a message that is not whole yet.
    fn handle_activity(&mut self);
    /// The peer's close frame, with its body if it has one. Nothing follows it.
    fn handle_close(&mut self, _: Option<Close<'_>>) {}
}

/// Gives what is to be written.
pub(crate) trait FrameSource {
    /// What comes next, if anything does.
    fn next(&mut self) -> Option<ToWrite>;
    /// So many of the messages that [`next`](Self::next) gave, the oldest ones, are with the kernel as a whole.
    fn written(&mut self, messages: usize);
    /// Whether nothing will come any more and all is written: our close frame's turn.
    fn is_over(&self) -> bool {
        false
    }
    /// What our close frame says then.
    fn close_frame(&self) -> Option<CloseFrame> {
        None
    }
}
