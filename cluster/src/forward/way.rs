//! One direction of a forwarded WebSocket.

use core::mem::MaybeUninit;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;

use eio_core::ws::{Close, CloseCode, ControlFrame};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::forward::frames::Frames;

/// How many bytes move at once. A direction holds no more than that while its receiver takes nothing.
const PIECE: usize = 16 * 1024;

/// One direction.
pub(super) struct Way {
    /// What was read and not written yet: at most one piece, or a close frame. An idle connection owns no buffer.
    pending: Vec<u8>,
    written: usize,
    needs_flush: bool,
    frames: Frames,
    stage: Stage,
    receiver: Receiver,
}

/// To whom a direction leads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Receiver {
    Client,
    Node,
}

impl Receiver {
    /// Returns a close frame with status 1001, going away. A node gets it as from a client: masked with a random key (RFC 6455
    /// section 5.3).
    fn close_frame(self) -> io::Result<Vec<u8>> {
        let key = match self {
            Self::Client => None,
            Self::Node => Some(getrandom::u32().map_err(io::Error::other)?.to_ne_bytes()),
        };
        let close = Close::new(CloseCode::GOING_AWAY, "").map_err(io::Error::other)?;
        let mut frame = vec![0; ControlFrame::MAX_LEN];
        let len = ControlFrame::Close(Some(close)).encode(key, &mut frame).map_err(io::Error::other)?;
        frame.truncate(len);
        Ok(frame)
    }
}

/// What a direction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// The sender has ended: so does this side of the receiver, behind what is pending.
    Ending,
    Ended,
    /// This node is leaving: the close frame follows the current frame.
    Leaving,
    /// The close frame was written or is pending. What the sender still says goes nowhere.
    Left,
}

impl Way {
    /// Begins with bytes that have been received. The receiver gets a close frame if this node leaves.
    pub(super) fn new(received: &[u8], to: Receiver) -> Self {
        let mut frames = Frames::default();
        frames.follow(received);
        Self {
            pending: received.to_vec(),
            written: 0,
            needs_flush: false,
            frames,
            stage: Stage::Open,
            receiver: to,
        }
    }

    pub(super) fn leave(&mut self) {
        if self.stage == Stage::Open {
            self.stage = Stage::Leaving;
        }
    }

    /// Returns whether the end of the sender has been passed on.
    pub(super) fn has_ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// Returns whether the receiver has its close frame, and the sender has closed, too; or the sender has ended.
    pub(super) fn has_left(&self) -> bool {
        let has_said = self.stage == Stage::Left && self.pending.is_empty() && !self.needs_flush;
        self.has_ended() || (has_said && self.frames.has_closed())
    }

    /// Moves all that is ready. Returns whether anything moved.
    pub(super) fn poll_move<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
    ) -> io::Result<bool>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut moved = false;
        loop {
            let before = self.pending.len() - self.written;
            let is_written = self.poll_write(cx, to)?.is_ready();
            moved |= before > self.pending.len() - self.written;
            if !is_written {
                return Ok(moved);
            }
            match self.stage {
                Stage::Ended => return Ok(moved),
                Stage::Ending => {
                    if let Poll::Ready(ended) = Pin::new(to).poll_shutdown(cx) {
                        ended?;
                        self.stage = Stage::Ended;
                    }
                    return Ok(moved);
                }
                Stage::Leaving if self.frames.is_between() => {
                    self.stage = Stage::Left;
                    self.pending.extend(self.receiver.close_frame()?);
                    continue;
                }
                Stage::Open | Stage::Leaving | Stage::Left => {}
            }
            if self.poll_read(cx, from, to)?.is_pending() {
                break;
            }
            moved = true;
        }
        if self.needs_flush
            && let Poll::Ready(flushed) = Pin::new(to).poll_flush(cx)
        {
            flushed?;
            self.needs_flush = false;
        }
        Ok(moved)
    }

    /// Writes what is pending.
    fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
    ) -> io::Result<Poll<()>> {
        while let Some(rest) = self.pending.get(self.written..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut *to).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(len)) => {
                    self.written += len;
                    self.needs_flush = true;
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(Poll::Pending),
            }
        }
        self.pending = Vec::new();
        self.written = 0;
        Ok(Poll::Ready(()))
    }

    /// Reads the next piece, and writes what the receiver takes of it at once.
    fn poll_read<R, W>(&mut self, cx: &mut Context<'_>, from: &mut R, to: &mut W) -> io::Result<Poll<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut room = [MaybeUninit::uninit(); PIECE];
        let mut buf = ReadBuf::uninit(&mut room);
        match Pin::new(from).poll_read(cx, &mut buf) {
            Poll::Ready(read) => read?,
            Poll::Pending => return Ok(Poll::Pending),
        }
        let bytes = buf.filled();
        if bytes.is_empty() {
            self.stage = if self.stage == Stage::Left { Stage::Ended } else { Stage::Ending };
        }
        self.frames.follow(bytes);
        if self.stage != Stage::Left && !bytes.is_empty() {
            let taken = match Pin::new(to).poll_write(cx, bytes) {
                Poll::Ready(taken) => taken?,
                Poll::Pending => 0,
            };
            self.needs_flush |= taken > 0;
            self.pending.extend_from_slice(bytes.get(taken..).unwrap_or_default());
        }
        Ok(Poll::Ready(()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_node_gets_its_close_frame_under_a_new_key_each_time() {
        assert_eq!(Receiver::Client.close_frame().unwrap(), [0x88, 2, 0x03, 0xe9]);
        let mut keys = HashSet::new();
        for _ in 0..100 {
            let frame = Receiver::Node.close_frame().unwrap();
            let [0x88, 0x82, a, b, c, d, high, low] = frame[..] else { panic!("{frame:?}") };
            assert_eq!([high ^ a, low ^ b], 1001_u16.to_be_bytes());
            keys.insert([a, b, c, d]);
        }
        // Two of them may be alike by chance.
        assert!(keys.len() > 95, "{keys:?}");
    }
}
