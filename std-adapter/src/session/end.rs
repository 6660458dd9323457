//! How a session ended.

use core::fmt;
use core::time::Duration;

use eio_core::DisconnectReason;
use eio_core::handshake::Transport;

use crate::wire::close_frame::CloseFrame;

/// Describes how a session ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}{} (after {} ms of silence, on {})", Words(.close_frame.as_ref()), .silent_for.as_millis(), .transport.as_str())]
#[non_exhaustive]
pub struct Disconnect {
    /// The first cause of the end.
    pub reason: DisconnectReason,
    /// The time from the peer's last sign of life to the end.
    pub silent_for: Duration,
    /// The transport that carried the session at its end.
    pub transport: Transport,
    /// The number of messages that the application had sent and that were not written completely.
    /// [`Socket::take_unsent`](crate::Socket::take_unsent) returns them.
    pub unsent: usize,
    /// The peer's close frame, if a WebSocket carried the session and the frame arrived before the end. It holds the code
    /// and the reason of a browser's `socket.close(4001, "bye")`, or of a server's. Polling has no close frames.
    pub close_frame: Option<CloseFrame>,
}

/// Displays the close frame as part of the sentence about the end.
struct Words<'a>(Option<&'a CloseFrame>);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |frame| write!(f, ", close frame {frame}"))
    }
}

/// Logs the end of a session of a server or a client, which most logs show. A target must be a constant.
macro_rules! log_end {
    (target: $target:path, $sid:expr, $end:expr, $message:literal) => {{
        let (sid, end): (_, &$crate::session::end::Disconnect) = ($sid, $end);
        tracing::info!(
            target: $target,
            %sid,
            reason = end.reason.as_str(),
            detail = %end.reason,
            close_code = end.close_frame.as_ref().map(|frame| frame.code().as_u16()),
            close_reason = end.close_frame.as_ref().map(|frame| tracing::field::debug(frame.reason())),
            silent_ms = end.silent_for.as_millis(),
            transport = end.transport.as_str(),
            $message
        );
    }};
}

pub(crate) use log_end;
