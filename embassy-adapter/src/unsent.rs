//! What was not passed on when a session ended.

use embedded_io_async::{Read, Write};

use crate::Client;
use crate::link::Phase;

/// What a client has not passed to its stream. [`Client::unsent`] returns it.
///
/// It counts up to the stream, and no further. What the stream has taken may be lost as well: over TCP, the bytes that
/// the server's machine has not acknowledged, which [`Client::writer`] counts over embassy-net, and those that its program
/// never reads. Only an answer from the server shows that a message has arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Unsent {
    /// How many bytes of the send buffer the stream has not taken. They are the rest of one frame with its header, or of
    /// the HTTP request.
    pub bytes: usize,
    /// Whether a message of the application was not passed on whole: its bytes are those in the send buffer, or only a
    /// part of it was given to [`send`](Client::send) or [`send_piece`](Client::send_piece). There is at most one, the
    /// last. The [`bytes`](Self::bytes) of heartbeats and of other control frames do not count here.
    pub message: bool,
}

impl<R: Read, W: Write> Client<'_, R, W> {
    /// Returns what has not been passed to the stream. It is meant for the end of a session: it shows whether the last
    /// message was on its way.
    ///
    /// ```no_run
    /// use eio_core::packet::WebSocketMessage;
    /// use eio_embassy::Client;
    /// # use embedded_io_async::{Read, Write};
    ///
    /// /// Sends readings until the session ends. Returns the reading to begin with in the next session.
    /// async fn report<R: Read, W: Write>(client: &mut Client<'_, R, W>, mut reading: u32) -> u32 {
    ///     loop {
    ///         let text = if reading % 2 == 0 { "even" } else { "odd" };
    ///         if client.send(WebSocketMessage::Text(text)).await.is_err() {
    ///             // The last message that was taken may not have left the send buffer.
    ///             return if client.unsent().message { reading - 1 } else { reading };
    ///         }
    ///         reading += 1;
    ///     }
    /// }
    /// # let _ = report::<&[u8], &mut [u8]>;
    /// ```
    #[must_use]
    pub fn unsent(&self) -> Unsent {
        let outbox = &self.link.outbox;
        let frames = matches!(self.link.state.phase, Phase::Frames);
        let message = frames && outbox.holds_message() || self.link.state.has_unfinished_message();
        Unsent { bytes: outbox.pending().len(), message }
    }

    /// Returns the half of the stream that the client writes to, to ask it for its state. Over embassy-net, its
    /// `send_queue` returns how many bytes TCP has taken and the server's machine has not acknowledged.
    #[must_use]
    pub const fn writer(&self) -> &W {
        &self.writer
    }
}
