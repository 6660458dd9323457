//! The interface between a WebSocket and its session: a sink for received messages, and a source of messages to send.

use eio_core::packet::WebSocketMessage;
use eio_core::ws::Close;

use crate::wire::close_frame::CloseFrame;
use crate::wire::message::Message;
use crate::wire::outgoing::ToWrite;

/// Receives the messages from the peer.
pub(crate) trait FrameSink {
    /// Returns whether reading may go on.
    fn wants_more(&self) -> bool;
    /// Handles a whole WebSocket message.
    fn handle(&mut self, frame: WebSocketMessage<'_>);
    /// Handles a whole WebSocket message that has a buffer of its own, so that it need not be copied.
    fn handle_owned(&mut self, frame: Message) {
        self.handle(frame.as_websocket_message());
    }
    /// Handles the arrival of a piece of an incomplete message.
    fn handle_activity(&mut self);
    /// Handles the peer's close frame, with its body if it has one. No message follows it.
    fn handle_close(&mut self, _: Option<Close<'_>>) {}
}

/// Provides the messages and packets to write.
pub(crate) trait FrameSource {
    /// Returns the next message or packet, if there is one.
    fn next(&mut self) -> Option<ToWrite<'_>>;
    /// Reports that the oldest `messages` that [`next`](Self::next) returned have been written completely.
    fn written(&mut self, messages: usize);
    /// Reports that the kernel has everything that has been [written](Self::written) so far.
    fn flushed(&mut self) {}
    /// Returns whether a source that had no next message or packet still has none after the previous ones were written, and
    /// is not [over](Self::is_over). The writer then does not ask again.
    fn is_drained(&self) -> bool {
        false
    }
    /// Returns whether everything has been written and no more will follow, so that the close frame is due.
    fn is_over(&self) -> bool {
        false
    }
    /// Returns the content of the close frame.
    fn close_frame(&self) -> Option<CloseFrame> {
        None
    }
}
