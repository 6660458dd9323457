//! What goes out: one frame at a time in one lent buffer.
//!
//! A frame is put whole and stays until the stream has taken its last byte, so a dropped future neither loses nor
//! doubles one. There is never a second frame behind it: what is put next, a heartbeat or a message, is decided when
//! the frame has gone.

use eio_core::ws::{Control, FrameHeader, MessageKind, OpCode};

use crate::ConnectError;

pub(crate) struct Outbox<'b> {
    /// Room for a header, and a frame's payload.
    buffer: &'b mut [u8],
    /// What is still to be written.
    start: usize,
    end: usize,
    /// The message whose last fragment has not been put.
    open: Option<MessageKind>,
}

/// Where a frame's payload begins.
const PAYLOAD: usize = FrameHeader::MAX_LEN;

impl<'b> Outbox<'b> {
    /// What the caller's buffer needs beside the longest payload of a frame: its header, and the payload of the ping
    /// that is still to be answered.
    pub(crate) const OVERHEAD: usize = SavedPing::LEN + PAYLOAD;
    /// The payload of a control frame must fit.
    pub(crate) const MIN_LEN: usize = Self::OVERHEAD + Control::MAX_PAYLOAD;

    pub(crate) const fn new(buffer: &'b mut [u8]) -> Result<Self, ConnectError> {
        if buffer.len() < Self::MIN_LEN {
            return Err(ConnectError::TxTooSmall { needed: Self::MIN_LEN });
        }
        Ok(Self { buffer, start: 0, end: 0, open: None })
    }

    /// The longest payload of a frame.
    pub(crate) fn capacity(&self) -> usize {
        self.buffer.len().saturating_sub(PAYLOAD)
    }

    /// What is to be written next.
    pub(crate) fn pending(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether there is room for a frame.
    pub(crate) const fn is_idle(&self) -> bool {
        self.start >= self.end
    }

    /// The stream has taken the first `len` of the pending bytes.
    pub(crate) fn written(&mut self, len: usize) {
        self.start = self.start.saturating_add(len).min(self.end);
    }

    /// Nothing more will be written of what was put.
    pub(crate) fn clear(&mut self) {
        self.start = self.end;
    }

    /// The message whose last fragment has not been put: nothing but control frames and the rest of it may follow.
    pub(crate) const fn open_message(&self) -> Option<MessageKind> {
        self.open
    }

    /// Gives up the part of the buffer that holds a ping. Nothing is pending.
    pub(crate) fn split_off_ping(&mut self) -> SavedPing<'b> {
        let buffer = core::mem::take(&mut self.buffer);
        let (bytes, rest) = buffer.split_at_mut_checked(SavedPing::LEN).unwrap_or_default();
        self.buffer = rest;
        SavedPing { bytes, len: None }
    }

    /// The whole buffer, for what comes before the first frame; then [`begin`](Self::begin).
    pub(crate) fn raw(&mut self) -> &mut [u8] {
        self.buffer
    }

    /// The first `len` bytes of [`raw`](Self::raw) are to be written.
    pub(crate) fn begin(&mut self, len: usize) {
        self.start = 0;
        self.end = len.min(self.buffer.len());
    }

    /// Where a frame's payload goes, if there is room for a frame.
    pub(crate) fn payload(&mut self) -> &mut [u8] {
        self.buffer.get_mut(PAYLOAD..).unwrap_or_default()
    }

    /// Makes a frame of the first `len` bytes of [`payload`](Self::payload), which fit.
    pub(crate) fn put(&mut self, opcode: OpCode, fin: bool, len: usize, key: [u8; 4]) {
        let header = FrameHeader { fin, mask: Some(key), ..FrameHeader::new(opcode, len) };
        if let Ok(frame) = header.frame_in_place(self.buffer) {
            self.end = PAYLOAD.saturating_add(len);
            self.start = self.end.saturating_sub(frame.len());
        }
    }

    /// Makes a frame of the first `len` bytes of [`payload`](Self::payload): the next fragment of a message of this
    /// kind, or all of it.
    pub(crate) fn put_message(&mut self, kind: MessageKind, last: bool, len: usize, key: [u8; 4]) {
        let opcode = match (self.open, kind) {
            (Some(_), _) => OpCode::Continuation,
            (None, MessageKind::Text) => OpCode::Text,
            (None, MessageKind::Binary) => OpCode::Binary,
        };
        self.open = if last { None } else { Some(kind) };
        self.put(opcode, last, len, key);
    }
}

/// The payload of the ping that is still to be answered.
pub(crate) struct SavedPing<'b> {
    bytes: &'b mut [u8],
    len: Option<usize>,
}

impl SavedPing<'_> {
    /// The longest payload of a ping.
    pub(crate) const LEN: usize = Control::MAX_PAYLOAD;

    /// Room for nothing.
    pub(crate) const fn none() -> Self {
        Self { bytes: &mut [], len: None }
    }

    /// Remembers a ping, in place of one that was not answered yet (RFC 6455 section 5.5.3 allows it).
    pub(crate) fn save(&mut self, payload: &[u8]) {
        fill(&mut self.bytes.iter_mut(), payload);
        self.len = Some(payload.len());
    }

    /// The payload of the pong that is owed.
    pub(crate) fn take(&mut self) -> Option<&[u8]> {
        self.bytes.get(..self.len.take()?)
    }
}

/// Copies `bytes` to the next slots, as far as there are some.
pub(crate) fn fill<'s>(slots: &mut impl Iterator<Item = &'s mut u8>, bytes: &[u8]) {
    for &byte in bytes {
        let Some(slot) = slots.next() else { return };
        *slot = byte;
    }
}
