//! Why a request could not be forwarded.

use core::time::Duration;

use eio_tokio::TimedBodyError;
use http::StatusCode;

use crate::forward::dial::DialError;

/// Why a request could not be forwarded.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// No connection to the node came about.
    #[error("the node cannot be reached: {0}")]
    Unreachable(#[from] DialError),
    /// The node was silent for longer than [`max_silence`](crate::forward::ForwarderBuilder::max_silence), and did not say that
    /// the session lives when it was asked.
    #[error("the node has not answered within {0:?}, and does not say that the session lives")]
    Silent(Duration),
    /// The connection ended before the answer.
    #[error("the connection to the node was lost: {0}")]
    Lost(String),
    /// The answer does not show that it comes from a node: something else has the address, the nodes have different secrets,
    /// their clocks differ by more than [the window](crate::forward::ForwarderBuilder::window), or a program in front of the
    /// node has refused the request, because of its `Host` for example.
    #[error(
        "the answer, with status {0}, is not that of a node with the same secret and the same time: if it is the node that has \
         refused the request, its log says why"
    )]
    NotANode(StatusCode),
    /// The client did not send the rest of its request within this time: the
    /// [`body_timeout`](crate::forward::ForwarderBuilder::body_timeout), or the
    /// [`request_timeout`](eio_tokio::ServerBuilder::request_timeout) of a server with `serve_with` if that is shorter.
    #[error("the client has not sent the rest of its request within {0:?}")]
    Stalled(Duration),
    /// The client has left in the middle of its request.
    #[error("the client has broken off its request")]
    BrokenOff,
    /// This node leaves: it forwards no more WebSockets.
    #[error("this node leaves, and forwards no more WebSockets")]
    Leaving,
    /// The system has no random bytes.
    #[error("the system has no random bytes")]
    NoRandom,
    /// The address and the path of the request are no URI together.
    #[error("the path of the request cannot be asked for")]
    Path,
}

impl ForwardError {
    /// Returns whether it is the client that has not sent the whole request.
    pub(super) fn is_of_client(&self) -> bool {
        matches!(self, Self::Stalled(_) | Self::BrokenOff)
    }

    /// Returns the error of a request that hyper could not send.
    pub(super) fn of(error: &(dyn core::error::Error + 'static)) -> Self {
        let mut cause = Some(error);
        let mut last = error;
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<DialError>() {
                return Self::Unreachable(error.clone());
            }
            // The server's own limit is the shorter one.
            if let Some(TimedBodyError::Late(limit)) = error.downcast_ref::<TimedBodyError>() {
                return Self::Stalled(*limit);
            }
            last = error;
            cause = error.source();
        }
        Self::Lost(last.to_string())
    }
}
