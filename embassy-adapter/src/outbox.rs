//! The send buffer: holds one frame at a time in memory lent by the caller.
//!
//! A frame is put whole and stays until the stream has taken its last byte, so a dropped future neither loses nor
//! repeats it. No second frame queues behind it: whether a heartbeat or a message comes next is decided when the frame
//! has been written.

use eio_core::ws::{ControlFrame, FrameHeader, OpCode};

use crate::ConnectError;

pub(crate) struct Outbox<'b> {
    /// Holds a frame: room for its header, then its payload.
    buffer: &'b mut [u8],
    /// The range of bytes still to be written.
    start: usize,
    end: usize,
}

/// Where a frame's payload begins.
const PAYLOAD: usize = FrameHeader::MAX_LEN;

impl<'b> Outbox<'b> {
    /// The bytes that the caller's buffer needs in addition to the longest payload of a frame: for the header, and for
    /// the payload of a ping that is still to be answered.
    pub(crate) const OVERHEAD: usize = SavedPing::LEN + PAYLOAD;
    /// The shortest buffer: the payload of every control frame must fit.
    pub(crate) const MIN_LEN: usize = Self::OVERHEAD + ControlFrame::MAX_PAYLOAD;

    pub(crate) const fn new(buffer: &'b mut [u8]) -> Result<Self, ConnectError> {
        if buffer.len() < Self::MIN_LEN {
            return Err(ConnectError::TxTooSmall { needed: Self::MIN_LEN });
        }
        Ok(Self { buffer, start: 0, end: 0 })
    }

    /// Returns the length of the longest payload of a frame.
    pub(crate) fn capacity(&self) -> usize {
        self.buffer.len().saturating_sub(PAYLOAD)
    }

    /// Returns the bytes to write next.
    pub(crate) fn pending(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Returns whether there is room for a frame.
    pub(crate) const fn is_idle(&self) -> bool {
        self.start >= self.end
    }

    /// Returns whether pending bytes belong to a message of the application. Use it only once frames are sent.
    pub(crate) fn holds_message(&self) -> bool {
        if self.is_idle() {
            return false;
        }
        let header = FrameHeader {
            mask: Some([0; 4]),
            ..FrameHeader::new(OpCode::Text, self.end.saturating_sub(PAYLOAD))
        };
        let byte = |at: usize| self.buffer.get(at).copied().unwrap_or_default();
        match byte(PAYLOAD.saturating_sub(header.encoded_len())) & 0x0f {
            // The opcodes on the wire.
            0x0 | 0x2 => true,
            // A message begins with its packet's type, as a heartbeat does. Both are masked.
            0x1 => byte(PAYLOAD) ^ byte(PAYLOAD.saturating_sub(4)) == b'4',
            _ => false,
        }
    }

    /// Removes the first `len` pending bytes, which the stream has taken.
    pub(crate) fn written(&mut self, len: usize) {
        self.start = self.start.saturating_add(len).min(self.end);
    }

    /// Drops the pending bytes.
    pub(crate) fn clear(&mut self) {
        self.start = self.end;
    }

    /// Splits off the part of the buffer that holds the payload of a ping. No bytes may be pending.
    pub(crate) fn split_off_ping(&mut self) -> SavedPing<'b> {
        let buffer = core::mem::take(&mut self.buffer);
        let (bytes, rest) = buffer.split_at_mut_checked(SavedPing::LEN).unwrap_or_default();
        self.buffer = rest;
        SavedPing { bytes, len: None }
    }

    /// Returns the whole buffer, for the HTTP request. Call [`begin`](Self::begin) to send what was written there.
    pub(crate) fn raw(&mut self) -> &mut [u8] {
        self.buffer
    }

    /// Makes the first `len` bytes of [`raw`](Self::raw) pending.
    pub(crate) fn begin(&mut self, len: usize) {
        self.start = 0;
        self.end = len.min(self.buffer.len());
    }

    /// Returns the place of a frame's payload. Use it only when there is room for a frame.
    pub(crate) fn payload(&mut self) -> &mut [u8] {
        self.buffer.get_mut(PAYLOAD..).unwrap_or_default()
    }

    /// Makes a frame of the first `len` bytes of [`payload`](Self::payload).
    pub(crate) fn put(&mut self, opcode: OpCode, fin: bool, len: usize, key: [u8; 4]) {
        let header = FrameHeader { fin, mask: Some(key), ..FrameHeader::new(opcode, len) };
        if let Ok(frame) = header.frame_in_place(self.buffer) {
            self.end = PAYLOAD.saturating_add(len);
            self.start = self.end.saturating_sub(frame.len());
        }
    }
}

/// The payload of the ping that is still to be answered.
pub(crate) struct SavedPing<'b> {
    bytes: &'b mut [u8],
    len: Option<usize>,
}

impl SavedPing<'_> {
    /// The longest payload of a ping.
    pub(crate) const LEN: usize = ControlFrame::MAX_PAYLOAD;

    /// Creates one without memory, in which no payload fits.
    pub(crate) const fn none() -> Self {
        Self { bytes: &mut [], len: None }
    }

    /// Saves the payload of a ping. Replaces one that has not been answered, which RFC 6455 section 5.5.3 allows.
    pub(crate) fn save(&mut self, payload: &[u8]) {
        fill(&mut self.bytes.iter_mut(), payload);
        self.len = Some(payload.len());
    }

    /// Takes the payload for the pong, if a ping is unanswered.
    pub(crate) fn take(&mut self) -> Option<&[u8]> {
        self.bytes.get(..self.len.take()?)
    }
}

/// Copies `bytes` to the next slots, and stops when there are no more slots.
pub(crate) fn fill<'s>(slots: &mut impl Iterator<Item = &'s mut u8>, bytes: &[u8]) {
    for &byte in bytes {
        let Some(slot) = slots.next() else { return };
        *slot = byte;
    }
}
