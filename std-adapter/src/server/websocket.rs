//! The server's end of a WebSocket.

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use bytes::Bytes;
use eio_core::BufferTooSmall;
use eio_core::ws::{FrameHeader, OpCode};
use hyper::upgrade::{OnUpgrade, Upgraded};

use crate::carrier::websocket::{Stream, WebSocketIo};
use crate::server::sessions::ServerContext;
use crate::web::upgraded::{Taken, take_stream};

/// Returns the WebSocket of a request, once the 101 response has left.
pub(crate) fn websocket(context: &ServerContext, upgraded: Upgraded) -> WebSocketIo {
    let Taken { stream, received, .. } = take_stream(upgraded);
    over(context, stream, received)
}

fn over(context: &ServerContext, stream: Stream, received: Vec<u8>) -> WebSocketIo {
    let max_message = context.sessions().config.settings.max_payload();
    WebSocketIo::server(stream, received, context.revision, context.base64_only, max_message)
}

/// The WebSocket that a session opens on, until its first packet has been passed to the transport.
pub(crate) enum Opening {
    /// The HTTP server still has the connection. The frame is that of the `open` packet.
    Upgrading { upgrade: OnUpgrade, frame: Vec<u8> },
    /// The 101 response, if the HTTP server has held it back, and the frame are being written: in one piece, because each
    /// piece costs the server and the client about as much as everything else of the opening.
    Answering { io: Option<Box<WebSocketIo>>, unwritten: Bytes },
}

impl Opening {
    /// Prepares the opening with this data of the `open` packet.
    pub(crate) fn new(upgrade: OnUpgrade, open: &str) -> Result<Self, BufferTooSmall> {
        let mut header = [0; FrameHeader::MAX_LEN];
        let header_len = FrameHeader::new(OpCode::Text, 1 + open.len()).encode(&mut header)?;
        let frame = [&header[..header_len], b"0", open.as_bytes()].concat();
        Ok(Self::Upgrading { upgrade, frame })
    }

    /// Returns the WebSocket once its first packet has been passed to the transport, or `None` if there will be no
    /// WebSocket.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        context: &ServerContext,
    ) -> Poll<Option<Box<WebSocketIo>>> {
        loop {
            match self {
                Self::Upgrading { upgrade, frame } => {
                    let Ok(upgraded) = ready!(Pin::new(upgrade).poll(cx)) else { return Poll::Ready(None) };
                    let Taken { stream, received, held: mut unwritten } = take_stream(upgraded);
                    unwritten.append(frame);
                    let io = Some(Box::new(over(context, stream, received)));
                    *self = Self::Answering { io, unwritten: unwritten.into() };
                }
                Self::Answering { io, unwritten } => {
                    // After a failed write, the session's next read finds how the connection has ended.
                    if let Some(io) = io {
                        let _ = ready!(io.poll_write_first(cx, unwritten));
                    }
                    return Poll::Ready(io.take());
                }
            }
        }
    }
}
