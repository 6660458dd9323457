//! The writing half of a WebSocket: frames are batched, and written without copies where that pays.

use core::task::{Context, Poll, ready};
use std::io;

#[cfg(feature = "server")]
use bytes::{Buf as _, Bytes};
use eio_core::Revision;
use eio_core::packet::Packet;
use eio_core::ws::OpCode;

use super::batch::Batch;
use super::{BATCH, Closing, WebSocketIo};
use crate::carrier::frames::FrameSource;
use crate::wire::close_frame::CloseFrame;
use crate::wire::message::Message;
use crate::wire::outgoing::{Outgoing, ToWrite};
use crate::wire::random;

impl WebSocketIo {
    /// Writes the remaining frames and then those of `source`, until there are no more or the kernel takes no more.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut impl FrameSource,
    ) -> Poll<io::Result<()>> {
        loop {
            if let Some(unwritten) = &mut self.unwritten {
                ready!(unwritten.poll_write(&mut self.stream, cx, source))?;
                self.unwritten = None;
            }
            if let Closing::Written = self.closing {
                return self.stream.poll_flush(cx);
            }
            if !self.stream.writes_to_kernel() {
                // Batch by batch, so that those who wait for a flush need not wait for messages that were sent later.
                ready!(self.stream.poll_flush(cx))?;
                source.flushed();
            }
            // The batch belongs to the thread. If it has to wait, it becomes the connection's.
            let mut batch = BATCH.take().unwrap_or_default();
            self.fill(&mut batch, source)?;
            if batch.is_empty() {
                BATCH.set(Some(batch));
                // Everything is flushed already.
                return Poll::Ready(Ok(()));
            }
            let has_room = !batch.is_full();
            match batch.poll_write(&mut self.stream, cx, source) {
                Poll::Ready(Ok(())) => {
                    batch.clear();
                    BATCH.set(Some(batch));
                    if has_room && source.is_drained() {
                        return self.stream.poll_flush(cx);
                    }
                }
                not_yet => {
                    self.unwritten = Some(batch);
                    return not_yet;
                }
            }
        }
    }

    /// Puts the next frames into the batch, in this order: the pong for a ping of RFC 6455, the frames of `source`, the
    /// close frame.
    fn fill(&mut self, batch: &mut Batch, source: &mut impl FrameSource) -> io::Result<()> {
        if let Some(payload) = self.rare.as_mut().and_then(|rare| rare.pong.take()) {
            batch.put_frame(OpCode::Pong, &payload, self.key()?, false)?;
        }
        while !batch.is_full() {
            let Some(item) = source.next() else { break };
            self.encode(item, batch)?;
        }
        if source.is_over() {
            self.close(source.close_frame());
        }
        if let Closing::Queued = self.closing
            && !batch.is_full()
        {
            let frame = self.rare.as_ref().and_then(|rare| rare.close_frame.as_ref());
            let payload = frame.and_then(CloseFrame::body).map_or_else(Vec::new, |close| {
                [&close.code().as_u16().to_be_bytes(), close.reason().as_bytes()].concat()
            });
            batch.put_frame(OpCode::Close, &payload, self.key()?, false)?;
            self.closing = Closing::Written;
        }
        Ok(())
    }

    /// Removes every frame of which the kernel has no byte, so that a close frame can follow. Returns `false` if the kernel
    /// has a part of a frame, whose rest must be written first.
    pub(crate) fn retract(&mut self) -> bool {
        let Some(unwritten) = &mut self.unwritten else { return true };
        if let Closing::Written = self.closing {
            self.closing = Closing::Queued;
        }
        unwritten.retract();
        let is_clean = unwritten.is_empty();
        if is_clean {
            self.unwritten = None;
        }
        is_clean
    }

    #[inline]
    fn encode(&self, item: ToWrite<'_>, batch: &mut Batch) -> io::Result<()> {
        let outgoing = match item {
            ToWrite::Control(text) => {
                return batch.put_frame(OpCode::Text, text.as_bytes(), self.key()?, false);
            }
            ToWrite::Message(outgoing) => outgoing,
        };
        if let Outgoing::Prepared(prepared) = outgoing
            && self.revision == Revision::V4
            && !self.base64_only
            && !self.masks
        {
            batch.put_encoded(prepared.frame().map_err(io::Error::other)?, true);
            return Ok(());
        }
        let message = outgoing.message();
        let (opcode, prefix) = match (message, self.revision) {
            (Message::Binary(_), _) if self.base64_only => {
                return batch.put_frame(OpCode::Text, &self.base64(message)?, self.key()?, true);
            }
            (Message::Text(_), _) => (OpCode::Text, Some(b'4')),
            (Message::Binary(_), Revision::V4) => (OpCode::Binary, None),
            (Message::Binary(_), Revision::V3) => (OpCode::Binary, Some(4)),
        };
        batch.put_message(opcode, prefix, message, self.key()?)
    }

    fn base64(&self, message: &Message) -> io::Result<Vec<u8>> {
        let packet = Packet::message(message.as_websocket_message());
        let mut payload = vec![0; self.revision.encoded_len(&packet, false)];
        self.revision.encode(&packet, false, &mut payload).map_err(io::Error::other)?;
        Ok(payload)
    }

    /// Returns a fresh masking key for a frame of a client, and `None` for a server.
    #[inline]
    fn key(&self) -> io::Result<Option<[u8; 4]>> {
        self.masks.then(random::bytes).transpose()
    }

    /// Writes bytes before any frame.
    #[cfg(feature = "server")]
    pub(crate) fn poll_write_first(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &mut Bytes,
    ) -> Poll<io::Result<()>> {
        while !bytes.is_empty() {
            let written = ready!(self.stream.poll_write(cx, bytes, &[]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            bytes.advance(written);
        }
        self.stream.poll_flush(cx)
    }
}
