//! The transport of a session: the bytes of a WebSocket, and the connection below it.

pub(crate) mod dialed;
pub(crate) mod frames;
pub(crate) mod gate;
pub(crate) mod raw_socket;
pub(crate) mod websocket;
