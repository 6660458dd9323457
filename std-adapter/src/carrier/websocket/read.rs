//! The reading half of a WebSocket: frames are decoded in the thread's scratch buffer, and a large message where it is
//! gathered.
//!
//! Messages that are not large are copied out of the scratch buffer. If they shared it, an application that keeps one of
//! them would keep all of it.

use core::task::{Context, Poll, ready};

use eio_core::packet::WebSocketMessage;
use eio_core::ws::{self, FrameHeader, Item, MessageKind};

use super::limits::{AT_ONCE, LARGE, SCRATCH};
use super::source::{FromRuntime, FromSocket, Source};
use super::{ConnectionEnd, FrameSink, SCRATCH_BUFFER, WebSocketIo};
use crate::wire::close_frame::CloseFrame;
use crate::wire::message::Message;
use crate::wire::text;

/// A sink that discards frames.
struct DiscardFrames;

impl FrameSink for DiscardFrames {
    fn wants_more(&self) -> bool {
        true
    }

    fn handle(&mut self, _: WebSocketMessage<'_>) {}

    fn handle_activity(&mut self) {}
}

impl WebSocketIo {
    /// Passes every frame that is ready to `sink`. It stops when `wants_more` returns false, when nothing is left to read,
    /// or after [`AT_ONCE`] bytes, when it wakes the task again.
    ///
    /// `Pending` means that everything that had arrived was passed on, that the sink wants no more, or that there may be
    /// [more](Self::has_unread).
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut impl FrameSink,
    ) -> Poll<ConnectionEnd> {
        let mut source = FromRuntime::new(cx);
        let end = self.read_from(&mut source, sink);
        self.unread = source.is_exhausted();
        if self.unread {
            cx.waker().wake_by_ref();
        }
        end
    }

    /// Returns whether the last [`poll_read`](Self::poll_read) stopped at its limit, so that there may be more to read.
    pub(crate) fn has_unread(&self) -> bool {
        self.unread
    }

    /// Reads and discards incoming bytes. Ready once no more bytes can come.
    pub(crate) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_broken
            && !matches!(ready!(self.poll_read(cx, &mut DiscardFrames)), ConnectionEnd::Violation(_))
        {
            return Poll::Ready(());
        }
        // The bytes after a broken frame cannot be decoded. But if they stayed unread, closing would become a reset.
        let mut scratch = SCRATCH_BUFFER.take();
        scratch.resize(SCRATCH, 0);
        let mut end = None;
        for _ in 0..AT_ONCE / SCRATCH {
            end = match self.stream.poll_read(cx, &mut scratch) {
                Poll::Pending => Some(Poll::Pending),
                Poll::Ready(Ok(0) | Err(_)) => Some(Poll::Ready(())),
                Poll::Ready(Ok(_)) => continue,
            };
            break;
        }
        SCRATCH_BUFFER.set(scratch);
        end.unwrap_or_else(|| {
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }

    /// Reads like [`poll_read`](Self::poll_read), but from the socket itself, because the runtime's record of its readiness
    /// may be old.
    ///
    /// Returns `None` if there is no socket that can be asked.
    pub(crate) fn read_past_runtime(&mut self, sink: &mut impl FrameSink) -> Option<Poll<ConnectionEnd>> {
        self.stream.socket()?;
        Some(self.read_from(&mut FromSocket::default(), sink))
    }

    fn read_from(&mut self, source: &mut impl Source, sink: &mut impl FrameSink) -> Poll<ConnectionEnd> {
        // Taken out of its cell while in use, because `handle` may run code that reads another connection.
        let mut scratch = SCRATCH_BUFFER.take();
        let tail = self.take_tail();
        scratch.resize(SCRATCH.max(tail.len()), 0);
        let mut filled = tail.len();
        scratch[..filled].copy_from_slice(&tail);
        let end = loop {
            // Earlier bytes come first: they arrived with the HTTP request, or while reading was paused.
            match self.decode_all(scratch.get_mut(..filled).unwrap_or_default(), sink) {
                Ok(consumed) => {
                    scratch.copy_within(consumed..filled, 0);
                    filled -= consumed;
                }
                Err(end) => {
                    filled = 0;
                    break Poll::Ready(end);
                }
            }
            if !sink.wants_more() {
                break Poll::Pending;
            }
            match self.read_more(source, &mut scratch, &mut filled, sink) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(end)) => break Poll::Ready(end),
                Poll::Pending => break Poll::Pending,
            }
        };
        if let Some(tail) = scratch.get(..filled).filter(|tail| !tail.is_empty()) {
            self.rare().tail = tail.into();
        }
        SCRATCH_BUFFER.set(scratch);
        if let Some(partial) = &mut self.partial {
            partial.give_back();
        }
        end
    }

    /// Takes the bytes that were left by the last read, and frees their place if nothing else needs it.
    fn take_tail(&mut self) -> Box<[u8]> {
        let tail = self.rare.as_mut().map(|rare| core::mem::take(&mut rare.tail)).unwrap_or_default();
        self.rare.take_if(|rare| rare.pong.is_none() && rare.close_frame.is_none());
        tail
    }

    /// Decodes until `bytes` hold no further item, or until the sink wants no more. Returns the number of consumed bytes.
    fn decode_all(&mut self, bytes: &mut [u8], sink: &mut impl FrameSink) -> Result<usize, ConnectionEnd> {
        let mut at = 0;
        while at < bytes.len() && sink.wants_more() {
            let decoded = self.decode(bytes.get_mut(at..).unwrap_or_default(), sink);
            let (consumed, found) = decoded.map_err(|error| self.fail(error))?;
            at += consumed;
            if self.decoder.is_closed() {
                return Err(ConnectionEnd::Closed);
            }
            if !found {
                break;
            }
        }
        Ok(at)
    }

    /// Notes that the peer broke a rule. The close frame tells the peer, if it has not been sent yet.
    fn fail(&mut self, error: ws::Error) -> ConnectionEnd {
        self.is_broken = true;
        self.close(CloseFrame::new(error.close_code(), "").ok());
        error.into()
    }

    /// Reads once: to the place where a large message is gathered, or else to the end of the scratch buffer.
    fn read_more(
        &mut self,
        source: &mut impl Source,
        scratch: &mut [u8],
        filled: &mut usize,
        sink: &mut impl FrameSink,
    ) -> Poll<Result<(), ConnectionEnd>> {
        let direct = if *filled == 0 { self.room_for_direct_read() } else { None };
        let read = if let (Some(room), Some(partial)) = (direct, &mut self.partial) {
            source.read_onto(&mut self.stream, partial.end_mut(), room)
        } else {
            let end = scratch.len().min(self.end_of_next_read(*filled));
            source.read(&mut self.stream, scratch.get_mut(*filled..end).unwrap_or_default())
        };
        match ready!(read) {
            Err(error) => return Poll::Ready(Err((&error).into())),
            Ok(0) => return Poll::Ready(Err(ConnectionEnd::Closed)),
            Ok(len) if direct.is_some() => {
                *filled = len.saturating_sub(self.payload_left());
                self.decode_direct(len, *filled, scratch, sink).map_err(|error| self.fail(error))?;
            }
            Ok(len) => *filled += len,
        }
        Poll::Ready(Ok(()))
    }

    /// Returns how many bytes of the current frame's payload have not been received.
    fn payload_left(&self) -> usize {
        usize::try_from(self.decoder.payload_left()).unwrap_or(usize::MAX)
    }

    /// Returns how many bytes to read to the end of the incomplete message. Returns `None` between frames, and if this read
    /// is not worth it.
    fn room_for_direct_read(&mut self) -> Option<usize> {
        let left = self.payload_left();
        if left == 0 {
            return None;
        }
        if self.expects_large && left >= LARGE {
            self.partial.get_or_insert_default();
        }
        self.partial.as_mut()?.make_room(left, self.expects_large)
    }

    /// Returns where the next read to the scratch buffer ends. If a large message is expected, only its header is read.
    fn end_of_next_read(&self, filled: usize) -> usize {
        let only_header =
            self.expects_large && self.decoder.payload_left() == 0 && filled < FrameHeader::MAX_LEN;
        if only_header { FrameHeader::MAX_LEN } else { SCRATCH }
    }

    /// Decodes `read` bytes at the end of the incomplete message, of which the last `surplus` belong to the next frame.
    fn decode_direct(
        &mut self,
        read: usize,
        surplus: usize,
        scratch: &mut [u8],
        sink: &mut impl FrameSink,
    ) -> Result<(), ws::Error> {
        let Some(partial) = &mut self.partial else { return Ok(()) };
        let decoded = self.decoder.decode_unchecked_text(partial.take(read, surplus, scratch))?;
        match decoded.item {
            Some(Item::Piece(piece)) => {
                let (kind, last) = (piece.kind, piece.last);
                self.handle_piece(kind, last, sink)
            }
            _ => Ok(()),
        }
    }

    /// Decodes up to the next item. Returns the number of consumed bytes, and whether there was an item.
    fn decode(&mut self, input: &mut [u8], sink: &mut impl FrameSink) -> Result<(usize, bool), ws::Error> {
        let decoded = self.decoder.decode_unchecked_text(input)?;
        match decoded.item {
            None => return Ok((decoded.consumed, false)),
            Some(Item::Message(frame)) => sink.handle(frame),
            Some(Item::Piece(piece)) if piece.first && piece.last => {
                self.expects_large = piece.bytes.len() >= LARGE;
                sink.handle(match piece.kind {
                    MessageKind::Binary => WebSocketMessage::Binary(piece.bytes),
                    MessageKind::Text => {
                        WebSocketMessage::Text(text::from_utf8(piece.bytes).ok_or(ws::Error::InvalidUtf8)?)
                    }
                });
            }
            Some(Item::Piece(piece)) => {
                let left = usize::try_from(self.decoder.payload_left()).unwrap_or(usize::MAX);
                self.partial.get_or_insert_default().append(piece.bytes, left);
                self.handle_piece(piece.kind, piece.last, sink)?;
            }
            Some(Item::Control(ws::ControlFrame::Ping(payload))) => {
                // Only the latest of several pings is answered (RFC 6455 section 5.5.3).
                self.rare().pong = Some(Box::from(payload));
            }
            Some(Item::Control(ws::ControlFrame::Pong(_))) => {}
            Some(Item::Control(ws::ControlFrame::Close(close))) => {
                // The answer has the same code (RFC 6455 section 5.5.1).
                self.close(close.and_then(|close| CloseFrame::new(close.code(), "").ok()));
                sink.handle_close(close);
            }
        }
        Ok((decoded.consumed, true))
    }

    /// Handles that a piece has been added to the incomplete message.
    fn handle_piece(
        &mut self,
        kind: MessageKind,
        last: bool,
        sink: &mut impl FrameSink,
    ) -> Result<(), ws::Error> {
        if last && let Some(partial) = self.partial.take() {
            let message: Message = partial.into_message(kind)?;
            self.expects_large = message.len() >= LARGE;
            sink.handle_activity();
            sink.handle_owned(message);
            return Ok(());
        }
        if kind == MessageKind::Text
            && let Some(partial) = &mut self.partial
        {
            partial.check()?;
        }
        sink.handle_activity();
        Ok(())
    }
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use std::io::Write as _;

    use eio_core::Revision;

    use super::super::stream::Stream;
    use super::*;

    /// Keeps the messages, and counts the pieces.
    #[derive(Default)]
    struct Keep {
        messages: Vec<Message>,
        pieces: usize,
    }

    impl FrameSink for Keep {
        fn wants_more(&self) -> bool {
            true
        }

        fn handle(&mut self, frame: WebSocketMessage<'_>) {
            self.messages.push(match frame {
                WebSocketMessage::Text(text) => text.into(),
                WebSocketMessage::Binary(bytes) => bytes.to_vec().into(),
            });
        }

        fn handle_owned(&mut self, frame: Message) {
            self.messages.push(frame);
        }

        fn handle_activity(&mut self) {
            self.pieces += 1;
        }
    }

    /// The header of a client's binary frame whose mask changes nothing.
    fn header(len: u64) -> Vec<u8> {
        [&[0x82, 0xff][..], &len.to_be_bytes(), &[0; 4]].concat()
    }

    #[test]
    #[cfg(all(target_pointer_width = "64", unix))]
    fn a_websocket_fits_into_128_bytes() {
        assert!(size_of::<WebSocketIo>() <= 128, "{}", size_of::<WebSocketIo>());
    }

    #[tokio::test]
    async fn a_large_message_is_read_past_the_runtime_too() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = listener.accept().unwrap().0;
        socket.set_nonblocking(true).unwrap();
        let socket = tokio::net::TcpStream::from_std(socket).unwrap().into();
        let stream = Stream::Socket { socket, _permit: None };
        let mut io = WebSocketIo::server(stream, Vec::new(), Revision::V4, false, 1_000_000);
        let mut sink = Keep::default();
        for count in 1..=2 {
            peer.write_all(&header(100_000)).unwrap();
            // Sent and received in turns, because a socket may buffer less than the message.
            for piece in vec![7; 100_000].chunks(30_000) {
                peer.write_all(piece).unwrap();
                assert!(io.read_past_runtime(&mut sink).unwrap().is_pending());
            }
            while sink.messages.len() < count {
                assert!(io.read_past_runtime(&mut sink).unwrap().is_pending());
            }
        }
        assert!(io.expects_large && io.partial.is_none() && io.rare.is_none());
        assert!(sink.messages == [vec![7; 100_000].into(), vec![7; 100_000].into()]);
        assert!(sink.pieces > 2);
    }
}
