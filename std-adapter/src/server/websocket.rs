//! The server's end of a WebSocket.

use hyper::upgrade::Upgraded;

use crate::carrier::websocket::WebSocketIo;
use crate::server::sessions::ServerContext;
use crate::web::upgraded::take_stream;

/// The WebSocket of a request, once the 101 response has left.
pub(crate) fn websocket(context: &ServerContext, upgraded: Upgraded) -> WebSocketIo {
    let (stream, received) = take_stream(upgraded);
    let max_message = context.sessions.config.settings.max_payload();
    WebSocketIo::server(stream, received, context.revision, context.base64_only, max_message)
}
