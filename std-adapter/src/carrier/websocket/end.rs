//! How a WebSocket's connection ended.

use std::io;

use eio_core::session::Violation;
use eio_core::ws::{self, CloseCode};

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionEnd {
    /// The peer closed it in order, with or without a close frame.
    Closed,
    /// It was reset.
    Reset,
    /// Reading or writing failed otherwise.
    Failed,
    /// The peer broke the framing.
    Violation(Violation),
}

impl From<&io::Error> for ConnectionEnd {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            // A broken pipe is a reset that was seen before: the kernel tells it once.
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
                Self::Reset
            }
            // TLS that ends with the connection, without saying so: the usual way to close in order.
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Failed,
        }
    }
}

impl From<ws::Error> for ConnectionEnd {
    fn from(error: ws::Error) -> Self {
        Self::Violation(match error.close_code() {
            CloseCode::MESSAGE_TOO_BIG => Violation::PayloadTooLarge,
            _ => Violation::WebSocket,
        })
    }
}
