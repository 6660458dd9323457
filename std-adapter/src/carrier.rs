//! The transport of a session: the bytes of a WebSocket, and the connection below it.

mod delegate;
#[cfg(feature = "client")]
pub(crate) mod dialed;
pub(crate) mod frames;
#[cfg(feature = "server")]
pub(crate) mod gate;
pub(crate) mod raw_socket;
pub(crate) mod websocket;

use self::websocket::WebSocketIo;

/// What carries a session.
#[derive(Default)]
pub(crate) enum Carrier {
    /// Nothing does: a WebSocket is still opening, or the session has ended.
    #[default]
    None,
    /// HTTP requests, which other tasks answer.
    Polling,
    WebSocket(Box<WebSocketIo>),
}
