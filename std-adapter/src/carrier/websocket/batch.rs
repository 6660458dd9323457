//! A batch of frames that is written to the kernel.

use core::task::{Context, Poll, ready};
use std::collections::VecDeque;
use std::io;

use bytes::{Buf as _, Bytes};
use eio_core::ws::{self, FrameHeader, OpCode};

use super::stream::Stream;
use crate::carrier::frames::FrameSource;
use crate::wire::message::Message;

/// The number of bytes that are passed to the kernel at once. A heartbeat that becomes due waits for at most this much.
const CHUNK: usize = 16 * 1024;

/// Messages of at least this size are written without a copy. To copy a smaller one costs less than a write of its own.
const LARGE: usize = CHUNK;

/// Encoded frames of at least this size are written without a copy. They belong to many receivers, and a copy for each that
/// does not read would cost memory.
const LARGE_SHARED: usize = 8 * 1024;

/// The length of the array in which a header is encoded, and the first byte of its payload: a whole word of the processor.
const HEADER_ROOM: usize = 16;

const _: () = assert!(FrameHeader::MAX_LEN < HEADER_ROOM);

/// Encoded frames, and how much of them the kernel has taken.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The headers and the small payloads.
    chunk: Vec<u8>,
    /// How many bytes of the chunk the kernel has taken.
    at: usize,
    /// A large payload that follows the chunk.
    large: Bytes,
    /// The mask with which a client masks the large payload, piece by piece.
    large_mask: Mask,
    /// The frames that the kernel has not taken completely.
    frames: VecDeque<Unwritten>,
    /// How many of these frames are messages.
    messages: usize,
    /// How many bytes of the chunk and the large payload the kernel has taken.
    taken: usize,
    /// Whether the kernel has taken a part of the first frame.
    mid_frame: bool,
}

/// A frame that has not been written completely.
#[derive(Clone, Copy, Debug)]
struct Unwritten {
    /// The end of the frame, as an offset from the start of the batch.
    end: usize,
    is_message: bool,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Returns whether no further frame should be put into the batch.
    pub(super) fn is_full(&self) -> bool {
        self.chunk.len() >= CHUNK || !self.large.is_empty()
    }

    /// Puts a whole frame, masked with `key` if there is one.
    pub(super) fn put_frame(
        &mut self,
        opcode: OpCode,
        payload: &[u8],
        key: Option<[u8; 4]>,
        is_message: bool,
    ) -> io::Result<()> {
        self.put_header(opcode, payload.len(), key, None)?.put(&mut self.chunk, payload);
        self.end_frame(is_message);
        Ok(())
    }

    /// Puts a message, its payload behind `prefix`. A large payload is not copied.
    #[inline]
    pub(super) fn put_message(
        &mut self,
        opcode: OpCode,
        prefix: Option<u8>,
        message: &Message,
        key: Option<[u8; 4]>,
    ) -> io::Result<()> {
        let payload = message.as_bytes();
        let mut mask = self.put_header(opcode, payload.len(), key, prefix)?;
        if payload.len() < LARGE {
            mask.put(&mut self.chunk, payload);
        } else {
            self.large = message.clone().into_bytes();
            self.large_mask = mask;
        }
        self.end_frame(true);
        Ok(())
    }

    /// Puts a frame that is already encoded, including its header.
    pub(super) fn put_encoded(&mut self, frame: &Bytes, is_message: bool) {
        if frame.len() < LARGE_SHARED {
            self.chunk.extend_from_slice(frame);
        } else {
            self.large = frame.clone();
            self.large_mask = Mask::default();
        }
        self.end_frame(is_message);
    }

    /// Puts the header of a frame, and the first byte of its payload if that is a `prefix`. Returns the mask for the rest.
    #[inline]
    fn put_header(
        &mut self,
        opcode: OpCode,
        payload_len: usize,
        key: Option<[u8; 4]>,
        prefix: Option<u8>,
    ) -> io::Result<Mask> {
        let mut bytes = [0; HEADER_ROOM];
        let header = FrameHeader {
            mask: key,
            ..FrameHeader::new(opcode, payload_len + usize::from(prefix.is_some()))
        };
        let mut len = header.encode(&mut bytes).map_err(io::Error::other)?;
        let mut mask = Mask { key, offset: 0 };
        if let Some(prefix) = prefix {
            bytes[len] = prefix ^ key.map_or(0, |key| key[0]);
            len += 1;
            mask.offset = 1;
        }
        // To copy all of the array costs less than to copy as much of it as is needed.
        let end = self.chunk.len() + len;
        self.chunk.extend_from_slice(&bytes);
        self.chunk.truncate(end);
        Ok(mask)
    }

    fn end_frame(&mut self, is_message: bool) {
        self.messages += usize::from(is_message);
        self.frames.push_back(Unwritten { end: self.chunk.len() + self.large.len(), is_message });
    }

    /// Writes everything to the kernel, and reports to `source` how many messages have been written completely.
    pub(super) fn poll_write(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
        source: &mut impl FrameSource,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            if self.large_mask.key.is_some() && self.at == self.chunk.len() {
                self.at = 0;
                self.large_mask.move_piece(&mut self.large, &mut self.chunk);
            }
            let large: &[u8] = if self.large_mask.key.is_some() { &[] } else { &self.large };
            let chunk = self.chunk.get(self.at..).unwrap_or_default();
            let chunk_len = chunk.len();
            let written = ready!(stream.poll_write(cx, chunk, large))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_chunk = written.min(chunk_len);
            self.at += of_chunk;
            self.large.advance(written - of_chunk);
            source.written(self.count_messages(written));
        }
        Poll::Ready(Ok(()))
    }

    /// Notes that the kernel took `written` more bytes. Returns how many messages they completed.
    fn count_messages(&mut self, written: usize) -> usize {
        self.taken += written;
        if self.frames.back().is_some_and(|last| last.end == self.taken) {
            self.frames.clear();
            self.mid_frame = false;
            return core::mem::take(&mut self.messages);
        }
        let mut messages = 0;
        self.mid_frame = true;
        while let Some(frame) = self.frames.front().filter(|frame| frame.end <= self.taken) {
            messages += usize::from(frame.is_message);
            self.mid_frame = frame.end < self.taken;
            self.frames.pop_front();
        }
        self.messages -= messages;
        messages
    }

    /// Removes every frame of which the kernel has no byte. Keeps the rest of a frame that has been written in part.
    pub(super) fn retract(&mut self) {
        let begun = self.frames.front().copied().filter(|_| self.mid_frame);
        let left = begun.map_or(0, |frame| frame.end - self.taken);
        let of_chunk = left.min(self.chunk.len() - self.at);
        self.chunk.truncate(self.at + of_chunk);
        self.large.truncate(left - of_chunk);
        self.frames.truncate(usize::from(begun.is_some()));
        self.messages = self.frames.iter().filter(|frame| frame.is_message).count();
    }

    /// Makes the batch empty. It keeps as much memory as most batches need.
    pub(super) fn clear(&mut self) {
        let Self { chunk, at, large, large_mask, frames, messages, taken, mid_frame } = self;
        chunk.clear();
        if chunk.capacity() > 2 * CHUNK {
            chunk.shrink_to(2 * CHUNK);
        }
        // Also if nothing of it is left to write: it holds the message's memory.
        *large = Bytes::new();
        frames.clear();
        frames.shrink_to(CHUNK / 8);
        *large_mask = Mask::default();
        (*at, *messages, *taken, *mid_frame) = (0, 0, 0, false);
    }
}

/// The masking key and the position that masking has reached in a frame's payload.
#[derive(Clone, Copy, Debug, Default)]
struct Mask {
    key: Option<[u8; 4]>,
    offset: usize,
}

impl Mask {
    /// Appends the next bytes of the payload, masked if there is a key.
    fn put(&mut self, chunk: &mut Vec<u8>, payload: &[u8]) {
        let start = chunk.len();
        chunk.extend_from_slice(payload);
        if let Some(key) = self.key {
            ws::mask(chunk.get_mut(start..).unwrap_or_default(), key, self.offset);
            self.offset += payload.len();
        }
    }

    /// Moves the next piece of a large payload, masked, into the chunk, whose previous bytes have been written.
    fn move_piece(&mut self, large: &mut Bytes, chunk: &mut Vec<u8>) {
        let piece = large.split_to(large.len().min(CHUNK));
        chunk.clear();
        self.put(chunk, &piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_share_a_write_up_to_a_size_and_larger_ones_are_not_copied() {
        let put = |batch: &mut Batch, len| {
            let message = Message::binary(vec![0; len]);
            batch.put_message(OpCode::Binary, None, &message, None).unwrap();
        };
        let mut batch = Batch::default();
        put(&mut batch, CHUNK / 2);
        assert!(!batch.is_full() && batch.large.is_empty());
        put(&mut batch, CHUNK - 1);
        assert!(batch.is_full() && batch.large.is_empty());

        let mut batch = Batch::default();
        put(&mut batch, CHUNK);
        assert!(batch.is_full() && batch.large.len() == CHUNK && batch.chunk.len() < CHUNK);
    }

    #[test]
    fn a_frame_for_many_receivers_is_not_copied_for_each_of_them() {
        let mut batch = Batch::default();
        batch.put_encoded(&Bytes::from(vec![0; LARGE_SHARED]), true);
        assert!(batch.is_full() && batch.chunk.is_empty());
    }
}
