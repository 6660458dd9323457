//! Frames on their way to the kernel.

use core::task::{Context, Poll, ready};
use std::collections::VecDeque;
use std::io;

use bytes::{Buf as _, Bytes};
use eio_core::ws::{self, FrameHeader, OpCode};

use super::stream::Stream;
use crate::carrier::frames::FrameSource;

/// How much is handed to the kernel at once. A heartbeat that becomes due waits for no more than this.
const CHUNK: usize = 16 * 1024;

/// Payloads from this size on are written from where they are, not copied.
const LARGE: usize = 8 * 1024;

/// Encoded frames, and how much of them the kernel has.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Headers, and payloads that were worth a copy.
    chunk: Vec<u8>,
    /// How much of the chunk the kernel has.
    at: usize,
    /// A large payload that follows the chunk.
    large: Bytes,
    /// With what a client masks the large payload, piece by piece.
    large_mask: Mask,
    /// The frames that the kernel does not have as a whole yet.
    frames: VecDeque<Unwritten>,
    /// How much of chunk and large payload the kernel has.
    taken: usize,
    /// It has a part of the first of the frames.
    mid_frame: bool,
}

/// A frame on its way.
#[derive(Clone, Copy, Debug)]
struct Unwritten {
    /// Where it ends, from the start of the batch.
    end: usize,
    is_message: bool,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether no further frame should be put into it.
    pub(super) fn is_full(&self) -> bool {
        self.chunk.len() >= CHUNK || !self.large.is_empty()
    }

    /// Puts a whole frame; `key` masks it.
    pub(super) fn put_frame(
        &mut self,
        opcode: OpCode,
        payload: &[u8],
        key: Option<[u8; 4]>,
        is_message: bool,
    ) -> io::Result<()> {
        self.put_header(opcode, payload.len(), key)?;
        Mask { key, offset: 0 }.put(&mut self.chunk, payload);
        self.end_frame(is_message);
        Ok(())
    }

    /// Puts a message of which `payload` follows the `prefix`, and is not copied if it is large.
    pub(super) fn put_message(
        &mut self,
        opcode: OpCode,
        prefix: &[u8],
        payload: Bytes,
        key: Option<[u8; 4]>,
    ) -> io::Result<()> {
        self.put_header(opcode, prefix.len() + payload.len(), key)?;
        let mut mask = Mask { key, offset: 0 };
        mask.put(&mut self.chunk, prefix);
        if payload.len() < LARGE {
            mask.put(&mut self.chunk, &payload);
        } else {
            self.large = payload;
            self.large_mask = mask;
        }
        self.end_frame(true);
        Ok(())
    }

    /// Puts a frame that is encoded already, header and all.
    pub(super) fn put_encoded(&mut self, frame: &Bytes, is_message: bool) {
        if frame.len() < LARGE {
            self.chunk.extend_from_slice(frame);
        } else {
            self.large = frame.clone();
            self.large_mask = Mask::default();
        }
        self.end_frame(is_message);
    }

    fn put_header(&mut self, opcode: OpCode, len: usize, mask: Option<[u8; 4]>) -> io::Result<()> {
        let mut bytes = [0; FrameHeader::MAX_LEN];
        let header = FrameHeader { mask, ..FrameHeader::new(opcode, len) };
        let header_len = header.encode(&mut bytes).map_err(io::Error::other)?;
        self.chunk.extend_from_slice(&bytes[..header_len]);
        Ok(())
    }

    fn end_frame(&mut self, is_message: bool) {
        self.frames.push_back(Unwritten { end: self.chunk.len() + self.large.len(), is_message });
    }

    /// Hands everything to the kernel, and tells `source` of every message that it has as a whole.
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
            let written = ready!(stream.poll_write(cx, &[io::IoSlice::new(chunk), io::IoSlice::new(large)]))?;
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

    /// The kernel took so many bytes more: how many messages were completed by them.
    fn count_messages(&mut self, written: usize) -> usize {
        let mut messages = 0;
        self.taken += written;
        self.mid_frame = true;
        while let Some(frame) = self.frames.front().filter(|frame| frame.end <= self.taken) {
            messages += usize::from(frame.is_message);
            self.mid_frame = frame.end < self.taken;
            self.frames.pop_front();
        }
        messages
    }

    /// Takes back every frame that has not begun. What is left is the rest of the one that has.
    pub(super) fn retract(&mut self) {
        let begun = self.frames.front().copied().filter(|_| self.mid_frame);
        let left = begun.map_or(0, |frame| frame.end - self.taken);
        let of_chunk = left.min(self.chunk.len() - self.at);
        self.chunk.truncate(self.at + of_chunk);
        self.large.truncate(left - of_chunk);
        self.frames.truncate(usize::from(begun.is_some()));
    }

    /// Empty, and with the memory that most batches need.
    pub(super) fn recycle(mut self) -> Self {
        self.chunk.clear();
        self.chunk.shrink_to(2 * CHUNK);
        self.frames.clear();
        self.frames.shrink_to(CHUNK / 8);
        Self { chunk: self.chunk, frames: self.frames, ..Self::default() }
    }
}

/// Where in a frame's payload masking has come to.
#[derive(Clone, Copy, Debug, Default)]
struct Mask {
    key: Option<[u8; 4]>,
    offset: usize,
}

impl Mask {
    /// Appends the next bytes of the payload, masked if a key says so.
    fn put(&mut self, chunk: &mut Vec<u8>, payload: &[u8]) {
        let start = chunk.len();
        chunk.extend_from_slice(payload);
        if let Some(key) = self.key {
            ws::mask(chunk.get_mut(start..).unwrap_or_default(), key, self.offset);
            self.offset += payload.len();
        }
    }

    /// Takes the next piece of a large payload, masked, into the place of a chunk that was written.
    fn move_piece(&mut self, large: &mut Bytes, chunk: &mut Vec<u8>) {
        let piece = large.split_to(large.len().min(CHUNK));
        chunk.clear();
        self.put(chunk, &piece);
    }
}
