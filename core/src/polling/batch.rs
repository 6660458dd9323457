//! Chooses the packets of one payload: the session's own packets, and as many messages as fit.

use crate::packet::Packet;
use crate::payload::v3::Framing;
use crate::payload::v4::EncodeError;
use crate::payload::{Format, Layout};
use crate::session::Control;

/// The limits on one payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    max_packets: usize,
    max_len: usize,
}

impl Limits {
    /// At most 16 packets, of any length. python-engineio refuses payloads with more than 16 packets.
    pub const DEFAULT: Self = Self { max_packets: 16, max_len: usize::MAX };

    /// Returns the limits with at most `max_packets` packets in a payload. 0 counts as 1.
    #[must_use]
    pub const fn with_max_packets(self, max_packets: usize) -> Self {
        Self { max_packets, ..self }
    }

    /// Returns the limits with at most `max_len` bytes in a payload: the server's `maxPayload` for a client's posts, or
    /// the length of the buffer that the payload is written to.
    ///
    /// A single packet may be longer. It is sent alone, because splitting a payload does not shorten it. A caller that
    /// cannot carry such a message must refuse it when the application sends it.
    #[must_use]
    pub const fn with_max_len(self, max_len: usize) -> Self {
        Self { max_len, ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The packets of one payload: an answer to a poll, or the body of a post.
///
/// A batch does not hold the messages. It says how many of the oldest messages in the caller's queue belong to it. Pass
/// the same queue to [`encode`](Self::encode) or [`packets`](Self::packets), and remove these messages from it.
///
/// The order on the wire is: pong, ping, messages, `noop`, `close`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Batch {
    layout: Layout,
    messages: usize,
    controls: Controls,
}

/// The packets of a batch that are not messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::struct_excessive_bools, reason = "each packet is there or not")]
struct Controls {
    pong: bool,
    ping: bool,
    noop: bool,
    close: bool,
}

impl Controls {
    const NONE: Self = Self { pong: false, ping: false, noop: false, close: false };
}

impl Batch {
    /// A batch that consists of a `close` packet.
    pub(super) fn close(format: Format) -> Self {
        let layout = Layout::new(format).with(&Packet::CLOSE);
        Self { layout, messages: 0, controls: Controls { close: true, ..Controls::NONE } }
    }

    /// A batch without packets.
    pub(super) const fn empty(format: Format) -> Self {
        Self { layout: Layout::new(format), messages: 0, controls: Controls::NONE }
    }

    /// A batch that carries the packets that `poll_transmit` returns, except the `close` packet. Sets `close_due` if
    /// there is one.
    pub(super) fn heartbeats(
        format: Format,
        close_due: &mut bool,
        mut poll_transmit: impl FnMut() -> Option<Control>,
    ) -> Self {
        let mut batch = Self::empty(format);
        // A session has at most one of each to send.
        for _ in 0..MAX_CONTROLS {
            match poll_transmit() {
                Some(Control::Pong) => {
                    batch.controls.pong = true;
                    batch.layout = batch.layout.with(&Packet::PONG);
                }
                Some(Control::Ping) => {
                    batch.controls.ping = true;
                    batch.layout = batch.layout.with(&Packet::PING);
                }
                Some(Control::Close) => *close_due = true,
                None => break,
            }
        }
        batch
    }

    /// Adds as many packets of `queue` as fit, and returns whether all of them did.
    pub(super) fn fill<'q>(&mut self, queue: impl IntoIterator<Item = Packet<'q>>, limits: &Limits) -> bool {
        for packet in queue {
            let longer = self.layout.with(&packet);
            if !self.fits(&longer, limits) {
                return false;
            }
            self.layout = longer;
            self.messages = self.messages.saturating_add(1);
        }
        true
    }

    /// Returns the batch with a `close` packet at its end, if that fits.
    pub(super) fn closed(mut self, limits: &Limits) -> Option<Self> {
        let longer = self.layout.with(&Packet::CLOSE);
        if !self.fits(&longer, limits) {
            return None;
        }
        self.layout = longer;
        self.controls.close = true;
        Some(self)
    }

    /// Returns the batch with a `noop` packet at its end.
    pub(super) fn with_noop(mut self) -> Self {
        self.layout = self.layout.with(&Packet::NOOP);
        self.controls.noop = true;
        self
    }

    /// Returns whether one more packet fits, which makes the layout `longer`. The first packet always does.
    fn fits(&self, longer: &Layout, limits: &Limits) -> bool {
        self.is_empty() || (self.count() < limits.max_packets && longer.len() <= limits.max_len)
    }

    /// Returns how many of the oldest messages in the queue the payload carries. Remove them from the queue.
    #[must_use]
    pub const fn messages(&self) -> usize {
        self.messages
    }

    /// Returns the number of packets in the payload.
    #[must_use]
    pub fn count(&self) -> usize {
        let Controls { pong, ping, noop, close } = self.controls;
        [pong, ping, noop, close].into_iter().map(usize::from).fold(self.messages, usize::saturating_add)
    }

    /// Returns whether the payload has no packets. No machine returns such a batch.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.layout.is_empty()
    }

    /// Returns whether the payload carries a ping.
    #[must_use]
    pub const fn has_ping(&self) -> bool {
        self.controls.ping
    }

    /// Returns whether the payload carries a pong.
    #[must_use]
    pub const fn has_pong(&self) -> bool {
        self.controls.pong
    }

    /// Returns whether the payload ends with a `close` packet.
    #[must_use]
    pub const fn closes(&self) -> bool {
        self.controls.close
    }

    /// Returns the exact length of the payload, in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.layout.len()
    }

    /// Returns the framing of the payload. [`Framing::content_type`] is its content type.
    #[must_use]
    pub const fn framing(&self) -> Framing {
        self.layout.framing()
    }

    /// Returns the packets in the order of the wire. `queue` is the queue that the batch was made for.
    pub fn packets<'q, Q>(&self, queue: Q) -> impl Iterator<Item = Packet<'q>> + use<'q, Q>
    where
        Q: IntoIterator<Item = Packet<'q>>,
    {
        let Self { controls, messages, .. } = *self;
        let heartbeats = controls.pong.then_some(Packet::PONG).into_iter();
        heartbeats
            .chain(controls.ping.then_some(Packet::PING))
            .chain(queue.into_iter().take(messages))
            .chain(controls.noop.then_some(Packet::NOOP))
            .chain(controls.close.then_some(Packet::CLOSE))
    }

    /// Writes the payload and returns it. `queue` is the queue that the batch was made for.
    ///
    /// A client that polls with JSONP gets it through [`jsonp::encode`](crate::payload::jsonp::encode).
    ///
    /// # Errors
    /// Returns [`EncodeError::BufferTooSmall`] if `out` is shorter than [`len`](Self::len). Nothing has been written then.
    /// Returns [`EncodeError::Separator`] if a message contains U+001E, which no payload of revision 4 can carry: refuse
    /// such a message when the application sends it (see [`find_separator`](crate::payload::v4::find_separator)). `out` may
    /// hold a part of the payload then.
    pub fn encode<'q, 'o>(
        &self,
        queue: impl IntoIterator<Item = Packet<'q>>,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], EncodeError> {
        self.layout.encode(self.packets(queue), out)
    }
}

/// The number of packets that a session may have to send: pong, ping and close.
const MAX_CONTROLS: usize = 3;
