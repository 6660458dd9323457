//! What goes out: one frame at a time in one lent buffer, with a place for the ping that is still to be answered.
//!
//! A frame is put whole and stays until the stream has taken its last byte, so a dropped future neither loses nor
//! doubles one. There is never a second frame behind it: what is put next, a heartbeat or a message, is decided when
//! the frame has gone.

use eio_core::ws::{Control, FrameHeader, MessageKind, OpCode};

pub(crate) struct Outbox<'b> {
    /// [`FRAME`] bytes for the payload of a ping, then the frame: room for its header, and its payload.
    buffer: &'b mut [u8],
    /// What is still to be written.
    start: usize,
    end: usize,
    /// The length of the payload of the ping that is to be answered.
    ping: Option<usize>,
    /// The message whose last fragment has not been put.
    open: Option<MessageKind>,
}

/// Where a frame begins, with room for the longest header.
const FRAME: usize = Control::MAX_PAYLOAD;
/// Where a frame's payload begins.
const PAYLOAD: usize = FRAME + FrameHeader::MAX_LEN;

impl<'b> Outbox<'b> {
    /// What the buffer needs beside the longest payload of a frame.
    pub(crate) const OVERHEAD: usize = PAYLOAD;
    /// The payload of a control frame must fit.
    pub(crate) const MIN_LEN: usize = PAYLOAD + Control::MAX_PAYLOAD;

    pub(crate) const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, start: 0, end: 0, ping: None, open: None }
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
        self.ping = None;
    }

    /// The message whose last fragment has not been put: nothing but control frames and the rest of it may follow.
    pub(crate) const fn open_message(&self) -> Option<MessageKind> {
        self.open
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
        let frame = self.buffer.get_mut(FRAME..).unwrap_or_default();
        if header.frame_in_place(frame).is_ok() {
            self.start = PAYLOAD.saturating_sub(header.encoded_len());
            self.end = PAYLOAD.saturating_add(len);
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

    /// Remembers a ping, in place of one that was not answered yet (RFC 6455 section 5.5.3 allows it).
    pub(crate) fn save_ping(&mut self, payload: &[u8]) {
        let len = payload.len().min(FRAME);
        fill(&mut self.buffer.iter_mut(), payload.get(..len).unwrap_or_default());
        self.ping = Some(len);
    }

    /// Puts the pong for the remembered ping, if there is one.
    pub(crate) fn put_pong(&mut self, key: [u8; 4]) -> bool {
        let Some(len) = self.ping.take() else { return false };
        if let Some((saved, frame)) = self.buffer.split_at_mut_checked(PAYLOAD) {
            fill(&mut frame.iter_mut(), saved.get(..len).unwrap_or_default());
        }
        self.put(OpCode::Pong, true, len, key);
        true
    }
}

/// Copies `bytes` to the next slots, as far as there are some.
pub(crate) fn fill<'s>(slots: &mut impl Iterator<Item = &'s mut u8>, bytes: &[u8]) {
    for &byte in bytes {
        let Some(slot) = slots.next() else { return };
        *slot = byte;
    }
}
